# SPDX-License-Identifier: Apache-2.0
"""Puts new content where an image has room for it, and tells every tree.

Content that fits the sectors of the old stays there. What outgrows them, or shares them
with a hard link that is to keep its content, gets an extent of its own at the image's end.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping

from ngtpatch.errors import Refusal
from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.edit.targets import Target
from ngtpatch.iso.read import ecma167
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, both32, sectors
from ngtpatch.iso.read.ecma167 import FileEntry
from ngtpatch.iso.read.entry import Extents
from ngtpatch.iso.read.record_tree import RecordedNode
from ngtpatch.iso.read.udf_tree import UdfNode
from ngtpatch.iso.read.volume import Volume

__all__ = ["Content", "Placement", "set_file_entry", "set_record"]

Content = bytes | ByteSource
"""A file's new content, in memory or read when it is asked for."""

_LARGEST_CONTENT = (1 << 30) - 1
"""One allocation descriptor's worth (ECMA-167 4/14.14.1.1); held in memory besides."""
_LARGEST_IN_PLACE = 16 << 20
"""What is larger moves, so that the way back is in the image and not in its record."""


class Placement:
    """Replaces contents in a draft, one target at a time."""

    def __init__(
        self,
        volume: Volume,
        draft: Draft,
        *,
        owners: Collection[int],
        rooms: Mapping[int, int],
    ) -> None:
        """Prepare.

        Args:
            volume: what is edited.
            draft: where the edit is written.
            owners: offsets of all the records and file entries that the whole edit gives
                new content, as in :class:`~ngtpatch.iso.read.usage.Use`; who else uses an
                extent keeps it.
            rooms: reserved room in bytes, by the offset of the extent it belongs to.
        """
        self._volume, self._draft = volume, draft
        self._owners, self._rooms = owners, rooms
        self.reserved: dict[int, int] = {}
        self.scrubbed: list[tuple[int, int]] = []
        self._claimed: list[tuple[int, int]] = []

    def put(self, target: Target, content: Content, *, reserve: int = 0) -> None:
        """Give *target* its new content in every tree.

        Args:
            target: the file.
            content: all of it. What is not in memory goes to new sectors, so that what it
                replaces stays where it is: the way back needs no copy of that.
            reserve: bytes of room that the extent shall have at least.

        Raises:
            Refusal: ``too-large`` or ``hard-link``.
        """
        length = _length(content)
        if max(length, reserve) > _LARGEST_CONTENT:
            raise Refusal("too-large", "is given more than 1 GiB of content", path=target.path)
        groups: dict[Extents, tuple[list[RecordedNode], list[UdfNode]]] = {}
        for node in target.records.values():
            groups.setdefault(node.entry.extents, ([], []))[0].append(node)
        if target.udf:
            self._refuse_udf_links(target)
            groups.setdefault(target.udf.entry.extents, ([], []))[1].append(target.udf)
        moved: int | None = None
        for extents, (nodes, udf_nodes) in groups.items():
            embedded = bool(udf_nodes) and udf_nodes[0].file_entry.form == "embedded"
            start: int | None = None
            if isinstance(content, bytes):
                if embedded and _fits_embedded(udf_nodes[0].file_entry, content):
                    set_file_entry(self._volume, self._draft, udf_nodes[0].file_entry, content)
                    continue
                if embedded:
                    extents = ()  # noqa: PLW2901 - the content leaves the file entry
                start = self._in_place(extents or self._empty_room(nodes), content, reserve)
            if start is None:
                if moved is None:
                    moved = self._append(content, reserve)
                start = moved
            elif content:
                assert isinstance(content, bytes)  # noqa: S101 - nothing else stays in place
                self._draft.write(start, content + bytes(-length % SECTOR))
            for node in nodes:
                set_record(self._draft, node.records[0].offset, start, length)
            for udf_node in udf_nodes:
                set_file_entry(self._volume, self._draft, udf_node.file_entry, content, start)

    def new(self, content: bytes, *, reserve: int = 0) -> int:
        """Write the content of a new file, and return its offset.

        Raises Refusal ``too-large``.
        """
        if max(len(content), reserve) > _LARGEST_CONTENT:
            raise Refusal("too-large", "more than 1 GiB of content is to be added")
        return self._append(content, reserve) if content or reserve else 0

    def scrub(self, target: Target) -> None:
        """Overwrite a file's content in all its places, slack included.

        Comes before any :meth:`put` of the same edit, which may use the sectors again.

        Raises:
            Refusal: ``shared-extent``: another file keeps the same content.
        """
        for node in target.records.values():
            self._scrub(target, node.entry.extents)
        if target.udf and target.udf.file_entry.form == "embedded":
            self._clear_embedded(target.udf.file_entry)
        elif target.udf:
            self._scrub(target, target.udf.entry.extents)

    def wipe(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Overwrite ranges that are nobody's. Comes before any :meth:`put`, likewise."""
        for offset, length in ranges:
            self._draft.zero(offset, length)
            self.scrubbed.append((offset, length))

    def blank_behind_last(self, kept: Collection[Target], removed: Collection[Target]) -> None:
        """Zero what removed and shortened files leave behind the last file of the UDF tree.

        7-Zip looks for an anchor behind the last file, over zeros alone. What is zeroed here the
        way back restores. Comes last: it reads where the files are now.
        """
        if self._volume.udf is None:
            return
        old = {target.udf.entry.path: target for target in (*kept, *removed) if target.udf}
        entries = self._volume.entries("udf")
        ends = [sum(e) for path in entries.keys() - old.keys() for e in entries[path].extents]
        for target in kept:
            ends += self._ends(target.udf)
        last = sectors(max(ends, default=0)) * SECTOR
        for path in sorted(old):
            for offset, length in entries[path].extents:
                start, end = max(offset, last), offset + sectors(length) * SECTOR
                if start < end and not self._others(start, end - start):
                    self._draft.zero(start, end - start)

    def _ends(self, node: UdfNode | None) -> list[int]:
        """Return where the extents of an edited file end now."""
        if node is None or self._volume.udf is None:
            return []
        offset, first = node.file_entry.offset, self._volume.udf.partition_start
        now = ecma167.parse_file_entry(self._draft.read_at(offset, SECTOR), offset)
        return [(first + one.block) * SECTOR + one.length for one in now.allocations]

    def room(self, extents: Extents) -> int:
        """Return how many bytes may be written from the start of a file's only extent."""
        offset, length = extents[0]
        return max(sectors(length) * SECTOR, self._rooms.get(offset, 0))

    def _in_place(self, extents: Extents, content: bytes, reserve: int) -> int | None:
        """Return the old offset if the content can stay there."""
        if not (content or reserve):
            return extents[0][0] if extents else 0
        if not extents:
            return None
        room = self.room(extents)
        if (
            len(content) > _LARGEST_IN_PLACE
            or len(extents) > 1
            or extents[0][0] % SECTOR
            or max(len(content), reserve) > room
        ):
            return None
        start = extents[0][0]
        taken = any(start < end and other < start + room for other, end in self._claimed)
        if taken or self._others(start, room):
            return None
        self._claimed.append((start, start + room))
        if extents[0][0] in self._rooms:
            self.reserved[extents[0][0]] = room
        return extents[0][0]

    def _empty_room(self, nodes: list[RecordedNode]) -> Extents:
        """Return the reserved room of an empty file: its record still says where."""
        places = {node.records[0].data_start * SECTOR for node in nodes}
        return tuple((place, 0) for place in places if place in self._rooms)

    def _append(self, content: Content, reserve: int) -> int:
        if not isinstance(content, bytes):
            return self._draft.append_from(content)
        start = self._draft.append(content, room=reserve)
        if sectors(reserve) > sectors(len(content)):
            self.reserved[start] = sectors(reserve) * SECTOR
        return start

    def _others(self, offset: int, length: int) -> list[str]:
        uses = self._volume.usage.of(offset, length)
        return [use.what for use in uses if use.owner not in self._owners]

    def _scrub(self, target: Target, extents: Extents) -> None:
        for offset, length in extents:
            self.scrub_range(target, offset, max(length, self._rooms.get(offset, 0)))

    def scrub_range(self, target: Target, offset: int, length: int) -> None:
        """Overwrite the sectors of a range that held a file's content, now or earlier.

        Raises:
            Refusal: ``shared-extent``: another file has its content there.
        """
        start = offset - offset % SECTOR
        whole = sectors(offset + length - start) * SECTOR
        others = self._others(start, whole)
        if others:
            raise Refusal(
                "shared-extent",
                f"cannot be overwritten: {others[0]} has its content in the same place",
                path=target.path,
                hint="replace or remove both",
            )
        self._draft.zero(start, whole)
        self.scrubbed.append((start, whole))

    def _clear_embedded(self, file_entry: FileEntry) -> None:
        start = file_entry.offset + file_entry.area[0]
        length = SECTOR - file_entry.area[0]
        self._draft.zero(start, length)
        self.scrubbed.append((start, length))

    def _refuse_udf_links(self, target: Target) -> None:
        assert target.udf is not None and self._volume.udf is not None  # noqa: S101, PT018
        links = self._volume.paths_by_file_entry.get(target.udf.block, [])
        if len(links) > 1:
            raise Refusal(
                "hard-link",
                f"is the same file as {next(p for p in links if p != target.udf.entry.path)} "
                "in the UDF tree, and one cannot change without the other",
                path=target.path,
            )


def _length(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.size


def _fits_embedded(file_entry: FileEntry, content: bytes) -> bool:
    return file_entry.area[0] + len(content) <= SECTOR


def set_record(draft: Draft, offset: int, start: int, length: int) -> None:
    """Write location of extent and data length (ECMA-119 9.1.3, 9.1.4) into a record."""
    draft.write(offset + 2, both32(start // SECTOR) + both32(length))


def set_file_entry(
    volume: Volume, draft: Draft, file_entry: FileEntry, content: Content, start: int | None = None
) -> None:
    """Write a file's length and place into its (Extended) File Entry.

    Args:
        volume: for the partition's start.
        draft: where it is written.
        file_entry: as it was read.
        content: the file's content.
        start: its offset in the image; None embeds it in the file entry.
    """
    assert volume.udf is not None  # noqa: S101
    raw = bytearray(draft.read_at(file_entry.offset, SECTOR))
    area, old_length = file_entry.area
    raw[area:] = bytes(SECTOR - area)
    flags = struct.unpack_from("<H", raw, 34)[0] & ~7
    length = _length(content)
    if start is None:
        assert isinstance(content, bytes)  # noqa: S101 - what is embedded is small
        area_data, flags, recorded = content, flags | 3, 0
    else:
        recorded = sectors(length)
        block = start // SECTOR - volume.udf.partition_start
        area_data = struct.pack("<II", length, block) if length else b""
        if file_entry.form == "long":
            area_data += bytes(8) if length else b""
            flags |= 1
    raw[area : area + len(area_data)] = area_data
    struct.pack_into("<H", raw, 34, flags)
    struct.pack_into("<Q", raw, 56, length)
    if file_entry.extended:
        struct.pack_into("<QQ", raw, 64, length, recorded)
    else:
        struct.pack_into("<Q", raw, 64, recorded)
    struct.pack_into("<I", raw, 212 if file_entry.extended else 172, len(area_data))
    covered = struct.unpack_from("<H", raw, 10)[0]
    if covered == area + old_length - 16:
        covered = area + len(area_data) - 16
    draft.write(file_entry.offset, ecma167.retag(bytes(raw), crc_length=covered))
