# SPDX-License-Identifier: Apache-2.0
"""Streams that archives are read through: forward only, bounded, counted."""

from __future__ import annotations

import io
from typing import BinaryIO, Protocol

__all__ = ["BLOCK", "ForwardStream", "Sequential", "copy_range", "discard", "read_exactly"]

BLOCK = 1 << 18


class Sequential(Protocol):
    """Anything that gives bytes in order."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes; none at the end."""


class ForwardStream(io.RawIOBase):
    """A stream that only moves forward, bounded, for readers that expect to seek.

    To seek forward is to read on. To seek back is an error: whoever does so lost the order.
    """

    def __init__(self, below: Sequential, limit: int) -> None:
        """Read *below*, and raise OSError once more than *limit* bytes came."""
        self._below = below
        self._limit = limit
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: forward."""
        return True

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Read on to *offset*."""
        if whence != io.SEEK_SET or offset < self._position:
            raise OSError("it cannot be read backwards")
        while self._position < offset and self.read(min(BLOCK, offset - self._position)):
            pass
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes; fewer only at the end."""
        parts = []
        left = self._limit + 1 - self._position if size < 0 else size
        while left:
            part = self._below.read(left)
            if not part:
                break
            parts.append(part)
            left -= len(part)
            self._position += len(part)
            if self._position > self._limit:
                raise OSError("it is longer than what is searched")
        return b"".join(parts)


def read_exactly(stream: Sequential, length: int) -> bytes:
    """Return *length* bytes. Raises EOFError when there are fewer."""
    parts = []
    while length:
        part = stream.read(length)
        if not part:
            raise EOFError("it ends in the middle")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def discard(stream: Sequential, length: int) -> None:
    """Read *length* bytes on. Raises EOFError when there are fewer."""
    while length:
        length -= len(read_exactly(stream, min(BLOCK, length)))


def copy_range(source: Sequential, target: BinaryIO, length: int) -> None:
    """Copy *length* bytes. Raises EOFError when there are fewer."""
    while length:
        block = read_exactly(source, min(BLOCK, length))
        target.write(block)
        length -= len(block)
