# SPDX-License-Identifier: Apache-2.0
"""``make dist``: the wheel on its own, manual pages too, and the demonstration without the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the demonstration needs beside ngtpatch: itself, and the guests' os-release files.
TAKEN = ("scripts/demo.py", "tests/distros")


def main() -> None:
    """Install the wheel that is named, and run the demonstration with it."""
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        away = Path(directory)
        venv.create(away / "venv", with_pip=True)
        python = away / "venv/bin/python"
        _run(python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", wheel, cwd=away)
        for name in TAKEN:
            (away / name).parent.mkdir(parents=True, exist_ok=True)
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            take(ROOT / name, away / name)
        where = _run(python, "-c", "import ngtpatch; print(ngtpatch.__file__)", cwd=away).strip()
        if not Path(where).is_relative_to(away / "venv"):
            sys.exit(f"ngtpatch was imported from {where}, not from the wheel")
        page = away / "venv/share/man/man1/ngtpatch-rebuild.1"
        if "ngtpatch rebuild" not in page.read_text():
            sys.exit("the wheel brings no manual page of ngtpatch rebuild")
        told = _run(python, away / "scripts/demo.py", away / "demo", cwd=away)
        if "Using Linux Installer for almalinux linux distribution." not in told:
            sys.exit(f"the demonstration was not told to its end:\n{told}")
    print(f"{wheel.name}: installed on its own, the demonstration goes as told")


def _run(*words: str | Path, cwd: Path) -> str:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=outside, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
