# SPDX-License-Identifier: Apache-2.0
"""What differs between two images, or an image and an unpacked tree, entry by entry.

Every tree is compared on its own: an edit that reached the Rock Ridge tree and
not the Joliet tree is the very thing to be found. Content is compared as bytes,
block by block, so that memory does not grow with the image.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ngtpatch.iso.compare.sides import Contents, Counterparts, Side
from ngtpatch.iso.read.entry import TREES, Entry
from ngtpatch.iso.read.host_directory import HostDirectory

__all__ = ["ASPECTS", "REPLACED", "Comparison", "Difference", "compare"]

ASPECTS = ("content", "size", "mode", "owner", "mtime", "kind", "target")
"""What can differ about an entry that both sides have."""

REPLACED = frozenset({"content", "size"})
"""What may differ about an entry whose content was replaced. Mode, owner and times stay."""

_EXECUTABLE = 0o111


@dataclass(frozen=True)
class Difference:
    """One entry that is not the same on both sides.

    Attributes:
        tree: where it was seen.
        path: its name in that tree.
        kind: whether it was added, removed or changed on the second side.
        what: the aspects that differ, in the order of ASPECTS; empty unless changed.
        before: the entry on the first side; None when it was added.
        after: the entry on the second side; None when it was removed.
        known_as: its name in the first side's most expressive tree, found by the
            extents they share; None when there is no counterpart.
    """

    tree: str
    path: str
    kind: Literal["added", "removed", "changed"]
    what: tuple[str, ...]
    before: Entry | None
    after: Entry | None
    known_as: str | None


@dataclass(frozen=True)
class Comparison:
    """All differences between two sides, in the order of TREES, then by path.

    Attributes:
        primary: the most expressive tree that both sides have.
        trees: the trees that were compared.
        trees_added: trees that the second side alone has.
        trees_removed: trees that the first side alone has.
        volume_ids: both volume identifiers where they differ, else None.
        differences: entries that differ, over all trees.
    """

    primary: str
    trees: tuple[str, ...]
    trees_added: tuple[str, ...]
    trees_removed: tuple[str, ...]
    volume_ids: tuple[str, str] | None
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs at all."""
        return not (self.differences or self.trees_added or self.trees_removed or self.volume_ids)

    def beyond(self, expected: Mapping[str, Collection[str]]) -> tuple[Difference, ...]:
        """Return the differences that *expected* does not account for.

        Args:
            expected: path in the primary tree -> aspects that may differ, or
                ``added``/``removed``. It covers the same entry in every other tree.
        """

        def accounted_for(difference: Difference) -> bool:
            name = difference.known_as or difference.path
            allowed = expected.get(name, ())
            wanted = difference.what if difference.kind == "changed" else (difference.kind,)
            return bool(allowed) and all(aspect in allowed for aspect in wanted)

        return tuple(d for d in self.differences if not accounted_for(d))


def compare(
    before: Side, after: Side, *, within: Sequence[tuple[int, int]] | None = None
) -> Comparison:
    """Compare complete listings, with metadata and content, in every tree.

    With a directory on one side the other side's most expressive tree is
    compared with it, and of the mode only whether the entry is executable:
    the rest depends on who unpacked it. What one side does not record
    (owner and times in Joliet, say) is not compared.

    Args:
        before: the first side.
        after: the second side.
        within: (offset, length) in bytes, where alone the two images can differ, for
            a caller who wrote one as regions over the other; content that has kept
            its place outside of these is not read again.

    Raises:
        InputError: a side turns out to be unreadable on the way.
    """
    contents = Contents(before, after, within)
    pairs = _pair_up(before, after)
    names = tuple(
        Counterparts(side, tree) for side, tree in zip((before, after), pairs[0], strict=True)
    )
    differences: list[Difference] = []
    for one, other in pairs:
        tree = other if one == "directory" else one
        old, new = before.entries(one), after.entries(other)
        for path in sorted(old.keys() | new.keys()):
            was, now = old.get(path), new.get(path)
            what: tuple[str, ...] = ()
            kind: Literal["added", "removed", "changed"]
            if was is not None and now is not None:
                what = _aspects(was, now, contents)
                if not what:
                    continue
                kind = "changed"
            else:
                kind = "added" if was is None else "removed"
            found = (
                side.find(tree, entry)
                for side, entry in zip(names, (was, now), strict=True)
                if entry is not None
            )
            known_as = next((name for name in found if name is not None), None)
            differences.append(Difference(tree, path, kind, what, was, now, known_as))
    compared = tuple(other if one == "directory" else one for one, other in pairs)
    with_directory = isinstance(before, HostDirectory) or isinstance(after, HostDirectory)
    return Comparison(
        primary=compared[0],
        trees=compared,
        trees_added=() if with_directory else _only(after.trees, before.trees),
        trees_removed=() if with_directory else _only(before.trees, after.trees),
        volume_ids=_volume_ids(before, after),
        differences=tuple(differences),
    )


def _pair_up(before: Side, after: Side) -> tuple[tuple[str, str], ...]:
    def best(side: Side) -> str:
        return next((tree for tree in TREES if tree in side.trees), side.trees[0])

    if isinstance(before, HostDirectory) or isinstance(after, HostDirectory):
        return ((best(before), best(after)),)
    return tuple((t, t) for t in TREES if t in before.trees and t in after.trees)


def _only(trees: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple(tree for tree in TREES if tree in trees and tree not in others)


def _volume_ids(before: Side, after: Side) -> tuple[str, str] | None:
    if isinstance(before, HostDirectory) or isinstance(after, HostDirectory):
        return None
    if before.volume_id == after.volume_id:
        return None
    return before.volume_id, after.volume_id


def _aspects(was: Entry, now: Entry, contents: Contents) -> tuple[str, ...]:
    found = set()
    if was.kind != now.kind:
        found.add("kind")
    elif was.kind == "file":
        if was.size != now.size:
            found |= {"size", "content"}
        elif contents.differ(was, now):
            found.add("content")
    elif was.target != now.target:
        found.add("target")
    if _differ(was.mode, now.mode) and (
        contents.alike or (was.kind == "file" and _executable(was) != _executable(now))
    ):
        found.add("mode")
    if _differ(was.uid, now.uid) or _differ(was.gid, now.gid):
        found.add("owner")
    if _differ(was.mtime, now.mtime):
        found.add("mtime")
    return tuple(aspect for aspect in ASPECTS if aspect in found)


def _executable(entry: Entry) -> bool:
    return bool((entry.mode or 0) & _EXECUTABLE)


def _differ(was: object, now: object) -> bool:
    return was is not None and now is not None and was != now
