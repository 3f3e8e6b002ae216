# SPDX-License-Identifier: Apache-2.0
"""The entries of one tree of an image or a directory, as ``ls -l`` shows files."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.errors import UsageError

if TYPE_CHECKING:
    from ngtpatch.iso.read.entry import Entry

__all__ = ["Listed", "Listing", "list_entries"]

_TYPE_BITS = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK, "other": 0}


@dataclass(frozen=True)
class Listed:
    """One entry, as far as its tree describes it."""

    path: str
    kind: str
    size: int
    mode: str | None
    uid: int | None
    gid: int | None
    mtime: str | None
    target: str | None


@dataclass(frozen=True)
class Listing:
    """The document of ``ngtpatch ls --json``."""

    SCHEMA: ClassVar[str] = "ngtpatch.ls/1"
    tree: str
    entries: tuple[Listed, ...]


def list_entries(source: str | Path, *, tree: str | None = None) -> Listing:
    """Return the entries of *tree*, by default of the most expressive one.

    Raises:
        InputError: *source* cannot be read.
        UsageError: ``no-such-tree``.
    """
    from ngtpatch.iso.compare.sides import open_side
    from ngtpatch.iso.read.entry import preferred_tree

    with open_side(source) as side:
        chosen = tree or preferred_tree(side.trees)
        if chosen not in side.trees:
            raise UsageError(
                "no-such-tree",
                f"has no {chosen} tree",
                path=str(source),
                hint=f"it has: {', '.join(side.trees)}",
            )
        entries = tuple(_listed(entry) for _, entry in sorted(side.entries(chosen).items()))
    return Listing(chosen, entries)


def _listed(entry: Entry) -> Listed:
    mode = None
    if entry.mode is not None:
        mode = stat.filemode(_TYPE_BITS[entry.kind] | stat.S_IMODE(entry.mode))
    return Listed(
        path=entry.path,
        kind=entry.kind,
        size=entry.size,
        mode=mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime=entry.mtime,
        target=entry.target,
    )
