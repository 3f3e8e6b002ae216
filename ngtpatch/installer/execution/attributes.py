# SPDX-License-Identifier: Apache-2.0
"""Attributes and items: of modules, classes, objects, texts and containers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution import container_methods
from ngtpatch.installer.execution.atom_methods import LooseVersion, of_atom
from ngtpatch.installer.execution.either_python import (
    ONLY_2_HAS,
    ONLY_3_HAS,
    by_python,
    is_asked_of_python,
)
from ngtpatch.installer.execution.lifting import NONE, Values, unknown
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    Defaulting,
    External,
    FileObject,
    FunctionObject,
    InstanceObject,
    ModuleObject,
    NameStore,
    Native,
    OneWay,
    ReadOnly,
    SuperObject,
    View,
    Wrapped,
)
from ngtpatch.installer.execution.of_types import of_type
from ngtpatch.installer.execution.python_names import OF_PYTHON, is_known, is_of_some, lacks
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, is_vague, met

__all__ = ["Attributes"]

# Methods of dictionaries that Python 3 has not, and what is as good.
_OF_PYTHON_2 = {
    "has_key": "__contains__",
    "iteritems": "items",
    "iterkeys": "keys",
    "itervalues": "values",
}
_OF_PYTHON_2_TEXTS = frozenset({"decode", "message"})
_DESCRIBED = (str, int, tuple, bytes, float, re.Pattern, re.Match, LooseVersion)


class Attributes(Values):
    """Looks up and sets attributes and items."""

    def call(
        self, function: Varied, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Call *function*."""
        raise NotImplementedError

    def attribute(self, owner: Varied, name: str, missing: Varied | None = None) -> Varied:
        """Return an attribute.

        Where there is none, *missing*; without it AttributeError is raised there.
        """
        return self.dispatch(owner, lambda one: self._attribute_of(one, name, missing))

    def _attribute_of(self, owner: Plain, name: str, missing: Varied | None) -> Varied:
        if _INSIDE.match(name) and isinstance(owner, FunctionObject | BoundMethod | OneWay):
            self.note("dynamic")
        found = self._found(owner, name)
        if self.of_python and isinstance(owner, External | ModuleObject):
            found = self._on_python(owner, name, found, missing)
        if missing is not None and not self.of_python:
            found = self._if_python_has(owner, name, found, missing)
        absent = self.mask & ~found.mask
        if absent and _is_pythons(owner, name):
            vague = unknown(tainted=True).within(absent)
            return self.gather((*found.groups, *vague.groups))
        if absent and not self._is_closed(owner):
            open_end = unknown(tainted=False).within(absent)
            return self.gather((*found.groups, *open_end.groups))
        if absent and missing is not None:
            return self.gather((*found.groups, *missing.within(absent).groups))
        if absent:
            self.throw_named("AttributeError", absent, f"no attribute {name!r}")
        return found

    def _if_python_has(self, owner: Plain, name: str, found: Varied, missing: Varied) -> Varied:
        """Return an attribute that is asked for: it or *missing* where not every Python has it."""
        if isinstance(owner, ModuleObject | External):
            full = f"{owner.name}.{name}"
            if isinstance(owner, ModuleObject) and not owner.is_external:
                return found
            return self.gather((*found.groups, *missing.groups)) if is_known(full) else found
        if not isinstance(owner, (Container, *_DESCRIBED)) or not is_asked_of_python(name):
            return found
        if name.startswith("__"):
            return unknown(tainted=True).within(self.mask)
        had = found.mask & self.mask or hasattr(owner, name)
        two, three = name not in ONLY_3_HAS and had, name not in ONLY_2_HAS and had
        return by_python(self, found if two else missing, found if three else missing)

    def _on_python(
        self, owner: External | ModuleObject, name: str, found: Varied, missing: Varied | None
    ) -> Varied:
        """Return an attribute of one of Python's own modules where the guest's Python has it."""
        if isinstance(owner, ModuleObject) and not owner.is_external:
            return found
        full = f"{owner.name}.{name}"
        own = owner.store if isinstance(owner, ModuleObject) else self.external_store
        bound = own.get(name if isinstance(owner, ModuleObject) else full).mask
        asked = missing is not None
        lacking = self.mask & ~bound & self.where(
            lambda world: world.python is not None and lacks(full, world.python, asked=asked)
        )  # fmt: skip
        if lacking and missing is None:
            self.throw_named("AttributeError", lacking, full)
            return found.within(~lacking)
        if lacking and missing is not None:
            found = self.gather((*found.within(~lacking).groups, *missing.within(lacking).groups))
        if OF_PYTHON.match(full) or is_of_some(full):
            found = self.gather(
                (mask, External(one.name, tainted=True) if isinstance(one, External) else one)
                for mask, one in found.groups
            )
        return found

    def _is_closed(self, owner: Plain) -> bool:
        """Tell whether what *owner* has is known in full."""
        match owner:
            case InstanceObject():
                return not owner.cls.is_open and not self.defines(owner, "__getattr__")
            case ClassObject():
                return not owner.is_open
            case SuperObject():
                return all(isinstance(one, ClassObject) for one in owner.after)
            case Unknown() | External() | FunctionObject() | Native() | FileObject():
                return False
            case BoundMethod() | Wrapped():
                return False
        return True

    def _found(  # noqa: PLR0911, PLR0912 - one a kind of owner
        self, owner: Plain, name: str
    ) -> Varied:
        match owner:
            case InstanceObject():
                return self._of_instance(owner, name)
            case ClassObject():
                return self._of_class(owner, name)
            case ModuleObject():
                return self._of_module(owner, name)
            case Unknown():
                self.perhaps()
                return self._of_external(owner.origin or "?", owner.tainted, name)
            case External():
                return self._of_external(owner.name, owner.tainted, name)
            case Native(name="object") if name == "__new__":
                return Varied.of(Native("object.__new__", _new_object))
            case Native():
                return of_type(owner.name, name)
            case SuperObject():
                return self._of_super(owner, name)
            case Wrapped() if name in ("setter", "getter", "deleter"):
                again = Native(f"property.{name}", lambda machine, args, named: Varied.of(owner))
                return Varied.of(again)
            case FunctionObject():
                own = owner.store.get(name).within(self.mask)
                if name == "__name__" and not own.mask:
                    return Varied.of(owner.name.rpartition(".")[2])
                return own
            case Container() if name in _OF_PYTHON_2:
                modern = container_methods.of_object(owner, _OF_PYTHON_2[name])
                return modern.within(self.where(lambda world: (world.python or (2,)) < (3,)))
            case Container() | FileObject():
                return container_methods.of_object(owner, name)
        if isinstance(owner, _DESCRIBED):
            return of_atom(owner, name)
        return NOTHING

    def _of_external(self, owner: str, tainted: bool, name: str) -> Varied:
        full = f"{owner}.{name}"
        own = self.external_store.get(full).within(self.mask)
        tainted = tainted or self.is_stained(full)
        rest = [
            (
                mask & ~own.mask,
                External(full, tainted) if tainted or not told else Unknown(False, full + told),
            )
            for mask, told in self.touched(full)
        ]
        return self.gather((*own.groups, *rest))

    def _of_module(self, owner: ModuleObject, name: str) -> Varied:
        own = owner.store.get(name).within(self.mask)
        absent = self.mask & ~own.mask
        if not absent:
            return own
        model = self.of_model(owner, name).within(absent)
        return self.gather((*own.groups, *model.groups))

    def of_model(self, owner: ModuleObject, name: str) -> Varied:
        """Return what a modelled module has under *name*, or a submodule of the tree."""
        raise NotImplementedError

    # Classes -------------------------------------------------------------------------------

    def from_class(self, cls: ClassObject, name: str) -> Varied:
        """Return what a class or its bases have under *name*."""
        groups: list[tuple[int, Plain]] = []
        missing = self.mask
        for one in cls.order():
            if not isinstance(one, ClassObject):
                break
            found = one.store.get(name).within(missing)
            groups += found.groups
            missing &= ~found.mask
        return self.gather(groups)

    def defines(self, owner: Plain, name: str) -> bool:
        """Tell whether the class of an object has *name*."""
        return isinstance(owner, InstanceObject) and bool(
            self.from_class(owner.cls, name).mask & self.mask
        )

    def _of_class(self, owner: ClassObject, name: str) -> Varied:
        if name == "__name__":
            return Varied.of(owner.name)
        if name in ("__subclasses__", "register"):
            self.note("dynamic")
            return unknown(tainted=True)
        return self.dispatch(
            self.from_class(owner, name), lambda one: self._bound(one, None, owner)
        )

    def _of_instance(self, owner: InstanceObject, name: str) -> Varied:
        if name == "__class__":
            return Varied.of(owner.cls)
        if name == "__dict__":
            return Varied.of(container_methods.NamesOf(owner.store))
        if self.defines(owner, "__getattribute__"):
            self.note("dynamic")
            return unknown(tainted=True)
        own = owner.store.get(name).within(self.mask)
        absent = self.mask & ~own.mask
        if not absent:
            return own
        inherited = self.from_class(owner.cls, name).within(absent)
        found = self.dispatch(inherited, lambda one: self._bound(one, owner, owner.cls))
        absent &= ~inherited.mask
        if absent and self.defines(owner, "__getattr__"):
            getter = self.from_class(owner.cls, "__getattr__")
            bound = self.dispatch(getter, lambda one: self._bound(one, owner, owner.cls))
            called = self.under(absent, lambda: self.call(bound, (Varied.of(name),), {}))
            return self.gather((*own.groups, *found.groups, *called.groups))
        return self.gather((*own.groups, *found.groups))

    def _of_super(self, owner: SuperObject, name: str) -> Varied:
        is_object = isinstance(owner.instance, InstanceObject)
        cls = owner.instance.cls if is_object else owner.instance
        instance = owner.instance if is_object else None
        for one in owner.after:
            if not isinstance(one, ClassObject):
                break
            found = one.store.get(name).within(self.mask)
            if found.mask:
                return self.dispatch(found, lambda each: self._bound(each, instance, cls))
        if name == "__init__":
            return Varied.of(Native("object.__init__", lambda machine, args, named: NONE))
        if name == "__new__":
            return Varied.of(Native("object.__new__", _new_object))
        return NOTHING

    def _bound(self, value: Plain, instance: InstanceObject | None, cls: ClassObject) -> Varied:
        match value:
            case FunctionObject() | Native() if instance is not None:
                return Varied.of(BoundMethod(value, instance))
            case Wrapped(kind="staticmethod"):
                return value.function
            case Wrapped(kind="classmethod"):
                return self.dispatch(value.function, lambda one: Varied.of(BoundMethod(one, cls)))
            case Wrapped(kind="property") if instance is not None:
                before = len(self.trials[-1].thrown)
                found = self.call(value.function, (Varied.of(instance),), {})
                for one in self.trials[-1].thrown[before:]:
                    # To Python it is as if there were no such attribute.
                    kind = one.error.cls.name if isinstance(one.error, InstanceObject) else ""
                    if kind in ("AttributeError", ""):
                        self.note("dynamic", one.guests)
                return found
        return Varied.of(value)

    # Setting -------------------------------------------------------------------------------

    def set_attribute(self, owner: Varied, name: str, value: Varied) -> None:
        """Assign to an attribute."""

        def assign(one: Plain) -> Varied:
            if _is_reserved(one, name):
                self.note("dynamic")
            match one:
                case InstanceObject() if self._has_setter(one, name):
                    self.expose(value)
                    self.note("dynamic")
                case InstanceObject() | ClassObject() | ModuleObject() | FunctionObject():
                    if isinstance(one, ModuleObject) and (one.name, name) == ("sys", "path"):
                        self.change_path("assigned", (value,))
                    self.write(one.store, name, value)
                case External():
                    # What becomes of it is not followed from there on.
                    self.write(self.external_store, f"{one.name}.{name}", value)
                    self.stain(f"{one.name}.{name}", value)
                    self.hand_over(value)
                case Unknown():
                    self.write(self.external_store, f"{one.origin or '?'}.{name}", value)
                    self.stain(one.origin or "?", value)
                    self.expose(value)
                    self.act()
            if isinstance(one, ModuleObject) and one.is_external:
                self.hand_over(value)
            return NOTHING

        self.dispatch(owner, assign)

    def hand_over(self, value: Varied) -> None:
        """Let something unknown have *value*, and do what it likes with it."""
        raise NotImplementedError

    def change_path(self, how: str, args: Sequence[Varied]) -> None:
        """Note that modules are looked for in other folders from now on."""
        raise NotImplementedError

    #: What was assigned to attributes of what is not modelled, by dotted name.
    external_store: NameStore

    def _has_setter(self, owner: InstanceObject, name: str) -> bool:
        if self.defines(owner, "__setattr__"):
            return True
        return any(
            not isinstance(value, Unknown) and isinstance(value, Wrapped)
            for _, value in self.from_class(owner.cls, name).each(self.mask)
        )

    # Items ---------------------------------------------------------------------------------

    def item(self, owner: Varied, index: Varied) -> Varied:
        """Return ``owner[index]``."""
        found = self._item_of_plain(owner, index)
        if found is not None:
            return found
        return self.dispatch(owner, lambda one: self._item_of(one, index))

    def _item_of_plain(self, owner: Varied, index: Varied) -> Varied | None:
        """Return what texts, tuples and lists have at one place, all at once; else None."""
        places = index.each(self.mask)
        if len(places) != 1 or places[0][0] != self.mask or type(places[0][1]) is not int:
            return None
        at = places[0][1]
        groups: list[tuple[int, Plain]] = []
        without: list[int] = []
        for mask, one in owner.each(self.mask):
            rows = [(mask, one)]
            if type(one) is Container and one.kind is list:
                rows = list(one.store.get("items").each(mask))
            for guests, items in rows:
                if type(items) not in (str, tuple):
                    return None
                if -len(items) <= at < len(items):
                    if isinstance(items[at], Unknown):
                        return None
                    groups.append((guests, items[at]))
                else:
                    without.append(guests)
        if len(groups) + len(without) < 2:
            return None
        self.spend(len(groups) + len(without))
        for guests in without:
            self.throw_named("IndexError", guests, str(at))
        return self.gather(groups)

    def _item_of(  # noqa: PLR0911, PLR0912 - one a kind
        self, owner: Plain, index: Varied
    ) -> Varied:
        if isinstance(owner, container_methods.NamesOf):
            return container_methods.name_of(self, owner, index)
        if isinstance(owner, OneWay) and not self.of_python:
            return unknown(tainted=True)
        if isinstance(owner, View):
            self.throw_named("TypeError", None, "is not subscriptable")
            return NOTHING
        if isinstance(owner, Container):
            if self.watch is not None and owner.kind is dict:
                self.watch.meet("in", index, Varied.of(owner), self.mask, self.spot)
            self._fill(owner, index)
            groups: list[tuple[int, Plain]] = []
            for mask, items in owner.store.get("items").each(self.mask):
                groups += self._from_items(items, index.within(mask), mask).groups
            return self.gather(groups)
        if isinstance(owner, InstanceObject | ClassObject):
            method = self.attribute(Varied.of(owner), "__getitem__", missing=NOTHING)
            if method.mask & self.mask:
                return self.call(method, (index,), {})
            if isinstance(owner, ClassObject) and "\x00members" in owner.store.slots:
                return self.dispatch(
                    index, lambda name: self.attribute(Varied.of(owner), str(name))
                )
            return unknown(tainted=self.depends(index))
        if isinstance(owner, Unknown | External):
            origin = (owner.origin if isinstance(owner, Unknown) else owner.name) or "?"
            tainted = owner.tainted or self.is_stained(origin)
            if self.depends(index):
                self.note("lookup")
            self.perhaps()
            if tainted or self.depends(index):
                return unknown(tainted=True)
            return self.gather(
                (mask, Unknown(False, f"{origin}[]{told}")) for mask, told in self.touched(origin)
            )
        if isinstance(owner, tuple):
            return self._from_items(owner, index, self.mask)
        if isinstance(owner, bytes):
            return unknown(tainted=True)  # a text or a number, as the Python is
        return self.lift(lambda one, at: one[at], Varied.of(owner), index)

    def _fill(self, owner: Container, index: Varied) -> None:
        """Put into a dictionary what it makes of what it lacks, if it is such a one."""
        if not isinstance(owner, Defaulting):
            return
        lacking = 0
        for mask, items, at in met(owner.store.get("items").each(self.mask), index.each(self.mask)):
            if not isinstance(items, Unknown) and not isinstance(at, Unknown) and at not in items:
                lacking |= mask
        if lacking:
            made = self.under(lacking, lambda: self.call(owner.factory, (), {}))
            here, self.mask = self.mask, lacking & made.mask
            self._set_in(owner, index, made)
            self.mask = here

    def _from_items(self, items: Any, index: Varied, mask: int) -> Varied:
        groups: list[tuple[int, Plain]] = []
        raised: list[tuple[int, str, tuple[Plain, ...]]] = []
        kept = 0
        for guests, at in index.each(mask & self.mask):
            self.spend()
            if isinstance(items, Unknown) or is_vague(at):
                if isinstance(items, dict | tuple):
                    inner = tuple(items.values()) if isinstance(items, dict) else items
                    self.expose(Varied.of(inner))
                self.perhaps()
                self.tell_apart(index)
                tainted = self.depends(index) or (isinstance(items, Unknown) and items.tainted)
                if tainted:
                    self.note("lookup", guests)
                groups.append((guests, Unknown(tainted)))
                continue
            if isinstance(items, dict) and isinstance(at, Container):
                self.refuse_as_key(at, guests)
                continue
            try:
                groups.append((guests, items[at]))
            except (KeyError, IndexError, TypeError) as error:
                raised.append((guests, type(error).__name__, (str(at),)))
        for guests, _ in groups if raised else ():
            kept |= guests
        self.throw_some(raised, kept)
        return self.gather(groups)

    def refuse_as_key(self, key: Container, guests: int) -> None:
        """Raise TypeError where a container is asked for that can be no key."""
        if key.kind is set:
            self.note("dynamic", guests)  # a frozenset is one
        else:
            self.throw_named("TypeError", guests, "is not hashable")

    def set_item(self, owner: Varied, index: Varied, value: Varied) -> None:
        """Assign to ``owner[index]``."""

        def assign(one: Plain) -> Varied:
            match one:
                case Container() if isinstance(one, ReadOnly | View) or one.kind is set:
                    self.throw_named("TypeError", None, "does not support item assignment")
                case Container():
                    self._set_in(one, index, value)
                case InstanceObject():
                    method = self.attribute(Varied.of(one), "__setitem__", missing=NOTHING)
                    if method.mask & self.mask:
                        self.call(method, (index, value), {})
                    elif one.cls.is_open:
                        self.expose(value)
                        self.note("dynamic")
                    else:
                        self.throw_named("TypeError", None, "does not support item assignment")
                case Unknown() | External():
                    name = (one.origin if isinstance(one, Unknown) else one.name) or "?"
                    if name in ("sys.modules", "__builtins__") or name.endswith(".__dict__"):
                        self.note("dynamic")
                    if name.startswith("os.environ"):
                        self.refuse_none(value)
                        if self.watch is not None:
                            self.watch.act(self.spot, (value,), self.mask)
                    self.stain(name, index, value)
                    self.expose(value)
                    self.act()
                case ClassObject() | ModuleObject() | FunctionObject() | Native():
                    self.note("dynamic")
                case _:
                    self.throw_named("TypeError", None, "does not support item assignment")
            return NOTHING

        self.dispatch(owner, assign)

    def refuse_none(self, value: Varied) -> None:
        """Raise TypeError where *value*, which ought to be a text, is None."""
        without = [(mask, "TypeError", ()) for mask, one in value.each(self.mask) if one is None]
        kept = 0
        for mask, one in value.each(self.mask):
            kept |= 0 if one is None else mask
        self.throw_some(without, kept)

    def note_operated(self, *operands: Varied) -> None:
        """Note where an operator is what a class of the installer says."""
        raise NotImplementedError

    def _set_in(self, container: Container, index: Varied, value: Varied) -> None:
        if isinstance(container, container_methods.NamesOf):
            for mask, name in index.each(self.mask):
                if isinstance(name, str):
                    self.write(container.names, name, value, mask)
                else:
                    self.note("dynamic", mask)
            return
        for mask, at in index.each(self.mask):
            if isinstance(at, InstanceObject):
                self.note_operated(Varied(((mask, at),)))
            elif is_vague(at):
                self.expose(Varied.of(container), value, inner=True)
        contents = container.store.get("items").each(self.mask)
        places = [(mask, (items, at)) for mask, items, at in met(contents, index.each(self.mask))]
        groups = [
            (mask, _with_item(items, at, one))
            for mask, (items, at), one in met(places, value.each(self.mask))
        ]
        self.spend(1 + len(groups))
        self.spend(sum(len(one) for _, one in groups if isinstance(one, dict | tuple)) >> 6)
        self.write(container.store, "items", self.gather(groups))


# Who binds these of an object changes what it is.
_OF_OBJECTS = re.compile(r"__\w+__$|func_\w+$|im_\w+$")
# Who binds one of these changes what the language does.
_OF_THE_LANGUAGE = frozenset(
    {"builtins", "__builtin__", "__builtins__", "os", "os.path", "posixpath"}
)
# They show the inside of a function or a frame.
_INSIDE = re.compile(
    r"__(?:globals|code|closure|defaults|kwdefaults|builtins|wrapped|func|self)__$|func_\w+$|im_\w+$"
    r"|(?:f|gi|cr|tb)_\w+$"
)


def _is_pythons(owner: Plain, name: str) -> bool:
    """Tell whether Python gives an object an attribute that has no model."""
    match owner:
        case InstanceObject():
            kind = owner.cls.error or object
        case ClassObject():
            return hasattr(owner.error or type, name) or name == "register"
        case ModuleObject(is_external=False):
            return name.startswith("__")
        case Container():
            return name.startswith("__") and hasattr(owner.kind, name)
        case _:
            kind = type(owner)
            if not isinstance(owner, _DESCRIBED):
                return False
    return hasattr(kind, name) or name in _OF_PYTHON_2_TEXTS


def _is_reserved(owner: Plain, name: str) -> bool:
    """Tell whether who binds this attribute changes more than an attribute."""
    match owner:
        case ModuleObject(is_external=True) | External():
            return owner.name in _OF_THE_LANGUAGE
        case ClassObject():
            return name in ("__class__", "__bases__", "__mro__", "__dict__", "__getattribute__")
        case InstanceObject() | FunctionObject() | BoundMethod():
            return _OF_OBJECTS.match(name) is not None and name not in ("__name__", "__doc__")
    return False


def _new_object(machine: Any, args: Any, named: Any) -> Varied:
    def one(cls: Plain) -> Varied:
        if isinstance(cls, ClassObject):
            return Varied.of(InstanceObject(cls))
        return unknown(tainted=True)

    found: Varied = machine.dispatch(args[0], one) if args else unknown(tainted=True)
    return found


def _with_item(items: Any, at: Plain, one: Plain) -> Any:
    if isinstance(items, Unknown) or is_vague(at) or isinstance(at, Container):
        return Unknown(tainted=True)
    try:
        if isinstance(items, dict):
            return {**items, at: one}
        changed = list(items)
        changed[at] = one
        return tuple(changed)
    except (TypeError, IndexError):
        return Unknown(tainted=True)
