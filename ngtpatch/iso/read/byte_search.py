# SPDX-License-Identifier: Apache-2.0
"""Every byte of an image looked at once, for whatever patterns the caller brings.

A pattern has a needle, which is cheap to look for, and an extent, which judges each place
where the needle stands and says how far the find reaches. What is found crosses no block's
border unseen, memory stays at a few blocks, and a digest can be taken of the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ngtpatch.errors import InputError
from ngtpatch.files.hasher import Hasher
from ngtpatch.files.progress import progressed
from ngtpatch.iso.read.bytesource import ByteSource

__all__ = ["ByteHit", "BytePattern", "SearchResult", "search_bytes", "search_ranges"]

_BLOCK = 1 << 20
_ZEROS = bytes(_BLOCK)
_MOST_PLACES = 100_000
"""Needles found, before an image counts as made to keep us busy."""
_MOST_HITS = 10_000

Extent = Callable[[bytes, int, int], "tuple[str, int, int] | None"]
"""Given a window of bytes and where in it the needle begins and ends: what it is, and where
that begins and ends in the window; None where it only looks like it."""


@dataclass(frozen=True)
class BytePattern:
    """What is looked for.

    Attributes:
        needle: bytes, or a regular expression that begins with at least two certain bytes:
            those are skipped to at the speed of memory.
        longest: how many bytes the needle can match at most.
        around: how many bytes before and after the needle *extent* has to see.
        extent: see :data:`Extent`.
    """

    needle: bytes | re.Pattern[bytes]
    longest: int
    around: int
    extent: Extent

    def first(self, data: bytes, start: int) -> tuple[int, int] | None:
        """Return where the needle first stands in *data* from *start* on, as (begin, end)."""
        if isinstance(self.needle, bytes):
            at = data.find(self.needle, start)
            return None if at < 0 else (at, at + len(self.needle))
        found = self.needle.search(data, start)
        return found.span() if found else None


@dataclass(frozen=True, slots=True, order=True)
class ByteHit:
    """A find: *length* bytes at *offset* that are what the pattern's extent called *kind*."""

    offset: int
    length: int
    kind: str

    @property
    def end(self) -> int:
        """The first offset after it."""
        return self.offset + self.length


@dataclass(frozen=True)
class SearchResult:
    """What a search saw.

    Attributes:
        hits: in the order of their offsets; those of one kind may lie in each other.
        size: how many bytes were looked at: all there are.
        sha256: of those, hexadecimal; None when it was not asked for.
    """

    hits: tuple[ByteHit, ...]
    size: int
    sha256: str | None


def search_bytes(
    source: ByteSource, patterns: Sequence[BytePattern], *, digest: bool = False
) -> SearchResult:
    """Look for *patterns* in every byte of *source*, in one pass.

    Args:
        source: what is searched, from its first byte to its last.
        patterns: what for.
        digest: also compute the SHA-256 of what passes by.

    Raises:
        InputError: ``hostile``: more finds than any image has a use for; ``unreadable``.
    """
    found: set[ByteHit] = set()
    with Hasher(digest, behind=1) as sha256:
        scan = _Scan(source, patterns)
        for offset, data, fresh in _blocks(source, scan.overlap):
            sha256.update(memoryview(data)[len(data) - fresh :])
            found.update(scan.hits(offset, data))
            if len(found) > _MOST_HITS or scan.places > _MOST_PLACES:
                raise _too_many()
        return SearchResult(tuple(sorted(found)), source.size, sha256.result())


def search_ranges(
    source: ByteSource, ranges: Iterable[tuple[int, int]], patterns: Sequence[BytePattern]
) -> tuple[ByteHit, ...]:
    """Look for *patterns* in some (offset, length) of *source*, and where they reach into them.

    Raises InputError as :func:`search_bytes`.
    """
    margin = max((pattern.longest for pattern in patterns), default=1) - 1
    found: set[ByteHit] = set()
    for offset, length in ranges:
        if length <= _BLOCK and not any(source.read_at(offset, length)):
            continue
        start = max(offset - margin, 0)
        end = min(offset + length + margin, source.size)
        for hit in search_bytes(_Part(source, start, end), patterns).hits:
            found.add(ByteHit(start + hit.offset, hit.length, hit.kind))
        if len(found) > _MOST_HITS:
            raise _too_many()
    return tuple(sorted(found))


def _too_many() -> InputError:
    return InputError(
        "hostile",
        "holds more of what is searched for than any disc has a use for",
        hint="nothing is claimed of it",
    )


class _Part:
    """A part of a source, as a source."""

    def __init__(self, source: ByteSource, start: int, end: int) -> None:
        self._source, self._start = source, start
        self.size = end - start

    def read_at(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        return self._source.read_at(self._start + offset, length) if length > 0 else b""


class _Scan:
    """A search on its way through a source."""

    def __init__(self, source: ByteSource, patterns: Sequence[BytePattern]) -> None:
        self.places = 0
        self.overlap = max((pattern.longest for pattern in patterns), default=1) - 1
        self._source = source
        self._patterns = patterns
        # The offset up to which each was judged already.
        self._judged = [0] * len(patterns)

    def hits(self, offset: int, data: bytes) -> Iterator[ByteHit]:
        """Judge each place in *data*, which stands at *offset*, that was not judged yet."""
        if data == _ZEROS[: len(data)]:
            return
        for index, pattern in enumerate(self._patterns):
            at = max(self._judged[index] - offset, 0)
            while (place := pattern.first(data, at)) is not None:
                self.places += 1
                if self.places > _MOST_PLACES:
                    return
                at = place[1]
                hit = self._judge(pattern, offset + place[0], offset + place[1])
                if hit is not None:
                    yield hit
                    at = max(at, hit.end - offset)
                self._judged[index] = offset + at

    def _judge(self, pattern: BytePattern, begin: int, end: int) -> ByteHit | None:
        start = max(begin - pattern.around, 0)
        window = self._source.read_at(start, end + pattern.around - start)
        found = pattern.extent(window, begin - start, end - start)
        if found is None:
            return None
        kind, first, last = found
        return ByteHit(start + first, last - first, kind)


def _blocks(source: ByteSource, overlap: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield (offset, bytes, how many of them are new); each repeats the last *overlap* bytes."""
    for offset in range(0, source.size, _BLOCK):
        start = max(offset - overlap, 0)
        wanted = min(offset + _BLOCK, source.size) - start
        data = source.read_at(start, wanted)
        if len(data) < wanted:
            raise InputError("unreadable", "ended early while it was searched")
        yield start, data, wanted - (offset - start)
        progressed("searched", start + wanted, source.size)
