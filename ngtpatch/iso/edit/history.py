# SPDX-License-Identifier: Apache-2.0
"""What happened to an image before an edit: nothing, or what its record says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ngtpatch.errors import Refusal
from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.edit.placement import Placement
from ngtpatch.iso.read.build_record import (
    LARGEST_UNDO,
    BuildRecord,
    Change,
    DamagedRecord,
    Ranges,
    compress,
)
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.regions import merge_ranges, without
from ngtpatch.iso.read.volume import Volume

__all__ = ["History", "disproved"]

_MOST_PADDING = 1 << 20
"""Bytes behind a volume that burning or copying a disc may have added."""


def disproved(volume: Volume, found: str) -> Refusal:
    """Return the refusal of a source whose own record disproves it."""
    return Refusal(
        "source-disproved",
        f"is not what its record says, and nothing that is made of it could be undone: {found}",
        path=str(volume.path),
        hint="take the vendor's image; 'ngtpatch verify' shows what is known of this one",
    )


@dataclass(frozen=True)
class History:
    """Where an edit starts from.

    Attributes:
        volume: what is edited.
        record: its record, which is sound, and nothing but padding follows it; None without.
        vendor: the vendor's image, as far as it can be had back.
    """

    volume: Volume
    record: BuildRecord | None
    vendor: ByteSource

    @classmethod
    def of(cls, volume: Volume) -> History:
        """Return an image's history.

        Raises:
            Refusal: ``source-disproved``: what its record says of it is not so, as far as the
                record and what was written can tell.
        """
        record = volume.record
        if record is None:
            return cls(volume, None, volume.source)
        if isinstance(record, DamagedRecord):
            raise disproved(volume, f"its record cannot be trusted: {record.reason}")
        if not record.intact(volume.source, volume.pieces):
            raise disproved(volume, "it was changed after its record was written")
        behind = volume.source.read_at(record.volume_end, _MOST_PADDING + 1)
        if len(behind) > _MOST_PADDING or any(behind):
            raise disproved(volume, "something was put behind its end after it was written")
        return cls(volume, record, record.vendor(volume.source))

    @property
    def end(self) -> int:
        """Where new sectors go: behind the image, or in the place of its record."""
        if not self.record:
            return self.volume.size
        anchor = SECTOR if self.volume.udf else 0  # the one before the record goes with it
        return max(self.record.offset - anchor, self.record.vendor_size)

    @property
    def rooms(self) -> Ranges:
        """Extents with reserved room."""
        return self.record.rooms if self.record else ()

    def earlier_extents(self, path: str) -> Iterator[tuple[int, int]]:
        """Yield where the vendor's content of *path* still stands, if an edit has moved it."""
        if not self.record:
            return
        if not any(change.path == path and not change.scrubbed for change in self.record.changes):
            return
        original = Volume(self.vendor, self.volume.path, second_opinion=False)
        for tree in original.trees:
            entry = original.entries(tree).get(path)
            if entry is not None and entry.kind == "file":
                yield from entry.extents

    def new_record(
        self, draft: Draft, about: Any, changes: Sequence[Change], placement: Placement
    ) -> BuildRecord:
        """Return the record of a draft that is complete but for the record itself.

        Its payload is to be appended next, then its trailer.
        """
        earlier = self.record
        size = earlier.vendor_size if earlier else self.volume.size
        known = earlier.ranges if earlier else ()
        gone = merge_ranges(
            [*(earlier.scrubbed if earlier else ()), *_within(placement.scrubbed, size)]
        )
        touched = merge_ranges([*known, *_within(draft.written, size)])
        ranges = tuple(without(touched, gone))
        if max(sum(length for _, length in one) for one in (ranges, gone)) > LARGEST_UNDO:
            raise Refusal("too-large", "overwrites more than a record can hold")
        rooms = {**dict(self.rooms), **placement.reserved}
        same = earlier if earlier and earlier.scrubbed == tuple(gone) else None
        record = BuildRecord(
            offset=draft.end,
            end=0,
            volume_end=0,
            vendor_size=size,
            vendor_sha256=earlier.vendor_sha256 if earlier else None,
            masked_sha256=same.masked_sha256 if same else None,
            written_sha256="00" * 32,
            about=about,
            changes=self._changes(changes),
            ranges=ranges,
            scrubbed=tuple(gone),
            rooms=tuple(sorted(rooms.items())),
            undo=compress(b"".join(self.vendor.read_at(*extent) for extent in ranges)),
        )
        end = draft.end + sectors(len(record.payload())) * SECTOR + SECTOR
        return record.ending_at(end, end + (SECTOR if self.volume.udf else 0))

    def _changes(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """Put the changes on top of the recorded ones: from the vendor's to the new state."""
        recorded = self.record.changes if self.record else ()
        merged = {(change.within or "", change.path): change for change in recorded}
        for change in changes:
            key = (change.within or "", change.path)
            before = merged.pop(key, None)
            new = change if before is None else _joined(before, change)
            if new is not None:
                merged[key] = new
        return tuple(merged[key] for key in sorted(merged))


def _joined(before: Change, after: Change) -> Change | None:
    """Return what two changes of one file amount to; None if they cancel out."""
    scrubbed = before.scrubbed or after.scrubbed
    sha256_before = None if scrubbed else before.sha256_before
    sha256_after = None if scrubbed else after.sha256_after
    kind = after.kind
    if before.kind == "added":
        if after.kind == "removed":
            return None
        kind = "added"
    elif before.kind == "removed":
        kind = "changed"
    elif not scrubbed and sha256_before == sha256_after:
        return None
    return replace(
        after, sha256_before=sha256_before, sha256_after=sha256_after, scrubbed=scrubbed, kind=kind
    )


def _within(ranges: Iterable[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    return [
        (offset, min(length, end - offset)) for offset, length in ranges if offset < end and length
    ]
