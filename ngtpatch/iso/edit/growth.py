# SPDX-License-Identifier: Apache-2.0
"""Makes an image's own idea of its size cover what was appended."""

from __future__ import annotations

import struct

from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.read import ecma167
from ngtpatch.iso.read.ecma119 import SECTOR, both32
from ngtpatch.iso.read.volume import Volume

__all__ = ["append_anchor", "record_end"]


def append_anchor(volume: Volume, draft: Draft) -> None:
    """Append a UDF anchor: one stands in the volume's last sector (ECMA-167 3/8.4.2.1)."""
    if volume.udf:
        anchor = draft.read_at(volume.udf.anchors[0], SECTOR)
        draft.append(ecma167.retag(anchor, location=draft.end // SECTOR))


def record_end(volume: Volume, draft: Draft) -> None:
    """Record the draft's end everywhere.

    The volume space size (ECMA-119 8.4.8) of every descriptor; of UDF the partition's length
    in both descriptor sequences and the size in the integrity descriptor. 7-Zip
    refuses a partition that ends before its files; the Linux kernel does not.
    """
    end = draft.end // SECTOR
    for descriptor in volume.descriptors.all:
        draft.write(descriptor.offset + 80, both32(end))
    if not volume.udf:
        return
    length = end - volume.udf.partition_start
    for offset in volume.udf.partitions:
        _set(draft, offset, 192, length)
    if volume.udf.integrity is not None:
        _set(draft, volume.udf.integrity, 84, length)


def _set(draft: Draft, offset: int, at: int, value: int) -> None:
    """Write 32 bits into a tagged descriptor, and its whole tag with them."""
    data = bytearray(draft.read_at(offset, SECTOR))
    struct.pack_into("<I", data, at, value)
    fresh = ecma167.retag(bytes(data))
    draft.write(offset, fresh[:16])
    draft.write(offset + at, fresh[at : at + 4])
