# SPDX-License-Identifier: Apache-2.0
"""Calls: of the installer's functions and classes, of what is modelled, and of the rest."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from types import GeneratorType

from ngtpatch.installer.execution.callee_names import ACTING, said_by
from ngtpatch.installer.execution.container_methods import as_iterator
from ngtpatch.installer.execution.disc_files import DiscFiles
from ngtpatch.installer.execution.escaping import Escaping, is_an_object_s
from ngtpatch.installer.execution.frames import Frame
from ngtpatch.installer.execution.guest_texts import asks, is_of_one
from ngtpatch.installer.execution.handed_apart import handed_apart, handed_groups
from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.measuring import note_measured
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    External,
    FunctionObject,
    InstanceObject,
    NameStore,
    Native,
    Wrapped,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, join, merged

__all__ = ["Calling"]

_MAX_CALLS = 24
_LEAVING = re.compile(r"(?:exit|abort|import_module|__import__|exec|eval|functools\.partial.*)$")


class Calling(Escaping):
    """Calls what an expression gives."""

    def call(
        self, function: Varied, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Call *function* on the guests that are here."""
        return self.dispatch(function, lambda one: self._call_one(one, args, named))

    def _trailed(self, function: Plain, args: tuple[Varied, ...]) -> None:
        if self.watch is not None and self.watch.trail is not None:
            self.watch.trail.call(self, function, args)

    def call_unknown(self, function: Varied, args: Sequence[Varied]) -> Varied:
        """Call something with arguments that are not known one by one."""
        for mask, one in function.each(self.mask):
            leaves = isinstance(one, Native) and _LEAVING.search(one.name)
            if leaves and not self.depends(function, *args):
                continue
            if self.of_python and isinstance(one, FunctionObject):
                self.under(mask, lambda one=one: self._called_with_any(one))  # type: ignore[misc]
            elif leaves or not isinstance(one, External | Native):
                self.note("call", mask)
        self.perhaps()
        return unknown(tainted=True if self.depends(*args) else self.depends(function))

    def _called_with_any(self, function: FunctionObject) -> Varied:
        """Call a function with arguments of which nothing is known."""
        wanted = function.node.args
        count = len(wanted.posonlyargs) + len(wanted.args)
        named = {one.arg: unknown(tainted=False) for one in wanted.kwonlyargs}
        return self.call_function(function, (unknown(tainted=False),) * count, named)

    def _call_one(  # noqa: PLR0911 - one a kind of callee
        self, function: Plain, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        if not self.mask:
            return NOTHING
        self._trailed(function, (*args, *named.values()))
        match function:
            case Native():
                found = function.run(self, args, named)
                if any(type(one) is Unknown for _, one in found.groups):
                    self.perhaps()
                    self.unknown_of(function, (*args, *named.values()))
                return found
            case FunctionObject():
                return self.call_function(function, args, named)
            case BoundMethod():
                owned = (Varied.of(function.owner), *args)
                return self.call(Varied.of(function.function), owned, named)
            case ClassObject():
                return self.instantiate(function, args, named)
            case InstanceObject():
                method = self.attribute(Varied.of(function), "__call__", missing=NOTHING)
                if method.mask & self.mask:
                    return self.call(method, args, named)
            case None | str() | int() | float() | tuple() | bytes() | Container():
                self.throw_named("TypeError", None, "is not callable")
                return NOTHING
        return self._call_external(function, args, named)

    def _call_external(
        self, function: Plain, args: Sequence[Varied], named: Mapping[str, Varied]
    ) -> Varied:
        """Call what is not modelled: it may do anything to what it is given."""
        name = (
            function.name if isinstance(function, External)
            else function.origin if isinstance(function, Unknown) else ""
        ) or "?"  # fmt: skip
        says = said_by(name)
        if says.ends:
            self.throw_named("SystemExit", None, 1)
            return NOTHING
        if says.looks_into:
            self.note("dynamic")
        apart = [] if self.of_python else handed_apart(name, args, named, self.mask, self.disc)
        if apart:
            self.set_apart(apart)
        args = (*args, *named.values())
        self._note_handed(name, args)
        if not (says.says or (says.reads and not name.startswith("shutil."))):
            self._may_make(name, args)
        if name.startswith("sys.path.") or name == "site.addsitedir":
            self.change_path(name.rpartition(".")[2], args)
        tainted = isinstance(function, Unknown | External) and function.tainted
        tainted = tainted or self.is_stained(name)
        depends = self.depends(*args)
        checks = says.checks or ("check" in named and bool(self.truth(named["check"])[0]))
        asks = any(self.asks(value) for value in args)
        asks = asks or (name == "type" and self.of_python)
        ends = checks or not says.tells
        # Who calls a function that nobody calls is not known; what that is given is no gate.
        shows = not (says.says or name.startswith("?alone")) and any(
            is_of_one(self, value) for value in args
        )
        acts = depends and not self.of_python and ACTING.match(name) is not None
        groups = self._groups_of(args, ends=ends) if acts else None
        vague = depends and groups is None
        noted = ((tainted or vague or asks) and ends) or (shows and checks)
        if noted:
            self.note("call")
        if ends:
            self.reach(name)
        for value in args if self.watch is not None and not says.tells else ():
            if self.watch is not None and not self.depends(value):
                self.watch.hand(value, self.mask)
        if not says.moves:
            self._start(args)
        before = len(self.findings)
        self.escape(name, says, args)
        heard = self.call_back(args)
        told = len(self.findings) > before or self.depends(*heard)
        self._keep(args, name, tells=says.tells, also=told or asks or shows)
        # A call that is not understood itself is the place to read, and not who handles it, too.
        tells = asks or (shows and not noted)
        self.perhaps(tells=tells and (says.looks or not says.tells))
        if tainted or vague or asks or shows or told:
            return unknown(tainted=True)
        return self._given_to(groups, name, (*args, *heard))

    def _given_to(
        self, groups: Sequence[int] | None, name: str, values: Sequence[Varied]
    ) -> Varied:
        """Return what is not known, and is the same for those that handed over the same."""
        if groups is None:
            return self._derived(name, values)
        origin = f"{name}()@{self.place.path}:{self.line}"
        given = ((one, Unknown(False, f"{origin}#{at}")) for at, one in enumerate(groups))
        return merged(self.gather(given))

    def _groups_of(self, args: Sequence[Varied], *, ends: bool) -> list[int] | None:
        """Return the guests that hand over the same, as groups; None where that is not known.

        Where it may end, it may end for one group and not for another.
        """
        groups = handed_groups(args, self.mask)
        if groups is not None and len(groups) > 1 and ends:
            self.set_apart(groups)
        return groups

    def _note_handed(self, name: str, args: Sequence[Varied]) -> None:
        """Note what is handed to a function that looks at files, or acts on the guest."""
        note_measured(self, name, args)
        if self.watch is not None and ACTING.match(name):
            self.watch.act(self.spot, args, self.mask)

    def _derived(self, name: str, values: Sequence[Varied]) -> Varied:
        """Return what something unknown makes of *values*: it may differ where they do."""
        origin = f"{name}()@{self.place.path}:{self.line}"
        parts = [(mask, origin + told) for mask, told in self.touched(name)]
        for value in values:
            groups = [
                (mask, one.origin) for mask, one in value.each(self.mask)
                if isinstance(one, Unknown)
            ]  # fmt: skip
            if len(groups) < 2 and (not groups or groups[0][0] == self.mask):
                continue
            told = 0
            for mask, _ in groups:
                told |= mask
            groups.append((self.mask & ~told, ""))
            parts = [
                (mask & guests, f"{one}<{other[-60:]}")
                for mask, one in parts for guests, other in groups if mask & guests
            ]  # fmt: skip
            if len(parts) > 200:
                return unknown(tainted=True)
        return merged(self.gather((mask, Unknown(False, one)) for mask, one in parts))

    def _start(self, args: Sequence[Varied], depth: int = 2) -> None:
        """Note the programs of the disc that something unknown is given the names of."""
        for value in args:
            for mask, one in value.each(self.mask):
                if isinstance(one, str):
                    self.may_start(one)
                elif isinstance(one, tuple) and depth:
                    self._start([Varied.of(part) for part in one], depth - 1)
                elif isinstance(one, Container) and depth and one.kind is not dict:
                    for _, items in one.store.get("items").each(mask):
                        if not isinstance(items, Unknown):
                            self._start([Varied.of(part) for part in items], depth - 1)

    def _may_make(self, name: str, args: Sequence[Varied]) -> None:
        """Note the paths at which something unknown may make a file."""
        if not name.startswith(("sys.path.", "site.", "os.chdir")):
            for value in args:
                for _, one in value.each(self.mask):
                    self.disc.make(one)

    def may_start(self, text: str) -> None:
        """Note the program of the disc that *text* names."""
        raise NotImplementedError

    def _keep(self, args: Sequence[Varied], name: str, *, tells: bool, also: bool) -> None:
        """Note what something unknown has heard that differs from guest to guest.

        Args:
            args: what it was given.
            name: what it is called; what it is a method of may keep what it was given.
            tells: whether it only tells somebody; then it changes no argument.
            also: whether it has heard something that depends on the guest in another way.
        """
        if not (also or self.depends(*args) or self.parted()):
            return
        values = (*args, Varied.of(True)) if also else args
        # A module keeps nothing, but for the environment.
        owner = name.rpartition(".")[0]
        keeps = is_an_object_s(owner) or owner.startswith("os.environ")
        if keeps and not said_by(name).reads:
            self.stain(owner, *values)
            if also:
                self.stained.update(owner.split("|"))
        elif name == "os.putenv":
            self.stain("os.environ", *args)
        if tells:
            return
        for value in args:
            for _, one in value.each(self.mask):
                if isinstance(one, Container) and one.kind is not tuple and self.depends(*args):
                    self.write(one.store, "items", unknown(tainted=True))
                elif isinstance(one, Unknown):
                    self.stain(one.origin, *args)

    def asks(self, value: Varied) -> bool:
        """Tell whether a text in *value* names something that tells the distribution."""
        return asks(self, value)

    def is_of_one(self, value: Varied) -> bool:
        """Tell whether *value* is a path or a command about what one distribution alone has."""
        return is_of_one(self, value)

    # The installer's own -------------------------------------------------------------------

    def call_function(
        self, function: FunctionObject, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Execute a function of the installer and return what it returns."""
        if len(self.frames) > _MAX_CALLS or isinstance(function.node, ast.AsyncFunctionDef):
            self.note("call")
            return unknown(tainted=True)
        local = NameStore()
        frame = Frame(
            function.module, function.name, local, function.closure, first=args[0] if args else NONE
        )
        if function.node not in self._own:
            self._own[function.node] = _own_names(function.node)
        frame.own = self._own[function.node]
        if not self._bind_arguments(function, local, args, named):
            self.throw_named("TypeError", None, "arguments")
            return NOTHING
        self.called.add(function.node)
        here, line = self.mask, self.line
        depth, self.depth = self.depth, 0
        defining, self.defining = self.defining, function.owner
        frame.trials = len(self.trials)
        self.frames.append(frame)
        self.weigh()
        try:
            found = self._executed(function, frame)
        finally:
            self.frames.pop()
            self.depth, self.line, self.defining = depth, line, defining
            self.weigh()
        found = found.within(here)
        if self.watch is not None and self.watch.trail is not None:
            self.watch.trail.give(self, function, found)
        if not args and not named:
            was, gave = self.gave.get(function.node, (0, NOTHING))
            self.gave[function.node] = (was | here, join((*gave.groups, *found.groups)))
        return found

    _yielding: dict[ast.AST, bool]
    _own: dict[ast.AST, frozenset[str]]
    #: The files of the disc that is executed.
    disc: DiscFiles
    #: The functions that were executed at least once.
    called: set[ast.AST]
    #: By function: the guests who called it without an argument, and what it gave them.
    gave: dict[ast.AST, tuple[int, Varied]]
    #: The class in which the function that is executed was defined; super() asks.
    defining: ClassObject | None = None

    def _executed(self, function: FunctionObject, frame: Frame) -> Varied:
        node = function.node
        if isinstance(node, ast.Lambda):
            return self.evaluate(node.body)
        yields = self._yielding.get(node)
        if yields is None:
            yields = self._yielding[node] = _yields(node)
        if yields:
            frame.yields = Container(list, ())
            own = (frame.local, frame.yields.store)
            sources = self.done_late(lambda: self.execute(node.body), *own)
            for mask, _ in frame.returned:
                self.mask |= mask
            return as_iterator(self, GeneratorType, Varied.of(frame.yields), sources)
        self.execute(node.body)
        groups = list(frame.returned)
        if self.mask:
            groups.append((self.mask, None))
        for mask, _ in frame.returned:
            self.mask |= mask
        return self.gather(groups)

    def execute(self, body: Sequence[ast.stmt]) -> None:
        """Execute statements."""
        raise NotImplementedError

    def _bind_arguments(
        self,
        function: FunctionObject,
        local: NameStore,
        args: tuple[Varied, ...],
        named: Mapping[str, Varied],
    ) -> bool:
        wanted = function.node.args
        names = [one.arg for one in (*wanted.posonlyargs, *wanted.args)]
        given = dict(named)
        local.slots.update(zip(names, (one.within(self.mask) for one in args), strict=False))
        if len(args) > len(names) and wanted.vararg is None:
            return False
        if wanted.vararg is not None:
            rows = self._packed(args[len(names) :])
            local.slots[wanted.vararg.arg] = rows
        defaults = dict(zip(reversed(names), reversed(function.defaults), strict=False))
        for name in names[len(args) :]:
            value = given.pop(name, defaults.get(name))
            if value is None:
                return False
            local.slots[name] = value
        for one, default in zip(wanted.kwonlyargs, function.keyword_defaults, strict=True):
            value = given.pop(one.arg, default)
            if value is None:
                return False
            local.slots[one.arg] = value
        if wanted.kwarg is not None:
            combined = self.combine(tuple(given.values()))
            local.slots[wanted.kwarg.arg] = (
                unknown(tainted=True) if combined is None else self.gather(
                    (mask, Container(dict, dict(zip(given, values, strict=True))))
                    for mask, values in combined
                )
            )  # fmt: skip
        elif given:
            return False
        return True

    def _packed(self, args: Sequence[Varied]) -> Varied:
        combined = self.combine(args)
        return unknown(tainted=True) if combined is None else self.gather(combined)

    def instantiate(
        self, cls: ClassObject, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Return a new object of a class."""
        if cls.error is None and cls.is_open:
            return self._open_instance(cls, args, named)
        if "\x00members" in cls.store.slots and args:
            return self._member(cls, args[0])
        instance = InstanceObject(cls)
        if cls.error is not None:
            instance.store.slots["args"] = self._packed(args)
            instance.store.slots["code"] = args[0] if args else NONE
        owner = Varied.of(instance)
        made = self.from_class(cls, "__new__")
        if made.mask & self.mask:
            own = self.dispatch(made, self._static)
            owner = self.call(own, (Varied.of(cls), *args), named)
            if not all(
                isinstance(one, InstanceObject) and one.cls is cls
                for _, one in owner.each(self.mask)
            ):
                return owner
        method = self.from_class(cls, "__init__")
        if method.mask & self.mask:
            self.call(self.attribute(owner, "__init__"), args, named)
        elif cls.error is None and (args or named):
            self.throw_named("TypeError", None, "arguments")
        return owner

    @staticmethod
    def _static(one: Plain) -> Varied:
        return one.function if isinstance(one, Wrapped) else Varied.of(one)

    def _open_instance(
        self, cls: ClassObject, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Return a new object of a class with a base that is not modelled."""
        native = any(isinstance(one, Native) for one in cls.order())
        own = self.from_class(cls, "__init__")
        depends = self.depends(*args, *named.values())
        if native or self.from_class(cls, "__new__").mask & self.mask:
            # Python's own text, list or dictionary with other methods.
            if depends:
                self.note("call")
            self._hand_to_base((*args, *named.values()))
            self.perhaps()
            return unknown(tainted=True)
        owner = Varied.of(InstanceObject(cls))
        if own.mask & self.mask:
            self.call(self.attribute(owner, "__init__"), args, named)
        else:
            if depends:
                self.note("call")
            self._hand_to_base((*args, *named.values()))
        self.perhaps()
        return owner

    def _hand_to_base(self, args: Sequence[Varied]) -> None:
        """Give *args* to a class that is not modelled."""
        self.escape("", said_by(""), args)
        self.call_back(args)
        self._keep(args, "", tells=False, also=False)

    def _member(self, cls: ClassObject, value: Varied) -> Varied:
        """Return the member of an enum that has this value."""
        groups: list[tuple[int, Plain]] = []
        for mask, one in value.each(self.mask):
            for _, members in cls.store.get("\x00members").each(mask):
                found = [
                    member
                    for member in members
                    for _, own in member.store.get("value").each(mask)
                    if own == one
                ]
                if isinstance(one, Unknown):
                    groups.append((mask, Unknown(one.tainted)))
                elif found:
                    groups.append((mask, found[0]))
                else:
                    self.throw_named("ValueError", mask, str(one))
        return self.gather(groups)


def _own_names(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """Return the names that a function binds itself, as Python's compiler finds them."""
    if isinstance(node, ast.Lambda):
        return frozenset()
    found: set[str] = set()
    outside: set[str] = set()
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop()
        match one:
            case ast.Global() | ast.Nonlocal():
                outside.update(one.names)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                found.add(one.id)
            case ast.Import() | ast.ImportFrom():
                found.update((a.asname or a.name).partition(".")[0] for a in one.names)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                found.add(name)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(one.name)
                continue
            case ast.Lambda():
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                waiting += [inner for inner in ast.walk(one) if isinstance(inner, ast.NamedExpr)]
                continue
        waiting.extend(ast.iter_child_nodes(one))
    return frozenset(found - outside - {"*"})


def _yields(node: ast.FunctionDef) -> bool:
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(one))
    return False
