# SPDX-License-Identifier: Apache-2.0
"""What the names of a program's modules and classes hold: as values that two executions share."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    FunctionObject,
    InstanceObject,
    ModuleObject,
    NameStore,
    Native,
    Wrapped,
)
from ngtpatch.installer.execution.varied import Plain, Varied

__all__ = ["HeldByGuests", "NameOf", "keeps_places", "values_held"]

_MAX_DEPTH = 6


@dataclass(frozen=True, order=True)
class NameOf:
    """A name of a module or of a class.

    Attributes:
        path: the module's file.
        owner: the class; nothing for a name of the module.
        name: the name.
    """

    path: str
    owner: str
    name: str


#: What a name holds, by the guests for whom it is so.
HeldByGuests = frozenset[tuple[int, Hashable]]


def values_held(modules: Iterable[ModuleObject], guests: int) -> dict[NameOf, HeldByGuests]:
    """Return what the names of *modules* hold on *guests*.

    Nothing in it is told by where it stands in a file: two executions of what differs in some
    lines can be compared.
    """
    shaper = _Shaper()
    found: dict[NameOf, HeldByGuests] = {}
    for module in modules:
        for owner, store in _stores(module):
            for name, value in list(store.slots.items()):
                if isinstance(name, str) and not name.startswith(("\x00", "__")):
                    key = NameOf(module.path or "", owner, name)
                    found[key] = shaper.varied(value, guests, _MAX_DEPTH)
    return found


def keeps_places(before: HeldByGuests, after: HeldByGuests) -> bool:
    """Tell whether the elements of rows have the places that they had."""
    rows = []
    for held in (before, after):
        for _, kind in held if len(held) == 1 else ():
            items = kind[1] if isinstance(kind, tuple) and len(kind) == 2 else None
            if isinstance(items, frozenset) and len(items) == 1:
                items = next(iter(items))[1]
                items = items[1] if isinstance(items, tuple) else None
            if isinstance(items, tuple):
                rows.append(items)
    return len(rows) == 2 and rows[1][: len(rows[0])] == rows[0]


def _stores(module: ModuleObject) -> Iterator[tuple[str, NameStore]]:
    yield "", module.store
    for value in list(module.store.slots.values()):
        for _, one in value.groups:
            if isinstance(one, ClassObject) and one.module is module:
                yield one.name, one.store


@dataclass
class _Shaper:
    """Makes shapes, of each object once."""

    known: dict[tuple[int, int, int], tuple[Plain, Hashable]] = field(default_factory=dict)

    def varied(self, value: Varied, guests: int, depth: int) -> HeldByGuests:
        by_shape: dict[Hashable, int] = {}
        for mask, one in value.each(guests):
            shape = self.shape(one, mask, depth)
            by_shape[shape] = by_shape.get(shape, 0) | mask
        return frozenset((mask, one) for one, mask in by_shape.items())

    def shape(self, value: Plain, guests: int, depth: int) -> Hashable:
        key = (id(value), guests, depth)
        if key not in self.known:
            self.known[key] = (value, None)  # within itself
            self.known[key] = (value, self._made(value, guests, depth))
        return self.known[key][1]

    def _made(self, value: Plain, guests: int, depth: int) -> Hashable:  # noqa: PLR0911 - a kind each
        if not depth:
            return "..."
        depth -= 1
        match value:
            case str() | bytes() | bool() | int() | float() | None:
                return type(value).__name__, value
            case re.Pattern():
                return "pattern", value.pattern, value.flags
            case tuple():
                return "tuple", tuple(self.shape(one, guests, depth) for one in value)
            case frozenset():
                return "set", frozenset(self.shape(one, guests, depth) for one in value)
            case dict():
                return "dict", tuple(
                    (self.shape(key, guests, depth), self.shape(one, guests, depth))
                    for key, one in value.items()
                )
            case Container():
                items = self.varied(value.store.get("items"), guests, depth)
                return value.kind.__name__, items
            case InstanceObject():
                return "a", value.cls.name, self._of_store(value.store, guests, depth)
            case FunctionObject():
                rest = (*value.defaults, *(one for one in value.keyword_defaults if one))
                return value.name, tuple(self.varied(one, guests, depth) for one in rest)
            case BoundMethod():
                return "method", self.shape(value.owner, guests, depth)
            case Native():
                held = tuple(self.varied(one, guests, depth) for one in value.holds)
                return "native", value.name, held
            case Wrapped():
                return value.kind, self.varied(value.function, guests, depth)
        # Modules and classes are told by their own names.
        return type(value).__name__, str(getattr(value, "name", ""))

    def _of_store(self, store: NameStore, guests: int, depth: int) -> Hashable:
        return tuple(
            (str(name), self.varied(one, guests, depth)) for name, one in list(store.slots.items())
        )
