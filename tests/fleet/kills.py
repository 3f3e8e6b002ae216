# SPDX-License-Identifier: Apache-2.0
"""Kills runs at random moments, and looks at what they leave.

    python -m tests.fleet.kills [--count 300] [--seed 1]

After each kill every image is right or absent; then the same command completes, and no file is left
that has no row. A run is the command in a child of this process, which has imported it: its
moments lie in the work, not in imports.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fleet.park import Park, park

VMS = 8


def child(arguments: list[str]) -> int:
    """Start the command in a process of its own; return its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        from ngtpatch.cli import main as program

        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.argv = ["ngtpatch", *arguments]
        program()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 70
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    """Wait for a child; return its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def digests(directory: Path) -> dict[str, str]:
    """Return what is in the directory of outputs, but for locks and ledger."""
    if not directory.is_dir():
        return {}
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.iterdir()
        if path.is_file() and not path.name.startswith("ledger")
    }


def look(made: Park, right: dict[str, str]) -> str | None:
    """Return what is wrong after a kill."""
    for name, digest in digests(made.out).items():
        if name in right and digest != right[name]:
            return f"{name} is not right"
        if name not in right and not name.startswith("."):
            return f"{name} is nobody's"
    return None


def complete(made: Park, right: dict[str, str], arguments: list[str]) -> str | None:
    """Run the same command to its end; return what is wrong then."""
    code = ended(child(arguments))
    if code:
        return f"the same command exits {code}"
    if digests(made.out) != right:
        return f"there is {sorted(digests(made.out))}"
    rows = made.rows()
    if set(rows) != set(made.material) or {row["state"] for row in rows.values()} != {"done"}:
        return f"the ledger says {rows}"
    return None


def main() -> None:
    """Kill, look, complete."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    chance, ends = random.Random(wanted.seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        made = park(Path(scratch) / "park", VMS)
        arguments = made.arguments("--resume", "--jobs", "2")[3:]
        for _ in range(2):  # the second one has everything imported, and is measured
            shutil.rmtree(made.out, ignore_errors=True)
            begin = time.monotonic()
            if ended(child(arguments)):
                sys.exit("the command fails by itself")
            length = time.monotonic() - begin
        right = digests(made.out)
        for number in range(wanted.count):
            shutil.rmtree(made.out)
            for _ in range(chance.randrange(1, 3)):  # also a run that goes on where one was killed
                kind = chance.choice([signal.SIGKILL, signal.SIGHUP])
                pid = child(arguments)
                time.sleep(chance.uniform(0, length))
                os.kill(pid, kind)
                ends[f"{kind.name}: {ended(pid)}"] += 1
                wrong = look(made, right)
                if wrong:
                    break
            wrong = wrong or complete(made, right, arguments)
            if wrong:
                sys.exit(f"kill {number} of seed {wanted.seed}, {kind.name}: {wrong}")
    print(f"{wanted.count} times killed and completed: {dict(sorted(ends.items()))}")


if __name__ == "__main__":
    import ngtpatch.cli.inject
    import ngtpatch.fleet.inject  # noqa: F401 - so that no child has to

    main()
