# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that cannot take long, as far as their text tells."""

from __future__ import annotations

import re
from functools import lru_cache
from math import factorial
from typing import Any, NamedTuple

from ngtpatch.installer.execution.lifting import Unmodelled

__all__ = ["checked", "found_by"]

#: How many ways a match may try.
_MAX_WAYS = 1 << 22
_MAX_MADE = 1 << 20
# What a class or an escape stands for is one character, and repeats nothing by itself.
_ONE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_PART = re.compile(r"\(\?[#(]|\((?:\?P?[<=!:]?[=!]?)?|\)|\||(?:[*+?]|\{[^}]*\})[?+]?")


class _Ways(NamedTuple):
    repeats: int
    choices: int


@lru_cache(maxsize=512)
def _ways(text: str) -> _Ways:
    """Return what a match of this pattern may try. Raises Unmodelled where it is not bounded."""
    if re.search(r"\\[0-9]|\(\?P=|\(\?[aiLmsu-]*x", text):
        raise Unmodelled
    repeats, choices = 0, 1
    # By open group: its alternatives, and whether anything in it can be matched in two ways.
    groups: list[tuple[int, bool]] = [(1, False)]
    bare = _ONE.sub("x", text)
    for part in _PART.finditer(bare):
        one = part[0]
        if one.startswith("(?#") or one == "(?(":
            raise Unmodelled
        if one[0] == "(":
            groups.append((1, False))
            continue
        bars, open_ = groups[-1]
        if one == "|":
            groups[-1] = bars + 1, True
        elif one == ")":
            if len(groups) < 2:
                raise Unmodelled
            groups.pop()
            if open_ and bare[part.end() : part.end() + 1] in ("*", "+", "{"):
                raise Unmodelled
            choices *= bars
            groups[-1] = groups[-1][0], groups[-1][1] or open_
        else:
            groups[-1] = bars, True
            repeats += one[0] != "?"
            choices *= 2 if one[0] == "?" else 1
    if repeats > 4 or len(groups) != 1:
        raise Unmodelled
    return _Ways(repeats, choices * groups[0][0])


def checked(pattern: Any, flags: Any = 0) -> Any:
    """Return *pattern* compiled. Raises Unmodelled where that, or a match, may take long."""
    if isinstance(pattern, re.Pattern):
        return pattern
    if not isinstance(pattern, str | bytes) or len(pattern) > 4096 or not isinstance(flags, int):
        raise Unmodelled
    _ways(_text_of(pattern))
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, ValueError, OverflowError):
        raise Unmodelled from None
    if compiled.flags & re.VERBOSE:
        raise Unmodelled
    return compiled


def _text_of(pattern: str | bytes) -> str:
    return pattern if isinstance(pattern, str) else pattern.decode("latin-1")


def found_by(machine: Any, compiled: re.Pattern[Any], name: str, *given: Any) -> Any:
    """Return what a method of a pattern gives. Raises Unmodelled where it may take long."""
    wanted = 2 if name == "sub" else 1
    if len(given) != wanted or not all(isinstance(one, str | bytes) for one in given):
        # Where it starts, ends, and how often it is done is not modelled; nor is a function.
        raise Unmodelled
    size = len(given[-1]) + 1
    if size > 65536 or (name == "sub" and (len(given[0]) + 1) * size > _MAX_MADE):
        raise Unmodelled
    ways = _ways(_text_of(compiled.pattern))
    tried = ways.choices * size ** (ways.repeats + 1) // factorial(ways.repeats + 1)
    if tried > _MAX_WAYS:
        raise Unmodelled
    machine.spend(tried >> 11)
    if name in ("findall", "split", "sub") and any(
        one.start() == one.end() for one in compiled.finditer(given[-1])
    ):
        raise Unmodelled  # what is done where nothing matches is not the same on every Python
    return getattr(compiled, name)(*given)
