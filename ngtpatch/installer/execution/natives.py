# SPDX-License-Identifier: Apache-2.0
"""Python's own functions and names."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution import opening
from ngtpatch.installer.execution.comparing import is_shown
from ngtpatch.installer.execution.container_methods import NamesOf, as_iterator
from ngtpatch.installer.execution.either_python import by_python, may_be_2, rounded
from ngtpatch.installer.execution.instances import is_instance
from ngtpatch.installer.execution.lifting import NONE, Unmodelled, unknown
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    External,
    FileObject,
    Frozen,
    FunctionObject,
    InstanceObject,
    ModuleObject,
    NameStore,
    Native,
    OneWay,
    SuperObject,
    View,
    Wrapped,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied

__all__ = ["BUILT_IN", "ONLY_PYTHON_2", "ONLY_PYTHON_3", "as_error", "made_dictionary"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]
_Run = Callable[[Any, _Args, _Named], Varied]

#: Names that Python 3 has not.
ONLY_PYTHON_2 = frozenset({
    "apply", "basestring", "buffer", "cmp", "coerce", "execfile", "file", "intern", "long",
    "raw_input", "reduce", "reload", "unichr", "unicode", "xrange", "StandardError",
})  # fmt: skip
#: Names that Python 2 has not.
ONLY_PYTHON_3 = frozenset({
    "BlockingIOError", "ChildProcessError", "ConnectionError", "FileExistsError",
    "FileNotFoundError", "InterruptedError", "IsADirectoryError", "ModuleNotFoundError",
    "NotADirectoryError", "PermissionError", "ProcessLookupError", "RecursionError",
    "ResourceWarning", "TimeoutError", "ascii", "breakpoint",
})  # fmt: skip

_errors: dict[str, ClassObject] = {}


def as_error(name: str) -> ClassObject | None:
    """Return one of Python's exceptions, or None if there is none of this name."""
    name = {"StandardError": "Exception", "IOError": "OSError"}.get(name, name)
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return None
    if name not in _errors:
        bases = [as_error(base.__name__) for base in kind.__bases__ if base is not object]
        _errors[name] = ClassObject(
            name, None, tuple(one for one in bases if one is not None), NameStore(), kind
        )
    return _errors[name]


def _pure(function: Callable[..., Any]) -> _Run:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        if named:
            return unknown(tainted=machine.depends(*args, *named.values()))
        found: Varied = machine.lift(function, *args)
        return found

    return run


def _bounded_range(*bounds: int) -> range:
    made = range(*bounds)
    try:
        if len(made) > 10_000:
            raise Unmodelled
    except OverflowError:
        raise Unmodelled from None
    return made


def _range(machine: Any, args: _Args, named: _Named) -> Varied:
    found = _pure(_bounded_range)(machine, args, named)
    if machine.frames[-1].module.only_2:
        return _converted(list)(machine, (found,), {})
    return found


def _round(machine: Any, args: _Args, named: _Named) -> Varied:
    if named:
        return unknown(tainted=machine.depends(*args, *named.values()))
    return by_python(machine, machine.lift(rounded, *args), machine.lift(round, *args))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        raise Unmodelled  # Python 2 has two kinds of text, and shows which
    is_shown(value)
    return repr(value)


def _bounded_format(value: Any, template: Any = "") -> str:
    is_shown(value)
    if not isinstance(template, str) or re.search(r"\d{4}", template):
        raise Unmodelled
    return format(value, template)


def _text(machine: Any, args: _Args, named: _Named) -> Varied:
    if not args:
        return Varied.of("")
    found: Varied = machine.lift(machine.text_of, machine.as_text(args[0]))
    return found


def _bytes(machine: Any, args: _Args, named: _Named) -> Varied:
    if machine.frames[-1].module.only_2:
        return _text(machine, args, named)
    for value in args if machine.watch is not None else ():
        machine.watch.hand(value, machine.mask)
    return unknown(tainted=machine.depends(*args, *named.values()))


def _converted(kind: type) -> _Run:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        if not args:
            return Varied.of(machine.made(kind, ()))
        groups = []
        for mask, items in machine.elements(args[0]):
            if isinstance(items, Unknown):
                groups.append((mask, items))
            else:
                groups.append((mask, machine.made(kind, items)))
        found: Varied = machine.gather(groups)
        return found

    return run


def _frozen(machine: Any, args: _Args, named: _Named) -> Varied:
    groups: list[tuple[int, Plain]] = []
    for mask, one in _converted(set)(machine, args, named).each(machine.mask):
        if isinstance(one, Container):
            groups += [(guests, items if isinstance(items, Unknown) else Frozen(items))
                       for guests, items in one.store.get("items").each(mask)]  # fmt: skip
        else:
            groups.append((mask, one))
    return machine.gather(groups)  # type: ignore[no-any-return]


def made_dictionary(machine: Any, args: _Args, named: _Named) -> Varied:
    """Make a dictionary of another, of pairs or of keyword arguments."""
    if not args:
        return _dictionary(machine, named)
    if named:
        made = made_dictionary(machine, args, {})
        for name, value in named.items():
            machine.set_item(made, Varied.of(name), value)
        return made
    keys = machine.keys_of(args[0])
    if keys is not None:
        groups = [
            (guests, Container(dict, items) if isinstance(items, dict) else items)
            for mask, one in args[0].each(machine.mask)
            for guests, items in one.store.get("items").each(mask)
        ]
        return machine.gather(groups)  # type: ignore[no-any-return]
    rows = Container(list, ())
    machine.iterate(args[0], ast.Name(id="\x00pair"), lambda: machine.append(
        rows, machine.look_up("\x00pair")))  # fmt: skip
    found: Varied = machine.gather(
        (guests, _pairs(items)) for guests, items in rows.store.get("items").each(machine.mask)
    )
    return found


def _pairs(items: Plain) -> Plain:
    if isinstance(items, Unknown):
        return items
    made = {}
    for pair in items:
        if isinstance(pair, Container) and pair.kind is list:
            groups = pair.store.get("items").groups
            pair = groups[0][1] if len(groups) == 1 else None  # noqa: PLW2901 - the list's items
        if not isinstance(pair, tuple) or len(pair) != 2:
            return Unknown(tainted=True)
        try:
            made[pair[0]] = pair[1]
        except TypeError:
            return Unknown(tainted=True)
    return Container(dict, made)


def _dictionary(machine: Any, named: _Named) -> Varied:
    combined = machine.combine(tuple(named.values()))
    if combined is None:
        return unknown(tainted=True)
    found: Varied = machine.gather(
        (mask, Container(dict, dict(zip(named, values, strict=True)))) for mask, values in combined
    )
    return found


def _quantified(*, wanted: bool) -> _Run:
    """Return ``any`` (which looks for a true element) or ``all`` (for a false one)."""

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        groups: list[tuple[int, Plain]] = []
        for mask, items in machine.elements(args[0]):
            if isinstance(items, Unknown):
                groups.append((mask, items))
                continue
            found = doubt = tainted = 0
            for one in items:
                true, false, unsure = machine.truth(Varied.of(one))
                hits, misses = (true, false) if wanted else (false, true)
                found |= mask & hits & ~misses
                doubt |= mask & hits & misses
                tainted |= mask & unsure
            doubt &= ~found
            groups += [(found, wanted), (mask & ~found & ~doubt, not wanted)]
            groups.append((doubt & tainted, Unknown(tainted=True)))
            groups.append((doubt & ~tainted, Unknown(tainted=False)))
        return machine.gather(groups)  # type: ignore[no-any-return]

    return run


def _ordered(chosen: Callable[..., Any]) -> _Run:
    """Return ``sorted``, ``max`` or ``min``: *chosen* gets the items and their keys."""

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        def choose(*given: Any) -> Any:
            try:
                return chosen(*given)
            except TypeError:
                if not machine.of_python and may_be_2(machine):
                    raise Unmodelled from None  # it has an order of unlike things
                raise

        key = named.get("key")
        if key is not None and all(one is None for _, one in key.each(machine.mask)):
            key = None
        if set(named) - {"key", "reverse"} or not args:
            return unknown(tainted=machine.depends(*args, *named.values()))
        reverse = named.get("reverse", Varied.of(False))
        rows = args[0] if len(args) == 1 else machine.gather(machine.combine(args) or [])
        found: list[tuple[int, Plain]] = []
        for mask, items in list(machine.elements(rows)):
            if isinstance(items, Unknown):
                found.append((mask, items))
                continue
            keys = []
            for one in items:
                value = Varied.of(one)
                if key is not None:
                    value = machine.under(mask, lambda v=value: machine.call(key, (v,), {}))
                keys.append(value)
            found += machine.under(
                mask,
                lambda items=items, keys=keys: machine.lift(
                    lambda backwards, *plain: choose(items, plain, backwards), reverse, *keys
                ),
            ).groups
        return machine.gather(found)  # type: ignore[no-any-return]

    return run


def _sort(items: Sequence[Plain], keys: Sequence[Any], backwards: bool) -> Any:
    order = sorted(range(len(items)), key=lambda at: keys[at], reverse=backwards)
    return [items[at] for at in order]


def _best(pick: Callable[..., Any]) -> Callable[..., Any]:
    return lambda items, keys, backwards: items[pick(range(len(items)), key=lambda at: keys[at])]


def _mapped(*, keeps: bool) -> _Run:
    """Return ``map`` or ``filter``, done at once."""

    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        given = [one for value in args for _, one in value.each(machine.mask)]
        # Python 2 gives a text for a text, and takes None as the function.
        if len(args) != 2 or (
            (may_be_2(machine) and not machine.of_python)
            and (None in given[:1] or (keeps and any(isinstance(x, str | tuple) for x in given)))
        ):
            return unknown(tainted=machine.depends(*args))
        rows = Container(list, ())

        def each() -> None:
            element = machine.look_up("\x00element")
            value = machine.call(args[0], (element,), {})
            if not keeps:
                machine.append(rows, value)
                return
            here = machine.mask
            true, false, _ = machine.truth(value)
            if true & false:
                machine.write(rows.store, "items", unknown(tainted=True), true & false)
            machine.mask = true & here & ~false
            machine.append(rows, element)
            machine.mask = here

        element = ast.Name(id="\x00element")
        sources = machine.done_late(lambda: machine.iterate(args[1], element, each), rows.store)
        kind = filter if keeps else map
        return as_iterator(machine, kind, Varied.of(rows), sources, listed=True)

    return run


# Attributes by name --------------------------------------------------------------------------


def _by_name(machine: Any, args: _Args, run: Callable[[str], Varied]) -> Varied:
    def one(name: Plain) -> Varied:
        if isinstance(name, str):
            return run(name)
        machine.note("dynamic")
        return unknown(tainted=True)

    found: Varied = machine.dispatch(args[1], one)
    return found


def _callable(machine: Any, args: _Args, named: _Named) -> Varied:
    groups = [
        (mask, isinstance(one, Native | FunctionObject | ClassObject | BoundMethod)
         if not isinstance(one, Unknown | External) else Unknown(tainted=False))
        for mask, one in args[0].each(machine.mask)
    ]  # fmt: skip
    return machine.gather(groups)  # type: ignore[no-any-return]


def _getattr(machine: Any, args: _Args, named: _Named) -> Varied:
    missing = args[2] if len(args) > 2 else None
    return _by_name(machine, args, lambda name: machine.attribute(args[0], name, missing))


def _hasattr(machine: Any, args: _Args, named: _Named) -> Varied:
    absent = object()

    def has(name: str) -> Varied:
        found = machine.attribute(args[0], name, Varied.of(absent))
        return machine.gather(  # type: ignore[no-any-return]
            (mask, Unknown(tainted=value.tainted) if isinstance(value, Unknown | External)
             else value is not absent)
            for mask, value in found.groups
        )  # fmt: skip

    return _by_name(machine, args, has)


def _setattr(machine: Any, args: _Args, named: _Named) -> Varied:
    def assign(name: str) -> Varied:
        machine.set_attribute(args[0], name, args[2])
        return NONE

    return _by_name(machine, args, assign)


def _super(machine: Any, args: _Args, named: _Named) -> Varied:
    def after(instance: Plain) -> Varied:
        cls = instance.cls if isinstance(instance, InstanceObject) else instance
        start = machine.defining
        if args:
            start = next((one for _, one in args[0].each(machine.mask)), None)
        if not isinstance(cls, ClassObject) or start not in cls.order():
            return unknown(tainted=True)
        order = cls.order()
        return Varied.of(SuperObject(tuple(order[order.index(start) + 1 :]), instance))

    owner = args[1] if len(args) > 1 else machine.frames[-1].first
    found: Varied = machine.dispatch(owner, after)
    return found


def _wrapping(kind: str) -> _Run:
    return lambda machine, args, named: Varied.of(Wrapped(kind, args[0]))


def _globals(machine: Any, args: _Args, named: _Named) -> Varied:
    return Varied.of(NamesOf(machine.frames[-1].module.store))


def _locals(machine: Any, args: _Args, named: _Named) -> Varied:
    if args:

        def names(one: Plain) -> Varied:
            if isinstance(one, InstanceObject | ClassObject) or (
                isinstance(one, ModuleObject) and not one.is_external
            ):
                return Varied.of(NamesOf(one.store))
            if not isinstance(one, Unknown):
                machine.note("dynamic")
            return unknown(tainted=True)

        return machine.dispatch(args[0], names)  # type: ignore[no-any-return]
    return Varied.of(NamesOf(machine.frames[-1].local))


def _exec(machine: Any, args: _Args, named: _Named) -> Varied:
    """Execute a text that stands in the source; any other is a use that is not understood."""
    texts = [one for _, one in args[0].each(machine.mask)] if args else []
    if len(args) == 1 and len(texts) == 1 and isinstance(texts[0], str) and len(texts[0]) < 65536:
        try:
            body = ast.parse(texts[0]).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            body = None
        if body is not None:
            line = machine.line
            for statement in body:
                for node in ast.walk(statement):
                    if hasattr(node, "lineno"):
                        node.lineno = line
            machine.execute(body)
            return NONE
    machine.note("dynamic")
    return unknown(tainted=True)


def _eval(machine: Any, args: _Args, named: _Named) -> Varied:
    machine.note("dynamic")
    return unknown(tainted=True)


def _exit(machine: Any, args: _Args, named: _Named) -> Varied:
    machine.throw_with("SystemExit", args[0] if args else NONE)
    return NOTHING


def _import(machine: Any, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.dispatch(args[0], machine.import_by_name)
    return found


def _next(machine: Any, args: _Args, named: _Named) -> Varied:
    groups: list[tuple[int, Plain]] = []
    for mask, one in args[0].each(machine.mask) if args else ():
        if isinstance(one, str | tuple | range | int | bytes | None) or (
            isinstance(one, Container) and not isinstance(one, View)
        ):
            machine.throw_named("TypeError", mask, "is not an iterator")
    for mask, items in machine.elements(args[0]):
        if isinstance(items, Unknown):
            groups.append((mask, items))
        elif items:
            groups.append((mask, items[0]))
        elif len(args) > 1:
            groups += args[1].within(mask).groups
        else:
            machine.throw_named("StopIteration", mask)
    # What comes after the first is not followed.
    for _, one in args[0].each(machine.mask):
        if isinstance(one, Container | FileObject):
            machine.expose(Varied.of(one), inner=True)
            rest = unknown(tainted=machine.depends(args[0]))
            machine.write(one.store, "items" if isinstance(one, Container) else "lines", rest)
    return machine.gather(groups)  # type: ignore[no-any-return]


def _zip(machine: Any, args: _Args, named: _Named) -> Varied:
    if named:
        # strict= raises on some Pythons by the lengths, and on all older ones.
        machine.perhaps()
        return unknown(tainted=machine.depends(*args, *named.values()))
    found: Varied = machine.lift(
        lambda *rows: [tuple(row) for row in zip(*rows, strict=False)], *map(machine.in_a_row, args)
    )
    return as_iterator(machine, zip, found, machine.sources_of(*args), listed=True)


def _enumerated(*args: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in enumerate(*args)]


def _iterated(kind: type, listed: Callable[..., Any]) -> _Run:
    def run(machine: Any, args: _Args, named: _Named) -> Varied:
        if named:
            return unknown(tainted=machine.depends(*args, *named.values()))
        rows = (machine.in_a_row(args[0]), *args[1:]) if args else ()
        found = machine.lift(listed, *rows)
        return as_iterator(machine, kind, found, machine.sources_of(*args[:1]))

    return run


def _length(machine: Any, args: _Args, named: _Named) -> Varied:
    for mask, one in args[0].each(machine.mask) if args else ():
        if isinstance(one, OneWay) and one.kind in (map, filter, zip) and not machine.of_python:
            return unknown(tainted=True)
        if isinstance(one, View) and one.is_lazy:
            machine.throw_named("TypeError", mask, "has no len()")
    found: Varied = machine.lift(len, *args)
    return found


def _told(machine: Any, args: _Args, named: _Named) -> Varied:
    for one in args:
        machine.as_text(one)
    for one in named.values():
        machine.stain(*_origin(machine, one), *args)
    return NONE


def _origin(machine: Any, value: Varied) -> tuple[str]:
    """Return the origin of a value that is not known; of a file to which something is told."""
    return (next((one.origin for _, one in value.each(machine.mask)
                  if isinstance(one, Unknown)), ""),)  # fmt: skip


def _iter(machine: Any, args: _Args, named: _Named) -> Varied:
    if len(args) != 1:
        machine.note("loop")
        return unknown(tainted=True)
    found = _converted(list)(machine, args, named)
    return as_iterator(machine, type(iter(())), found, machine.sources_of(*args))


_RUNS: dict[str, _Run] = {
    "abs": _pure(abs), "all": _quantified(wanted=False), "any": _quantified(wanted=True),
    "bool": _pure(bool), "bytes": _bytes, "callable": _callable, "chr": _pure(chr),
    "classmethod": _wrapping("classmethod"), "dict": made_dictionary, "divmod": _pure(divmod),
    "enumerate": _iterated(enumerate, _enumerated), "eval": _eval,
    "exec": _exec, "execfile": _eval, "compile": _eval, "exit": _exit, "quit": _exit,
    "file": opening.opened, "filter": _mapped(keeps=True), "float": _pure(float),
    "format": _pure(_bounded_format), "frozenset": _frozen, "getattr": _getattr,
    "globals": _globals, "hasattr": _hasattr, "int": _pure(int), "isinstance": is_instance,
    "issubclass": lambda m, a, n: unknown(tainted=m.depends(*a)),
    "iter": _iter, "len": _length, "list": _converted(list), "locals": _locals,
    "long": _pure(int), "map": _mapped(keeps=False), "max": _ordered(_best(max)),
    "min": _ordered(_best(min)), "next": _next,
    "object": lambda m, a, n: unknown(tainted=False, origin="object()"),
    "open": opening.opened, "ord": _pure(ord), "print": _told, "property": _wrapping("property"),
    "range": _range, "repr": _pure(_shown),
    "reversed": _iterated(reversed, lambda items: list(reversed(items))), "round": _round,
    "set": _converted(set), "setattr": _setattr, "sorted": _ordered(_sort),
    "staticmethod": _wrapping("staticmethod"), "str": _text, "sum": _pure(sum), "super": _super,
    "tuple": _converted(tuple), "unicode": _text, "vars": _locals, "xrange": _pure(_bounded_range),
    "zip": _zip, "__import__": _import,
}  # fmt: skip

#: Python's own functions by name.
BUILT_IN: dict[str, Varied] = {name: Varied.of(Native(name, run)) for name, run in _RUNS.items()}
BUILT_IN["type"] = Varied.of(External("type"))
BUILT_IN["NotImplemented"] = BUILT_IN["Ellipsis"] = unknown(tainted=False)
BUILT_IN["__debug__"] = Varied.of(True)
for _name in ("input", "raw_input", "id", "hash", "dir", "delattr", "bytearray", "memoryview",
              "complex", "hex", "oct", "bin", "slice", "basestring", "buffer", "cmp", "coerce",
              "intern", "reduce", "reload", "unichr", "apply", "ascii", "breakpoint", "help",
              "copyright", "credits", "license", "aiter", "anext"):  # fmt: skip
    BUILT_IN.setdefault(_name, Varied.of(External(_name)))
BUILT_IN["basestring"] = Varied.of(Native("basestring", _text))
