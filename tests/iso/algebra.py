# SPDX-License-Identifier: Apache-2.0
"""The whole of a result, and the way back from it, worked out apart from the program."""

from __future__ import annotations

from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.regions import Overlay, Region


def whole(source: ByteSource, block: int = 1 << 20) -> bytes:
    """Read all of it, *block* bytes at a time."""
    return b"".join(source.read_at(offset, block) for offset in range(0, source.size, block))


def invert(overlay: Overlay) -> Overlay:
    """Lay the bytes of the base over the result again."""
    back = [Region(r.offset, r.new, r.original) for r in overlay.regions if r.original]
    return Overlay(overlay, back, size=overlay.base.size)
