# SPDX-License-Identifier: Apache-2.0
"""Which ranges of an image belong to whom, so that an edit harms nobody else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from ngtpatch.iso.read.descriptors import DescriptorSet
from ngtpatch.iso.read.ecma119 import SECTOR, sectors
from ngtpatch.iso.read.entry import Extents, TreeName
from ngtpatch.iso.read.record_tree import RecordTree
from ngtpatch.iso.read.udf_tree import UdfTree

__all__ = ["Usage", "Use"]


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A range and its owner.

    Attributes:
        offset: in bytes from the image's start.
        end: the first offset after it, whole sectors counted.
        owner: offset of the directory record or file entry that leads to it; -1 for the
            volume's own structures.
        what: for messages.
        content: whether a file's bytes stand there, and no structure.
    """

    offset: int
    end: int
    owner: int
    what: str
    content: bool = False


class Usage:
    """All uses of an image's sectors, to be asked by range."""

    def __init__(
        self,
        descriptors: DescriptorSet,
        records: Mapping[TreeName, RecordTree],
        udf: UdfTree | None,
    ) -> None:
        uses = [Use(0, descriptors.end * SECTOR, -1, "the volume descriptors")]
        for descriptor in descriptors.all:
            size = descriptor.path_table_size
            uses += [
                _use(s * SECTOR, size, -1, "a path table") for s in descriptor.path_tables if s
            ]
        for name, tree in records.items():
            if name == "rock_ridge":
                continue  # the same records as in the ISO 9660 tree
            for directory in tree.directories.values():
                offset = directory.extent * SECTOR
                uses.append(_use(offset, directory.length, -1, "a directory"))
            for path, node in tree.nodes.items():
                if node.entry.kind == "file":
                    uses += _content(node.entry.extents, node.records[0].offset, path)
        if udf:
            for offset, length in udf.structures:
                uses.append(_use(offset, length, -1, "the UDF descriptors"))
            for folder in udf.directories.values():
                uses.append(_use(folder.file_entry.offset, SECTOR, -1, "a UDF directory"))
            for path, udf_node in udf.nodes.items():
                offset = udf_node.file_entry.offset
                uses.append(_use(offset, SECTOR, offset, f"the file entry of {path}"))
                if udf_node.entry.kind == "directory":
                    uses += _content(udf_node.entry.extents, -1, "a UDF directory")
                else:
                    uses += _content(udf_node.entry.extents, offset, path)
        self._uses = sorted(uses)
        self._starts = [use.offset for use in self._uses]
        self._longest = max(use.end - use.offset for use in self._uses)

    @property
    def structures(self) -> list[Use]:
        """The uses that are the volume's own, and no file's content."""
        return [use for use in self._uses if not use.content]

    def of(self, offset: int, length: int) -> list[Use]:
        """Return every use that overlaps a range."""
        first = bisect_left(self._starts, offset - self._longest)
        last = bisect_left(self._starts, offset + length)
        return [use for use in self._uses[first:last] if use.end > offset]


def _use(offset: int, length: int, owner: int, what: str) -> Use:
    return Use(offset, offset + sectors(length) * SECTOR, owner, what)


def _content(extents: Extents, owner: int, what: str) -> list[Use]:
    # What does not start on a sector is embedded in a UDF file entry, and has no slack.
    return [
        Use(
            offset,
            offset + (length if offset % SECTOR else sectors(length) * SECTOR),
            owner,
            what,
            content=owner != -1,
        )
        for offset, length in extents
    ]
