# SPDX-License-Identifier: Apache-2.0
"""Long lines on a narrow terminal: broken between words, and nowhere else.

A path or a digest that is longer than the line stays in one piece, so that it can be copied: the
terminal itself breaks it then, and joins it again.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from typing import TextIO

__all__ = ["columns", "joined", "wrapped"]

_LABEL = 20
"""How wide a label is at most; what comes later is a cell of a line, and no label's value."""
_ROOM = 24
"""Columns that are left of a line for a value, at least; else it is indented a little only."""
_STEP = 2
_COMMAND = re.compile(r"(?<![^ '(])ngtpatch [a-z][^,;']*")
_GLUE = "\0"
"""A blank that no line ends at. What is shown has no such character: it is escaped before."""


def columns(stream: TextIO | None) -> int | None:
    """Return how wide the terminal behind *stream* is; None where there is none, or none is told.

    COLUMNS goes before what the terminal says, as everywhere.
    """
    if stream is None or not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return shutil.get_terminal_size().columns


def wrapped(text: str, width: int | None, *, hang: int | None = None) -> list[str]:
    """Return *text* in lines of at most *width* columns, as far as its words allow.

    The blanks between words stay what they are, but where a line ends. A command in a sentence is
    broken only where it is longer than a line: what is pasted ends with the line.

    Args:
        text: one line.
        width: None leaves it one line.
        hang: how far the lines after the first are indented. By default as far as the value
            where the line has a label, and else a little more than the first.
    """
    if width is None or _width(text) <= width:
        return [text]
    found = re.fullmatch(r"( *)(.*)", text, re.DOTALL)
    assert found  # noqa: S101 - everything matches
    lead, rest = found.groups()
    hang = _hang(text, len(lead), width) if hang is None else hang
    parts = re.findall(r"( *)([^ ]+)", _COMMAND.sub(lambda one: _glued(one[0], width - hang), rest))
    return [line.replace(_GLUE, " ") for line in _filled(lead, parts, width, hang, "")]


def _glued(command: str, room: int) -> str:
    return command if _width(command) > room else command.rstrip().replace(" ", _GLUE)


def joined(label: str, words: Sequence[str], why: str, width: int | None) -> list[str]:
    r"""Return a command in lines that a shell takes for one: each but the last ends in ``\``.

    Args:
        label: what stands before it.
        words: of the command, as a shell is given them; none is broken.
        why: what stands behind it.
        width: None leaves it one line.
    """
    text = label + " ".join(words) + (f"  {why}" if why else "")
    if width is None or _width(text) <= width:
        return [text]
    first, *rest = words
    command = _filled(label, [("", first), *((" ", word) for word in rest)], width, 4, " \\")
    behind = [("", word) if number == 0 else (" ", word) for number, word in enumerate(why.split())]
    if not behind:
        return command
    if _width(f"{command[-1]}  {why}") <= width:
        return [*command[:-1], f"{command[-1]}  {why}"]
    return [*command, *_filled(" " * 4, behind, width, 4, "")]


def _filled(
    lead: str, parts: Sequence[tuple[str, str]], width: int, hang: int, end: str
) -> list[str]:
    done: list[str] = []
    line, empty = lead, True
    for number, (gap, word) in enumerate(parts):
        room = width - (0 if number == len(parts) - 1 else len(end))
        # A word that no line has room for stays behind its label: a line of its own is no longer.
        fits = _width(line + gap + word) <= room
        alone = hang + _width(word) > room and _is_label(line)
        if not (empty or fits or alone):
            done.append(line + end)
            line = " " * hang + word
        else:
            line += gap + word
        empty = False
    return [*done, line]


def _is_label(line: str) -> bool:
    return len(line.split()) <= 1


def _hang(text: str, indent: int, width: int) -> int:
    label = re.match(r" *[^ ]+(?: [^ ]+)* {2,}", text)
    if label and label.end() <= _LABEL and width - label.end() >= _ROOM:
        return label.end()
    return indent + _STEP


def _width(text: str) -> int:
    """Return how many columns a terminal needs for *text*."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
