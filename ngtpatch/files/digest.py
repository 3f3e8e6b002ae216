# SPDX-License-Identifier: Apache-2.0
"""SHA-256 in hexadecimal, the one digest that ngtpatch states: of bytes, of a file, of a source."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from ngtpatch.errors import InputError
from ngtpatch.files.absent import unopened
from ngtpatch.files.progress import progressed

__all__ = [
    "Readable",
    "sha256_of_bytes",
    "sha256_of_file",
    "sha256_of_ranges",
    "sha256_of_source",
    "sha256_of_stream",
]

_BLOCK = 1 << 20


class Readable(Protocol):
    """Bytes that can be read at any offset."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""


def sha256_of_bytes(data: bytes) -> str:
    """Return the digest of *data*."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_stream(stream: BinaryIO) -> str:
    """Return the digest of what *stream* has from here to its end."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the digest of a file's content.

    Raises:
        InputError: ``not-found``, ``is-directory``, ``not-a-file``, ``unreadable``.
    """
    digest = hashlib.sha256()
    try:
        # A pipe that somebody put in the file's place is not waited for.
        with open(path, "rb", buffering=0, opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
                raise InputError(
                    "not-a-file", "is neither a file nor a block device", path=str(path)
                )
            done = 0
            while block := file.read(_BLOCK):
                digest.update(block)
                done += len(block)
                progressed("hashed", done, max(done, status.st_size))
    except IsADirectoryError:
        raise InputError("is-directory", "is a directory, not a file", path=str(path)) from None
    except OSError as error:
        raise unopened(error, path) from None
    return digest.hexdigest()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def sha256_of_source(source: Readable, size: int) -> str:
    """Return the digest of a source's first *size* bytes."""
    return sha256_of_ranges(source, [(0, size)])


def sha256_of_ranges(source: Readable, ranges: Iterable[tuple[int, int]]) -> str:
    """Return the digest of what stands in *ranges*, (offset, length) one after the other."""
    digest = hashlib.sha256()
    for start, length in ranges:
        end = start + length
        for offset in range(start, end, _BLOCK):
            digest.update(source.read_at(offset, min(_BLOCK, end - offset)))
    return digest.hexdigest()
