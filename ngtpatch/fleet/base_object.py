# SPDX-License-Identifier: Apache-2.0
"""The base as an object in a store: without identity, in parts, and known by their entity tag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from ngtpatch.fleet.base import Base
from ngtpatch.fleet.parts import MINIMUM, Part, parts
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.regions import BLOCK, Overlay, Region

__all__ = [
    "base_parts",
    "is_worth_copying",
    "multipart_tag",
    "read_part",
    "tag_of_parts",
    "without_identity",
]

_MD5 = re.compile(r"[0-9a-f]{32}")


def is_worth_copying(base: Base) -> bool:
    """Say whether outputs are put together of ranges of the base's object."""
    return base.sha256 is not None and not base.single and base.volume.size > MINIMUM


def base_parts(clean: ByteSource) -> list[Part]:
    """Return the parts that the base is uploaded in."""
    return parts(clean.size, 0, ())


def multipart_tag(clean: ByteSource) -> str | None:
    """Return the entity tag of the base, uploaded in its parts."""
    return tag_of_parts(
        hashlib.md5(read_part(clean, part), usedforsecurity=False).hexdigest()
        for part in base_parts(clean)
    )


def tag_of_parts(tags: Iterable[str]) -> str | None:
    """Return the entity tag of an object by those of its parts, where these are MD5s."""
    digests = list(tags)
    if not all(_MD5.fullmatch(digest) for digest in digests):
        return None
    whole = hashlib.md5(b"".join(map(bytes.fromhex, digests)), usedforsecurity=False).hexdigest()
    return f'"{whole}-{len(digests)}"'


def without_identity(base: Base) -> Overlay:
    """Return the base with zeros where its identity stood: no object needs those bytes."""
    regions = [
        Region(offset, base.volume.read_at(offset, length), bytes(length))
        for offset, length in base.identity_ranges
    ]
    return Overlay(base.volume.source, regions)


def read_part(source: ByteSource, part: Part) -> bytes:
    """Return the bytes of a part."""
    pieces = [
        source.read_at(offset, min(BLOCK, part.end - offset))
        for offset in range(part.offset, part.end, BLOCK)
    ]
    return b"".join(pieces)
