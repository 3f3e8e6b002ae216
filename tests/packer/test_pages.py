# SPDX-License-Identifier: Apache-2.0
"""Pages tried as written: packer, auditor, guest, cluster, upgrade and tutorial."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.pages import matches, run, steps
from tests.requirements import tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("packer", 8),
        ("auditor", 12),
        ("guest", 16),
        ("cluster", 6),
        ("upgrade", 7),
        ("tutorial", 9),
    ],
)
def test_a_page_does_what_it_says(
    tmp_path: Path, page: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page == "packer":
        tool("packer", "packer")
    if page == "guest" and os.geteuid() != 0:
        pytest.skip("NGT is installed by root")
    # What a reader has: a checkout's examples, and a python3 that ngtpatch was installed for.
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / ".python").mkdir()
    python = tmp_path / ".python" / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{python.parent}:{os.environ['PATH']}:/usr/sbin:/sbin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")
    tried = list(steps(ROOT / "docs" / f"{page}.md"))
    assert len(tried) >= least
    for step in tried:
        printed = run(step, tmp_path)
        assert matches(step.shown, printed), (step.command, printed)
