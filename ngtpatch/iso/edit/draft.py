# SPDX-License-Identifier: Apache-2.0
"""An image while it is being edited: the base, and the sectors written so far."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.regions import (
    BLOCK,
    Region,
    SourcedRegion,
    difference,
    merge_ranges,
)

__all__ = ["Draft"]


class Draft:
    """Writable sectors over a base. Reads see what was written.

    Attributes:
        base: what is edited; never written to.
        end: where the next new sector goes, in bytes; a multiple of the sector size.
    """

    def __init__(self, base: ByteSource, end: int) -> None:
        """Edit *base*, appending from *end* on, in bytes (rounded up to a sector)."""
        self.base = base
        self.end = sectors(end) * SECTOR
        self._pages: dict[int, bytearray] = {}
        self._written: list[tuple[int, int]] = []
        self._sourced: list[tuple[int, ByteSource]] = []

    @property
    def size(self) -> int:
        """Length in bytes: up to the last new sector."""
        return self.end

    def read_at(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; what nobody has written yet is zero."""
        first, last = offset // SECTOR, (offset + max(length, 1) - 1) // SECTOR
        if not any(sector in self._pages for sector in range(first, last + 1)):
            return self._below(offset, length)
        data = b"".join(bytes(self._page(sector)) for sector in range(first, last + 1))
        return data[offset - first * SECTOR :][:length]

    def write(self, offset: int, data: bytes) -> None:
        """Replace the bytes at *offset*."""
        self._written.append((offset, len(data)))
        at = 0
        while at < len(data):
            sector, within = divmod(offset + at, SECTOR)
            part = data[at : at + SECTOR - within]
            page = self._pages.get(sector)
            if page is None:
                page = self._pages[sector] = self._page(sector)
            page[within : within + len(part)] = part
            at += len(part)

    def zero(self, offset: int, length: int) -> None:
        """Overwrite a range with zeros."""
        self.write(offset, bytes(length))

    def append(self, data: bytes, *, room: int = 0) -> int:
        """Write *data* into new sectors at the end, and return their offset.

        Args:
            data: the content; the rest of its sectors is zero.
            room: how many bytes to set aside at least.
        """
        offset, length = self.end, sectors(max(len(data), room)) * SECTOR
        self.end += length
        self.write(offset, data + bytes(length - len(data)))
        return offset

    def append_from(self, source: ByteSource) -> int:
        """Have the bytes of *source* in new sectors at the end, and return their offset.

        They are read when they are asked for, now and after the edit.
        """
        offset, size = self.end, source.size
        whole = size - size % SECTOR
        self._sourced.append((offset, source))
        self.end += whole
        self._written.append((offset, whole))
        if size > whole:
            self.append(source.read_at(whole, SECTOR))
        return offset

    @property
    def written(self) -> list[tuple[int, int]]:
        """The ranges written so far, as (offset, length), in order."""
        return merge_ranges(self._written)

    def touched(self) -> Callable[[int, int], bool]:
        """Return what tells of (offset, length) whether it may not be as in the base by now."""
        written = self.written
        starts = [offset for offset, _ in written]

        def was_written(offset: int, length: int) -> bool:
            index = bisect_left(starts, offset + length) - 1
            beyond = offset + length > self.base.size
            return beyond or (index >= 0 and sum(written[index]) > offset)

        return was_written

    def regions(self) -> tuple[Region, ...]:
        """Return what was written as regions over the base."""
        ranges, late = list(self._written), []
        for offset, source in self._sourced:
            # What lies within the base, such as its old record, has originals to be kept.
            start = min(max(offset, sectors(self.base.size) * SECTOR), self._end_of(source, offset))
            ranges.remove((offset, self._end_of(source, offset) - offset))
            ranges.append((offset, start - offset))
            while start < self._end_of(source, offset):
                length = min(BLOCK, self._end_of(source, offset) - start)
                late.append(SourcedRegion(start, source, start - offset, length))
                start += length
        return tuple(
            sorted([*difference(self.base, self, ranges), *late], key=lambda one: one.offset)
        )

    @staticmethod
    def _end_of(source: ByteSource, offset: int) -> int:
        """Return where the whole sectors of an appended source end."""
        return offset + source.size - source.size % SECTOR

    def _below(self, offset: int, length: int) -> bytes:
        """Return bytes as they are without the pages: the base's, or an appended source's."""
        data = bytearray(self.base.read_at(offset, length))
        data += bytes(length - len(data))
        for start, source in self._sourced:
            first, last = max(offset, start), min(offset + length, self._end_of(source, start))
            if first < last:
                data[first - offset : last - offset] = source.read_at(first - start, last - first)
        return bytes(data)

    def _page(self, sector: int) -> bytearray:
        page = self._pages.get(sector)
        if page is None:
            page = bytearray(self._below(sector * SECTOR, SECTOR))
        return page
