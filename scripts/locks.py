# SPDX-License-Identifier: Apache-2.0
"""``make locks``: the releases that development uses, each with the digests of its files.

One resolution for every Python from 3.10 on, by uv. ``locks/dev.txt`` has what tests, checks,
documentation and builds need, ``locks/run.txt`` what of that is needed at run time. No address of
an index is in them: where the files come from is pip's to know, and the digests say that they are
the same.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["LOCKS"]

ROOT = Path(__file__).resolve().parent.parent
RUN, DEV = LOCKS = (ROOT / "locks/run.txt", ROOT / "locks/dev.txt")
_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Made by `make locks` out of pyproject.toml; not to be edited.
"""


def main() -> None:
    """Write both, with the newest releases that fit together."""
    _compile(DEV, "--extra", "dev", "--extra", "dist", "--extra", "docs")
    _compile(RUN, "--extra", "provenance", "-c", str(DEV))


def _compile(lock: Path, *words: str) -> None:
    how = "--universal --python-version 3.10 --generate-hashes --upgrade --quiet --no-header"
    how += " --no-emit-index-url --no-emit-find-links"
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *how.split(), *words],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(_HEAD + done.stdout)
    print(f"{lock.relative_to(ROOT)}: {done.stdout.count('==')} releases")


if __name__ == "__main__":
    main()
