# SPDX-License-Identifier: Apache-2.0
"""Lets each writing call of a run fail, and looks at what is left.

    python -m tests.fleet.faults [--only CALL] [--most 200]

Which calls of WRITING the run makes is looked at first. Then strace makes the Nth call of each
kind, in each thread, fail with ENOSPC or EIO, for N from 1 until none does. After each the run has
said so in one message; every image is right or absent; the same command completes, and no file is
left that has no row.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fleet.kills import complete, digests, look
from tests.fleet.park import ENVIRONMENT, Park, park

# What Linux has for writing, and for making, naming, removing and changing files, but for opening
# them: how often a run opens is mostly Python's own.
WRITING = (
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync", "sync_file_range",
    "ftruncate", "fallocate", "copy_file_range", "sendfile", "splice", "linkat", "link", "symlink",
    "symlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat",
    "rmdir", "fchmod", "chmod", "fchmodat", "fchown", "utimensat",
)  # fmt: skip
ERRORS = ("ENOSPC", "EIO")


def faulted(made: Park, strace: str, call: str, error: str, number: int) -> tuple[bool, int, str]:
    """Run with the fault; say whether a call failed, the exit code, and what was said."""
    log = made.root / "strace.log"
    run = subprocess.run(
        [strace, "-f", "-qq", "--seccomp-bpf", "-o", str(log), "-e", f"trace={call}",
         "-e", f"inject={call}:error={error}:when={number}",
         *made.arguments("--resume", "--jobs", "1")],
        capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    return "(INJECTED)" in log.read_text(errors="replace"), run.returncode, run.stdout + run.stderr


def calls_made(made: Park, strace: str) -> Counter[str]:
    """Return which calls of WRITING a run without faults makes, and how often."""
    log = made.root / "strace.log"
    known = ",".join(f"?{call}" for call in WRITING)  # not every architecture has all of them
    subprocess.run(
        [strace, "-f", "-qq", "--seccomp-bpf", "-o", str(log), "-e", f"trace={known}",
         *made.arguments("--resume", "--jobs", "1")],
        capture_output=True, check=True, env=ENVIRONMENT,
    )  # fmt: skip
    clear(made)
    return Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE))


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
    parser.add_argument("--only", choices=WRITING)
    parser.add_argument("--most", type=int, default=200)
    wanted = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        # Compiled modules are kept elsewhere: writing them is nothing of the run's.
        ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = f"{scratch}/compiled"
        made = park(Path(scratch) / "park", 2)
        right = reference(made)
        calls_made(made, "strace")  # compiles
        calls = calls_made(made, "strace")
        print(f"{calls.total()} calls are made: {dict(calls)}", flush=True)
        for call in [wanted.only] if wanted.only else calls:
            for error in ERRORS:
                for number in range(1, wanted.most + 1):
                    clear(made)
                    failed, code, said = faulted(made, "strace", call, error, number)
                    if not failed:
                        break
                    wrong = problem(made, right, code, said)
                    if wrong:
                        sys.exit(f"{call} {error} {number}: {wrong}")
                    counts[f"{call}: exit {code}"] += 1
                else:
                    sys.exit(f"{call} {error}: more than {wanted.most} calls")
                if number == 1:
                    sys.exit(f"{call} {error}: it is made, and was never made to fail")
                print(f"{call} {error}: {number - 1} positions", flush=True)
    print(f"{counts.total()} calls failed: {dict(sorted(counts.items()))}")


if __name__ == "__main__":
    main()
