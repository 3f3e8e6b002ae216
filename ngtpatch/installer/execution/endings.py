# SPDX-License-Identifier: Apache-2.0
"""What an execution finds: where it is not understood, who is told apart there, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Ending", "Forked", "OpenUse", "OpenUseKind", "Place"]

OpenUseKind = Literal["budget", "call", "condition", "dynamic", "lookup", "loop", "unforeseen"]


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
