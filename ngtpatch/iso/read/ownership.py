# SPDX-License-Identifier: Apache-2.0
"""Whose each byte of an image is: an entry's, the volume's own structures', or nobody's.

Nobody's are the system area, what follows a file's last byte in its last sector, sectors
that no tree leads to (of removed files, earlier sessions), and what stands behind the end of
the volume. Unlike :class:`~ngtpatch.iso.read.usage.Usage`, which counts whole sectors, an
entry owns here exactly the bytes that its readers get.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.ecma119 import SECTOR
from ngtpatch.iso.read.volume import Volume

__all__ = ["Ownership", "Piece"]

_SYSTEM_AREA = 16 * SECTOR


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of one owner.

    Attributes:
        offset: in bytes from the image's start.
        length: in bytes.
        owner: ``entry``, ``structure`` or ``nobody``.
        path: of the entry, in the most expressive tree that leads to it; of a structure,
            what it is; else None.
        tree: the tree that *path* is of.
        where: for messages: which kind of nobody's bytes, or the entry or structure.
    """

    offset: int
    length: int
    owner: Literal["entry", "structure", "nobody"]
    path: str | None
    tree: str | None
    where: str


@dataclass(frozen=True, slots=True, order=True)
class _Owned:
    start: int
    end: int
    # Entries before structures, the most expressive tree first: the least one names a byte.
    rank: int
    path: str
    tree: str | None


class Ownership:
    """The owners of a volume's bytes, to be asked by range."""

    def __init__(self, volume: Volume) -> None:
        primary = volume.primary_tree
        trees = [primary, *(tree for tree in volume.trees if tree != primary)]
        owned = [
            _Owned(offset, offset + length, rank, path, tree)
            for rank, tree in enumerate(trees)
            for path, entry in volume.entries(tree).items()
            if entry.kind == "file"
            for offset, length in entry.extents
            if length
        ]
        last = len(trees)
        for use in volume.usage.structures:
            start = max(use.offset, _SYSTEM_AREA)
            if use.end > start:
                owned.append(_Owned(start, use.end, last, use.what, None))
        if isinstance(volume.record, BuildRecord):
            record = volume.record
            owned.append(_Owned(record.offset, record.end, last, "the build record", None))
        self._owned = sorted(owned)
        self._starts = [one.start for one in self._owned]
        self._reach: list[int] = []
        for one in self._owned:
            self._reach.append(max(one.end, self._reach[-1] if self._reach else 0))
        self._volume_end = volume.descriptors.primary.space_size * SECTOR
        self._ends = {
            -(-end // SECTOR) * SECTOR: one.path
            for one in reversed(self._owned)
            if one.rank < last and (end := one.end) % SECTOR
        }

    def pieces(self, offset: int, length: int) -> list[Piece]:
        """Return the range cut by owners, in order and without a gap."""
        end = offset + length
        over = self._over(offset, end)
        cuts = {offset, end, *(c for c in (_SYSTEM_AREA, self._volume_end) if offset < c < end)}
        cuts |= {cut for one in over for cut in (one.start, one.end) if offset < cut < end}
        ordered = sorted(cuts)
        return [
            self._piece(start, stop, [one for one in over if one.start <= start < one.end])
            for start, stop in itertools.pairwise(ordered)
        ]

    def gaps(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges (offset, length) of the first *size* bytes that are nobody's."""
        return self._between(self._owned, size)

    def beside_entries(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield those that no entry has: nobody's, and the volume's own structures."""
        return self._between([one for one in self._owned if one.tree], size)

    @staticmethod
    def _between(owned: list[_Owned], size: int) -> Iterator[tuple[int, int]]:
        at = 0
        for one in owned:
            if min(one.start, size) > at:
                yield at, min(one.start, size) - at
            at = max(at, one.end)
        if size > at:
            yield at, size - at

    def _over(self, offset: int, end: int) -> list[_Owned]:
        found = []
        index = bisect_left(self._starts, end) - 1
        # Nothing further in front reaches so far.
        while index >= 0 and self._reach[index] > offset:
            if self._owned[index].end > offset:
                found.append(self._owned[index])
            index -= 1
        return found

    def _piece(self, start: int, stop: int, owners: list[_Owned]) -> Piece:
        if owners:
            first = min(owners, key=lambda one: (one.rank, one.path))
            owner: Literal["entry", "structure"] = "entry" if first.tree else "structure"
            return Piece(start, stop - start, owner, first.path, first.tree, first.path)
        return Piece(start, stop - start, "nobody", None, None, self._nobodys(start))

    def _nobodys(self, start: int) -> str:
        if start < _SYSTEM_AREA:
            return "in the system area"
        if start >= self._volume_end:
            return "behind the end of the volume"
        slack = self._ends.get(-(-(start + 1) // SECTOR) * SECTOR)
        if slack is not None:
            return f"behind the last byte of {slack}, in its sector"
        return "in sectors that no file has"
