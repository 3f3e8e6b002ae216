# SPDX-License-Identifier: Apache-2.0
"""One digest of many ranges, put together of pieces, so that what did not change is not read again.

A thousand images that are made of one base share most of what the base's record tells of: an
archive that was written anew, say. Only the pieces that an edit touched are hashed for each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from ngtpatch.iso.read.bytesource import ByteSource

__all__ = ["Pieces", "digest_ranges"]

PIECE = 1 << 20
"""Bytes after which a range is cut, at multiples of this from the image's start."""


class Pieces:
    """The digests of an unchanging source's pieces, each computed once."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._known: dict[tuple[int, int], bytes] = {}

    def of(self, offset: int, length: int) -> bytes:
        """Return the SHA-256 of a piece."""
        known = self._known.get((offset, length))
        if known is None:
            known = _sha256(self._source, offset, length)
            self._known[offset, length] = known
        return known


def digest_ranges(
    source: ByteSource,
    ranges: Iterable[tuple[int, int]],
    *,
    below: Pieces | None = None,
    touched: Callable[[int, int], bool] = lambda _offset, _length: False,
) -> str:
    """Return the SHA-256 (hexadecimal) of what stands in *ranges*, and where.

    Over each piece's offset, length and SHA-256; a piece ends with its range, or at the next
    multiple of 1 MiB.

    Args:
        source: the bytes.
        ranges: (offset, length), in order, none over another.
        below: digests of what *source* was made from.
        touched: whether *source* may differ from that in (offset, length).
    """
    digest = hashlib.sha256()
    for offset, length in _pieces(ranges):
        digest.update(offset.to_bytes(8, "big") + length.to_bytes(8, "big"))
        if below is None or touched(offset, length):
            digest.update(_sha256(source, offset, length))
        else:
            digest.update(below.of(offset, length))
    return digest.hexdigest()


def _pieces(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for offset, length in ranges:
        start, end = offset, offset + length
        while start < end:
            stop = min(end, (start // PIECE + 1) * PIECE)
            yield start, stop - start
            start = stop


def _sha256(source: ByteSource, offset: int, length: int) -> bytes:
    return hashlib.sha256(source.read_at(offset, length)).digest()
