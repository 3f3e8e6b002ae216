# SPDX-License-Identifier: Apache-2.0
"""``make dist``: the wheel and the sdist, built twice; the second time as if somewhere else.

Elsewhere is a copy of the tree under another name, with other times and modes of its files, another
time zone, locale and order of sets; the manual pages are made there anew. What comes out has to
be the same, to the byte. Neither build downloads anything: hatchling is in locks/dev.txt, and takes
files of the tree alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ELSEWHERE", "copy_elsewhere"]

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE: Mapping[str, str] = {
    "TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": "/nonexistent",
}  # fmt: skip
_LEFT_OUT = {"__pycache__", "html", "_screenshots", "build", "dist", "mutants"}
_LONG_AGO = 1_000_000_000


def main() -> None:
    """Write dist/, and fail where a second build gives other bytes."""
    directory = ROOT / "dist"
    for old in (*directory.glob("*.whl"), *directory.glob("*.tar.gz"), *directory.glob("*.json")):
        old.unlink()
    _run(ROOT, {}, "hatchling", "build", "-d", str(directory))
    with tempfile.TemporaryDirectory() as temporary:
        tree, again = Path(temporary) / "another name", Path(temporary) / "dist"
        copy_elsewhere(tree)
        shutil.rmtree(tree / "docs/_build")
        pages = ("-q", "-W", "-t", "man", "-b", "man", "docs", "docs/_build/man")
        _run(tree, ELSEWHERE, "sphinx", *pages)
        _run(tree, ELSEWHERE, "hatchling", "build", "-d", str(again))
        first, second = _digests(directory), _digests(again)
    if first != second:
        sys.exit(f"two builds differ: {sorted(set(first.items()) ^ set(second.items()))}")
    for name, digest in first.items():
        print(f"{digest}  {name}, twice")


def copy_elsewhere(tree: Path) -> None:
    """Copy what is built to *tree*, with other times and modes."""
    shutil.copytree(
        ROOT,
        tree,
        ignore=lambda _, names: [
            name
            for name in names
            if name in _LEFT_OUT or (name.startswith(".") and name != ".gitignore")
        ],
    )
    for path in tree.rglob("*"):
        path.chmod(0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def _digests(directory: Path) -> dict[str, str]:
    built = sorted((*directory.glob("*.whl"), *directory.glob("*.tar.gz")))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built}


def _run(tree: Path, environment: Mapping[str, str], *words: str) -> None:
    # The copy's package, not the one that is installed.
    own = {**os.environ, **environment, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=tree, env=own, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")


if __name__ == "__main__":
    main()
