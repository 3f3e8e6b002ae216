# SPDX-License-Identifier: Apache-2.0
"""The places that a search found, put into files that the rule of tests has changed already."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.onlooker import shipped_lines
from ngtpatch.patching.places import Extension
from ngtpatch.patching.treated import Likened, Treated

__all__ = ["SearchedPlaces"]


class SearchedPlaces:
    """Places in files as the rule left them.

    Attributes:
        contents: the files with the places extended.
        statements: by file, the lines in it of the statements that these places are in.
    """

    def __init__(self, places: Sequence[Extension]) -> None:
        self._places: dict[PythonSource, list[Extension]] = {}
        for place in places:
            self._places.setdefault(place.source, []).append(place)
        self.contents: Mapping[str, bytes] = {
            source.path: insert(source, self._insertions(source)) for source in self._places
        }
        self.statements: Mapping[str, frozenset[int]] = {
            source.path: frozenset(self._lines(source)) for source in self._places
        }

    def _insertions(self, source: PythonSource) -> list[Insertion]:
        return [one for place in self._places[source] for one in place.insertions]

    def _lines(self, source: PythonSource) -> list[int]:
        was = shipped_lines(source, self._insertions(source))
        starts = {place.line for place in self._places[source]}
        found: list[int] = []
        for line, old in was.items():
            if old in starts:
                tree = parse(source.path, self.contents[source.path]).tree
                found += _statement(tree, line)
        return found

    def added_to(
        self,
        likened: Likened,
        shipped: Mapping[str, bytes],
        again: Sequence[Treated],
        ids: frozenset[str],
    ) -> Likened:
        """Return what the rule and the search make of the files, by lines as shipped.

        Args:
            likened: what the rule made of them.
            shipped: the files.
            again: what the rule says of them once the places are extended.
            ids: of the profiles.
        """
        contents, edits = {**likened.contents, **self.contents}, dict(likened.edits)
        made = dict(likened.insertions)
        lines = {
            path: shipped_lines(parse(path, shipped[path]), before) for path, before in made.items()
        }
        rows = {(one.path, one.line): one for one in likened.treated if one.treatment == "extended"}
        later: dict[str, Mapping[int, int | None]] = {}
        for source, places in self._places.items():
            path, before = source.path, made.get(source.path, ())
            first = lines.get(path, {})
            for place in places:
                line = first.get(place.line, place.line) or place.line
                rows[path, line] = Treated(path, line, "extended", "", ids)
            later[path] = shipped_lines(source, self._insertions(source))
            edits[path] = edits.get(path, 0) + sum(len(place.texts) for place in places)
            moved = [_as_shipped(one, before) for one in self._insertions(source)]
            made[path] = (*before, *moved)
        for one in again:
            line = later.get(one.path, {}).get(one.line, one.line) or one.line
            line = lines.get(one.path, {}).get(line, line) or line
            row = Treated(one.path, line, one.treatment, one.reason, one.profiles)
            rows.setdefault((one.path, line), row)
        treated = sorted(rows.values(), key=lambda one: (one.path, one.line))
        return Likened(contents, made, edits, tuple(treated), likened.watch)


def _as_shipped(insertion: Insertion, before: Sequence[Insertion]) -> Insertion:
    """Return an insertion into a changed file as one into the file before those changes."""
    offset = insertion.offset
    for one in sorted(before, key=lambda one: one.offset):
        if one.offset < offset:
            offset = max(one.offset, offset - len(one.text))
    return Insertion(offset, insertion.text)


def _statement(tree: ast.AST, line: int) -> range:
    """Return the lines of the innermost statement that stands on *line*."""
    spans = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    first, last = min(spans, key=lambda span: span[1] - span[0], default=(line, line))
    return range(first, last + 1)
