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
     72  32  SHA-256 of what stands in the changed ranges
    104   8  size of the vendor's image
    112  32  SHA-256 of the vendor's image; zeros: it was not computed
    144  32  SHA-256 of the 144 bytes before

A record is a claim by whoever wrote the image. It is read with bounds, and nothing in it is
believed that can be checked: the originals must fit their ranges, and what comes of
them must have the vendor's digest.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

from ngtpatch.files.digest import sha256_of_ranges
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.regions import Overlay, Region

__all__ = [
    "LARGEST_UNDO",
    "BuildRecord",
    "Change",
    "DamagedRecord",
    "compress",
    "read_record",
]

FORMAT = 1
_MAGIC = b"NGTPATCH RECORD\0"
_HEAD = struct.Struct("<16sII Q II 32s 32s Q 32s")
_UNKNOWN = bytes(32)

_LONGEST_TEXT = 4 << 20
LARGEST_UNDO = 64 << 20
_MOST_ROWS = 50_000

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs from the vendor's.

    Attributes:
        path: in the most expressive tree.
        sha256_before: of the vendor's content; None for an added file, and where scrubbed.
        sha256_after: of the new content; None for a removed file, and where scrubbed.
        scrubbed: whether the vendor's content was overwritten wherever it stood.
        kind: ``changed``, ``added`` or ``removed``.
    """

    path: str
    sha256_before: str | None
    sha256_after: str | None
    scrubbed: bool = False
    kind: str = "changed"

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
        vendor_size: of the vendor's image, in bytes.
        vendor_sha256: hexadecimal; None when it was not computed.
        regions_sha256: of what stands in *ranges*, hexadecimal.
        about: what the caller wrote down: profiles, patches, versions.
        changes: by path.
        ranges: changed (offset, length) of the vendor's image that can be undone.
        scrubbed: those that cannot, because they held identity.
        rooms: (offset, length) of extents with reserved room.
        undo: the originals of *ranges*, one after the other, compressed.
    """

    offset: int
    end: int
    vendor_size: int
    vendor_sha256: str | None
    regions_sha256: str
    about: Mapping[str, Any]
    changes: tuple[Change, ...]
    ranges: Ranges
    scrubbed: Ranges
    rooms: Ranges
    undo: bytes

    def as_json(self) -> dict[str, Any]:
        """Return what may be shown of it."""
        return {
            "format": FORMAT,
            "vendor": {"sha256": self.vendor_sha256, "size": self.vendor_size},
            **self.about,
            "changed": [
                {
                    "path": change.path,
                    "kind": change.kind,
                    "sha256_before": change.sha256_before,
                    "sha256_after": change.sha256_after,
                    "scrubbed": change.scrubbed,
                }
                for change in self.changes
            ],
            "undoable": not self.scrubbed,
        }

    @cached_property
    def originals(self) -> bytes:
        """The vendor's bytes of *ranges*. Raises ValueError when they are not what it says."""
        wanted = sum(length for _, length in self.ranges)
        reader = bz2.BZ2Decompressor()
        data = reader.decompress(self.undo, wanted) if self.undo else b""
        if len(data) != wanted:
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

    def intact(self, source: ByteSource) -> bool:
        """Tell whether the changed ranges still hold what was written there."""
        return sha256_of_ranges(source, self.ranges) == self.regions_sha256

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
            bytes.fromhex(self.regions_sha256),
            self.vendor_size,
            bytes.fromhex(self.vendor_sha256) if self.vendor_sha256 else _UNKNOWN,
        )
        return (head + hashlib.sha256(head).digest()).ljust(SECTOR, b"\0")

    def sealed(self, vendor_sha256: str) -> Region:
        """Return the trailer as a late region that knows the vendor's digest."""
        trailer = replace(self, vendor_sha256=vendor_sha256).trailer()
        return Region(self.end - SECTOR, b"", trailer)

    def ending_at(self, end: int) -> BuildRecord:
        """Return the record with the place of its trailer's end."""
        return replace(self, end=end)

    def _text(self) -> bytes:
        changes = [
            [change.path, change.kind, change.sha256_before, change.sha256_after, change.scrubbed]
            for change in self.changes
        ]
        document = {
            "about": self.about,
            "changes": changes,
            "ranges": self.ranges,
            "rooms": self.rooms,
            "scrubbed": self.scrubbed,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


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
                return _parse(source, trailer, end)
            # A record may say anything at all; json raises RecursionError, too.
            except (ValueError, TypeError, KeyError, OSError, RecursionError, struct.error) as why:
                return DamagedRecord(str(why) or type(why).__name__)
    return None


def _parse(source: ByteSource, trailer: bytes, end: int) -> BuildRecord:
    _, version, _, offset, *lengths, payload_sha256, regions_sha256, vendor_size, vendor_sha256 = (
        _HEAD.unpack_from(trailer)
    )
    text_length, undo_length = lengths
    if version != FORMAT:
        raise ValueError(f"it has format version {version}, and this is version {FORMAT}")
    if hashlib.sha256(trailer[: _HEAD.size]).digest() != trailer[_HEAD.size : _HEAD.size + 32]:
        raise ValueError("its trailer does not have the digest it claims")
    if text_length > _LONGEST_TEXT or undo_length > LARGEST_UNDO:
        raise ValueError("it is absurdly long")
    length = text_length + undo_length
    if offset % SECTOR or offset + sectors(length) * SECTOR != end - SECTOR:
        raise ValueError("its payload is not before its trailer")
    payload = source.read_at(offset, length)
    if hashlib.sha256(payload).digest() != payload_sha256:
        raise ValueError("its payload does not have the digest it claims")
    if vendor_size > offset:
        raise ValueError("the vendor's image would be longer than this one")
    document = json.loads(payload[:text_length])
    if not isinstance(document, dict) or not isinstance(document["about"], dict):
        raise TypeError("its text is not a record")
    ranges = _ranges(document["ranges"], vendor_size)
    if sum(size for _, size in ranges) > LARGEST_UNDO:
        raise ValueError("its originals are absurdly long")
    record = BuildRecord(
        offset=offset,
        end=end,
        vendor_size=vendor_size,
        vendor_sha256=None if vendor_sha256 == _UNKNOWN else vendor_sha256.hex(),
        regions_sha256=regions_sha256.hex(),
        about=document["about"],
        changes=tuple(_change(row) for row in document["changes"]),
        ranges=ranges,
        scrubbed=_ranges(document["scrubbed"], vendor_size),
        rooms=_ranges(document["rooms"], offset),
        undo=payload[text_length:],
    )
    record.originals  # noqa: B018 - raises unless they can be unpacked, and fit
    return record


def _ranges(rows: Any, end: int) -> Ranges:
    if len(rows) > _MOST_ROWS:
        raise ValueError("it lists absurdly many ranges")
    ranges = tuple((offset, length) for offset, length in rows)
    for offset, length in ranges:
        if type(offset) is not int or type(length) is not int:
            raise TypeError("a range of it is no numbers")
        if offset < 0 or length <= 0 or offset + length > end:
            raise ValueError("a range of it lies outside the image")
    if any(sum(one) > other[0] for one, other in pairwise(ranges)):
        raise ValueError("its ranges are out of order")
    return ranges


def _change(row: Any) -> Change:
    path, kind, before, after, scrubbed = row
    digests_fit = all(
        digest is None or (isinstance(digest, str) and len(digest) == 64)
        for digest in (before, after)
    )
    if not (isinstance(path, str) and isinstance(scrubbed, bool) and digests_fit):
        raise TypeError("a change of it is none")
    if kind not in ("changed", "added", "removed"):
        raise ValueError("a change of it is of no known kind")
    return Change(path, before, after, scrubbed, kind)
