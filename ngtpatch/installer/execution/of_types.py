# SPDX-License-Identifier: Apache-2.0
"""What Python's own types have as attributes: ``str.lower``, ``dict.fromkeys``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.objects import Chained, Container, Native
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied

__all__ = ["STRING", "of_type"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]
_Run = Callable[[Any, _Args, _Named], Varied]

# A frozenset is a set here.
_TYPES: Mapping[str, type] = {
    "str": str, "list": list, "tuple": tuple, "dict": dict, "set": set, "frozenset": set,
}  # fmt: skip


def of_type(kind: str, name: str) -> Varied:
    """Return what the type called *kind* has under *name*; nothing where that is not modelled."""
    if (kind, name) == ("itertools.chain", "from_iterable"):
        return Varied.of(Native("chain.from_iterable", _from_iterable))
    own = _TYPES.get(kind)
    if own is None or name.startswith("__") or not hasattr(own, name):
        return NOTHING
    if (kind, name) == ("dict", "fromkeys"):
        return Varied.of(Native("dict.fromkeys", _from_keys))
    return Varied.of(Native(f"{kind}.{name}()", _method(own, name)))


def _method(kind: type, name: str) -> _Run:
    """Return a function that calls a method of its first argument, where that is of the type."""

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        if not args or not all(_is_of(kind, one) for _, one in args[0].each(machine.mask)):
            return unknown(tainted=machine.depends(*args, *named.values()))
        found: Varied = machine.call(machine.attribute(args[0], name), tuple(args[1:]), named)
        return found

    return run


#: The functions of Python 2's module string that are methods of a text.
STRING: Mapping[str, _Run] = {
    name: _method(str, name)
    for name in ("count", "find", "index", "lower", "replace", "rfind", "rindex", "split", "strip",
                 "upper")
}  # fmt: skip


def _is_of(kind: type, value: Plain) -> bool:
    return (value.kind if isinstance(value, Container) else type(value)) is kind


def _from_iterable(machine: Any, args: _Args, named: _Named) -> Varied:
    if len(args) != 1 or named:
        return unknown(tainted=machine.depends(*args, *named.values()))
    return Varied.of(Chained(tuple(args), deep=True))


def _from_keys(machine: Any, args: _Args, named: _Named) -> Varied:
    if not args or len(args) > 2 or named:
        return unknown(tainted=machine.depends(*args, *named.values()))
    groups: list[tuple[int, Plain]] = []
    for mask, keys in machine.elements(args[0]):
        if isinstance(keys, Unknown):
            groups.append((mask, keys))
            continue
        machine.spend(len(keys))
        if any(isinstance(one, Unknown | Container) for one in keys):
            groups.append((mask, Unknown(tainted=True)))
        else:
            for guests, value in (args[1] if len(args) > 1 else NONE).each(mask):
                groups.append((guests, Container(dict, dict.fromkeys(keys, value))))
    found: Varied = machine.gather(groups)
    return found
