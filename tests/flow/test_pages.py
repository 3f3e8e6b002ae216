# SPDX-License-Identifier: Apache-2.0
"""The examples for Python in README and docs/library.md, run as they are written."""

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
    assert (tmp_path / "ngt-el.iso").is_file()


def test_the_second_example_gives_a_vm_its_own_disc(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(), re.DOTALL)
    write_sample(tmp_path / "ngt-el.iso", era=2)
    disc = tmp_path / "web01"
    subprocess.run(
        [sys.executable, "-m", "ngtpatch", "-q", "rebuild", tmp_path / "ngt-el.iso",
         "--set", "port=2074", "--output-tree", tmp_path / "tree"],
        check=True,
    )  # fmt: skip
    (tmp_path / "tree/config").rename(disc)
    ran = subprocess.run(
        [sys.executable, "-c", examples[1]],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    config = (disc / "ngt_config.json").read_bytes()
    got = subprocess.run(
        ["bsdtar", "-xOf", tmp_path / "web01.iso", "config/ngt_config.json"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert got.stdout == config
