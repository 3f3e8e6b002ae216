# SPDX-License-Identifier: Apache-2.0
"""Digests that mastering programs leave on a disc about the whole of it.

libisofs (xorriso with ``-md5 on``) writes tags into blocks of their own, the first right behind
the descriptors, where xorriso looks for it before it loads an image. implantisomd5 writes into
the application use field of the primary volume descriptor (ECMA-119 8.4.32): an MD5 of the volume
but for its last sectors, with that field full of blanks (isomd5sum's libcheckisomd5).
"""

from __future__ import annotations

import hashlib
import re

from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.descriptors import DescriptorSet
from ngtpatch.iso.read.ecma119 import SECTOR

__all__ = ["disc_digests"]

_APPLICATION_USE, _LENGTH = 883, 512
_IMPLANTED = re.compile(rb"ISO MD5SUM = ([0-9a-f]{32});SKIPSECTORS = (\d{1,9});")
_FIRST_TAGS = (b"libisofs_sb_checksum_tag_v1", b"libisofs_rlsb32_checksum_tag_v1")
_TAGS_WITHIN = 32
"""Sectors from the start of the descriptors. The tag stands behind the terminator, and in a
later session of a grown image behind the copy of the descriptors at sector 32."""
_BLOCK = 1 << 20


def disc_digests(source: ByteSource, descriptors: DescriptorSet) -> tuple[str, ...]:
    """Return what the digests are called that do not hold once an image has been edited.

    An implanted sum is computed; tags are taken to be broken by any edit, since the last of them
    covers the whole session.
    """
    found = []
    start = descriptors.primary.offset
    blocks = source.read_at(start, _TAGS_WITHIN * SECTOR)
    if any(
        blocks.startswith(tag, at) for at in range(0, len(blocks), SECTOR) for tag in _FIRST_TAGS
    ):
        found.append("libisofs checksum tags")
    implanted = _IMPLANTED.search(source.read_at(start + _APPLICATION_USE, _LENGTH))
    if implanted is not None:
        end = descriptors.primary.space_size * SECTOR - int(implanted[2]) * SECTOR
        if _sum(source, start + _APPLICATION_USE, end) != implanted[1].decode():
            found.append("implanted ISO MD5SUM")
    return tuple(found)


def _sum(source: ByteSource, field: int, end: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for start in range(0, end, _BLOCK):
        block = bytearray(source.read_at(start, min(_BLOCK, end - start)))
        if start <= field < start + len(block):
            block[field - start : field - start + _LENGTH] = b" " * _LENGTH
        digest.update(block)
    return digest.hexdigest()
