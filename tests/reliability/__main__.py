# SPDX-License-Identifier: Apache-2.0
"""``make reliability``: attack the promises, keep what came of it, write docs/reliability.md.

    python -m tests.reliability [--section NAME ...] [--scale 1.0] [--seed 0] [--more] [-o PAGE]

A section's result replaces its last one below tests/reliability/results, so that a long run can be
done in pieces. With --more it is added to that, with other seeds, so that a section that takes
hours can be, too; the page tells of each piece which commit, machine and count it was. Exits 1 if
anything was wrong in what ran.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.reliability.commands import COMMANDS
from tests.reliability.page import PAGE, RESULTS, page
from tests.reliability.result import next_seed
from tests.reliability.sections import ROOT, SECTIONS
from tests.reliability.traced import warm

NAMES = tuple(one.name for one in COMMANDS)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    kernel = platform.release().split("-")[0]
    return (
        f"{os.cpu_count()} cores, {memory} GB, {platform.system()} {kernel} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = bool(git("status", "--porcelain", "--", "ngtpatch", "patches", "distro_profiles"))
    return git("rev-parse", "--short=10", "HEAD") + (", with changes" if changed else "")


def main() -> int:
    """Run sections; write the page."""
    parser = argparse.ArgumentParser(description="Attack the promises; write what came of it.")
    parser.add_argument("--section", action="append", choices=SECTIONS, default=[])
    parser.add_argument("--scale", type=float, default=1.0, help="of the whole (default: 1.0)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--more", action="store_true",
                        help="add to what sections left, with seeds behind theirs")  # fmt: skip
    parser.add_argument("--command", action="append", choices=NAMES, default=[],
                        help="only of these, in sections about commands")  # fmt: skip
    parser.add_argument("--results", type=Path, default=RESULTS, help="what sections left")
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    parser.add_argument("--page-only", action="store_true", help="write the page; run nothing")
    asked = parser.parse_args()
    asked.results.mkdir(exist_ok=True)
    commands = [one for one in COMMANDS if one.name in (asked.command or NAMES)]
    wrong = 0
    if not asked.page_only:
        warm()
    for name in () if asked.page_only else asked.section or SECTIONS:
        section, path = SECTIONS[name], asked.results / f"{name}.json"
        seed = next_seed(path) if asked.more else asked.seed
        count = max(1, round((section.whole or 1) * asked.scale))
        print(f"{name}: {count} ...", flush=True)
        about = {
            "commit": _commit(), "date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "count": count,
            "seed": seed, "machine": _machine(),
        }  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
            result = section.run(Path(scratch) / name, count, seed, commands)
        if asked.command:
            result.figures["only"] = ", ".join(asked.command)
        # What the page quotes is the same wherever the run was.
        result.wrong = [one.replace(scratch, "...") for one in result.wrong]
        result.write(path, more=asked.more, **about)
        asked.output.write_text(page(asked.results))
        print(f"{name}: {result.tried} tried, {len(result.wrong)} wrong, {result.seconds:.0f} s")
        for one in result.wrong[:20]:
            print(f"  WRONG {one[:400]}")
        wrong += len(result.wrong)
    asked.output.write_text(page(asked.results))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
