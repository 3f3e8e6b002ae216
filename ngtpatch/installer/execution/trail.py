# SPDX-License-Identifier: Apache-2.0
"""Where each guest came to and with what: to be compared with another execution of the files."""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ngtpatch.installer.execution.objects import (
    Container,
    External,
    FunctionObject,
    InstanceObject,
    Native,
)
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied
from ngtpatch.installer.scopes import only_logs

__all__ = ["Hop", "Trail", "atoms_of"]

_MAX_DEPTH = 4
_MOST_PARTS = 200


@dataclass(frozen=True)
class Hop:
    """One thing that was come to.

    Attributes:
        path: the file.
        line: where in it.
        what: ``line``: the statement; ``gives``: what a function gave; ``gets``: what something
            that is not of the disc was called with.
        value: that.
        in_round: whether it was in a round of a loop over texts.
        among: what these loops go through.
        counted: the other loops around it: file, line and how many rounds each has.
        logs: whether the line only tells somebody.
    """

    path: str
    line: int
    what: str
    value: Hashable = None
    in_round: bool = False
    logs: bool = False
    counted: tuple[tuple[str, int, int], ...] = ()
    among: frozenset[str] = frozenset()


@dataclass
class Trail:
    """What was come to, and the guests that did."""

    hops: dict[Hop, int] = field(default_factory=dict)
    _logging: set[tuple[str, int]] = field(default_factory=set)

    def come(self, machine: Any, statement: ast.stmt) -> None:
        """Note a statement that is about to be executed."""
        path, line = machine.spot
        if isinstance(statement, ast.Expr) and only_logs([statement]):
            lines = range(line, (statement.end_lineno or line) + 1)
            self._logging.update((path, each) for each in lines)
        elif not isinstance(statement, ast.Pass | ast.Continue):
            self._note(machine, machine.spot, "line", machine.mask)

    def give(self, machine: Any, function: FunctionObject, value: Varied) -> None:
        """Note what a function has given."""
        self._values(machine, "gives", value, (function.module.path or "", function.node.lineno))

    def call(self, machine: Any, function: Plain, args: tuple[Varied, ...]) -> None:
        """Note what something that is not of the disc is called with."""
        told = isinstance(function, Native) and function.name == "print"
        if told or isinstance(function, External | Unknown):
            for value in args:
                self._values(machine, "gets", value, machine.spot)

    def _values(self, machine: Any, what: str, value: Varied, spot: tuple[str, int]) -> None:
        for guests, one in value.each(machine.mask):
            for mask, told in _told(one, guests, _MAX_DEPTH):
                self._note(machine, spot, what, mask, told)

    def _note(
        self, machine: Any, spot: tuple[str, int], what: str, guests: int, value: Hashable = None
    ) -> None:
        logs = machine.spot in self._logging
        among = frozenset().union(*machine.rounds)
        counted = tuple(machine.counted)
        hop = Hop(*spot, what, value, bool(machine.rounds), logs, counted, among)
        self.hops[hop] = self.hops.get(hop, 0) | guests


def atoms_of(told: Hashable) -> Iterator[str]:
    """Yield what stands in a hop's value, as text, without what kind each part is."""
    match told:
        case (str(), tuple() | frozenset() as parts):
            yield from atoms_of(parts)
        case (str(), value):
            yield str(value)
        case tuple() | frozenset():
            for part in told:
                yield from atoms_of(part)


def _told(value: Plain, guests: int, depth: int) -> Iterator[tuple[int, Hashable]]:
    """Yield what a value is, as two executions have it, and for whom of *guests*."""
    match value:
        case None | str() | bytes() | int() | float():
            yield guests, (type(value).__name__, value)
        case Container() if depth:
            for mask, items in value.store.get("items").each(guests):
                for some, told in _told(items, mask, depth - 1):
                    yield some, (value.kind.__name__, told)
        case tuple() if depth and len(value) <= _MOST_PARTS:
            yield from _row(value, guests, depth)
        case frozenset() if depth and len(value) <= _MOST_PARTS:
            for mask, row in _row(value, guests, depth):
                yield mask, frozenset(row)
        case dict() if depth and len(value) <= _MOST_PARTS:
            yield from _row([part for pair in value.items() for part in pair], guests, depth)
        case InstanceObject():
            yield guests, ("a", value.cls.name)
        case re.Pattern():
            yield guests, ("pattern", value.pattern)
        case _:
            yield guests, (type(value).__name__, str(getattr(value, "name", "")))


def _row(parts: Any, guests: int, depth: int) -> Iterator[tuple[int, tuple[Hashable, ...]]]:
    rows: list[tuple[int, tuple[Hashable, ...]]] = [(guests, ())]
    for part in parts:
        rows = [
            (some, (*row, told))
            for mask, row in rows
            for some, told in _told(part, mask, depth - 1)
        ]
    yield from rows
