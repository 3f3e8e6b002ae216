# SPDX-License-Identifier: Apache-2.0
"""How many certificates end when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["EndingIn", "timeline"]

_MONTHS = 36


@dataclass(frozen=True)
class EndingIn:
    """A month or year in which certificates end.

    Attributes:
        label: ``2027-03``, ``2031``, ``ended``, or ``not known``.
        count: how many end in it.
        share: that in thousandths of the most that end in one.
        state: ``ended``, ``ends`` or ``unknown``.
    """

    label: str
    count: int
    share: int
    state: Literal["ended", "ends", "unknown"]


def timeline(certificates: Iterable[tuple[str | None, int | None]]) -> tuple[EndingIn, ...]:
    """Return the months in which certificates end: what has ended first, unknown ones last.

    Where these are many months, years are counted.

    Args:
        certificates: of each the day on which it ends, and the days until then.
    """
    ended, unknown = 0, 0
    months: Counter[str] = Counter()
    for until, days in certificates:
        if until is None or days is None:
            unknown += 1
        elif days < 0:
            ended += 1
        else:
            months[until[:7]] += 1
    if len(months) > _MONTHS:
        years: Counter[str] = Counter()
        for month, count in months.items():
            years[month[:4]] += count
        months = years
    most = max([ended, unknown, *months.values()], default=0)

    def span(label: str, count: int, state: Literal["ended", "ends", "unknown"]) -> EndingIn:
        return EndingIn(label, count, round(count / most * 1000), state)

    return (
        *([span("ended", ended, "ended")] if ended else ()),
        *(span(label, count, "ends") for label, count in sorted(months.items())),
        *([span("not known", unknown, "unknown")] if unknown else ()),
    )
