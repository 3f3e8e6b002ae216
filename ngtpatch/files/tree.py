# SPDX-License-Identifier: Apache-2.0
"""The seam between the two wings: files by path, whatever they came from.

The installer wing reads an NGT tree without knowing whether it is an image, a
mounted disc or a directory; the image wing produces one without knowing NGT.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO

__all__ = ["Altered", "FileTree", "MemoryTree"]


class FileTree(Mapping[str, bytes]):
    """Regular files by POSIX path relative to the root, without a leading slash.

    ``tree[path]`` reads a whole file and is bounded by the implementation; for
    what may be large (agent payloads) use :meth:`open`.
    """

    @abstractmethod
    def size(self, path: str) -> int:
        """Return the file's length in bytes. Raises KeyError when there is no such file."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Return a readable stream of the file. Raises KeyError when there is no such file."""


class MemoryTree(FileTree):
    """A tree held in memory: for small trees that were read already, and for tests."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)

    def __getitem__(self, path: str) -> bytes:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def size(self, path: str) -> int:
        """Return the file's length in bytes."""
        return len(self._files[path])

    def open(self, path: str) -> BinaryIO:
        """Return a readable stream of the file."""
        return io.BytesIO(self._files[path])


class Altered(FileTree):
    """A tree with some files replaced, added or gone; the tree below is not touched."""

    def __init__(
        self, below: FileTree, contents: Mapping[str, bytes], removed: Collection[str] = ()
    ) -> None:
        self._below = below
        self._contents = dict(contents)
        gone = frozenset(removed)
        kept = (path for path in below if path not in gone)
        self._paths = tuple(dict.fromkeys((*kept, *contents)))

    def __getitem__(self, path: str) -> bytes:
        return self._contents[path] if path in self._contents else self._kept(path)[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def size(self, path: str) -> int:
        """Return the file's length in bytes."""
        if path in self._contents:
            return len(self._contents[path])
        return self._kept(path).size(path)

    def open(self, path: str) -> BinaryIO:
        """Return a readable stream of the file."""
        if path in self._contents:
            return io.BytesIO(self._contents[path])
        return self._kept(path).open(path)

    def _kept(self, path: str) -> FileTree:
        if path not in self._paths:
            raise KeyError(path)
        return self._below
