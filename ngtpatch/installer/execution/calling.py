# SPDX-License-Identifier: Apache-2.0
"""Calls: of the installer's functions and classes, of what is modelled, and of the rest."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from ngtpatch.installer.execution.evaluation import Evaluation
from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.methods import TEXT_METHODS
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    External,
    FunctionObject,
    InstanceObject,
    NameStore,
    Native,
)
from ngtpatch.installer.execution.state import Frame
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied

__all__ = ["Calling"]

_MAX_CALLS = 24
# What is called so is told something, and ends nothing.
_TELLING = re.compile(
    r"(?:^|[._])(?:print|log|debug|info|warn|warning|error|critical|exception|fatal|write|writelines"
    r"|append|add|put|send|syslog|format|set|update|warn_explicit|call|system|Popen|exists|isfile"
    r"|isdir|islink|join|access|getLogger|basename|dirname|environ|get|lexists|escape|quote"
    r"|add_argument|set_defaults|title|fill|dedent|secho|echo|strftime|copy|deepcopy)$"
)
# Programs and files that tell the distribution.
_ASKING = re.compile(
    r"os-release|lsb[_-]release|(?:redhat|centos|system|oracle|fedora|SuSE|rocky|almalinux)-release"
    r"|debian_version|/etc/issue|hostnamectl|\bsw_vers\b|-release\b|\brpm\b.*--eval"
)


class Calling(Evaluation):
    """Calls what an expression gives."""

    def call(
        self, function: Varied, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Call *function* on the guests that are here."""
        return self.dispatch(function, lambda one: self._call_one(one, args, named))

    def call_unknown(self, function: Varied, args: Sequence[Varied]) -> Varied:
        """Call something with arguments that are not known one by one."""
        if any(not isinstance(one, External | Native) for _, one in function.each(self.mask)):
            self.note("call")
        self.perhaps()
        return unknown(tainted=True if self.depends(*args) else self.depends(function))

    def _call_one(  # noqa: PLR0911 - one a kind of callee
        self, function: Plain, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        if not self.mask:
            return NOTHING
        match function:
            case Native():
                return function.run(self, args, named)
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
        return self._call_external(function, (*args, *named.values()))

    def _call_external(self, function: Plain, args: Sequence[Varied]) -> Varied:
        """Call what is not modelled: it may do anything to what it is given."""
        name = function.name if isinstance(function, External) else ""
        tainted = isinstance(function, Unknown | External) and function.tainted
        depends = self.depends(*args)
        ends = not (_TELLING.search(name) or name.rpartition(".")[2] in TEXT_METHODS)
        if (tainted or depends) and ends:
            self.note("call")
        if self.watch is not None and ends:
            for value in args:
                if not self.depends(value):
                    self.watch.hand(value, self.mask)
        self._escape(args)
        self.perhaps()
        asks = any(self.asks(value) for value in args)
        return unknown(tainted=tainted or depends or asks)

    def asks(self, value: Varied, depth: int = 2) -> bool:
        """Tell whether a text in *value* names something that tells the distribution."""
        for mask, one in value.each(self.mask):
            if isinstance(one, str) and _ASKING.search(one[:4096]):
                return True
            if isinstance(one, tuple) and any(self.asks(Varied.of(part), depth) for part in one):
                return True
            if isinstance(one, Container) and depth:
                for _, items in one.store.get("items").each(mask):
                    if not isinstance(items, Unknown) and any(
                        self.asks(Varied.of(part), depth - 1) for part in items
                    ):
                        return True
        return False

    def _escape(self, args: Sequence[Varied]) -> None:
        """Forget what is in the containers that something unknown was given."""
        for value in args:
            for _, one in value.each(self.mask):
                if isinstance(one, Container) and one.kind is not tuple:
                    tainted = self.depends(Varied.of(one))
                    if tainted:
                        self.write(one.store, "items", unknown(tainted=tainted))

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
        self.frames.append(frame)
        try:
            found = self._executed(function, frame)
        finally:
            self.frames.pop()
            self.depth, self.line, self.defining = depth, line, defining
        return found.within(here)

    _yielding: dict[ast.AST, bool]
    _own: dict[ast.AST, frozenset[str]]
    #: The functions that were executed at least once.
    called: set[ast.AST]
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
            self.execute(node.body)
            for mask, _ in frame.returned:
                self.mask |= mask
            return Varied.of(frame.yields)
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
            values = {key: _only(value, self.mask) for key, value in given.items()}
            local.slots[wanted.kwarg.arg] = Varied.of(Container(dict, values))
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
            self._escape(args)
            for value in args:
                if self.depends(value):
                    self.note("call")
            self.perhaps()
            return unknown(tainted=self.depends(*args, *named.values()))
        if "__members__" in cls.store.slots and args:
            return self._member(cls, args[0])
        instance = InstanceObject(cls)
        if cls.error is not None:
            instance.store.slots["args"] = self._packed(args)
            instance.store.slots["code"] = args[0] if args else NONE
        owner = Varied.of(instance)
        made = self.from_class(cls, "__new__")
        if made.mask & self.mask:
            return unknown(tainted=True)
        method = self.from_class(cls, "__init__")
        if method.mask & self.mask:
            self.call(self.attribute(owner, "__init__"), args, named)
        elif cls.error is None and (args or named):
            self.throw_named("TypeError", None, "arguments")
        return owner

    def _member(self, cls: ClassObject, value: Varied) -> Varied:
        """Return the member of an enum that has this value."""
        groups: list[tuple[int, Plain]] = []
        for mask, one in value.each(self.mask):
            for _, members in cls.store.get("__members__").each(mask):
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


def _only(value: Varied, mask: int) -> Plain:
    groups = list(value.each(mask))
    return groups[0][1] if len(groups) == 1 else Unknown(tainted=True)


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
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                waiting += [inner for inner in ast.walk(one) if isinstance(inner, ast.NamedExpr)]
                continue
            case ast.GeneratorExp():
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
