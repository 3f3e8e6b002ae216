# SPDX-License-Identifier: Apache-2.0
"""One entry of one tree of an image, and what a reader puts up with."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ngtpatch.errors import InputError

__all__ = [
    "TREES",
    "Budget",
    "Entry",
    "EntryKind",
    "Extents",
    "TreeName",
    "check_name",
    "coalesce",
    "preferred_tree",
]

TreeName = Literal["iso9660", "rock_ridge", "joliet", "udf"]

TREES: tuple[TreeName, ...] = ("rock_ridge", "joliet", "udf", "iso9660")
"""The trees that an image can have, the one that says most about its entries first."""


def preferred_tree(trees: Sequence[str]) -> str:
    """Return the tree of *trees* by which paths are named: the first of :data:`TREES` in it.

    A directory on the host has one tree, which is none of these.
    """
    return next((tree for tree in TREES if tree in trees), trees[0])


EntryKind = Literal["file", "directory", "symlink", "other"]

Extents = tuple[tuple[int, int], ...]
"""(offset, length) of each piece, in bytes from the image's start."""

# What a reader puts up with, in each tree of an image. NGT has some hundreds of entries; these
# bounds keep the worst image within memory and time that a build machine has.
MOST_ENTRIES = 70_000
MOST_RECORDS = 150_000
MOST_DIRECTORY_BYTES = 32 << 20
MOST_CONTINUATION_BYTES = 8 << 20
MOST_PATH_CHARACTERS = 16 << 20
_REMEDY = "an NGT disc has some hundreds of files: unpack it, keep those, and name that directory"
LONGEST_PATH = 4096
DEEPEST_PATH = 255


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, directory or symbolic link, as one tree describes it.

    Attributes:
        path: POSIX, relative to the root, without a leading slash.
        kind: what it is.
        size: content in bytes; 0 for anything but a file.
        mode: permission bits; None where the tree records none.
        uid: owner; None where the tree records none.
        gid: group; None where the tree records none.
        mtime: modification time as recorded, ISO 8601; None when unset.
        target: of a symbolic link.
        extents: (offset, length) of the content in bytes from the image's start; for a
            directory, of its records.
    """

    path: str
    kind: EntryKind
    size: int
    mode: int | None
    uid: int | None
    gid: int | None
    mtime: str | None
    target: str | None
    extents: Extents


def coalesce(extents: Extents) -> Extents:
    """Return the extents with those that follow each other as one.

    UDF cuts at 1 GiB and ISO 9660 at 4 GiB what stands there in one piece: trees that
    share a file must agree on where it is.
    """
    if len(extents) < 2:
        return extents
    joined: list[tuple[int, int]] = []
    for offset, length in extents:
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        else:
            joined.append((offset, length))
    return tuple(joined)


class Budget:
    """Counts what one tree of an image makes a reader do, and stops it in time.

    Every method raises InputError ``hostile`` when it is too much.
    """

    def __init__(self, tree: TreeName) -> None:
        """Take the tree's name, for messages."""
        self._tree = tree
        self._entries = self._records = self._characters = 0
        self._directories = self._continuations = 0

    def entry(self, path: str) -> None:
        """Count one entry."""
        length = len(path)
        # Shorter than that it cannot have as many separators.
        if length > DEEPEST_PATH and (length > LONGEST_PATH or path.count("/") > DEEPEST_PATH):
            raise InputError(
                "hostile",
                f"its {self._tree} tree holds a path of {length:,} characters and "
                f"{path.count('/') + 1:,} levels; up to {LONGEST_PATH:,} and "
                f"{DEEPEST_PATH + 1:,} are read",
                hint=_REMEDY,
            )
        self._entries += 1
        self._characters += length
        if self._entries > MOST_ENTRIES or self._characters > MOST_PATH_CHARACTERS:
            self._count(self._entries, MOST_ENTRIES, "entries")
            self._count(self._characters, MOST_PATH_CHARACTERS, "characters of names")

    @property
    def records_left(self) -> int:
        """How many more records of directories are read."""
        return MOST_RECORDS - self._records

    def records(self, count: int) -> None:
        """Count records of a directory, whether they give entries or not."""
        self._records = self._count(self._records + count, MOST_RECORDS, "directory records")

    def directory(self, length: int) -> None:
        """Count a directory's bytes, before they are read."""
        total = self._directories + length
        self._directories = self._count(total, MOST_DIRECTORY_BYTES, "bytes of directories")

    def continuation(self, length: int) -> None:
        """Count the bytes of a system use continuation area, before they are read."""
        total = self._continuations + length
        self._continuations = self._count(
            total, MOST_CONTINUATION_BYTES, "bytes of continuation areas"
        )

    def _count(self, now: int, most: int, of: str) -> int:
        if now > most:
            raise InputError(
                "hostile",
                f"its {self._tree} tree holds {now:,} {of} or more; up to {most:,} are read",
                hint=_REMEDY,
            )
        return now


def check_name(name: str) -> str:
    """Return a single name from an image, if it is one.

    Raises:
        InputError: code ``hostile-name``: empty, ``.``, ``..``, a separator, a backslash,
            NUL or another control character. Such a name leads out of a directory, or
            plays tricks on the terminal that shows it.
    """
    if name.isascii() and name.isprintable() and "/" not in name and "\\" not in name:
        if name not in ("", ".", ".."):
            return name
    elif name and not any(
        char in "/\\" or unicodedata.category(char) in ("Cc", "Cs") for char in name
    ):
        return name
    raise InputError("hostile-name", f"holds an entry with the invalid name {name!a}")
