# SPDX-License-Identifier: Apache-2.0
"""The directory record of a file that an image did not have.

It is made like its neighbours: same use of versions, same Rock Ridge fields. Owner and
times are those of its directory, so that the same edit always gives the same bytes.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import (
    SECTOR,
    DirectoryRecord,
    both16,
    both32,
    parse_directory,
)
from ngtpatch.iso.read.record_tree import RecordTree
from ngtpatch.iso.read.susp import SystemUseEntry, read_rock_ridge, read_system_use, sharing

__all__ = ["NewFile", "NewRecords"]

_LONGEST_RECORD = 254
_LONGEST_JOLIET_NAME = 64
_JOLIET_FORBIDDEN = frozenset("*/:;?\\")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be added.

    Attributes:
        content: all of it.
        mode: permission bits, where the tree records any.
        secret: its digest is not recorded.
    """

    content: bytes
    mode: int = 0o644
    secret: bool = False


class NewRecords:
    """Makes records for one tree; identifiers and serial numbers stay unique among them."""

    def __init__(self, source: ByteSource, tree: RecordTree, *, named: bool) -> None:
        """Look at what the tree's files have in common.

        Args:
            source: the image, as it stands.
            tree: where files are added.
            named: whether paths are to be read back here; otherwise identifiers may be
                shortened, since another tree is the one that names the files.
        """
        self._source, self._tree, self._named = source, tree, named
        self._joliet = tree.descriptor.kind == "joliet"
        self._taken: dict[str, set[bytes]] = {}
        files = [node for node in tree.nodes.values() if node.entry.kind == "file"]
        ending = ";1".encode("utf-16-be") if self._joliet else b";1"
        # Without any file, there should be one (ECMA-119 7.5.1).
        versions = not files or any(n.records[0].identifier.endswith(ending) for n in files)
        self._version = ending if versions else b""
        names = [node.records[0].identifier.partition(b";")[0] for node in files]
        # ISO 9660:1999, or a writer that was told to bend the rules.
        self._lower_case = any(name != name.upper() for name in names)
        # Eight, a dot and three: interchange level 1 (10.1).
        self._long_names = any(len(name) > 12 for name in names)
        self._neighbour: tuple[SystemUseEntry, ...] = ()
        self._serial = 0
        if tree.skip is not None:
            for node in files[:1]:
                self._neighbour = read_system_use(source, node.records[0], tree.skip)
            known = (node.rock_ridge for node in tree.nodes.values() if node.rock_ridge)
            self._serial = max((ridge.serial or 0 for ridge in known), default=0)

    def make(self, path: str, file: NewFile, start: int) -> bytes:
        """Return the directory record of a new file.

        Args:
            path: its path in this tree; the directory is there already.
            file: its mode and length.
            start: offset of its content in the image.

        Raises:
            Refusal: ``bad-name``: the tree cannot record this name.
        """
        folder, _, name = path.rpartition("/")
        extent = self._tree.extent_of[folder]
        own = next(parse_directory(self._source.read_at(extent * SECTOR, SECTOR), extent * SECTOR))
        identifier = self._identifier(path, folder, name)
        use = b"" if self._tree.skip is None else self._system_use(own, path, name, file)
        body = (
            b"\0"
            + both32(start // SECTOR)
            + both32(len(file.content))
            + own.raw[18:25]
            + b"\0\0\0"
            + both16(1)
            + bytes([len(identifier)])
            + identifier
            + bytes(1 - len(identifier) % 2)
            + use
        )
        body += bytes(1 - len(body) % 2)
        if len(body) + 1 > _LONGEST_RECORD:
            raise Refusal("bad-name", "has too long a name to be added", path=path)
        return bytes([len(body) + 1]) + body

    def _identifier(self, path: str, folder: str, name: str) -> bytes:
        if folder not in self._taken:
            records = self._tree.directories[self._tree.extent_of[folder]].records
            self._taken[folder] = {r.identifier.upper() for r in records if not r.is_special}
        if self._joliet:
            identifier = _joliet_identifier(path, name) + self._version
        elif self._named and self._tree.skip is None:
            identifier = self._exact_identifier(path, name, self._taken[folder])
        else:
            identifier = self._short_identifier(path, name, self._taken[folder])
        self._taken[folder].add(identifier.upper())
        return identifier

    def _exact_identifier(self, path: str, name: str, taken: set[bytes]) -> bytes:
        used = {char for known in self._tree.nodes for char in known}
        longest = max(12, *(len(known.rpartition("/")[2]) for known in self._tree.nodes))
        if not set(name) <= _PLAIN | {"."} | used or len(name) > longest:
            raise Refusal(
                "bad-name", "has a name that this image's only tree cannot record", path=path
            )
        dotless = "." not in name and any(one.split(b";")[0].endswith(b".") for one in taken)
        return (name + ("." if dotless else "")).encode("latin-1") + self._version

    def _short_identifier(self, path: str, name: str, taken: set[bytes]) -> bytes:
        """Return a name that no sibling has, of the interchange level that the tree keeps to.

        ECMA-119 10.1 and 10.2: eight and three characters, or thirty in all.
        """

        def plain(text: str) -> str:
            return "".join(char if char in _PLAIN else "_" for char in text.upper())

        exact = name.encode("latin-1", "replace") + self._version
        if self._lower_case and name.isascii() and exact.upper() not in taken:
            return exact
        stem, dot, extension = name.rpartition(".")
        if not dot:
            stem, extension = extension, ""
        room, suffix = 8, plain(extension)[:3]
        if self._long_names:
            suffix = plain(extension)[:15]
            room = 30 - len(suffix)
        ending = f".{suffix}".encode() + self._version
        candidates = [plain(stem)[:room]]
        candidates += [f"{plain(stem)[: room - 3]}{n:03}" for n in range(1000)]
        for candidate in candidates:
            identifier = candidate.encode() + ending
            if candidate and identifier not in taken:
                return identifier
        raise Refusal("bad-name", "has no short name that is still free", path=path)

    def _system_use(self, own: DirectoryRecord, path: str, name: str, file: NewFile) -> bytes:
        """Return Rock Ridge fields of the kinds and sizes that other files have."""
        root = self._tree.descriptor.root.extent == own.extent
        shared = sharing(own) if root else None
        skip = self._tree.skip or 0
        directory = read_system_use(self._source, own, shared[0] if shared else skip)
        owner = read_rock_ridge(directory)
        like = self._neighbour or directory
        mode = both32(stat.S_IFREG | file.mode) + both32(1)
        mode += both32(owner.uid or 0) + both32(owner.gid or 0)
        if any(entry.signature == b"PX" and len(entry.data) >= 40 for entry in like):
            self._serial += 1
            mode += both32(self._serial)
        stamps = [entry.data for entry in directory if entry.signature == b"TF"][:1]
        fields = [_field(b"NM", b"\0" + name.encode("utf-8"), path), _field(b"PX", mode, path)]
        fields += [_field(b"TF", stamp, path) for stamp in stamps]
        if any(entry.signature == b"RR" for entry in like):
            # RRIP 1.09, 4.1.1: bits for PX, NM and TF.
            bits = 0x01 | 0x08 | (0x80 if stamps else 0)
            fields.insert(0, _field(b"RR", bytes([bits]), path))
        return bytes(skip) + b"".join(fields)


def _joliet_identifier(path: str, name: str) -> bytes:
    if len(name) > _LONGEST_JOLIET_NAME or set(name) & _JOLIET_FORBIDDEN:
        raise Refusal("bad-name", "has a name that Joliet cannot record", path=path)
    return name.encode("utf-16-be")


def _field(signature: bytes, data: bytes, path: str) -> bytes:
    if len(data) + 4 > _LONGEST_RECORD:
        raise Refusal("bad-name", "has too long a name to be added", path=path)
    return signature + bytes([len(data) + 4, 1]) + data
