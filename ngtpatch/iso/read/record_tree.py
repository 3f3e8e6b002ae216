# SPDX-License-Identifier: Apache-2.0
"""The trees that are made of ECMA-119 directory records: ISO 9660, Rock Ridge and Joliet."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from ngtpatch.errors import InputError
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import (
    ASSOCIATED_FLAG,
    MULTI_EXTENT_FLAG,
    SECTOR,
    DirectoryRecord,
    VolumeDescriptor,
    decode_name,
    distinct_names,
    parse_directory,
    recorded_time,
)
from ngtpatch.iso.read.entry import Budget, Entry, EntryKind, Extents, check_name, coalesce
from ngtpatch.iso.read.susp import (
    RockRidge,
    has_rock_ridge,
    read_rock_ridge,
    read_system_use,
    sharing,
)

__all__ = [
    "RecordTree",
    "RecordedDirectory",
    "RecordedNode",
    "read_record_tree",
    "read_rock_ridge_tree",
]


@dataclass(frozen=True, slots=True)
class RecordedNode:
    """An entry and the directory records that make it: one for each extent."""

    entry: Entry
    records: tuple[DirectoryRecord, ...]
    rock_ridge: RockRidge | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What a directory lists under one identifier, before it has a path.

    Attributes:
        records: one for each extent.
        name: as this tree's readers show it, without Rock Ridge.
        extents: of the content; inside the image, that has been checked.
        rock_ridge: what that says about it; None where it is not in use.
    """

    records: tuple[DirectoryRecord, ...]
    name: str
    extents: Extents
    rock_ridge: RockRidge | None


@dataclass(frozen=True, slots=True)
class RecordedDirectory:
    """A directory's own extent, its records as they stand there, and what they amount to."""

    extent: int
    length: int
    records: tuple[DirectoryRecord, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class RecordTree:
    """A whole tree: items by path, and the directories by their first sector.

    Attributes:
        descriptor: the volume descriptor whose root it starts from.
        items: by path.
        directories: by extent; the same ones for ISO 9660 and its Rock Ridge names.
        extent_of: the directory at a path (``""`` is the root) -> its extent.
        skip: length to skip in system use fields (SUSP); None without Rock Ridge.
        named: whether paths are by Rock Ridge.
    """

    descriptor: VolumeDescriptor
    items: dict[str, Item] = field(default_factory=dict)
    directories: dict[int, RecordedDirectory] = field(default_factory=dict)
    extent_of: dict[str, int] = field(default_factory=dict)
    skip: int | None = None
    named: bool = False

    @cached_property
    def nodes(self) -> Mapping[str, RecordedNode]:
        """The entries by path. Made when first asked for: of most images one tree is."""
        if self.named:
            return {
                path: RecordedNode(
                    _rock_ridge_entry(path, item, item.rock_ridge), item.records, item.rock_ridge
                )
                for path, item in self.items.items()
                if item.rock_ridge is not None
            }
        return {
            path: RecordedNode(_plain_entry(path, item), item.records)
            for path, item in self.items.items()
        }


def read_record_tree(
    source: ByteSource, descriptor: VolumeDescriptor, budget: Budget
) -> RecordTree:
    """Read the tree below a descriptor's root by the identifiers in its records.

    Raises:
        InputError: ``hostile`` (loops, damaged records, extents outside the image) or
            ``hostile-name``.
    """
    joliet = descriptor.kind == "joliet"
    root = descriptor.root
    first = _first_record(source, root)
    shared = None if joliet else sharing(first)
    if shared and not has_rock_ridge(read_system_use(source, first, shared[0])):
        shared = None
    tree = RecordTree(descriptor, skip=shared[1] if shared else None)
    reader = _RecordReader(source, budget, tree.skip, joliet=joliet)
    pending = [("", root.extent, root.length)]
    while pending:
        path, extent, length = pending.pop()
        directory = reader.read(extent, length, path)
        tree.directories[extent] = directory
        tree.extent_of[path] = extent
        taken: set[str] = set()
        for item in directory.items:
            below = _join(path, item.name, taken)
            budget.entry(below)
            tree.items[below] = item
            first = item.records[0]
            if first.is_directory:
                pending.append((below, first.data_start, first.length))
    return tree


def read_rock_ridge_tree(plain: RecordTree, budget: Budget) -> RecordTree:
    """Read the same directories by their Rock Ridge names, relocated ones in their true place."""
    tree = RecordTree(plain.descriptor, directories=plain.directories, skip=plain.skip, named=True)
    pending = [("", plain.descriptor.root.extent)]
    seen: set[int] = set()
    while pending:
        path, extent = pending.pop()
        if extent in seen or extent not in plain.directories:
            raise InputError("hostile", f"the relocated directory {path!r} has no place")
        seen.add(extent)
        tree.extent_of[path] = extent
        taken: set[str] = set()
        for item in plain.directories[extent].items:
            known = item.rock_ridge
            if known is None or known.relocated:
                continue
            name = item.name if known.name is None else check_name(decode_name(known.name))
            below = _join(path, name, taken)
            budget.entry(below)
            tree.items[below] = item
            first = item.records[0]
            if first.is_directory or known.child is not None:
                child = first.data_start if known.child is None else known.child
                pending.append((below, child))
    return tree


class _RecordReader:
    """Reads directories, each extent once: a second visit is a loop."""

    def __init__(
        self, source: ByteSource, budget: Budget, skip: int | None, *, joliet: bool
    ) -> None:
        self._source, self._budget, self._skip, self._joliet = source, budget, skip, joliet
        self._seen: set[int] = set()

    def read(self, extent: int, length: int, path: str) -> RecordedDirectory:
        offset = extent * SECTOR
        if extent in self._seen:
            raise InputError("hostile", f"the directory {path!r} contains itself")
        self._seen.add(extent)
        # A length that is no multiple of a sector (6.8.1.3) ends with the last record.
        if offset + length > self._source.size:
            raise InputError("hostile", f"the directory {path!r} lies outside the image")
        self._budget.directory(length)
        listed = parse_directory(self._source.read_at(offset, length), offset)
        records = tuple(islice(listed, self._budget.records_left + 1))
        self._budget.records(len(records))
        return RecordedDirectory(extent, length, records, self._items(records, path))

    def _items(self, records: tuple[DirectoryRecord, ...], path: str) -> tuple[Item, ...]:
        wholes: list[tuple[DirectoryRecord, ...]] = []
        parts: list[DirectoryRecord] = []
        for record in records:
            if record.is_special or record.flags & ASSOCIATED_FLAG:
                continue
            if not parts and not record.flags & MULTI_EXTENT_FLAG:
                wholes.append((record,))
                continue
            parts.append(record)
            if record.flags & MULTI_EXTENT_FLAG:
                continue
            if len({part.identifier for part in parts}) > 1:
                raise InputError("hostile", f"a file of {path!r} lacks its last extent")
            wholes.append(tuple(parts))
            parts = []
        if parts:
            raise InputError("hostile", f"a file of {path!r} lacks its last extent")
        names = distinct_names([whole[0] for whole in wholes], joliet=self._joliet)
        return tuple(map(self._item, wholes, map(check_name, names)))

    def _item(self, records: tuple[DirectoryRecord, ...], name: str) -> Item:
        known = None
        if self._skip is not None:
            # Every record of a multi-extent file repeats the system use field; the first counts.
            used = read_system_use(self._source, records[0], self._skip, self._budget)
            known = read_rock_ridge(used)
        if known is not None and known.child is not None:
            return Item(records, name, (), known)  # the extent of a stand-in is no content
        extents = tuple((r.data_start * SECTOR, r.length) for r in records if r.length)
        for offset, length in extents:
            if offset + length > self._source.size:
                raise InputError("hostile", f"{name!a} in it reaches behind the image's end")
        return Item(records, name, coalesce(extents), known)


def _first_record(source: ByteSource, root: DirectoryRecord) -> DirectoryRecord:
    offset = root.extent * SECTOR
    if root.length == 0:
        raise InputError("hostile", "its root directory has no length")
    if offset + root.length > source.size:
        raise InputError("hostile", "its root directory lies outside the image")
    first = next(parse_directory(source.read_at(offset, SECTOR), offset), None)
    if first is None or first.identifier != b"\0":
        raise InputError("hostile", "its root directory does not begin with itself")
    return first


def _join(path: str, name: str, taken: set[str]) -> str:
    below = f"{path}/{name}" if path else name
    if name in taken:
        raise InputError("hostile", f"holds {below!a} twice")
    taken.add(name)
    return below


def _plain_entry(path: str, item: Item) -> Entry:
    first = item.records[0]
    kind: EntryKind = "directory" if first.is_directory else "file"
    if item.rock_ridge is not None and item.rock_ridge.child is not None:
        kind = "other"  # stands in for a relocated directory
    when = recorded_time(first.raw[18:25])
    return Entry(path, kind, _size(kind, item.extents), None, None, None, when, None, item.extents)


def _size(kind: EntryKind, extents: Extents) -> int:
    return sum(length for _, length in extents) if kind == "file" else 0


def _kind(known: RockRidge, record: DirectoryRecord) -> EntryKind:
    if record.is_directory or known.child is not None:
        return "directory"
    if known.mode is None or stat.S_IFMT(known.mode) in (0, stat.S_IFREG):
        return "symlink" if known.target is not None else "file"
    return "symlink" if stat.S_ISLNK(known.mode) else "other"


def _rock_ridge_entry(path: str, item: Item, known: RockRidge) -> Entry:
    kind: EntryKind = _kind(known, item.records[0])
    extents = item.extents if kind in ("file", "directory") else ()
    return Entry(
        path=path,
        kind=kind,
        size=_size(kind, extents),
        mode=None if known.mode is None else stat.S_IMODE(known.mode),
        uid=known.uid,
        gid=known.gid,
        mtime=known.mtime or recorded_time(item.records[0].raw[18:25]),
        target=None if known.target is None else decode_name(known.target),
        extents=extents,
    )
