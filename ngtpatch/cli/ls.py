# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch ls``."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console, printable
from ngtpatch.errors import UsageError
from ngtpatch.iso.read.entry import TREES, preferred_tree

if TYPE_CHECKING:
    from ngtpatch.iso.read.volume import Entry

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


@options.command()
@options.iso_argument
@click.option(
    "--tree",
    type=click.Choice(TREES),
    help="The tree to list; by default the most expressive one that the image has.",
)
@click.pass_obj
def command(console: Console, iso: Path, tree: str | None) -> None:
    """List the entries of an ISO."""
    from ngtpatch.iso.compare.sides import open_side

    with open_side(iso) as side:
        chosen = tree or preferred_tree(side.trees)
        if chosen not in side.trees:
            raise UsageError(
                "no-such-tree",
                f"has no {chosen} tree",
                path=str(iso),
                hint=f"it has: {', '.join(side.trees)}",
            )
        entries = [_listed(entry) for _, entry in sorted(side.entries(chosen).items())]
    console.result(Listing(tree=chosen, entries=tuple(entries)))
    width = max((len(str(entry.size)) for entry in entries), default=0)
    for entry in entries:
        owner = "" if entry.uid is None else f"{entry.uid:>5} {entry.gid:>5} "
        target = f" -> {printable(entry.target)}" if entry.target else ""
        console.say(
            f"{entry.mode or '?' * 10} {owner}{entry.size:>{width}} {entry.mtime or '-':<20} "
            f"{printable(entry.path)}{target}"
        )


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
