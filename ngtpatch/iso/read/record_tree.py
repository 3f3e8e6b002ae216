# SPDX-License-Identifier: Apache-2.0
"""The trees that are made of ECMA-119 directory records: ISO 9660, Rock Ridge and Joliet."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from ngtpatch.errors import InputError
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import (
    ASSOCIATED_FLAG,
    MULTI_EXTENT_FLAG,
    SECTOR,
    DirectoryRecord,
    VolumeDescriptor,
    file_name,
    joliet_name,
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
    """What a directory lists under one identifier, before it has a path."""

    records: tuple[DirectoryRecord, ...]
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
    """A whole tree: nodes by path, and the directories by their first sector.

    Attributes:
        descriptor: the volume descriptor whose root it starts from.
        nodes: by path.
        directories: by extent; the same ones for ISO 9660 and its Rock Ridge names.
        extent_of: the directory at a path (``""`` is the root) -> its extent.
        skip: length to skip in system use fields (SUSP); None without Rock Ridge.
    """

    descriptor: VolumeDescriptor
    nodes: dict[str, RecordedNode] = field(default_factory=dict)
    directories: dict[int, RecordedDirectory] = field(default_factory=dict)
    extent_of: dict[str, int] = field(default_factory=dict)
    skip: int | None = None


def read_record_tree(
    source: ByteSource, descriptor: VolumeDescriptor, budget: Budget
) -> RecordTree:
    """Read the tree below a descriptor's root by the identifiers in its records.

    Raises:
        InputError: ``hostile`` (loops, damaged records, extents outside the image) or
            ``hostile-name``.
    """
    name_of = joliet_name if descriptor.kind == "joliet" else file_name
    root = descriptor.root
    first = _first_record(source, root)
    shared = sharing(first) if descriptor.kind != "joliet" else None
    if shared and not has_rock_ridge(read_system_use(source, first, shared[0])):
        shared = None
    tree = RecordTree(descriptor, skip=shared[1] if shared else None)
    reader = _RecordReader(source, budget, tree.skip)
    pending = [("", root.extent, root.length)]
    while pending:
        path, extent, length = pending.pop()
        directory = reader.read(extent, length, path)
        tree.directories[extent] = directory
        tree.extent_of[path] = extent
        taken: set[str] = set()
        for item in directory.items:
            name = check_name(name_of(item.records[0].identifier))
            below = _join(path, name, taken)
            budget.entry(below)
            tree.nodes[below] = RecordedNode(_plain_entry(below, item, source), item.records)
            if item.records[0].is_directory:
                pending.append((below, item.records[0].data_start, item.records[0].length))
    return tree


def read_rock_ridge_tree(source: ByteSource, plain: RecordTree, budget: Budget) -> RecordTree:
    """Read the same directories by their Rock Ridge names, relocated ones in their true place."""
    tree = RecordTree(plain.descriptor, directories=plain.directories, skip=plain.skip)
    pending = [("", plain.descriptor.root.extent)]
    seen: set[int] = set()
    while pending:
        path, extent = pending.pop()
        if extent in seen or extent not in plain.directories:
            raise InputError("hostile", f"the directory {path!r} is relocated to nowhere")
        seen.add(extent)
        tree.extent_of[path] = extent
        taken: set[str] = set()
        for item in plain.directories[extent].items:
            known = item.rock_ridge
            if known is None or known.relocated:
                continue
            raw = known.name
            name = _decode(raw) if raw is not None else file_name(item.records[0].identifier)
            below = _join(path, check_name(name), taken)
            budget.entry(below)
            entry = _rock_ridge_entry(below, item, known, source)
            tree.nodes[below] = RecordedNode(entry, item.records, known)
            if entry.kind == "directory":
                child = item.records[0].data_start if known.child is None else known.child
                pending.append((below, child))
    return tree


class _RecordReader:
    """Reads directories, each extent once: a second visit is a loop."""

    def __init__(self, source: ByteSource, budget: Budget, skip: int | None) -> None:
        self._source, self._budget, self._skip = source, budget, skip
        self._seen: set[int] = set()

    def read(self, extent: int, length: int, path: str) -> RecordedDirectory:
        offset = extent * SECTOR
        if extent in self._seen:
            raise InputError("hostile", f"the directory {path!r} contains itself")
        self._seen.add(extent)
        if offset + length > self._source.size or length % SECTOR:
            raise InputError("hostile", f"the directory {path!r} lies outside the image")
        self._budget.directory(length)
        records = tuple(self._records(offset, length))
        items: list[Item] = []
        parts: list[DirectoryRecord] = []
        for record in records:
            if record.is_special or record.flags & ASSOCIATED_FLAG:
                continue
            parts.append(record)
            if record.flags & MULTI_EXTENT_FLAG:
                continue
            if len({part.identifier for part in parts}) > 1:
                raise InputError("hostile", f"a file of {path!r} lacks its last extent")
            # Every record of a multi-extent file repeats the system use field; the first counts.
            items.append(Item(tuple(parts), self._rock_ridge(parts[0])))
            parts = []
        if parts:
            raise InputError("hostile", f"a file of {path!r} lacks its last extent")
        return RecordedDirectory(extent, length, records, tuple(items))

    def _records(self, offset: int, length: int) -> Iterator[DirectoryRecord]:
        for record in parse_directory(self._source.read_at(offset, length), offset):
            self._budget.record()
            yield record

    def _rock_ridge(self, record: DirectoryRecord) -> RockRidge | None:
        if self._skip is None:
            return None
        return read_rock_ridge(read_system_use(self._source, record, self._skip, self._budget))


def _first_record(source: ByteSource, root: DirectoryRecord) -> DirectoryRecord:
    offset = root.extent * SECTOR
    if root.length == 0 or offset + root.length > source.size:
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


def _decode(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _extents(path: str, records: tuple[DirectoryRecord, ...], source: ByteSource) -> Extents:
    extents = coalesce(tuple((r.data_start * SECTOR, r.length) for r in records if r.length))
    for offset, length in extents:
        if offset + length > source.size:
            raise InputError("hostile", f"{path!a} in it reaches behind the image's end")
    return extents


def _plain_entry(path: str, item: Item, source: ByteSource) -> Entry:
    first = item.records[0]
    kind: EntryKind = "directory" if first.is_directory else "file"
    if item.rock_ridge is not None and item.rock_ridge.child is not None:
        kind = "other"  # stands in for a relocated directory; its extent is no content
    extents = _extents(path, item.records, source) if kind != "other" else ()
    size = sum(length for _, length in extents) if kind == "file" else 0
    when = recorded_time(first.raw[18:25])
    return Entry(path, kind, size, None, None, None, when, None, extents)


def _kind(known: RockRidge, record: DirectoryRecord) -> EntryKind:
    if record.is_directory or known.child is not None:
        return "directory"
    if known.mode is None or stat.S_IFMT(known.mode) in (0, stat.S_IFREG):
        return "symlink" if known.target is not None else "file"
    return "symlink" if stat.S_ISLNK(known.mode) else "other"


def _rock_ridge_entry(path: str, item: Item, known: RockRidge, source: ByteSource) -> Entry:
    kind: EntryKind = _kind(known, item.records[0])
    extents = _extents(path, item.records, source) if kind in ("file", "directory") else ()
    if known.child is not None:
        extents = ()
    return Entry(
        path=path,
        kind=kind,
        size=sum(length for _, length in extents) if kind == "file" else 0,
        mode=None if known.mode is None else stat.S_IMODE(known.mode),
        uid=known.uid,
        gid=known.gid,
        mtime=known.mtime or recorded_time(item.records[0].raw[18:25]),
        target=None if known.target is None else _decode(known.target),
        extents=extents,
    )
