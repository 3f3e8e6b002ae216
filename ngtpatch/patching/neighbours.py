# SPDX-License-Identifier: Apache-2.0
"""One more element in a row of them, written as its neighbours are.

A row is whatever stands between separators: the operands of ``or``, the entries of a display,
arguments, alternatives of a pattern. The separator that stands between two neighbours is written
once more, with its line breaks, blanks, brackets and backslashes. What is there keeps its place:
a comment behind an element stays behind it, one on a line of its own stays above its element.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ngtpatch.patching.insertion import Insertion

__all__ = ["Span", "after_last", "among", "at_end", "before_only", "literal_like", "realigned"]

#: Start and end in a source's text, in characters.
Span = tuple[int, int]

_COMMENT = re.compile(r"#[^\r\n]*")
_LINE_END = re.compile(r"\r\n|\r|\n")
_SEPARATOR = re.compile(r"(\)*)(,|or|and|\|)(\(*)")
_BLANK_LINES = re.compile(r"[ \t\f]*(?:\r\n|\r|\n)(?:[ \t\f]*(?:\r\n|\r|\n))+")
_QUOTED = re.compile(r"([A-Za-z]{0,2})('''|\"\"\"|'|\")")


def among(text: str, spans: Sequence[Span], at: int, new: Sequence[str]) -> Insertion | None:
    """Return the insertion of *new* before the element *at* (from 1) of a row.

    None where what stands between the two neighbours is more than a separator.
    """
    start, end = spans[at - 1][1], spans[at][0]
    gap = text[start:end]
    bare = _COMMENT.sub("", gap)
    found = _SEPARATOR.fullmatch(re.sub(r"\\(?=[\r\n])|\s", "", bare))
    if found is None or len(found[1]) != len(found[3]):
        return None
    first = _LINE_END.search(gap)
    if first is not None and _COMMENT.search(gap, first.end()):
        return _above_comment(gap, bare, first, start, new)
    if bare != gap:
        bare = re.sub(r"[ \t]+(?=[\r\n])", "", bare)
    bare = _BLANK_LINES.sub(lambda lines: _LINE_END.findall(lines[0])[0], bare)
    return Insertion(end, "".join(one + bare for one in new))


def _above_comment(
    gap: str, bare: str, first: re.Match[str], start: int, new: Sequence[str]
) -> Insertion:
    """Return the insertion as lines of their own, above the next element's comment."""
    last = list(_LINE_END.finditer(gap))[-1]
    behind = gap[last.end() :]
    indent = behind[: len(behind) - len(behind.lstrip())]
    before = _COMMENT.sub("", gap[: first.start()]).rstrip()
    leading = behind.lstrip()
    lines = [f"{first[0]}{indent}{leading}{one}{before}" for one in new]
    return Insertion(start + first.start(), "".join(lines))


def at_end(text: str, spans: Sequence[Span], new: Sequence[str]) -> tuple[Insertion, ...] | None:
    """Return the insertion of *new* behind the last element of a display.

    None where what stands between the last two is more than a separator.
    """
    end = spans[-1][1]
    if len(spans) < 2:
        return (Insertion(end, "".join(f", {one}" for one in new)),)
    bare = _COMMENT.sub("", text[spans[-2][1] : spans[-1][0]])
    if re.sub(r"\\(?=[\r\n])|\s", "", bare) != ",":
        return None
    bare = re.sub(r"[ \t]+(?=[\r\n])", "", bare)
    bare = _BLANK_LINES.sub(lambda lines: _LINE_END.findall(lines[0])[0], bare)
    noted = re.compile(r"(,?)[ \t]*#[^\r\n]*").match(text, end)
    if noted is None or not _LINE_END.search(bare):
        return (Insertion(end, "".join(bare + one for one in new)),)
    # The comment behind the last element stays behind it.
    lead = bare.replace(",", "", 1)
    if noted[1]:
        return (Insertion(noted.end(), "".join(f"{lead}{one}," for one in new)),)
    lines = ",".join(lead + one for one in new)
    return (Insertion(end, ","), Insertion(noted.end(), lines))


def before_only(text: str, opened: int, span: Span, new: Sequence[str]) -> Insertion:
    """Return the insertion before the only, or the first, element of a display.

    Args:
        text: the source's.
        opened: where the display's content starts.
        span: of the element.
        new: what is inserted.
    """
    lead = text[opened : span[0]]
    broken = list(_LINE_END.finditer(lead))
    blank = broken[-1][0] + lead[broken[-1].end() :] if broken else " "
    if blank.strip():
        blank = " "
    return Insertion(span[0], "".join(f"{one},{blank}" for one in new))


def after_last(span: Span, operator: str, new: Sequence[str]) -> Insertion:
    """Return the insertion of operands behind one that has no neighbour."""
    return Insertion(span[1], "".join(f" {operator} {one}" for one in new))


def literal_like(model: str, text: str) -> str:
    """Return *text*, of printable ASCII, as a literal with the quotes and prefix of *model*."""
    found = _QUOTED.search(model)
    prefix, quote = (found[1], found[2][0]) if found else ("", '"')
    # One with b is a text here in what only a Python 2 reads.
    if set(prefix.lower()) - set("rub"):
        prefix = ""
    return f"{prefix}{quote}{text}{quote}"


def realigned(behind: str, old: int, new: int) -> str:
    """Return what follows a literal in a row, with the blanks that keep its column.

    Args:
        behind: the text that follows it.
        old: the length of the literal that was copied.
        new: the length of the one that takes its place.
    """
    found = re.match(r"( *)([:,])( *)(?=\S)", behind)
    if found is None:
        return behind
    before, mark, after = found.groups()
    rest = behind[found.end() :]
    if before:
        return f"{' ' * max(len(before) + old - new, 1)}{mark}{after}{rest}"
    return f"{mark}{' ' * max(len(after) + old - new, 1)}{rest}"
