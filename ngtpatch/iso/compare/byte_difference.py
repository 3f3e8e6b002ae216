# SPDX-License-Identifier: Apache-2.0
"""Where two sources of bytes differ: every byte is compared, and nothing else is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ngtpatch.files.progress import progressed
from ngtpatch.iso.read.bytesource import ByteSource, FileSource
from ngtpatch.iso.read.regions import Overlay

__all__ = ["ByteDifference", "byte_difference", "count_differing", "differing_sectors"]

_BLOCK = 1 << 18
_MOST_PLACES = 1000
_DIFFERING = re.compile(rb"[^\0]+")


@dataclass(frozen=True)
class ByteDifference:
    """How two sources differ.

    Attributes:
        count: how many bytes; what only one of both has is counted, too.
        places: how many runs of such bytes there are.
        first: offset of the first.
        complete: whether all were counted; it stops after 1,000 places.
    """

    count: int = 0
    places: int = 0
    first: int | None = None
    complete: bool = True

    def __bool__(self) -> bool:
        return self.first is not None

    def __str__(self) -> str:
        if self.first is None:
            return "no byte differs"
        counted = f"{_counted(self.count, 'byte')} in {_counted(self.places, 'place')}"
        least = "" if self.complete else "at least "
        return f"{least}{counted}, the first at byte {self.first:,}"


def byte_difference(
    one: ByteSource, other: ByteSource, *, first_only: bool = False
) -> ByteDifference:
    """Compare two sources, byte by byte, in one pass and little memory.

    Args:
        one: the first; an overlay is compared with its regions laid over.
        other: the second.
        first_only: stop at the first difference.

    Raises:
        InputError: ``unreadable``: a medium fails.
    """
    count = places = 0
    first: int | None = None
    for offset, mine, theirs in _unequal(one, other):
        runs = _runs(mine, theirs)
        if first is None:
            first = offset + runs[0][0]
        if first_only:
            return ByteDifference(1, 1, first, complete=False)
        count += sum(length for _, length in runs)
        places += len(runs)
        if places > _MOST_PLACES:
            return ByteDifference(count, places, first, complete=False)
    longer = abs(one.size - other.size)
    if longer and first is None:
        first = min(one.size, other.size)
    return ByteDifference(count + longer, places + bool(longer), first)


def differing_sectors(
    one: ByteSource, other: ByteSource, sector: int, *, most: int
) -> tuple[list[tuple[int, int]], bool]:
    """Return the (offset, length) of runs of sectors that are not the same in both.

    Args:
        one: the first.
        other: the second; what only one of both has is a run, too.
        sector: bytes of a sector.
        most: so many runs at most.

    Returns:
        The runs, in order, and whether these are all.

    Raises:
        InputError: ``unreadable``: a medium fails.
    """
    found: list[tuple[int, int]] = []
    end, longest = min(one.size, other.size), max(one.size, other.size)
    for offset, mine, theirs in _unequal(one, other):
        for start, length in _runs(mine, theirs):
            at = (offset + start) // sector * sector
            stop = min(-(-(offset + start + length) // sector) * sector, longest)
            _extend(found, at, stop)
        if len(found) > most:
            return found[:most], False
    if end < longest:
        _extend(found, end, longest)
    return found, True


def _extend(found: list[tuple[int, int]], at: int, stop: int) -> None:
    """Append a run, as one with the last where they touch."""
    if found and at <= sum(found[-1]):
        start = found[-1][0]
        found[-1] = (start, max(stop, sum(found[-1])) - start)
    else:
        found.append((at, stop - at))


def count_differing(one: bytes, other: bytes) -> int:
    """Return how many bytes of two strings of one length differ."""
    return len(one) - _xor(one, other).count(0)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _unequal(
    one: ByteSource, other: ByteSource
) -> Iterator[tuple[int, bytes | bytearray, bytes | bytearray]]:
    """Yield (offset, bytes, bytes) of each block that is not the same in both."""
    end = min(one.size, other.size)
    mine, theirs = _Reader(), _Reader()
    for source, start, stop in _parts(one, end):
        for offset in range(start, stop, _BLOCK):
            length = min(_BLOCK, stop - offset)
            here, there = mine.read(source, offset, length), theirs.read(other, offset, length)
            if here != there:
                yield offset, bytes(here), bytes(there)
            progressed("compared", offset + length, end)


def _parts(source: ByteSource, end: int) -> Iterator[tuple[ByteSource, int, int]]:
    """Yield (source, start, end) so that what no region covers is read from the bottom."""
    if not isinstance(source, Overlay):
        yield source, 0, end
        return
    at = 0
    for region in source.regions:
        yield source.base, at, min(region.offset, end)
        yield source, region.offset, min(region.end, end)
        at = region.end
    yield source.base, at, min(source.base.size, end)
    yield source, max(at, source.base.size), end


class _Reader:
    """Reads blocks into one and the same memory: taking new for each costs as much as reading."""

    def __init__(self) -> None:
        self._block = bytearray(_BLOCK)

    def read(self, source: ByteSource, offset: int, length: int) -> bytes | bytearray:
        if not isinstance(source, FileSource) or length < _BLOCK:
            return source.read_at(offset, length)
        got = source.read_into(offset, self._block)
        return self._block if got == length else self._block[:got]


def _runs(one: bytes | bytearray, other: bytes | bytearray) -> list[tuple[int, int]]:
    """Return (start, length) of each run of differing bytes."""
    return [(m.start(), m.end() - m.start()) for m in _DIFFERING.finditer(_xor(one, other))]


def _xor(one: bytes | bytearray, other: bytes | bytearray) -> bytes:
    length = max(len(one), len(other))
    both = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return both.to_bytes(length, "little")
