# SPDX-License-Identifier: Apache-2.0
"""Packages that are looked into and never changed: .deb and .rpm, whose digests and signatures
vouch for their bytes.

deb(5): an ar archive with ``data.tar.*`` in it. rpm: a lead, two headers, then a cpio archive
("newc", cpio(5)). Compressed by gzip, xz or bzip2; what zstd compressed is said not to be read.
"""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from ngtpatch.archives.gzipped import GzipReader
from ngtpatch.archives.members import ArchiveDamaged, Member
from ngtpatch.archives.streams import ForwardStream, Sequential, discard, read_exactly
from ngtpatch.archives.tar import tar_members

__all__ = ["is_sealed", "sealed_members"]

_MAGIC = b"!<arch>\n"
_LEAD = b"\xed\xab\xee\xdb"
_HEADER = b"\x8e\xad\xe8\x01"
_CPIO = (b"070701", b"070702")
_LONGEST_NAME = 1 << 16
_LONGEST_HEADER = 64 << 20
_SIGNED = "it is in a package with digests of its own"


def is_sealed(name: str) -> bool:
    """Tell by its name whether a file is such a package."""
    return name.endswith((".deb", ".rpm"))


def sealed_members(opened: Callable[[], BinaryIO], name: str, *, limit: int) -> Iterator[Member]:
    """Yield the files that a package would install.

    Raises:
        ArchiveDamaged: it cannot be read to its end, or is longer than *limit*.
    """
    try:
        with opened() as packed:
            if name.endswith(".deb"):
                for member in tar_members(_data_of_deb(packed), limit):
                    yield Member(
                        member.name, member.size, member.regular, _SIGNED, (), member.stream
                    )
            else:
                yield from _cpio_members(ForwardStream(_payload_of_rpm(packed), limit))
    except (EOFError, OSError, ValueError, struct.error, lzma.LZMAError, zlib.error) as error:
        raise ArchiveDamaged(f"the package cannot be read to its end: {error}") from None


def _data_of_deb(packed: BinaryIO) -> Sequential:
    """Return the unpacked ``data.tar`` of an ar archive (ar(5))."""
    if read_exactly(packed, 8) != _MAGIC:
        raise ValueError("it is not a Debian package")
    while True:
        head = read_exactly(packed, 60)
        name, size = head[:16].rstrip(b" /").decode("ascii"), int(head[48:58])
        if name.startswith("data.tar"):
            content = _Window(ForwardStream(packed, size), size)
            return _unpacked(cast(BinaryIO, content))
        discard(packed, size + size % 2)


def _payload_of_rpm(packed: BinaryIO) -> Sequential:
    """Return the unpacked cpio archive behind the headers."""
    lead = read_exactly(packed, 96)
    if lead[:4] != _LEAD:
        raise ValueError("it is not an RPM package")
    for aligned in (True, False):
        head = read_exactly(packed, 16)
        magic, count, length = struct.unpack(">4s4xII", head)
        if magic != _HEADER or count * 16 + length > _LONGEST_HEADER:
            raise ValueError("its headers are damaged")
        length += count * 16
        discard(packed, length + (-length % 8 if aligned else 0))
    return _unpacked(packed)


def _unpacked(packed: BinaryIO) -> Sequential:
    magic = packed.read(6)
    whole = cast(BinaryIO, _Joined(magic, packed))
    if magic[:2] == b"\x1f\x8b":
        return GzipReader(cast(Sequential, whole))
    if magic == b"\xfd7zXZ\0":
        return cast(Sequential, lzma.LZMAFile(whole))
    if magic[:3] == b"BZh":
        return cast(Sequential, bz2.BZ2File(whole))
    if magic[:4] == b"\x28\xb5\x2f\xfd":
        raise ValueError("its content is compressed by zstd, which is not read")
    return cast(Sequential, whole)


class _Joined(io.RawIOBase):
    """A few bytes that were read already, then the rest."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._first and size != 0:
            wanted = len(self._first) if size < 0 else size
            part, self._first = self._first[:wanted], self._first[wanted:]
            return part
        return self._rest.read(size)


def _cpio_members(stream: ForwardStream) -> Iterator[Member]:
    while True:
        head = read_exactly(stream, 110)
        if head[:6] not in _CPIO:
            raise ValueError("its archive is damaged")
        fields = [int(head[at : at + 8], 16) for at in range(6, 110, 8)]
        mode, size, length = fields[1], fields[6], fields[11]
        if length > _LONGEST_NAME:
            raise ValueError("its archive is damaged")
        name = read_exactly(stream, length).rstrip(b"\0").decode("utf-8", "surrogateescape")
        discard(stream, -(110 + length) % 4)
        if name == "TRAILER!!!":
            return
        end = stream.tell() + size
        regular = mode & 0o170000 == 0o100000
        content = cast(BinaryIO, _Window(stream, end))
        yield Member(name, size if regular else 0, regular, _SIGNED, (), lambda it=content: it)  # type: ignore[misc]
        stream.seek(end + -end % 4)


class _Window(io.RawIOBase):
    """A stream up to a place in it."""

    def __init__(self, stream: ForwardStream, end: int) -> None:
        self._stream, self._end = stream, end

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        left = self._end - self._stream.tell()
        return self._stream.read(left if size < 0 else min(size, left))
