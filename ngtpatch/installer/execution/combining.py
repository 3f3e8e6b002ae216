# SPDX-License-Identifier: Apache-2.0
"""Modules of Python's that combine what they are given: containers, operators, file patterns."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution import natives
from ngtpatch.installer.execution.lifting import NONE, Unmodelled, unknown
from ngtpatch.installer.execution.objects import Chained, Container, Defaulting, Native, ReadOnly
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["TABLES", "defaulting"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]
_Run = Callable[[Any, _Args, _Named], Varied]


def _chain(machine: Any, args: _Args, named: _Named) -> Varied:
    return Varied.of(Chained(tuple(args)))


def _compared(kind: ast.cmpop, *, turned: bool = False) -> _Run:
    """Return a function that compares its two arguments."""

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        if len(args) != 2 or named:
            return unknown(tainted=machine.depends(*args, *named.values()))
        left, right = reversed(args) if turned else args
        found: Varied = machine.compared(left, kind, right)
        return found

    return run


def _item_getter(machine: Any, args: _Args, named: _Named) -> Varied:
    if len(args) != 1 or named:
        return unknown(tainted=machine.depends(*args, *named.values()))

    def run(again: Any, more: _Args, others: _Named) -> Varied:
        found: Varied = again.item(more[0], args[0])
        return found

    return Varied.of(Native(f"operator.itemgetter@{machine.line}", run))


def _globbed(machine: Any, args: _Args, named: _Named) -> Varied:
    """Compare a text with a file pattern. Case is a matter of other systems than these."""
    if len(args) != 2 or named:
        return unknown(tainted=machine.depends(*args, *named.values()))
    if machine.watch is not None:
        machine.watch.meet("glob", args[0], args[1], machine.mask, machine.spot)

    def fits(text: Any, pattern: Any) -> bool:
        if not (isinstance(text, str) and isinstance(pattern, str)):
            raise Unmodelled
        if len(text) > 4096 or len(pattern) > 256 or pattern.count("*") > 4:
            raise Unmodelled
        return fnmatch.fnmatchcase(text, pattern)

    found: Varied = machine.lift(fits, *args)
    return found


def _read_only(machine: Any, args: _Args, named: _Named) -> Varied:
    """Return ``types.MappingProxyType`` of a dictionary."""
    groups: list[tuple[int, Plain]] = []
    for mask, one in args[0].each(machine.mask) if args else ():
        known = type(one) is Container and one.kind is dict
        groups.append((mask, ReadOnly(one) if known else Unknown(tainted=True)))
    found: Varied = machine.gather(groups)
    return found


def defaulting(machine: Any, args: _Args, named: _Named) -> Varied:
    """Return ``collections.defaultdict`` as a dictionary that calls its factory."""
    groups: list[tuple[int, Plain]] = []
    for mask, factory in (args[0] if args else NONE).each(machine.mask):
        made = natives.made_dictionary(machine, args[1:], named)
        for guests, one in made.each(mask):
            if factory is None or not isinstance(one, Container):
                groups.append((guests, one))
                continue
            groups += [
                (some, Defaulting(items, Varied.of(factory)))
                for some, items in one.store.get("items").each(guests)
            ]
    found: Varied = machine.gather(groups)
    return found


_OPERATORS: Mapping[str, _Run] = {
    "contains": _compared(ast.In(), turned=True),
    "eq": _compared(ast.Eq()),
    "ne": _compared(ast.NotEq()),
}
#: What these modules have, by the module's name.
TABLES: Mapping[str, Mapping[str, _Run]] = {
    "fnmatch": {"fnmatch": _globbed, "fnmatchcase": _globbed},
    "itertools": {"chain": _chain},
    "operator": {
        "itemgetter": _item_getter,
        **_OPERATORS,
        **{f"__{name}__": run for name, run in _OPERATORS.items()},
    },
    "types": {"MappingProxyType": _read_only},
}
