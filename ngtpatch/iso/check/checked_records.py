# SPDX-License-Identifier: Apache-2.0
"""The tree of directory records (ECMA-119 sections 6.8 and 9.1) behind one descriptor."""

from __future__ import annotations

from dataclasses import dataclass, field

from ngtpatch.iso.check.checked_descriptors import Descriptor
from ngtpatch.iso.check.faults import SECTOR, Image, Range
from ngtpatch.iso.check.system_use import SystemUse, read_system_use, skip_length

__all__ = ["CheckedRecord", "CheckedTree", "Folder", "check_records"]

_DIRECTORY, _ASSOCIATED, _MORE = 0x02, 0x04, 0x80
_SELF, _PARENT = b"\0", b"\1"
_DEEPEST = 1000


@dataclass(frozen=True)
class CheckedRecord:
    """One directory record."""

    offset: int
    extent: int
    length: int
    flags: int
    name: bytes
    use: SystemUse | None

    @property
    def is_directory(self) -> bool:
        """Whether bit 1 of the file flags is set (9.1.6)."""
        return bool(self.flags & _DIRECTORY)

    @property
    def start(self) -> int:
        """Where the content begins, in bytes."""
        return self.extent * SECTOR


@dataclass
class Folder:
    """A directory as it is recorded: where relocated, under its new parent."""

    extent: int
    length: int
    name: bytes
    parent: int
    depth: int
    records: list[CheckedRecord] = field(default_factory=list)


@dataclass
class CheckedTree:
    """All directories of one descriptor, by their first sector.

    Attributes:
        descriptor: where it starts from.
        folders: directories by sector.
        ranges: what it claims of the image.
        rock_ridge: whether SUSP is in use.
        names: file path -> (start, length) of its content, by the most expressive names.
    """

    descriptor: Descriptor
    folders: dict[int, Folder] = field(default_factory=dict)
    ranges: list[Range] = field(default_factory=list)
    rock_ridge: bool = False
    names: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)


def check_records(image: Image, descriptor: Descriptor) -> CheckedTree:
    """Walk the tree and check every record on the way."""
    return _Walk(image, descriptor).run()


class _Walk:
    def __init__(self, image: Image, descriptor: Descriptor) -> None:
        self._image, self._report = image, image.report
        self._tree = CheckedTree(descriptor)
        self._end = min(descriptor.space * SECTOR, image.size)
        self._skip: int | None = None
        self._areas: dict[tuple[int, int], Range] = {}
        self._label = "iso9660" if descriptor.tree == "enhanced" else descriptor.tree

    def run(self) -> CheckedTree:
        root, at = self._tree.descriptor.root, self._tree.descriptor.offset + 156
        if root[0] < 34 or not root[25] & _DIRECTORY or root[32:34] != b"\1\0":
            self._report.error("root", at, "the descriptor holds no record of a root directory")
            return self._tree
        extent = self._image.both32(root, 2, at, "the root's extent")
        length = self._image.both32(root, 10, at, "the root's length")
        if self._label == "iso9660":
            self._skip = self._skip_length(extent)
        self._tree.rock_ridge = self._skip is not None
        pending = [Folder(extent, length, _SELF, extent, 1)]
        while pending:
            folder = pending.pop()
            self._tree.folders[folder.extent] = folder
            self._read(folder)
            for record in folder.records:
                if record.is_directory and record.name not in (_SELF, _PARENT):
                    if record.extent in self._tree.folders or folder.depth > _DEEPEST:
                        self._report.error(
                            "loop", record.offset, "a directory is listed in two places"
                        )
                        continue
                    below = Folder(
                        record.extent, record.length, record.name, folder.extent, folder.depth + 1
                    )
                    self._tree.folders[record.extent] = below
                    pending.append(below)
        self._tree.ranges += self._areas.values()
        self._name_files()
        return self._tree

    def _skip_length(self, extent: int) -> int | None:
        first = self._image.read(extent * SECTOR, SECTOR)
        return skip_length(first[34 : first[0]]) if first else None

    def _read(self, folder: Folder) -> None:
        start = folder.extent * SECTOR
        data = self._image.read(start, folder.length)
        if not folder.length:
            self._report.error("dot", start, "a directory has no length")
            return
        if not data or start + folder.length > self._end:
            self._report.error("outside", start, "a directory lies outside the volume")
            return
        if folder.length % SECTOR:
            self._report.warning("length", start, "a directory does not fill its last sector")
        what = f"a directory of the {self._label} tree"
        self._tree.ranges.append(Range(start, start + folder.length, what))
        for sector in range(0, len(data), SECTOR):
            self._read_sector(folder, data[sector : sector + SECTOR], start + sector)
        self._check_specials(folder)
        self._check_names(folder)

    def _read_sector(self, folder: Folder, data: bytes, offset: int) -> None:
        at = 0
        while at < len(data) and data[at]:
            length = data[at]
            # 6.8.1.1: a record ends in the sector in which it begins.
            if at + length > len(data) or length < 34 or 33 + data[at + 32] > length:
                self._report.error("record", offset + at, "a directory record has no valid length")
                return
            folder.records.append(self._record(data[at : at + length], offset + at))
            at += length
        if any(data[at:]):
            self._report.error(
                "record", offset + at, "records follow the end of a sector's records"
            )

    def _record(self, raw: bytes, offset: int) -> CheckedRecord:
        image = self._image
        extent = image.both32(raw, 2, offset, "a record's extent")
        length = image.both32(raw, 10, offset, "a record's length")
        image.both16(raw, 28, offset, "a record's volume sequence number")
        if raw[1]:
            self._report.warning("extended-attributes", offset, "a record has extended attributes")
        if raw[26] or raw[27]:
            self._report.error("interleaved", offset, "a record is interleaved")
        month, day, hour, minute, second = raw[19:24]
        if any(raw[18:25]) and not (
            1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61
        ):
            self._report.warning("date", offset + 18, "a record's date is not a date")
        name = raw[33 : 33 + raw[32]]
        if raw[25] & _ASSOCIATED:
            # Linux hides it, and so does what is read here (9.1.6); others may list it.
            self._report.warning(
                "associated", offset, f"{name!r} is flagged as associated, and in no listing here"
            )
        use = None
        if self._skip is not None:
            begin = 33 + raw[32] + (1 - raw[32] % 2)
            # The root's first record holds SP itself, in front of all else (SUSP 5.3).
            if offset != self._tree.descriptor.root_offset:
                begin += self._skip
            use = read_system_use(image, raw[begin:], offset + begin, self._areas)
        return CheckedRecord(offset, extent, length, raw[25], name, use)

    def _check_specials(self, folder: Folder) -> None:
        """6.8.2.2: the first two records stand for the directory itself and its parent."""
        start = folder.extent * SECTOR
        names = [record.name for record in folder.records[:2]]
        if names == [_SELF, _SELF]:
            # isoinfo, bsdtar, 7-Zip and xorriso go by the place; pycdlib refuses it.
            self._report.warning("dot-dot", start, "a directory's parent is named as itself")
        elif names != [_SELF, _PARENT]:
            self._report.error(
                "dot", start, "a directory does not begin with itself and its parent"
            )
            return
        itself, parent = folder.records[:2]
        if (itself.extent, itself.length) != (folder.extent, folder.length):
            self._report.error(
                "dot", itself.offset, "a directory's own record differs from its parent's record"
            )
        above = self._tree.folders.get(folder.parent, folder)
        wanted = [(above.extent, above.length)]
        if self._label == "joliet":
            # libisofs (xorriso) lets each Joliet directory be its own parent; nobody minds.
            wanted.append((folder.extent, folder.length))
        if (parent.extent, parent.length) not in wanted:
            self._report.error("dot-dot", parent.offset, "a parent's record leads elsewhere")
        if not (itself.is_directory and parent.is_directory):
            self._report.error("dot", itself.offset, "a directory is not flagged as one")

    def _check_names(self, folder: Folder) -> None:
        seen: dict[bytes, CheckedRecord] = {}
        previous: CheckedRecord | None = None
        for record in folder.records[2:]:
            continues = previous is not None and bool(previous.flags & _MORE)
            if continues and previous and previous.name != record.name:
                self._report.error("extents", previous.offset, "a file's next extent is missing")
            if record.name in seen and not continues and not record.flags & _ASSOCIATED:
                self._report.error("duplicate", record.offset, f"{record.name!r} is listed twice")
            seen[record.name] = previous = record
            if not record.is_directory and record.length:
                end = record.start + record.length
                if end > self._end:
                    self._report.error(
                        "outside", record.offset, f"{record.name!r} lies outside the volume"
                    )
                what = f"{record.name!r} of the {self._label} tree"
                self._tree.ranges.append(Range(record.start, end, what, content=True))
            if record.use and record.use.is_directory not in (None, record.is_directory):
                relocated = record.use.child is not None
                if not relocated:
                    self._report.error(
                        "kind", record.offset, f"Rock Ridge gives {record.name!r} another kind"
                    )
        if previous is not None and previous.flags & _MORE:
            self._report.error("extents", previous.offset, "a file's last extent is missing")

    def _name_files(self) -> None:
        """Give every file the path that a Rock Ridge (or Joliet, or plain) reader shows."""
        folders = self._tree.folders
        first = next(iter(folders.values()), None)
        pending = [("", first)] if first else []
        visited = set()
        while pending:
            path, folder = pending.pop()
            if folder.extent in visited:
                continue
            visited.add(folder.extent)
            for record in folder.records[2:]:
                use = record.use
                if use is not None and use.relocated:
                    continue  # RRIP 4.1.5.3: RE hides it here, CL shows it where it belongs
                name = f"{path}/{self._name(record)}"
                target = record.extent if record.is_directory else None
                if use is not None and use.child is not None:
                    target = use.child
                    if target not in folders:
                        self._report.error(
                            "relocation",
                            record.offset,
                            f"{name} moved to no directory",
                        )
                        continue
                if target is not None:
                    if target in folders:
                        pending.append((name, folders[target]))
                    continue
                extent = (record.start, record.length)
                self._tree.names[name] = (*self._tree.names.get(name, ()), extent)

    def _name(self, record: CheckedRecord) -> str:
        if record.use is not None and record.use.name is not None:
            return record.use.name.decode(errors="surrogateescape")
        if self._label == "joliet":
            return record.name.decode("utf-16-be", errors="replace").split(";")[0]
        return record.name.decode("latin-1").split(";")[0].rstrip(".")
