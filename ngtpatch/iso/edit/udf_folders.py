# SPDX-License-Identifier: Apache-2.0
"""Adds names to UDF directories and takes them out (ECMA-167 4/14.4, 4/14.9)."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping

from ngtpatch.errors import Refusal
from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.edit.placement import Placement, set_file_entry
from ngtpatch.iso.read import ecma167
from ngtpatch.iso.read.ecma119 import SECTOR
from ngtpatch.iso.read.ecma167 import FileEntry, FileIdentifier
from ngtpatch.iso.read.udf_tree import UdfTree
from ngtpatch.iso.read.volume import Volume

__all__ = ["UdfFolderEditor"]

_LONGEST_NAME = 254


class UdfFolderEditor:
    """Edits the directories of the UDF tree in a draft; each directory at most once."""

    def __init__(self, volume: Volume, draft: Draft, placement: Placement, tree: UdfTree) -> None:
        """Take the tree, and the placement that knows which room is left where."""
        self._volume, self._draft, self._placement, self._tree = volume, draft, placement, tree

    def change(
        self, path: str, *, add: Mapping[str, tuple[NewFile, int]], remove: Collection[str]
    ) -> None:
        """Change what a directory names.

        Args:
            path: of the directory.
            add: files by name, with the offset of their content in the image.
            remove: names to take out.
        """
        folder = self._tree.directories[path]
        kept = [i for i in folder.identifiers if i.name not in remove or i.is_parent]
        gone = [i for i in folder.identifiers if i not in kept]
        raw = [identifier.raw for identifier in kept]
        for name, (file, start) in add.items():
            raw.append(
                self._new_identifier(f"{path}/{name}", name, folder.identifiers[0], file, start)
            )
        for identifier in gone:
            self._unlink(identifier)
        self._store(folder.file_entry, folder.block, raw)
        self._count(len(add) - len(gone))

    def _store(self, file_entry: FileEntry, block: int, raw: list[bytes]) -> None:
        length = sum(len(one) for one in raw)
        extents = self._extents(file_entry)
        if file_entry.form == "embedded" and file_entry.area[0] + length <= SECTOR:
            content = _located(raw, block, embedded=True)
            set_file_entry(self._volume, self._draft, file_entry, content)
            return
        room = self._placement.room(extents) if len(extents) == 1 else 0
        start = extents[0][0] if length <= room else self._draft.append(bytes(length))
        content = _located(raw, start // SECTOR - self._tree.partition_start, embedded=False)
        self._draft.write(start, content + bytes(-len(content) % SECTOR))
        set_file_entry(self._volume, self._draft, file_entry, content, start)

    def _extents(self, file_entry: FileEntry) -> tuple[tuple[int, int], ...]:
        if file_entry.form == "embedded":
            return ()
        start = self._tree.partition_start
        return tuple(((start + a.block) * SECTOR, a.length) for a in file_entry.allocations)

    def _new_identifier(
        self, path: str, name: str, like: FileIdentifier, file: NewFile, start: int
    ) -> bytes:
        identifier = ecma167.encode_identifier(name)
        if len(identifier) > _LONGEST_NAME:
            raise Refusal("bad-name", "has too long a name for UDF", path=path)
        unique = self._next_unique()
        block = self._new_file_entry(path.rpartition("/")[0], file, start, unique)
        head = like.raw[:16] + struct.pack("<HBB", 1, 0, len(identifier))
        # long_ad (4/14.14.2); UDF 2.3.4.3 keeps the low half of the unique id in it.
        head += struct.pack("<IIHHI", SECTOR, block, 0, 0, unique & 0xFFFFFFFF)
        raw = head + struct.pack("<H", 0) + identifier
        raw += bytes(-len(raw) % 4)
        return ecma167.retag(raw, crc_length=len(raw) - 16)

    def _new_file_entry(self, folder: str, file: NewFile, start: int, unique: int) -> int:
        """Append a File Entry made like the directory's own, and return its logical block."""
        own = self._tree.directories[folder].file_entry
        offset = self._draft.append(bytes(SECTOR))
        block = offset // SECTOR - self._tree.partition_start
        fixed = 216 if own.extended else 176
        raw = bytearray(self._draft.read_at(own.offset, SECTOR)[:fixed].ljust(SECTOR, b"\0"))
        raw[27] = 5  # file type: sequence of bytes (4/14.6.6)
        flags = struct.unpack_from("<H", raw, 34)[0]
        struct.pack_into("<H", raw, 34, flags & ~7 & ~0x0008)
        struct.pack_into("<I", raw, 44, ecma167.permissions_of(file.mode))
        struct.pack_into("<H", raw, 48, 1)
        struct.pack_into("<Q", raw, 200 if own.extended else 160, unique)
        struct.pack_into("<II", raw, 208 if own.extended else 168, 0, 0)
        if own.extended:
            raw[152:168] = bytes(16)  # no stream directory
        raw[136 if own.extended else 112 :][:16] = bytes(16)
        blank = ecma167.retag(bytes(raw), location=block, crc_length=fixed - 16)
        self._draft.write(offset, blank)
        entry = ecma167.parse_file_entry(blank, offset)
        set_file_entry(self._volume, self._draft, entry, file.content, start)
        return block

    def _unlink(self, identifier: FileIdentifier) -> None:
        """Lower the link count of a file entry that other names lead to as well."""
        offset = (self._tree.partition_start + identifier.block) * SECTOR
        raw = bytearray(self._draft.read_at(offset, SECTOR))
        links = struct.unpack_from("<H", raw, 48)[0]
        if links > 1:
            struct.pack_into("<H", raw, 48, links - 1)
            self._draft.write(offset, ecma167.retag(bytes(raw)))

    def _next_unique(self) -> int:
        """Take the next unique id from the integrity descriptor (UDF 3.2.1.1)."""
        if self._tree.integrity is None:
            return 0
        raw = bytearray(self._draft.read_at(self._tree.integrity, SECTOR))
        unique = struct.unpack_from("<Q", raw, 40)[0]
        struct.pack_into("<Q", raw, 40, unique + 1)
        self._draft.write(self._tree.integrity, ecma167.retag(bytes(raw)))
        return int(unique)

    def _count(self, more: int) -> None:
        """Keep the number of files in the integrity descriptor right (UDF 2.2.6.4)."""
        if self._tree.integrity is None:
            return
        raw = bytearray(self._draft.read_at(self._tree.integrity, SECTOR))
        if struct.unpack_from("<I", raw, 76)[0] >= 46:
            files = struct.unpack_from("<I", raw, 120)[0]
            struct.pack_into("<I", raw, 120, max(files + more, 0))
            self._draft.write(self._tree.integrity, ecma167.retag(bytes(raw)))


def _located(raw: list[bytes], block: int, *, embedded: bool) -> bytes:
    """Join identifiers, each tagged with the logical block where it starts (3/7.2.8)."""
    content = b""
    for one in raw:
        at = block if embedded else block + len(content) // SECTOR
        content += ecma167.retag(one, location=at)
    return content
