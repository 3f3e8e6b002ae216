# SPDX-License-Identifier: Apache-2.0
"""The call that is executed, and who has left it: by ``return``, out of a loop, or raising."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ngtpatch.installer.execution.endings import Forked, Place
from ngtpatch.installer.execution.objects import ClassObject, ModuleObject, NameStore, now
from ngtpatch.installer.execution.varied import NOTHING, Plain, Varied

__all__ = ["Frame", "Loop", "Thrown", "Trial"]


@dataclass
class Thrown:
    """An exception on its way, and the guests on which it is."""

    guests: int
    error: Plain
    place: Place
    decided: Place
    when: int = field(default_factory=now)


@dataclass
class Trial:
    """The handlers around what is executed.

    Attributes:
        thrown: what was raised inside.
        perhaps: the guests on which something may have been raised that is not modelled.
        told: those of them on which whether it was raised tells the distribution.
        apart: where something is called that may raise on some of them and not on others.
    """

    thrown: list[Thrown] = field(default_factory=list)
    perhaps: int = 0
    told: int = 0
    apart: list[Forked] = field(default_factory=list)


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
