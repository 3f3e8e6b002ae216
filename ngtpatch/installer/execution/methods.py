# SPDX-License-Identifier: Apache-2.0
"""Methods of texts, numbers, tuples, containers and files, as Python has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ngtpatch.installer.execution.bounded_patterns import found_by
from ngtpatch.installer.execution.lifting import NONE, Unmodelled, unknown
from ngtpatch.installer.execution.objects import (
    Container,
    FileObject,
    Frozen,
    NameStore,
    Native,
    OneWay,
    ReadOnly,
    View,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied

__all__ = [
    "PURE_METHODS",
    "TEXT_METHODS",
    "LooseVersion",
    "NamesOf",
    "as_iterator",
    "as_view",
    "name_of",
    "of_atom",
    "of_object",
    "text_method",
]

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


class NamesOf(Container):
    """What ``globals()`` and ``vars(module)`` give: the names themselves as a dictionary."""

    __slots__ = ("names",)

    def __init__(self, names: NameStore) -> None:
        # How many there are, and whether one is there, is not followed.
        super().__init__(dict, Unknown(tainted=True))
        self.names = names


def of_atom(owner: Plain, name: str) -> Varied:  # noqa: PLR0911 - one a kind of value
    """Return a method or attribute of a text, a number or a tuple."""
    if isinstance(owner, tuple | str) and name == "__contains__":
        return Varied.of(Native(f"{type(owner).__name__}.__contains__", _holding(owner)))
    if isinstance(owner, tuple):
        if name in getattr(owner, "names", ()):
            return Varied.of(getattr(owner, name))
        return _pure(owner, name) if name in _TUPLE else NOTHING
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
        found: Varied = machine.lift(apply, *args, *named.values())
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
        keys = tuple(named)

        def apply(*values: Any) -> str:
            # A field that asks for attributes, items or a width is not for us to evaluate.
            if any(mark in owner for mark in ".[:!") and not _plain_fields(owner):
                raise Unmodelled
            count = len(values) - len(keys)
            texts = [machine.text_of(value) for value in values]
            return owner.format(*texts[:count], **dict(zip(keys, texts[count:], strict=True)))

        texts = [machine.as_text(one) for one in (*args, *named.values())]
        found: Varied = machine.lift(apply, *texts)
        return found

    return run


def _plain_fields(template: str) -> bool:
    import string

    return all(
        not spec and not conversion and not set(field or "") & set(".[")
        for _, field, spec, conversion in string.Formatter().parse(template)
    )


# Containers ----------------------------------------------------------------------------------


def of_object(owner: Container | FileObject, name: str) -> Varied:
    """Return a method of a list, set, dictionary or file."""
    run: Callable[..., Varied] | None
    if isinstance(owner, FileObject):
        run = _FILE.get(name, _of_file)
    elif isinstance(owner, NamesOf):
        run = _NAMES.get(name, _not_followed)
    else:
        run = _METHODS.get((owner.kind, name))
        if isinstance(owner, ReadOnly) and not hasattr(MappingProxyType, name):
            return NOTHING
        if isinstance(owner, Frozen) and not hasattr(frozenset, name):
            return NOTHING
    if run is None:
        if not isinstance(owner, Container) or not hasattr(owner.kind, name):
            return NOTHING
        run = _not_followed

    method = run

    def call(machine: Any, args: Sequence[Varied], named: Mapping[str, Varied]) -> Varied:
        return method(machine, owner, args, named)

    return Varied.of(Native(f"{type(owner).__name__}.{name}", call))


_Args = Sequence[Varied]
_Named = Mapping[str, Varied]


def _not_followed(machine: Any, owner: Any, args: _Args, named: _Named) -> Varied:
    """Forget what is in a container that something was done to."""
    machine.write(owner.store, "items", unknown(tainted=True))
    return unknown(tainted=True)


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
            if isinstance(items, Unknown) or isinstance(key, Unknown):
                tainted = machine.depends(args[0]) or (isinstance(items, Unknown) and items.tainted)
                groups.append((guests, Unknown(tainted)))
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
            (mask, items if isinstance(items, Unknown) else Container(list, tuple(part(items))))
            for mask, items in owner.store.get("items").each(machine.mask)
        ]
        found: Varied = machine.gather(groups)
        return found

    return run


def as_view(machine: Any, kind: type, found: Varied) -> Varied:
    """Return a list as what Python 3 gives in its place, on the guests that have one."""
    if not machine.of_python:
        return found
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


def as_iterator(machine: Any, kind: type, found: Varied, *, listed: bool = False) -> Varied:
    """Return a list as an iterator, but where Python 2 has a list of it (*listed*)."""
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
            (guests, items if isinstance(items, Unknown) else OneWay(kind, items, machine.changes))
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


_NAMES: dict[str, Callable[..., Varied]] = {"get": _name_got, "update": _names_updated}


# Files ---------------------------------------------------------------------------------------


def _used_up(machine: Any, owner: FileObject) -> Varied:
    """Return the lines that are left; what is left afterwards is not followed."""
    lines = owner.store.get("lines").within(machine.mask)
    machine.write(owner.store, "lines", unknown(tainted=machine.depends(lines)))
    return lines


def _read(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.lift("".join, _used_up(machine, owner))
    return unknown(tainted=machine.depends(found)) if args else found


def _lines(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.lift(list, _used_up(machine, owner))
    return found


def _of_file(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    return unknown(tainted=machine.depends(_used_up(machine, owner)))


def _itself(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    return Varied.of(owner)


def _nothing(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    return NONE


_FILE: dict[str, Callable[..., Varied]] = {
    "read": _read,
    "readlines": _lines,
    "__enter__": _itself,
    "__exit__": _nothing,
    "close": _nothing,
    "write": _nothing,
    "writelines": _nothing,
    "flush": _nothing,
}
