# SPDX-License-Identifier: Apache-2.0
"""A small version of ``make reliability``, and that its page is what it wrote.

What other tests have at this size already is not done again: fuzz_images, fuzz_shapes,
fuzz_unseen, flips, and the kills of a fleet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.iso.cases import CASES
from tests.reliability.page import PAGE, page
from tests.reliability.result import Result, next_seed
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
        tried = sum(piece["tried"] for piece in kept["pieces"])
        assert tried >= least
        CASES[f"reliability: {SECTIONS[name].title.lower()}"] += tried


def test_pieces_are_added_and_told_apart(tmp_path: Path) -> None:
    about = {"commit": "c0ffee", "date": "2026-01-31", "machine": "one"}
    for seed, count in ((0, 5), (5, 7), (12, 7)):
        assert next_seed(tmp_path / "texts.json") == seed
        piece = Result(tried=count, outcomes=Counter({"exit 3": count}), figures={"peak": "9 MB"})
        piece.write(tmp_path / "texts.json", more=seed > 0, **about, seed=seed, count=count)
    said = page(tmp_path)
    assert "| 19 | 40,000 | 0 |" in said
    assert "| exit 3 | 19 |" in said
    assert "This is a part: 19 of 40,000 were asked for." in said
    assert all(f"{count} from seed {seed} on" in said for seed, count in ((0, 5), (5, 7), (12, 7)))
    Result(tried=1).write(tmp_path / "texts.json", more=False, **about, seed=0, count=1)
    assert "This is a part: 1 of 40,000 were asked for." in page(tmp_path)
