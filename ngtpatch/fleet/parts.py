# SPDX-License-Identifier: Apache-2.0
"""How an image is put together on an object store: parts copied there, parts uploaded.

Every part but the last has at least 5 MiB (the S3 protocol's minimum), so a changed
sector costs a window of that size. Pure arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ngtpatch.iso.read.regions import merge_ranges

__all__ = ["MINIMUM", "Part", "parts"]

MINIMUM = 5 << 20
_UPLOAD = 8 << 20
# The protocol allows 5 GiB; smaller ones are retried more cheaply.
_COPY = 1 << 30


@dataclass(frozen=True)
class Part:
    """A range of the result, in bytes; *copied* from the base at the same offset, or uploaded."""

    offset: int
    length: int
    copied: bool

    @property
    def end(self) -> int:
        """The first offset after it."""
        return self.offset + self.length


def parts(size: int, base_size: int, dirty: Iterable[tuple[int, int]]) -> list[Part]:
    """Return the parts of a result, in order, covering it once.

    Args:
        size: of the result.
        base_size: of the base on the store; 0 uploads everything.
        dirty: ranges (offset, length) where the result may differ from the base.
    """
    beyond = (base_size, size - base_size)
    changed = [(o, min(n, size - o)) for o, n in merge_ranges([*dirty, beyond]) if o < size]
    planned: list[Part] = []
    at = 0
    waiting = iter(changed)
    window = next(waiting, None)
    while at < size:
        if window is None:
            planned += _split(at, size, _COPY, copied=True)
            break
        start, length = window
        if start - at >= MINIMUM:
            planned += _split(at, start, _COPY, copied=True)
            at = start
        end = max(start + length, at + MINIMUM)
        window = next(waiting, None)
        # What is left between two windows must be worth a part of its own.
        while window is not None and window[0] < end + MINIMUM:
            end = max(end, window[0] + window[1])
            window = next(waiting, None)
        end = min(end, size)
        planned += _split(at, end, _UPLOAD, copied=False)
        at = end
    return planned


def _split(start: int, end: int, step: int, *, copied: bool) -> Iterator[Part]:
    """Yield pieces of about *step*; none but one that is the whole is smaller."""
    while end - start >= 2 * step:
        yield Part(start, step, copied)
        start += step
    yield Part(start, end - start, copied)
