# SPDX-License-Identifier: Apache-2.0
"""System Use Sharing Protocol (SUSP) and Rock Ridge (RRIP 1.09, 1.12) in a directory record."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ngtpatch.errors import InputError
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, DirectoryRecord, recorded_time
from ngtpatch.iso.read.entry import Budget

__all__ = [
    "RockRidge",
    "SystemUseEntry",
    "has_rock_ridge",
    "read_rock_ridge",
    "read_system_use",
    "sharing",
]

_MOST_AREAS = 64
"""Continuation areas followed for one record; real images have one or two."""
_LARGEST_AREA = 64 << 10

_ATTRIBUTES = struct.Struct("<I4xI4xI4xI")
"""PX (RRIP 4.1.1): mode, links, owner, group, of both byte orders the little-endian."""

_RRIP_IDENTIFIERS = (b"RRIP_1991A", b"IEEE_P1282", b"IEEE_1282")


class SystemUseEntry(NamedTuple):
    """One system use entry (SUSP 4.1): signature, payload, and where it stands in the image."""

    signature: bytes
    version: int
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class RockRidge:
    """What Rock Ridge says about one directory record.

    Attributes:
        name: alternate name (NM); None when there is none.
        mode: st_mode as recorded (PX), with the file type.
        uid: owner.
        gid: group.
        links: number of links.
        serial: file serial number (RRIP 1.12); None in 1.09.
        mtime: modification time (TF), ISO 8601.
        target: of a symbolic link (SL).
        child: sector of the directory that this record stands in for (CL).
        parent: sector of the true parent of a relocated directory (PL).
        relocated: the directory stands elsewhere by its true place (RE).
        compressed: the content is zisofs (ZF).
    """

    name: bytes | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    links: int | None = None
    serial: int | None = None
    mtime: str | None = None
    target: bytes | None = None
    child: int | None = None
    parent: int | None = None
    relocated: bool = False
    compressed: bool = False


def sharing(first: DirectoryRecord) -> tuple[int, int] | None:
    """Return where the root's first system use entry stands, and the skip length of all others.

    SUSP 5.3: an SP entry with check bytes BE EF opens that field, and its last byte says
    how much of every other system use field to skip. None: SUSP is not in use.
    """
    field = first.raw[first.name_end :]
    # 14 bytes of a CD-ROM XA attribute may come first.
    for at in (0, 14):
        if field[at : at + 2] == b"SP" and field[at + 4 : at + 6] == b"\xbe\xef":
            return (at, field[at + 6]) if len(field) > at + 6 else None
    return None


def has_rock_ridge(entries: Sequence[SystemUseEntry]) -> bool:
    """Tell from the system use of the root's first record whether RRIP is announced or used."""
    return any(
        (entry.signature == b"ER" and any(name in entry.data for name in _RRIP_IDENTIFIERS))
        or entry.signature == b"PX"
        for entry in entries
    )


def read_system_use(
    source: ByteSource, record: DirectoryRecord, skip: int, budget: Budget | None = None
) -> tuple[SystemUseEntry, ...]:
    """Return a record's system use entries, those of continuation areas (CE) included.

    Args:
        source: the image.
        record: the directory record.
        skip: bytes to skip in its system use field (SUSP 5.3).
        budget: counts the continuation areas, while an image is not trusted yet.

    Raises:
        InputError: ``hostile``: the areas lead nowhere, or in circles.
    """
    start = record.name_end + skip
    found: list[SystemUseEntry] = []
    area, offset = record.raw[start:], record.offset + start
    for _ in range(_MOST_AREAS):
        continuation = _read_area(area, offset, found)
        if continuation is None:
            return tuple(found)
        block, within, length = struct.unpack_from("<I4xI4xI", continuation)
        offset = block * SECTOR + within
        if length > _LARGEST_AREA or offset + length > source.size:
            break
        if budget is not None:
            budget.continuation(length)
        area = source.read_at(offset, length)
    raise InputError(
        "hostile", f"the continuation areas of the record at {record.offset} do not end"
    )


def _read_area(area: bytes, offset: int, found: list[SystemUseEntry]) -> bytes | None:
    """Append an area's entries; return where it continues (the payload of CE), if it does."""
    at, continuation = 0, None
    while at + 4 <= len(area):
        signature, length = area[at : at + 2], area[at + 2]
        if length < 4 or at + length > len(area):
            break  # what follows the entries is padding, or another system's
        data = area[at + 4 : at + length]
        if signature == b"ST":
            break
        if signature == b"CE" and len(data) >= 24:
            continuation = data
        found.append(SystemUseEntry(signature, area[at + 3], data, offset + at))
        at += length
    return continuation


def read_rock_ridge(entries: Sequence[SystemUseEntry]) -> RockRidge:
    """Return what Rock Ridge says in *entries*."""
    name: bytes | None = None
    target: _SymbolicLink | None = None
    mode = links = uid = gid = serial = child = parent = mtime = None
    relocated = compressed = False
    for signature, _, data, _ in entries:
        match signature:
            case b"NM" if data:
                # Flags 2 and 4: the name is "." or ".."; such a record needs no name.
                name = data[1:] if name is None else name + data[1:]
            case b"PX" if len(data) >= 32:
                mode, links, uid, gid = _ATTRIBUTES.unpack_from(data)
                if len(data) >= 40:
                    serial = struct.unpack_from("<I", data, 32)[0]
            case b"TF" if data:
                mtime = _modification_time(data)
            case b"SL":
                target = target or _SymbolicLink()
                target.add(data)
            case b"CL" if len(data) >= 8:
                child = struct.unpack_from("<I", data)[0]
            case b"PL" if len(data) >= 8:
                parent = struct.unpack_from("<I", data)[0]
            case b"RE":
                relocated = True
            case b"ZF":
                compressed = True
            case _:
                pass
    return RockRidge(
        name=name,
        mode=mode,
        uid=uid,
        gid=gid,
        links=links,
        serial=serial,
        mtime=mtime,
        target=None if target is None else target.text(),
        child=child,
        parent=parent,
        relocated=relocated,
        compressed=compressed,
    )


def _modification_time(data: bytes) -> str | None:
    """Read TF (RRIP 4.1.6): creation (bit 0) comes before modification (bit 1)."""
    flags = data[0]
    if not flags & 0x02:
        return None
    size = 17 if flags & 0x80 else 7
    at = 1 + (size if flags & 0x01 else 0)
    stamp = data[at : at + size]
    if len(stamp) < size:
        return None
    if size == 7:
        return recorded_time(stamp)
    text = stamp[:14].decode("latin-1")
    if not text.isdigit():
        return None
    quarters = struct.unpack_from("b", stamp, 16)[0]
    sign = "-" if quarters < 0 else "+"
    return (
        f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}"
        f"{sign}{abs(quarters) // 4:02}:{abs(quarters) % 4 * 15:02}"
    )


class _SymbolicLink:
    """Joins the component records of SL entries (RRIP 4.1.3)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._continues = False

    def add(self, data: bytes) -> None:
        at = 1
        while at + 2 <= len(data):
            flags, length = data[at], data[at + 1]
            content = data[at + 2 : at + 2 + length]
            at += 2 + length
            if flags & 0x02:
                content = b"."
            elif flags & 0x04:
                content = b".."
            elif flags & 0x08:
                content = b""  # the root: the joined text starts with a slash
            if self._continues and self._parts:
                self._parts[-1] += content
            else:
                self._parts.append(content)
            self._continues = bool(flags & 0x01)

    def text(self) -> bytes:
        return b"/".join(self._parts) if self._parts != [b""] else b"/"
