# SPDX-License-Identifier: Apache-2.0
"""The Pythons of guests: EL7 has 2.7, EL8 3.6, EL9 3.9, EL10 3.12."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.requirements import missing

__all__ = ["find", "interpreter"]


def interpreter(version: str) -> str:
    """Return CPython *version* ("3.9"), from PATH or pyenv; skip the test where there is none."""
    found = find(version)
    if found is None:
        missing(f"Python {version}", f"pyenv install {version}, or put python{version} on PATH")
    return found


@cache
def find(version: str) -> str | None:
    """Return CPython *version*, or None where there is none."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [shutil.which(f"python{version}")]
    candidates += [str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python"))]
    return next((real for path in candidates if path and (real := _real(path, version))), None)


def _real(path: str, version: str) -> str | None:
    """Return the interpreter that *path* starts, if it is *version*."""
    # pyenv puts shims on PATH: scripts that look for a Python on PATH, and fail without one.
    script = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    run = subprocess.run([path, "-c", script], capture_output=True, text=True, check=False)
    found, _, executable = run.stdout.strip().partition("\n")
    return executable if run.returncode == 0 and found == version else None
