# SPDX-License-Identifier: Apache-2.0
"""Where an execution stands: the guests that are here, what was written, what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from ngtpatch.installer.execution.objects import (
    ClassObject,
    InstanceObject,
    ModuleObject,
    NameStore,
    now,
)
from ngtpatch.installer.execution.varied import (
    NOTHING,
    Plain,
    Unknown,
    Varied,
    bounded,
    join,
    merged,
)
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.worlds import World

__all__ = [
    "Ending",
    "Exhausted",
    "Forked",
    "Frame",
    "Loop",
    "OpenUse",
    "OpenUseKind",
    "State",
    "Thrown",
    "Trial",
]

OpenUseKind = Literal["budget", "call", "condition", "dynamic", "lookup", "loop", "unforeseen"]

# Beyond so many different values on as many guests nothing is followed.
_MAX_GROUPS = 4_000


class Exhausted(Exception):
    """The budget of steps is used up."""


@dataclass(frozen=True)
class Place:
    """A line of a file, and the function it is in."""

    path: str
    line: int
    function: str


@dataclass(frozen=True)
class OpenUse:
    """A use of a fact that is not understood.

    Attributes:
        kind: what uses it.
        path: the file.
        line: where in it.
        function: the function it stands in; empty for the module itself.
        guests: for whom.
    """

    kind: OpenUseKind
    path: str
    line: int
    function: str
    guests: int


@dataclass(frozen=True)
class Forked:
    """A place at which guests may be told apart by what is not modelled.

    Attributes:
        path: the file.
        line: where in it.
        groups: guests that are treated alike there. One that is in a group and one that is
            not may fare differently.
        reached: whether it is a call of something unknown, and the group those who come to it.
    """

    path: str
    line: int
    groups: frozenset[int]
    reached: bool


@dataclass(frozen=True)
class Ending:
    """A way in which the program ends before its end.

    Attributes:
        error: the class of the exception, such as ``SystemExit``.
        path: the file in which it is raised.
        line: where in it.
        function: the function that raises it.
        decided: file and line of the condition that led there; that of the place itself
            where none did.
        success: whether it is an exit with code 0, or one that is not known.
        alone: whether a function was executed that the programs do not call, with arguments
            of which nothing is known.
        guests: for whom it happens, or may.
        certain: those of them who come to no other end.
    """

    error: str
    path: str
    line: int
    function: str
    decided: tuple[str, int]
    success: bool
    alone: bool
    guests: int
    certain: int


@dataclass
class Thrown:
    """An exception on its way, and the guests on which it is."""

    guests: int
    error: Plain
    place: Place
    decided: Place
    when: int = field(default_factory=now)


_MAX_VIEWS = 64


@dataclass
class Trial:
    """The handlers around what is executed.

    Attributes:
        thrown: what was raised inside.
        perhaps: the guests on which something may have been raised that is not modelled.
        told: those of them on which whether it was raised tells the distribution.
    """

    thrown: list[Thrown] = field(default_factory=list)
    perhaps: int = 0
    told: int = 0


@dataclass
class Loop:
    """Guests that left a loop, or its round.

    Attributes:
        broken: those who go on behind it.
        continued: those who go on with the next round.
        aside: those of both who had left when a ``try`` with a ``finally`` was begun.
        when: when somebody left last.
    """

    broken: int = 0
    continued: int = 0
    aside: int = 0
    when: int = 0


@dataclass
class Frame:
    """One call of a function, the body of a class, or a module."""

    module: ModuleObject
    function: str
    local: NameStore
    closure: tuple[NameStore, ...] = ()
    owner: ClassObject | None = None
    first: Varied = NOTHING
    returned: list[tuple[int, Plain]] = field(default_factory=list)
    #: Who returned, of them those who did on the way of a fork that is executed, and when the last.
    left: int = 0
    left_this_way: int = 0
    when: int = 0
    loops: list[Loop] = field(default_factory=list)
    outside: dict[str, NameStore] = field(default_factory=dict)
    yields: Any = None
    #: The names that the function itself binds: no other is meant by them.
    own: frozenset[str] = frozenset()
    #: Whether it is the body of a class, whose names nobody inside sees.
    is_class: bool = False
    #: How many handlers there were around the call.
    trials: int = 1
    #: Whether it is a comprehension, whose ``:=`` binds in the frame around it.
    is_inner: bool = False


@lru_cache(maxsize=4)
def _told_by(worlds: tuple[World, ...]) -> dict[Callable[[World], Plain], Varied]:
    """Return where is kept what these guests were asked: many programs ask the same."""
    return {}


class State:
    """The guests that are here, the journal of writes, and what was found."""

    def __init__(self, worlds: Sequence[World], *, steps: int) -> None:
        self.worlds = tuple(worlds)
        #: Whether the running Python is what is asked for.
        self.of_python = any(world.python is not None for world in self.worlds)
        self.everyone = (1 << len(self.worlds)) - 1
        self.mask = self.everyone
        self.steps = steps
        self.trials: list[Trial] = []
        self.frames: list[Frame] = []
        self.findings: dict[tuple[str, str, int], OpenUse] = {}
        self.splits: list[Place] = []
        #: How many of the conditions that led here told guests apart.
        self.divided = 0
        #: Origins of unknown objects that were given something which differs by guest.
        self.stained: set[str] = set()
        self._touched: dict[str, set[int]] = {}
        self._forked: dict[tuple[str, int], set[int]] = {}
        self._reached: dict[tuple[str, int, str], int] = {}
        self.line = 1
        #: How often something that was bound was bound anew.
        self.changes = 0
        #: Where something that has no order was gone through first.
        self.unordered_at: Place | None = None
        #: Whether it is gone through from its end.
        self.backwards = False
        #: How often something was bound at all.
        self.writes = 0
        self._told = _told_by(self.worlds)
        #: Where the budget was used up.
        self.gave_up_at: Place | None = None
        #: By file and line of an ``if``: the guests on which it was true, and false.
        self.conditions: dict[tuple[str, int], tuple[int, int]] = {}
        #: What is compared and reached, where somebody asks for it.
        self.watch: Watch | None = None
        #: By the identity of a dictionary's store: that store, and what was taken as its views.
        self._shown: dict[int, tuple[NameStore, list[NameStore]]] = {}
        self._shown_of: dict[int, NameStore] = {}
        #: The guests that may have left, and may be here as well: what is bound for them, and
        #: what the function's own names hold, may not have been bound.
        self._weak = self._weak_own = 0
        self._is_undecided = False
        #: When each of them left.
        self._leaves: list[tuple[int, int]] = []
        self._journals: list[dict[tuple[int, Any], tuple[NameStore, Any, Varied]]] = []
        #: What something unknown may bind at any time: the store, and for whom it may differ.
        self.loose: dict[tuple[int, Any], tuple[NameStore, int]] = {}

    def where(self, holds: Callable[[World], bool]) -> int:
        """Return the guests for whom *holds*."""
        return sum(1 << number for number, world in enumerate(self.worlds) if holds(world))

    def by_world(self, value: Callable[[World], Plain]) -> Varied:
        """Return what is asked of each guest: atoms and tuples, the same at each time."""
        found = self._told.get(value)
        if found is None:
            found = self._told[value] = self.of_each(value)
        return found

    def of_each(self, value: Callable[[World], Plain]) -> Varied:
        """Return what is asked of each guest: objects that are made at each time."""
        return join((1 << number, value(world)) for number, world in enumerate(self.worlds))

    # Bounds --------------------------------------------------------------------------------

    def spend(self, steps: int = 1) -> None:
        """Take *steps* from the budget. Raises Exhausted."""
        self.steps -= steps
        if self.steps < 0:
            self.gave_up_at = self.gave_up_at or (self.place if self.frames else None)
            raise Exhausted

    def gather(self, groups: Iterable[tuple[int, Plain]]) -> Varied:
        """Return what *groups* are, or an unknown value where they are too many."""
        made = join(groups)
        if len(made.groups) > _MAX_GROUPS:
            return Varied(((made.mask, Unknown(tainted=True)),))
        return made

    # Told apart by what is not known -------------------------------------------------------

    def parted(self) -> bool:
        """Tell whether what is done here is done for some guests alone."""
        if self.divided:
            return True
        gone = 0
        for frame in self.frames:
            gone |= frame.left
            for loop in frame.loops:
                gone |= loop.broken | loop.continued | loop.aside
        return bool(gone & ~self.mask)

    def stain(self, origin: str, *values: Varied) -> None:
        """Remember that an unknown object was given *values*, where they differ by guest."""
        if not origin:
            return
        if self.depends(*values):
            self.stained.update(origin.split("|"))
        elif self.parted():
            for part in origin.split("|"):
                self._touched.setdefault(part, set()).add(self.mask)

    def touched(self, name: str) -> list[tuple[int, str]]:
        """Return the guests that are here by which of them have changed the object *name*."""
        parts = [(self.mask, "")]
        if self._touched:
            masks = {
                mask for origin, found in self._touched.items() if _is_of(name, origin)
                for mask in found
            }  # fmt: skip
            for number, mask in enumerate(sorted(masks)[:8]):
                parts = [
                    (guests & way, f"{told}*{number}" if way == mask else told)
                    for guests, told in parts for way in (mask, ~mask) if guests & way
                ]  # fmt: skip
        return parts

    def is_stained(self, name: str) -> bool:
        """Tell whether *name* is an object, or of an object, that was given such a value."""
        return bool(self.stained) and any(_is_of(name, one) for one in self.stained)

    def depends(self, *operands: Varied) -> bool:
        """Tell whether one of them depends on the guest."""
        raise NotImplementedError

    def tell_apart(self, value: Varied) -> None:
        """Note that a program decides by *value*, of which only the origin is known."""
        groups = [
            mask for mask, one in value.each(self.mask)
            if isinstance(one, Unknown) and not one.tainted
        ]  # fmt: skip
        if groups and (len(groups) > 1 or groups[0] != self.mask):
            place = self.place
            self._forked.setdefault((place.path, place.line), set()).update(groups)

    def reach(self, name: str) -> None:
        """Note who comes to a call of something unknown."""
        place = self.place
        key = (place.path, place.line, name)
        self._reached[key] = self._reached.get(key, 0) | self.mask

    def forked(self) -> list[Forked]:
        """Return where guests may be told apart by what is not modelled."""
        found = [Forked(*key, frozenset(groups), False) for key, groups in self._forked.items()]
        found += [
            Forked(path, line, frozenset({mask}), True)
            for (path, line, _), mask in self._reached.items()
            if mask != self.everyone
        ]
        return found

    # Where it stands -----------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """The line that is executed."""
        frame = self.frames[-1]
        return Place(frame.module.path or frame.module.name, self.line, frame.function)

    @property
    def spot(self) -> tuple[str, int]:
        """File and number of the line that is executed."""
        return (self.frames[-1].module.path or "", self.line)

    def note(self, kind: OpenUseKind, guests: int | None = None) -> None:
        """Note a use that is not understood, at the line that is executed."""
        guests = self.mask if guests is None else guests
        if not guests:
            return
        place = self.place
        key = (kind, place.path, place.line)
        old = self.findings.get(key)
        self.findings[key] = OpenUse(
            kind, place.path, place.line, place.function, guests | (old.guests if old else 0)
        )

    # Writing -------------------------------------------------------------------------------

    def write(self, store: NameStore, name: Any, value: Varied, mask: int | None = None) -> None:
        """Bind *name* in *store*, on the guests that are here."""
        mask = self.mask if mask is None else mask
        if self.loose and (id(store), name) in self.loose:
            tainted = bool(self.loose[id(store), name][1] & mask) or self.depends(
                value.within(mask)
            )
            value = Varied(((mask, Unknown(tainted, "" if tainted else f"?{name}")),))
        old = store.slots.get(name, NOTHING)
        weak = (self._weak_own if store is self._own_store() else self._weak) & mask & old.mask
        weak = weak and weak & self._left_since(store.born)
        if weak:
            value = join((*value.within(mask).groups, *old.within(weak).groups))
        self.writes += 1
        self.changes += bool(old.groups)
        if self._journals:
            self._journals[-1].setdefault((id(store), name), (store, name, old))
        if old.mask & ~mask == 0:
            store.slots[name] = value.within(mask)
        else:
            store.slots[name] = join((*old.within(~mask).groups, *value.within(mask).groups))
        if name == "items" and id(store) in self._shown:
            for view in self._shown[id(store)][1]:
                self.write(view, name, Varied(((mask, Unknown(tainted=True)),)), mask)

    def _own_store(self) -> NameStore | None:
        """Return the store of the names that only the function sees that is executed."""
        local = self.frames[-1].local if self.frames else None
        return None if local is None or local.captured else local

    def weigh(self) -> None:
        """Find who may have left by a way that comes together with this one later on."""
        if not self._is_undecided:
            return
        leaves: list[tuple[int, int]] = []
        outside = own = 0
        for frame in self.frames:
            own = 0
            for loop in frame.loops:
                gone = loop.broken | loop.continued | loop.aside
                own |= gone
                leaves.append((loop.when, gone))
            outside |= frame.left | own
            leaves.append((frame.when, frame.left))
        start = self.frames[-1].trials if self.frames else 0
        for at, trial in enumerate(self.trials):
            # What nobody handles ends the program.
            for one in trial.thrown if at else ():
                outside |= one.guests
                own |= one.guests if at >= start else 0
                leaves.append((one.when, one.guests))
        self._weak, self._weak_own, self._leaves = outside, own, leaves

    def _left_since(self, born: int) -> int:
        """Return who left when what was born then was there: the others never heard of it."""
        found = 0
        for when, guests in self._leaves:
            if when >= born:
                found |= guests
        return found

    def loosen(self, store: NameStore, name: Any, mask: int) -> None:
        """Note that something unknown may bind *name* in *store* from now on, at any time."""
        here = self.mask
        self.mask = self.everyone
        tainted = mask if self.depends(store.get(name)) else 0
        self.mask = here
        old = self.loose.get((id(store), name), (store, 0))[1]
        self.loose[id(store), name] = store, old | tainted
        self.write(store, name, Varied.of(None), mask)

    def expose(self, *values: Varied, inner: bool = False) -> None:
        """Note that something unknown can reach *values*; *inner*: only what is in them."""
        raise NotImplementedError

    def act(self, left: Varied | None = None) -> None:
        """Do to what something unknown can reach whatever may be done to it."""
        raise NotImplementedError

    def show(self, store: NameStore, view: NameStore) -> None:
        """Remember that *view* holds what is in *store*: it is not followed when that changes."""
        views = self._shown.setdefault(id(store), (store, []))[1]
        if len(views) >= _MAX_VIEWS:
            self.write(views.pop(0), "items", Varied.of(Unknown(tainted=True)), self.everyone)
        views.append(view)
        self._shown_of[id(view)] = store

    def shown_in(self, store: NameStore) -> NameStore:
        """Return the store of the dictionary of which this one's is a view, or itself."""
        return self._shown_of.get(id(store), store)

    def fork(self, branches: Sequence[tuple[int, Callable[[], None]]]) -> None:
        """Execute several ways that guests take; those of two ways have the values of either."""
        branches = [(mask & self.mask, run) for mask, run in branches]
        seen = both = 0
        for mask, _ in branches:
            both |= seen & mask
            seen |= mask
        rest = self.mask & ~seen
        if not both:
            for mask, run in branches:
                if mask:
                    self.mask = mask
                    run()
                    rest |= self.mask
            self.mask = rest
            return
        self._fork_apart(branches, both, rest)

    def _fork_apart(
        self, branches: Sequence[tuple[int, Callable[[], None]]], both: int, rest: int
    ) -> None:
        written: list[tuple[int, dict[tuple[int, Any], Varied], Frame, int]] = []
        touched: dict[tuple[int, Any], tuple[NameStore, Any, Varied]] = {}
        for mask, run in branches:
            if not mask:
                continue
            frame = self.frames[-1]
            left, frame.left_this_way = frame.left_this_way, 0
            self.mask = mask
            with self._journal() as journal:
                run()
            after = {}
            for key, (store, name, old) in journal.items():
                touched.setdefault(key, (store, name, old))
                now = store.slots.get(name, NOTHING)
                after[key] = now.within(both & mask)
                store.slots[name] = join(
                    (*now.within(~(both & mask)).groups, *old.within(both & mask).groups)
                )
            written.append((mask & both, after, frame, frame.left_this_way))
            frame.left_this_way |= left
            rest |= self.mask
        self.spend(8 + 2 * len(touched))
        for key, (store, name, _) in touched.items():
            base = store.slots.get(name, NOTHING)
            groups: list[tuple[int, Plain]] = []
            covered = 0
            for mask, after, frame, left in written:
                # What a way that returned has bound in its own function is seen by nobody.
                own = store is frame.local and not store.captured
                live = mask & ~left if own else mask
                covered |= live
                groups += after.get(key, base).within(live).groups
            groups += base.within(~covered).groups
            self.spend(len(groups) >> 4)
            store.slots[name] = bounded(merged(join(groups)))
        self.mask = rest
        self._is_undecided = True
        self.weigh()

    def done_late(self, run: Callable[[], None], *own: NameStore) -> None:
        """Execute now what Python does when somebody asks for it.

        Where that matters, since it changes what is outside of it (*own* is its own)
        or raises, it is a use that is not understood.
        """
        start, raised, here = now(), len(self.trials[-1].thrown), self.mask
        with self._journal() as journal:
            run()
        # What we ourselves bind for its elements has a name that no program can write.
        changed = any(
            store.born < start and store not in own and not str(name).startswith("\x00")
            for store, name, _ in journal.values()
        )
        if changed or len(self.trials[-1].thrown) > raised:
            self.note("dynamic", here)

    def under(self, mask: int, run: Callable[[], Varied]) -> Varied:
        """Return what *run* gives on the guests of *mask* alone."""
        here = self.mask
        self.mask = here & mask
        found = run()
        self.mask |= here & ~mask
        return found.within(mask)

    @contextmanager
    def _journal(self) -> Iterator[dict[tuple[int, Any], tuple[NameStore, Any, Varied]]]:
        """Yield what was before, of all that the block writes; those around it hear of it, too."""
        journal: dict[tuple[int, Any], tuple[NameStore, Any, Varied]] = {}
        self._journals.append(journal)
        try:
            yield journal
        finally:
            self._journals.pop()
            if self._journals:
                for key, entry in journal.items():
                    self._journals[-1].setdefault(key, entry)

    def speculate(self, run: Callable[[], None]) -> None:
        """Execute something and take back whatever it has written."""
        self._journals.append({})
        try:
            run()
        finally:
            for store, name, old in self._journals.pop().values():
                store.slots[name] = old

    # Leaving -------------------------------------------------------------------------------

    def throw(self, error: Plain, mask: int | None = None) -> None:
        """Raise *error* on the guests of *mask*, which are then no longer here."""
        mask = self.mask if mask is None else mask & self.mask
        if mask:
            self.trials[-1].thrown += [
                Thrown(guests, error, self.place, decided)
                for guests, decided in self.decided_by(mask)
            ]
            self.mask &= ~mask

    def decided_by(self, mask: int) -> list[tuple[int, Place]]:
        """Return what has decided that the guests of *mask* came here, by guests."""
        return [(mask, self.splits[-1] if self.splits else self.place)]

    def throw_named(self, name: str, mask: int | None = None, *args: Plain) -> None:
        """Raise one of Python's own exceptions."""
        mask = self.mask if mask is None else mask & self.mask
        if mask:
            instance = InstanceObject(self.error_class(name))
            # What Python says in words is not the same on every one.
            told = args if name in _SAID_AS_GIVEN else (Unknown(tainted=True),)
            instance.store.slots["args"] = Varied.of(told)
            instance.store.slots["code"] = Varied.of(args[0] if args else None)
            self.throw(instance, mask)

    def throw_some(self, raised: Sequence[tuple[int, str, tuple[Plain, ...]]], kept: int) -> None:
        """Raise each of Python's own exceptions, with its guests and arguments.

        A guest of *kept* has another value as well, and may come through.
        """
        here = self.mask
        gone = 0
        for mask, name, args in raised:
            self.mask = here
            self.throw_named(name, mask, *args)
            gone |= mask
        self.mask = here & ~(gone & ~kept)

    def throw_with(self, name: str, code: Varied) -> None:
        """Raise one of Python's own exceptions with an argument that may differ."""
        here = self.mask
        left = here
        for mask, one in list(code.each(here)):
            # A guest may have more than one of them.
            self.mask = here
            self.throw_named(name, mask, one)
            left &= self.mask
        self.mask = left

    def error_class(self, name: str) -> ClassObject:
        """Return the class of one of Python's own exceptions."""
        raise NotImplementedError

    def perhaps(self, *, tells: bool = False) -> None:
        """Note that something which is not modelled may raise here.

        Args:
            tells: whether it raises on one distribution and not on another, as who opens a file
                does that one of them alone has.
        """
        self.trials[-1].perhaps |= self.mask
        if tells:
            self.raised_by_some(self.mask)

    def raised_by_some(self, guests: int) -> None:
        """Note that whether something is raised here tells the distribution."""
        if len(self.trials) == 1:
            self.note("call", guests)  # nobody handles it
        else:
            self.trials[-1].told |= guests


_SAID_AS_GIVEN = frozenset({"SystemExit", "StopIteration"})


def _is_of(name: str, origin: str) -> bool:
    """Tell whether *name* is the object *origin*, or something that was made of it."""
    name = name.replace("os.getenv", "os.environ")
    return any(
        part == origin or (part.startswith(origin) and part[len(origin)] in ".[#<*")
        for part in name.split("|")
    )
