# SPDX-License-Identifier: Apache-2.0
"""A small version of ``make reliability``, and that its page is what it wrote.

What other tests have at this size already is not done again: fuzz_images, fuzz_shapes,
fuzz_unseen, flips, and the kills of a fleet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.iso.cases import CASES
from tests.reliability.page import PAGE, page
from tests.reliability.sections import ROOT, SECTIONS

# By part: sections, the share of the whole, and how many attempts each is at least.
SMALL = {
    "calls": (["calls"], 0.1, 3, ["extract", "render", "identity strip"]),
    "kills": (["kills", "two"], 0.012, 2, ["extract", "identity strip"]),
    "readers": (["readers"], 0.01, 20, []),
    "texts": (["texts"], 0.0015, 60, []),
    "records": (["records"], 0.0008, 8, []),
}


def test_the_page_is_what_the_results_make_it() -> None:
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("part", SMALL)
def test_a_small_version_finds_nothing(part: str, tmp_path: Path) -> None:
    sections, scale, least, commands = SMALL[part]
    words = [f"--section={name}" for name in sections] + [f"--command={one}" for one in commands]
    run = subprocess.run(
        [sys.executable, "-m", "tests.reliability", *words, "--scale", str(scale),
         "--results", str(tmp_path), "-o", str(tmp_path / "page.md")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    for name in sections:
        kept = json.loads((tmp_path / f"{name}.json").read_text())
        assert kept["tried"] >= least
        CASES[f"reliability: {SECTIONS[name].title.lower()}"] += kept["tried"]
