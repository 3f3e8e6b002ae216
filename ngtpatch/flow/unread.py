# SPDX-License-Identifier: Apache-2.0
"""What a search of every byte does not look into: compressed content, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ngtpatch.errors import unreadable
from ngtpatch.files.tree import FileTree
from ngtpatch.iso.read.ecma119 import SECTOR
from ngtpatch.iso.read.ownership import Ownership
from ngtpatch.iso.read.volume import Volume

__all__ = ["unread_in_tree", "unread_in_volume"]

# How compressed content begins; what is in it was not looked at.
_COMPRESSED = (
    b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18", b"\xed\xab\xee\xdb", b"MSCF", b"\xd0\xcf\x11\xe0", b"\x1f\x9d",
    b"\x5d\0\0",
)  # fmt: skip
_TAR_HEAD = 512
_MOST_MEMBERS = 10_000
_STEP = 1 << 20


def unread_in_volume(volume: Volume, tree: FileTree, owners: Ownership) -> tuple[str, ...]:
    """Return the compressed files of a volume and of *tree*, its files, and what lies loose.

    Raises InputError: ``unreadable``.
    """
    return (*unread_in_tree(tree), *_unlisted(volume), *_loose(volume, owners))


def unread_in_tree(tree: FileTree) -> tuple[str, ...]:
    """Return the files whose contents are compressed, and such members of tar archives.

    Raises InputError: ``unreadable``.
    """
    found: list[str] = []
    for path in tree:
        if not tree.size(path):
            continue
        try:
            with tree.open(path) as stream:
                head = stream.read(_TAR_HEAD)
                if head.startswith(_COMPRESSED):
                    found.append(path)
                elif head[257:262] == b"ustar":
                    stream.seek(0)
                    found += _compressed_members(path, stream)
        except OSError as error:
            raise unreadable(error, path=path) from None
    return tuple(found)


def _compressed_members(path: str, stream: BinaryIO) -> Iterator[str]:
    """Yield the compressed members of a tar archive; the archive itself where it is damaged."""
    import tarfile  # most discs have none

    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for count, member in enumerate(archive):
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None and content.read(8).startswith(_COMPRESSED):
                    yield f"{path}!{member.name}"
                if count == _MOST_MEMBERS:
                    yield path
                    return
    except (tarfile.TarError, ValueError, EOFError, OverflowError):
        yield path


def _unlisted(volume: Volume) -> Iterator[str]:
    """Yield the compressed files that the most expressive tree does not list."""
    primary = volume.primary_tree
    shared = volume.paths_by_extents(primary)
    for tree in volume.trees:
        for path, entry in volume.entries(tree).items() if tree != primary else ():
            if entry.kind != "file" or not entry.extents or entry.extents in shared:
                continue
            offset, length = entry.extents[0]
            if volume.read_at(offset, min(length, 8)).startswith(_COMPRESSED):
                yield f"{path} of the {tree} tree"


def _loose(volume: Volume, owners: Ownership) -> Iterator[str]:
    """Yield where no file is and a sector begins as a compressed file does."""
    for start, length in owners.gaps(volume.size):
        end = start + length
        for at in range(start, end, _STEP):
            data = volume.read_at(at, min(_STEP, end - at))
            if not any(data):
                continue
            # Files begin with a sector; what was put behind the end begins where that is.
            first = 0 if at == start else -at % SECTOR
            for place in (
                first,
                *range(first + -(at + first) % SECTOR or SECTOR, len(data), SECTOR),
            ):
                if data.startswith(_COMPRESSED, place):
                    where = owners.pieces(at + place, 1)[0].where
                    yield f"what is compressed {where} (byte {at + place:,})"
