# SPDX-License-Identifier: Apache-2.0
"""What became of the places of an archive's files that decide by distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ngtpatch.installer.execution.watching import Watch
from ngtpatch.patching.insertion import Insertion

__all__ = ["Likened", "Treated", "Treatment"]

Treatment = Literal["alike", "extended", "unaccepted", "left"]


@dataclass(frozen=True)
class Treated:
    """A place of a file that decides by distribution.

    Attributes:
        path: the file.
        line: where, as shipped.
        treatment: ``alike``: the new names fare as their kin does; ``extended``: they do now;
            ``unaccepted``: it does not accept the kin either, and stays; ``left``: it could not
            be made to, and stays.
        reason: why it was left; empty otherwise.
        profiles: ids of those whose names were added, with ``extended``.
    """

    path: str
    line: int
    treatment: Treatment
    reason: str = ""
    profiles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Likened:
    """What the kin rule makes of some files.

    Attributes:
        contents: the files that change.
        insertions: what changes them.
        edits: how many operands each got.
        treated: the places that decide, by path and line.
        watch: what was seen when the files were executed as shipped.
    """

    contents: Mapping[str, bytes]
    insertions: Mapping[str, tuple[Insertion, ...]]
    edits: Mapping[str, int]
    treated: tuple[Treated, ...]
    watch: Watch = field(default_factory=Watch, repr=False, compare=False)
