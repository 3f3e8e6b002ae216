# SPDX-License-Identifier: Apache-2.0
"""What functions give and are called with that a change makes another, for whom it is not meant.

One more element may be counted, summed up or numbered: nobody comes to another statement by that,
and what is done there is not the same.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence

from ngtpatch.installer.execution.module_values import NameOf, keeps_places
from ngtpatch.installer.execution.trail import Trail, atoms_of
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.insertion import Insertion
from ngtpatch.patching.onlooker import Onlooker, shipped_lines
from ngtpatch.patching.places import Extension

__all__ = ["held_otherwise", "values_that_change"]


def held_otherwise(
    onlooker: Onlooker,
    changes: Sequence[tuple[PythonSource, Sequence[Insertion]]],
    shipped: Watch,
) -> dict[NameOf, bool]:
    """Return the names that hold something else with a change, for all whom it is not for.

    And for each whether the elements of what it held have the same places.

    Args:
        onlooker: what executes the files.
        changes: what is inserted into them.
        shipped: what was seen as shipped, with those guests.
    """
    watch = Watch(guests=shipped.guests)
    onlooker.with_changes(changes, watch)
    return {
        name: keeps_places(before, held)
        for name, held in watch.held.items()
        if (before := shipped.held.get(name, held)) != held
    }


def values_that_change(
    onlooker: Onlooker,
    changes: Sequence[tuple[PythonSource, Sequence[Insertion]]],
    places: Sequence[Extension],
    guests: int,
) -> Iterator[tuple[str, int]]:
    """Yield where *guests* have a value that they had not as shipped.

    One that has what was inserted in it, such as the list of all names, is no such value, nor is
    a line that tells how many there are. What stands in a loop over texts, or in one that has
    another number of rounds, is not compared.

    Args:
        onlooker: what executes the files.
        changes: what is inserted into them.
        places: what is extended.
        guests: for whom the change is not.

    Yields:
        The file, and the line as shipped.
    """
    before, after = Trail(), Trail()
    onlooker.as_shipped(Watch(trail=before))
    onlooker.with_changes(changes, Watch(trail=after))
    lines = {source.path: shipped_lines(source, insertions) for source, insertions in changes}
    low = [text.lower() for place in places for text in place.texts]
    counts = [(one + len(place.texts), one) for place in places if (one := _count(place))]
    rounds = {loop for hop in before.hops for loop in hop.counted}

    def at(path: str, line: int) -> int | None:
        return lines[path].get(line, line) if path in lines else line

    had: dict[tuple[str, int, str, str], int] = {}
    words_had: dict[tuple[str, int, str, tuple[str, ...]], int] = {}
    for hop, mask in before.hops.items():
        key = (hop.path, hop.line, hop.what, repr(hop.value))
        had[key] = had.get(key, 0) | mask
        words = (*key[:3], _words(hop.value))
        words_had[words] = words_had.get(words, 0) | mask
    for hop, mask in after.hops.items():
        line = at(hop.path, hop.line)
        if hop.what == "line" or hop.in_round or line is None:
            continue
        if any(
            (path, at(path, number), count) not in rounds for path, number, count in hop.counted
        ):
            continue
        shown = repr(hop.value)
        new = mask & guests & ~had.get((hop.path, line, hop.what, shown), 0)
        for now, once in counts if hop.logs else ():
            counted = re.sub(rf"\b{now}\b", str(once), shown)
            new &= ~had.get((hop.path, line, hop.what, counted), 0)
        if any(text in shown.lower() for text in low):
            # All names with one more, as a list or joined: without it they are what they were.
            rest = (hop.path, line, hop.what, _words(hop.value, low))
            new &= 0 if hop.logs else ~words_had.get(rest, 0)
        if new:
            yield hop.path, line


def _words(value: Hashable, without: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the words of a value, in any order, but for what was inserted in it."""
    found: list[str] = []
    for text in atoms_of(value):
        low = text.lower()
        for one in sorted(without, key=len, reverse=True):
            low = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", " ", low)
        found += re.findall(r"[\w./-]+", low)
    return tuple(sorted(found))


def _count(place: Extension) -> int:
    return len(getattr(place.row, "elts", getattr(place.row, "keys", ())))
