# SPDX-License-Identifier: Apache-2.0
"""Methods of containers, and of the names that a module has, as Python has them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ngtpatch.installer.execution.file_methods import method_of_file
from ngtpatch.installer.execution.lifting import NONE, Unmodelled, has_no_order, unknown
from ngtpatch.installer.execution.objects import (
    Container,
    FileObject,
    Frozen,
    NameStore,
    Native,
    OneWay,
    ReadOnly,
    View,
    Viewed,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, is_vague

__all__ = [
    "NamesOf",
    "as_iterator",
    "as_view",
    "name_of",
    "of_object",
]


class NamesOf(Container):
    """What ``globals()`` and ``vars(module)`` give: the names themselves as a dictionary."""

    __slots__ = ("names",)

    def __init__(self, names: NameStore) -> None:
        # How many there are, and whether one is there, is not followed.
        super().__init__(dict, Unknown(tainted=True))
        self.names = names


def of_object(owner: Container | FileObject, name: str) -> Varied:
    """Return a method of a list, set, dictionary or file."""
    run: Callable[..., Varied] | None
    if isinstance(owner, FileObject):
        run = method_of_file(name)
    elif isinstance(owner, NamesOf):
        run = _NAMES.get(name, _names_changed)
    else:
        run = _METHODS.get((owner.kind, name))
        if isinstance(owner, ReadOnly) and not hasattr(MappingProxyType, name):
            return NOTHING
        if isinstance(owner, Frozen) and not hasattr(frozenset, name):
            return NOTHING
    if run is None and isinstance(owner, OneWay) and name in ("send", "throw", "close"):
        run = _resumed
    if run is None:
        if not isinstance(owner, Container) or not hasattr(owner.kind, name):
            return NOTHING
        run = _not_followed

    method = run

    def call(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        return method(machine, owner, args, named)

    return Varied.of(Native(f"{type(owner).__name__}.{name}", call, (Varied.of(owner),)))


_Args = Sequence[Varied]
_Named = Mapping[str, Varied]


def _not_followed(machine: Any, owner: Any, args: _Args, named: _Named) -> Varied:
    """Forget what is in a container that something was done to."""
    machine.write(owner.store, "items", unknown(tainted=True))
    return unknown(tainted=True)


def _resumed(machine: Any, owner: Any, args: _Args, named: _Named) -> Varied:
    """Go on in a generator with a value, or end it: it was executed without one."""
    machine.note("dynamic")
    return _not_followed(machine, owner, args, named)


def _append(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    machine.append(owner, args[0])
    return NONE


def _changed(change: Callable[..., Any], *, opened: bool = False) -> Callable[..., Varied]:
    """Return a method that replaces the content by ``change(content, *arguments)``.

    Args:
        change: gets the arguments themselves, which are kept, looked for or left out.
        opened: whether it gets the items of those that are containers.
    """
    of_argument = _content if opened else _kept

    def run(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
        if named:
            return _not_followed(machine, owner, args, named)
        items = owner.store.get("items")
        args = tuple(machine.once(one) for one in args)
        if opened and owner.kind is list:
            args = tuple(machine.in_a_row(one) for one in args)
        combined = machine.combine((items, *args))
        if combined is None:
            return _not_followed(machine, owner, args, named)
        groups = []
        for mask, (content, *values) in combined:
            machine.spend()
            if isinstance(content, Unknown) or any(isinstance(one, Unknown) for one in values):
                groups.append((mask, Unknown(tainted=machine.depends(items, *args))))
                continue
            machine.spend(_size(content))
            try:
                groups.append((mask, change(content, *[of_argument(one, mask) for one in values])))
            except Unmodelled:
                groups.append((mask, Unknown(tainted=True)))
            except (KeyError, ValueError, TypeError, IndexError) as error:
                machine.throw_named(type(error).__name__, mask)
        machine.write(owner.store, "items", machine.gather(groups))
        return NONE

    return run


def _size(content: Any) -> int:
    return len(content) >> 4 if isinstance(content, tuple | dict | frozenset | set) else 0


def _content(value: Plain, mask: int) -> Any:
    """Return the items of a container (which has one content here), or the value itself."""
    if isinstance(value, Container):
        ((_, items),) = value.store.get("items").each(mask)
        if isinstance(items, Unknown):
            raise Unmodelled
        return items
    if value is not None and type(value) not in _ATOMS:
        raise Unmodelled
    return value


def _kept(value: Plain, mask: int) -> Plain:
    return value


# What Python compares and keeps by value, as the executor does.
_ATOMS = frozenset({str, int, bool, float, bytes, tuple})


def _without(items: tuple[Plain, ...], one: Plain) -> tuple[Plain, ...]:
    if not all(each is None or type(each) in _ATOMS for each in (*items, one)):
        raise Unmodelled  # lists that are equal are the same to Python
    at = items.index(one)
    return items[:at] + items[at + 1 :]


def _hashed(one: Plain) -> Plain:
    """Return what is to be a member or a key. Raises TypeError where a list can be none."""
    if isinstance(one, Container):
        if one.kind is set:
            raise Unmodelled  # a frozenset can
        raise TypeError
    return one


def _taken_out(items: frozenset[Plain], one: Plain) -> frozenset[Plain]:
    if _hashed(one) not in items:
        raise KeyError
    return items - {one}


def _updated(items: Mapping[Plain, Plain], *others: Any) -> Mapping[Plain, Plain]:
    found = dict(items)
    for other in others:
        if isinstance(other, Mapping):
            found.update(other)
        elif all(type(pair) is tuple and len(pair) == 2 for pair in other):
            found.update((_hashed(key), value) for key, value in other)
        else:
            raise Unmodelled
    return found


def _update(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    _changed(_updated, opened=True)(machine, owner, args, {})
    for name, value in named.items():
        _changed(lambda items, one, name=name: {**items, name: one})(machine, owner, (value,), {})
    return NONE


def _get(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    fallback = args[1] if len(args) > 1 else NONE
    if machine.watch is not None:
        machine.watch.meet("in", args[0], Varied.of(owner), machine.mask, machine.spot)
    groups: list[tuple[int, Plain]] = []
    for mask, items in owner.store.get("items").each(machine.mask):
        for guests, key in args[0].each(mask):
            machine.spend()
            if isinstance(items, Unknown) or is_vague(key):
                tainted = machine.depends(args[0]) or (isinstance(items, Unknown) and items.tainted)
                groups.append((guests, Unknown(tainted)))
                continue
            if isinstance(key, Container):
                machine.refuse_as_key(key, guests)
                continue
            try:
                if key in items:
                    groups.append((guests, items[key]))
                else:
                    groups += fallback.within(guests).groups
            except TypeError:
                machine.throw_named("TypeError", guests)
    found: Varied = machine.gather(groups)
    return found


def _setdefault(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    found = _get(machine, owner, args, named)
    _changed(lambda items, key, one=None: items if key in items else {**items, key: one})(
        machine, owner, args, named
    )
    return found


def _pop(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    if owner.kind is dict and len(args) in (1, 2) and not named:
        if len(args) == 1:
            _miss(machine, owner, args[0])
        had = _get(machine, owner, args, named)
        _changed(lambda items, key, *default: {k: v for k, v in items.items() if k != key})(
            machine, owner, args, named
        )
        return had
    if owner.kind is list and len(args) < 2 and not named:
        at = args[0] if args else Varied.of(-1)
        for mask, items in owner.store.get("items").each(machine.mask):
            if isinstance(items, tuple) and not items:
                machine.throw_named("IndexError", mask, "pop from empty list")
        found: Varied = machine.item(Varied.of(owner), at)
        _changed(_popped)(machine, owner, (at,), named)
        return found
    return _not_followed(machine, owner, args, named)


def _pop_any(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    """Take out a member of a set, or the last of a dictionary, in whatever order they are."""
    groups = list(owner.store.get("items").each(machine.mask))
    if args or named or any(isinstance(items, Unknown) for _, items in groups):
        return _not_followed(machine, owner, args, named)
    found: list[tuple[int, Plain]] = []
    for mask, items in groups:
        if not items:
            machine.throw_named("KeyError", mask)
            continue
        row: Sequence[Plain] = tuple(items)
        if owner.kind is set:
            row = sorted(items, key=repr)
        if owner.kind is set or (has_no_order(owner) and machine.may_be_old()):
            row = machine.in_some_order(row, row)
        one = row[-1]
        if owner.kind is set:
            left: Plain = frozenset(items) - {one}
            found.append((mask, one))
        else:
            left = {key: value for key, value in items.items() if key != one}
            found.append((mask, (one, items[one])))
        machine.write(owner.store, "items", Varied.of(left), mask)
    return machine.gather(found)  # type: ignore[no-any-return]


def _popped(items: tuple[Plain, ...], at: Plain) -> tuple[Plain, ...]:
    if type(at) is not int:
        raise Unmodelled
    rest = list(items)
    del rest[at]
    return tuple(rest)


def _miss(machine: Any, owner: Container, key: Varied) -> None:
    """Raise KeyError on the guests on which a dictionary has no such key."""
    for mask, items in owner.store.get("items").each(machine.mask):
        for guests, one in () if isinstance(items, Unknown) else key.each(mask):
            if not isinstance(one, Unknown | Container) and one not in items:
                machine.throw_named("KeyError", guests)


def _listed(part: Callable[[Any], Any]) -> Callable[..., Varied]:
    """Return a method that gives a list of ``part(content)``."""

    def run(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
        groups = [
            (
                mask,
                items
                if isinstance(items, Unknown)
                else Container(list, tuple(part(_in_its_order(machine, owner, items)))),
            )
            for mask, items in owner.store.get("items").each(machine.mask)
        ]
        found: Varied = machine.gather(groups)
        return found

    return run


def _in_its_order(machine: Any, owner: Container, items: Any) -> Any:
    """Return the content of a dictionary in an order in which an old Python may have it."""
    if not has_no_order(owner) or not machine.may_be_old():
        return items
    return dict(machine.in_some_order(tuple(items.items()), tuple(items)))


def as_view(machine: Any, kind: type, found: Varied) -> Varied:
    """Return a list as what Python 3 gives in its place, on the guests that have one."""
    if not machine.of_python:
        if machine.frames[-1].module.only_2:
            return found
        shown: list[tuple[int, Plain]] = []
        for mask, one in found.each(machine.mask):
            if not isinstance(one, Container):
                shown.append((mask, one))
                continue
            shown += [
                (guests, items if isinstance(items, Unknown) else Viewed(list, items))
                for guests, items in one.store.get("items").each(mask)
            ]
        return machine.gather(shown)  # type: ignore[no-any-return]
    python3 = machine.where(lambda world: (world.python or (2,)) >= (3,))
    groups: list[tuple[int, Plain]] = []
    for mask, one in found.each(machine.mask):
        if type(one) is not Container or one.kind is not list:
            groups.append((mask, one))
            continue
        groups.append((mask & ~python3, one))
        groups += [
            (guests, items if isinstance(items, Unknown) else View(kind, items))
            for guests, items in one.store.get("items").each(mask & python3)
        ]
    return machine.gather(groups)  # type: ignore[no-any-return]


def as_iterator(
    machine: Any,
    kind: type,
    found: Varied,
    sources: Sequence[NameStore],
    *,
    listed: bool = False,
) -> Varied:
    """Return a list as an iterator over *sources*; where Python 2 has a list (*listed*), that."""
    lists = 0
    if listed and machine.of_python:
        lists = machine.where(lambda world: (world.python or (2,)) < (3,))
    elif listed and machine.frames[-1].module.only_2:
        lists = machine.mask
    groups: list[tuple[int, Plain]] = []
    for mask, one in found.each(machine.mask):
        if type(one) is not Container or one.kind is not list:
            groups.append((mask, one))
            continue
        groups.append((mask & lists, one))
        groups += [
            (
                guests,
                items
                if isinstance(items, Unknown)
                else OneWay(kind, items, machine.changes, tuple(sources)),
            )
            for guests, items in one.store.get("items").each(mask & ~lists)
        ]
    return machine.gather(groups)  # type: ignore[no-any-return]


def _viewed(kind: type, part: Callable[[Any], Any]) -> Callable[..., Varied]:
    listed = _listed(part)

    def run(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
        found = as_view(machine, kind, listed(machine, owner, args, named))
        for _, one in found.each(machine.mask):
            if isinstance(one, Container):
                machine.show(owner.store, one.store)
        return found

    return run


def _holds(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.compared(args[0], ast.In(), Varied.of(owner))
    return found


def _lifted(name: str, kind: type) -> Callable[..., Varied]:
    def run(machine: Any, owner: Container, args: _Args, named: _Named) -> Varied:
        if machine.watch is not None and args:
            relation = "meets" if kind is set else "in"
            machine.watch.meet(relation, args[0], Varied.of(owner), machine.mask, machine.spot)
        found: Varied = machine.lift(
            lambda one, *rest: getattr(one, name)(*rest), Varied.of(owner), *args
        )
        return found

    return run


_METHODS: dict[tuple[type, str], Callable[..., Varied]] = {
    (list, "append"): _append,
    (list, "extend"): _changed(lambda items, more: (*items, *more), opened=True),
    (list, "insert"): _changed(lambda items, at, one: (*items[:at], one, *items[at:])),
    (list, "remove"): _changed(_without),
    (list, "reverse"): _changed(lambda items: items[::-1]),
    (list, "clear"): _changed(lambda items: ()),
    (list, "copy"): _listed(lambda items: items),
    (list, "index"): _lifted("index", list),
    (list, "count"): _lifted("count", list),
    (list, "pop"): _pop,
    (set, "pop"): _pop_any,
    (dict, "popitem"): _pop_any,
    (set, "add"): _changed(lambda items, one: items | {_hashed(one)}),
    (set, "discard"): _changed(lambda items, one: items - {_hashed(one)}),
    (set, "remove"): _changed(_taken_out),
    (set, "update"): _changed(lambda items, *more: items.union(*more), opened=True),
    (dict, "get"): _get,
    (dict, "setdefault"): _setdefault,
    (dict, "pop"): _pop,
    (dict, "update"): _update,
    (dict, "keys"): _viewed(type({}.keys()), tuple),
    (dict, "values"): _viewed(type({}.values()), lambda items: items.values()),
    (dict, "items"): _viewed(type({}.items()), lambda items: items.items()),
    (dict, "clear"): _changed(lambda items: {}),
    (dict, "__contains__"): _holds,
    (set, "__contains__"): _holds,
    (list, "__contains__"): _holds,
    (dict, "__getitem__"): lambda machine, owner, args, named: machine.item(
        Varied.of(owner), args[0]
    ),
}
for _name in ("intersection", "union", "difference", "issubset", "issuperset", "isdisjoint"):
    _METHODS[set, _name] = _lifted(_name, set)


def name_of(machine: Any, owner: NamesOf, index: Varied) -> Varied:
    """Return ``globals()[index]``."""
    groups: list[tuple[int, Plain]] = []
    for mask, name in index.each(machine.mask):
        if isinstance(name, Unknown):
            machine.note("lookup", mask)
            groups.append((mask, Unknown(tainted=True)))
            continue
        found = owner.names.get(name).within(mask)
        groups += found.groups
        machine.throw_named("KeyError", mask & ~found.mask, str(name))
    gathered: Varied = machine.gather(groups)
    return gathered


def _name_got(machine: Any, owner: NamesOf, args: _Args, named: _Named) -> Varied:
    fallback = args[1] if len(args) > 1 else NONE
    groups: list[tuple[int, Plain]] = []
    for mask, name in args[0].each(machine.mask):
        if isinstance(name, Unknown):
            groups.append((mask, Unknown(tainted=True)))
            continue
        found = owner.names.get(name).within(mask)
        groups += found.groups
        groups += fallback.within(mask & ~found.mask).groups
    gathered: Varied = machine.gather(groups)
    return gathered


def _names_updated(machine: Any, owner: NamesOf, args: _Args, named: _Named) -> Varied:
    for name, value in named.items():
        machine.write(owner.names, name, value)
    for mask, one in args[0].each(machine.mask) if args else ():
        rows = [] if not isinstance(one, Container) else list(one.store.get("items").each(mask))
        for guests, items in rows:
            if not isinstance(items, dict):
                machine.note("dynamic", guests)
                continue
            for name, value in items.items():
                machine.write(owner.names, name, Varied.of(value), guests)
        if not rows:
            machine.note("dynamic", mask)
    return NONE


def _names_changed(machine: Any, owner: NamesOf, args: _Args, named: _Named) -> Varied:
    """Note what is done to all names of a module, which is not followed."""
    machine.note("dynamic")
    return unknown(tainted=True)


def _names_read(machine: Any, owner: NamesOf, args: _Args, named: _Named) -> Varied:
    return unknown(tainted=True)


_NAMES: dict[str, Callable[..., Varied]] = {
    "get": _name_got, "update": _names_updated, "copy": _names_read, "keys": _names_read,
    "items": _names_read, "__contains__": _names_read,
}  # fmt: skip
