# SPDX-License-Identifier: Apache-2.0
"""A mounted disc or an unpacked tree, listed the way an image is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ngtpatch.errors import InputError, unreadable
from ngtpatch.iso.read.entry import MOST_ENTRIES, Entry

__all__ = ["HostDirectory"]


class HostDirectory:
    """The files below a directory of the host; symbolic links are listed, never followed.

    Owners and times are left out (None): they say who unpacked the tree and
    when, not what is in it.
    """

    trees = ("directory",)

    def __init__(self, path: str | Path) -> None:
        """Take the root. Raises InputError (``not-found``, ``not-a-directory``)."""
        self.path = Path(path)
        if not self.path.is_dir():
            code = "not-a-directory" if self.path.exists() else "not-found"
            raise InputError(code, "is not a directory that can be read", path=str(path))
        self._entries: dict[str, Entry] | None = None

    def entries(self, tree: str = "directory") -> Mapping[str, Entry]:
        """Return every file, directory and symbolic link by its path.

        Raises InputError (``unreadable``) where a part of the tree cannot be read:
        a listing with holes would pass for a difference.
        """
        if tree not in self.trees:
            raise KeyError(tree)
        if self._entries is None:
            try:
                self._entries = {entry.path: entry for entry in self._walk()}
            except OSError as error:
                raise unreadable(error, path=error.filename, verb="listed") from error
        return self._entries

    def open(self, path: str) -> BinaryIO:
        """Return a stream of one regular file. Raises KeyError when there is no such file."""
        if self.entries()[path].kind != "file":
            raise KeyError(path)
        return (self.path / path).open("rb")

    def _walk(self) -> Iterator[Entry]:
        pending, count = [""], 0
        while pending:
            folder = pending.pop()
            with os.scandir(self.path / folder) as found:
                for item in found:
                    path = f"{folder}/{item.name}" if folder else item.name
                    entry = _entry(path, item)
                    yield entry
                    count += 1
                    if count > MOST_ENTRIES:  # as an image may have
                        raise InputError(
                            "too-many-entries",
                            f"holds more than {MOST_ENTRIES:,} entries",
                            path=str(self.path),
                            hint="name the directory that the disc's tree is in, and no other",
                        )
                    if entry.kind == "directory":
                        pending.append(path)


def _entry(path: str, item: os.DirEntry[str]) -> Entry:
    status = item.stat(follow_symlinks=False)
    target = None
    if stat.S_ISREG(status.st_mode):
        kind, size = "file", status.st_size
    elif stat.S_ISDIR(status.st_mode):
        kind, size = "directory", 0
    elif stat.S_ISLNK(status.st_mode):
        kind, size, target = "symlink", 0, os.readlink(item.path)  # noqa: PTH115 - as recorded
    else:
        kind, size = "other", 0
    return Entry(
        path=path,
        kind=kind,  # type: ignore[arg-type]
        size=size,
        mode=stat.S_IMODE(status.st_mode),
        uid=None,
        gid=None,
        mtime=None,
        target=target,
        extents=(),
    )
