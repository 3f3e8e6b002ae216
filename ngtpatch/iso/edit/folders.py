# SPDX-License-Identifier: Apache-2.0
"""Adds records to directories and takes them out (ECMA-119 6.8, 9.1).

A directory that outgrows its sectors moves to the image's end, and everything that points
at it follows: its own first record, its record in the parent, the second record of its
children, path tables, and Rock Ridge's links to and from relocated directories (CL, PL).
Everything is looked up in the draft as it stands, so that edits of several directories of
one tree add up.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

from ngtpatch.errors import Refusal
from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.read.ecma119 import SECTOR, DirectoryRecord, both32, parse_directory, sectors
from ngtpatch.iso.read.record_tree import RecordTree
from ngtpatch.iso.read.susp import read_system_use
from ngtpatch.iso.read.volume import Volume

__all__ = ["FolderEditor", "sort_key"]


class FolderEditor:
    """Edits the directories of one tree in a draft; each directory at most once."""

    def __init__(self, volume: Volume, draft: Draft, tree: RecordTree) -> None:
        """Take the tree; for Rock Ridge that of its names, since it knows its children."""
        self._volume, self._draft, self._tree = volume, draft, tree
        # A directory's extent in the vendor's image -> where it is now, and how long.
        self._places = {e: (e, d.length) for e, d in tree.directories.items()}
        # By the records that name them: libisofs lets ".." of Joliet lead to itself.
        self._parents = {
            record.data_start: extent
            for extent, directory in tree.directories.items()
            for item in directory.items
            for record in item.records
            if record.is_directory
        }

    def change(self, path: str, *, add: Collection[bytes], remove: Collection[int]) -> None:
        """Change a directory's records.

        Args:
            path: of the directory in this tree.
            add: whole records; each goes where the order of identifiers wants it.
            remove: offsets in the image of the records to take out.
        """
        extent = self._tree.extent_of[path]
        old, length = self._places[extent]
        records = [r for r in self._records(old, length) if r.offset not in remove]
        raw = [record.raw for record in records]
        if [record.identifier for record in records[:2]] != [b"\0", b"\1"]:
            raise Refusal("damaged-directory", "does not begin with itself", path=path)
        joliet = self._tree.descriptor.kind == "joliet"
        keys = [sort_key(record.identifier, joliet=joliet) for record in records]
        for new in add:
            # Before the first greater identifier: an order that is not sorted is kept.
            key = sort_key(_identifier(new), joliet=joliet)
            at = next((at for at in range(2, len(keys)) if keys[at] > key), len(keys))
            raw.insert(at, new)
            keys.insert(at, key)
        packed = _pack(raw)
        room = sectors(length) * SECTOR
        if len(packed) > room:
            self._settle(extent, self._draft.append(packed) // SECTOR, len(packed))
            return
        self._draft.write(old * SECTOR, packed + bytes(room - len(packed)))
        if any(packed[length:]):
            # The length was exact, and the directory has grown within its last sector.
            self._settle(extent, old, room)

    def _records(self, extent: int, length: int) -> list[DirectoryRecord]:
        data = self._draft.read_at(extent * SECTOR, length)
        return list(parse_directory(data, extent * SECTOR))

    def _settle(self, extent: int, new: int, length: int) -> None:
        """Let everything that points at a directory know where it is now, and how long."""
        old, _ = self._places[extent]
        place = (new, length)
        self._places[extent] = place
        first, second, *others = self._records(*place)
        self._point(first.offset, place)
        if second.extent == old:
            self._point(second.offset, place)
        if extent == self._tree.descriptor.root.extent:
            for descriptor in self._volume.descriptors.all:
                if descriptor.root.extent == extent:
                    self._point(descriptor.root.offset, place)
        else:
            for record in self._records(*self._places[self._parents[extent]]):
                if record.is_directory and not record.is_special and record.extent == old:
                    self._point(record.offset, place)
        for record in others:
            if record.is_directory:
                child = self._records(*self._current(record.data_start))
                if len(child) < 2:
                    sector = record.data_start
                    raise Refusal(
                        "damaged-directory", f"at sector {sector} does not name its parent"
                    )
                if child[1].extent == old:
                    self._point(child[1].offset, place)
        if new != old:
            self._point_relocated(old, new)
            self._point_path_tables(old, new)

    def _current(self, extent: int) -> tuple[int, int]:
        for place in self._places.values():
            if place[0] == extent:
                return place
        # Listed as a directory, and not read as one: a record that is associated, say.
        raise Refusal("damaged-directory", f"leads to no directory at sector {extent}")

    def _point(self, offset: int, place: tuple[int, int]) -> None:
        extent, length = place
        self._draft.write(offset + 2, both32(extent) + both32(length))

    def _point_relocated(self, old: int, new: int) -> None:
        """Follow the links to (CL) and from (PL) relocated directories (RRIP 4.1.5)."""
        if self._tree.skip is None:
            return
        for place in self._places.values():
            for record in self._records(*place):
                for entry in read_system_use(self._draft, record, self._skip_of(record)):
                    linked = entry.signature in (b"CL", b"PL") and len(entry.data) >= 8
                    if linked and struct.unpack_from("<I", entry.data)[0] == old:
                        self._draft.write(entry.offset + 4, both32(new))

    def _skip_of(self, record: DirectoryRecord) -> int:
        # SUSP 5.3: the root's first record has no bytes to skip: SP says how many there are.
        root = self._places[self._tree.descriptor.root.extent][0]
        if record.identifier == b"\0" and record.offset == root * SECTOR:
            return 0
        return self._tree.skip or 0

    def _point_path_tables(self, old: int, new: int) -> None:
        done = set()
        for descriptor in self._volume.descriptors.all:
            if descriptor.root.extent != self._tree.descriptor.root.extent:
                continue
            for start, order in zip(descriptor.path_tables, "<<>>", strict=True):
                if start and start not in done:
                    done.add(start)
                    self._point_path_table(start, descriptor.path_table_size, order, old, new)

    def _point_path_table(self, start: int, size: int, order: str, old: int, new: int) -> None:
        for offset, extent in _path_table(self._draft, start * SECTOR, size, order):
            if extent == old:
                self._draft.write(offset + 2, struct.pack(order + "I", new))


def _path_table(draft: Draft, start: int, size: int, order: str) -> Iterator[tuple[int, int]]:
    """Yield each path table record's offset in the image, and its extent."""
    data = draft.read_at(start, size)
    at = 0
    while at + 8 <= len(data) and data[at]:
        yield start + at, struct.unpack_from(order + "I", data, at + 2)[0]
        at += 8 + data[at] + data[at] % 2


def _pack(records: list[bytes]) -> bytes:
    """Lay records into sectors: none crosses from one to the next (6.8.1.1)."""
    packed = bytearray()
    for record in records:
        left = -len(packed) % SECTOR
        if left < len(record) and left:
            packed += bytes(left)
        packed += record
    return bytes(packed) + bytes(sectors(len(packed)) * SECTOR - len(packed))


def _identifier(record: bytes) -> bytes:
    return record[33 : 33 + record[32]]


def sort_key(identifier: bytes, *, joliet: bool) -> tuple[str, str, int]:
    """Return the order of identifiers (9.3): name, extension, then the latest version."""
    name = identifier.decode("utf-16-be" if joliet else "latin-1", "replace")
    name, _, version = name.partition(";")
    stem, _, extension = name.partition(".")
    number = int(version) if version.isascii() and version.isdigit() else 1
    return stem.ljust(222), extension.ljust(222), -number
