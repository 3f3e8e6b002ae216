# SPDX-License-Identifier: Apache-2.0
"""The programs of a disc, executed: what ends them, what they return, what was not understood."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.installer.execution.concern import concerned
from ngtpatch.installer.execution.endings import Ending, Forked, OpenUse, OpenUseKind
from ngtpatch.installer.execution.frames import Thrown
from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.module_values import values_held
from ngtpatch.installer.execution.objects import (
    ClassObject,
    Container,
    External,
    FunctionObject,
    InstanceObject,
    ModuleObject,
)
from ngtpatch.installer.execution.state import Exhausted
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.way import is_python, programs, started_by
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.layout import FACTORY

__all__ = ["Execution", "Given", "execute", "is_of_the_disc"]

#: Steps for one program, and for all of one disc. A step is a value looked at once.
_STEPS_A_PROGRAM = 160_000
_STEPS_A_DISC = 400_000

#: What a function gave: a class, function or object of the disc by its name, or nothing of them.
Given = tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Execution:
    """What came out of executing a disc's programs for some guests.

    Attributes:
        worlds: the guests.
        findings: uses of the guest's facts that are not understood.
        forked: where guests may be told apart by what is not modelled.
        started: files of the disc that something unknown was given the names of.
        endings: how a program may end before its end.
        given: by file and function, which of the disc's classes a function without
            parameters returns.
        files: those that were executed: the way of the installation.
        unread: files on that way which could not be read, and why.
        conditions: by file and line of an ``if``, the guests on which it was true, and those
            on which it was false; none where it was not reached.
        watch: what was compared and reached, if somebody asked.
    """

    worlds: tuple[World, ...]
    findings: tuple[OpenUse, ...]
    forked: tuple[Forked, ...]
    started: frozenset[str]
    endings: tuple[Ending, ...]
    given: Mapping[tuple[str, str], Given]
    files: frozenset[str]
    unread: Mapping[str, Refusal]
    conditions: Mapping[tuple[str, int], tuple[int, int]]
    watch: Watch | None = None


def execute(
    tree: Mapping[str, bytes],
    worlds: Sequence[World],
    *,
    paths: Sequence[str] | None = None,
    every_function: bool = True,
    watch: Watch | None = None,
) -> Execution:
    """Execute the programs of *tree* for *worlds*. Reads nothing but the tree, runs nothing.

    Args:
        tree: the files.
        worlds: the guests.
        paths: the programs; by default those of :func:`ngtpatch.installer.execution.way.programs`,
            and what they start.
        every_function: execute the functions, too, that no program calls, as far as they are
            about the distribution.
        watch: where to note what is compared and reached.
    """
    findings: list[OpenUse] = []
    endings: list[Ending] = []
    given: dict[tuple[str, str], Given] = {}
    forked: list[Forked] = []
    started_files: set[str] = set()
    files: set[str] = set()
    unread: dict[str, Refusal] = {}
    conditions: dict[tuple[str, int], tuple[int, int]] = {}
    left = _STEPS_A_DISC
    waiting = list(programs(tree) if paths is None else paths)
    for path in waiting:
        if path in files and path == FACTORY:
            continue
        machine = Machine(tree, worlds, steps=min(left, _STEPS_A_PROGRAM))
        machine.watch = watch
        started = machine.steps
        run = _Run(machine, path, every_function=every_function)
        gave: dict[tuple[str, str], Given] = {}
        with paused_collector():
            run.run(gave)
            if machine.unordered_at is not None and (watch is None or watch.turn is None):
                _in_the_other_order(run, gave)
        given |= gave
        left -= started - max(machine.steps, 0)
        if watch is not None:
            watch.steps += started - max(machine.steps, 0)
        findings += machine.findings.values()
        endings += run.endings
        forked += machine.forked()
        started_files |= machine.started
        if paths is None:
            waiting += [
                one for one in sorted(machine.started)
                if one not in waiting and one not in files and is_python(tree, one)
            ]  # fmt: skip
        for file in sorted(set(machine.modules) - files):
            files.add(file)
            if file in tree and paths is None:
                waiting += [one for one in started_by(tree, file) if one not in waiting]
        unread |= machine.unread
        for key, (true, false) in machine.conditions.items():
            old = conditions.get(key, (0, 0))
            conditions[key] = (old[0] | true, old[1] | false)
    return Execution(
        tuple(worlds),
        tuple(_merged(findings)),
        tuple(dict.fromkeys(forked)),
        frozenset(started_files),
        tuple(_merged_endings(endings)),
        given,
        frozenset(files),
        unread,
        conditions,
        watch,
    )


def _in_the_other_order(run: _Run, gave: Mapping[tuple[str, str], Given]) -> None:
    """Execute the program of *run* again, going through what has no order from its end.

    For whom it comes out otherwise, that order decides, which is not known.
    """
    first, place = run.machine, run.machine.unordered_at
    assert place is not None  # noqa: S101 - for the type checker; the caller asked
    machine = Machine(first.tree, first.worlds, steps=_STEPS_A_PROGRAM)
    machine.backwards = True
    again = _Run(machine, run.path, every_function=run.every_function)
    other: dict[tuple[str, str], Given] = {}
    again.run(other)
    before, after = _outcome(run, gave), _outcome(again, other)
    apart = 0
    for key in before.keys() | after.keys():
        apart |= before.get(key, 0) ^ after.get(key, 0)
    if apart:
        key = ("loop", place.path, place.line)
        first.findings[key] = OpenUse("loop", place.path, place.line, place.function, apart)


def _outcome(run: _Run, gave: Mapping[tuple[str, str], Given]) -> dict[tuple[object, ...], int]:
    """Return what came out of a program, and for whom."""
    found: dict[tuple[object, ...], int] = {}
    rows: list[tuple[tuple[object, ...], int]] = []
    for one in run.endings:
        rows.append(((one.error, one.path, one.line, one.success), one.guests))
        rows.append(((one.error, one.path, one.line, one.success, "certain"), one.certain))
    for place, groups in gave.items():
        rows += [((*place, what), mask) for mask, what in groups]
    rows += [((one.kind, one.path, one.line), one.guests) for one in run.machine.findings.values()]
    for key, mask in rows:
        found[key] = found.get(key, 0) | mask
    return found


class _Run:
    """One program, and then whatever of its modules it did not call."""

    def __init__(self, machine: Machine, path: str, *, every_function: bool) -> None:
        self.machine = machine
        self.path = path
        self.every_function = every_function
        self._concerned: frozenset[ast.AST] = frozenset()
        self.endings: list[Ending] = []

    def run(self, given: dict[tuple[str, str], Given]) -> None:
        """Execute it. What a function gives is added to *given*."""
        machine = self.machine
        try:
            try:
                if self.path == FACTORY:
                    machine.load(self.path)
                else:
                    machine.start(self.path)
            finally:
                self._ended(machine.mask, alone=False)
            modules = list(machine.modules.values())
            if machine.watch is not None and machine.watch.guests:
                machine.watch.held.update(values_held(modules, machine.watch.guests))
            self._concerned = concerned(modules, machine) if self.every_function else frozenset()
            for module in modules:
                self._functions(module, given, bare=True)
            for module in modules:
                self._functions(module, given, bare=False)
        except Exhausted:
            self._gave_up("budget")
        except RecursionError:
            self._gave_up("loop")
        except Exception:
            # It is the vendor's code that is at hand, not a defect that should end the user's
            # command: what cannot be followed is not understood, and said to be.
            self._gave_up("unforeseen")

    def _ended(self, through: int, *, alone: bool) -> None:
        """Note how it ended for those who did not come through."""
        thrown = self.machine.trials[0].thrown
        found = list(_endings(thrown, alone=alone))
        thrown.clear()
        for one in found:
            through |= one.guests if one.success else 0
        self.endings += [replace(one, certain=one.guests & ~through) for one in found]

    def _gave_up(self, kind: OpenUseKind) -> None:
        machine = self.machine
        path, line, function = self.path, 1, ""
        if machine.gave_up_at is not None:
            place = machine.gave_up_at
            path, line, function = place.path, place.line, place.function
        machine.findings[kind, path, line] = OpenUse(kind, path, line, function, machine.everyone)

    def _functions(
        self, module: ModuleObject, given: dict[tuple[str, str], Given], *, bare: bool
    ) -> None:
        """Execute the functions of a module that nobody called, and those without parameters.

        Those without parameters come first: what they call is then known with its arguments.
        """
        for name, value in list(module.store.slots.items()):
            for _, one in list(value.groups):
                if isinstance(one, FunctionObject) and one.module is module:
                    if _is_bare(one) == bare:
                        self._function(one, str(name), given)
                elif isinstance(one, ClassObject) and one.module is module and not bare:
                    self._methods(one)

    def _function(
        self, function: FunctionObject, name: str, given: dict[tuple[str, str], Given]
    ) -> None:
        machine = self.machine
        bare = _is_bare(function)
        result: Varied | None
        called = function.node in machine.called
        picks = bare and function.module.path == FACTORY and not called
        if function.node not in self._concerned and not picks:
            return
        if called and not bare:
            return
        guests, result = machine.gave.get(function.node, (0, None))
        if guests != machine.everyone:
            result = self._alone(function, bare)
        if bare and result is not None:
            path = function.module.path or ""
            given[path, name] = tuple((mask, _described(one)) for mask, one in result.groups)

    def _methods(self, cls: ClassObject) -> None:
        for value in list(cls.store.slots.values()):
            for _, one in list(value.groups):
                if isinstance(one, FunctionObject) and (
                    one.node in self._concerned and one.node not in self.machine.called
                ):
                    self._alone(one, bare=False, owner=cls)

    def _alone(
        self, function: FunctionObject, bare: bool, owner: ClassObject | None = None
    ) -> Varied | None:
        """Call a function with arguments that are not known, and take back what it wrote."""
        machine = self.machine
        machine.mask = machine.everyone
        found: list[Varied] = []
        arguments = function.node.args
        count = len(arguments.args) + len(arguments.posonlyargs)
        first = [] if owner is None or not count else [Varied.of(InstanceObject(owner))]
        rest = [] if bare else [unknown(tainted=False, origin="?alone")] * (count - len(first))
        named = {
            one.arg: unknown(tainted=False)
            for one, default in zip(arguments.kwonlyargs, function.keyword_defaults, strict=True)
            if default is None
        }

        def call() -> None:
            if first and owner is not None and getattr(function.node, "name", "") != "__init__":
                self._initialise(owner, first[0])
            found.append(machine.call_function(function, (*first, *rest), named))

        called = function.node in machine.called
        machine.line = function.node.lineno
        machine.enter(function.module)
        try:
            machine.speculate(call)
        finally:
            machine.leave()
            # How it ends where it is called was seen when it was.
            if called:
                machine.trials[0].thrown.clear()
            # One that has nothing to do with distributions picks no installer by them.
            concerned = function.node in self._concerned
            picks = bare and concerned and function.module.path == FACTORY
            self._ended(machine.mask, alone=not picks)
        return found[0] if found else None

    def _initialise(self, cls: ClassObject, instance: Varied) -> None:
        """Give an object the attributes that ``__init__`` sets, its class's own or a parent's."""
        for _, one in self.machine.from_class(cls, "__init__").groups:
            if isinstance(one, FunctionObject) and not any(
                default is None for default in one.keyword_defaults
            ):
                count = len(one.node.args.args) + len(one.node.args.posonlyargs) - 1
                rest = [unknown(tainted=False)] * max(count, 0)
                self.machine.call_function(one, (instance, *rest), {})


def _is_bare(function: FunctionObject) -> bool:
    """Tell whether it can be called without an argument."""
    arguments = function.node.args
    return len(arguments.args) + len(arguments.posonlyargs) == len(function.defaults) and all(
        one is not None for one in function.keyword_defaults
    )


def _described(value: Plain) -> str:  # noqa: PLR0911 - one a kind of value
    """Name what a function gives where it is of the disc; nothing where it is a mere value."""
    match value:
        case ClassObject():
            return f"class {value.name}"
        case FunctionObject():
            return f"function {value.name}"
        case InstanceObject():
            return f"a {value.cls.name}"
        case External():
            return f"external {value.name}"
        case None:
            return "None"
        case Unknown():
            return "unknown"
        case Container() | tuple():
            return "a container"
    return "a value"


def is_of_the_disc(what: str) -> bool:
    """Tell whether what a function gave is a class, function or object that has a name."""
    return what.startswith(("class ", "function ", "a ", "external ")) and what not in (
        "a value",
        "a container",
    )


def _endings(thrown: Iterable[Thrown], *, alone: bool) -> Iterator[Ending]:
    for one in thrown:
        error, success = "Exception", 0
        if isinstance(one.error, InstanceObject):
            error = one.error.cls.name
            for mask, code in one.error.store.get("code").each(one.guests):
                if error == "SystemExit" and (code in (None, 0) or isinstance(code, Unknown)):
                    success |= mask
        for guests, well in ((one.guests & ~success, False), (success, True)):
            if guests:
                yield Ending(
                    error, one.place.path, one.place.line, one.place.function,
                    (one.decided.path, one.decided.line), well, alone, guests, 0,
                )  # fmt: skip


def _merged(findings: Iterable[OpenUse]) -> Iterator[OpenUse]:
    merged: dict[tuple[str, int, str], OpenUse] = {}
    for one in findings:
        key = (one.path, one.line, one.kind)
        old = merged.get(key)
        merged[key] = replace(one, guests=one.guests | (old.guests if old else 0))
    yield from (merged[key] for key in sorted(merged))


def _merged_endings(endings: Iterable[Ending]) -> Iterator[Ending]:
    merged: dict[Ending, tuple[int, int]] = {}
    for one in endings:
        key = replace(one, guests=0, certain=0)
        guests, certain = merged.get(key, (0, 0))
        merged[key] = guests | one.guests, certain | one.certain
    for key, (guests, certain) in merged.items():
        yield replace(key, guests=guests, certain=certain)
