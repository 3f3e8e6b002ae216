# SPDX-License-Identifier: Apache-2.0
"""Which tokens may go into the installer's chain.

The chain asks ``"token" in name`` with a lower-cased NAME, and tests the Red
Hat branch first: a token that is too short accepts strangers (``kylin`` takes
Ubuntu Kylin away from Ubuntu). Therefore a needle is a full lower-case NAME or
its stable prefix of whole words, and no other known name contains it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ngtpatch.patching.known_names import known_names

__all__ = ["NeedleFault", "check_needles", "foreign_names"]


@dataclass(frozen=True)
class NeedleFault:
    """Why a needle cannot be used: a stable code, and one sentence that names the needle."""

    code: str
    message: str


def check_needles(
    needles: Sequence[str], names: Sequence[str], *, others: Iterable[str] = ()
) -> tuple[NeedleFault, ...]:
    """Return what is wrong with *needles* for a distribution that reports *names*.

    Args:
        needles: the tokens for the chain.
        names: every NAME the distribution reports, in its own case.
        others: names of other distributions beyond the known ones.
    """
    faults: list[NeedleFault] = []
    lowered = [_lowered(name) for name in names]
    for needle in needles:
        fault = _shape(needle) or _prefix(needle, lowered) or _foreign(needle, lowered, others)
        if fault is not None:
            faults.append(fault)
    faults.extend(
        NeedleFault("needle-uncovered", f"no needle matches the name {name!r}")
        for name in names
        if not any(needle in _lowered(name) for needle in needles)
    )
    return tuple(faults)


def foreign_names(
    needle: str, names: Iterable[str], *, others: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the names, lower-cased, that *needle* would match beside *names*.

    A name that an unpatched installer already sends to another branch counts as
    foreign even when *names* claims it: it would be taken away from that branch.
    """
    known = known_names()
    taken = {one.name for one in known if one.stock not in ("unsupported", "redhat")}
    own = {name.lower() for name in names} - taken
    candidates = {one.name for one in known} | {other.lower() for other in others}
    return tuple(sorted(name for name in candidates - own if needle in name))


def _lowered(name: str) -> str:
    """Return NAME as every Python lowers it: a str of Python 2 lowers ASCII alone."""
    return "".join(char.lower() if char.isascii() else char for char in name)


def _shape(needle: str) -> NeedleFault | None:
    if needle != needle.lower():
        return NeedleFault(
            "needle-case",
            f"the needle {needle!r} is not lower-case, and the installer compares lower-case names",
        )
    if needle != needle.strip() or not needle.isprintable() or len(needle) < 3:
        return NeedleFault(
            "needle-shape",
            f"the needle {needle!r} must be printable, without spaces around it, "
            "and have at least three characters",
        )
    if not needle.isascii() or set(needle) & set("'\"\\"):
        return NeedleFault(
            "needle-shape",
            f"the needle {needle!r} must be of ASCII without quotes and backslashes: it is to"
            " stand in source that any Python reads",
        )
    return None


def _prefix(needle: str, lowered: Sequence[str]) -> NeedleFault | None:
    for name in lowered:
        if name.startswith(needle) and not name[len(needle) : len(needle) + 1].isalnum():
            return None
    return NeedleFault(
        "needle-not-prefix",
        f"the needle {needle!r} is neither one of the names, lower-cased, nor the first whole "
        "words of one",
    )


def _foreign(needle: str, lowered: Sequence[str], others: Iterable[str]) -> NeedleFault | None:
    foreign = foreign_names(needle, lowered, others=others)
    if not foreign:
        return None
    return NeedleFault(
        "needle-foreign",
        f"the needle {needle!r} would also match {', '.join(repr(name) for name in foreign)}",
    )
