# SPDX-License-Identifier: Apache-2.0
"""The directory record of a file that an image did not have.

It is made like its neighbours: same use of versions, same Rock Ridge fields. Owner and
times are those of its directory, so that the same edit always gives the same bytes.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.iso.directories import Node, RecordTree
from ngtpatch.iso.ecma119 import (
    SECTOR,
    DirectoryRecord,
    both16,
    both32,
    parse_directory,
)
from ngtpatch.iso.source import Source
from ngtpatch.iso.susp import SystemUseEntry, read_rock_ridge, read_system_use, sharing

__all__ = ["NewFile", "new_record"]

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


def new_record(
    source: Source,
    tree: RecordTree,
    path: str,
    file: NewFile,
    start: int,
    *,
    named: bool,
    taken: Collection[bytes] = (),
) -> bytes:
    """Return the directory record of a new file.

    Args:
        source: the image, as it stands.
        tree: where it is added.
        path: its path in this tree; the directory is there already.
        file: its mode and length.
        start: offset of its content in the image.
        named: whether *path* is the name to be read back here; otherwise the identifier
            may be shortened, since another tree is the one that names it.
        taken: identifiers that other new files of the directory have got.

    Raises:
        Refusal: ``bad-name``: the tree cannot record this name.
    """
    folder, _, name = path.rpartition("/")
    extent = tree.extent_of[folder]
    own = next(parse_directory(source.read_at(extent * SECTOR, SECTOR), extent * SECTOR))
    siblings = [r.identifier for r in tree.directories[extent].records if not r.is_special]
    siblings += taken
    joliet = tree.descriptor.kind == "joliet"
    if joliet:
        identifier = _joliet_identifier(path, name)
        identifier += ";1".encode("utf-16-be") if _versions(tree, joliet=True) else b""
    elif named and tree.skip is None:
        identifier = _exact_identifier(tree, path, name, siblings)
    else:
        identifier = _short_identifier(tree, name, siblings)
    use = b"" if tree.skip is None else _system_use(source, tree, own, name, file)
    padding = bytes(1 - len(identifier) % 2)
    body = (
        b"\0"
        + both32(start // SECTOR)
        + both32(len(file.content))
        + own.raw[18:25]
        + b"\0\0\0"
        + both16(1)
        + bytes([len(identifier)])
        + identifier
        + padding
        + use
    )
    body += bytes(1 - len(body) % 2)
    if len(body) + 1 > _LONGEST_RECORD:
        raise Refusal("bad-name", "has too long a name to be added", path=path)
    return bytes([len(body) + 1]) + body


def _joliet_identifier(path: str, name: str) -> bytes:
    if len(name) > _LONGEST_JOLIET_NAME or set(name) & _JOLIET_FORBIDDEN:
        raise Refusal("bad-name", "has a name that Joliet cannot record", path=path)
    return name.encode("utf-16-be")


def _files(tree: RecordTree) -> list[Node]:
    return [node for node in tree.nodes.values() if node.entry.kind == "file"]


def _versions(tree: RecordTree, *, joliet: bool) -> bool:
    """Tell whether the tree's files carry a version: without any file, they should (7.5.1)."""
    ending = ";1".encode("utf-16-be") if joliet else b";1"
    files = _files(tree)
    return not files or any(node.records[0].identifier.endswith(ending) for node in files)


def _exact_identifier(tree: RecordTree, path: str, name: str, siblings: Sequence[bytes]) -> bytes:
    used = {char for item in tree.nodes.values() for char in item.entry.path}
    if not set(name) <= _PLAIN | {"."} | used or len(name) > max(
        12, *(len(item.rpartition("/")[2]) for item in tree.nodes)
    ):
        raise Refusal("bad-name", "has a name that this image's only tree cannot record", path=path)
    dotless = "." not in name and any(s.split(b";")[0].endswith(b".") for s in siblings)
    return (name + ("." if dotless else "")).encode("latin-1") + (
        b";1" if _versions(tree, joliet=False) else b""
    )


def _exceeds_level_1(tree: RecordTree) -> bool:
    """Tell whether a file of the tree has a longer name than eight and three characters."""
    identifiers = (node.records[0].identifier for node in _files(tree))
    return any(len(identifier.partition(b";")[0]) > 12 for identifier in identifiers)


def _short_identifier(tree: RecordTree, name: str, siblings: Sequence[bytes]) -> bytes:
    """Return a name that no sibling has, of the interchange level that the tree keeps to.

    ECMA-119 10.1 and 10.2: eight and three characters, or thirty in all.
    """

    def plain(text: str) -> str:
        return "".join(char if char in _PLAIN else "_" for char in text.upper())

    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = extension, ""
    version = ";1" if _versions(tree, joliet=False) else ""
    room, suffix = 8, plain(extension)[:3]
    if _exceeds_level_1(tree):
        suffix = plain(extension)[:15]
        room = 30 - len(suffix)
    ending = (f".{suffix}" if suffix else ".") + version
    taken = {sibling.upper() for sibling in siblings}
    candidates = [plain(stem)[:room]] + [f"{plain(stem)[: room - 3]}{n:03}" for n in range(1000)]
    for candidate in candidates:
        identifier = (candidate + ending).encode()
        if candidate and identifier not in taken:
            return identifier
    raise Refusal("bad-name", "has no short name that is still free", path=name)


def _system_use(
    source: Source, tree: RecordTree, own: DirectoryRecord, name: str, file: NewFile
) -> bytes:
    """Return Rock Ridge fields of the kinds and sizes that other files have."""
    root = tree.descriptor.root.extent == own.extent
    shared = sharing(own) if root else None
    skip = shared[0] if shared else (tree.skip or 0)
    directory = read_system_use(source, own, skip)
    owner = read_rock_ridge(directory)
    neighbours = next(
        (read_system_use(source, node.records[0], tree.skip or 0) for node in _files(tree)),
        directory,
    )
    wide = any(entry.signature == b"PX" and len(entry.data) >= 40 for entry in neighbours)
    serials = [node.rock_ridge.serial or 0 for node in tree.nodes.values() if node.rock_ridge]
    mode = both32(stat.S_IFREG | file.mode) + both32(1)
    mode += both32(owner.uid or 0) + both32(owner.gid or 0)
    mode += both32(max(serials, default=0) + 1) if wide else b""
    stamps = [entry.data for entry in directory if entry.signature == b"TF"][:1]
    fields = [_field(b"NM", b"\0" + name.encode("utf-8")), _field(b"PX", mode)]
    fields += [_field(b"TF", stamp) for stamp in stamps]
    if _uses(neighbours, b"RR"):
        # RRIP 1.09 (4.1.1 there): bits for PX, NM and TF.
        fields.insert(0, _field(b"RR", bytes([0x01 | 0x08 | (0x80 if stamps else 0)])))
    return bytes(tree.skip or 0) + b"".join(fields)


def _uses(entries: Sequence[SystemUseEntry], signature: bytes) -> bool:
    return any(entry.signature == signature for entry in entries)


def _field(signature: bytes, data: bytes) -> bytes:
    if len(data) + 4 > _LONGEST_RECORD:
        raise Refusal("bad-name", "is too long a name to be added", path=data.decode("latin-1"))
    return signature + bytes([len(data) + 4, 1]) + data
