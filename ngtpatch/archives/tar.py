# SPDX-License-Identifier: Apache-2.0
"""tar archives: members by the standard library, changes as edits of the archive's own bytes.

A changed member gets new content and, in its header, a new size and checksum (POSIX.1-2017,
pax, "ustar Interchange Format"); a removed one goes with all its headers. Every other byte
is copied.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

from ngtpatch.archives.members import ArchiveDamaged, Member, NotRewritten, unfit_name
from ngtpatch.archives.streams import BLOCK, ForwardStream, Sequential, copy_range, discard

__all__ = ["Splice", "plan_tar", "splice", "tar_members"]

_SECTOR = tarfile.BLOCKSIZE
_RECORD = tarfile.RECORDSIZE
_NUMBER = re.compile(rb"( *)([0-7]+)([ \0]*)")
_SIZE, _CHECKSUM = slice(124, 136), slice(148, 156)
_ABOUT = (
    *("type", "mode", "uid", "gid", "uname", "gname", "mtime"),
    *("linkname", "devmajor", "devminor", "sparse", "pax_headers"),
)
# Extended attributes that vouch for the content (IMA and EVM of the kernel).
_SIGNING = re.compile(r"security\.(ima|evm)$")


@dataclass(frozen=True)
class Splice:
    """A range of the archive's bytes, and what stands there instead."""

    offset: int
    length: int
    new: bytes


def tar_members(stream: Sequential, limit: int) -> Iterator[Member]:
    """Yield the members of an unpacked tar archive, in its order.

    Raises:
        ArchiveDamaged: it cannot be read to its end, or is longer than *limit* bytes.
    """
    for archive, info in _walk(_Tape(stream, limit)):
        yield Member(
            name=info.name,
            size=info.size if info.isreg() else 0,
            regular=info.isreg(),
            fixed=_fixed(info),
            about=tuple(getattr(info, name) for name in _ABOUT),
            stream=partial(_content, archive, info),
        )


def plan_tar(
    stream: Sequential, changes: Mapping[str, bytes | None], limit: int
) -> tuple[Splice, ...]:
    """Return the splices that give members other contents, or take them out (None).

    Args:
        stream: the unpacked archive.
        changes: by member's name.
        limit: bytes to read at most.

    Raises:
        ArchiveDamaged: it cannot be read to its end, or is longer than *limit* bytes.
        NotRewritten: a member is not there, is there twice, or is of a kind that is not changed.
    """
    forward = _Tape(stream, limit)
    splices: list[Splice] = []
    seen: set[str] = set()
    gone = {_place(name) for name, new in changes.items() if new is None}
    end = 0
    for archive, info in _walk(forward):
        end = archive.offset
        if info.islnk() and _place(info.linkname) in gone:
            raise NotRewritten(f"{info.name} is a hard link to {info.linkname}, which would go")
        if info.name not in changes:
            continue
        if info.name in seen:
            raise NotRewritten(f"{info.name} is there twice")
        seen.add(info.name)
        new = changes[info.name]
        if new is None:
            splices.append(Splice(info.offset, archive.offset - info.offset, b""))
        else:
            splices += _replaced(info, forward.sector, new)
    if set(changes) - seen:
        raise NotRewritten(f"there is no {min(set(changes) - seen)}")
    total = forward.tell()
    grown = sum(len(one.new) - one.length for one in splices)
    if total % _RECORD == 0 and grown:
        # tar writes whole records; two zero sectors end the archive, the rest is filling.
        fill = 2 * _SECTOR + -(end + grown + 2 * _SECTOR) % _RECORD
        splices.append(Splice(end, total - end, bytes(fill)))
    return tuple(splices)


def splice(source: Sequential, target: BinaryIO, splices: tuple[Splice, ...]) -> None:
    """Copy *source* with *splices*, which are in order, to *target*."""
    at = 0
    for one in splices:
        copy_range(source, target, one.offset - at)
        discard(source, one.length)
        target.write(one.new)
        at = one.offset + one.length
    while block := source.read(BLOCK):
        target.write(block)


class _Tape(ForwardStream):
    """A forward stream that remembers the last sector read alone, which is a member's header.

    Attributes:
        sector: 512 bytes.
    """

    sector = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes; fewer only at the end."""
        data = super().read(size)
        if len(data) == _SECTOR:
            self.sector = data
        return data


def _walk(forward: _Tape) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield each member, then read to the end, where nothing but zeros may be."""
    try:
        # Not "r|": the position in the archive has to be exact.
        # And names are the same whatever the locale is.
        with tarfile.open(
            fileobj=cast(BinaryIO, forward),
            mode="r:",
            encoding="utf-8",
            errors="surrogateescape",
        ) as archive:
            while (info := archive.next()) is not None:
                yield archive, info
                archive.members = []  # type: ignore[attr-defined] # typeshed lacks it; each is kept
            if forward.tell() != archive.offset + _SECTOR or any(forward.sector):
                raise ArchiveDamaged("the archive has no end, or a damaged header in it")
            while block := forward.read(BLOCK):
                if block.count(0) != len(block):
                    raise ArchiveDamaged("something stands behind its last member")
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError) as error:
        raise ArchiveDamaged(f"the archive cannot be read to its end: {error}") from None


def _fixed(info: tarfile.TarInfo) -> str | None:
    if not info.isreg():
        return "it is not a file"
    if (unfit := unfit_name(info.name)) is not None:
        return unfit
    if info.issparse():
        return "it is sparse"
    if "size" in info.pax_headers:
        return "its size stands in an extended header"
    if any(_SIGNING.search(key) for key in info.pax_headers):
        return "it is signed, by an extended attribute"
    return None


def _place(name: str) -> str:
    """Return where a name leads, however it is spelled: ``./bin/x`` and ``bin//x`` are one."""
    return posixpath.normpath(name).lstrip("/")


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO:
    return cast(BinaryIO, archive.extractfile(info))


def _replaced(info: tarfile.TarInfo, header: bytes, new: bytes) -> Iterator[Splice]:
    """Yield the splices of a member's header and of its content."""
    fixed = _fixed(info)
    if fixed:
        raise NotRewritten(f"{info.name}: {fixed}")
    yield Splice(info.offset_data - _SECTOR, _SECTOR, _resized(info.name, header, len(new)))
    content = new + bytes(-len(new) % _SECTOR)
    yield Splice(info.offset_data, -(-info.size // _SECTOR) * _SECTOR, content)


def _resized(name: str, header: bytes, size: int) -> bytes:
    """Return a header with another size, its numbers written as they were."""
    if _sum(header) != _read_number(header[_CHECKSUM]):
        raise NotRewritten(f"{name}: its header's checksum is not that of unsigned bytes")
    changed = bytearray(header)
    for field, number in ((_SIZE, size), (_CHECKSUM, None)):
        written = _write_number(header[field], _sum(changed) if number is None else number)
        if written is None:
            raise NotRewritten(f"{name}: its header has no room for the number {number}")
        changed[field] = written
    return bytes(changed)


def _sum(header: bytes | bytearray) -> int:
    return sum(header) - sum(header[_CHECKSUM]) + 8 * ord(" ")


def _read_number(field: bytes) -> int | None:
    found = _NUMBER.fullmatch(field)
    return int(found[2], 8) if found else None


def _write_number(field: bytes, number: int) -> bytes | None:
    """Return *number* in octal, filled and ended as *field* is; None where that cannot be."""
    found = _NUMBER.fullmatch(field)
    if found is None:
        return None
    width = len(found[1]) + len(found[2])
    digits = b"%o" % number
    filled = digits.rjust(width, b" " if found[1] else b"0")
    return filled + found[3] if len(filled) == width else None
