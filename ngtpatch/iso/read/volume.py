# SPDX-License-Identifier: Apache-2.0
"""An image, opened: what it holds in every tree, and where.

Two readers look at every image. Our own comes first; it is bounded, and it knows the
offset of every record, which editing needs. pycdlib, the library that the ecosystem
trusts, is then asked to open the image as well. Where it cannot, the structure check
decides: an image without an error is read, with the doubt on it, and is not edited.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, cast

from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.files.tree import FileTree
from ngtpatch.iso.read.build_record import BuildRecord, DamagedRecord, read_record
from ngtpatch.iso.read.bytesource import ByteSource, FileSource, SourceStream
from ngtpatch.iso.read.descriptors import DescriptorSet, read_descriptors
from ngtpatch.iso.read.ecma119 import SECTOR
from ngtpatch.iso.read.entry import Budget, Entry, Extents, TreeName, preferred_tree
from ngtpatch.iso.read.pieces import Pieces
from ngtpatch.iso.read.record_tree import (
    RecordedNode,
    RecordTree,
    read_record_tree,
    read_rock_ridge_tree,
)
from ngtpatch.iso.read.regions import Overlay
from ngtpatch.iso.read.second_opinion import doubt
from ngtpatch.iso.read.udf_tree import UdfNode, UdfTree, read_udf_tree
from ngtpatch.iso.read.usage import Usage

__all__ = ["Volume", "VolumeTree"]

_LARGEST_READ = 64 << 20


class Volume:
    """An ISO image that was read completely, but for its files' contents.

    Immutable, and safe to share between threads. Use it as a context manager, or close it.

    Attributes:
        path: the file it was opened from.
        source: its bytes.
        size: length in bytes; of a block device, that of the volume on it.
        is_on_device: whether it is on a block device.
        descriptors: the volume descriptors.
        records: the trees of directory records: ``iso9660``, ``rock_ridge``, ``joliet``.
        udf: the UDF tree; None without one.
        doubt: why pycdlib cannot open the image; None where it can, or was not asked.
    """

    def __init__(self, source: ByteSource, path: Path, *, second_opinion: bool = True) -> None:
        """Read an image from *source*; see :meth:`open`.

        Args:
            source: its bytes; closed with the volume where that is possible. When reading fails
                it is closed, too, unless it is an overlay: who laid that still reads below it.
            path: what messages call it.
            second_opinion: whether pycdlib is asked to open it too. An image that was
                planned from one which passed need not be asked again.
        """
        self.path = path
        self.source = source
        try:
            self._read(second_opinion)
        except BaseException as error:
            if not isinstance(source, Overlay):
                self.close()
            if isinstance(error, NgtpatchError) and error.path is None:
                error.path = str(path)
            raise

    @classmethod
    def open(cls, path: str | Path) -> Volume:
        """Open an image file or a block device.

        Raises:
            InputError: ``not-found``, ``is-directory``, ``unreadable``, ``not-iso`` or what
                it is instead, ``truncated``, ``hostile``, ``hostile-name`` or ``unsupported``.
        """
        return cls(FileSource(path), Path(path))

    def _read(self, second_opinion: bool) -> None:
        self.descriptors: DescriptorSet = read_descriptors(self.source)
        primary = self.descriptors.primary
        recorded = primary.space_size * SECTOR
        if recorded > self.source.size:
            raise InputError(
                "truncated",
                f"is truncated: it has {self.source.size:,} bytes, "
                f"but its volume descriptor says {recorded:,}",
                hint="copy it again; compare the size or the digest with the original's",
            )
        self.is_on_device = isinstance(self.source, FileSource) and self.source.is_device
        if self.is_on_device:
            self.source = _Prefix(cast(FileSource, self.source), recorded)
        self.size = self.source.size
        plain = read_record_tree(self.source, primary, Budget("iso9660"))
        self.records: dict[TreeName, RecordTree] = {"iso9660": plain}
        if plain.skip is not None:
            named = read_rock_ridge_tree(plain, Budget("rock_ridge"))
            self.records["rock_ridge"] = named
            if any(item.rock_ridge and item.rock_ridge.compressed for item in named.items.values()):
                raise InputError(
                    "zisofs",
                    "holds files compressed by zisofs, which is not read",
                    hint="mount it, where the system unpacks them, and name the directory",
                )
        joliet = self.descriptors.joliet
        if joliet is not None:
            self.records["joliet"] = read_record_tree(self.source, joliet, Budget("joliet"))
        self.udf: UdfTree | None = None
        if self.descriptors.has_udf:
            self.udf = read_udf_tree(self.source, primary.space_size, Budget("udf"))
        self.doubt = doubt(self.source) if second_opinion else None

    @property
    def volume_id(self) -> str:
        """The volume identifier in the primary descriptor."""
        return self.descriptors.primary.volume_id

    @property
    def trees(self) -> tuple[TreeName, ...]:
        """The trees it has, of ``iso9660``, ``rock_ridge``, ``joliet``, ``udf``."""
        return (*self.records, "udf") if self.udf else tuple(self.records)

    @property
    def primary_tree(self) -> str:
        """The most expressive tree: paths are resolved in this one."""
        return preferred_tree(self.trees)

    @cached_property
    def _entries(self) -> dict[str, Mapping[str, Entry]]:
        return {}

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """Return the complete listing of one tree, by path, sorted.

        Raises KeyError when the image has no such tree.
        """
        if tree not in self._entries:
            nodes = self._nodes(tree)
            listing = {path: nodes[path].entry for path in sorted(nodes)}
            self._entries[tree] = MappingProxyType(listing)
        return self._entries[tree]

    def _nodes(self, tree: str) -> Mapping[str, RecordedNode] | Mapping[str, UdfNode]:
        if tree == "udf" and self.udf:
            return self.udf.nodes
        return self.records[cast(TreeName, tree)].nodes

    def siblings(self, tree: str, folder: str) -> Mapping[str, Entry]:
        """Return what a directory holds, by path; ``""`` is the root."""
        return self._by_folder[tree].get(folder, {})

    def paths_by_extents(self, tree: str) -> Mapping[Extents, list[str]]:
        """Return the files of a tree by where their content is; empty ones are nowhere."""
        return self._by_extents[tree]

    @cached_property
    def paths_by_file_entry(self) -> Mapping[int, list[str]]:
        """The UDF paths by the logical block of their file entry: several are hard links."""
        found: dict[int, list[str]] = {}
        for path, node in self.udf.nodes.items() if self.udf else ():
            found.setdefault(node.block, []).append(path)
        return found

    @cached_property
    def _by_folder(self) -> dict[str, dict[str, dict[str, Entry]]]:
        found: dict[str, dict[str, dict[str, Entry]]] = {}
        for tree in self.trees:
            folders: dict[str, dict[str, Entry]] = {}
            for path, entry in self.entries(tree).items():
                folders.setdefault(path.rpartition("/")[0], {})[path] = entry
            found[tree] = folders
        return found

    @cached_property
    def _by_extents(self) -> dict[str, dict[Extents, list[str]]]:
        found: dict[str, dict[Extents, list[str]]] = {}
        for tree in self.trees:
            files: dict[Extents, list[str]] = {}
            for path, entry in self.entries(tree).items():
                if entry.kind == "file" and entry.extents:
                    files.setdefault(entry.extents, []).append(path)
            found[tree] = files
        return found

    @cached_property
    def record(self) -> BuildRecord | DamagedRecord | None:
        """What ngtpatch did to the image before, if its record is there; see there."""
        return read_record(self.source, self.descriptors.primary.space_size * SECTOR)

    @cached_property
    def pieces(self) -> Pieces:
        """Digests of its ranges, each computed once."""
        return Pieces(self.source)

    @property
    def tree(self) -> FileTree:
        """The regular files, in the most expressive tree."""
        return VolumeTree(self)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; at most 64 MiB at a time.

        Raises ValueError for a longer read: whoever wants that wants a stream.
        """
        if length > _LARGEST_READ:
            raise ValueError("a read of more than 64 MiB")
        return self.source.read_at(offset, length)

    @cached_property
    def usage(self) -> Usage:
        """Which ranges belong to which files and structures."""
        return Usage(self.descriptors, self.records, self.udf)

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        source: object = self.source
        while isinstance(source, (Overlay, _Prefix)):
            source = source.base
        if isinstance(source, FileSource):
            source.close()

    def __enter__(self) -> Volume:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class VolumeTree(FileTree):
    """The regular files of one tree of a volume, of the most expressive one if none is named."""

    def __init__(self, volume: Volume, tree: str | None = None) -> None:
        self._volume = volume
        self._files = {
            path: entry
            for path, entry in volume.entries(tree or volume.primary_tree).items()
            if entry.kind == "file"
        }

    def __getitem__(self, path: str) -> bytes:
        entry = self._files[path]
        if entry.size > _LARGEST_READ:
            raise InputError(
                "too-large", f"has {entry.size:,} bytes, more than are read at once", path=path
            )
        read = self._volume.source.read_at
        return b"".join(read(offset, length) for offset, length in entry.extents)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def size(self, path: str) -> int:
        """Return the file's length in bytes."""
        return self._files[path].size

    def open(self, path: str) -> BinaryIO:
        """Return a readable, seekable stream of the file."""
        raw = SourceStream(self._volume.source, self._files[path].extents)
        return cast(BinaryIO, io.BufferedReader(raw, 1 << 20))


class _Prefix:
    """The first bytes of a device: the volume, without what the medium holds behind it."""

    def __init__(self, base: FileSource, size: int) -> None:
        self.base = base
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        return self.base.read_at(offset, min(length, self.size - offset))
