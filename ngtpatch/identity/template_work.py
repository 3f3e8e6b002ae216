# SPDX-License-Identifier: Apache-2.0
"""What a template has done while it makes one text, and the most of that.

Whatever a step is called, it is given texts and collections, and makes and does no more than
their square. So a step pays for that, each turn of a loop and each output pays, too, and what
is left is the bound for all loops in loops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2 import TemplateRuntimeError

__all__ = ["TooMuchError", "require", "size_of", "step", "turn", "working"]

MOST = 1 << 20
"""Characters or elements that one value, or the text as a whole, may have."""
_WORK, _STEP, _SQUARES = 1 << 24, 64, 1024
"""What one text may cost, what a step costs at least, and how many products cost one."""


class TooMuchError(TemplateRuntimeError):
    """A template makes, or does, more than a value ever needs."""


_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


@contextmanager
def working() -> Iterator[None]:
    """Give what is done in the block the work of one text."""
    token = _left.set([_WORK])
    try:
        yield
    finally:
        _left.reset(token)


def turn(cost: int = 0) -> None:
    """Pay for one more turn of a loop, which does *cost* besides. Raises TooMuchError."""
    left = _left.get()
    assert left is not None  # noqa: S101 - what is compiled or rendered is within working()
    left[0] -= _STEP + cost
    if left[0] < 0:
        raise TooMuchError("the template does more than a value needs: too many or too long steps")


def step(name: str, given: Iterable[Any]) -> None:
    """Pay for a step that is *given* this, before it is done. Raises TooMuchError."""
    sizes = sorted(map(size_of, given))
    most = (sizes[-1] + 1) * (sizes[-2] + 1) if len(sizes) > 1 else 0
    if most > _WORK:
        raise TooMuchError(f"{name} could make {most:,} at once; {MOST:,} is the most of a value")
    turn(sum(sizes) + sum(sizes) ** 2 // _SQUARES)


def require(name: str, made: int) -> None:
    """Return if a value may have so many characters or elements. Raises TooMuchError."""
    if made > MOST:
        raise TooMuchError(f"{name} would make {made:,} at once; {MOST:,} is the most of a value")


def size_of(value: Any) -> int:
    """Return how many characters and elements *value* shows; above MOST no more is counted."""
    total, waiting = 0, [value]
    while waiting and total <= MOST:
        one = waiting.pop()
        if isinstance(one, str | bytes | range):
            total += len(one)
        elif isinstance(one, int):
            total += one.bit_length() // 3
        elif isinstance(one, Mapping):
            total += len(one)
            waiting += _both(one)
        elif isinstance(one, list | tuple | set | frozenset):
            total += len(one)
            waiting += one
    return total


def _both(mapping: Mapping[Any, Any]) -> Iterator[Any]:
    for pair in mapping.items():
        yield from pair
