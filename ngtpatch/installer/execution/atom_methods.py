# SPDX-License-Identifier: Apache-2.0
"""Methods of texts, bytes, numbers, tuples and patterns, as Python has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution.bounded_patterns import found_by
from ngtpatch.installer.execution.lifting import Unmodelled, unknown
from ngtpatch.installer.execution.objects import Native
from ngtpatch.installer.execution.varied import NOTHING, Plain, Varied

__all__ = ["PURE_METHODS", "TEXT_METHODS", "LooseVersion", "of_atom", "text_method"]

#: Methods of a text that change nothing and depend on nothing else.
PURE_METHODS = frozenset({
    "capitalize", "casefold", "count", "endswith", "expandtabs", "find", "index", "isalnum",
    "isalpha", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower",
    "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase",
    "title", "translate", "upper", "isidentifier", "isdecimal", "isascii",
})  # fmt: skip
_PADDING = frozenset({"center", "ljust", "rjust", "zfill"})
#: Methods of a text, which end nothing whatever the text is.
TEXT_METHODS = (
    PURE_METHODS | _PADDING | {"encode", "decode", "keys", "values", "items", "group", "groups"}
)
_OF_PATTERNS = frozenset({"findall", "fullmatch", "match", "search", "split", "sub"})
# By which relation a method compares its text with its first argument.
_MEETING = {
    "startswith": "startswith", "endswith": "endswith", "find": "find", "index": "find",
    "count": "find", "rfind": "find", "rindex": "find", "partition": "find",
}  # fmt: skip
_OF_MATCHES = frozenset({"end", "group", "groupdict", "groups", "span", "start"})
_TUPLE = frozenset({"count", "index"})


def of_atom(owner: Plain, name: str) -> Varied:  # noqa: PLR0911 - one a kind of value
    """Return a method or attribute of a text, a number or a tuple."""
    if isinstance(owner, tuple | str) and name == "__contains__":
        return Varied.of(Native(f"{type(owner).__name__}.__contains__", _holding(owner)))
    if isinstance(owner, tuple):
        return _of_tuple(owner, name)
    if isinstance(owner, str):
        if name in PURE_METHODS:
            return _pure(owner, name)
        if name in _PADDING:
            return Varied.of(Native(f"str.{name}", _padded(owner, name)))
        if name == "format":
            return Varied.of(Native("str.format", _formatted(owner)))
        if name in ("encode", "decode"):
            return Varied.of(Native(f"str.{name}", _coded(owner, name)))
        return NOTHING
    if isinstance(owner, bytes) and name == "decode":
        return _pure(owner, name)
    if isinstance(owner, re.Pattern) and name in _OF_PATTERNS:
        return _pure(owner, name)
    if isinstance(owner, re.Match) and name in _OF_MATCHES:
        return _pure(owner, name)
    if isinstance(owner, LooseVersion) and name in ("version", "vstring"):
        return unknown(tainted=True)
    return unknown(tainted=False) if hasattr(owner, name) else NOTHING


def _of_tuple(owner: tuple[Plain, ...], name: str) -> Varied:
    names = getattr(owner, "names", ())
    if name in names:
        return Varied.of(getattr(owner, name))
    if names and name.startswith("_"):
        return unknown(tainted=True)
    return _pure(owner, name) if name in _TUPLE else NOTHING


class LooseVersion:
    """A version of distutils, which compares by its numbers."""

    def __init__(self, text: str) -> None:
        self.parts = tuple(
            (1, int(part)) if part.isdigit() else (0, part)
            for part in re.split(r"(\d+|[a-z]+|\.)", text.lower())
            if part and part != "."
        )

    def _of(self, other: object) -> tuple[tuple[int, Any], ...]:
        return other.parts if isinstance(other, LooseVersion) else LooseVersion(str(other)).parts

    @property
    def key(self) -> Any:
        """Two with the same numbers are the same."""
        return LooseVersion, self.parts

    def __eq__(self, other: object) -> bool:
        return self.parts == self._of(other)

    def __hash__(self) -> int:
        return hash(self.parts)

    def __lt__(self, other: object) -> bool:
        return self.parts < self._of(other)

    def __le__(self, other: object) -> bool:
        return self.parts <= self._of(other)

    def __gt__(self, other: object) -> bool:
        return self.parts > self._of(other)

    def __ge__(self, other: object) -> bool:
        return self.parts >= self._of(other)


def _pure(owner: Plain, name: str) -> Varied:
    def run(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        keys = tuple(named)

        def apply(*values: Any) -> Any:
            count = len(values) - len(keys)
            if isinstance(owner, str) and any(isinstance(one, bytes) for one in values):
                raise Unmodelled
            if isinstance(owner, re.Pattern):
                if keys:
                    raise Unmodelled
                return found_by(machine, owner, name, *values)
            if isinstance(owner, str):
                _bound(owner, name, values)
            method = getattr(owner, name)
            return method(*values[:count], **dict(zip(keys, values[count:], strict=True)))

        if machine.watch is not None and args and isinstance(owner, re.Pattern):
            text = Varied.of(owner.pattern)
            machine.watch.meet("pattern", args[0], text, machine.mask, machine.spot)
        elif machine.watch is not None and args and isinstance(owner, tuple):
            machine.watch.meet("in", args[0], Varied.of(owner), machine.mask, machine.spot)
        elif machine.watch is not None and args and name in _MEETING:
            machine.watch.meet(
                _MEETING[name], Varied.of(owner), args[0], machine.mask, machine.spot
            )
        rows = map(machine.in_a_row, args) if name == "join" else args
        found: Varied = machine.lift(apply, *rows, *named.values())
        return found

    return Varied.of(Native(f"{type(owner).__name__}.{name}", run))


def _holding(owner: Plain) -> Callable[..., Varied]:
    def run(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        found: Varied = machine.compared(args[0], ast.In(), Varied.of(owner))
        return found

    return run


def text_method(machine: Any, owner: Varied, name: str, args: Sequence[Varied]) -> Varied | None:
    """Return what a method gives on texts that differ, all at once; None where one is not plain."""
    if len(owner.groups) < 2:
        return None
    if not all(_is_plain(one) for value in args for _, one in value.each(machine.mask)):
        return None
    if machine.watch is not None and args and name in _MEETING:
        machine.watch.meet(_MEETING[name], owner, args[0], machine.mask, machine.spot)

    def apply(text: Any, *values: Any) -> Any:
        _bound(text, name, values)
        return getattr(text, name)(*values)

    found: Varied = machine.lift(apply, owner, *args)
    return found


_MAX_MADE = 1 << 20


def _bound(text: str, name: str, values: Sequence[Any]) -> None:
    """Raise Unmodelled where a method makes a text that may be very long."""
    size = len(text) + 1
    if name == "replace":
        size *= 1 + sum(len(one) for one in values[1:2] if isinstance(one, str))
    elif name == "join":
        size *= sum(len(one) for one in values if isinstance(one, str | list | tuple | dict | set))
    elif name == "expandtabs":
        size *= 1 + sum(abs(one) for one in values if isinstance(one, int))
    if size > _MAX_MADE and name in ("replace", "join", "expandtabs"):
        raise Unmodelled


def _is_plain(value: Plain) -> bool:
    if type(value) is tuple:
        return all(type(one) is str for one in value)
    return type(value) in (str, int, type(None))


def _padded(owner: str, name: str) -> Callable[..., Varied]:
    def run(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        def apply(width: Any, *fill: Any) -> Any:
            if width > 4096:
                raise Unmodelled
            return getattr(owner, name)(width, *fill)

        found: Varied = machine.lift(apply, *args)
        return found

    return run


def _coded(owner: str, name: str) -> Callable[..., Varied]:
    """Return ``encode`` or ``decode``. Python 2 has one kind of text: it makes no difference.

    On Python 3 no text is equal to what is encoded, and none can be decoded.
    """

    def run(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        if machine.frames[-1].module.only_2:
            return Varied.of(owner)
        if not machine.of_python:
            if machine.watch is not None:  # what is made of it is not followed
                machine.watch.hand(Varied.of(owner), machine.mask)
            return unknown(tainted=machine.mask != machine.everyone)
        python2 = machine.where(lambda world: (world.python or (2,)) < (3,))
        if name == "decode":
            machine.throw_named("AttributeError", machine.mask & ~python2, "decode")
            return Varied.of(owner).within(python2)
        made = machine.lift(owner.encode, *args)
        if named:
            made = unknown(tainted=True)
        return machine.gather(  # type: ignore[no-any-return]
            (*Varied.of(owner).within(python2).groups, *made.within(~python2).groups)
        )

    return run


def _formatted(owner: str) -> Callable[..., Varied]:
    def run(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        # What else is given, as by **locals(), is not asked for.
        asked = {key: value for key, value in named.items() if key in owner}
        keys = tuple(asked)

        def apply(*values: Any) -> str:
            # A field that asks for attributes, items or a width is not for us to evaluate.
            if any(mark in owner for mark in ".[:!") and not _plain_fields(owner):
                raise Unmodelled
            count = len(values) - len(keys)
            texts = [machine.text_of(value) for value in values]
            return owner.format(*texts[:count], **dict(zip(keys, texts[count:], strict=True)))

        texts = [machine.as_text(one) for one in (*args, *asked.values())]
        found: Varied = machine.lift(apply, *texts)
        return found

    return run


def _plain_fields(template: str) -> bool:
    import string

    return all(
        not spec and not conversion and not set(field or "") & set(".[")
        for _, field, spec, conversion in string.Formatter().parse(template)
    )
