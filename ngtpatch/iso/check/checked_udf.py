# SPDX-License-Identifier: Apache-2.0
"""The UDF side of a bridge disc (ECMA-167, UDF 1.02 to 2.60), tag by tag."""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass, field

from ngtpatch.iso.check.faults import SECTOR, Image, Range

__all__ = ["CheckedUdf", "check_udf", "has_udf"]

_PRIMARY, _ANCHOR, _PARTITION, _LOGICAL, _TERMINATOR, _INTEGRITY = 1, 2, 5, 6, 8, 9
_FILE_SET, _IDENTIFIER, _FILE_ENTRY, _EXTENDED_FILE_ENTRY = 256, 257, 261, 266
_FIRST_ANCHOR = 256
_PARENT, _DELETED, _IS_FOLDER = 0x08, 0x04, 0x02
_FOLDER, _FILE = 4, 5


@dataclass
class CheckedUdf:
    """What a UDF tree claims of the image, and where its files lie, by path."""

    ranges: list[Range] = field(default_factory=list)
    names: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Node:
    """A file entry: its type, its length, and its extents in bytes from the image's start."""

    kind: int
    length: int
    extents: tuple[tuple[int, int], ...]
    embedded: bytes | None


def has_udf(image: Image, sector: int) -> bool:
    """Tell whether a volume recognition sequence (2/8.3) announces UDF from *sector* on."""
    for at in range(sector, sector + 8):
        identifier = image.read(at * SECTOR, 7)[1:6]
        if identifier in (b"NSR02", b"NSR03"):
            return True
    return False


def check_udf(image: Image, sectors: int) -> CheckedUdf:
    """Check the UDF structures of a volume of that many sectors, and walk its tree."""
    return _Check(image, sectors).run()


class _Check:
    def __init__(self, image: Image, sectors: int) -> None:
        self._image, self._report, self._sectors = image, image.report, sectors
        self._tree = CheckedUdf()
        self._start = self._blocks = 0

    def run(self) -> CheckedUdf:
        anchor = self._anchors()
        if anchor is None:
            return self._tree
        sequences = [self._sequence(anchor, at) for at in (16, 24)]
        main, reserve = sequences
        for tag in (_PARTITION, _LOGICAL):
            # The tag itself holds the place, which differs (3/8.4.2.2).
            if main.get(tag, b"")[16:] != reserve.get(tag, b"")[16:]:
                self._report.error("udf-sequences", None, "the two UDF descriptor sequences differ")
        if _PARTITION not in main or _LOGICAL not in main:
            self._report.error("udf-volume", None, "the UDF volume describes no partition")
            return self._tree
        self._start, self._blocks = struct.unpack_from("<2I", main[_PARTITION], 188)
        if self._start + self._blocks > self._sectors:
            self._report.error("udf-partition", None, "the UDF partition is longer than the volume")
        logical = main[_LOGICAL]
        block, maps, table = (
            struct.unpack_from("<I", logical, 212)[0],
            logical[268],
            logical[440:446],
        )
        if block != SECTOR or maps != 1 or table[:2] != b"\1\6":
            self._report.error("udf-volume", None, "the UDF volume is not one plain partition")
            return self._tree
        _, file_set = struct.unpack_from("<2I", logical, 248)
        described = self._structure(file_set, _FILE_SET, "the file set descriptor")
        if described:
            self._walk(struct.unpack_from("<I", described, 404)[0])
        self._integrity(*struct.unpack_from("<2I", logical, 432))
        return self._tree

    def _tag(self, data: bytes, offset: int, location: int, expected: int, what: str) -> bool:
        """Check a descriptor tag (3/7.2); report and return False where it is wrong."""
        identifier, version, checksum = struct.unpack_from("<HHB", data)
        crc, length, recorded = struct.unpack_from("<HHI", data, 8)
        wrong = None
        if identifier != expected:
            wrong = f"has tag {identifier}, not {expected}"
        elif version not in (2, 3):
            wrong = f"has descriptor version {version}"
        elif (sum(data[:16]) - checksum) & 0xFF != checksum:
            wrong = "has a wrong tag checksum"
        elif 16 + length > len(data) or binascii.crc_hqx(data[16 : 16 + length], 0) != crc:
            wrong = "has a wrong CRC"
        elif recorded != location:
            wrong = f"says that it stands at {recorded}, not {location}"
        if wrong:
            self._report.error("udf-tag", offset, f"{what} {wrong}")
        return wrong is None

    def _anchors(self) -> bytes | None:
        """3/8.4.2.1: at two of sector 256, the last one, and 256 before it."""
        found = []
        last = self._sectors - 1
        for sector in (_FIRST_ANCHOR, last, last - 256):
            data = self._image.read(sector * SECTOR, SECTOR)
            if data[:2] == struct.pack("<H", _ANCHOR) and self._tag(
                data, sector * SECTOR, sector, _ANCHOR, "an anchor"
            ):
                found.append(data)
                offset = sector * SECTOR
                self._tree.ranges.append(Range(offset, offset + SECTOR, "a UDF anchor"))
        if len(found) < 2:
            self._report.error("udf-anchor", None, f"the UDF volume has {len(found)} of 2 anchors")
        if len({data[16:32] for data in found}) > 1:
            self._report.error("udf-anchor", None, "the UDF anchors differ")
        return found[0] if found else None

    def _sequence(self, anchor: bytes, at: int) -> dict[int, bytes]:
        length, first = struct.unpack_from("<2I", anchor, at)
        found: dict[int, bytes] = {}
        self._claim(first * SECTOR, length, "a UDF descriptor sequence")
        for sector in range(first, first + min(length // SECTOR, 64)):
            data = self._image.read(sector * SECTOR, SECTOR)
            if not data:
                break
            tag = struct.unpack_from("<H", data)[0]
            if not self._tag(data, sector * SECTOR, sector, tag, "a UDF descriptor"):
                break
            found.setdefault(tag, data)
            if tag == _TERMINATOR:
                return found
        self._report.error("udf-volume", first * SECTOR, "a UDF descriptor sequence does not end")
        return found

    def _integrity(self, length: int, sector: int) -> None:
        """3/10.10: the size table holds the partition's, the counts those of the tree."""
        data = self._image.read(sector * SECTOR, SECTOR)
        what = "the UDF integrity descriptor"
        if not length or not data:
            self._report.error("udf-integrity", None, f"{what} is missing")
            return
        self._claim(sector * SECTOR, length, what)
        if not self._tag(data, sector * SECTOR, sector, _INTEGRITY, what):
            return
        if struct.unpack_from("<I", data, 28)[0] != 1:
            self._report.error("udf-integrity", sector * SECTOR, "the UDF volume was not closed")
        partitions = struct.unpack_from("<I", data, 72)[0]
        size = struct.unpack_from("<I", data, 80 + 4 * partitions)[0] if partitions == 1 else 0
        if size != self._blocks:
            self._report.error(
                "udf-integrity",
                sector * SECTOR + 84,
                f"{what} knows {size} blocks, the partition has {self._blocks}",
            )

    def _claim(self, start: int, length: int, what: str, *, content: bool = False) -> None:
        if start + length > min(self._sectors * SECTOR, self._image.size):
            self._report.error("outside", start, f"{what} lies outside the volume")
        self._tree.ranges.append(Range(start, start + length, what, content))

    def _structure(self, block: int, tag: int, what: str) -> bytes:
        """Read one block of the partition, as a descriptor of one kind; empty if it is none."""
        offset = (self._start + block) * SECTOR
        data = self._image.read(offset, SECTOR) if block < self._blocks else b""
        if not data:
            self._report.error("udf-partition", offset, f"{what} lies outside the partition")
        elif self._tag(data, offset, block, tag, what):
            self._tree.ranges.append(Range(offset, offset + SECTOR, what))
            return data
        return b""

    def _walk(self, root: int) -> None:
        pending, seen = [("", root, root)], {root}
        nodes: dict[int, _Node | None] = {}
        while pending:
            path, block, above = pending.pop()
            node = nodes.get(block) or self._node(block, path or "the UDF root")
            if node is None:
                continue
            for name, child, flags in self._identifiers(node, block, path):
                if flags & _PARENT and child != above:
                    # pycdlib records the root; no reader follows it.
                    self._report.warning("dot-dot", None, f"the UDF parent of {path} is another")
                if flags & (_PARENT | _DELETED):
                    continue
                below = f"{path}/{name}"
                if child not in nodes:
                    nodes[child] = self._node(child, below)
                found = nodes[child]
                if found is None:
                    continue
                if (found.kind == _FOLDER) != bool(flags & _IS_FOLDER):
                    self._report.error("udf-kind", None, f"{below} has two kinds")
                elif found.kind == _FOLDER and child in seen:
                    self._report.error("loop", None, f"{below} is listed in two places")
                elif found.kind == _FOLDER:
                    seen.add(child)
                    pending.append((below, child, block))
                elif found.kind == _FILE and found.embedded is None:
                    self._tree.names[below] = found.extents

    def _node(self, block: int, path: str) -> _Node | None:
        data = self._read_entry(block, path)
        if not data:
            return None
        offset = (self._start + block) * SECTOR
        extended = struct.unpack_from("<H", data)[0] == _EXTENDED_FILE_ENTRY
        length = struct.unpack_from("<Q", data, 56)[0]
        recorded = struct.unpack_from("<Q", data, 72 if extended else 64)[0]
        at = 208 if extended else 168
        attributes, descriptors = struct.unpack_from("<2I", data, at)
        begin = at + 8 + attributes
        area = data[begin : begin + descriptors]
        form = struct.unpack_from("<H", data, 34)[0] & 7
        if len(area) != descriptors or form not in (0, 1, 3):
            self._report.error("udf-entry", offset, f"the file entry of {path} is not well formed")
            return None
        if form == 3:
            if length != descriptors:
                self._report.error("udf-entry", offset, f"{path} is not as long as it says")
            return _Node(data[27], length, ((offset + begin, length),), area)
        extents = self._extents(area, 8 if form == 0 else 16, path)
        if sum(size for _, size in extents) != length:
            self._report.error("udf-entry", offset, f"{path} is not as long as its extents")
        if sum(-(-size // SECTOR) for _, size in extents) != recorded:
            self._report.error("udf-entry", offset, f"{path} records a wrong number of blocks")
        for start, size in extents:
            what = f"{path} of the UDF tree"
            self._claim(start, size, what, content=data[27] != _FOLDER)
        return _Node(data[27], length, extents, None)

    def _read_entry(self, block: int, path: str) -> bytes:
        offset = (self._start + block) * SECTOR
        tag = self._image.read(offset, 2)
        extended = tag == struct.pack("<H", _EXTENDED_FILE_ENTRY)
        expected = _EXTENDED_FILE_ENTRY if extended else _FILE_ENTRY
        return self._structure(block, expected, f"the file entry of {path}")

    def _extents(self, area: bytes, step: int, path: str) -> tuple[tuple[int, int], ...]:
        found = []
        for at in range(0, len(area) - step + 1, step):
            size, block = struct.unpack_from("<2I", area, at)
            if size >> 30:
                self._report.error("udf-entry", None, f"{path} is sparse")
                continue
            if not size:
                break
            if block + -(-size // SECTOR) > self._blocks:
                self._report.error("udf-partition", None, f"{path} lies outside the partition")
                continue
            found.append(((self._start + block) * SECTOR, size))
        return tuple(found)

    def _identifiers(self, node: _Node, block: int, path: str) -> list[tuple[str, int, int]]:
        """Read a directory's file identifier descriptors (4/14.4)."""
        if node.embedded is not None:
            data, origin = node.embedded, [(block, 0)]
        else:
            data = b"".join(self._image.read(start, size) for start, size in node.extents)
            origin = [(start // SECTOR - self._start, start) for start, _ in node.extents]
        found: list[tuple[str, int, int]] = []
        at, base = 0, origin[0][0] if origin else 0
        while at + 38 <= len(data):
            flags, length = data[at + 18], data[at + 19]
            target, use = struct.unpack_from("<I", data, at + 24)[0], data[at + 36 : at + 38]
            begin = at + 38 + int.from_bytes(use, "little")
            end = begin + length
            padded = -(-(end - at) // 4) * 4
            one = data[at : at + padded]
            location = block if node.embedded is not None else base + at // SECTOR
            offset = (self._start + location) * SECTOR + at % SECTOR
            if end > len(data) or not self._tag(
                one, offset, location, _IDENTIFIER, f"an identifier in {path or 'the UDF root'}"
            ):
                return found
            found.append((_decode(data[begin:end]), target, flags))
            at += padded
        if at < len(data):
            self._report.error("udf-entry", None, f"the UDF directory {path} ends in the middle")
        if not found or not found[0][2] & _PARENT:
            self._report.error("dot-dot", None, f"the UDF directory {path} names no parent")
        return found


def _decode(data: bytes) -> str:
    """OSTA compressed unicode (UDF 2.1.1): 8 or 16 bits a character."""
    if data[:1] == b"\x10":
        return data[1:].decode("utf-16-be", errors="replace")
    return data[1:].decode("latin-1")
