# SPDX-License-Identifier: Apache-2.0
"""The benchmark runs, small and quick; what it measures is no business of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.peers import BASELINE, HASHED, IMAGE_WORK

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_small_run_prints_every_peer_that_is_here(tmp_path: Path) -> None:
    document = ROOT / "docs" / "benchmarks.md"
    before = document.read_bytes() if document.exists() else None
    run = subprocess.run(
        [sys.executable, "-m", "bench.images", "--size", "1M", "--runs", "1", "--no-loops"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for row in (BASELINE, HASHED, IMAGE_WORK, "ngtpatch rebuild", "pycdlib, full write"):
        assert f"| {row} | " in run.stdout
    assert list(tmp_path.iterdir()) == []
    assert (document.read_bytes() if document.exists() else None) == before


def test_opening_is_measured_with_pycdlib_s_share_apart() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.opening", "--files", "150", "--runs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for row in ("our reader, opening", "pycdlib, opening (the second opinion)"):
        assert f"| {row} | " in run.stdout
