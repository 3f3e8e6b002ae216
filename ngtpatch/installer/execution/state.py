# SPDX-License-Identifier: Apache-2.0
"""Where an execution stands: the guests that are here, and what was found so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from ngtpatch.installer.execution.endings import Forked, OpenUse, OpenUseKind, Place
from ngtpatch.installer.execution.frames import Frame, Trial
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied, join
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.worlds import World

__all__ = ["Exhausted", "State"]

# Beyond so many different values on as many guests nothing is followed.
_MAX_GROUPS = 4_000


class Exhausted(Exception):
    """The budget of steps is used up."""


@lru_cache(maxsize=4)
def _told_by(worlds: tuple[World, ...]) -> dict[Callable[[World], Plain], Varied]:
    """Return where is kept what these guests were asked: many programs ask the same."""
    return {}


class State:
    """The guests that are here, and what was found."""

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
        #: Where something is called that may raise on some guests and not on others.
        self.apart: dict[Forked, None] = {}
        self._reached: dict[tuple[str, int, str], int] = {}
        self.line = 1
        #: What the loops over texts that are executed go through; of loops over
        #: numbers, functions and the like, which one more name changes by their number at most,
        #: where they stand and how many rounds they have.
        self.rounds: list[frozenset[str]] = []
        self.counted: list[tuple[str, int, int]] = []
        #: Where something that has no order was gone through first.
        self.unordered_at: Place | None = None
        #: Whether it is gone through from its end.
        self.backwards = False
        #: Where the package distro was imported, and is missing.
        self.without_distro: set[Place] = set()
        self._told = _told_by(self.worlds)
        #: Where the budget was used up.
        self.gave_up_at: Place | None = None
        #: By file and line of an ``if``: the guests on which it was true, and false.
        self.conditions: dict[tuple[str, int], tuple[int, int]] = {}
        #: What is compared and reached, where somebody asks for it.
        self.watch: Watch | None = None

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
        return [*found, *self.apart]

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


def _is_of(name: str, origin: str) -> bool:
    """Tell whether *name* is the object *origin*, or something that was made of it."""
    name = name.replace("os.getenv", "os.environ")
    return any(
        part == origin or (part.startswith(origin) and part[len(origin)] in ".[#<*")
        for part in name.split("|")
    )
