# SPDX-License-Identifier: Apache-2.0
"""What has no model: what it is given it may call, keep, change and give back.

Whatever something unknown can reach is *exposed* from then on. A container that it was given
is not known any more; a function is called as often as it likes; what these bind is not known
from then on, whoever binds it later. Where a value is not known, it may be anything that is
exposed: who changes or calls it may change or call any of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ngtpatch.installer.execution.callee_names import Said
from ngtpatch.installer.execution.container_methods import NamesOf
from ngtpatch.installer.execution.evaluation import Evaluation
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    External,
    Frozen,
    FunctionObject,
    InstanceObject,
    ModuleObject,
    NameStore,
    Native,
    ReadOnly,
    SuperObject,
    Wrapped,
    now,
)
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["Escaping", "is_an_object_s"]

_MAX_CALLS = 24
_MAX_DEPTH = 6
#: How often a function is called by something unknown, until nothing else becomes of it.
_ROUNDS = 4
# They ask what an object is, or only wrap it; what they give may be unknown, and nothing else.
_ONLY_ASKS = frozenset({
    "bool", "callable", "getattr", "hasattr", "isinstance", "issubclass", "print", "property",
    "setattr", "staticmethod", "classmethod", "super", "vars", "functools.wraps",
    "functools.lru_cache", "functools.cache", "open", "io.open", "codecs.open",
})  # fmt: skip
_ATOMS = (str, bytes, int, float, type(None), Unknown, External)


class Escaping(Evaluation):
    """Follows what gets out of sight."""

    #: By identity, what something unknown can reach.
    exposed: dict[int, Plain]
    #: How many calls by something unknown are under way.
    loosely = 0
    #: Whether something unknown may act at any time, as a thread does.
    at_any_time = False
    #: Functions that are being called because something unknown was given them.
    _calling_back: set[int]
    #: By identity of what was called so: how many changes there had been.
    _called_at: dict[tuple[int, int], int]

    # What can be reached -------------------------------------------------------------------

    def _reach(
        self, values: Sequence[Varied], found: dict[int, Plain], depth: int = _MAX_DEPTH
    ) -> dict[int, Plain]:
        """Add to *found* what can be changed or called by who has *values*."""
        for value in values:
            for mask, one in value.each(self.mask):
                if isinstance(one, _ATOMS) or id(one) in found:
                    continue
                parts = list(self._parts(one, mask))
                if not isinstance(one, tuple | Wrapped | SuperObject):
                    found[id(one)] = one
                if depth and parts:
                    self.spend(len(parts) >> 2)
                    self._reach(parts, found, depth - 1)
        return found

    def _parts(self, one: Plain, mask: int) -> Iterator[Varied]:
        match one:
            case tuple():
                yield from (Varied.of(part) for part in one if not isinstance(part, _ATOMS))
            case Container():
                for guests, items in one.store.get("items").each(mask):
                    if not isinstance(items, Unknown):
                        inner = items.values() if isinstance(items, dict) else items
                        for part in inner:
                            if not isinstance(part, _ATOMS):
                                yield Varied(((guests, part),))
            case InstanceObject():
                yield from one.store.slots.values()
            case Native():
                yield from one.holds
            case Wrapped():
                yield one.function
            case SuperObject() | BoundMethod():
                yield Varied.of(one.instance if isinstance(one, SuperObject) else one.function)

    def expose(self, *values: Varied, inner: bool = False) -> None:
        """Note that something unknown can reach *values*; *inner*: only what is in them."""
        if all(
            isinstance(one, _ATOMS) for value in values for _, one in value.each(self.mask)
        ):  # fmt: skip
            return
        found = self._reach(values, {})
        if inner:
            for value in values:
                for _, one in value.each(self.mask):
                    if isinstance(one, Container):
                        found.pop(id(one), None)
        self.exposed.update(found)
        if found and self.at_any_time:
            self._act_on(list(found.values()), unknown(tainted=True))

    # What is done to it --------------------------------------------------------------------

    def act(self, left: Varied | None = None) -> None:
        """Do to what is exposed whatever may be done to it."""
        if self.loosely:
            self.at_any_time = True
        if self.exposed:
            self._act_on(list(self.exposed.values()), left or unknown(tainted=False, origin="?"))

    def _act_on(self, reached: Sequence[Plain], left: Varied) -> None:
        """Change the containers and objects among *reached*, and call the functions."""
        for one in reached:
            match one:
                case NamesOf() | ModuleObject(is_external=False):
                    self.note("dynamic")
                case Container() if not isinstance(one, Frozen | ReadOnly):
                    if any(
                        not isinstance(items, Unknown)
                        for _, items in one.store.get("items").each(self.mask)
                    ):
                        self.write(one.store, "items", left)
                case InstanceObject():
                    self._change_names(one.store, left)
                case ClassObject(error=None):
                    self._change_names(one.store, left)
        for one in reached:
            if isinstance(one, FunctionObject | BoundMethod | ClassObject | InstanceObject):
                self._perhaps_called(one, self.mask, [])

    def _change_names(self, store: NameStore, left: Varied) -> None:
        """Change the values of an object's attributes, but its methods."""
        for name, value in list(store.slots.items()):
            if str(name).startswith("__"):
                continue
            groups = value.each(self.mask)
            if not all(isinstance(one, _METHODS) for _, one in groups):
                self.write(store, name, left)

    def call_back(self, args: Sequence[Varied]) -> list[Varied]:
        """Call the installer's functions among *args* as something unknown may, or may not.

        Return what they give.
        """
        heard: list[Varied] = []
        for value in args:
            for mask, one in value.each(self.mask):
                if isinstance(one, FunctionObject | BoundMethod):
                    self._perhaps_called(one, mask, heard)
        return heard

    def _perhaps_called(self, one: Plain, mask: int, heard: list[Varied]) -> None:
        """Call *one* as often as something unknown likes to."""
        key = (id(one), mask)
        if id(one) in self._calling_back or self._called_at.get(key) == self.writes:
            return
        if len(self.frames) >= _MAX_CALLS:
            self.note("call")
            return
        self._calling_back.add(id(one))
        self.loosely += 1
        start = now()
        try:
            for _ in range(_ROUNDS):
                if not self._called_once_more(one, mask, heard, start):
                    break
            else:
                self.note("dynamic", mask)
        finally:
            self.loosely -= 1
            self._calling_back.discard(id(one))
        # Kept, so that its identity is nobody else's.
        self._kept_alive.append(one)
        self._called_at[key] = self.writes

    _kept_alive: list[Plain]

    def _called_once_more(self, one: Plain, mask: int, heard: list[Varied], start: int) -> bool:
        """Call it once or not; tell whether something is not known since then that was before."""

        def run() -> None:
            heard.extend(self._called_with_anything(one))

        def nothing() -> None:
            """It is not called."""

        with self._journal() as journal:
            self.fork([(mask, nothing), (mask, run)])
        fresh = False
        for store, name, old in journal.values():
            if store.born < start and not str(name).startswith("\x00"):
                now = store.get(name)
                known = any(
                    not isinstance(value, Unknown)
                    for _, value in (*now.each(mask), *old.each(mask))
                )
                if known or (id(store), name) not in self.loose:
                    fresh = True
                    self.loosen(store, name, mask)
        return fresh

    def _called_with_anything(self, one: Plain) -> Iterator[Varied]:
        """Call a function, a class or the methods of an object; yield what they give."""
        match one:
            case FunctionObject():
                yield self._given_anything(Varied.of(one), one, 0)
            case BoundMethod(function=FunctionObject() as function):
                yield self._given_anything(Varied.of(one), function, 1)
            case ClassObject(error=None):
                made = self.from_class(one, "__init__")
                for _, init in made.each(self.mask):
                    if isinstance(init, FunctionObject):
                        yield self._given_anything(Varied.of(one), init, 1)
            case InstanceObject() if one.cls.error is None:
                yield from self._methods_called(one)

    def _methods_called(self, one: InstanceObject) -> Iterator[Varied]:
        seen: set[Any] = set()
        for cls in one.cls.order():
            if not isinstance(cls, ClassObject):
                continue
            for name, value in list(cls.store.slots.items()):
                if name in seen or name in ("__init__", "__new__"):
                    continue
                seen.add(name)
                for mask, method in value.each(self.mask):
                    if isinstance(method, FunctionObject):
                        bound = Varied(((mask, BoundMethod(method, one)),))
                        yield self._given_anything(bound, method, 1)

    def _given_anything(self, callee: Varied, function: FunctionObject, given: int) -> Varied:
        """Call *function* with arguments of which nothing is known, but for the first *given*."""
        if id(function.node) in self._calling_back:
            return unknown(tainted=False)
        self._calling_back.add(id(function.node))
        try:
            wanted = function.node.args
            count = len(wanted.posonlyargs) + len(wanted.args) - len(function.defaults) - given
            named = {
                name.arg: unknown(tainted=False, origin="?argument")
                for name, default in zip(wanted.kwonlyargs, function.keyword_defaults, strict=True)
                if default is None
            }
            rows = [unknown(tainted=False, origin="?argument")] * max(count, 0)
            return self.call(callee, tuple(rows), named)
        finally:
            self._calling_back.discard(id(function.node))

    # What gets there -----------------------------------------------------------------------

    def escape(self, name: str, says: Said, args: Sequence[Varied]) -> None:
        """Expose *args* to something unknown that is called *name*, and let it act."""
        if not (says.says or says.leaves):
            self.expose(*args, inner=says.yields)
            given: Sequence[Varied] = args
            if says.yields:
                given = [
                    Varied.of(one) for value in args for _, one in value.each(self.mask)
                    if isinstance(one, InstanceObject | ClassObject)
                ]  # fmt: skip
            if not (says.tells or says.reads):
                origin = f"{name or '?'}()@{self.place.path}:{self.line}"
                left = unknown(tainted=self.depends(*args), origin=origin)
                self._act_on(list(self._reach(given, {}).values()), left)
        self._act_on_bound(args)
        if is_an_object_s(name) and not (says.says or says.reads):
            self.act()

    def _act_on_bound(self, args: Sequence[Varied]) -> None:
        """Let something unknown call what is among *args*, and no function of the installer's."""
        called = [
            Varied.of(one) for value in args for _, one in value.each(self.mask)
            if isinstance(one, Native) and one.holds
        ]  # fmt: skip
        if called:
            reached = self._reach(called, {})
            self._act_on(list(reached.values()), unknown(tainted=self.depends(*called)))

    def hand_over(self, value: Varied) -> None:
        """Let something unknown have *value*, and do what it likes with it."""
        self.expose(value)
        self._act_on(list(self._reach([value], {}).values()), unknown(tainted=self.depends(value)))

    def unknown_of(self, function: Native, args: Sequence[Varied]) -> None:
        """Expose what a modelled function was given that has given something unknown.

        It may have called what it was not seen to call, and what it gives may be a part of that.
        """
        if function.name in _ONLY_ASKS:
            return
        values = (*args, *function.holds)
        if all(isinstance(one, _ATOMS) for value in values for _, one in value.each(self.mask)):
            return
        self.expose(*values, inner=True)
        self.call_back(args)
        called = [
            one for value in args for _, one in value.each(self.mask)
            if isinstance(one, InstanceObject | ClassObject | Native)
        ]  # fmt: skip
        if called:
            left = unknown(tainted=True)
            self._act_on(list(self._reach([Varied.of(one) for one in called], {}).values()), left)


_METHODS = (FunctionObject, Wrapped, ClassObject, Native, Unknown)


def is_an_object_s(name: str) -> bool:
    """Tell whether *name* is of something that was made, and not of a module."""
    return not name or "()" in name or "[]" in name or name.startswith("?")
