# SPDX-License-Identifier: Apache-2.0
"""A unified diff as lines that a page shows, one below the other and side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

__all__ = ["ChangedText", "DiffLine", "Hunk", "changed_text"]

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_NO_END = "\\ No newline at end of file"
_WORDS = re.compile(r"(\W)")
# Behind that a line is marked as a whole: it costs, and nobody reads it.
_LONGEST_COMPARED = 400

LinePart = tuple[str, bool]


@dataclass(frozen=True)
class DiffLine:
    """One line of a file.

    Attributes:
        sign: ``-`` and ``+`` of what one side alone has; a blank of what both have.
        old: its number before; None where it is not there.
        new: its number after, likewise.
        parts: its text in pieces, each with whether it differs from the other side's line.
        no_end: whether the file ends in it, without a line end.
    """

    sign: Literal["-", "+", " "]
    old: int | None
    new: int | None
    parts: tuple[LinePart, ...]
    no_end: bool = False


@dataclass(frozen=True)
class Hunk:
    """A part of a file in which lines differ.

    Attributes:
        head: its place, as the diff has it.
        lines: below each other.
        pairs: the same, before and after beside each other.
    """

    head: str
    lines: tuple[DiffLine, ...]
    pairs: tuple[tuple[DiffLine | None, DiffLine | None], ...]


@dataclass(frozen=True)
class ChangedText:
    """A diff.

    Attributes:
        hunks: what is shown of it.
        added: how many lines only the new file has, in all of it.
        removed: how many only the old one has.
        left_out: how many lines of the diff are not shown.
    """

    hunks: tuple[Hunk, ...]
    added: int
    removed: int
    left_out: int


def changed_text(unified: str, *, most: int) -> ChangedText | None:
    """Return a unified diff for a page, up to *most* lines; None where it is no such diff."""
    given = unified.split("\n")
    if given and not given[-1]:
        given.pop()
    start = next((at for at, line in enumerate(given) if _HUNK.match(line)), len(given))
    body = given[start:]
    if not body or any(not line.startswith(("---", "+++")) for line in given[:start]):
        return None
    if any(line[:1] not in "-+ @\\" for line in body if line):
        return None
    shown = body[:most]
    return ChangedText(
        hunks=tuple(_hunks(shown)),
        added=sum(line.startswith("+") for line in body),
        removed=sum(line.startswith("-") for line in body),
        left_out=len(body) - len(shown),
    )


def _hunks(body: Sequence[str]) -> Iterator[Hunk]:
    head = ""
    lines: list[str] = []
    for line in body:
        if _HUNK.match(line):
            if lines:
                yield _hunk(head, lines)
            head, lines = line, []
        else:
            lines.append(line)
    if lines:
        yield _hunk(head, lines)


def _hunk(head: str, given: Sequence[str]) -> Hunk:
    found = _HUNK.match(head)
    old, new = (int(found[1]), int(found[2])) if found else (1, 1)
    lines: list[DiffLine] = []
    for line in given:
        if line.startswith("\\"):
            if lines:
                last = lines[-1]
                lines[-1] = DiffLine(last.sign, last.old, last.new, last.parts, no_end=True)
            continue
        text = ((line[1:], False),)
        if line.startswith("-"):
            lines.append(DiffLine("-", old, None, text))
            old += 1
        elif line.startswith("+"):
            lines.append(DiffLine("+", None, new, text))
            new += 1
        else:
            lines.append(DiffLine(" ", old, new, text))
            old, new = old + 1, new + 1
    pairs = tuple(_pairs(lines))
    marked = {
        (one.sign, one.old, one.new): one for pair in pairs for one in pair if one is not None
    }
    below = tuple(marked[(one.sign, one.old, one.new)] for one in lines)
    return Hunk(head, below, pairs)


def _pairs(lines: Sequence[DiffLine]) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    before: list[DiffLine] = []
    after: list[DiffLine] = []
    for line in lines:
        if line.sign == "-" and not after:
            before.append(line)
        elif line.sign == "+":
            after.append(line)
        else:
            yield from _beside(before, after)
            before, after = ([line] if line.sign == "-" else []), []
            if line.sign == " ":
                yield line, line
    yield from _beside(before, after)


def _beside(
    before: Sequence[DiffLine], after: Sequence[DiffLine]
) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    for one, other in zip_longest(before, after):
        yield (one, other) if one is None or other is None else _marked(one, other)


def _marked(one: DiffLine, other: DiffLine) -> tuple[DiffLine, DiffLine]:
    """Mark what differs in two lines that stand for each other, if they have anything in common."""
    was, now = one.parts[0][0], other.parts[0][0]
    if max(len(was), len(now)) > _LONGEST_COMPARED:
        return one, other
    old, new = _WORDS.split(was), _WORDS.split(now)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < 0.3:
        return one, other
    parts: tuple[list[LinePart], list[LinePart]] = ([], [])
    for kind, start, stop, begin, end in matcher.get_opcodes():
        for into, text in zip(
            parts, ("".join(old[start:stop]), "".join(new[begin:end])), strict=True
        ):
            if text:
                into.append((text, kind != "equal"))
    return (
        DiffLine(one.sign, one.old, one.new, tuple(parts[0]), one.no_end),
        DiffLine(other.sign, other.old, other.new, tuple(parts[1]), other.no_end),
    )
