# SPDX-License-Identifier: Apache-2.0
"""What an archive holds, one member after the other, and what of it can be changed."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ngtpatch.archives.streams import BLOCK

__all__ = ["ArchiveDamaged", "Member", "NotRewritten", "shown_name", "unfit_name"]


# What a stream of tarfile, zipfile or a decompressor says of content that is not what it ought
# to be: a wrong sum, an end too early, bits that no compressor writes.
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError),
    *(LookupError, NotImplementedError, RuntimeError),
)

# What no system opens (PATH_MAX of Linux), and what a record keeps of a path at most.
_LONGEST_NAME = 4096


def unfit_name(name: str) -> str | None:
    """Return why a record of changes cannot keep a member's *name*; None where it can.

    tar and cpio keep bytes. Where they are not UTF-8, lone surrogates stand for them, which
    JSON has no way to say that every reader takes.
    """
    if shown_name(name) != name:
        return "its name is not UTF-8"
    return "its name is longer than a path can be" if len(name) > _LONGEST_NAME else None


def shown_name(text: str) -> str:
    """Return *text* with what is not UTF-8 in it escaped: ``\\udce9`` for the byte E9."""
    return text.encode("utf-8", "backslashreplace").decode()


class _ToldOfAnArchive(Exception):
    """Its text can be written down, whatever a member is called."""

    def __init__(self, text: str) -> None:
        super().__init__(shown_name(text))


class ArchiveDamaged(_ToldOfAnArchive):
    """An archive cannot be read to its end. The text says why."""


class NotRewritten(_ToldOfAnArchive):
    """An archive cannot be written again with other members. The text says why."""


@dataclass(frozen=True)
class Member:
    """One member of an archive, while the archive is at it.

    Attributes:
        name: as the archive spells it, such as ``./bin/x.py``.
        size: of its content, in bytes.
        regular: whether it is a file with content.
        fixed: why it cannot be changed; None where it can.
        about: all else that the archive says of it: modes, owners, times, links.
        stream: opens its content; to be read before the next member is asked for.
    """

    name: str
    size: int
    regular: bool
    fixed: str | None
    about: tuple[Any, ...] = field(repr=False)
    stream: Callable[[], BinaryIO] = field(repr=False, compare=False)

    def read(self) -> bytes:
        """Return its content.

        Raises:
            ArchiveDamaged: it has less than it says, or cannot be read.
        """
        with self._readable():
            content = self.stream().read()
        if len(content) != self.size:
            raise ArchiveDamaged(f"{self.name} is cut off")
        return content

    def head(self, start: bytes, length: int) -> bytes:
        """Return the first *length* bytes; nothing where it does not begin with *start*.

        Raises:
            ArchiveDamaged: it cannot be read.
        """
        found = b""
        with self._readable():
            stream = self.stream()
            while len(found) < length and start.startswith(found[: len(start)]):
                wanted = length if found.startswith(start) else len(start)
                block = stream.read(wanted - len(found))
                if not block:
                    break
                found += block
        return found if found.startswith(start) else b""

    def digest(self) -> bytes:
        """Return the SHA-256 of its content, read block by block; empty for what is not a file.

        Raises:
            ArchiveDamaged: it cannot be read.
        """
        if not self.regular:
            return b""
        digest = hashlib.sha256()
        with self._readable():
            stream = self.stream()
            while block := stream.read(BLOCK):
                digest.update(block)
        return digest.digest()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise ArchiveDamaged(f"{self.name} cannot be read: {error}") from None
