# SPDX-License-Identifier: Apache-2.0
"""Archives as builders make them: by GNU tar, gzip, pigz-like headers, zip and Python."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

LIMIT = 1 << 30
TIME = 1433145600


def opener(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def a_tar(files: dict[str, bytes], *, format: int = tarfile.GNU_FORMAT) -> bytes:
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=format) as archive:
        folder = tarfile.TarInfo("./bin")
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, TIME
        archive.addfile(folder)
        for number, (name, content) in enumerate(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if number % 2 else 0o640
            member.mtime, member.uid, member.gid = TIME + number, 1000 + number, 77
            member.uname, member.gname = "builder", "jenkins"
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("./bin/link")
        link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "a.py", TIME
        archive.addfile(link)
    return result.getvalue()


def gzipped(data: bytes, *, name: bytes = b"", extra: bytes = b"") -> bytes:
    """Return a gzip file with the optional parts of RFC 1952's header."""
    flags = (8 if name else 0) | (4 if extra else 0)
    head = b"\x1f\x8b\x08" + bytes([flags]) + struct.pack("<I", TIME) + b"\x02\x03"
    head += struct.pack("<H", len(extra)) + extra if extra else b""
    head += name + b"\0" if name else b""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(data) + deflate.flush()
    return head + packed + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def a_zip(files: dict[str, bytes], *, streamed: bool = False, method: int = 8) -> bytes:
    result = io.BytesIO()
    # What cannot be sought in gets its sizes behind the content.
    target: BinaryIO = _Pipe(result) if streamed else result  # type: ignore[assignment]
    with zipfile.ZipFile(target, "w", method) as archive:
        for number, (name, content) in enumerate(files.items()):
            info = zipfile.ZipInfo(name, (2015, 6, 1, 8, 0, number * 2))
            info.compress_type, info.external_attr = method, (0o100755 - number) << 16
            info.comment = b"by a builder"
            archive.writestr(info, content)
        archive.comment = b"an archive"
    return result.getvalue()


class _Pipe(io.RawIOBase):
    def __init__(self, below: io.BytesIO) -> None:
        self._below = below

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        return self._below.write(data)  # type: ignore[arg-type]


def ungzip(data: bytes) -> bytes:
    return gzip.decompress(data)
