# SPDX-License-Identifier: Apache-2.0
"""Large files of the installer, and scripts inside its archives, read within bounds.

An agent's payload can be hundreds of megabytes and is not ours to trust: it is
never held in memory, and after :data:`MAX_UNPACKED` bytes the search ends.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from ngtpatch.files.tree import FileTree

__all__ = [
    "MAX_UNPACKED",
    "MEMBER",
    "Script",
    "SearchEnded",
    "head_of",
    "is_archive",
    "scripts",
    "size_of",
]

#: Bytes of unpacked archive that are looked through; reading them takes a few seconds.
MAX_UNPACKED = 1 << 30

#: Stands between an archive's path and that of the script in it.
MEMBER = "!"

_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_SCRIPTS = (".py", ".sh")


class SearchEnded(Exception):
    """An archive could not be looked through to its end. The text says why."""


@dataclass(frozen=True)
class Script:
    """One script in an archive.

    Attributes:
        path: ``archive.tar.gz!member``.
        data: its content.
    """

    path: str
    data: bytes


def is_archive(path: str) -> bool:
    """Tell by its name whether a file is an archive that :func:`scripts` reads."""
    return path.endswith(_ARCHIVES)


def scripts(
    tree: Mapping[str, bytes], path: str, *, largest: int, limit: int = MAX_UNPACKED
) -> Iterator[Script]:
    """Yield the Python and shell scripts in the archive at *path*, in its order.

    Args:
        tree: the files.
        path: the archive's.
        largest: bytes; larger members are passed over.
        limit: bytes of unpacked archive to read at most.

    Raises:
        SearchEnded: the archive is damaged, or longer than *limit*.
    """
    with _opened(tree, path) as packed:
        stream: BinaryIO = packed
        if not path.endswith(".tar"):
            stream = gzip.GzipFile(fileobj=packed)  # type: ignore[assignment]
        bounded = _Bounded(stream, limit)
        try:
            with tarfile.open(fileobj=bounded, mode="r|") as archive:
                for member in archive:
                    if member.isreg() and member.name.endswith(_SCRIPTS) and member.size <= largest:
                        content = archive.extractfile(member)
                        assert content is not None  # noqa: S101 - a regular file has content
                        yield Script(path + MEMBER + member.name, content.read())
        except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
            raise SearchEnded(f"the archive cannot be read to its end: {error}") from None


def size_of(tree: Mapping[str, bytes], path: str) -> int:
    """Return a file's length in bytes, without reading it where that can be helped."""
    return tree.size(path) if isinstance(tree, FileTree) else len(tree[path])


def head_of(tree: Mapping[str, bytes], path: str, length: int) -> bytes:
    """Return the first *length* bytes of a file of any size."""
    with _opened(tree, path) as stream:
        return stream.read(length)


def _opened(tree: Mapping[str, bytes], path: str) -> BinaryIO:
    return tree.open(path) if isinstance(tree, FileTree) else io.BytesIO(tree[path])


class _Bounded(io.RawIOBase):
    """A stream that ends with an error after so many bytes."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it is longer than what is searched")
        return data
