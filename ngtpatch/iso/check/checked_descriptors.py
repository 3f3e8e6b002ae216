# SPDX-License-Identifier: Apache-2.0
"""The volume descriptor set (ECMA-119 section 8) and the path tables (9.4)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ngtpatch.iso.check.faults import SECTOR, Image, Range

__all__ = ["Descriptor", "check_descriptors", "check_path_tables"]

_FIRST = 16
_MOST = 64
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
_JOLIET = (b"%/@", b"%/C", b"%/E")


@dataclass(frozen=True)
class Descriptor:
    """A primary, supplementary or enhanced volume descriptor.

    Attributes:
        offset: where it stands, in bytes.
        tree: ``iso9660``, ``joliet`` or ``enhanced``.
        space: volume space size in sectors.
        table_size: length of each path table in bytes.
        tables: (byte order, sector) of each path table that it names.
        root: the root's directory record.
    """

    offset: int
    tree: str
    space: int
    table_size: int
    tables: tuple[tuple[str, int], ...]
    root: bytes

    @property
    def root_offset(self) -> int:
        """Where the root directory begins, in bytes."""
        return int(struct.unpack_from("<I", self.root, 2)[0]) * SECTOR


@dataclass(frozen=True)
class PathTableRecord:
    """A record of a path table."""

    name: bytes
    extent: int
    parent: int


def check_descriptors(image: Image) -> tuple[list[Descriptor], int]:
    """Check the descriptor set; return what it describes and the first sector behind it."""
    report = image.report
    found: list[Descriptor] = []
    for sector in range(_FIRST, _FIRST + _MOST):
        data = image.read(sector * SECTOR, SECTOR)
        offset = sector * SECTOR
        if data[1:6] != b"CD001":
            break
        kind, version = data[0], data[6]
        if version != (2 if kind == _SUPPLEMENTARY and version == 2 else 1):
            report.error("descriptor-version", offset, f"a descriptor has version {version}")
        if kind == _TERMINATOR:
            _check_sizes(image, found)
            return found, sector + 1
        if kind in (_PRIMARY, _SUPPLEMENTARY):
            found.append(_descriptor(image, data, offset))
    report.error("no-terminator", _FIRST * SECTOR, "the descriptor set does not end")
    return found, _FIRST


def _check_sizes(image: Image, found: list[Descriptor]) -> None:
    report = image.report
    primaries = [one for one in found if one.tree == "iso9660"]
    if not primaries:
        report.error("no-primary", _FIRST * SECTOR, "there is no primary volume descriptor")
    for one in found:
        if one.space * SECTOR > image.size:
            report.error(
                "truncated",
                one.offset + 80,
                f"the volume has {one.space} sectors, the image {image.size // SECTOR}",
            )
        if primaries and one.space != primaries[0].space:
            report.error(
                "space-sizes",
                one.offset + 80,
                f"the {one.tree} volume has {one.space} sectors, "
                f"the primary one {primaries[0].space}",
            )


def _descriptor(image: Image, data: bytes, offset: int) -> Descriptor:
    def both16(at: int, what: str) -> int:
        return image.both16(data, at, offset, what)

    space = image.both32(data, 80, offset, "the volume space size")
    both16(120, "the volume set size")
    both16(124, "the volume sequence number")
    if both16(128, "the logical block size") != SECTOR:
        image.report.error("block-size", offset + 128, "the logical block size is not 2048")
    table_size = image.both32(data, 132, offset, "the path table size")
    little = struct.unpack_from("<2I", data, 140)
    big = struct.unpack_from(">2I", data, 148)
    tables = [("<", at) for at in little if at] + [(">", at) for at in big if at]
    if not (little[0] and big[0]):
        image.report.error("path-table", offset + 140, "a path table is missing")
    tree = "joliet" if data[88:91] in _JOLIET else "enhanced"
    if data[0] == _PRIMARY:
        tree = "iso9660"
    if data[881] != (2 if data[6] == 2 else 1):
        image.report.error("descriptor-version", offset + 881, f"file structure {data[881]}")
    return Descriptor(offset, tree, space, table_size, tuple(tables), data[156:190])


def check_path_tables(
    image: Image, descriptor: Descriptor, directories: Mapping[int, tuple[bytes, int]]
) -> list[Range]:
    """Check that every path table lists exactly the directories of the tree.

    Args:
        image: the bytes.
        descriptor: names the tables.
        directories: sector of a directory -> its identifier and its parent's sector.
    """
    report = image.report
    claimed: dict[int, Range] = {}
    tables: list[list[PathTableRecord]] = []
    for order, sector in descriptor.tables:
        offset = sector * SECTOR
        data = image.read(offset, descriptor.table_size)
        if len(data) != descriptor.table_size or not data:
            report.error("path-table", offset, "a path table lies outside the image")
            continue
        # An enhanced descriptor may name the primary one's tables and directories.
        tree = "iso9660" if descriptor.tree == "enhanced" else descriptor.tree
        what = f"a path table of the {tree} tree"
        claimed[offset] = Range(offset, offset + len(data), what)
        rows = _rows(image, data, offset, order)
        tables.append(rows)
        if rows != tables[0]:
            report.error("path-table", offset, f"{what} differs from another")
        _check_rows(image, rows, offset, what, directories)
    return list(claimed.values())


def _rows(image: Image, data: bytes, offset: int, order: str) -> list[PathTableRecord]:
    rows, at = [], 0
    while at + 8 <= len(data):
        length = data[at]
        extent, parent = struct.unpack_from(f"{order}IH", data, at + 2)
        if not length or at + 8 + length > len(data):
            break
        rows.append(PathTableRecord(data[at + 8 : at + 8 + length], extent, parent))
        at += 8 + length + length % 2
    if at != len(data):
        image.report.error("path-table", offset + at, "a path table's records do not fill it")
    return rows


def _check_rows(
    image: Image,
    rows: list[PathTableRecord],
    offset: int,
    what: str,
    directories: Mapping[int, tuple[bytes, int]],
) -> None:
    report = image.report
    for number, row in enumerate(rows, 1):
        known = directories.get(row.extent)
        if known is None:
            report.error("path-table", offset, f"{what} has no directory at sector {row.extent}")
            continue
        name, parent = known
        # The root is its own parent (9.4.4), and its name one zero byte.
        if row.name != name:
            report.error("path-table", offset, f"{what} has another name at {row.extent}")
        if not 1 <= row.parent <= max(number - 1, 1) or rows[row.parent - 1].extent != parent:
            report.error("path-table", offset, f"{what} has another parent at {row.extent}")
    missing = directories.keys() - {row.extent for row in rows}
    if missing or len(rows) != len(directories):
        report.error(
            "path-table",
            offset,
            f"{what} has {len(rows)} directories, the tree {len(directories)}",
        )
