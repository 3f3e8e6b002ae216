# SPDX-License-Identifier: Apache-2.0
"""Where in an image the changed ranges lie, drawn to be read and to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ngtpatch.iso.read.build_record import BuildRecord
    from ngtpatch.iso.read.bytesource import ByteSource
    from ngtpatch.iso.read.volume import Volume

__all__ = ["ImageMap", "MapRegion", "Mark", "image_map"]

_SECTOR = 2048
_MOST = 5_000
_NAMED = 6
# Of drawings 1,000 units wide: what is smaller cannot be seen, and the room between two marks.
_WIDE, _LEAST, _GAP = 1000.0, 2.0, 3.0

Kind = Literal["changed", "scrubbed", "appended", "record", "anchor", "differs"]


@dataclass(frozen=True)
class MapRegion:
    """A range that is not, or need not be, the vendor's.

    Attributes:
        offset: where it starts, in bytes from the image's start.
        length: in bytes.
        kind: ``changed``: the record keeps the vendor's bytes; ``scrubbed``: it held identity, and
            they are nowhere; ``appended``: behind the vendor's last byte; ``record``: the record
            itself; ``anchor``: UDF's, behind it; ``differs``: found by comparing, without a record.
        holds: whose bytes stand there now.
    """

    offset: int
    length: int
    kind: Kind
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """A region in a drawing, in its units."""

    x: float
    width: float
    region: MapRegion


@dataclass(frozen=True)
class ImageMap:
    """A map of an image.

    Attributes:
        size: of the image, in bytes.
        ground: where the regions come from.
        sound: whether nothing speaks against the record.
        compared: whether what differs outside of them was looked for here.
        regions: by offset.
        left_out: how many regions are not shown; None: more than were looked for.
        whole: the regions in the whole image, true to scale, but none narrower than can be seen.
        close: the regions beside each other, the room between them left out, each drawn the
            wider the longer it is (by its logarithm).
    """

    size: int
    ground: Literal["record", "comparison"]
    sound: bool
    compared: bool
    regions: tuple[MapRegion, ...]
    left_out: int | None
    whole: tuple[Mark, ...]
    close: tuple[Mark, ...]

    @property
    def covered(self) -> int:
        """How many bytes the regions have."""
        return sum(region.length for region in self.regions)


def image_map(image: Volume, base: Volume | None, *, sound: bool) -> ImageMap | None:
    """Return the map of *image* by its record; without one, by comparing it with *base*.

    None where there is neither. Where the record does not hold, it is compared as well.

    Args:
        image: the image.
        base: what it was made from, where that is an image.
        sound: whether nothing speaks against the record.
    """
    from ngtpatch.iso.compare.byte_difference import differing_sectors
    from ngtpatch.iso.read.build_record import BuildRecord

    record = image.record
    by_record = isinstance(record, BuildRecord)
    if base is None and not by_record:
        return None
    ranges = sorted(_of_record(record)) if isinstance(record, BuildRecord) else []
    left_out: int | None = max(len(ranges) - _MOST, 0)
    ranges = ranges[:_MOST]
    compared = base is not None and not (by_record and sound)
    if base is not None and compared:
        expected = _as_recorded(base, image) if by_record else base.source
        found, complete = differing_sectors(image.source, expected, _SECTOR, most=_MOST)
        ranges += [(*one, "differs") for one in found]
        ranges.sort()
        left_out = left_out if complete else None
    regions = tuple(
        MapRegion(offset, length, kind, _holds(image, offset, length, kind))
        for offset, length, kind in ranges
    )
    return ImageMap(
        size=image.size,
        ground="record" if by_record else "comparison",
        sound=sound,
        compared=compared,
        regions=regions,
        left_out=left_out,
        whole=tuple(_whole(regions, image.size)),
        close=tuple(_close(regions)),
    )


def _as_recorded(base: Volume, image: Volume) -> ByteSource:
    """Return the base with what stands in the image wherever the record says that it was written.

    So what differs from it differs outside of the record's ranges.
    """
    from ngtpatch.iso.read.build_record import BuildRecord
    from ngtpatch.iso.read.regions import Overlay, difference

    record = image.record
    assert isinstance(record, BuildRecord)  # noqa: S101 - the caller asked
    itself = (record.offset, record.end - record.offset)
    regions = difference(base.source, image.source, [*record.written, itself])
    return Overlay(base.source, regions)


def _of_record(record: BuildRecord) -> Iterator[tuple[int, int, Kind]]:
    yield from ((offset, length, "changed") for offset, length in record.ranges)
    yield from ((offset, length, "scrubbed") for offset, length in record.scrubbed)
    appended = record.offset - record.vendor_size
    if appended:
        yield record.vendor_size, appended, "appended"
    yield record.offset, record.end - record.offset, "record"
    if record.volume_end > record.end:
        yield record.end, record.volume_end - record.end, "anchor"


def _holds(image: Volume, offset: int, length: int, kind: Kind) -> tuple[str, ...]:
    if kind == "record":
        return ("the record: what was done, and the vendor's bytes of the changed ranges",)
    uses = image.usage.of(offset, length)
    # A file has a name in each tree: one is enough, that by which everybody else calls it.
    entries = image.entries(image.primary_tree)
    files = {use.what for use in uses if use.content}
    other = files - entries.keys() if files & entries.keys() else set()
    named = list(dict.fromkeys(use.what for use in uses if use.what not in other))
    if not named:
        return ("no file and no structure",)
    more = len(named) - _NAMED
    return (*named[:_NAMED], *([f"and {more} more"] if more > 0 else []))


def _whole(regions: Sequence[MapRegion], size: int) -> Iterator[Mark]:
    for region in regions:
        width = min(max(region.length / size * _WIDE, _LEAST), _WIDE)
        x = min(region.offset / size * _WIDE, _WIDE - width)
        yield Mark(round(x, 3), round(width, 3), region)


def _close(regions: Sequence[MapRegion]) -> Iterator[Mark]:
    shares = [log2(region.length / _SECTOR + 1) + 1 for region in regions]
    gap = min(_GAP, _WIDE / 2 / max(len(regions), 1))
    scale = (_WIDE - gap * (len(regions) - 1)) / sum(shares) if shares else 0
    at = 0.0
    for region, share in zip(regions, shares, strict=True):
        yield Mark(round(at, 3), round(share * scale, 3), region)
        at += share * scale + gap
