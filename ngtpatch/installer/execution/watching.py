# SPDX-License-Identifier: Apache-2.0
"""What an execution compared with what, and which statements each guest came to.

Asked for by who looks for the place that decides; an execution that nobody watches notes none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ngtpatch.installer.execution.module_values import HeldByGuests, NameOf
from ngtpatch.installer.execution.objects import Container
from ngtpatch.installer.execution.trail import Trail
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["ExpressionSpan", "Meeting", "Turn", "Watch", "member", "span_of"]

_Texts = tuple[tuple[int, str | frozenset[str]], ...]
#: The relation, what stood on the right, and the place.
Meeting = tuple[str, str | frozenset[str], tuple[str, int]]

#: A file, and the lines and columns between which an expression stands in it.
ExpressionSpan = tuple[str, int, int, int, int]

#: The texts of the members of what has no order.
_Members = frozenset[str]

_MOST = 4_000


@dataclass(frozen=True)
class Turn:
    """Another order for the sets and dictionaries that have certain members.

    It is that of their texts, whatever the order of what they were made of.

    Attributes:
        of: their members.
        first: which of them comes first, the others after it; all from the end, where it is None.
    """

    of: _Members
    first: int | None = None

    def of_items(self, members: Sequence[str], items: Sequence[Plain]) -> Sequence[Plain]:
        """Return the items of something with these members in that order."""
        row = [items[at] for at in sorted(range(len(items)), key=members.__getitem__)]
        if self.first is None:
            return tuple(reversed(row))
        return (*row[self.first :], *row[: self.first])


@dataclass
class Watch:
    """What was seen.

    Attributes:
        meetings: every comparison in which both sides are texts, or containers of such, by
            its relation (``==``, ``in``, ``startswith``, ``endswith``, ``find``, ``pattern``;
            ``meets`` for two sets), its right side, file and line: what stood on the left.
        reached: by file and line of a statement, the guests that came to it.
        open: by file and line of a condition, the guests on which it may be true or false.
        handed: the texts of the disc that something unknown was called with, which may do
            anything by them.
        asked: expressions whose values are to be noted, by file and where they start and end.
        told: what each of them was, and on which guests.
        steps: how many steps it took.
        guests: those for whom it is asked what names hold; none by default.
        held: what the names of the modules held for them once the program had ended.
        orderless: the members of each set or dictionary that was gone through and has no order,
            and where that was first.
        turn: another order for some of them.
        trail: where each guest came to and with what, if it is asked for.
        measured: files of the disc, and where a program looked at their size or content.
        acts: what was handed, and at which line, to functions that do something to the guest.
        opened: files of the disc that a program opens for reading, and where.
        listed: folders of the disc that are gone through.
        foresees: whether it is handled that the package distro is missing.
    """

    meetings: dict[Meeting, set[tuple[int, str | frozenset[str]]]] = field(default_factory=dict)
    reached: dict[tuple[str, int], int] = field(default_factory=dict)
    open: dict[tuple[str, int], int] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)
    asked: frozenset[ExpressionSpan] = frozenset()
    told: dict[ExpressionSpan, list[tuple[int, str]]] = field(default_factory=dict)
    steps: int = 0
    guests: int = 0
    held: dict[NameOf, HeldByGuests] = field(default_factory=dict)
    orderless: dict[_Members, tuple[str, int]] = field(default_factory=dict)
    turn: Turn | None = None
    trail: Trail | None = None
    measured: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    acts: dict[tuple[str, int], list[tuple[int, str]]] = field(default_factory=dict)
    opened: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    foresees: bool = False

    def meet(
        self, relation: str, left: Varied, right: Varied, mask: int, place: tuple[str, int]
    ) -> None:
        """Note that *left* was compared with *right* on the guests of *mask*, at *place*."""
        one = _texts(left, mask)
        for guests, text in _texts(right, mask) if one else ():
            key = (relation, text, place)
            if key in self.meetings or len(self.meetings) < _MOST:
                self.meetings.setdefault(key, set()).update(
                    (both & guests, value) for both, value in one if both & guests
                )

    def come(self, place: tuple[str, int], mask: int) -> None:
        """Note that the guests of *mask* came to a statement."""
        self.reached[place] = self.reached.get(place, 0) | mask

    def tell(self, span: ExpressionSpan, value: Varied, mask: int) -> None:
        """Note what an expression is, if it is one of those that are asked for."""
        if span in self.asked:
            self.told.setdefault(span, []).extend(_told(value, mask))

    def act(self, place: tuple[str, int], args: Sequence[Varied], mask: int) -> None:
        """Note what the guests of *mask* hand to something that acts on them, at *place*."""
        rows = self.acts.setdefault(place, [])
        for number, value in enumerate(args):
            rows += [(guests, f"{number}: {text}") for guests, text in _told(value, mask)]

    def in_order(
        self, place: tuple[str, int], members: Sequence[Plain], items: Sequence[Plain]
    ) -> Sequence[Plain]:
        """Return the items of what has these members and no order, as they are gone through."""
        names = [member(one) for one in members]
        key = frozenset(names)
        self.orderless.setdefault(key, place)
        turned = self.turn is not None and self.turn.of == key
        return self.turn.of_items(names, items) if self.turn and turned else items

    def measure(self, path: str, place: tuple[str, int]) -> None:
        """Note that a program looked at the size or content of a file of the disc, at *place*."""
        self.measured.setdefault(path, set()).add(place)

    def open_own(self, path: str, place: tuple[str, int]) -> None:
        """Note that a program opens a file of the disc for reading, at *place*."""
        self.opened.setdefault(path, set()).add(place)

    def leave_open(self, place: tuple[str, int], mask: int) -> None:
        """Note that a condition may be true or false on the guests of *mask*."""
        if mask:
            self.open[place] = self.open.get(place, 0) | mask

    def hand(self, value: Varied, mask: int, depth: int = 3) -> None:
        """Note the texts in a value that something unknown is called with."""
        for guests, one in value.each(mask):
            rows = (
                [items for _, items in one.store.get("items").each(guests)]
                if isinstance(one, Container)
                else [one]
            )
            for items in rows:
                if isinstance(items, str):
                    self.handed.add(items)
                elif isinstance(items, tuple | frozenset | dict) and depth:
                    parts = [*items, *items.values()] if isinstance(items, dict) else items
                    for part in parts:
                        self.hand(Varied.of(part), guests, depth - 1)


def span_of(path: str, node: ast.expr) -> ExpressionSpan:
    """Return where an expression stands."""
    end = node.end_lineno or node.lineno
    return (path, node.lineno, node.col_offset, end, node.end_col_offset or 0)


def _told(value: Varied, mask: int, depth: int = 2) -> Iterator[tuple[int, str]]:
    """Yield what a value is, and of a container each element with its place."""
    for guests, one in value.each(mask):
        yield guests, _named(one)
        rows = (
            one.store.get("items").each(guests) if isinstance(one, Container) else ((guests, one),)
        )
        for some, items in rows if depth else ():
            parts: Iterable[tuple[object, Plain]] = ()
            if isinstance(items, tuple):
                parts = enumerate(items)
            elif isinstance(items, dict):
                parts = ((_named(key), part) for key, part in items.items())
            for place, part in parts:
                for who, text in _told(Varied.of(part), some, depth - 1):
                    yield who, f"{place}: {text}"


def _named(value: Plain) -> str:
    if isinstance(value, Unknown):
        return "unknown"
    is_atom = value is None or isinstance(value, str | bytes | int | float)
    return repr(value) if is_atom else type(value).__name__


def member(value: Plain) -> str:
    """Return what something is called as a member of a set or dictionary."""
    return f"({', '.join(map(member, value))})" if isinstance(value, tuple) else _named(value)


def _texts(value: Varied, mask: int) -> _Texts:
    found: list[tuple[int, str | frozenset[str]]] = []
    for guests, one in value.each(mask):
        if isinstance(one, Container):
            for some, items in one.store.get("items").each(guests):
                found += [(some, texts) for texts in _within(items)]
        else:
            found += [(guests, texts) for texts in _within(one)]
    return tuple(found)


def _within(value: Plain) -> list[str | frozenset[str]]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Unknown) or not isinstance(value, tuple | frozenset | dict):
        return []
    items: Any = value
    texts = frozenset(one for one in items if isinstance(one, str))
    return [texts] if texts else []
