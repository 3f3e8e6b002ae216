# SPDX-License-Identifier: Apache-2.0
"""What isinstance() says, on Python 2 and on Python 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ngtpatch.installer.execution.either_python import may_be_2, may_be_3
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.objects import (
    ClassObject,
    Container,
    External,
    Frozen,
    InstanceObject,
    Native,
    OneWay,
    Ordered,
    ReadOnly,
    Viewed,
)
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["is_instance"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]

_KINDS: dict[str, Any] = {
    "str": str, "unicode": str, "basestring": str, "bytes": bytes, "int": int, "long": int,
    "bool": bool, "float": float, "tuple": tuple, "list": list, "dict": dict, "set": set,
    "object": object, "frozenset": frozenset,
}  # fmt: skip


def _flat(kinds: Plain) -> list[Plain]:
    return [one for kind in kinds for one in _flat(kind)] if isinstance(kinds, tuple) else [kinds]


def _answers(one: Plain, kinds: Plain, *, two: bool, three: bool) -> set[bool | None]:
    """Return what isinstance() may say; None is anything."""
    found: set[bool | None] = set()
    for python, runs in ((2, two), (3, three)):
        if not runs:
            continue
        said = {_is_of_kind(one, kind, python) for kind in _flat(kinds)}
        found |= {True} if True in said else {False} if said == {False} else {True, False, None}
    return {None} if None in found else found


_TEXT_KINDS = frozenset({"str", "unicode", "bytes", "long", "int"})


def _is_of_kind(one: Plain, kind: Plain, python: int) -> bool | None:  # noqa: PLR0911 - a row each
    """Tell whether an object is of a class on a Python; None where that is not known."""
    match kind, one:
        case Native(), Unknown() | External():
            return None
        case Native(name="object"), _:
            return True
        case Native(name=name), InstanceObject() if name in _KINDS:
            return None if one.cls.is_open else False
        case Native(name=name), str() | bytes() if python == 2 and name in _TEXT_KINDS:
            # Which of its two kinds of text it has is not followed.
            return None if name not in ("long", "int") else False
        case Native(name="int" | "long"), int() if python == 2 and not isinstance(one, bool):
            return True if kind.name == "int" and abs(one) < 2**31 else None
        case Native(name=name), OneWay() | Viewed() | range() if python == 2 and name in _KINDS:
            return None
        case Native(name=name), Viewed() if name in _KINDS:
            return False
        case Native(name="dict"), Ordered():
            return True
        case Native(name=name), _ if name in _KINDS:
            own = one.kind if isinstance(one, Container) else type(one)
            own = MappingProxyType if isinstance(one, ReadOnly) else own
            own = frozenset if isinstance(one, Frozen) else own
            return issubclass(own, _KINDS[name])
        case ClassObject(), InstanceObject():
            if kind in one.cls.order():
                return True
            return None if one.cls.is_open or kind.is_open else False
        case ClassObject(error=None), None | str() | int() | float() | tuple() | bytes():
            return None if kind.is_open else False
    return None


def is_instance(machine: Any, args: _Args, named: _Named) -> Varied:
    """Tell whether what is given is of the classes that are given."""
    groups: list[tuple[int, Plain]] = []
    if len(args) != 2 or named:
        return unknown(tainted=True)
    two, three = may_be_2(machine), may_be_3(machine)
    for mask, (one, kinds) in machine.combine(args) or []:
        vague = Unknown(tainted=machine.depends(*args))
        answers = _answers(one, kinds, two=bool(mask & two), three=bool(mask & three))
        groups += [(mask, vague if answer is None else answer) for answer in answers]
    return machine.gather(groups)  # type: ignore[no-any-return]
