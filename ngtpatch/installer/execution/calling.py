# SPDX-License-Identifier: Apache-2.0
"""Calls: of the installer's functions and classes, of what is modelled, and of the rest."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import GeneratorType
from typing import NamedTuple

from ngtpatch.installer.execution.atom_methods import TEXT_METHODS
from ngtpatch.installer.execution.container_methods import as_iterator
from ngtpatch.installer.execution.evaluation import Evaluation
from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    ClassObject,
    Container,
    External,
    Frozen,
    FunctionObject,
    InstanceObject,
    NameStore,
    Native,
    Wrapped,
)
from ngtpatch.installer.execution.state import Frame
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, join, merged

__all__ = ["Calling"]

_MAX_CALLS = 24
# What is called so is told something, and ends nothing.
_TELLING = re.compile(
    r"(?:^|[._])(?:print|log|debug|info|warn|warning|error|critical|exception|fatal|write|writelines"
    r"|append|add|put|send|syslog|format|set|update|warn_explicit|call|system|Popen|exists|isfile"
    r"|isdir|islink|join|access|getLogger|basename|dirname|environ|get|lexists|escape|quote"
    r"|add_argument|set_defaults|title|fill|dedent|secho|echo|strftime|copy|deepcopy|dump|dumps"
    r"|getoutput|getstatusoutput|communicate|stat|flush|close|start|getenv|putenv|setLevel)$"
)
# Changes nothing.
_READING = re.compile(
    r"(?:^|[._])(?:(?:get|is|has|read|find|list|iter|exists|lexists|access|peek|count|index)\w*"
    r"|keys|values|items|join|split|basename|dirname|environ|info|debug|warn|warning|error"
    r"|log|critical|exception|fatal|stat|format|strftime|match|search|tell|fileno|copy)$"
)
# Takes lists as they are, whatever it does with them.
_LEAVING_AS_IT_IS = re.compile(
    r"^(?:subprocess|os|sys|shutil|json|logging|argparse|optparse|platform|time|re|glob|tarfile"
    r"|zipfile|itertools|collections|functools|copy|string|textwrap|pprint|math|signal|socket)\."
    r"|^(?:type|id|hash|dir|hex|oct|bin|ascii|reduce|cmp|bytearray|memoryview)$"
)
# Ends what does not go well.
_CHECKING = re.compile(r"(?:^|[._])(?:check_call|check_output|check_returncode|raise_for_status)$")
# Does something with a file, and starts nothing.
_MOVING = re.compile(
    r"^(?:shutil|os\.path|tarfile|zipfile|logging|glob|hashlib|filecmp)\."
    r"|^os\.(?:ch|stat|access|remove|unlink|rename|link|symlink|mk|list|walk|read|utime)"
)
_LEAVING = re.compile(r"(?:exit|abort|import_module|__import__|exec|eval|functools\.partial.*)$")
# Raises where a file is not there.
_LOOKING = re.compile(r"(?:^|[._])(?:l?stat|listdir|scandir|readlink|getsize|get[acm]time)$")
# Ends this process, or puts another in its place.
_ENDING = re.compile(
    r"^(?:os\.(?:exec[lvpe]+|kill|killpg|abort)|signal\.(?:raise_signal|alarm|pthread_kill)"
    r"|_?thread\.interrupt_main|posix\._exit)$"
)
# Programs and files that tell the distribution.
_ASKING = re.compile(
    r"os-release|lsb[_-]release|(?:redhat|centos|system|oracle|fedora|SuSE|rocky|almalinux)-release"
    r"|debian_version|/etc/issue|hostnamectl|\bsw_vers\b|-release\b|\brpm\b.*--eval"
)


# What is there on one distribution and not on another: its own files, and its packages.
_OF_ONE = r"(?:centos|red ?hat|rhel|oracle ?linux|ubuntu|suse|sles|debian|fedora|rocky|alma ?linux)"
_ITS_OWN = re.compile(
    rf"^/(?!ngt-disc/)[^\n]*{_OF_ONE}|\b(?:rpm|dpkg|yum|dnf|apt|zypper)[\w-]*\b[^\n]*{_OF_ONE}",
    re.IGNORECASE,
)
_ASKING_PYTHON = re.compile(r"version_info|hexversion|python_version|sys\.version")


class _Said(NamedTuple):
    """What the name of something unknown says about a call of it."""

    ends: bool
    checks: bool
    tells: bool
    moves: bool


@lru_cache(maxsize=4096)
def _said_by(name: str) -> _Said:
    return _Said(
        ends=_ENDING.match(name) is not None,
        checks=_CHECKING.search(name) is not None,
        tells=_TELLING.search(name) is not None or name.rpartition(".")[2] in TEXT_METHODS,
        moves=_MOVING.match(name) is not None,
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
        says = _said_by(name)
        if says.ends:
            self.throw_named("SystemExit", None, 1)
            return NOTHING
        args = (*args, *named.values())
        if name.startswith("sys.path.") or name == "site.addsitedir":
            self.change_path(name.rpartition(".")[2], args)
        tainted = isinstance(function, Unknown | External) and function.tainted
        tainted = tainted or self.is_stained(name)
        depends = self.depends(*args)
        checks = says.checks or ("check" in named and bool(self.truth(named["check"])[0]))
        asks = any(self.asks(value) for value in args)
        asks = asks or (name == "type" and self.of_python)
        tells = says.tells
        ends = checks or not tells
        shows = any(self.is_of_one(value) for value in args)
        if ((tainted or depends or asks) and ends) or (shows and checks):
            self.note("call")
        if ends:
            self.reach(name)
        for value in args if self.watch is not None and not tells else ():
            if self.watch is not None and not self.depends(value):
                self.watch.hand(value, self.mask)
        if not says.moves:
            self._start(args)
        heard = self._call_back(args)
        self._escape(args, name, tells=tells, also=heard[0])
        self.perhaps(tells=(asks or shows) and _LOOKING.search(name) is not None)
        if tainted or depends or asks or shows or heard[0]:
            return unknown(tainted=True)
        return self._derived(name, (*args, *heard[1]))

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

    def may_start(self, text: str) -> None:
        """Note the program of the disc that *text* names."""
        raise NotImplementedError

    def _call_back(self, args: Sequence[Varied]) -> tuple[bool, list[Varied]]:
        """Call the installer's functions among *args* as something unknown may, or may not.

        Return whether what they give depends on the guest, and what they give.
        """
        heard: list[Varied] = []
        before = len(self.findings)
        for value in args:
            for mask, one in value.each(self.mask):
                function = one.function if isinstance(one, BoundMethod) else one
                if isinstance(function, FunctionObject) and len(self.frames) < _MAX_CALLS:
                    self._perhaps_called(one, function, mask, heard)
        return len(self.findings) > before or self.depends(*heard), heard

    def _perhaps_called(
        self, one: Plain, function: FunctionObject, mask: int, heard: list[Varied]
    ) -> None:
        wanted = function.node.args
        count = len(wanted.posonlyargs) + len(wanted.args) - len(function.defaults)
        count -= isinstance(one, BoundMethod)
        if function.node in self._calling_back or any(
            default is None for default in function.keyword_defaults
        ):
            return
        self._calling_back.add(function.node)

        def run() -> None:
            given = [unknown(tainted=False, origin="?argument")] * max(count, 0)
            heard.append(self.call(Varied.of(one), tuple(given), {}))

        def nothing() -> None:
            """It is not called."""

        self.fork([(mask, nothing), (mask, run)])
        self._calling_back.discard(function.node)

    #: Functions that are being called because something unknown was given them.
    _calling_back: set[ast.AST]

    def asks(self, value: Varied, depth: int = 2) -> bool:
        """Tell whether a text in *value* names something that tells the distribution."""
        for mask, one in value.each(self.mask):
            if isinstance(one, str) and _ASKING.search(one[:4096]):
                return True
            if isinstance(one, str) and self.of_python and _ASKING_PYTHON.search(one[:4096]):
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

    def is_of_one(self, value: Varied) -> bool:
        """Tell whether *value* is a path or a command about what one distribution alone has."""
        for mask, one in value.each(self.mask):
            parts: Sequence[Plain] = one if isinstance(one, tuple) else (one,)
            if isinstance(one, Container) and one.kind is not dict:
                parts = [
                    part
                    for _, items in one.store.get("items").each(mask)
                    if not isinstance(items, Unknown)
                    for part in items
                ]
            text = " ".join(part for part in parts if isinstance(part, str))
            if _ITS_OWN.search(text[:4096]):
                return True
        return False

    def _escape(
        self, args: Sequence[Varied], name: str = "", *, tells: bool = False, also: bool = False
    ) -> None:
        """Forget what is in the objects that something unknown was given, and may have changed.

        Args:
            args: what it was given.
            name: what it is called; what it is a method of may keep what it was given.
            tells: whether it only tells somebody; then it changes no argument.
            also: whether it has heard something that depends on the guest in another way.
        """
        if not (tells or _READING.search(name) or _LEAVING_AS_IT_IS.search(name)):
            origin = f"{name or '?'}()@{self.place.path}:{self.line}"
            self._forget(args, unknown(tainted=self.depends(*args), origin=origin))
        if not (also or self.depends(*args) or self.parted()):
            return
        values = (*args, Varied.of(True)) if also else args
        # A module keeps nothing, but for the environment.
        owner = name.rpartition(".")[0]
        keeps = "()" in owner or "[]" in owner or owner.startswith(("?", "os.environ"))
        if keeps and not _READING.search(name):
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

    def _forget(self, args: Sequence[Varied], left: Varied, depth: int = 3) -> None:
        """Make what is in containers, and in those inside them, *left*."""
        for value in args:
            for mask, one in value.each(self.mask):
                if not isinstance(one, Container | tuple) or not depth:
                    continue
                contents = (
                    one.store.get("items").each(mask) if isinstance(one, Container)
                    else ((mask, one),)
                )  # fmt: skip
                for _, items in contents:
                    if not isinstance(items, Unknown):
                        inner = items.values() if isinstance(items, dict) else items
                        parts = [
                            Varied.of(part) for part in inner
                            if isinstance(part, Container | tuple)
                        ]  # fmt: skip
                        self._forget(parts, left, depth - 1)
                if isinstance(one, Container) and not isinstance(one, Frozen):
                    self.write(one.store, "items", left, mask)

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
        found = found.within(here)
        if not args and not named:
            was, gave = self.gave.get(function.node, (0, NOTHING))
            self.gave[function.node] = (was | here, join((*gave.groups, *found.groups)))
        return found

    _yielding: dict[ast.AST, bool]
    _own: dict[ast.AST, frozenset[str]]
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
            self.done_late(lambda: self.execute(node.body), *own)
            for mask, _ in frame.returned:
                self.mask |= mask
            return as_iterator(self, GeneratorType, Varied.of(frame.yields))
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
        if "__members__" in cls.store.slots and args:
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
            self._escape((*args, *named.values()))
            self.perhaps()
            return unknown(tainted=True)
        owner = Varied.of(InstanceObject(cls))
        if own.mask & self.mask:
            self.call(self.attribute(owner, "__init__"), args, named)
        else:
            if depends:
                self.note("call")
            self._escape((*args, *named.values()))
            self._call_back((*args, *named.values()))
        self.perhaps()
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
