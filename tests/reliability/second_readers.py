# SPDX-License-Identifier: Apache-2.0
"""Mutated images that ngtpatch reads, as other programs see them: names, kinds, sizes, contents.

Where they disagree, it is for one of REASONS, told by the rules below; else it counts as wrong.
"""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

from ngtpatch.errors import InputError, Refusal
from ngtpatch.flow.sound_source import require_sound
from ngtpatch.iso.check import check
from ngtpatch.iso.read.ecma119 import ASSOCIATED_FLAG
from ngtpatch.iso.read.volume import Volume
from tests.fuzz.fuzz_images import flock
from tests.iso.mutants import mutant
from tests.iso.readers import Listing, agree, by_ngtpatch, readers_of
from tests.reliability.result import Result

__all__ = ["REASONS", "second_readers"]

REASONS = (
    "refused: a rebuild of it is declined, by its own record",
    "said: verify calls it an error of structure",
    "a record is flagged as associated (ECMA-119 9.1.6): Linux does not show it, nor does ngtpatch",
    "isoinfo writes _ for letters that it does not have",
    "times, owners or modes, by which nothing is decided",
)


def _reason(volume: Volume, reader: str, said: str) -> str | None:
    try:
        require_sound(volume)
    except Refusal:
        return REASONS[0]
    if any(fault.severity == "error" for fault in check(volume)):
        return REASONS[1]
    records = [
        record
        for tree in volume.records.values()
        for directory in tree.directories.values()
        for record in directory.records
    ]
    if any(record.flags & ASSOCIATED_FLAG for record in records):
        return REASONS[2]
    if reader.startswith("isoinfo") and (not said.isascii() or "_" in said):
        return REASONS[3]
    if any(f": {aspect} is " in said for aspect in ("mtime", "mode", "uid", "gid")):
        return REASONS[4]
    return None


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
    for number in range(seed, seed + count):
        noise = random.Random(number)
        data = mutant(noise.choice(prey), noise)
        path.write_bytes(data)
        try:
            volume = Volume.open(path)
        except InputError as error:
            result.add(f"refused: {error.code}")
            continue
        with volume:
            _compare(volume, path, number, result)
    result.seconds = time.monotonic() - begin
    return result


def _compare(volume: Volume, path: Path, number: int, result: Result) -> None:
    ours: dict[str, Listing] = {tree: by_ngtpatch(volume, tree) for tree in volume.trees}
    outcome = set()
    for reader in readers_of(ours):
        try:
            theirs = reader.listing(path)
        except (AssertionError, ValueError, OSError, LookupError, subprocess.SubprocessError):
            outcome.add(f"{reader.name} cannot read it")
            continue
        if not theirs:
            outcome.add(f"{reader.name} takes it for no image, and lists nothing")
            continue
        result.outcomes["listings compared"] += 1
        for said in agree(ours[reader.tree], theirs):
            reason = _reason(volume, reader.name, said)
            outcome.add(reason or f"{reader.name}, {reader.tree}: {_kind(said)}")
            if reason is None:
                result.wrong.append(f"image {number}: {reader.name}, {reader.tree}: {said}")
    result.tried += 1
    for one in outcome or {"all agree"}:
        result.outcomes[one] += 1
