# SPDX-License-Identifier: Apache-2.0
"""A guest whose Python a gate refuses never "runs", however the gate is written.

``gates.txt``: ``=== name`` or ``=== name: must`` (nothing may be said to end it), then
``install_ngt.py``; ``--- file path`` begins another file. Each is run by real Pythons.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ngtpatch.installer.hazards import find_hazards
from ngtpatch.installer.layout import ROOT
from tests.interpreters import interpreter

CASES = re.split(r"^=== ", (Path(__file__).parent / "gates.txt").read_text(), flags=re.M)[1:]


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.partition("\n")[0])
def test_what_ends_on_a_python_is_a_hazard_there(case: str, tmp_path: Path) -> None:
    title, _, text = case.partition("\n")
    first, *others = re.split(r"^--- file ", text, flags=re.M)
    files = {"install_ngt.py": first}
    files |= dict(one.split("\n", 1) for one in others)
    for path, content in files.items():
        (tmp_path / path).write_text(content)
    hazards = find_hazards({ROOT + path: content.encode() for path, content in files.items()})
    for version in ("2.7", "3.6", "3.12"):
        command = [interpreter(version), str(tmp_path / "install_ngt.py")]
        ends = subprocess.run(command, capture_output=True, check=False).returncode != 0
        here = [one for one in hazards if one.concerns(python=version, release="9.4")]
        assert here or not ends, version
        if title.endswith(": must"):
            assert [one for one in here if one.stops] == []
