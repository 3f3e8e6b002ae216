# SPDX-License-Identifier: Apache-2.0
"""The demonstration goes as it is told, and its steps check themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "scripts/demo.py"


def demo(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_from_refused_to_accepted(tmp_path: Path) -> None:
    run = demo(tmp_path / "demo")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    told = [
        "Unsupported distribution : rocky linux",
        '+      "rocky linux" in distribution or',
        "Using Linux Installer for rocky linux linux distribution.",
        "Using Linux Installer for almalinux linux distribution.",
        "Unsupported distribution : debian gnu/linux",
    ]
    places = [run.stdout.index(words) for words in told]
    assert places == sorted(places)
    assert "PRIVATE KEY" not in run.stdout
