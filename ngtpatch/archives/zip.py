# SPDX-License-Identifier: Apache-2.0
"""zip archives: members by the standard library, changes as edits of the archive's own bytes.

A changed member keeps its method and all of its two headers but sizes and checksum (APPNOTE.TXT
4.3.7, 4.3.9, 4.3.12); a removed one goes from both places. Every other byte is copied.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import BinaryIO, cast

from ngtpatch.archives.gzipped import Deflater
from ngtpatch.archives.members import ArchiveDamaged, Member, NotRewritten, unfit_name
from ngtpatch.archives.streams import copy_range, read_exactly

__all__ = ["rewrite_zip", "zip_members"]

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_ENCRYPTED, _DESCRIPTOR = 1, 8
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ABOUT = (
    *("compress_type", "flag_bits", "date_time", "create_system", "create_version"),
    *("extract_version", "internal_attr", "external_attr", "extra", "comment"),
)
# LookupError: zipfile asks an empty name for its last letter.
_DAMAGE = (
    *(zipfile.BadZipFile, EOFError, OSError, ValueError, LookupError, NotImplementedError),
    struct.error,
)
_SIGNATURES = (".SF", ".RSA", ".DSA", ".EC")


def zip_members(stream: BinaryIO, limit: int) -> Iterator[Member]:
    """Yield the members of a zip archive, in the order of its directory.

    Args:
        stream: the archive, seekable.
        limit: bytes of content in all.

    Raises:
        ArchiveDamaged: it cannot be read to its end, or holds more than *limit* bytes.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            left = limit
            for info in archive.infolist():
                left -= info.file_size
                if left < 0:
                    raise ArchiveDamaged("the archive is longer than what is searched")
                yield Member(
                    name=info.filename,
                    size=info.file_size,
                    regular=not info.is_dir() and not info.flag_bits & _ENCRYPTED,
                    fixed=_fixed(info),
                    about=tuple(getattr(info, name) for name in _ABOUT),
                    stream=partial(_content, archive, info),
                )
    except _DAMAGE as error:
        raise ArchiveDamaged(f"the archive cannot be read to its end: {error}") from None


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    try:
        return cast(BinaryIO, archive.open(info))
    except (zipfile.BadZipFile, RuntimeError, LookupError, NotImplementedError) as error:
        raise ArchiveDamaged(f"{info.filename} cannot be read: {error}") from None


def _fixed(info: zipfile.ZipInfo) -> str | None:
    if info.is_dir():
        return "it is not a file"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"it is compressed by method {info.compress_type}"
    return unfit_name(info.filename)


@dataclass(frozen=True)
class _Row:
    """An entry of the central directory, with its bytes."""

    name: bytes
    offset: int
    raw: bytes


@dataclass(frozen=True)
class _Directory:
    rows: tuple[_Row, ...]
    offset: int
    end: bytes


def rewrite_zip(source: BinaryIO, target: BinaryIO, changes: Mapping[str, bytes | None]) -> None:
    """Write *source* to *target* with other contents for members, or without them (None).

    Raises:
        ArchiveDamaged: it cannot be read.
        NotRewritten: a member is not there, is there twice or of a kind that is not
            changed; the archive is signed, or has what is not understood.
    """
    wanted = _encoded(source, changes)
    try:
        directory = _read_directory(source)
        rows = [row for row in directory.rows if wanted.get(row.name, b"") is not None]
        by_offset = {row.offset: row for row in directory.rows}
        bounds = [*sorted(by_offset), directory.offset]
        moved: dict[int, int] = {}
        fresh: dict[int, tuple[int, int, int]] = {}
        source.seek(0)
        at = 0
        for start, end in pairwise(bounds):
            row = by_offset[start]
            moved[start] = at
            new = wanted.get(row.name, b"")
            source.seek(start)
            if row.name not in wanted:
                copy_range(source, target, end - start)
                at += end - start
            elif new is not None:
                entry, fresh[start] = _entry(source, row, new, end - start)
                target.write(entry)
                at += len(entry)
        central = b"".join(_central(row, moved[row.offset], fresh.get(row.offset)) for row in rows)
        target.write(central + _ending(directory.end, len(rows), len(central), at))
    except (EOFError, struct.error) as error:
        raise ArchiveDamaged(f"the archive cannot be read to its end: {error}") from None


def _encoded(source: BinaryIO, changes: Mapping[str, bytes | None]) -> dict[bytes, bytes | None]:
    """Return the changes by the names that stand in the archive; refuse what cannot be changed."""
    try:
        with zipfile.ZipFile(source) as archive:
            infos = archive.infolist()
    except _DAMAGE as error:
        raise ArchiveDamaged(f"the archive cannot be read to its end: {error}") from None
    if any(_vouches(info.filename) for info in infos):
        raise NotRewritten("it is signed")
    found: dict[bytes, bytes | None] = {}
    for info in infos:
        if info.filename not in changes:
            continue
        fixed = _fixed(info)
        if fixed:
            raise NotRewritten(f"{info.filename}: {fixed}")
        name = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        if name in found:
            raise NotRewritten(f"{info.filename} is there twice")
        found[name] = changes[info.filename]
    if len(found) != len(changes):
        missing = min(set(changes) - {info.filename for info in infos})
        raise NotRewritten(f"there is no {missing}")
    return found


def _vouches(name: str) -> bool:
    return name.upper().startswith("META-INF/") and name.upper().endswith(_SIGNATURES)


def _read_directory(source: BinaryIO) -> _Directory:
    """Read the central directory; refuse an archive of which it is not the whole account."""
    size = source.seek(0, 2)
    source.seek(max(0, size - _END.size - _FULL16))
    tail = source.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise ArchiveDamaged("the archive has no directory")
    end = tail[at:]
    _, disk, first_disk, here, count, length, offset, comment = _END.unpack_from(end)
    if len(end) != _END.size + comment or disk or first_disk or here != count:
        raise NotRewritten("it has several parts, or something behind its end")
    if count == _FULL16 or _FULL32 in (length, offset):
        raise NotRewritten("it is a zip64 archive")
    if offset + length != size - len(end):
        raise NotRewritten("something stands before it, or between its parts")
    source.seek(offset)
    raw = read_exactly(source, length)
    rows = []
    start = 0
    while start < length:
        fields = _CENTRAL.unpack_from(raw, start)
        stop = start + _CENTRAL.size + sum(fields[10:13])
        if fields[0] != b"PK\1\2" or stop > length:
            raise ArchiveDamaged("its directory is damaged")
        if _FULL32 in (*fields[8:10], fields[16]):
            raise NotRewritten("it is a zip64 archive")
        name = raw[start + _CENTRAL.size :][: fields[10]]
        rows.append(_Row(name, fields[16], raw[start:stop]))
        start = stop
    offsets = [row.offset for row in rows]
    if len(rows) != count or len(set(offsets)) != count or (rows and min(offsets) != 0):
        raise NotRewritten("its entries overlap, or something stands before them")
    return _Directory(tuple(rows), offset, end)


def _entry(
    source: BinaryIO, row: _Row, new: bytes, length: int
) -> tuple[bytes, tuple[int, int, int]]:
    """Return a changed entry's bytes, and its checksum and sizes."""
    head = read_exactly(source, _LOCAL.size)
    fields = list(_LOCAL.unpack(head))
    method, flags, packed = fields[3], fields[2], _CENTRAL.unpack_from(row.raw)[8]
    names = read_exactly(source, fields[9] + fields[10])
    rest = length - _LOCAL.size - len(names) - packed
    if fields[0] != b"PK\3\4" or names[: fields[9]] != row.name or rest < 0:
        raise ArchiveDamaged("an entry is not where the directory says")
    source.seek(packed, 1)
    behind = read_exactly(source, rest)
    data = new
    if method == zipfile.ZIP_DEFLATED:
        deflater = Deflater()
        data = deflater.update(new) + deflater.finish()
    sums = (zlib.crc32(new), len(data), len(new))
    if flags & _DESCRIPTOR:
        mark = b"PK\7\x08" if behind[:4] == b"PK\7\x08" else b""
        if len(behind) != len(mark) + 12:
            raise NotRewritten("the sizes behind an entry are not understood")
        behind = mark + struct.pack("<3I", *sums)
    elif behind:
        raise NotRewritten("something stands between its entries")
    if not flags & _DESCRIPTOR or any(fields[6:9]):
        fields[6:9] = sums
    return _LOCAL.pack(*fields) + names + data + behind, sums


def _central(row: _Row, offset: int, sums: tuple[int, int, int] | None) -> bytes:
    fields = list(_CENTRAL.unpack_from(row.raw))
    if sums is not None:
        fields[7:10] = sums
    fields[16] = offset
    return _CENTRAL.pack(*fields) + row.raw[_CENTRAL.size :]


def _ending(end: bytes, count: int, length: int, offset: int) -> bytes:
    fields = list(_END.unpack_from(end))
    fields[3:7] = count, count, length, offset
    return _END.pack(*fields) + end[_END.size :]
