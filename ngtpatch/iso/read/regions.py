# SPDX-License-Identifier: Apache-2.0
"""Edits as regions over a base that is never written to.

A region says what stands at an offset, and what shall stand there. From regions
alone follow the new image (overlay), the way back, and two edits in one (flatten).
Everything here is pure: bytes in, bytes out.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ngtpatch.iso.read.bytesource import ByteSource

__all__ = [
    "Overlay",
    "Region",
    "Seal",
    "SourcedRegion",
    "difference",
    "flatten",
    "isolate",
    "merge_ranges",
    "regions_digest",
    "without",
]

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Region:
    """One replaced range of an image.

    Attributes:
        offset: where it starts, in bytes from the image's start.
        original: what the base holds there; empty where the base has ended already.
        new: what the result holds there.
    """

    offset: int
    original: bytes
    new: bytes

    def __post_init__(self) -> None:
        if self.offset < 0 or not self.new:
            raise ValueError("a region starts in the image and replaces something")
        if self.original and len(self.original) != len(self.new):
            raise ValueError("a region is as long as what it replaces")

    @property
    def length(self) -> int:
        """How many bytes it replaces."""
        return len(self.new)

    @property
    def end(self) -> int:
        """The first offset after it."""
        return self.offset + self.length


class SourcedRegion(Region):
    """A region behind the base's end whose bytes are read when they are asked for."""

    __slots__ = ("_at", "_length", "_source")
    _at: int
    _length: int
    _source: ByteSource

    def __init__(self, offset: int, source: ByteSource, at: int, length: int) -> None:
        """Stand for *length* bytes of *source* from *at*; a block at most, and never none."""
        if offset < 0 or not 0 < length <= BLOCK:
            raise ValueError("a region starts in the image and replaces something")
        for name, value in (
            ("offset", offset),
            ("original", b""),
            ("_source", source),
            ("_at", at),
            ("_length", length),
        ):
            object.__setattr__(self, name, value)  # the class is frozen

    @property
    def new(self) -> bytes:
        """What the result holds there."""
        data = self._source.read_at(self._at, self._length)
        if len(data) != self._length:
            raise ValueError("what a region is made of has become shorter")
        return data

    @property
    def length(self) -> int:
        """How many bytes it replaces."""
        return self._length


@dataclass(frozen=True, slots=True)
class Seal:
    """A region that can only be made once digests over the base are known.

    It lies behind the base's last byte and replaces one of equal place and length, so that
    a writer in one pass knows the digests in time.

    Attributes:
        views: the readings of the base that are digested, each an overlay over that base.
        make: makes the region of their SHA-256 (hexadecimal), in the same order.
    """

    views: tuple[Overlay, ...]
    make: Callable[[Sequence[str]], Region]


class Overlay:
    """A base with regions over it: itself a source of bytes.

    Where the result is longer than the base, what no region covers reads as zeros.
    """

    def __init__(
        self,
        base: ByteSource,
        regions: Iterable[Region] = (),
        *,
        size: int | None = None,
        seal: Seal | None = None,
    ) -> None:
        """Lay *regions* over *base*.

        Args:
            base: what is read where no region lies.
            regions: in any order.
            size: length of the result in bytes; by default the base's, or where
                the last region ends.
            seal: makes a late region; see :class:`Seal`.

        Raises:
            ValueError: regions overlap, or do not fit the base's end or *size*.
        """
        self.base = base
        self.regions = tuple(sorted(regions, key=lambda region: region.offset))
        self.seal = seal
        end = 0
        for region in self.regions:
            if region.offset < end:
                raise ValueError(f"regions overlap at {region.offset}")
            end = region.end
            inside = end <= base.size if region.original else region.offset >= base.size
            if not inside:
                raise ValueError(f"the region at {region.offset} does not fit the base's end")
        self._size = max(base.size, end) if size is None else size
        if end > self._size:
            raise ValueError("a region lies behind the end")
        self._offsets = [region.offset for region in self.regions]

    @property
    def size(self) -> int:
        """Length of the result in bytes."""
        return self._size

    def sealed(self, digests: Sequence[str]) -> Overlay:
        """Return the overlay with its late region made of the digests that the seal asks for."""
        if self.seal is None:
            return self
        late = self.seal.make(digests)
        kept = [region for region in self.regions if region.offset != late.offset]
        if len(kept) != len(self.regions) - 1:
            raise ValueError("the seal has no place among the regions")
        return Overlay(self.base, [*kept, late], size=self._size)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        end = min(offset + length, self._size)
        if offset >= end:
            return b""
        over = self._over(offset, end)
        if len(over) == 1 and over[0].offset <= offset and over[0].end >= end:
            return over[0].new[offset - over[0].offset : end - over[0].offset]
        return self._lay(over, offset, end, self.base.read_at(offset, end - offset))

    def lay_over(self, offset: int, below: bytes) -> bytes:
        """Return the result's bytes from *offset*, given the base's there."""
        end = min(offset + len(below), self._size)
        return self._lay(self._over(offset, end), offset, end, below)

    def _over(self, offset: int, end: int) -> list[Region]:
        first = max(bisect_right(self._offsets, offset) - 1, 0)
        last = bisect_left(self._offsets, end)
        return [region for region in self.regions[first:last] if region.end > offset]

    @staticmethod
    def _lay(over: list[Region], offset: int, end: int, below: bytes) -> bytes:
        if not over and len(below) == end - offset:
            return below
        data = bytearray(below[: end - offset])
        data += bytes(end - offset - len(data))
        for region in over:
            start, stop = max(region.offset, offset), min(region.end, end)
            data[start - offset : stop - offset] = region.new[
                start - region.offset : stop - region.offset
            ]
        return bytes(data)


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (offset, length) ranges in order, with those that touch or overlap as one."""
    merged: list[tuple[int, int]] = []
    for offset, length in sorted(ranges):
        if length <= 0:
            continue
        if merged and offset <= merged[-1][0] + merged[-1][1]:
            start, known = merged[-1]
            merged[-1] = (start, max(known, offset + length - start))
        else:
            merged.append((offset, length))
    return merged


def without(
    ranges: Iterable[tuple[int, int]], gone: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield what is left of *ranges* outside of *gone*; both in order, none overlapping."""
    first = 0
    for offset, length in ranges:
        start, end = offset, offset + length
        while first < len(gone) and sum(gone[first]) <= start:
            first += 1
        index = first
        while index < len(gone) and gone[index][0] < end:
            at, size = gone[index]
            if at > start:
                yield start, at - start
            start = max(start, at + size)
            index += 1
        if start < end:
            yield start, end - start


def difference(
    base: ByteSource, result: ByteSource, ranges: Iterable[tuple[int, int]]
) -> tuple[Region, ...]:
    """Return the regions that make *result* of *base*, looking only into *ranges*.

    A range that holds the same on both sides gives none; one across the base's end gives two.
    """
    regions = []
    for offset, length in merge_ranges(ranges):
        end = min(offset + length, result.size)
        cut = min(max(offset, base.size), end)
        if offset < cut:
            was, now = base.read_at(offset, cut - offset), result.read_at(offset, cut - offset)
            if was != now:
                regions.append(Region(offset, was, now))
        if cut < end:
            regions.append(Region(cut, b"", result.read_at(cut, end - cut)))
    return tuple(regions)


def flatten(overlay: Overlay) -> Overlay:
    """Return an equal overlay whose base is no overlay: two edits composed into one.

    Raises ValueError when its late region is still open: it goes by another base's digest.
    """
    base = overlay.base
    if not isinstance(base, Overlay):
        return overlay
    if overlay.seal is not None:
        raise ValueError("the overlay has to be sealed first")
    below = flatten(base)
    ranges = [(region.offset, region.length) for region in below.regions]
    apart = [(region.offset, region.length) for region in overlay.regions]
    # Between the lower overlay's end and its base's, the upper one sees nothing: zeros.
    ranges.append((below.size, min(overlay.size, below.base.size) - below.size))
    regions = difference(below.base, overlay, [*ranges, *apart])
    return Overlay(below.base, regions, size=overlay.size)


def isolate(regions: Iterable[Region], offset: int, length: int) -> tuple[Region, ...]:
    """Return the regions cut so that none crosses the bounds of a range."""
    found = []
    for region in regions:
        cuts = sorted({region.offset, region.end, offset, offset + length})
        cuts = [cut for cut in cuts if region.offset <= cut <= region.end]
        if len(cuts) == 2:
            found.append(region)
            continue
        for start, end in pairwise(cuts):
            at, stop = start - region.offset, end - region.offset
            found.append(Region(start, region.original[at:stop], region.new[at:stop]))
    return tuple(found)


def regions_digest(regions: Sequence[Region], size: int) -> str:
    """Return the SHA-256 (hexadecimal) that, with the base's, identifies a result.

    Over the result's size, then each region's offset, length and new bytes.
    """
    digest = hashlib.sha256(b"ngtpatch regions 1\0" + size.to_bytes(8, "big"))
    for region in sorted(regions, key=lambda region: region.offset):
        digest.update(region.offset.to_bytes(8, "big") + region.length.to_bytes(8, "big"))
        digest.update(region.new)
    return digest.hexdigest()
