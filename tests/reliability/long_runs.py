# SPDX-License-Identifier: Apache-2.0
"""Thousands of discs in one process: memory and open files stay what they were."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.inspect import inspect
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.flow.verify import verify
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests.reliability.result import Result

__all__ = ["long_runs"]

# What the allocator keeps for itself; a leak of 200 bytes a disc would be more over 50,000.
SLACK = 8 << 20


def _memory() -> int:
    """Return the resident memory of this process, in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))


def long_runs(scratch: Path, *, count: int = 50_000) -> Result:
    """Open and plan *count* times, rebuild *count* / 160 times, in turn of three discs."""
    begin, result = time.monotonic(), Result()
    scratch.mkdir(parents=True, exist_ok=True)
    discs = []
    for era, udf in ((1, False), (2, True), (3, False)):
        discs.append(scratch / f"era{era}.iso")
        write_sample(discs[-1], era=era, udf=udf, seed=f"long {era}")
    output = scratch / "out.iso"
    first: tuple[int, int] | None = None
    early = max(3, count // 10)
    for number in range(count):
        disc = discs[number % len(discs)]
        with Volume.open(disc) as volume:
            path = next(iter(volume.tree))
            edit(volume, replace={path: f"{number}".encode()})
        result.outcomes["opened and planned"] += 1
        if number % 160 == 0:
            # Another value each time: nothing that was kept of the last serves this one.
            request = IdentityRequest(sets={"port": str(1024 + number % 60_000)})
            rebuild(disc, output=output, force=True, identity=request,
                    distros=["rocky"] if number % 1600 == 0 else ())  # fmt: skip
            verify(output, base=disc)
            inspect(output)
            result.outcomes["rebuilt, verified and inspected"] += 1
        if number == early:
            first = _memory(), _files()
    assert first is not None
    last = _memory(), _files()
    result.tried = count
    if last[0] > first[0] + SLACK:
        result.wrong.append(f"memory grew from {first[0] >> 20} to {last[0] >> 20} MB")
    if last[1] > first[1]:
        result.wrong.append(f"open files grew from {first[1]} to {last[1]}")
    result.figures = {
        f"after {early}": f"{first[0] >> 20} MB, {first[1]} open files",
        f"after {count}": f"{last[0] >> 20} MB, {last[1]} open files",
    }
    result.seconds = time.monotonic() - begin
    return result
