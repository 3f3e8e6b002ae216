# SPDX-License-Identifier: Apache-2.0
"""What a program makes while it is executed on paper: names, functions, classes, containers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied

__all__ = [
    "Argument",
    "BoundMethod",
    "Chained",
    "ClassObject",
    "Container",
    "Defaulting",
    "External",
    "FileObject",
    "Frozen",
    "FunctionObject",
    "InstanceObject",
    "Kept",
    "ModuleObject",
    "NameStore",
    "Native",
    "OneWay",
    "Ordered",
    "ReadOnly",
    "SuperObject",
    "View",
    "Viewed",
    "Wrapped",
    "now",
    "plain",
]


_births = count()


def now() -> int:
    """Return a moment that is later than all before: whatever is born from here on is younger."""
    return next(_births)


class NameStore:
    """NameStore and what they hold; the one place where anything is kept."""

    __slots__ = ("born", "captured", "slots")

    def __init__(self) -> None:
        #: Whether a function that was made here sees these names later.
        self.captured = False
        self.slots: dict[Any, Varied] = {}
        #: It is younger than those with a lower number.
        self.born = now()

    def get(self, name: Any) -> Varied:
        """Return what *name* holds; nothing on the guests where it was never bound."""
        return self.slots.get(name, NOTHING)


@dataclass(frozen=True)
class External:
    """Something that this package has no model of, by its dotted name.

    Attributes:
        name: as it is reached; a value of unknown origin is ``?``.
        tainted: whether it may depend on the guest.
    """

    name: str
    tainted: bool = False

    @property
    def key(self) -> Any:
        """Two of one name are one."""
        return External, self.name, self.tainted


@dataclass(eq=False)
class ModuleObject:
    """A module of the tree, or a modelled one of Python's."""

    name: str
    path: str | None
    store: NameStore = field(default_factory=NameStore)
    #: Whether an attribute that it does not hold is simply not modelled.
    is_external: bool = False
    #: Whether only a Python 2 can read it.
    only_2: bool = False
    #: Whether only a Python 3 can read it.
    only_3: bool = False
    #: Whether ``/`` is that of Python 3 on every Python.
    divides: bool = False
    #: Whether only a Python can read it in which dictionaries have an order.
    is_new: bool = False


Argument = tuple[tuple[Varied, ...], Mapping[str, Varied]]


@dataclass(frozen=True, eq=False)
class Native:
    """A function that is modelled: it gets the machine, the arguments and the node of the call."""

    name: str
    run: Callable[..., Varied]
    #: What it may change or call, beside its arguments.
    holds: tuple[Varied, ...] = ()

    @property
    def key(self) -> Any:
        """Two of one name are one."""
        return Native, self.name, self.run


@dataclass(eq=False)
class FunctionObject:
    """A function of the installer."""

    node: ast.FunctionDef | ast.Lambda
    module: ModuleObject
    name: str
    closure: tuple[NameStore, ...]
    defaults: tuple[Varied, ...]
    keyword_defaults: tuple[Varied | None, ...]
    owner: ClassObject | None = None
    store: NameStore = field(default_factory=NameStore)


@dataclass(frozen=True, eq=False)
class BoundMethod:
    """A function with its first argument."""

    function: Plain
    owner: Plain

    @property
    def key(self) -> Any:
        """The same function on the same object is the same."""
        return BoundMethod, id(self.function), id(self.owner)


@dataclass(frozen=True, eq=False)
class Wrapped:
    """``staticmethod``, ``classmethod`` or ``property`` around a function."""

    kind: str
    function: Varied


@dataclass(eq=False)
class ClassObject:
    """A class of the installer, or an exception of Python's."""

    name: str
    module: ModuleObject | None
    bases: tuple[Plain, ...]
    store: NameStore = field(default_factory=NameStore)
    error: type[BaseException] | None = None

    def order(self) -> list[Plain]:
        """Return it and its bases, in the order in which they are asked."""
        found: list[Plain] = [self]
        for base in self.bases:
            for one in base.order() if isinstance(base, ClassObject) else [base]:
                if one in found:
                    found.remove(one)
                found.append(one)
        return found

    @property
    def is_open(self) -> bool:
        """Whether a base is not modelled, so that an attribute may come from there."""
        return any(not isinstance(one, ClassObject) for one in self.order())


@dataclass(frozen=True, eq=False)
class SuperObject:
    """What ``super()`` gives: the classes that come after one, for an object of it."""

    after: tuple[Plain, ...]
    instance: Plain

    @property
    def key(self) -> Any:
        """For one object it is one."""
        return SuperObject, id(self.instance), tuple(map(id, self.after))


@dataclass(eq=False)
class InstanceObject:
    """An object of such a class."""

    cls: ClassObject
    store: NameStore = field(default_factory=NameStore)


class FileObject:
    """A file that was opened. Its lines, where they are known, are in :attr:`store`."""

    __slots__ = ("store",)

    def __init__(self, lines: Varied) -> None:
        self.store = NameStore()
        self.store.slots["lines"] = lines


class Container:
    """A list, set or dictionary. What is in it is one value of :attr:`store`, never changed."""

    __slots__ = ("kind", "store")

    def __init__(self, kind: type, items: Plain) -> None:
        self.kind = kind
        self.store = NameStore()
        self.store.slots["items"] = Varied.of(items)


class View(Container):
    """What Python 3 gives where Python 2 gives a list: of a map(), of the keys of a dictionary."""

    __slots__ = ()

    @property
    def is_lazy(self) -> bool:
        """Whether it has neither length nor truth of its own."""
        return self.kind in (map, filter, zip, chain) or isinstance(self, OneWay)


class Viewed(Container):
    """What a dictionary gives where it is not known which Python runs: a list, or a view."""

    __slots__ = ()


class OneWay(View):
    """An iterator of which what it gives is known already; it gives that once.

    Attributes:
        age: how many changes there had been when it was made: later ones it might see.
        sources: of the containers that Python goes through while it gives its elements.
    """

    __slots__ = ("age", "sources")

    def __init__(
        self, kind: type, items: Plain, age: int, sources: tuple[NameStore, ...] = ()
    ) -> None:
        super().__init__(kind, items)
        self.age, self.sources = age, sources


class Chained(View):
    """An iterator over several containers, which gives each element once and at that time.

    Attributes:
        parts: the containers. On the guests on which it was looked at, *used* is bound.
        deep: whether the only part is a container of them.
    """

    __slots__ = ("deep", "parts")

    def __init__(self, parts: tuple[Varied, ...], *, deep: bool = False) -> None:
        super().__init__(chain, Unknown(tainted=True))
        self.parts, self.deep = parts, deep


class Ordered(Container):
    """A dictionary that has an order on every Python."""

    __slots__ = ()


class Defaulting(Container):
    """A dictionary that makes what it lacks when it is asked for."""

    __slots__ = ("factory",)

    def __init__(self, items: Plain, factory: Varied) -> None:
        super().__init__(dict, items)
        self.factory = factory


class Frozen(Container):
    """A frozenset: an operator makes another one of it."""

    __slots__ = ()

    def __init__(self, items: Plain) -> None:
        super().__init__(set, items)


class ReadOnly(Container):
    """A dictionary as it is shown to those who may not change it."""

    __slots__ = ()

    def __init__(self, shown: Container) -> None:
        self.kind = dict
        self.store = shown.store


_MAX_DEPTH = 8


#: By the identity of an object of Python's own: that object, and the container it stands for.
Kept = dict[int, tuple[Any, Container]]


def plain(value: Plain, mask: int, kept: Kept, depth: int = 0) -> Plain:
    """Return *value* as an object of Python's own, or Unknown if a part of it is.

    Which object stands for which container is added to *kept*.

    A container whose content differs between the guests of *mask* is Unknown here; callers
    ask it group by group.
    """
    if isinstance(value, Container):
        made = _plain_container(value, mask, kept, depth)
        if not isinstance(made, Unknown):
            kept[id(made)] = (made, value)
        return made
    if isinstance(value, External):
        return Unknown(value.tainted, "" if value.tainted else value.name)
    if isinstance(value, tuple):
        made_tuple = _all(tuple, value, mask, kept, depth)
        return value if isinstance(made_tuple, tuple) and made_tuple == value else made_tuple
    return value


def _plain_container(value: Container, mask: int, kept: Kept, depth: int) -> Plain:
    if depth and isinstance(value, View):
        return Unknown(tainted=True)  # it is no list, and gives its elements once
    groups = list(value.store.get("items").each(mask))
    if len(groups) != 1 or depth > _MAX_DEPTH:
        return Unknown(tainted=len(groups) > 1)
    items = groups[0][1]
    if isinstance(items, Unknown):
        return items
    if value.kind is dict:
        made: dict[Any, Any] = {}
        for key, one in items.items():
            inner = plain(one, mask, kept, depth + 1)
            if isinstance(inner, Unknown):
                return inner
            made[key] = inner
        return made
    kind = frozenset if isinstance(value, Frozen) else value.kind
    return _all(list if isinstance(value, View) else kind, items, mask, kept, depth)


def _all(kind: type, items: Any, mask: int, kept: Kept, depth: int) -> Plain:
    made = []
    for one in items:
        inner = plain(one, mask, kept, depth + 1)
        if isinstance(inner, Unknown):
            return inner
        made.append(inner)
    try:
        return kind(made)
    except TypeError:
        return Unknown(tainted=True)
