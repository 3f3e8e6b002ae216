# SPDX-License-Identifier: Apache-2.0
"""Raising: who leaves where, with which error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ngtpatch.installer.execution.binding import Binding
from ngtpatch.installer.execution.endings import Forked, Place
from ngtpatch.installer.execution.frames import Thrown
from ngtpatch.installer.execution.objects import ClassObject, InstanceObject
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["Leaving"]

_SAID_AS_GIVEN = frozenset({"SystemExit", "StopIteration"})


class Leaving(Binding):
    """Takes guests away that something is raised on."""

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

    def set_apart(self, groups: Iterable[int]) -> None:
        """Note that what is called here may raise on one group of guests and not on another."""
        place = self.place
        self.raised_apart([Forked(place.path, place.line, frozenset(groups), True)])

    def raised_apart(self, places: Sequence[Forked]) -> None:
        """Note where some guests may be told apart by what is raised there."""
        if len(self.trials) == 1:
            self.apart.update(dict.fromkeys(places))  # nobody handles it
        else:
            self.trials[-1].apart += places

    def raised_by_some(self, guests: int) -> None:
        """Note that whether something is raised here tells the distribution."""
        if len(self.trials) == 1:
            self.note("call", guests)  # nobody handles it
        else:
            self.trials[-1].told |= guests
