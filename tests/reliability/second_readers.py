# SPDX-License-Identifier: Apache-2.0
"""Mutated images that ngtpatch reads, as other programs see them: names, kinds, sizes, contents.

Where they disagree, it is for one of REASONS, told from the image by rules that are written here;
else it counts as wrong.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.iso.read.volume import Volume
from tests.fuzz.fuzz_images import flock
from tests.iso.mutants import mutant
from tests.iso.readers import Listing, agree, by_ngtpatch, readers_of
from tests.reliability.result import Result

__all__ = ["REASONS", "second_readers"]

REASONS: dict[str, Callable[[str], bool]] = {
    "times, owners or modes, which ngtpatch copies and decides nothing by": lambda said: any(
        f": {aspect} is " in said for aspect in ("mtime", "mode", "uid", "gid")
    ),
}
_ASPECTS = ("size", "sha256", "kind", "target")


def _kind(said: str) -> str:
    """Return a disagreement without its particulars."""
    for aspect in _ASPECTS:
        if f": {aspect} is " in said:
            return f"another {aspect}"
    return "in one listing alone" if "in one listing alone" in said else said


def second_readers(scratch: Path, *, count: int = 2_000, seed: int = 0) -> Result:
    """Compare what is read of *count* mutated images."""
    begin, result = time.monotonic(), Result()
    scratch.mkdir(parents=True, exist_ok=True)
    prey = flock(scratch)
    work = scratch / "work"
    work.mkdir()
    path = work / "mutant.iso"
    compared = 0
    for number in range(seed, seed + count):
        noise = random.Random(number)
        data = mutant(noise.choice(prey), noise)
        path.write_bytes(data)
        try:
            with Volume.open(path) as volume:
                ours: dict[str, Listing] = {
                    tree: by_ngtpatch(volume, tree) for tree in volume.trees
                }
        except InputError as error:
            result.add(f"refused: {error.code}")
            continue
        outcome = set()
        for reader in readers_of(ours):
            try:
                theirs = reader.listing(path)
            except (AssertionError, ValueError, KeyError, OSError, LookupError,
                    subprocess.SubprocessError):  # fmt: skip
                outcome.add(f"{reader.name} cannot read it")
                continue
            if not theirs:
                outcome.add(f"{reader.name} takes it for no image, and lists nothing")
                continue
            compared += 1
            for said in agree(ours[reader.tree], theirs):
                reason = next((name for name, holds in REASONS.items() if holds(said)), None)
                outcome.add(f"{reader.name}, {reader.tree}: {reason or _kind(said)}")
                if reason is None:
                    result.wrong.append(f"image {number}: {reader.name}, {reader.tree}: {said}")
        result.add("; ".join(sorted(outcome)) or "all agree")
    result.figures["listings compared"] = str(compared)
    result.seconds = time.monotonic() - begin
    return result
