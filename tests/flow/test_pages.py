# SPDX-License-Identifier: Apache-2.0
"""The examples for Python in README and docs/library.md need no click; tests/cli has the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.sample import write_sample

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_the_example_runs_and_click_stays_out(page: str, tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)[0]
    write_sample(tmp_path / "nutanix-ngt.iso", era=2)
    ran = subprocess.run(
        [sys.executable, "-c", f"{example}\nimport sys\nassert 'click' not in sys.modules\n"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "installer/linux/src/installer_factory.py 2" in ran.stdout
    assert list(tmp_path.glob("ngt-[ep]*.iso")) != []
