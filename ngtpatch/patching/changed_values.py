# SPDX-License-Identifier: Apache-2.0
"""What functions give and are called with that a change makes another, for whom it is not meant.

One more element may be counted, summed up or numbered: nobody comes to another statement by that,
and what is done there is not the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ngtpatch.installer.execution.trail import Trail
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.insertion import Insertion
from ngtpatch.patching.onlooker import Onlooker, shipped_lines
from ngtpatch.patching.places import Extension

__all__ = ["values_that_change"]


def values_that_change(
    onlooker: Onlooker,
    changes: Sequence[tuple[PythonSource, Sequence[Insertion]]],
    places: Sequence[Extension],
    guests: int,
) -> Iterator[tuple[str, int]]:
    """Yield where *guests* have a value that they had not as shipped.

    One that has what was inserted in it, such as the list of all names, is no such value, nor is
    a line that tells how many there are; what stands in a loop is not compared, since it has one
    more round.

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
    had: dict[tuple[str, int, str, str], int] = {}
    for hop, mask in before.hops.items():
        key = (hop.path, hop.line, hop.what, repr(hop.value))
        had[key] = had.get(key, 0) | mask
    for hop, mask in after.hops.items():
        line = lines[hop.path].get(hop.line, hop.line) if hop.path in lines else hop.line
        if hop.what == "line" or hop.in_round or line is None:
            continue
        shown = repr(hop.value)
        new = mask & guests & ~had.get((hop.path, line, hop.what, shown), 0)
        for now, once in counts if hop.logs else ():
            counted = re.sub(rf"\b{now}\b", str(once), shown)
            new &= ~had.get((hop.path, line, hop.what, counted), 0)
        if new and not any(text in shown.lower() for text in low):
            yield hop.path, line


def _count(place: Extension) -> int:
    return len(getattr(place.row, "elts", getattr(place.row, "keys", ())))
