# SPDX-License-Identifier: Apache-2.0
"""Digests that mastering programs leave on a disc about the whole of it.

libisofs (xorriso with ``-md5 on``) writes tags into blocks of their own, the first right behind
the descriptors, where xorriso looks for it before it loads an image. implantisomd5 writes into
the application use field of the primary volume descriptor (ECMA-119 8.4.32).
"""

from __future__ import annotations

from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.descriptors import DescriptorSet
from ngtpatch.iso.read.ecma119 import SECTOR

__all__ = ["application_use", "disc_digests"]

_APPLICATION_USE, _LENGTH = 883, 512
_FIRST_TAGS = (b"libisofs_sb_checksum_tag_v1", b"libisofs_rlsb32_checksum_tag_v1")
_TAGS_WITHIN = 32
"""Sectors behind the start of the descriptors. The tag stands behind the terminator, and in a
later session of a grown image behind the copy of the descriptors at sector 32."""


def disc_digests(source: ByteSource, descriptors: DescriptorSet) -> tuple[str, ...]:
    """Return what the disc's own digests are called; each covers the whole of it."""
    found = []
    start = descriptors.primary.offset
    blocks = source.read_at(start, _TAGS_WITHIN * SECTOR)
    if any(
        blocks.startswith(tag, at) for at in range(0, len(blocks), SECTOR) for tag in _FIRST_TAGS
    ):
        found.append("libisofs checksum tags")
    if b"ISO MD5SUM = " in application_use(source, descriptors):
        found.append("implanted ISO MD5SUM")
    return tuple(found)


def application_use(source: ByteSource, descriptors: DescriptorSet) -> bytes:
    """Return the application use field of the primary volume descriptor."""
    return source.read_at(descriptors.primary.offset + _APPLICATION_USE, _LENGTH)
