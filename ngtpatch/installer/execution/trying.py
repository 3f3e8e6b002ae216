# SPDX-License-Identifier: Apache-2.0
"""Exceptions: what raises, who handles it, and what is done in any case."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from ngtpatch.installer.execution.either_python import may_be_2, may_be_3
from ngtpatch.installer.execution.endings import Place
from ngtpatch.installer.execution.frames import Loop, Thrown, Trial
from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.match_statement import Matching
from ngtpatch.installer.execution.objects import (
    ClassObject,
    External,
    FileObject,
    InstanceObject,
    NameStore,
    now,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied
from ngtpatch.installer.scopes import only_logs

__all__ = ["Trying"]

_Written = list[tuple[NameStore, Any, Varied]]


class Trying(Matching):
    """Executes ``raise``, ``try`` and ``with``."""

    def _do_raise(self, node: ast.Raise) -> None:
        if node.exc is None:
            for caught in reversed(self.handling):
                here = self.mask
                for thrown in caught:
                    # Any of those that a guest may have come here by.
                    again = thrown.guests & here
                    if again:
                        self.trials[-1].thrown.append(
                            Thrown(again, thrown.error, thrown.place, thrown.decided)
                        )
                        self.mask &= ~again
            self.throw_named("RuntimeError")
            return
        value = self.evaluate(node.exc)
        self.line = node.lineno

        def throw(one: Plain) -> Varied:
            if isinstance(one, ClassObject):
                made = self.instantiate(one, (), {})
                return self.dispatch(made, throw)
            self.throw(one)
            return NOTHING

        self.dispatch(value, throw)

    #: What each handler that is executed has caught.
    handling: list[list[Thrown]]
    #: How many conditions had decided when the last of them was entered.
    _decided_before = 0
    #: Who may have come there by what is not modelled as well.
    _vaguely = 0

    def decided_by(self, mask: int) -> list[tuple[int, Place]]:
        """Return what has decided that the guests of *mask* came here, by guests.

        What a handler does in any case was decided where that was which it has caught.
        """
        if not (self.of_python and self.handling) or len(self.splits) > self._decided_before:
            return super().decided_by(mask)
        found = [(one.guests & mask, one.decided) for one in self.handling[-1]]
        found.append((self._vaguely & mask, self.handling[-1][-1].decided))
        rest = mask & ~_all_guests([(guests, _nothing) for guests, _ in found])
        return [*(row for row in found if row[0]), *(super().decided_by(rest) if rest else ())]

    def _do_try(self, node: ast.Try) -> None:
        if node.finalbody:
            self._in_any_case(
                lambda trial: self._try_and_handle(node, trial),
                lambda: self.execute(node.finalbody),
            )
            return
        trial = Trial()
        self.trials.append(trial)
        self._try_and_handle(node, trial)
        self.trials[-1].perhaps |= trial.perhaps
        self.weigh()

    def _in_any_case(self, body: Callable[[Trial], None], last: Callable[[], None]) -> None:
        """Execute *body*, and *last* for who comes through it and who leaves."""
        trial = Trial()
        outer = Trial()
        self.trials += [outer, trial]
        frame = self.frames[-1]
        returned, frame.returned = frame.returned, []
        loop = frame.loops[-1] if frame.loops else Loop()
        broken, continued = loop.broken, loop.continued
        aside = loop.aside
        loop.aside |= broken | continued
        loop.broken = loop.continued = 0
        body(trial)
        self._finally(last, outer)
        frame.returned = [*returned, *frame.returned]
        loop.broken |= broken
        loop.continued |= continued
        loop.aside = aside
        self.trials[-1].perhaps |= trial.perhaps | outer.perhaps
        self.raised_by_some(outer.told)
        self.raised_apart(outer.apart)
        self.weigh()

    def _try_and_handle(self, node: ast.Try, trial: Trial) -> None:
        here = self.mask
        before = self._with_history(lambda: self.execute(node.body))
        self.trials.pop()
        loose = trial.perhaps & here
        if not node.handlers:
            self.raised_by_some(trial.told & here)
            self.raised_apart(trial.apart)
        elif not all(only_logs(one.body) for one in node.handlers):
            self.apart.update(dict.fromkeys(trial.apart))
            if trial.told & here:
                self.line = node.lineno
                self.note("condition", trial.told & here)
        if self.mask and node.orelse:
            self.execute(node.orelse)
        normal = self.mask
        left = trial.thrown
        ways: list[tuple[int, Callable[[], None]]] = [(normal, _nothing)]
        for handler in node.handlers:
            matching, left = self._matching(handler, left)
            guests = loose
            for thrown in matching:
                guests |= thrown.guests
                if self.watch is not None and thrown.place in self.without_distro:
                    self.watch.foresees = True
            if guests:
                ways.append((guests, self._handler(handler, matching, loose, before)))
        self.trials[-1].thrown += left
        self.mask = _all_guests(ways)
        self.fork(ways)

    def _with_history(self, body: Callable[[], None]) -> _Written:
        """Execute *body* and return what was before, of all that it wrote."""
        with self._journal() as journal:
            body()
        return list(journal.values())

    def _handler(
        self,
        handler: ast.ExceptHandler,
        caught: Sequence[Thrown],
        loose: int,
        before: _Written,
    ) -> Callable[[], None]:
        certain = _all_guests([(one.guests, _nothing) for one in caught])

        def run() -> None:
            perhaps = self.mask & loose
            # Where something unmodelled was raised, any state of the body's may be seen.
            for store, name, old in before if perhaps else ():
                now = store.get(name).within(perhaps)
                either = self.gather((*now.groups, *old.within(perhaps).groups))
                self.write(store, name, either, perhaps)
            # What is not modelled raises something of the kind that is seen to be raised.
            vague = Thrown(perhaps & ~certain, Unknown(tainted=False), self.place, self.place)
            if handler.name:
                groups = [(one.guests, one.error) for one in (*caught, vague)]
                self.bind(handler.name, self.gather(groups))
            self.handling.append([*caught, vague])
            outer = self._decided_before, self._vaguely
            self._decided_before, self._vaguely = len(self.splits), perhaps
            try:
                self.execute(handler.body)
                if handler.name:
                    self._unbind(handler.name)
            finally:
                self.handling.pop()
                self._decided_before, self._vaguely = outer

        return run

    def _unbind(self, name: str) -> None:
        """Forget what a handler has bound: on Python 3 it is there no more."""
        frame = self.frames[-1]
        store = frame.outside.get(name, frame.local)
        if not may_be_2(self):
            self.write(store, name, NOTHING)
        elif may_be_3(self):
            self.write(store, name, unknown(tainted=True))

    def _matching(
        self, handler: ast.ExceptHandler, thrown: Sequence[Thrown]
    ) -> tuple[list[Thrown], list[Thrown]]:
        if handler.type is None:
            return list(thrown), []
        kinds: list[Plain] = []
        self.mask |= _all_guests([(one.guests, _nothing) for one in thrown])
        nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        for node in nodes:
            kinds += [one for _, one in self.evaluate(node).groups]
        kinds = [one for kind in kinds for one in (kind if isinstance(kind, tuple) else (kind,))]
        vague = not all(isinstance(kind, ClassObject) for kind in kinds)
        matching, left = [], []
        for one in thrown:
            cls = one.error.cls if isinstance(one.error, InstanceObject) else None
            if cls is not None and any(kind in cls.order() for kind in kinds):
                matching.append(one)
            elif cls is None or vague:
                # What kind it has, or is caught, is not known: it may be caught here or not.
                matching.append(one)
                left.append(one)
            else:
                left.append(one)
        return matching, left

    def _finally(self, last: Callable[[], None], outer: Trial) -> None:
        """Execute what is done in any case, on those who come through and those who leave."""
        frame = self.frames[-1]
        loop = frame.loops[-1] if frame.loops else Loop()
        index = self.trials.index(outer)
        del self.trials[index]
        normal = self.mask
        leaving = list(outer.thrown)
        returned, frame.returned = frame.returned, []
        broken, continued = loop.broken, loop.continued
        loop.broken = loop.continued = 0
        self.mask = normal | broken | continued | _all_guests([(m, _nothing) for m, _ in returned])
        self.mask |= _all_guests([(one.guests, _nothing) for one in leaving])
        last()
        through = self.mask
        for one in leaving:
            if one.guests & through:
                self.trials[-1].thrown.append(
                    Thrown(one.guests & through, one.error, one.place, one.decided)
                )
        frame.returned += [(mask & through, value) for mask, value in returned if mask & through]
        loop.broken |= broken & through
        loop.continued |= continued & through
        # What was made meanwhile they know as well.
        loop.when = frame.when = now()
        self.mask = normal & through

    _do_trystar = _do_try

    def _do_with(self, node: ast.With) -> None:
        exits: list[Varied] = []
        suppressed: list[str] = []
        for item in node.items:
            manager = self.evaluate(item.context_expr)
            entered = self.dispatch(manager, self._entered)
            exits.append(manager)
            suppressed += _suppressed(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, entered)
        if suppressed:
            handler = ast.ExceptHandler(type=None, name=None, body=[ast.Pass(lineno=node.lineno)])
            wrapped = ast.Try(body=node.body, handlers=[handler], orelse=[], finalbody=[])
            self._do_try(ast.copy_location(wrapped, node))
            return
        acting = [value for value in exits if any(self._acts(one) for _, one in value.groups)]
        if not acting:
            self._managed(node.body, exits)
            return

        def body(trial: Trial) -> None:
            self._managed(node.body, exits)
            self.trials.pop()
            self.trials[-1].thrown += trial.thrown
            self.raised_by_some(trial.told)
            self.raised_apart(trial.apart)

        def last() -> None:
            for value in reversed(acting):
                self.dispatch(value, self._left)

        # By return, break or an exception it is left all the same.
        self._in_any_case(body, last)

    def _acts(self, manager: Plain) -> bool:
        return isinstance(manager, InstanceObject) and self.defines(manager, "__exit__")

    def _managed(self, body: Sequence[ast.stmt], managers: Sequence[Varied]) -> None:
        """Execute *body*; what is raised there may be swallowed by its managers."""
        before = len(self.trials[-1].thrown)
        self.execute(body)
        swallows = any(
            self._acts(one) or (isinstance(one, Unknown | External) and not _only_closes(one))
            for value in managers
            for _, one in value.groups
        )
        for thrown in self.trials[-1].thrown[before:] if swallows else ():
            self.note("dynamic", thrown.guests)

    def _left(self, manager: Plain) -> Varied:
        if self._acts(manager):
            vague = tuple(unknown(tainted=False) for _ in range(3))
            self.call(self.attribute(Varied.of(manager), "__exit__"), vague, {})
        return NONE

    def _entered(self, manager: Plain) -> Varied:
        if isinstance(manager, InstanceObject) and self.defines(manager, "__enter__"):
            return self.call(self.attribute(Varied.of(manager), "__enter__"), (), {})
        if isinstance(manager, FileObject):
            return Varied.of(manager)
        if isinstance(manager, Unknown):
            return Varied.of(manager)
        return unknown(tainted=False)

    def assign(self, target: ast.expr, value: Varied) -> None:
        """Bind a target, which may be a name, an attribute, an item or several of them."""
        raise NotImplementedError


def _all_guests(ways: Sequence[tuple[int, Callable[[], None]]]) -> int:
    found = 0
    for mask, _ in ways:
        found |= mask
    return found


def _suppressed(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return [ast.unparse(one) for one in node.args]
    return []


# Their managers close or release something, whatever happens.
_CLOSING = re.compile(
    r"^(?:open|io\.|codecs\.open|tarfile\.|zipfile\.|gzip\.|bz2\.|lzma\.|tempfile\.|socket\."
    r"|threading\.|multiprocessing\.|subprocess\.|os\.|urllib|mmap\.|sqlite3\.|contextlib\.closing)"
)


def _only_closes(manager: Unknown | External) -> bool:
    name = manager.origin if isinstance(manager, Unknown) else manager.name
    return _CLOSING.match(name) is not None


def _nothing() -> None:
    """Go on."""
