# SPDX-License-Identifier: Apache-2.0
"""ECMA-119 (ISO 9660): volume descriptors, directory records, path tables.

Offsets here count from 0; the standard's byte positions count from 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ngtpatch.errors import InputError

__all__ = [
    "SECTOR",
    "DirectoryRecord",
    "VolumeDescriptor",
    "both16",
    "both32",
    "decode_name",
    "distinct_names",
    "file_name",
    "joliet_name",
    "parse_descriptor",
    "parse_directory",
    "recorded_time",
    "sectors",
]

SECTOR = 2048

DIRECTORY_FLAG = 0x02
"""File Flags bit 1 (9.1.6): the record identifies a directory."""
ASSOCIATED_FLAG = 0x04
MULTI_EXTENT_FLAG = 0x80
"""File Flags bit 7: this is not the last record for the file."""

_LARGEST_PATH_TABLE = 16 << 20
"""65,535 directories, which is all that it can number, with the longest names."""

_LENGTHS = struct.Struct("<I4xI")
"""Location of Extent and Data Length (9.1.3, 9.1.4), of both byte orders the little-endian."""

_JOLIET_ESCAPES = (b"%/@", b"%/C", b"%/E")


def sectors(length: int) -> int:
    """Return how many sectors hold *length* bytes."""
    return -(-length // SECTOR)


def both16(value: int) -> bytes:
    """Encode 16 bits in both byte orders (7.2.3)."""
    return struct.pack("<H", value) + struct.pack(">H", value)


def both32(value: int) -> bytes:
    """Encode 32 bits in both byte orders (7.3.3)."""
    return struct.pack("<I", value) + struct.pack(">I", value)


@dataclass(frozen=True, slots=True)
class VolumeDescriptor:
    """A Primary, Supplementary or Enhanced Volume Descriptor (8.4, 8.5).

    Attributes:
        offset: of the descriptor in the image, in bytes.
        kind: which of the three, Joliet being a supplementary one by its escape sequence.
        volume_id: as recorded, without trailing spaces.
        space_size: the volume's length in sectors.
        path_tables: sectors of the L, optional L, M and optional M path table; 0 for none.
        path_table_size: length of each in bytes.
        root: the root directory's record inside the descriptor.
    """

    offset: int
    kind: Literal["primary", "joliet", "enhanced", "other"]
    volume_id: str
    space_size: int
    path_tables: tuple[int, int, int, int]
    path_table_size: int
    root: DirectoryRecord


@dataclass(frozen=True, slots=True)
class DirectoryRecord:
    """A directory record (9.1), with the place it was read from.

    Attributes:
        offset: of the record in the image, in bytes.
        raw: the record's own bytes.
        extent: first sector of the extent.
        length: data length in bytes.
        flags: file flags.
        identifier: the name as recorded.
        name_end: where in *raw* the system use field starts.
    """

    offset: int
    raw: bytes
    extent: int
    length: int
    flags: int
    identifier: bytes
    name_end: int

    @property
    def is_directory(self) -> bool:
        """Whether it identifies a directory."""
        return bool(self.flags & DIRECTORY_FLAG)

    @property
    def is_special(self) -> bool:
        """Whether it is one of the first two of a directory: itself, and its parent."""
        return self.identifier in (b"\0", b"\1")

    @property
    def data_start(self) -> int:
        """The sector where the data starts: after the extended attribute record, if any."""
        return self.extent + self.raw[1]

    @property
    def interleaved(self) -> bool:
        """Whether the file is recorded in interleaved mode (9.1.7, 9.1.8)."""
        return bool(self.raw[26] or self.raw[27])


def parse_record(data: bytes, at: int, offset: int) -> DirectoryRecord:
    """Read the directory record at *at* of *data*; *offset* is that place in the image."""
    length = data[at]
    name_length = data[at + 32] if length > 33 else 0
    name_end = 33 + name_length + (1 - name_length % 2)
    if length < 34 or at + length > len(data) or 33 + name_length > length or not name_length:
        raise InputError("hostile", f"the directory record at byte {offset} is damaged")
    extent, data_length = _LENGTHS.unpack_from(data, at + 2)
    return DirectoryRecord(
        offset=offset,
        raw=data[at : at + length],
        extent=extent,
        length=data_length,
        flags=data[at + 25],
        identifier=data[at + 33 : at + 33 + name_length],
        name_end=min(name_end, length),
    )


def parse_directory(data: bytes, offset: int) -> Iterator[DirectoryRecord]:
    """Yield the records of a directory's extent; *offset* is its place in the image.

    No record crosses a sector; the rest of a sector after its last record is zero (6.8.1.1).
    """
    for sector in range(0, len(data), SECTOR):
        at, end = sector, min(sector + SECTOR, len(data))
        while at < end and data[at]:
            if at + data[at] > end:
                raise InputError("hostile", f"the directory record at {offset + at} is cut off")
            record = parse_record(data, at, offset + at)
            yield record
            at += len(record.raw)


def parse_descriptor(data: bytes, offset: int) -> VolumeDescriptor:
    """Read a volume descriptor of type 1 or 2 from its sector."""
    block = struct.unpack_from("<H", data, 128)[0]
    if block != SECTOR:
        raise InputError("unsupported", f"its logical blocks have {block} bytes, not {SECTOR}")
    path_table_size = struct.unpack_from("<I", data, 132)[0]
    if path_table_size > _LARGEST_PATH_TABLE:
        raise InputError("hostile", f"its path table would have {path_table_size:,} bytes")
    kind: Literal["primary", "joliet", "enhanced", "other"] = "primary"
    encoding = "latin-1"
    if data[0] == 2:
        kind = "other"
        if data[88:91] in _JOLIET_ESCAPES:
            kind, encoding = "joliet", "utf-16-be"
        elif data[6] == 2:
            kind = "enhanced"
    return VolumeDescriptor(
        offset=offset,
        kind=kind,
        volume_id=data[40:72].decode(encoding, "replace").rstrip(" \0"),
        space_size=struct.unpack_from("<I", data, 80)[0],
        path_tables=(
            *struct.unpack_from("<II", data, 140),
            *struct.unpack_from(">II", data, 148),
        ),
        path_table_size=path_table_size,
        root=parse_record(data, 156, offset + 156),
    )


def file_name(identifier: bytes) -> str:
    """Return the name that readers without extensions show: no version, no final dot."""
    name = decode_name(identifier)
    return name.removesuffix(";1").rstrip(".") or name


def joliet_name(identifier: bytes) -> str:
    """Return a Joliet identifier (UCS-2, big-endian) without its version."""
    name = identifier.decode("utf-16-be", "replace")
    return name.removesuffix(";1") or name


def decode_name(name: bytes) -> str:
    """Return a name that no standard gives an encoding: UTF-8 where it is that, else Latin-1.

    Writers put the host's bytes into Rock Ridge, and into ISO 9660 of level 4 (ISO 9660:1999).
    """
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def distinct_names(records: Sequence[DirectoryRecord], *, joliet: bool) -> list[str]:
    """Return the names of a directory's entries, given by the first record of each.

    Identifiers that are one name without version and final dot (a directory ``NGT_GUES``
    and a file ``NGT_GUES.;1``, as mkisofs and xorriso make them at level 1) are two entries:
    the directory keeps the name, the file keeps the dot, or as much as it takes. Two that
    are the same byte for byte stay the same.
    """
    name_of = joliet_name if joliet else file_name
    names = [name_of(record.identifier) for record in records]
    if len(set(names)) == len(names):
        return names
    taken: set[str] = set()
    identifiers: set[bytes] = set()
    for at in sorted(range(len(names)), key=lambda at: not records[at].is_directory):
        whole = _whole_name(records[at], joliet=joliet)
        choices = (names[at], whole.removesuffix(";1"), whole)
        if records[at].identifier not in identifiers:
            names[at] = next((name for name in choices if name not in taken), names[at])
        taken.add(names[at])
        identifiers.add(records[at].identifier)
    return names


def _whole_name(record: DirectoryRecord, *, joliet: bool) -> str:
    if joliet:
        return record.identifier.decode("utf-16-be", "replace")
    return decode_name(record.identifier)


@lru_cache(maxsize=4096)
def recorded_time(data: bytes) -> str | None:
    """Return a recording date (9.1.5, seven bytes) as ISO 8601 text; None when unset."""
    if len(data) < 7 or not any(data[:6]):
        return None
    year, month, day, hour, minute, second = data[:6]
    quarters = struct.unpack_from("b", data, 6)[0]
    sign = "-" if quarters < 0 else "+"
    zone = f"{sign}{abs(quarters) // 4:02}:{abs(quarters) % 4 * 15:02}"
    return f"{1900 + year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"
