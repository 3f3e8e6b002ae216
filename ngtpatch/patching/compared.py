# SPDX-License-Identifier: Apache-2.0
"""What a file compares with names of distributions, and whether that is seen to be one.

A text that names a distribution says nothing by itself: of a value that was not followed it is
not known whom it turns away. What was executed tells: the value that is seen to be another one
on another distribution of the same release is the distribution's.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.branch_tests import BranchTest
from ngtpatch.patching.guests import probes_beside
from ngtpatch.patching.naming import is_of_the_library, names_kin, outside_of_tests

__all__ = ["Compared"]

_Row = tuple[int, str | frozenset[str]]


class Compared:
    """The comparisons of an execution in which the distribution's name took part.

    Args:
        watch: what was compared.
        bits: the guests' bits in it.
        kin: for each new name, the known one that it is likened to.
        tests: by file, the tests of its branches.
    """

    def __init__(
        self,
        watch: Watch,
        bits: Mapping[World, int],
        kin: Mapping[World, World],
        tests: Mapping[str, Sequence[BranchTest]],
    ) -> None:
        self._bits, self._kin = bits, tuple(dict.fromkeys(kin.values()))
        self._beside = [(one, like, *probes_beside(one)) for one, like in kin.items()]
        self._sides: dict[tuple[str, int], dict[str, list[_Row]]] = {}
        for (relation, right, spot), lefts in watch.meetings.items():
            sides = self._sides.setdefault(spot, {})
            everyone = 0
            for mask, _ in lefts:
                everyone |= mask
            sides.setdefault(relation + " left", []).extend(lefts)
            sides.setdefault(relation + " right", []).append((everyone, right))
        self._found: dict[tuple[str, int], bool] = {}
        #: What is compared with the name by the tests.
        self._asked = frozenset(
            text
            for path, rows in tests.items()
            for test in rows
            if self.at(path, test.lines)
            for text in self._texts(path, test.lines)
        )

    def at(self, path: str, lines: Iterable[int]) -> bool:
        """Tell whether a comparison there is seen to be with the distribution's name."""
        return any(self._at((path, line)) for line in lines)

    def is_followed(self, path: str, test: BranchTest, *, decides: bool, perhaps: bool) -> bool:
        """Tell whether a test names no kin, or compares what is seen to be the name.

        What Python and its packages bring is known by its name, and asked for nothing.

        Args:
            path: the file.
            test: the test.
            decides: whether it was not the same for all distributions.
            perhaps: whether it may be true and false, for the new name and for its kin.
        """
        named = any(names_kin(text, self._kin) for text in test.named)
        if not named or is_of_the_library(path):
            return True
        return (decides or self.at(path, test.lines)) and not perhaps

    def outside(
        self, source: PythonSource, proven: Collection[int] = ()
    ) -> tuple[int, bool] | None:
        """Return the first line that chooses by names and is no test of a branch, or None.

        Args:
            source: the file.
            proven: lines that are known to do for the new names.

        Returns:
            The line, and whether the kin is named in one of them; otherwise it is seen to be
            compared with others.
        """
        lines: dict[int, bool] = {}
        if is_of_the_library(source.path):
            return None
        for node, texts in outside_of_tests(source.tree):
            if node.lineno in proven:
                continue
            # A table that a test asks is where the test is.
            table = not isinstance(node, ast.Compare | ast.Call)
            if any(
                names_kin(one, self._kin) for one in texts if not table or one not in self._asked
            ):
                lines[node.lineno] = True
            elif isinstance(node, ast.Compare) and self.at(
                source.path, range(node.lineno, (node.end_lineno or node.lineno) + 1)
            ):
                lines.setdefault(node.lineno, False)
        return (min(lines), any(lines.values())) if lines else None

    def _texts(self, path: str, lines: Iterable[int]) -> Iterator[str]:
        """Yield the texts that were compared there."""
        for line in lines:
            for rows in self._sides.get((path, line), {}).values():
                for _, side in rows:
                    yield from (side,) if isinstance(side, str) else side

    def _at(self, spot: tuple[str, int]) -> bool:
        if spot not in self._found:
            sides = self._sides.get(spot, {}).values()
            self._found[spot] = any(self._is_the_name(rows) for rows in sides)
        return self._found[spot]

    def _is_the_name(self, rows: Sequence[_Row]) -> bool:
        """Tell whether a value is another one on another guest, or the guest's own name."""
        for group in self._beside:
            values = [_values(rows, self._bits[one]) for one in group]
            if len({one for one in values if one}) > 1:
                return True
        return any(
            isinstance(text, str) and (world.name.lower() in text.lower() or text == world.id)
            for world, bit in self._bits.items()
            for text in _values(rows, bit)
        )


def _values(rows: Sequence[_Row], bit: int) -> frozenset[str | frozenset[str]]:
    return frozenset(value for mask, value in rows if mask & bit)
