# SPDX-License-Identifier: Apache-2.0
"""docs/cloning.md, certificates.md and fleet.md: tried as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.pages import matches, run, steps
from tests.fleet.park import ENVIRONMENT

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("page", "least"), [("cloning", 10), ("certificates", 12), ("fleet", 8)])
def test_a_page_does_what_it_says(tmp_path: Path, page: str, least: int) -> None:
    tried = list(steps(DOCS / f"{page}.md"))
    assert len(tried) >= least
    for step in tried:
        printed = run(step, tmp_path)
        assert matches(step.shown, printed), (step.command, printed)
    if page == "fleet":
        (program,) = re.findall(
            r"^```python\n(.*?)^```", (DOCS / "fleet.md").read_text(), re.M | re.S
        )
        (tmp_path / "program.py").write_text(program)
        done = subprocess.run(
            [sys.executable, "program.py"],
            cwd=tmp_path, capture_output=True, text=True, check=False, env=ENVIRONMENT,
        )  # fmt: skip
        assert done.stdout == "6 written, 0 failed\n", done.stderr
