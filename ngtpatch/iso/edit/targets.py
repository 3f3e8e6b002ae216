# SPDX-License-Identifier: Apache-2.0
"""One file, found in every tree of an image.

The trees share content but not names: ISO 9660 shortens them, Joliet cuts at 64
characters. A file is followed by its name where the trees agree, else by its extents; an
empty file has none, and is followed by its place among its siblings. Where that leaves
a choice, the edit is refused: a wrong guess would change another file.
"""

from __future__ import annotations

from dataclasses import dataclass

from ngtpatch.errors import InputError, Refusal
from ngtpatch.iso.read.entry import Entry, TreeName
from ngtpatch.iso.read.record_tree import RecordedNode
from ngtpatch.iso.read.udf_tree import UdfNode
from ngtpatch.iso.read.volume import Volume

__all__ = ["Target", "directory_in", "edited_trees", "find_target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A file to be edited.

    Attributes:
        path: in the most expressive tree.
        entry: there.
        records: its node in each tree of directory records that has it.
        udf: its node in the UDF tree, if that has it.
    """

    path: str
    entry: Entry
    records: dict[TreeName, RecordedNode]
    udf: UdfNode | None


def edited_trees(volume: Volume) -> tuple[TreeName, ...]:
    """Return the trees that have structures of their own.

    ISO 9660 and Rock Ridge are one: two readings of the same records.
    """
    return tuple(
        tree for tree in volume.trees if tree != "iso9660" or "rock_ridge" not in volume.trees
    )


def find_target(volume: Volume, path: str) -> Target:
    """Find a regular file by its path in the most expressive tree.

    Raises:
        InputError: ``not-found``.
        Refusal: ``not-a-file``, ``multi-extent``, ``interleaved``, ``extended-attributes``,
            ``boot-image``, or ``ambiguous-link``: which of several names in another tree
            is the same file cannot be told.
    """
    primary = volume.primary_tree
    entry = volume.entries(primary).get(path)
    if entry is None:
        raise InputError("not-found", f"there is no such entry in {volume.path}", path=path)
    if entry.kind != "file":
        raise Refusal("not-a-file", f"is a {entry.kind}, whose content is not replaced", path=path)
    records: dict[TreeName, RecordedNode] = {}
    udf: UdfNode | None = None
    for tree in edited_trees(volume):
        name = path if tree == primary else _counterpart(volume, entry, tree)
        if name is None:
            continue
        if tree == "udf" and volume.udf:
            udf = volume.udf.nodes[name]
        else:
            records[tree] = volume.records[tree].nodes[name]
    _refuse_shapes(volume, path, records)
    return Target(path, entry, records, udf)


def _refuse_shapes(volume: Volume, path: str, records: dict[TreeName, RecordedNode]) -> None:
    for node in records.values():
        if len(node.records) > 1:
            raise Refusal("multi-extent", "has several extents in its tree", path=path)
        record = node.records[0]
        if record.interleaved:
            raise Refusal("interleaved", "is recorded in interleaved mode", path=path)
        if record.raw[1]:
            raise Refusal("extended-attributes", "has an extended attribute record", path=path)
        if record.length and record.extent in volume.descriptors.boot_sectors:
            raise Refusal(
                "boot-image", "is part of the disc's boot record, which would break", path=path
            )


def _counterpart(volume: Volume, entry: Entry, tree: TreeName) -> str | None:
    others = volume.entries(tree)
    same_name = others.get(entry.path)
    if same_name is not None and same_name.kind == "file":
        return entry.path
    if entry.size:
        same = volume.paths_by_extents(tree).get(entry.extents, ())
        if len(same) <= 1:
            return same[0] if same else _by_case(volume, entry, tree)
        folder = directory_in(volume, _parent(entry.path), tree)
        same = [path for path in same if _parent(path) == folder]
        named = [path for path in same if path.casefold() == entry.path.casefold()]
        if len(named) == 1 or len(same) == 1:
            return (named or same)[0]
        raise Refusal(
            "ambiguous-link",
            f"shares its content with other files, and which is its name in the {tree} "
            "tree cannot be told",
            path=entry.path,
        )
    return _by_case(volume, entry, tree) or _empty_counterpart(volume, entry, tree)


def _by_case(volume: Volume, entry: Entry, tree: TreeName) -> str | None:
    folder = directory_in(volume, _parent(entry.path), tree)
    if folder is None:
        return None
    name = _name(entry.path).casefold()
    same = [
        path
        for path, other in volume.siblings(tree, folder).items()
        if _name(path).casefold() == name and other.kind == "file"
    ]
    return same[0] if len(same) == 1 else None


def _empty_counterpart(volume: Volume, entry: Entry, tree: TreeName) -> str | None:
    """Find an empty file whose name is spelt differently: the only one left over on each side."""
    parent = _parent(entry.path)
    folder = directory_in(volume, parent, tree)
    if folder is None:
        return None

    def empty(of: str, where: str) -> dict[str, str]:
        return {
            _name(path).casefold(): path
            for path, other in volume.siblings(of, where).items()
            if other.kind == "file" and not other.size
        }

    here, there = empty(volume.primary_tree, parent), empty(tree, folder)
    left = [path for name, path in there.items() if name not in here]
    alone = [path for name, path in here.items() if name not in there] == [entry.path]
    if not left:
        return None
    if len(left) == 1 and alone:
        return left[0]
    raise Refusal(
        "ambiguous-link",
        f"is empty, and it is not known which of the empty files it is in the {tree} tree",
        path=entry.path,
    )


def directory_in(volume: Volume, path: str, tree: TreeName) -> str | None:
    """Return what a directory of the most expressive tree is called in *tree*; None if nothing.

    By name; else as the directory where most of its files' extents are found again.
    """
    if not path:
        return ""
    other = volume.entries(tree).get(path)
    if other is not None and other.kind == "directory":
        return path
    above = directory_in(volume, _parent(path), tree)
    if above is None:
        return None
    folders = [p for p, e in volume.siblings(tree, above).items() if e.kind == "directory"]
    same = [p for p in folders if _name(p).casefold() == _name(path).casefold()]
    if len(same) == 1:
        return same[0]
    votes = dict.fromkeys(folders, 0)
    for inside, entry in volume.entries(volume.primary_tree).items():
        if inside.startswith(path + "/") and entry.kind == "file" and entry.size:
            for twin in volume.paths_by_extents(tree).get(entry.extents, ()):
                for folder in folders:
                    votes[folder] += twin.startswith(folder + "/")
    best = max(votes, key=lambda folder: votes[folder], default=None)
    return best if best is not None and votes[best] else None


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
