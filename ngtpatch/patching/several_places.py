# SPDX-License-Identifier: Apache-2.0
"""The places that a disc's programs need beside the chain, for new names to fare as their kin.

A gate before the chain, a second chain behind it, a table of the installer that was picked: each
decides, too. All programs of the disc are executed together. Where no places together do at once,
those that have the new names come further on the way of their kin are taken, and it is looked
again from there, until the new names fare as their kin in everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.way import programs
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.kin_search import KinSearch

__all__ = ["SeveralPlaces", "several_places"]

_MOST_STEPS = 4
_SHORTEST = 3
"""Characters of a text that stands for a name: with fewer it would stand for many another."""


@dataclass(frozen=True)
class SeveralPlaces:
    """What was found.

    Attributes:
        contents: the files with what is added, by path.
        edits: how many elements were added to each.
    """

    contents: Mapping[str, bytes]
    edits: Mapping[str, int]


def several_places(
    tree: Mapping[str, bytes],
    kin: Mapping[World, World],
    needles: Mapping[World, Sequence[str]],
    others: Sequence[World],
) -> SeveralPlaces | None:
    """Return what else has the new names fare as their kin on *tree*; None where nothing is proven.

    Args:
        tree: the files.
        kin: for each new name the known one that it is to be treated as.
        needles: the tokens that stand for each new name.
        others: everybody else, who is to fare as before.
    """
    contents: dict[str, bytes] = {}
    edits: Counter[str] = Counter()
    for _ in range(_MOST_STEPS):
        now = {**tree, **contents}
        try:
            search = KinSearch(
                now, [parse(path, now[path]) for path in programs(now)], kin, needles, others
            )
            if search.is_decided:
                return None
            places = search.places()
        except Refusal:
            return None
        is_all = bool(places)
        places = places or search.steps()
        if not places or any(len(text) < _SHORTEST for place in places for text in place.texts):
            return None
        made: dict[PythonSource, list[Insertion]] = {}
        for place in places:
            made.setdefault(place.source, []).extend(place.insertions)
            edits[place.source.path] += len(place.texts)
        contents |= {source.path: insert(source, made[source]) for source in made}
        if is_all:
            return SeveralPlaces(contents, edits)
    return None
