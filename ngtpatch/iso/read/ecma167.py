# SPDX-License-Identifier: Apache-2.0
"""ECMA-167 (UDF): descriptor tags, allocation descriptors, file entries, file identifiers.

Offsets here count from 0 (BP in the standard). Everything is little-endian.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ngtpatch.errors import InputError

__all__ = [
    "Allocation",
    "FileEntry",
    "FileIdentifier",
    "check_tag",
    "compressed_unicode",
    "encode_identifier",
    "parse_allocations",
    "parse_file_entry",
    "parse_identifiers",
    "parse_long_ad",
    "retag",
    "stamp_time",
]

ANCHOR, PARTITION, LOGICAL_VOLUME, TERMINATOR = 2, 5, 6, 8
INTEGRITY, FILE_SET, IDENTIFIER, FILE, EXTENDED_FILE = 9, 256, 257, 261, 266

_LARGEST_EXTENT = (1 << 30) - 1
"""An extent length has 30 bits (4/14.14.1.1)."""

FileType = Literal["file", "directory", "symlink", "other"]
_FILE_TYPES: dict[int, FileType] = {4: "directory", 5: "file", 12: "symlink"}


def check_tag(data: bytes, identifiers: Sequence[int], where: str) -> int:
    """Return a descriptor's tag identifier (3/7.2) if it is one of *identifiers* and sound.

    Raises:
        InputError: ``hostile``: another tag, or its checksum or CRC is wrong.
    """
    found, length = struct.unpack_from("<H8xH", data) if len(data) >= 16 else (0, 0)
    if found not in identifiers:
        raise InputError("hostile", f"{where} of its UDF volume is missing")
    checksum = (sum(data[:16]) - data[4]) & 0xFF
    if (
        checksum != data[4]
        or 16 + length > len(data)
        or crc(data[16 : 16 + length]) != (struct.unpack_from("<H", data, 8)[0])
    ):
        raise InputError("hostile", f"{where} of its UDF volume has a wrong checksum")
    return int(found)


def crc(data: bytes) -> int:
    """Return the CRC of 3/7.2.6: CRC-16 with polynomial 0x1021, starting from 0."""
    return binascii.crc_hqx(data, 0)


def retag(data: bytes, *, location: int | None = None, crc_length: int | None = None) -> bytes:
    """Return a descriptor with its tag's CRC and checksum made right.

    Args:
        data: the descriptor.
        location: new tag location, where the descriptor has moved.
        crc_length: new length of what the CRC covers, where that has changed.
    """
    result = bytearray(data)
    if location is not None:
        struct.pack_into("<I", result, 12, location)
    if crc_length is not None:
        struct.pack_into("<H", result, 10, crc_length)
    length = struct.unpack_from("<H", result, 10)[0]
    struct.pack_into("<H", result, 8, crc(bytes(result[16 : 16 + length])))
    result[4] = (sum(result[:16]) - result[4]) & 0xFF
    return bytes(result)


@dataclass(frozen=True, slots=True)
class Allocation:
    """An allocation descriptor: *length* bytes from logical block *block* of the partition."""

    block: int
    length: int
    recorded: bool = True


def parse_long_ad(data: bytes, at: int) -> tuple[int, int, int]:
    """Return extent length, logical block and partition reference (4/14.14.2)."""
    length, block, partition = struct.unpack_from("<IIH", data, at)
    return length & _LARGEST_EXTENT, block, partition


def parse_allocations(data: bytes, form: Literal["short", "long"]) -> tuple[Allocation, ...]:
    """Read the allocation descriptors of a file entry.

    Raises:
        InputError: ``unsupported``: they continue elsewhere, or point into another partition.
    """
    size = 8 if form == "short" else 16
    found = []
    for at in range(0, len(data) - size + 1, size):
        word, block = struct.unpack_from("<II", data, at)
        length, kind = word & _LARGEST_EXTENT, word >> 30
        if not length:
            break  # 4/12: the first of length 0 ends the list
        if kind == 3 or (form == "long" and struct.unpack_from("<H", data, at + 8)[0]):
            raise InputError("unsupported", "its UDF volume chains allocation descriptors")
        found.append(Allocation(block, length, recorded=kind == 0))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A File Entry (4/14.9) or Extended File Entry (4/14.17).

    Attributes:
        offset: in the image, in bytes.
        raw: its bytes, up to the end of its allocation descriptors.
        extended: whether it is an Extended File Entry.
        kind: file type.
        form: how allocation descriptors are recorded; embedded means that they are the content.
        size: information length in bytes.
        links: file link count.
        mode: permission bits as st_mode has them.
        uid, gid: owner; None where the entry says "not specified".
        mtime: modification time, ISO 8601.
        allocations: extents of the content; empty when embedded.
        area: (start, length) of the allocation descriptors, in *raw*.
    """

    offset: int
    raw: bytes
    extended: bool
    kind: FileType
    form: Literal["short", "long", "embedded"]
    size: int
    links: int
    mode: int
    uid: int | None
    gid: int | None
    mtime: str | None
    allocations: tuple[Allocation, ...]
    area: tuple[int, int]

    @property
    def embedded(self) -> bytes:
        """The content, where the entry itself holds it."""
        start, length = self.area
        return self.raw[start : start + min(length, self.size)]


def parse_file_entry(data: bytes, offset: int) -> FileEntry:
    """Read the file entry in *data*, the block at *offset* of the image."""
    where = f"the file entry at byte {offset}"
    extended = check_tag(data, (FILE, EXTENDED_FILE), where) == EXTENDED_FILE
    flags = struct.unpack_from("<H", data, 34)[0] & 7
    if flags not in (0, 1, 3) or struct.unpack_from("<H", data, 20)[0] != 4:
        raise InputError("unsupported", f"{where} uses a form of allocation that is not supported")
    form: Literal["short", "long", "embedded"] = ("short", "long", "embedded")[min(flags, 2)]
    uid, gid, permissions, links = struct.unpack_from("<IIIH", data, 36)
    attributes, length = struct.unpack_from("<II", data, 208 if extended else 168)
    start = (216 if extended else 176) + attributes
    if start + length > len(data):
        raise InputError("hostile", f"{where} is longer than its block")
    size = struct.unpack_from("<Q", data, 56)[0]
    if form == "embedded" and size > length:
        raise InputError("hostile", f"{where} embeds less than it says")
    area = data[start : start + length]
    return FileEntry(
        offset=offset,
        raw=data[: start + length],
        extended=extended,
        kind=_FILE_TYPES.get(data[27], "other"),
        form=form,
        size=size,
        links=links,
        mode=_mode(permissions),
        uid=None if uid == 0xFFFFFFFF else uid,
        gid=None if gid == 0xFFFFFFFF else gid,
        mtime=stamp_time(data[92:104] if extended else data[84:96]),
        allocations=() if form == "embedded" else parse_allocations(area, form),
        area=(start, length),
    )


def _mode(permissions: int) -> int:
    """Five bits each for other, group and owner (4/14.9.5); the low three are x, w, r."""
    mode = 0
    for who in range(3):
        bits = permissions >> (5 * who)
        mode |= ((bits & 1) | (bits & 2) | (bits & 4)) << (3 * who)
    return mode


def permissions_of(mode: int) -> int:
    """Return the permissions field of 4/14.9.5 for permission bits."""
    return sum(((mode >> (3 * who)) & 7) << (5 * who) for who in range(3))


@dataclass(frozen=True, slots=True)
class FileIdentifier:
    """A File Identifier Descriptor (4/14.4): a name in a directory.

    Attributes:
        raw: its bytes, padding included.
        characteristics: bit 1 directory, bit 2 deleted, bit 3 parent.
        name: as recorded; empty for the parent.
        block: logical block of the file entry.
    """

    raw: bytes
    characteristics: int
    name: str
    block: int

    @property
    def is_parent(self) -> bool:
        """Whether it leads to the parent directory."""
        return bool(self.characteristics & 8)

    @property
    def is_deleted(self) -> bool:
        """Whether the name no longer counts."""
        return bool(self.characteristics & 4)


def parse_identifiers(data: bytes, path: str) -> Iterator[FileIdentifier]:
    """Yield a directory's file identifier descriptors, in order."""
    where = f"the directory {path!r}"
    at = 0
    while at + 38 <= len(data):
        name_length, implementation = data[at + 19], struct.unpack_from("<H", data, at + 36)[0]
        length = (38 + name_length + implementation + 3) & ~3
        raw = data[at : at + length]
        if len(raw) < length:
            raise InputError("hostile", f"{where} of its UDF volume is cut off")
        check_tag(raw, (IDENTIFIER,), where)
        _, block, partition = parse_long_ad(raw, 20)
        if partition:
            raise InputError("unsupported", "its UDF volume has more than one partition")
        start = 38 + implementation
        name = _decode_identifier(raw[start : start + name_length])
        yield FileIdentifier(raw, raw[18], name, block)
        at += length


def _decode_identifier(data: bytes) -> str:
    return compressed_unicode(data) if data else ""


def compressed_unicode(data: bytes) -> str:
    """Decode OSTA compressed Unicode: the first byte gives the bits of each character."""
    if data[:1] == b"\x10":
        return data[1:].decode("utf-16-be", "replace")
    return data[1:].decode("latin-1")


def encode_identifier(name: str) -> bytes:
    """Encode a name as OSTA compressed Unicode, with eight bits where they do."""
    try:
        return b"\x08" + name.encode("latin-1")
    except UnicodeEncodeError:
        return b"\x10" + name.encode("utf-16-be")


@lru_cache(maxsize=4096)
def stamp_time(data: bytes) -> str | None:
    """Return a timestamp (1/7.3) as ISO 8601 text; None when unset."""
    zone, year, month, day, hour, minute, second = struct.unpack_from("<HhBBBBB", data)
    if not month:
        return None
    offset = zone & 0x0FFF
    offset = offset - 0x1000 if offset & 0x0800 else offset
    if offset in (-2047, -2048) or zone >> 12 != 1:
        shift = ""
    else:
        shift = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{shift}"


def symbolic_target(data: bytes) -> str:
    """Return the target that path components (4/14.16) in a symbolic link's content spell."""
    parts: list[str] = []
    at = 0
    while at + 4 <= len(data):
        kind, length = data[at], data[at + 1]
        name = data[at + 4 : at + 4 + length]
        at += 4 + length
        if kind in (1, 2):
            parts = [""]
        elif kind == 3:
            parts.append("..")
        elif kind == 4:
            parts.append(".")
        elif name:
            parts.append(compressed_unicode(name))
    return "/".join(parts) if parts != [""] else "/"
