# SPDX-License-Identifier: Apache-2.0
"""What one patch does to one file."""

from __future__ import annotations

from dataclasses import dataclass

from ngtpatch.patching.insertion import Insertion

__all__ = ["ORDER_HAZARD", "Already", "LeftFile", "Outcome"]

#: Why nothing at all is patched when one place cannot be (NGT 1.x, order of its steps).
ORDER_HAZARD = (
    "nothing was patched: NGT deletes an installed copy before it validates the distribution,"
    " so a half-patched installer can destroy a working one"
)


@dataclass(frozen=True)
class Already:
    """A place that needs no change for a distribution.

    Attributes:
        path: the file.
        profile: the profile's id.
        branch: the branch that its names take as shipped.
    """

    path: str
    profile: str
    branch: str


@dataclass(frozen=True)
class LeftFile:
    """A file beside the way of the installation that names distributions and was left as it is.

    Attributes:
        path: the file.
        code: why it was not patched: the code that a refusal would have.
        message: the same in words.
    """

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What a patch found in a file and would insert.

    Attributes:
        insertions: the change; none where nothing is needed.
        edits: how many operands or statements these are.
        already: the places that need no change.
        sought: the branch of the kin, where the place was found by executing the file; None
            where a chain was read.
        uses: uses of a constant that is extended, by file and line, which that may change.
        elsewhere: the change, where it is one of a file that this one imports, and its path.
        naming: files that were executed with this one, which needs no change, and have a token of
            the new names.
    """

    insertions: tuple[Insertion, ...] = ()
    edits: int = 0
    already: tuple[Already, ...] = ()
    sought: str | None = None
    uses: tuple[tuple[str, int], ...] = ()
    elsewhere: tuple[str, tuple[Insertion, ...]] | None = None
    naming: tuple[str, ...] = ()
