# SPDX-License-Identifier: Apache-2.0
"""What an execution shows of each guest: how its programs end, what it is given, where it comes."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.program import Execution, execute
from ngtpatch.installer.execution.watching import ExpressionSpan, Watch, span_of
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.installer.scopes import only_logs
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.naming import chosen_outside, nameless

__all__ = ["Fate", "Onlooker", "Sight", "shipped_lines"]

_LINE_END = re.compile(r"\r\n|\r|\n")

Fate = frozenset[tuple[str, ...]]
"""Rows of an end (file, line, error, success, alone) and of what a function gives."""
_Way = frozenset[tuple[str, int]]
_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Sight:
    """What an execution showed of each guest.

    Attributes:
        fates: how its programs end, and what it is given.
        ways: the statements that it comes to.
        unsure: who comes to something that is not understood.
        either: the tests that may be true or false for it: something else than it decides.
        told: what each expression is that chooses by names and is no test, by its number.
        handed: what it hands to what acts on the guest, by its line, whatever its own name is.
    """

    fates: Mapping[World, Fate]
    ways: Mapping[World, _Way]
    unsure: frozenset[World]
    either: Mapping[World, _Way]
    told: Mapping[World, Fate]
    handed: Mapping[World, frozenset[tuple[str, int, frozenset[str]]]]


class Onlooker:
    """Executes files of a tree, each as a program, for many guests.

    Args:
        sources: the files.
        tree: all that they may import, and they themselves.
        worlds: the guests.
        chosen: whether what chooses by names where there is no ``if`` is asked for, too.
    """

    def __init__(
        self,
        sources: Sequence[PythonSource],
        tree: Mapping[str, bytes],
        worlds: Sequence[World],
        *,
        chosen: bool = False,
    ) -> None:
        self._chosen = {one.path: _chosen(one) for one in sources} if chosen else {}
        self._paths = [source.path for source in sources]
        self._tree, self._worlds = tree, tuple(worlds)
        self.bits: Mapping[World, int] = {world: 1 << at for at, world in enumerate(self._worlds)}
        # A line that only tells something is no part of what becomes of a guest.
        self._logging = {
            (source.path, node.lineno)
            for source in sources
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Expr | ast.Pass) and only_logs([node])
        }

    def as_shipped(self, watch: Watch) -> Sight:
        """Return what the files show as they are; *watch* is told what is compared and reached."""
        return self._shown(self._executed({}, watch, self._chosen), {}, self._chosen)

    def with_changes(
        self, changes: Sequence[tuple[PythonSource, Sequence[Insertion]]], watch: Watch
    ) -> Sight:
        """Return what they show with these insertions into files of the tree, by the old lines.

        Raises:
            Refusal: something cannot be inserted, or what comes out is no source.
        """
        contents: dict[str, bytes] = {}
        lines: dict[str, Mapping[int, int | None]] = {}
        chosen = dict(self._chosen)
        for source, insertions in changes:
            contents[source.path] = insert(source, insertions)
            after = parse(source.path, contents[source.path])
            lines[source.path] = shipped_lines(source, insertions)
            # Of a file that is only imported nothing of the kind was asked for as shipped.
            if source.path in self._chosen:
                chosen[source.path] = _chosen(after)
                if len(chosen[source.path]) != len(self._chosen[source.path]):
                    raise Refusal("shape", "something else is chosen in it", path=source.path)
        return self._shown(self._executed(contents, watch, chosen), lines, chosen)

    def _executed(
        self,
        changed: Mapping[str, bytes],
        watch: Watch,
        chosen: Mapping[str, Sequence[ExpressionSpan]],
    ) -> Execution:
        watch.asked = frozenset(span for spans in chosen.values() for span in spans)
        return execute({**self._tree, **changed}, self._worlds, paths=self._paths, watch=watch)

    def _shown(
        self,
        execution: Execution,
        lines: Mapping[str, Mapping[int, int | None]],
        chosen: Mapping[str, Sequence[ExpressionSpan]],
    ) -> Sight:
        """Return what was shown, with the lines of changed files as *lines* has them."""

        def line_of(path: str, line: int) -> int | None:
            return lines[path].get(line, line) if path in lines else line

        rows: list[tuple[int, tuple[str, ...]]] = []
        for one in execution.endings:
            where = str(line_of(one.path, one.line))
            what = (one.path, where, one.error, str(one.success), str(one.alone))
            rows.append((one.guests & ~one.certain, (*what, "perhaps")))
            rows.append((one.certain, what))
        for (path, function), groups in execution.given.items():
            rows += [(mask, (path, function, what)) for mask, what in groups]
        either = [
            (mask, (path, line_of(path, number) or 0))
            for (path, number), mask in (execution.watch or Watch()).open.items()
        ]
        ways: list[tuple[int, tuple[str, int]]] = []
        for (path, number), mask in (execution.watch or Watch()).reached.items():
            line = line_of(path, number)
            if line is not None and (path, line) not in self._logging:
                ways.append((mask, (path, line)))
        told = [
            (mask, (path, str(number), what))
            for path, spans in chosen.items()
            for number, span in enumerate(spans)
            for mask, what in (execution.watch or Watch()).told.get(span, ())
        ]
        unsure = 0
        for use in execution.findings:
            unsure |= use.guests
        handed = [
            (mask, (path, line, what))
            for (path, number), groups in (execution.watch or Watch()).acts.items()
            if self._chosen and (line := line_of(path, number)) is not None
            for mask, what in groups
        ]
        return Sight(
            self._by_world(rows), self._by_world(ways), frozenset(self._of(unsure)),
            self._by_world(either), self._by_world(told),
            {
                world: frozenset((path, line, nameless([what], world)) for path, line, what in some)
                for world, some in self._by_world(handed).items()
            },
        )  # fmt: skip

    def _by_world(self, rows: Iterable[tuple[int, _Row]]) -> dict[World, frozenset[_Row]]:
        """Return the rows of each guest. Guests with the same are few kinds: each is made once."""
        alike: dict[int, set[_Row]] = {}
        for mask, row in rows:
            alike.setdefault(mask, set()).add(row)
        kinds: list[tuple[int, frozenset[_Row]]] = [((1 << len(self._worlds)) - 1, frozenset())]
        for mask, some in alike.items():
            kinds = [
                (guests & here, found | some if here == mask else found)
                for guests, found in kinds
                for here in (mask, ~mask)
                if guests & here
            ]
        return {world: found for mask, found in kinds for world in self._of(mask)}

    def _of(self, mask: int) -> Iterator[World]:
        for world, bit in self.bits.items():
            if mask & bit:
                yield world


def _chosen(source: PythonSource) -> list[ExpressionSpan]:
    return [span_of(source.path, one) for one in chosen_outside(source.tree)]


def shipped_lines(source: PythonSource, insertions: Sequence[Insertion]) -> dict[int, int | None]:
    """Return what each line of the changed file was, as shipped; None for one that is new."""
    found: dict[int, int | None] = {}
    shift = 0
    total = len(source.starts)
    at = 1
    for insertion in sorted(insertions, key=lambda one: one.offset):
        count = len(_LINE_END.findall(insertion.text))
        line = bisect_right(source.starts, insertion.offset)
        for number in range(at, line + 1):
            found[number + shift] = number
        if count:
            start = source.starts[line - 1]
            leads = not source.text[start : insertion.offset].strip()
            first = line if leads else line + 1
            for number in range(first, first + count):
                found[number + shift] = None
            if leads:
                found[line + count + shift] = line
            at = line + 1
            shift += count
        else:
            at = line + 1
    for number in range(at, total + 1):
        found[number + shift] = number
    return found
