# SPDX-License-Identifier: Apache-2.0
"""The names that distributions are known to report, and what an unpatched installer makes of them.

``known_names.csv`` beside this module holds one row for each combination of
NAME, ID, ID_LIKE and PLATFORM_ID (os-release(5)) that was seen, lower-cased,
with its versions. Rows without an ID come from a legacy release file
(``/etc/redhat-release`` and its kin), which EL6 and older have instead.

A needle that goes into the installer's chain is checked against every one of
these names: that is how a patch for one distribution is kept from accepting
another.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from importlib import resources
from typing import Literal

__all__ = ["Family", "KnownDistribution", "KnownName", "known_distributions", "known_names"]

Family = Literal["el", "rpm", "debian", "suse", "other"]
"""Enterprise Linux and its clones; other RPM distributions; Debian's and SUSE's; the rest."""


@dataclass(frozen=True)
class KnownDistribution:
    """What one distribution was seen to report.

    Attributes:
        name: NAME, lower-cased, as the installer compares it.
        family: what kind of distribution it is.
        stock: the branch that the chain quoted from NGT 1.x takes for the name
            (``redhat``, ``ubuntu``, ``suse`` or ``unsupported``).
        id: ID, empty where only a legacy release file was seen.
        id_like: ID_LIKE, in its order.
        platform_id: PLATFORM_ID, empty where there is none.
        versions: VERSION_ID of each release seen; empty for rolling ones.
    """

    name: str
    family: Family
    stock: str
    id: str
    id_like: tuple[str, ...]
    platform_id: str
    versions: tuple[str, ...]


@dataclass(frozen=True)
class KnownName:
    """One name, lower-cased, with its family and the branch an unpatched chain takes for it."""

    name: str
    family: Family
    stock: str


_FAMILIES: dict[str, Family] = {"el": "el", "rpm": "rpm", "other": "other"}


@functools.cache
def known_distributions() -> tuple[KnownDistribution, ...]:
    """Return every row of the table, in its order."""
    table = resources.files("ngtpatch.patching").joinpath("known_names.csv")
    with table.open("r", encoding="utf-8") as stream:
        return tuple(
            KnownDistribution(
                name=row["name"],
                family=_FAMILIES[row["family"]],
                stock=row["stock"],
                id=row["id"],
                id_like=tuple(row["id_like"].split()),
                platform_id=row["platform_id"],
                versions=tuple(row["versions"].split()),
            )
            for row in csv.DictReader(stream)
        )


@functools.cache
def known_names() -> tuple[KnownName, ...]:
    """Return every distinct name, sorted, with what an unpatched installer decides for it."""
    distinct = {
        row.name: KnownName(row.name, row.family, row.stock) for row in known_distributions()
    }
    return tuple(distinct[name] for name in sorted(distinct))
