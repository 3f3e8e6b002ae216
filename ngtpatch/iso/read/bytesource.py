# SPDX-License-Identifier: Apache-2.0
"""Where an image's bytes come from: a file, a block device, or regions over one."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ngtpatch.errors import InputError, unreadable
from ngtpatch.files.absent import unopened

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ByteSource", "FileSource", "FileState", "MemorySource", "SourceStream"]


class ByteSource(Protocol):
    """Bytes that can be read at any offset, by several threads at once."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""


class FileState(NamedTuple):
    """What a file system says of a file: which it is, its length, when it was written to (mtime)
    and when anything of it was changed (ctime, which no program can set)."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        """Return it of what stat(2) said."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )


class MemorySource:
    """Bytes held in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*."""
        return self._data[offset : offset + length]


class FileSource:
    """A regular file or a block device, opened for reading. Closes its descriptor when told."""

    def __init__(self, path: str | Path) -> None:
        """Open *path*.

        Raises:
            InputError: codes ``not-found``, ``address`` (of the network), ``is-directory``,
                ``not-iso`` (a pipe, a socket) or ``unreadable``.
        """
        self.path = Path(path)
        self._fd = -1
        try:
            # O_NONBLOCK: opening a named pipe must not wait for its other end.
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._fd)
            self.is_device = stat.S_ISBLK(status.st_mode)
            self._size = os.lseek(self._fd, 0, os.SEEK_END) if self.is_device else status.st_size
        except OSError as error:
            self.close()
            raise unopened(error, path, other="not-iso") from error
        except ValueError as error:  # a NUL in the name
            raise InputError("not-found", "is not a valid file name", path=repr(path)) from error
        self._modified = status.st_mtime_ns
        self.opened = FileState.of(status)
        if stat.S_ISDIR(status.st_mode):
            self.close()
            raise InputError(
                "is-directory",
                "is a directory, not an ISO image",
                path=str(path),
                hint="name the image itself",
            )
        if not (stat.S_ISREG(status.st_mode) or self.is_device):
            self.close()
            raise InputError(
                "not-iso",
                "is neither a file nor a block device",
                path=str(path),
                hint="an ISO is read at many places, and a stream gives its bytes once:"
                " write it to a file first, and name that",
            )

    @property
    def size(self) -> int:
        """Length in bytes when it was opened."""
        return self._size

    def fileno(self) -> int:
        """Return the open descriptor."""
        return self._fd

    @property
    def unchanged(self) -> bool:
        """Whether nobody has written to the file since it was opened; a device cannot tell."""
        status = os.fstat(self._fd)
        return self.is_device or (status.st_size, status.st_mtime_ns) == (
            self._size,
            self._modified,
        )

    @property
    def state(self) -> FileState:
        """What the file system says of it now; ``opened`` is what it said when it was opened."""
        return FileState.of(os.fstat(self._fd))

    def accept_times(self) -> None:
        """Take its present times for unchanged: its content was read, and is the same."""
        self._modified = self.state.modified_ns

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*. Raises InputError ``unreadable``."""
        length = min(length, self._size - offset)
        if length <= 0:
            return b""
        with self._explained(offset):
            data = os.pread(self._fd, length, offset)
            while len(data) < length:
                more = os.pread(self._fd, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
        return data

    def read_into(self, offset: int, block: bytearray) -> int:
        """Fill *block* from *offset*, and return how much of it; less only at the end.

        Raises InputError ``unreadable``.
        """
        view, length = memoryview(block), min(len(block), self._size - offset)
        got = 0
        with self._explained(offset):
            while got < length:
                more = os.preadv(self._fd, [view[got:length]], offset + got)
                if not more:
                    break
                got += more
        return got

    @contextmanager
    def _explained(self, offset: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unreadable(error, path=str(self.path), verb=f"read at {offset}") from error

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class SourceStream(io.RawIOBase):
    """A seekable, read-only stream over pieces of a source, one after the other."""

    def __init__(self, source: ByteSource, extents: tuple[tuple[int, int], ...]) -> None:
        """Take the pieces as (offset, length) in bytes."""
        self._source = source
        self._extents = extents
        self._length = sum(length for _, length in extents)
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; past the end is allowed, as for any file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill *buffer* from one extent; 0 at the end."""
        view = memoryview(buffer).cast("B")
        skipped = 0
        for offset, length in self._extents:
            within = self._position - skipped
            if within < length:
                data = self._source.read_at(offset + within, min(len(view), length - within))
                view[: len(data)] = data
                self._position += len(data)
                return len(data)
            skipped += length
        return 0
