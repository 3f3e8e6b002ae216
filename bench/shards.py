# SPDX-License-Identifier: Apache-2.0
"""What shards of one inventory cost together, against one run of it: CPU seconds and memory.

    python -m bench.shards [--vms 8000] [--shards 8 64]

Config-only images on the current file system, whole processes, one after the other. Of shards that
are more than eight, eight are run, and their mean counts for all.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from bench.fleet import MIB, _identities
from bench.measure import compiled_once
from ngtpatch.sample import write_sample

_MOST = 8


@dataclass(frozen=True)
class Used:
    """What a process used: CPU seconds, and resident bytes at its peak."""

    cpu: float
    rss: int


def inject(root: Path, inventory: Path, *more: str) -> Used:
    """Run ngtpatch inject to its end."""
    command = [
        sys.executable, "-m", "ngtpatch", "-q", "inject", str(root / "base.iso"), "--inventory",
        str(inventory), "--certificates", str(root / "certificates"), "--output-dir",
        str(root / "out"), "--config-only", *more,
    ]  # fmt: skip
    with (root / "output").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: {(root / 'output').read_text()[-2000:]}")
    return Used(usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vms", type=int, default=8000)
    parser.add_argument("--shards", type=int, nargs="*", default=[8, 64])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        root, whole = Path(name), Path(name) / "whole.json"
        compiled_once(root)
        write_sample(root / "base.iso")
        inventory = _identities(root, asked.vms, [asked.vms])[asked.vms]
        print(f"## Shards of {asked.vms:,} config-only images: CPU seconds of all processes\n")
        print("| | CPU s | against one run | peak memory |\n|---|---:|---:|---:|")
        inject(root, inventory, "--shard", "1/1000", "--force")  # compiles
        shutil.rmtree(root / "out")
        one = inject(root, inventory)
        print(f"| one run | {one.cpu:.1f} | 1.00 | {one.rss / MIB:.0f} MiB |", flush=True)
        shutil.rmtree(root / "out")
        computed = inject(root, inventory, "--dry-run", "--whole", str(whole))
        print(f"| --dry-run --whole FILE | {computed.cpu:.1f} | | {computed.rss / MIB:.0f} MiB |")
        for count in asked.shards:
            for title, more in (("", []), (", --whole FILE", ["--whole", str(whole)])):
                runs = [
                    inject(root, inventory, "--shard", f"{k}/{count}", *more)
                    for k in range(1, min(count, _MOST) + 1)
                ]
                shutil.rmtree(root / "out")
                cpu = mean(run.cpu for run in runs) * count + (computed.cpu if more else 0)
                most = max(run.rss for run in runs) / MIB
                print(
                    f"| {count} shards{title} | {cpu:.1f} | {cpu / one.cpu:.2f} | {most:.0f} MiB |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
