# SPDX-License-Identifier: Apache-2.0
"""The system area (ECMA-119 6.2.1): partition tables, and file systems that stand beside.

The first 16 sectors are nobody's in ISO 9660. Hybrid images put a master boot record, a GUID
partition table or an Apple partition map there, and HFS its volume header (Inside Macintosh:
Files, 2-60; Apple TN1150).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR

__all__ = ["Partition", "SystemArea", "read_system_area"]

_BLOCK = 512
_DESCRIPTORS = 16 * SECTOR
_VOLUME_HEADER = 1024
"""Where HFS and HFS+ put theirs, from the start of their partition or disc."""
_HEADERS = {b"BD": "HFS", b"H+": "HFS+", b"HX": "HFS+"}
_PROTECTIVE = 0xEE
_APPLE_BLOCKS = (512, 1024, 2048)
_MOST_APPLE_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the master boot record that holds the ISO 9660 volume's descriptors.

    Attributes:
        number: 1 to 4.
        end: the first offset after it, in bytes.
    """

    number: int
    end: int


@dataclass(frozen=True, slots=True)
class SystemArea:
    """What stands in the system area.

    Attributes:
        has_gpt: whether there is a GUID partition table.
        others: further file systems over the image, in words: ``HFS``, ``HFS+``, ``an Apple
            partition map``, ``a further ISO 9660 volume in partition 1``.
        partitions: of the master boot record, those that a reader would find the volume in.
    """

    has_gpt: bool
    others: tuple[str, ...]
    partitions: tuple[Partition, ...]


def read_system_area(source: ByteSource) -> SystemArea:
    """Read it. Whatever stands there, this returns: code may look like a table by chance."""
    starts = _apple_partitions(source)
    headers = [source.read_at(start + _VOLUME_HEADER, 2) for start in (0, *(starts or ()))]
    others = [_HEADERS[header] for header in headers if header in _HEADERS]
    if starts is not None:
        others.append("an Apple partition map")
    others += _volumes_in_partitions(source)
    return SystemArea(
        # In the second block: of 512 bytes on a disk, of 2048 on a CD-ROM.
        has_gpt=any(source.read_at(block, 8) == b"EFI PART" for block in (_BLOCK, SECTOR)),
        others=tuple(dict.fromkeys(others)),
        partitions=tuple(_partitions(source)),
    )


def _apple_partitions(source: ByteSource) -> list[int] | None:
    """Return where the partitions of an Apple partition map start; None without a map."""
    for block in _APPLE_BLOCKS:
        first = source.read_at(block, 16)
        if len(first) < 16 or first[:4] != b"PM\0\0":
            continue
        count = min(struct.unpack_from(">I", first, 4)[0], _MOST_APPLE_ENTRIES)
        starts = []
        for number in range(1, count + 1):
            entry = source.read_at(number * block, 16)
            if len(entry) == 16 and entry[:2] == b"PM":
                starts.append(struct.unpack_from(">I", entry, 8)[0] * block)
        return starts
    return None


def _volumes_in_partitions(source: ByteSource) -> Iterator[str]:
    """Yield the ISO 9660 volumes that begin with a partition, as ``-partition_offset`` makes one.

    Such a volume has descriptors and directories of its own over the same files.
    """
    for number, _, start, _ in _entries(source):
        if start and source.read_at(start + _DESCRIPTORS + 1, 5) == b"CD001":
            yield f"a further ISO 9660 volume in partition {number}"


def _partitions(source: ByteSource) -> Iterator[Partition]:
    for number, kind, start, end in _entries(source):
        # 0xEE protects a GUID table, which has a say of its own.
        if kind != _PROTECTIVE and start <= _DESCRIPTORS < end:
            yield Partition(number, end)


def _entries(source: ByteSource) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, kind, start and end (in bytes) of the boot record's partitions."""
    data = source.read_at(0, _BLOCK)
    if data[510:] != b"\x55\xaa":
        return
    for number in range(4):
        kind, start, length = struct.unpack_from("<4xB3xII", data, 446 + 16 * number)
        if length:
            yield number + 1, kind, start * _BLOCK, (start + length) * _BLOCK
