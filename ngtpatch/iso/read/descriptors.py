# SPDX-License-Identifier: Apache-2.0
"""The volume descriptor set and what else stands before the files (ECMA-119 6.2, 8)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ngtpatch.errors import InputError
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR, VolumeDescriptor, parse_descriptor
from ngtpatch.iso.read.foreign import not_an_image
from ngtpatch.iso.read.system_area import SystemArea, read_system_area

__all__ = ["DescriptorSet", "read_descriptors"]

_FIRST = 16
_MOST = 64
_UDF_IDENTIFIERS = (b"NSR02", b"NSR03")


@dataclass(frozen=True, slots=True)
class DescriptorSet:
    """What stands in the sectors before the path tables.

    Attributes:
        primary: the Primary Volume Descriptor; the first, should there be copies.
        joliet: the Supplementary Volume Descriptor of the Joliet tree.
        all: every primary, supplementary and enhanced descriptor, in order.
        boot_sectors: first sectors that an El Torito catalogue names, and the catalogue's own.
        has_udf: whether an NSR descriptor announces UDF.
        system_area: partition tables and file systems that stand before the descriptors.
        end: the first sector after the sets.
    """

    primary: VolumeDescriptor
    joliet: VolumeDescriptor | None
    all: tuple[VolumeDescriptor, ...]
    boot_sectors: frozenset[int]
    has_udf: bool
    system_area: SystemArea
    end: int


def read_descriptors(source: ByteSource) -> DescriptorSet:
    """Read the volume descriptor set.

    Raises:
        InputError: there is no Primary Volume Descriptor (see :func:`not_an_image`);
            ``unsupported``: logical blocks of another size.
    """
    found: list[VolumeDescriptor] = []
    boot: set[int] = set()
    sector, has_udf, in_set = _FIRST, False, True
    while sector < _FIRST + _MOST:
        data = source.read_at(sector * SECTOR, SECTOR)
        identifier = data[1:6]
        if len(data) < SECTOR:
            break
        if in_set and identifier == b"CD001":
            if data[0] in (1, 2):
                found.append(parse_descriptor(data, sector * SECTOR))
            elif data[0] == 0 and data[7:30] == b"EL TORITO SPECIFICATION":
                boot |= _boot_sectors(source, struct.unpack_from("<I", data, 71)[0])
            elif data[0] == 255:
                in_set = False
        elif identifier in (b"BEA01", b"BOOT2", b"TEA01", *_UDF_IDENTIFIERS):
            has_udf = has_udf or identifier in _UDF_IDENTIFIERS
        elif not in_set or identifier != b"CD001":
            break
        sector += 1
    primary = next((d for d in found if d.kind == "primary"), None)
    if primary is None:
        raise not_an_image(source)
    if in_set and (sector + 1) * SECTOR > source.size:
        raise InputError("truncated", "is truncated: it ends among its volume descriptors")
    if in_set:
        raise InputError("hostile", "its volume descriptor set has no end")
    return DescriptorSet(
        primary=primary,
        joliet=next((d for d in found if d.kind == "joliet"), None),
        all=tuple(found),
        boot_sectors=frozenset(boot),
        has_udf=has_udf,
        system_area=read_system_area(source),
        end=sector,
    )


def _boot_sectors(source: ByteSource, catalogue: int) -> set[int]:
    """Return the catalogue's sector and the load RBA of each of its entries (El Torito 2.0)."""
    data = source.read_at(catalogue * SECTOR, SECTOR)
    named = {catalogue}
    for at in range(32, len(data) - 31, 32):
        if data[at] in (0x88, 0x00) and any(data[at : at + 32]):
            named.add(struct.unpack_from("<I", data, at + 8)[0])
    return named
