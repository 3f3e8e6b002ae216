# SPDX-License-Identifier: Apache-2.0
"""Does the order of a set or dictionary decide that gets one more member?

Before Python 3.6 a dictionary has none, and a set has none on any: with one more member all of
them may be gone through in another order than as shipped. So the files are executed once more for
each member, which then comes first, the one before it last. Whoever fares otherwise in one of these
orders may fare otherwise than as shipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ngtpatch.installer.execution.trail import Trail
from ngtpatch.installer.execution.watching import Turn, Watch
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.insertion import Insertion
from ngtpatch.patching.onlooker import Onlooker, Sight, shipped_lines

__all__ = ["orders_that_decide"]

#: Of more members not every order is tried, and it is said to decide.
_MOST_MEMBERS = 40


def orders_that_decide(
    onlooker: Onlooker,
    changes: Sequence[tuple[PythonSource, Sequence[Insertion]]],
    shipped: Watch,
) -> Iterator[tuple[str, int]]:
    """Yield where an order is gone through that a change makes another, and that decides.

    Args:
        onlooker: what executes the files.
        changes: what is inserted into them.
        shipped: what was seen when they were executed as shipped.

    Yields:
        The file, and the line as shipped.
    """
    first = Watch(trail=Trail())
    sight = onlooker.with_changes(changes, first)
    lines = {source.path: shipped_lines(source, insertions) for source, insertions in changes}
    for members, (path, line) in first.orderless.items():
        if members in shipped.orderless:
            continue
        if len(members) > _MOST_MEMBERS or any(
            _is_apart(members, first, sight, other, onlooker.with_changes(changes, other))
            for at in (None, *range(len(members)))
            for other in [Watch(trail=Trail(), turn=Turn(members, at))]
        ):
            yield path, lines.get(path, {}).get(line) or line


def _is_apart(
    members: frozenset[str], watch: Watch, sight: Sight, other: Watch, turned: Sight
) -> bool:
    """Tell whether a guest fares otherwise with another order of these members.

    Within a loop that goes through one of them it comes to more members or fewer before the one
    that is meant: only what it comes to instead of something else is another way.
    """
    if sight.fates != turned.fates or sight.either != turned.either:
        return True
    before, after = (one.trail.hops if one.trail else {} for one in (watch, other))
    lost = won = 0
    for hop in before.keys() | after.keys():
        was, now = before.get(hop, 0), after.get(hop, 0)
        if hop.logs or was == now:
            continue
        if hop.among.isdisjoint(members):
            return True
        lost |= was & ~now
        won |= now & ~was
    return bool(lost & won)
