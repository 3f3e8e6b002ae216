# SPDX-License-Identifier: Apache-2.0
"""The places of a file that could be given the new texts, the likeliest kind first."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.patching.literals import Literal, literals
from ngtpatch.patching.places import Extension, places_of
from ngtpatch.patching.wanted_texts import Wanted

__all__ = ["Candidates"]


class Candidates:
    """Finds the places around what decides: for each such text those that hold it, innermost first.

    Args:
        wanted: the texts that decide, and those that the new names need in their place.
        names: the new names.
        last: whether a row's new element has to be its last.
    """

    def __init__(
        self,
        wanted: Sequence[Wanted],
        names: Sequence[str],
        last: Callable[[PythonSource, ast.AST], bool],
    ) -> None:
        self._wanted, self._names, self._last = wanted, names, last

    @property
    def kinds(self) -> tuple[Callable[[PythonSource], Iterator[Iterator[Extension]]], ...]:
        """What can be asked of a file, one after the other."""
        return (
            self._literal, self._together, self._word, self._by_name, self._part, self._cased,
        )  # fmt: skip

    def sources(self, tree: Mapping[str, bytes], paths: Sequence[str]) -> Iterator[PythonSource]:
        """Yield the files among *paths* that hold what decides, and can be read."""
        texts = {(one.word or one.text).lower().encode() for one in self._wanted}
        for path in paths:
            data = tree.get(path, b"")
            if any(text in data.lower() for text in texts):
                try:
                    yield parse(path, data)
                except (Refusal, RecursionError):
                    continue

    def _literal(self, source: PythonSource) -> Iterator[Iterator[Extension]]:
        """Yield the places around each literal that decides."""
        yield from self._whole(source)

    def _together(self, source: PythonSource) -> Iterator[Iterator[Extension]]:
        """Yield the places for what several texts of one place do, around one of them."""
        yield from self._whole(source, together=True)

    def _whole(
        self, source: PythonSource, *, named: bool = False, together: bool = False
    ) -> Iterator[Iterator[Extension]]:
        wanted = [one for one in self._wanted if one.word is None and one.together is together]
        for literal in literals(source.tree, frozenset(one.text for one in wanted), named=named):
            for one in wanted:
                if one.text == literal.text:
                    yield self._places(source, literal, one.new)

    def _places(
        self, source: PythonSource, literal: Literal, new: Sequence[str]
    ) -> Iterator[Extension]:
        return places_of(source, literal, new, last=lambda row: self._last(source, row))

    def _by_name(self, source: PythonSource) -> Iterator[Iterator[Extension]]:
        """Yield the places around each name of a literal that decides."""
        yield from self._whole(source, named=True)

    def _part(self, source: PythonSource) -> Iterator[Iterator[Extension]]:
        """Yield the places around each literal that is put into a longer text which decides."""
        words = {one.word: one.new for one in self._wanted if one.word is not None}
        for literal in literals(source.tree, frozenset(words)):
            yield self._places(source, literal, words[literal.text])

    def _cased(self, source: PythonSource) -> Iterator[Iterator[Extension]]:
        """Yield the places around each literal that decides once its case is changed."""
        alone = [one for one in self._wanted if not one.together]
        texts = {one.text.lower(): one.new for one in alone if one.word is None}
        exact = frozenset(one.text for one in self._wanted)
        for literal in literals(source.tree, frozenset(_texts_like(source, texts)) - exact):
            new = texts[literal.text.lower()]
            if literal.text != literal.text.lower():
                new = tuple(_as_named(one, self._names) for one in new)
            else:
                new = tuple(one.lower() for one in new)
            yield self._places(source, literal, new)

    def _word(self, source: PythonSource) -> Iterator[Iterator[Extension]]:
        """Yield the place in each longer text of which a word decides."""
        words = {one.word or one.text: one.new for one in self._wanted if not one.together}
        texts = frozenset(_texts_with(source, words))
        for literal in literals(source.tree, texts):
            for word, new in words.items():
                if word in literal.text:
                    yield places_of(source, literal, new, inside=word)


def _texts_with(source: PythonSource, words: Mapping[str, object]) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=str(text)) if any(one in text != one for one in words):
                yield text


def _texts_like(source: PythonSource, texts: Mapping[str, object]) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=str(text)) if text.lower() in texts:
                yield text


def _as_named(text: str, names: Sequence[str]) -> str:
    """Return *text* in the case in which one of *names* has it."""
    for name in names:
        at = name.lower().find(text.lower())
        if at >= 0:
            return name[at : at + len(text)]
    return text
