# SPDX-License-Identifier: Apache-2.0
"""What is bound where, on which guests: also where some of them may have left before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ngtpatch.installer.execution.frames import Frame
from ngtpatch.installer.execution.objects import NameStore, now
from ngtpatch.installer.execution.state import State
from ngtpatch.installer.execution.varied import (
    NOTHING,
    Plain,
    Unknown,
    Varied,
    bounded,
    join,
    merged,
)
from ngtpatch.installer.execution.worlds import World

__all__ = ["Binding"]

_MAX_VIEWS = 64


class Binding(State):
    """Binds names, and takes back what was bound on one of several ways."""

    def __init__(self, worlds: Sequence[World], *, steps: int) -> None:
        super().__init__(worlds, steps=steps)
        #: How often something that was bound was bound anew.
        self.changes = 0
        #: Of the containers that were gone through, for each of what is done late.
        self.gone_through: list[dict[int, NameStore]] = []
        #: How often something was bound at all.
        self.writes = 0
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

    def done_late(self, run: Callable[[], None], *own: NameStore) -> tuple[NameStore, ...]:
        """Execute now what Python does when somebody asks for it; return what it goes through.

        Where that matters, since it changes what is outside of it (*own* is its own)
        or raises, it is a use that is not understood.
        """
        gone_through: dict[int, NameStore] = {}
        self.gone_through.append(gone_through)
        try:
            self._done_late(run, *own)
        finally:
            self.gone_through.pop()
        return tuple(one for one in gone_through.values() if one not in own)

    def _done_late(self, run: Callable[[], None], *own: NameStore) -> None:
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
