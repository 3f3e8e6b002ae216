# SPDX-License-Identifier: Apache-2.0
"""What is not understood on the way of an installation, and how a person accepts it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Doubt", "DoubtKind", "doubts_digest"]

DoubtKind = Literal[
    "budget",
    "call",
    "condition",
    "constant",
    "digest",
    "dynamic",
    "ending",
    "lookup",
    "loop",
    "measured",
    "release",
    "result",
    "shell",
    "unforeseen",
    "unread",
    "way",
    "without-distro",
]

_EXPLAINED: Mapping[str, str] = {
    "budget": "more to follow than the budget allows",
    "call": "something unknown is called with a fact about the distribution",
    "condition": "a condition on a fact about the distribution that is not understood",
    "constant": "a constant that gets one more element is used by the number or place of its"
    " elements, or in a way that is not understood",
    "digest": "a digest of a file that is changed stands here: who compares it finds another",
    "dynamic": "code that is made while it runs, or bound in a way that is not followed",
    "ending": "an end that its kin does not come to, by what is not understood",
    "lookup": "a fact about the distribution is looked up in something unknown",
    "loop": "a loop over a fact about the distribution that is not followed to its end",
    "measured": "the size or content of a file that is changed is looked at: who compares it finds"
    " another",
    "release": "the installation ends here on these releases, whatever the name is",
    "result": "a function gives something else than to its kin, and what its kin gets is unknown",
    "shell": "a shell script decides by a fact about the distribution",
    "unforeseen": "code that is written as this does not foresee",
    "unread": "a file on the way of the installation that could not be read",
    "without-distro": "where the Python package distro is missing, which this program foresees,"
    " what is done for a new name here is not what is done for its kin",
    "way": "what is done for a new name here, or not done, is not what is done for its kin",
}


@dataclass(frozen=True)
class Doubt:
    """A place on the way of the installation that may end it, and is not understood.

    Attributes:
        path: the file.
        line: where in it, as shipped.
        kind: what is done there.
        sha256: of that file, as shipped.
    """

    path: str
    line: int
    kind: DoubtKind
    sha256: str

    @property
    def text(self) -> str:
        """What is done there, in words."""
        return _EXPLAINED[self.kind]

    def __str__(self) -> str:
        """Name the line."""
        return f"{self.path}:{self.line}: {self.text}"


def doubts_digest(doubts: Iterable[Doubt]) -> str:
    """Return the SHA-256 that stands for these lines of these files.

    A file that changes in any byte gives another: whoever accepted the old one has not read
    the new one.
    """
    rows = sorted({(one.path, one.line, one.kind, one.sha256) for one in doubts})
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
