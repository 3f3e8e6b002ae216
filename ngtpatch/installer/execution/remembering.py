# SPDX-License-Identifier: Apache-2.0
"""``functools.lru_cache`` and ``collections.namedtuple``: functions that remember, named rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    Container,
    FunctionObject,
    NameStore,
    Native,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Varied, identity_of, is_vague

__all__ = ["NamedRow", "named_tuple", "remembering"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]


def remembering(machine: Any, args: _Args, named: _Named) -> Varied:
    """Return ``lru_cache``, as a decorator or with its options."""
    if len(args) == 1 and not named and _is_function(args[0]):
        return _remembered(args[0])
    # What is forgotten where too much is remembered is not followed.
    sizes = (*args[:1], named.get("maxsize", Varied.of(_ENOUGH)))
    enough = all(
        one is None or (type(one) is int and one >= _ENOUGH)
        for value in sizes
        for _, one in value.groups
    )
    if not enough or len(args) > 1 or set(named) - {"maxsize"}:
        return unknown(tainted=True)

    def decorate(again: Any, given: _Args, _: _Named) -> Varied:
        return _remembered(given[0]) if given else unknown(tainted=True)

    return Varied.of(Native("functools.lru_cache(...)", decorate))


_ENOUGH = 128


def _remembered(function: Varied) -> Varied:
    known = NameStore()

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        combined = machine.combine((*args, *named.values()))
        groups: list[tuple[int, Plain]] = []
        for mask, values in combined or ():
            here = machine.mask & mask
            if not here:
                continue
            if any(is_vague(one) or isinstance(one, Container) for one in values):
                machine.note("call", here)
                groups.append((here, unknown(tainted=True).groups[0][1]))
                continue
            key = (tuple(named), tuple(identity_of(one) for one in values))
            found = known.get(key).within(here)
            missing = here & ~found.mask
            if missing:
                given = [Varied.of(one) for one in values]
                at = len(args)
                keywords = dict(zip(named, given[at:], strict=True))

                def ask(given: Any = tuple(given[:at]), keywords: Any = keywords) -> Varied:
                    told: Varied = machine.call(function, given, keywords)
                    return told

                made = machine.under(missing, ask)
                machine.write(known, key, made, missing & made.mask)
                found = known.get(key).within(here)
            groups += found.groups
        if combined is None:
            machine.note("call")
            return unknown(tainted=True)
        return machine.gather(groups)  # type: ignore[no-any-return]

    return Varied.of(Native("functools.lru_cache()", run, (function,)))


def _is_function(value: Varied) -> bool:
    return all(isinstance(one, FunctionObject | BoundMethod | Native) for _, one in value.groups)


class NamedRow(tuple[Any, ...]):
    """An object of a named tuple's class: a tuple with names for its places."""

    names: ClassVar[tuple[str, ...]] = ()

    def __getattr__(self, name: str) -> Any:
        if name in self.names:
            return self[self.names.index(name)]
        raise AttributeError(name)


def named_tuple(machine: Any, args: _Args, named: _Named) -> Varied:
    """Return ``collections.namedtuple`` as a function that makes such rows."""
    groups = [one for value in args[:2] for one in value.each(machine.mask)]
    names = groups[1][1] if len(args) == 2 and len(groups) == 2 and not named else None
    if isinstance(names, Container):
        rows = list(names.store.get("items").each(machine.mask))
        names = rows[0][1] if len(rows) == 1 else None
    if isinstance(names, str):
        names = tuple(names.replace(",", " ").split())
    if not isinstance(names, tuple) or not all(isinstance(one, str) for one in names):
        return unknown(tainted=machine.depends(*args, *named.values()))
    fields: tuple[str, ...] = names
    kind = type("NamedRow", (NamedRow,), {"names": fields})
    return Varied.of(Native(f"{groups[0][1]}()", _making(kind, fields)))


def _making(kind: Callable[..., Any], fields: tuple[str, ...]) -> Callable[..., Varied]:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        values = {**dict(zip(fields, args, strict=False)), **named}
        if len(args) + len(named) != len(fields) or set(values) != set(fields):
            machine.throw_named("TypeError", None, "arguments")
            return NOTHING
        combined = machine.combine([values[name] for name in fields])
        if combined is None:
            return unknown(tainted=True)
        made: Varied = machine.gather((mask, kind(row)) for mask, row in combined)
        return made

    return run
