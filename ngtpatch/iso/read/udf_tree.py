# SPDX-License-Identifier: Apache-2.0
"""The UDF tree of an image: volume recognition, one partition, file entries, directories."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ngtpatch.errors import InputError
from ngtpatch.iso.read import ecma167
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.ecma167 import FileEntry, FileIdentifier
from ngtpatch.iso.read.entry import Budget, Entry, Extents, check_name, coalesce

__all__ = ["UdfDirectory", "UdfNode", "UdfTree", "read_udf_tree"]

_FIRST_ANCHOR = 256
_LARGEST_LINK = 64 << 10


@dataclass(frozen=True, slots=True)
class UdfNode:
    """An entry, the file entry it leads to, and the directory that names it."""

    entry: Entry
    file_entry: FileEntry
    block: int
    parent: str


@dataclass(frozen=True, slots=True)
class UdfDirectory:
    """A directory's file entry and its file identifiers, in the order recorded."""

    file_entry: FileEntry
    block: int
    identifiers: tuple[FileIdentifier, ...]


@dataclass(frozen=True)
class UdfTree:
    """A UDF volume with one plain partition.

    Attributes:
        partition_start: first sector of the partition; logical blocks count from here.
        partition_length: its length in sectors.
        anchors: offsets of the anchors found, in bytes.
        partitions: offsets of every Partition Descriptor, main and reserve sequence.
        integrity: offset of the Logical Volume Integrity Descriptor; None without one.
        structures: (offset, length) of all the above and the sequences they stand in.
        nodes: by path.
        directories: by path; ``""`` is the root.
    """

    partition_start: int
    partition_length: int
    anchors: tuple[int, ...]
    partitions: tuple[int, ...]
    integrity: int | None
    structures: tuple[tuple[int, int], ...]
    nodes: dict[str, UdfNode] = field(default_factory=dict)
    directories: dict[str, UdfDirectory] = field(default_factory=dict)


def read_udf_tree(source: ByteSource, end: int, budget: Budget) -> UdfTree:
    """Read the UDF tree of an image whose volume ends at sector *end*.

    Raises:
        InputError: ``hostile`` (damaged, loops, outside the image), ``hostile-name`` or
            ``unsupported`` (several partitions, sparable or virtual ones).
    """
    return _UdfReader(source, end, budget).read()


class _UdfReader:
    def __init__(self, source: ByteSource, end: int, budget: Budget) -> None:
        self._source, self._end, self._budget = source, end, budget
        self._start = self._length = 0

    def read(self) -> UdfTree:
        anchors = self._anchors()
        anchor = self._source.read_at(anchors[0], 512)
        structures = [(offset, SECTOR) for offset in anchors]
        partitions: list[int] = []
        logical_volume = b""
        for at in (16, 24):
            length, extent = struct.unpack_from("<II", anchor, at)
            structures.append((extent * SECTOR, length))
            for offset, tag, data in self._sequence(extent, length):
                if tag == ecma167.PARTITION:
                    partitions.append(offset)
                elif tag == ecma167.LOGICAL_VOLUME and not logical_volume:
                    logical_volume = data
        if not partitions or not logical_volume:
            raise InputError("hostile", "its UDF volume describes no partition")
        self._take_partition(partitions, logical_volume)
        integrity = self._integrity(logical_volume, structures)
        tree = UdfTree(
            partition_start=self._start,
            partition_length=self._length,
            anchors=anchors,
            partitions=tuple(partitions),
            integrity=integrity,
            structures=tuple(structures),
        )
        _, block, _ = ecma167.parse_long_ad(logical_volume, 248)
        file_set = self._block(block, ecma167.FILE_SET, "the file set descriptor")
        _, root, _ = ecma167.parse_long_ad(file_set, 400)
        self._walk(tree, root)
        return tree

    def _anchors(self) -> tuple[int, ...]:
        found = []
        for sector in (_FIRST_ANCHOR, self._end - 1, self._end - 257, 512):
            data = self._source.read_at(sector * SECTOR, SECTOR) if sector > 0 else b""
            if data[:2] != struct.pack("<H", ecma167.ANCHOR):
                continue
            if struct.unpack_from("<I", data, 12)[0] == sector:
                ecma167.check_tag(data, (ecma167.ANCHOR,), "an anchor")
                found.append(sector * SECTOR)
        if not found:
            raise InputError("hostile", "its UDF volume has no anchor")
        return tuple(dict.fromkeys(found))

    def _sequence(self, extent: int, length: int) -> list[tuple[int, int, bytes]]:
        """Read a volume descriptor sequence (3/8.4.2); at most 64 descriptors."""
        found = []
        for sector in range(extent, extent + min(sectors(length), 64)):
            data = self._source.read_at(sector * SECTOR, SECTOR)
            tag = struct.unpack_from("<H", data)[0] if len(data) == SECTOR else 0
            if tag in (0, ecma167.TERMINATOR):
                break
            ecma167.check_tag(data, (tag,), "a volume descriptor")
            found.append((sector * SECTOR, tag, data))
        return found

    def _take_partition(self, partitions: list[int], logical_volume: bytes) -> None:
        block, maps = struct.unpack_from("<I", logical_volume, 212)[0], logical_volume[440:442]
        count = struct.unpack_from("<I", logical_volume, 268)[0]
        if block != SECTOR or count != 1 or maps != b"\x01\x06":
            raise InputError("unsupported", "its UDF volume has no plain partition")
        descriptor = self._source.read_at(partitions[0], SECTOR)
        self._start, self._length = struct.unpack_from("<II", descriptor, 188)
        if (self._start + self._length) * SECTOR > self._source.size:
            raise InputError("truncated", "its UDF partition reaches behind the image's end")

    def _integrity(self, logical_volume: bytes, structures: list[tuple[int, int]]) -> int | None:
        length, extent = struct.unpack_from("<II", logical_volume, 432)
        if not length:
            return None
        structures.append((extent * SECTOR, length))
        data = self._source.read_at(extent * SECTOR, SECTOR)
        ecma167.check_tag(data, (ecma167.INTEGRITY,), "the integrity descriptor")
        if struct.unpack_from("<I", data, 72)[0] != 1:
            raise InputError("unsupported", "its UDF volume has more than one partition")
        return int(extent) * SECTOR

    def _offset(self, block: int, length: int, what: str) -> int:
        if block + sectors(length) > self._length:
            raise InputError("hostile", f"{what} lies outside its UDF partition")
        return (self._start + block) * SECTOR

    def _block(self, block: int, tag: int, what: str) -> bytes:
        data = self._source.read_at(self._offset(block, SECTOR, what), SECTOR)
        ecma167.check_tag(data, (tag,), what)
        return data

    def _file_entry(self, block: int, path: str) -> FileEntry:
        offset = self._offset(block, SECTOR, f"the file entry of {path!a}")
        return ecma167.parse_file_entry(self._source.read_at(offset, SECTOR), offset)

    def _walk(self, tree: UdfTree, root: int) -> None:
        pending = [("", root, self._file_entry(root, ""))]
        seen = {root}
        while pending:
            path, block, file_entry = pending.pop()
            if file_entry.size > _allocated(file_entry):
                raise InputError("hostile", f"the UDF directory {path!r} is incomplete")
            self._budget.directory(file_entry.size)
            content = self._content(file_entry, path)
            found = []
            for identifier in ecma167.parse_identifiers(content, path):
                self._budget.records(1)
                found.append(identifier)
            tree.directories[path] = UdfDirectory(file_entry, block, tuple(found))
            taken: set[str] = set()
            for identifier in found:
                if identifier.is_parent or identifier.is_deleted:
                    continue
                name = check_name(identifier.name)
                below = f"{path}/{name}" if path else name
                if name in taken:
                    raise InputError("hostile", f"holds {below!a} twice")
                taken.add(name)
                self._budget.entry(below)
                child = self._file_entry(identifier.block, below)
                entry = self._entry(below, child)
                tree.nodes[below] = UdfNode(entry, child, identifier.block, path)
                if entry.kind == "directory":
                    if identifier.block in seen:
                        raise InputError("hostile", f"the UDF directory {below!r} contains itself")
                    seen.add(identifier.block)
                    pending.append((below, identifier.block, child))

    def _extents(self, file_entry: FileEntry, path: str) -> Extents:
        if file_entry.form == "embedded":
            start, _ = file_entry.area
            return ((file_entry.offset + start, file_entry.size),) if file_entry.size else ()
        extents, left = [], file_entry.size
        for allocation in file_entry.allocations:
            length = min(allocation.length, left)
            left -= length
            if length:
                offset = self._offset(allocation.block, length, f"{path!a}")
                extents.append((offset, length))
            if not allocation.recorded:
                raise InputError("unsupported", f"{path!a} is sparse in its UDF volume")
        if left:
            raise InputError("hostile", f"{path!a} is incomplete in its UDF volume")
        return coalesce(tuple(extents))

    def _content(self, file_entry: FileEntry, path: str) -> bytes:
        return b"".join(
            self._source.read_at(offset, length)
            for offset, length in self._extents(file_entry, path)
        )

    def _entry(self, path: str, file_entry: FileEntry) -> Entry:
        kind = file_entry.kind
        extents = self._extents(file_entry, path) if kind != "other" else ()
        target = None
        if kind == "symlink":
            if file_entry.size > _LARGEST_LINK:
                raise InputError("hostile", f"the symbolic link {path!a} is too long")
            target = ecma167.symbolic_target(self._content(file_entry, path))
        return Entry(
            path=path,
            kind=kind,
            size=file_entry.size if kind == "file" else 0,
            mode=file_entry.mode,
            uid=file_entry.uid,
            gid=file_entry.gid,
            mtime=file_entry.mtime,
            target=target,
            extents=extents if kind in ("file", "directory") else (),
        )


def _allocated(file_entry: FileEntry) -> int:
    if file_entry.form == "embedded":
        return file_entry.area[1]
    return sum(allocation.length for allocation in file_entry.allocations)
