# SPDX-License-Identifier: Apache-2.0
"""Statements: what an execution does, one after the other."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from ngtpatch.installer.execution.frames import Frame, Loop
from ngtpatch.installer.execution.in_place import change_in_place, is_changed_in_place
from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.objects import (
    ClassObject,
    Container,
    External,
    FileObject,
    FunctionObject,
    InstanceObject,
    NameStore,
    Native,
    Wrapped,
    now,
)
from ngtpatch.installer.execution.trying import Trying
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, met
from ngtpatch.installer.execution.watching import member
from ngtpatch.installer.scopes import only_logs

__all__ = ["Statements"]

_MAX_ROUNDS = 5_000
_UNSURE_ROUNDS = 2
# What a class says so is asked where nobody writes it down.
_OF_AN_ENUM = frozenset({"__module__", "__doc__", "__str__", "__repr__"})
_STRANGE = frozenset({
    "__class_getitem__", "__del__", "__delattr__", "__get__", "__getattribute__",
    "__init_subclass__", "__instancecheck__", "__mro_entries__", "__prepare__", "__set__",
    "__set_name__", "__subclasscheck__", "__subclasshook__",
})  # fmt: skip


class Statements(Trying):
    """Executes statements."""

    def execute(self, body: Sequence[ast.stmt]) -> None:
        """Execute *body* on the guests that are here, as far as they come."""
        for statement in body:
            if not self.mask:
                return
            self.spend()
            self.line = statement.lineno
            if self.watch is not None:
                self.watch.come(self.spot, self.mask)
                if self.watch.trail is not None:
                    self.watch.trail.come(self, statement)
            name = type(statement).__name__.lower()
            getattr(self, f"_do_{name}", self._do_unmodelled)(statement)

    def _do_unmodelled(self, node: ast.stmt) -> None:
        self.note("dynamic")

    def _do_pass(self, node: ast.Pass) -> None:
        """Nothing happens."""

    def _do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.evaluate(node.value)

    # Binding -------------------------------------------------------------------------------

    def _do_assign(self, node: ast.Assign) -> None:
        value = self.evaluate(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value))

    def _do_augassign(self, node: ast.AugAssign) -> None:
        target = node.target
        owner = index = NOTHING
        if isinstance(target, ast.Attribute):
            owner = self.evaluate(target.value)
            old = self.attribute(owner, target.attr)
        elif isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            owner, index = self.evaluate(target.value), self.evaluate(target.slice)
            old = self.item(owner, index)
        else:
            old = self.evaluate(ast.copy_location(_loaded(target), node))
        more = self.evaluate(node.value)

        def operate(one: Plain) -> Varied:
            if is_changed_in_place(one):
                change_in_place(self, one, node.op, more)
                return Varied.of(one)
            return self.operated(Varied.of(one), node.op, more)

        if any(is_changed_in_place(one) for _, one in old.each(self.mask)):
            value = self.dispatch(old, operate)
        else:
            value = self.operated(old, node.op, more)
        if any(isinstance(one, Unknown) for _, one in old.each(self.mask)) and not all(
            isinstance(one, str | int | float) for _, one in more.each(self.mask)
        ):
            self.expose(more)
            self.act()  # it may be a list that others have
        if isinstance(target, ast.Attribute):
            self.set_attribute(owner, target.attr, value)
        elif isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            self.set_item(owner, index, value)
        else:
            self.assign(target, value)

    def assign(self, target: ast.expr, value: Varied) -> None:
        """Bind what stands left of ``=``."""
        match target:
            case ast.Name():
                self.bind(target.id, value)
            case ast.Attribute():
                self.set_attribute(self.evaluate(target.value), target.attr, value)
            case ast.Subscript():
                if isinstance(target.slice, ast.Slice):
                    self.note("dynamic")
                    return
                self.set_item(self.evaluate(target.value), self.evaluate(target.slice), value)
            case ast.Tuple() | ast.List():
                self._unpack(target.elts, value)
            case ast.Starred():
                self.assign(target.value, value)

    def _unpack(self, targets: Sequence[ast.expr], value: Varied) -> None:
        star = next((at for at, one in enumerate(targets) if isinstance(one, ast.Starred)), None)
        columns: list[list[tuple[int, Plain]]] = [[] for _ in targets]
        for mask, items in list(self.elements(value)):
            if isinstance(items, Unknown):
                self.perhaps()
                for column in columns:
                    column.append((mask, Unknown(items.tainted)))
                continue
            fits = len(items) == len(targets) if star is None else len(items) >= len(targets) - 1
            if not fits:
                self.throw_named("ValueError", mask, "unpacking")
                continue
            row = list(items)
            if star is not None:
                after = len(targets) - star - 1
                end = len(row) - after
                row = [*row[:star], self.made(list, row[star:end]), *row[end:]]
            for column, one in zip(columns, row, strict=True):
                column.append((mask, one))
        for target, column in zip(targets, columns, strict=True):
            self.assign(target, self.gather(column))

    def _do_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                frame = self.frames[-1]
                store = frame.outside.get(target.id, frame.local)
                unbound = self.mask & ~store.get(target.id).mask
                self.throw_named("NameError", unbound, target.id)
                self.write(store, target.id, NOTHING)
            else:
                self.note("dynamic")

    def _do_global(self, node: ast.Global) -> None:
        frame = self.frames[-1]
        frame.outside.update(dict.fromkeys(node.names, frame.module.store))

    def _do_nonlocal(self, node: ast.Nonlocal) -> None:
        frame = self.frames[-1]
        for name in node.names:
            holder = next((one for one in frame.closure if name in one.slots), None)
            if holder is None:
                self.note("dynamic")
            else:
                frame.outside[name] = holder

    def _do_functiondef(self, node: ast.FunctionDef) -> None:
        value = Varied.of(self.function_of(node, node.name))
        for decorator in reversed(node.decorator_list):
            value = self.call(self.evaluate(decorator), (value,), {})
        self.bind(node.name, value)

    def _do_asyncfunctiondef(self, node: ast.AsyncFunctionDef) -> None:
        self.bind(node.name, unknown(tainted=True))

    def _do_classdef(self, node: ast.ClassDef) -> None:
        frame = self.frames[-1]
        self.line = node.lineno
        bases = [self.evaluate(one) for one in node.bases]
        plain_bases = tuple(
            one for value in bases for _, one in list(value.each(self.mask))[:1]
            if not (isinstance(one, Native) and one.name == "object")
        )  # fmt: skip
        cls = ClassObject(node.name, frame.module, plain_bases)
        if node.keywords and not all(
            isinstance(one.value, ast.Attribute | ast.Name)
            and ast.unparse(one.value).endswith("ABCMeta")
            for one in node.keywords
        ):
            self.note("dynamic")
            cls.bases = (*plain_bases, External("a metaclass"))
        if any(
            isinstance(one, ClassObject) and "__init_subclass__" in one.store.slots
            for one in cls.order()
        ):
            self.note("dynamic")
        if any(isinstance(one, ClassObject) and one.error for one in cls.order()):
            cls.error = Exception
        is_function = frame.local is not frame.module.store and not frame.is_class
        closure = (frame.local, *frame.closure) if is_function else frame.closure
        name = f"{frame.function}.{node.name}".strip(".")
        inner = Frame(frame.module, name, cls.store, closure, owner=cls, is_class=True)
        self.frames.append(inner)
        try:
            self.execute(node.body)
        finally:
            self.frames.pop()
        self._make_enum(cls)
        if self._is_strange(cls):
            self.line = node.lineno
            self.note("dynamic")
        if cls.store.get("__metaclass__").mask:
            if not all(
                isinstance(one, External) and one.name in ("type", "abc.ABCMeta")
                for _, one in cls.store.get("__metaclass__").groups
            ):
                self.note("dynamic")
            cls.bases = (*cls.bases, External("a metaclass"))
        value = Varied.of(cls)
        for decorator in reversed(node.decorator_list):
            value = self.call(self.evaluate(decorator), (value,), {})
        self.bind(node.name, value)

    def _is_strange(self, cls: ClassObject) -> bool:
        """Tell whether a class or what it holds changes what a class is, or what names mean."""
        if any(isinstance(name, str) and name in _STRANGE for name in cls.store.slots):
            return True
        return any(
            isinstance(one, InstanceObject)
            and any(self.defines(one, name) for name in ("__get__", "__set__", "__set_name__"))
            for value in cls.store.slots.values()
            for _, one in value.each(self.mask)
        )

    def _make_enum(self, cls: ClassObject) -> None:
        """Make the members of an enum, where it is a plain one."""
        kinds = [one.name for one in cls.order() if isinstance(one, External)]
        if kinds != ["enum.Enum"] or len(cls.bases) > 1:
            if any(name.startswith("enum.") for name in kinds):
                self.note("dynamic")
            return
        named = [(name, value) for name, value in cls.store.slots.items() if name[:1] != "_"]
        values = {name: [one for _, one in value.groups] for name, value in named}
        plain = {name for name, found in values.items() if len(found) == 1
                 and isinstance(found[0], str | int)}  # fmt: skip
        methods = {name for name, found in values.items()
                   if all(isinstance(one, FunctionObject | Wrapped) for one in found)}  # fmt: skip
        special = {name for name in cls.store.slots if name[:1] == "_"} - _OF_AN_ENUM
        if special or len(plain) + len(methods) < len(named):
            self.note("dynamic")  # what its members are then is not followed
            return
        cls.bases = ()
        members: dict[Any, InstanceObject] = {}
        for name, value in named:
            if name not in plain:
                continue
            # Two names of one value are one member, which has the first.
            member = members.get(values[name][0])
            if member is None:
                member = members[values[name][0]] = InstanceObject(cls)
                member.store.slots.update({"value": value, "name": Varied.of(name)})
            cls.store.slots[name] = Varied.of(member)
        cls.store.slots["\x00members"] = Varied.of(tuple(members.values()))

    # Ways ----------------------------------------------------------------------------------

    def _do_if(self, node: ast.If) -> None:
        true, false, doubt = self.condition(node.test)
        self.line = node.lineno
        key = self.spot
        was_true, was_false = self.conditions.get(key, (0, 0))
        self.conditions[key] = (was_true | true & self.mask, was_false | false & self.mask)
        if self.watch is not None:
            self.watch.leave_open(key, true & false & self.mask)
        if doubt & self.mask and not (only_logs(node.body) and only_logs(node.orelse)):
            self.note("condition", doubt & self.mask)
        self.fork([
            (true, self.split(lambda: self.execute(node.body), true, false)),
            (false, self.split(lambda: self.execute(node.orelse), true, false)),
        ])  # fmt: skip

    def _do_assert(self, node: ast.Assert) -> None:
        true, false, doubt = self.condition(node.test)
        self.line = node.lineno
        self.note("condition", doubt & self.mask)
        self.fork([
            (true, _nothing),
            (false, self.split(lambda: self.throw_named("AssertionError"), true, false)),
        ])  # fmt: skip

    def _do_while(self, node: ast.While) -> None:
        frame = self.frames[-1]
        loop = Loop()
        frame.loops.append(loop)
        rounds = unsure = 0
        here = self.mask
        finished = 0

        def go_round() -> None:
            nonlocal rounds, unsure, finished
            while self.mask:
                true, false, doubt = self.condition(node.test)
                if doubt & self.mask:
                    self.line = node.lineno
                    self.note("condition", doubt & self.mask)
                rounds += 1
                if true & false & self.mask:
                    unsure += 1
                    if unsure > _UNSURE_ROUNDS:
                        finished |= self.mask
                        self.mask = 0
                        return
                    self.fork([(false, finish), (true, body_and_on)])
                    return
                finished |= self.mask & ~true
                self.mask &= true
                if rounds > _MAX_ROUNDS:
                    self.note("loop")
                    finished |= self.mask
                    self.mask = 0
                    return
                one_round()

        def finish() -> None:
            nonlocal finished
            finished |= self.mask

        def one_round() -> None:
            loop.continued = 0
            place = self.place
            self.splits.append(place)
            try:
                self.execute(node.body)
            finally:
                self.splits.pop()
            self.mask |= loop.continued

        def body_and_on() -> None:
            nonlocal finished
            one_round()
            go_round()
            # The guests that are through with it go on from here.
            self.mask |= finished & here

        go_round()
        frame.loops.pop()
        self.mask = finished
        self._go_on_after(node, loop)

    def _do_for(self, node: ast.For) -> None:
        frame = self.frames[-1]
        value = self.evaluate(node.iter)
        self.line = node.lineno
        loop = Loop()
        frame.loops.append(loop)

        def body() -> None:
            loop.continued = 0
            self.execute(node.body)
            self.mask |= loop.continued

        self.iterate(value, node.target, body)
        frame.loops.pop()
        for mask, one in value.each(self.mask):
            if isinstance(one, FileObject):
                rest = unknown(tainted=self.depends(one.store.get("lines")))
                self.write(one.store, "lines", rest, mask)
        self._go_on_after(node, loop)

    def _go_on_after(self, node: ast.For | ast.While, loop: Loop) -> None:
        """Go on with who came through a loop, and with who left it."""
        self.execute(node.orelse)
        self.mask |= loop.broken
        self.weigh()

    def iterate(
        self,
        value: Varied,
        target: ast.expr,
        body: Callable[[], None],
        *,
        unsure: list[bool] | None = None,
    ) -> None:
        """Execute *body* for each element, on the guests that have so many."""
        rows = list(self.elements(value))
        known: list[tuple[int, Sequence[Plain]]] = []
        seen = twice = 0
        for mask, _ in rows:
            twice |= seen & mask
            seen |= mask
        vague = 0
        for mask, items in rows:
            if isinstance(items, Unknown):
                vague |= mask
                if items.tainted:
                    self.note("loop", mask)
            else:
                known.append((mask & ~twice, items))
        if vague:
            self.tell_apart(self.gather((m, one) for m, one in rows if isinstance(one, Unknown)))
        vague |= twice
        done = self.mask & ~seen
        running = self.mask & ~vague
        held = self._held(value)
        of_texts = any(_may_have_texts(one) for _, items in known for one in items)
        texts = self._members_of(known) if of_texts else frozenset()
        counted = (*self.spot, max((len(items) for _, items in known), default=0))
        at = 0
        while running:
            current = [(mask & running, items[at]) for mask, items in known if at < len(items)]
            active = 0
            for mask, _ in current:
                active |= mask
            done |= running & ~active
            self.mask = active
            if not active:
                break
            self.assign(target, self.gather(current))
            self._round(body, texts if of_texts else counted)
            self._note_changed(held)
            running = self.mask
            at += 1
            if at > _MAX_ROUNDS:
                self.note("loop")
                done |= running
                break
        if vague:
            if unsure is not None:
                unsure[0] = True
            done |= self._iterate_vaguely(value, target, body, vague)
        self.mask = done

    def _members_of(self, known: Sequence[tuple[int, Sequence[Plain]]]) -> frozenset[str]:
        """Return what a loop goes through, and the parts of it, if somebody follows the guests."""
        if self.watch is None or self.watch.trail is None:
            return frozenset()
        items = [one for _, row in known for one in row]
        parts = [part for one in items if isinstance(one, tuple) for part in one]
        return frozenset(map(member, (*items, *parts)))

    def _round(
        self, body: Callable[[], None], which: frozenset[str] | tuple[str, int, int]
    ) -> None:
        """Execute one round of a loop: over these texts, or the one there with so many rounds."""
        if isinstance(which, frozenset):
            self.rounds.append(which)
            body()
            self.rounds.pop()
        else:
            self.counted.append(which)
            body()
            self.counted.pop()

    def _held(self, value: Varied) -> list[tuple[NameStore, Varied]]:
        """Return the containers that are iterated over with what is in each."""
        return [(store, store.get("items").within(self.mask)) for store in self.sources_of(value)]

    def _note_changed(self, held: list[tuple[NameStore, Varied]]) -> None:
        """Note where a container is changed while it is iterated over, and goes on."""
        for at, (store, before) in enumerate(held):
            now = store.get("items")
            if now is before:
                continue
            for mask, old, new in met(before.each(self.mask), now.each(self.mask)):
                same_keys = isinstance(old, dict) and isinstance(new, dict) and [*old] == [*new]
                if old is not new and not same_keys:
                    self.note("loop", mask)
            held[at] = (store, now)

    def _iterate_vaguely(
        self, value: Varied, target: ast.expr, body: Callable[[], None], vague: int
    ) -> int:
        self.mask = vague
        self.perhaps()
        origin = "|".join(
            {one.origin for _, one in value.each(vague) if isinstance(one, Unknown)} - {""}
        )
        element = unknown(tainted=value.within(vague).depends(vague), origin=origin)
        for _ in range(_UNSURE_ROUNDS):

            def once() -> None:
                self.assign(target, element)
                self._round(body, frozenset())

            self.fork([(self.mask, _nothing), (self.mask, once)])
        return self.mask

    def _do_break(self, node: ast.Break) -> None:
        loop = self.frames[-1].loops[-1]
        loop.broken |= self.mask
        loop.when = now()
        self.mask = 0

    def _do_continue(self, node: ast.Continue) -> None:
        loop = self.frames[-1].loops[-1]
        loop.continued |= self.mask
        loop.when = now()
        self.mask = 0

    def _do_return(self, node: ast.Return) -> None:
        value = self.evaluate(node.value) if node.value is not None else NONE
        frame = self.frames[-1]
        frame.returned += value.within(self.mask).groups
        frame.left |= self.mask
        frame.left_this_way |= self.mask
        frame.when = now()
        self.mask = 0

    # Imports -------------------------------------------------------------------------------

    def _do_import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = self.import_module(alias.name, 0)
            if not self.mask:
                return
            if alias.asname:
                self.bind(alias.asname, module)
            else:
                first = alias.name.partition(".")[0]
                self.bind(first, self.import_module(first, 0) if "." in alias.name else module)

    def _do_importfrom(self, node: ast.ImportFrom) -> None:
        module = self.import_module(node.module or "", node.level)
        for alias in node.names:
            if not self.mask:
                return
            if alias.name == "*":
                self.import_all(module)
                continue
            value = self.imported_name(module, node.module or "", node.level, alias.name)
            self.bind(alias.asname or alias.name, value)

    def import_module(self, name: str, level: int) -> Varied:
        """Return a module. Raises ImportError on the guests that have none of this name."""
        raise NotImplementedError

    def imported_name(self, module: Varied, name: str, level: int, wanted: str) -> Varied:
        """Return what ``from module import wanted`` gives."""
        raise NotImplementedError

    def import_all(self, module: Varied) -> None:
        """Bind every public name of a module here."""
        raise NotImplementedError


def _loaded(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name():
            return ast.Name(id=target.id, ctx=ast.Load())
        case ast.Subscript():
            return ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load())
    return target


def _nothing() -> None:
    """Go on."""


def _may_have_texts(value: Plain) -> bool:
    """Tell whether an element of what is gone through may have a text in it."""
    if isinstance(value, tuple):
        return any(map(_may_have_texts, value))
    return isinstance(value, str | bytes | frozenset | Container | Unknown)
