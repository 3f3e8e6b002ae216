# SPDX-License-Identifier: Apache-2.0
"""An image while it is being edited: the base, and the sectors written so far."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.regions import Region, difference, merge_ranges

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

    @property
    def size(self) -> int:
        """Length in bytes: up to the last new sector."""
        return self.end

    def read_at(self, offset: int, length: int) -> bytes:
        """Return *length* bytes from *offset*; what nobody has written yet is zero."""
        first, last = offset // SECTOR, (offset + max(length, 1) - 1) // SECTOR
        if not any(sector in self._pages for sector in range(first, last + 1)):
            data = self.base.read_at(offset, length)
            return data + bytes(length - len(data))
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
        return difference(self.base, self, self._written)

    def _page(self, sector: int) -> bytearray:
        page = self._pages.get(sector)
        if page is None:
            page = bytearray(self.base.read_at(sector * SECTOR, SECTOR))
            page += bytes(SECTOR - len(page))
        return page
