# SPDX-License-Identifier: Apache-2.0
"""A value that may differ from guest to guest.

Guests are bits of an integer. A value is a row of groups (guests, what it is
there); a guest in two groups has either value, and which is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ALL", "NOTHING", "Plain", "Unknown", "Varied", "bounded", "identity_of", "is_vague", "join",
    "merged", "met",
]  # fmt: skip

#: What a value is on one guest: an atom of Python, a tuple of such, or an object of this package.
Plain = Any

#: The bits of every guest there can be.
ALL = -1

# By its kind and itself; of the others of Python's own, by its text.
_BY_VALUE = frozenset({str, int, bool, bytes, type(None)})
_BY_TEXT = frozenset({float, complex, slice, range})


@dataclass(frozen=True)
class Unknown:
    """What is not known about a value.

    Attributes:
        tainted: whether it may depend on the distribution (or the Python) that is asked for.
        origin: what made it, such as ``queue.Queue()@7``: two of one origin may be one; where
            guests have values of different origins, they may be told apart by them.
    """

    tainted: bool
    origin: str = ""


def is_vague(value: Plain) -> bool:
    """Tell whether a value, or a part of a tuple, is not known."""
    if isinstance(value, tuple):
        return any(is_vague(one) for one in value)
    return isinstance(value, Unknown)


def identity_of(value: Plain) -> Any:
    """Return a key that is equal for two values that are the same to a program."""
    kind = type(value)
    if kind in _BY_VALUE:
        return kind, value
    if kind in _BY_TEXT:
        return kind, str(value)
    if isinstance(value, tuple):
        return kind, tuple([identity_of(one) for one in value])
    if kind is Unknown:
        return value
    key = getattr(value, "key", None)
    return id(value) if key is None else key


class Varied:
    """A value by group of guests."""

    __slots__ = ("groups",)

    def __init__(self, groups: tuple[tuple[int, Plain], ...]) -> None:
        self.groups = groups

    @staticmethod
    def of(value: Plain) -> Varied:
        """Return a value that is the same on every guest."""
        return Varied(((ALL, value),))

    @property
    def mask(self) -> int:
        """The guests on which there is a value at all."""
        return _all_of(self.groups)

    def within(self, mask: int) -> Varied:
        """Return the part that concerns the guests of *mask*."""
        if len(self.groups) == 1:
            only = self.groups[0][0]
            if only & mask == only:
                return self
        return Varied(_cut(self.groups, mask))

    def each(self, mask: int) -> Sequence[tuple[int, Plain]]:
        """Return the groups within *mask* that have guests."""
        groups = self.groups
        if len(groups) == 1:
            guests = groups[0][0] & mask
            return ((guests, groups[0][1]),) if guests else ()
        return _cut(groups, mask)

    def ambiguous(self, mask: int) -> int:
        """Return the guests of *mask* that have more than one value."""
        seen = twice = 0
        for guests, _ in self.each(mask):
            twice |= seen & guests
            seen |= guests
        return twice

    def depends(self, mask: int) -> bool:
        """Tell whether it differs between the guests of *mask*, or may for what is known.

        Values of which nothing is known but their origin count as one: what they may tell
        apart is noted where it decides.
        """
        vague = 0
        first: int | None = None
        for guests, value in self.groups:
            here = guests & mask
            if not here:
                continue
            if isinstance(value, Unknown):
                if value.tainted:
                    return True
                vague |= here
                continue
            if first is None:
                first = here
            elif here != first:
                return True
        return bool(vague) and first is not None and vague != first


def _cut(groups: Iterable[tuple[int, Plain]], mask: int) -> tuple[tuple[int, Plain], ...]:
    return tuple([(here, value) for guests, value in groups if (here := guests & mask)])


#: A value on no guest.
NOTHING = Varied(())


def join(groups: Iterable[tuple[int, Plain]]) -> Varied:
    """Return the value that these groups are, equal ones made one."""
    found: dict[Any, tuple[int, Plain]] = {}
    for mask, value in groups:
        if mask:
            kind = type(value)
            key = (kind, value) if kind in _BY_VALUE else identity_of(value)
            old = found.get(key)
            found[key] = (mask, value) if old is None else (old[0] | mask, old[1])
    return Varied(tuple(found.values()))


def met(
    left: Sequence[tuple[int, Plain]], right: Sequence[tuple[int, Plain]]
) -> Iterator[tuple[int, Plain, Plain]]:
    """Yield each pair of values that some guest has, and whose guests those are."""
    if len(left) * len(right) > _FEW and _is_apart(right):
        # Each guest is in one group at most: it is looked up, not searched for.
        which = {}
        for at, (mask, _) in enumerate(right):
            while mask:
                bit = mask & -mask
                which[bit] = at
                mask ^= bit  # noqa: PLW2901 - its bits, one after the other
        every = _all_of(right)
        for mask, value in left:
            rest = mask & every
            while rest:
                guests, other = right[which[rest & -rest]]
                yield rest & guests, value, other
                rest &= ~guests
        return
    for mask, value in left:
        for guests, other in right:
            if mask & guests:
                yield mask & guests, value, other


_FEW = 256


def _all_of(groups: Iterable[tuple[int, Plain]]) -> int:
    found = 0
    for mask, _ in groups:
        found |= mask
    return found


def _is_apart(groups: Iterable[tuple[int, Plain]]) -> bool:
    """Tell whether these are some guests, and none of them twice."""
    seen = 0
    for mask, _ in groups:
        if mask & seen or mask < 0:
            return False
        seen |= mask
    return True


_MOST_ON_ONE = 200


def bounded(value: Varied) -> Varied:
    """Return *value* as unknown on guests that have it in too many ways to be followed.

    A name that each of a thousand undecided tests may bind has a thousand values.
    """
    if len(value.groups) <= _MOST_ON_ONE:
        return value
    every = _all_of(value.groups)
    either = value.ambiguous(every)
    if sum(bool(mask & either) for mask, _ in value.groups) <= _MOST_ON_ONE:
        return value
    vague = Unknown(tainted=value.depends(either))
    return Varied((*_cut(value.groups, every & ~either), (either, vague)))


def merged(value: Varied) -> Varied:
    """Return *value* with at most one value of unknown origin on each guest."""
    groups = [one for one in value.groups if isinstance(one[1], Unknown) and not one[1].tainted]
    if len(groups) < 2:
        return value
    seen = twice = 0
    for mask, _ in groups:
        twice |= seen & mask
        seen |= mask
    if not twice:
        return value
    rest = [one for one in value.groups if one not in groups]
    parts: dict[str, int] = {}
    while twice:
        bit = twice & -twice
        which = [(mask, one) for mask, one in groups if mask & bit]
        same = twice
        for mask, one in groups:
            same &= mask if (mask, one) in which else ~mask
        origins = sorted({part for _, one in which for part in one.origin.split("|")})[:4]
        parts["|".join(origins)] = parts.get("|".join(origins), 0) | same
        twice &= ~same
    both = 0
    for mask in parts.values():
        both |= mask
    rest += [(mask & ~both, one) for mask, one in groups if mask & ~both]
    return join([*rest, *((mask, Unknown(False, origin)) for origin, mask in parts.items())])
