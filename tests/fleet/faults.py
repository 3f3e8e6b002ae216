# SPDX-License-Identifier: Apache-2.0
"""Lets each writing call of a run fail, and looks at what is left.

    python -m tests.fleet.faults [--only CALL] [--most 12]

strace makes the Nth call of each kind, in each thread, fail with ENOSPC or EIO, for N from 1 until
none does. After each the run has said so in one message; every image is right or absent; the same
command completes, and no file is left that has no row.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fleet.kills import complete, digests, look
from tests.fleet.park import ENVIRONMENT, Park, park

CALLS = (
    "write", "pwrite64", "fsync", "ftruncate", "copy_file_range", "linkat", "rename", "mkdir",
)  # fmt: skip
ERRORS = ("ENOSPC", "EIO")


def faulted(made: Park, strace: str, call: str, error: str, number: int) -> tuple[bool, int, str]:
    """Run with the fault; say whether a call failed, the exit code, and what was said."""
    log = made.root / "strace.log"
    run = subprocess.run(
        [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={call}",
         "-e", f"inject={call}:error={error}:when={number}",
         *made.arguments("--resume", "--jobs", "1")],
        capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    return "(INJECTED)" in log.read_text(errors="replace"), run.returncode, run.stdout + run.stderr


def problem(made: Park, right: dict[str, str], code: int, said: str) -> str | None:
    """Return what is wrong after a fault; the directory is as a run without it leaves it then."""
    if "Traceback" in said or code not in (0, 8):
        return f"it exits {code} and says {said}"
    return look(made, right) or complete(made, right, made.arguments("--resume")[3:])


def reference(made: Park) -> dict[str, str]:
    """Return what a run without faults leaves, and remove it."""
    if made.inject().returncode:
        sys.exit("the command fails by itself")
    right = digests(made.out)
    clear(made)
    return right


def clear(made: Park) -> None:
    """Remove the outputs, and leave the directory."""
    for path in made.out.iterdir():
        if path.is_file():
            path.unlink()


def main() -> None:
    """Fail, look, complete."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=CALLS)
    parser.add_argument("--most", type=int, default=40)
    wanted = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        made = park(Path(scratch) / "park", 2)
        right = reference(made)
        for call in [wanted.only] if wanted.only else CALLS:
            for error in ERRORS:
                for number in range(1, wanted.most + 1):
                    failed, code, said = faulted(made, "strace", call, error, number)
                    if not failed:
                        break
                    wrong = problem(made, right, code, said)
                    if wrong:
                        sys.exit(f"{call} {error} {number}: {wrong}")
                    counts[f"{call}: exit {code}"] += 1
                    clear(made)
    print(f"{counts.total()} calls failed: {dict(sorted(counts.items()))}")


if __name__ == "__main__":
    main()
