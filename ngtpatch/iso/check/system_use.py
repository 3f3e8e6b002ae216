# SPDX-License-Identifier: Apache-2.0
"""System use areas (SUSP) and the Rock Ridge entries in them (RRIP)."""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass

from ngtpatch.iso.check.faults import SECTOR, Image, Range

__all__ = ["SystemUse", "read_system_use", "skip_length"]

_MOST_AREAS = 64
_SIZES = {
    # RRIP 1.09/1.10 and 1.12 (with a file serial number)
    b"PX": (36, 44),
    b"PN": (20,),
    b"CL": (12,),
    b"PL": (12,),
    b"RE": (4,),
    b"CE": (28,),
    b"SP": (7,),
    b"ST": (4,),
}
_BOTH = {b"PX": 4, b"PN": 2, b"CL": 1, b"PL": 1, b"CE": 3}
"""How many both-endian numbers an entry is made of (of PX without its serial number)."""

_APPLE = (b"AA", 2)
"""Apple's extension, of which version 2 is the common one (``genisoimage -apple``)."""


@dataclass(frozen=True)
class SystemUse:
    """What Rock Ridge says of a record.

    Attributes:
        name: from NM entries; None without one.
        is_directory: by the mode in PX; None without one.
        child: sector of the directory that stands elsewhere (CL).
        relocated: whether the record is a relocated directory's (RE).
    """

    name: bytes | None
    is_directory: bool | None
    child: int | None
    relocated: bool


def skip_length(area: bytes) -> int | None:
    """Return LEN_SKP from the SP entry of the root's first record (SUSP 5.3); None without."""
    # 14 bytes of a CD-ROM XA attribute may come first.
    for at in (0, 14):
        if area[at : at + 7].startswith(b"SP\x07\x01\xbe\xef") and len(area) >= at + 7:
            return area[at + 6]
    return None


def read_system_use(
    image: Image, area: bytes, offset: int, claimed: dict[tuple[int, int], Range]
) -> SystemUse:
    """Check an area and those that it continues in; adds the latter to *claimed*."""
    entries: list[tuple[bytes, bytes, int]] = []
    visited = set()
    for _ in range(_MOST_AREAS):
        following = _read_area(image, area, offset, entries)
        if following is None:
            break
        block, within, length = following
        start = block * SECTOR + within
        if (start, length) in visited:
            image.report.error("susp", offset, "continuation areas lead back to themselves")
            break
        visited.add((start, length))
        area = image.read(start, length)
        if not area:
            image.report.error("susp", offset, "a continuation area lies outside the image")
            break
        claimed[start, length] = Range(start, start + length, "a continuation area")
        offset = start
    else:
        image.report.error("susp", offset, "continuation areas do not end")
    return _interpret(image, entries)


def _read_area(
    image: Image, area: bytes, offset: int, entries: list[tuple[bytes, bytes, int]]
) -> tuple[int, int, int] | None:
    report, at, following = image.report, 0, None
    while len(area) - at >= 4:
        signature, length, version = area[at : at + 2], area[at + 2], area[at + 3]
        if not any(area[at:]):
            break  # SUSP 4: an area may be padded
        if length < 4 or at + length > len(area) or not signature.isalnum():
            report.error("susp", offset + at, "a system use entry is not well formed")
            break
        data = area[at : at + length]
        if version != 1 and (signature, version) != _APPLE:
            report.error("susp", offset + at, f"{signature.decode()} has version {version}")
        sizes = _SIZES.get(signature)
        if sizes is not None and length not in sizes:
            report.error("susp", offset + at, f"{signature.decode()} has a length of {length}")
            break
        for number in range(_BOTH.get(signature, 0)):
            image.both32(data, 4 + 8 * number, offset + at, f"a number in {signature.decode()}")
        if signature == b"ST":
            break
        if signature == b"CE":
            block, within, size = (struct.unpack_from("<I", data, n)[0] for n in (4, 12, 20))
            following = (block, within, size)
        entries.append((signature, data, offset + at))
        at += length
    return following


def _interpret(image: Image, entries: list[tuple[bytes, bytes, int]]) -> SystemUse:
    name: bytes | None = None
    is_directory: bool | None = None
    child: int | None = None
    relocated = False
    for signature, data, offset in entries:
        if signature == b"PX":
            is_directory = stat.S_ISDIR(struct.unpack_from("<I", data, 4)[0])
        elif signature == b"NM":
            if len(data) < 5:
                image.report.error("susp", offset, "a name has no flags")
            # Flags 2 and 4 stand for "." and "..".
            elif not data[4] & 6:
                name = (name or b"") + data[5:]
        elif signature == b"CL":
            child = struct.unpack_from("<I", data, 4)[0]
        elif signature == b"RE":
            relocated = True
        elif signature == b"SL":
            _check_link(image, data, offset)
        elif signature == b"TF" and len(data) >= 5:
            size = 17 if data[4] & 0x80 else 7
            if len(data) != 5 + size * (data[4] & 0x7F).bit_count():
                image.report.error("susp", offset, "time stamps do not fill their entry")
    return SystemUse(name, is_directory, child, relocated)


def _check_link(image: Image, data: bytes, offset: int) -> None:
    """RRIP 4.1.3.1: component records of flags, length and text fill the entry."""
    at = 5
    while at + 2 <= len(data):
        at += 2 + data[at + 1]
    if at != len(data):
        image.report.error("susp", offset, "a symbolic link's components do not fill their entry")
