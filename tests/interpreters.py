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
    return next((path for path in candidates if path and _is(path, version)), None)


def _is(path: str, version: str) -> bool:
    # pyenv puts shims on PATH for versions that are installed but not selected: they only fail.
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    run = subprocess.run([path, "-c", script], capture_output=True, text=True, check=False)
    return run.returncode == 0 and run.stdout.strip() == version
