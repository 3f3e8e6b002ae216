# SPDX-License-Identifier: Apache-2.0
"""The record: what was done to an image, inside the image.

It is the last thing in the volume: its payload, then one sector, the trailer, at a place
that is found by the volume's size alone, after any renaming, burning or padding. (With UDF
one more sector follows, the anchor that has to be last.) The payload says in JSON what was
changed, and carries the vendor's bytes of every changed range, except where identity
was scrubbed: those are nowhere.

The trailer, 2048 bytes, integers little-endian::

      0  16  magic, "NGTPATCH RECORD" and a zero
     16   4  format version, 1
     20   4  reserved, zero
     24   8  offset of the payload in the image
     32   4  length of its JSON text
     36   4  length of the compressed originals (bzip2) that follow it
     40  32  SHA-256 of the payload
     72  32  digest of all that was written (see :mod:`ngtpatch.iso.read.pieces`)
    104   8  size of the vendor's image
    112  32  SHA-256 of the vendor's image; zeros: it was not computed
    144  32  SHA-256 of the vendor's image with the scrubbed ranges zeroed; zeros: nothing was
             scrubbed, or it was not computed
    176  32  SHA-256 of the 176 bytes before

The rest of its sector, and of the payload's last, is zero.

With that every byte is accounted for. What was written is the changed and the scrubbed ranges
of the vendor's image and all that follows the vendor's last byte, up to the payload and from
the trailer's end to the volume's: it has the digest at 72. What was not has the digest at 112
once the originals are back in their ranges, or that at 144, which needs nothing that was
scrubbed. Undoing asks for ranges and originals only, whatever kinds of change there will be.

A record is a claim by whoever wrote the image, and it is not signed. It is read with bounds,
and nothing in it is believed that can be checked: the originals must fit their ranges, and
what comes of them must have the vendor's digest.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import InputError
from ngtpatch.interrupts import deferred
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.pieces import Pieces, digest_ranges
from ngtpatch.iso.read.regions import Overlay, Region, difference, merge_ranges

if TYPE_CHECKING:
    from ngtpatch.iso.read.record_text import ChangeText

__all__ = [
    "LARGEST_UNDO",
    "BuildRecord",
    "Change",
    "DamagedRecord",
    "compress",
    "mask",
    "read_record",
]

FORMAT = 1
_MAGIC = b"NGTPATCH RECORD\0"
_HEAD = struct.Struct("<16sII Q II 32s 32s Q 32s 32s")
_UNKNOWN = bytes(32)

_LONGEST_TEXT = 16 << 20
LARGEST_UNDO = 64 << 20

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs from the vendor's.

    Attributes:
        path: in the most expressive tree; in the archive, with *within*.
        sha256_before: of the vendor's content; None for an added file, and where scrubbed.
        sha256_after: of the new content; None for a removed file, and where scrubbed.
        scrubbed: whether the vendor's content was overwritten wherever it stood.
        kind: ``changed``, ``added`` or ``removed``. One that is read may be of a kind that
            only a later version knows: nothing but words depends on it.
        within: path of the archive that holds the file; None for a file of the image itself.
    """

    path: str
    sha256_before: str | None
    sha256_after: str | None
    scrubbed: bool = False
    kind: str = "changed"
    within: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the record has it."""
        return {
            "path": self.path,
            "within": self.within,
            "kind": self.kind,
            "sha256_before": self.sha256_before,
            "sha256_after": self.sha256_after,
            "scrubbed": self.scrubbed,
        }

    def without_secrets(self) -> Change:
        """Return it without digests where it is about identity: a short secret could be guessed."""
        if not self.scrubbed:
            return self
        return replace(self, sha256_before=None, sha256_after=None)


@dataclass(frozen=True)
class DamagedRecord:
    """There is a record, and it is not to be believed.

    Attributes:
        reason: what is wrong with it, as a clause.
    """

    reason: str


@dataclass(frozen=True)
class BuildRecord:
    """What was done to an image.

    Attributes:
        offset: where the payload starts, in bytes from the image's start.
        end: the first offset after the trailer.
        volume_end: the volume's: with UDF, that of the anchor that follows the trailer.
        vendor_size: of the vendor's image, in bytes.
        vendor_sha256: hexadecimal; None when it was not computed.
        masked_sha256: of the vendor's image with *scrubbed* zeroed, hexadecimal; None when
            it was not computed, or nothing was scrubbed.
        written_sha256: of what stands in *written*, hexadecimal.
        about: what the caller wrote down: profiles, patches, versions.
        changes: by path.
        ranges: changed (offset, length) of the vendor's image that can be undone.
        scrubbed: those that cannot, because they held identity.
        rooms: (offset, length) of extents with reserved room.
        undo: the originals of *ranges*, one after the other, compressed.
    """

    offset: int
    end: int
    volume_end: int
    vendor_size: int
    vendor_sha256: str | None
    masked_sha256: str | None
    written_sha256: str
    about: Mapping[str, Any]
    changes: tuple[Change, ...]
    ranges: Ranges
    scrubbed: Ranges
    rooms: Ranges
    undo: bytes = field(repr=False)

    @property
    def written(self) -> Ranges:
        """All (offset, length) that were written, but for payload and trailer."""
        behind = (self.vendor_size, self.offset - self.vendor_size)
        anchor = (self.end, self.volume_end - self.end)
        return tuple(merge_ranges([*self.ranges, *self.scrubbed, behind, anchor]))

    def as_json(self) -> dict[str, Any]:
        """Return what may be shown of it."""
        return {
            "format": FORMAT,
            "vendor": {
                "sha256": self.vendor_sha256,
                "sha256_masked": self.masked_sha256,
                "size": self.vendor_size,
            },
            **self.about,
            "changed": [change.as_json() for change in self.changes],
            "undoable": not self.scrubbed,
        }

    @cached_property
    def originals(self) -> bytes:
        """The vendor's bytes of *ranges*. Raises ValueError when they are not what it says."""
        wanted = sum(length for _, length in self.ranges)
        reader = bz2.BZ2Decompressor()
        data = reader.decompress(self.undo, wanted + 1) if self.undo else b""
        # Nor may anything stand behind them: it would be in the image, and accounted for by nobody.
        if len(data) != wanted or bool(self.undo) != reader.eof or reader.unused_data:
            raise ValueError("its originals do not fit the changed ranges")
        return data

    def vendor(self, source: ByteSource) -> Overlay:
        """Return the vendor's image: the originals over *source*, cut to the vendor's size.

        What was scrubbed reads as it stands. Raises ValueError as *originals* does.
        """
        regions, at = [], 0
        for offset, length in self.ranges:
            regions.append(
                Region(offset, source.read_at(offset, length), self.originals[at : at + length])
            )
            at += length
        return Overlay(source, regions, size=self.vendor_size)

    def masked(self, source: ByteSource) -> Overlay:
        """Return the vendor's image with the scrubbed ranges zeroed, over *source*.

        Raises ValueError as *originals* does.
        """
        return mask(self.vendor(source), self.scrubbed)

    def intact(self, source: ByteSource, pieces: Pieces | None = None) -> bool:
        """Tell whether all that was written still stands there."""
        return digest_ranges(source, self.written, below=pieces) == self.written_sha256

    def noting(
        self, source: ByteSource, pieces: Pieces, touched: Callable[[int, int], bool]
    ) -> BuildRecord:
        """Return the record with the digest of what was written.

        Args:
            source: the complete image, but for the trailer.
            pieces: digests of what it was made from.
            touched: whether *source* differs from that in (offset, length).
        """
        digest = digest_ranges(source, self.written, below=pieces, touched=touched)
        return replace(self, written_sha256=digest)

    def payload(self) -> bytes:
        """Return the payload as it is written."""
        return self._text() + self.undo

    def trailer(self) -> bytes:
        """Return the trailer's sector."""
        head = _HEAD.pack(
            _MAGIC,
            FORMAT,
            0,
            self.offset,
            len(self._text()),
            len(self.undo),
            hashlib.sha256(self.payload()).digest(),
            bytes.fromhex(self.written_sha256),
            self.vendor_size,
            bytes.fromhex(self.vendor_sha256) if self.vendor_sha256 else _UNKNOWN,
            bytes.fromhex(self.masked_sha256) if self.masked_sha256 else _UNKNOWN,
        )
        return (head + hashlib.sha256(head).digest()).ljust(SECTOR, b"\0")

    def sealed(self, digests: Sequence[str]) -> Region:
        """Return the trailer as a late region.

        Args:
            digests: the vendor's and, where something was scrubbed, the masked one.
        """
        vendor, masked = (*digests, None)[:2]
        named = replace(self, vendor_sha256=vendor, masked_sha256=masked)
        return Region(self.end - SECTOR, b"", named.trailer())

    def ending_at(self, end: int, volume_end: int) -> BuildRecord:
        """Return the record with the places of its trailer's and the volume's end."""
        return replace(self, end=end, volume_end=volume_end)

    def _text(self) -> bytes:
        document = {
            "about": self.about,
            "changes": [change.as_json() for change in self.changes],
            "ranges": self.ranges,
            "rooms": self.rooms,
            "scrubbed": self.scrubbed,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def mask(vendor: Overlay, scrubbed: Ranges) -> Overlay:
    """Return *vendor* with *scrubbed* zeroed, over what *vendor* lies over."""
    zeros = [Region(at, vendor.read_at(at, length), bytes(length)) for at, length in scrubbed]
    ranges = [(region.offset, region.length) for region in vendor.regions]
    changed = difference(vendor.base, Overlay(vendor, zeros), [*ranges, *scrubbed])
    return Overlay(vendor.base, changed, size=vendor.size)


@lru_cache(maxsize=8)
def compress(originals: bytes) -> bytes:
    """Compress originals. Remembered: a thousand images of one base share theirs.

    bzip2, since there is one implementation of it: of deflate there are several, whose
    outputs differ.
    """
    return bz2.compress(originals) if originals else b""


def read_record(source: ByteSource, volume_end: int) -> BuildRecord | DamagedRecord | None:
    """Find the record of an image whose volume ends at *volume_end*, in bytes.

    Returns None when there is none. A damaged or foreign one is returned as such:
    never an exception, never believed.
    """
    for end in (volume_end, volume_end - SECTOR):
        if end < SECTOR:
            break
        trailer = source.read_at(end - SECTOR, SECTOR)
        if trailer[:16] == _MAGIC and len(trailer) == SECTOR:
            try:
                return _parse(source, trailer, end, volume_end)
            # What it says is bounded by its schema; these are what the numbers can lead to.
            except (ValueError, OSError, struct.error, InputError) as why:
                return DamagedRecord(str(why) or type(why).__name__)
    return None


def _parse(source: ByteSource, trailer: bytes, end: int, volume_end: int) -> BuildRecord:
    # With a signal in the middle of that some releases of pydantic panic.
    with deferred():
        from ngtpatch.iso.read.record_text import parse_text

    _, version, reserved, offset, *numbers, payload_sha256, written, vendor_size, vendor, masked = (
        _HEAD.unpack_from(trailer)
    )
    text_length, undo_length = numbers
    if version != FORMAT:
        raise ValueError(f"it has format version {version}, and this is version {FORMAT}")
    if hashlib.sha256(trailer[: _HEAD.size]).digest() != trailer[_HEAD.size : _HEAD.size + 32]:
        raise ValueError("its trailer does not have the digest it claims")
    if reserved or any(trailer[_HEAD.size + 32 :]):
        raise ValueError("something stands where its trailer is empty")
    if text_length > _LONGEST_TEXT or undo_length > LARGEST_UNDO:
        raise ValueError("it is too long")
    length = text_length + undo_length
    if offset % SECTOR or offset + sectors(length) * SECTOR != end - SECTOR:
        raise ValueError("its payload is not before its trailer")
    stored = source.read_at(offset, end - SECTOR - offset)
    payload = stored[:length]
    if hashlib.sha256(payload).digest() != payload_sha256:
        raise ValueError("its payload does not have the digest it claims")
    if any(stored[length:]):
        raise ValueError("something stands behind its payload")
    if vendor_size > offset:
        raise ValueError("the vendor's image would be longer than this one")
    text = parse_text(payload[:text_length])
    if len({(row.within, row.path) for row in text.changes}) != len(text.changes):
        raise ValueError("its changes name a file twice")
    ranges, scrubbed = (_bounded(one, vendor_size) for one in (text.ranges, text.scrubbed))
    _bounded(tuple(sorted([*ranges, *scrubbed])), vendor_size)
    if max(sum(size for _, size in one) for one in (ranges, scrubbed)) > LARGEST_UNDO:
        raise ValueError("its ranges are too long")
    record = BuildRecord(
        offset=offset,
        end=end,
        volume_end=volume_end,
        vendor_size=vendor_size,
        vendor_sha256=None if vendor == _UNKNOWN else vendor.hex(),
        masked_sha256=None if masked == _UNKNOWN else masked.hex(),
        written_sha256=written.hex(),
        about=text.about.model_dump(mode="json"),
        changes=tuple(_change(row) for row in text.changes),
        ranges=ranges,
        scrubbed=scrubbed,
        rooms=_bounded(text.rooms, offset),
        undo=payload[text_length:],
    )
    record.originals  # noqa: B018 - raises unless they can be unpacked, and fit
    return record


def _bounded(ranges: Ranges, end: int) -> Ranges:
    """Return *ranges* if they are in order, apart, and end before *end*. Raises ValueError."""
    if any(offset + length > end for offset, length in ranges):
        raise ValueError("one of its ranges lies outside the image")
    if any(sum(one) > other[0] for one, other in pairwise(ranges)):
        raise ValueError("its ranges are out of order, or lie over each other")
    return ranges


def _change(row: ChangeText) -> Change:
    return Change(
        path=row.path,
        sha256_before=row.sha256_before,
        sha256_after=row.sha256_after,
        scrubbed=row.scrubbed,
        kind=row.kind,
        within=row.within,
    )
