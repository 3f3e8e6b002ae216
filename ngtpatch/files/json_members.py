# SPDX-License-Identifier: Apache-2.0
"""What Python's reader of JSON takes and nobody can have meant, found and named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

__all__ = ["Members", "doubtful"]

# No document about VMs has ten levels. Deeper ones end in a RecursionError, wherever they go.
_DEEPEST = 64


class Members(dict[str, Any]):
    """A JSON object that remembers which of its members were given twice.

    It is made by ``object_pairs_hook``; :func:`doubtful` tells of it.
    """

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice: tuple[str, ...] = ()
        if len(self) < len(pairs):
            counted = Counter(key for key, _ in pairs)
            self.twice = tuple(key for key, count in counted.items() if count > 1)


def doubtful(value: object) -> Iterator[tuple[str, str]]:
    """Yield what in *value* is not to be believed: where, as ``member.inner``, and why."""
    ahead: list[tuple[tuple[str, ...], object]] = [((), value)]
    while ahead:  # a loop, since a document may be as deep as its reader goes
        names, inner = ahead.pop()
        if isinstance(inner, float) and not math.isfinite(inner):
            yield ".".join(names), "is NaN or infinite, and no number of JSON"
        if isinstance(inner, Members):
            for name in inner.twice:
                yield ".".join((*names, name)), "is given twice; which one counts is not guessed"
        below: list[tuple[str, object]] = []
        if isinstance(inner, dict):
            below = list(inner.items())
        elif isinstance(inner, list):
            below = [(str(number), one) for number, one in enumerate(inner, start=1)]
        if below and len(names) >= _DEEPEST:
            yield names[0], f"is nested more than {_DEEPEST} deep"
            continue
        ahead += (((*names, name), one) for name, one in reversed(below))
