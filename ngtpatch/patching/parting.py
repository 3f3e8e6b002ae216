# SPDX-License-Identifier: Apache-2.0
"""What has a patched program, executed, treat a new name otherwise than its kin?

A name that is accepted can still go another way: by a test that stands beside the chain, or
with something else handed to what does something to the guest. Each is named by its line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ngtpatch.installer.execution.program import Execution
from ngtpatch.installer.execution.watching import ExpressionSpan, span_of
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.python_source import parse
from ngtpatch.installer.scopes import only_logs
from ngtpatch.patching.naming import acted_on, nameless

__all__ = ["Parting", "acts", "lines_reached"]

_ACTING = re.compile(rb"\b(?:subprocess|shutil|os|commands|popen2|pty)\b")


class Parting:
    """Finds, in one execution, where guests are treated otherwise than their kin.

    Args:
        tree: the files that were executed.
        execution: what came of it.
        acts: what was asked for while they were; see :func:`acts`.
    """

    def __init__(
        self,
        tree: Mapping[str, bytes],
        execution: Execution,
        acts: Mapping[ExpressionSpan, ExpressionSpan],
    ) -> None:
        self._tree, self._execution, self._acts = tree, execution, acts
        self._bits = {world: 1 << at for at, world in enumerate(execution.worlds)}
        self._telling: dict[str, frozenset[int]] = {}

    def places(self, kin: Mapping[World, World | None]) -> Iterator[tuple[str, int]]:
        """Yield, by file and line, what has one of these guests go another way than its kin.

        That is the tests that both come to; where none in a file tells them apart, the first
        statement that one of them does not come to.
        """
        reached = lines_reached(self._execution)
        for path in sorted({path for path, _ in reached}):
            parted = [
                line
                for (where, line), guests in reached.items()
                if where == path
                and self._tells_apart(guests, kin)
                and line not in self.telling(path)
            ]
            if parted:
                tests = [
                    line
                    for (where, line), (true, false) in self._execution.conditions.items()
                    if where == path and self._decides_apart(true, false, kin)
                ]
                yield from ((path, line) for line in tests or [min(parted)])
        seen = self._execution.watch
        for place, rows in seen.acts.items() if seen is not None else ():
            if any(
                like is not None and self._hands_apart(rows, world, like)
                for world, like in kin.items()
            ):
                yield place
        for span in self._acts:
            if any(self._is_handed_apart(span, *pair) for pair in kin.items()):
                yield span[:2]

    def telling(self, path: str) -> frozenset[int]:
        """Return the lines of a file that only tell something, which is no part of the way."""
        if path not in self._telling:
            tree = parse(path, self._tree[path]).tree
            self._telling[path] = frozenset(
                node.lineno
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr | ast.Pass) and only_logs([node])
            )
        return self._telling[path]

    def _is_handed_apart(self, span: ExpressionSpan, world: World, like: World | None) -> bool:
        """Tell whether these two hand over something else in what is unknown as a whole."""
        told = self._execution.watch.told if self._execution.watch is not None else {}
        if like is None or not self._is_unknown(told.get(self._acts[span], ()), world):
            return False
        return self._hands_apart(told.get(span, ()), world, like)

    def _hands_apart(self, rows: Sequence[tuple[int, str]], world: World, like: World) -> bool:
        """Tell whether these two hand over something else, whatever the function is called by."""
        own, other = (_given(rows, self._bits[one]) for one in (world, like))
        # Who does not come to it was seen before; what names the kin for everybody is no name.
        return (
            bool(own and other) and own != other and nameless(own, world) != nameless(other, like)
        )

    def _is_unknown(self, rows: Iterable[tuple[int, str]], world: World) -> bool:
        return any("unknown" in text for text in _given(rows, self._bits[world]))

    def _tells_apart(self, guests: int, kin: Mapping[World, World | None]) -> bool:
        return any(
            like is not None
            and bool(guests & self._bits[world]) is not bool(guests & self._bits[like])
            for world, like in kin.items()
        )

    def _decides_apart(self, true: int, false: int, kin: Mapping[World, World | None]) -> bool:
        both = 0
        for world, like in kin.items():
            if like is not None:
                pair = self._bits[world], self._bits[like]
                if all((true | false) & bit for bit in pair):
                    both |= pair[0] | pair[1]
        return self._tells_apart(true & both, kin) or self._tells_apart(false & both, kin)


def acts(
    tree: Mapping[str, bytes], execution: Execution
) -> Mapping[ExpressionSpan, ExpressionSpan]:
    """Return what the files that were executed hand to what does something to the guest.

    Returns:
        Each such expression, and each part of it with the whole that it is a part of.
    """
    found: dict[ExpressionSpan, ExpressionSpan] = {}
    for path in sorted(execution.files - execution.unread.keys()):
        if path in tree and _ACTING.search(tree[path]):
            for whole in acted_on(parse(path, tree[path]).tree):
                for part in ast.walk(whole):
                    if isinstance(part, ast.expr) and not isinstance(part, ast.Constant):
                        found[span_of(path, part)] = span_of(path, whole)
    return found


def lines_reached(execution: Execution) -> Mapping[tuple[str, int], int]:
    """Return, by file and line, the guests that came to it; nothing where nobody watched."""
    return execution.watch.reached if execution.watch is not None else {}


def _given(rows: Iterable[tuple[int, str]], bit: int) -> frozenset[str]:
    return frozenset(text for mask, text in rows if mask & bit)
