# SPDX-License-Identifier: Apache-2.0
"""Each distribution before and after, and the hazards of those that the image accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ngtpatch.report.remedies import remedy
from ngtpatch.report.stated import Standing

if TYPE_CHECKING:
    from ngtpatch.flow.verdicts import DistroSupport, HazardFound, Support

__all__ = ["DistroRow", "HazardRow", "distro_rows", "not_read"]


@dataclass(frozen=True)
class DistroRow:
    """A distribution before and after, in those of its versions that fare alike.

    Attributes:
        versions: the versions.
        pythons: the Pythons that they bring; ``not known`` where that is not known.
        before: what the installer on the base makes of it: ``accepted`` or ``not accepted``;
            None where it was not asked.
        after: likewise, of the image.
        verdict: what a rebuild of the base could do: the word of ``support``; None likewise.
        change: ``gained``, ``lost`` or ``same``; None where one of both was not asked.
        installs: what becomes of an installation from the image as it is.
        state: how good that is.
        hazards: numbers of the hazards on the page.
        steps: for each place that decides, the branch before and after.
        asked: whether it was asked for: by the one who wants the page, or by the record.
    """

    profile: str
    versions: tuple[str, ...]
    pythons: tuple[str, ...]
    before: str | None
    after: str | None
    verdict: str | None
    change: str | None
    installs: str
    state: Standing
    hazards: tuple[int, ...]
    steps: tuple[tuple[str, str], ...]
    asked: bool


@dataclass(frozen=True)
class HazardRow:
    """A hazard of the image, for the distributions that it accepts."""

    number: int
    found: HazardFound
    whom: tuple[str, ...]
    remedy: str


def distro_rows(
    shipped: Support, patched: Support, asked: frozenset[str]
) -> tuple[tuple[DistroRow, ...], tuple[HazardRow, ...]]:
    """Return each distribution before and after, and the hazards of those accepted after.

    Args:
        shipped: what ``support`` said of what the image was made from.
        patched: what it said of the image.
        asked: the ids that the image has to accept.
    """
    before = {(row.profile, row.name, row.version): row for row in shipped.distros}
    whom: dict[HazardFound, list[str]] = {}
    for row in patched.distros:
        if row.verdict == "recognised":
            for hazard in row.hazards:
                whom.setdefault(hazard, []).append(f"{row.profile or row.name} {row.version}")
    hazards = tuple(
        HazardRow(number, hazard, tuple(names), remedy(hazard))
        for number, (hazard, names) in enumerate(whom.items(), 1)
    )
    numbers = {row.found: row.number for row in hazards}
    rows = [
        _distro(
            before.get((row.profile, row.name, row.version)),
            row,
            numbers,
            asked,
            seen=not patched.unseen,
        )
        for row in patched.distros
    ]
    return tuple(_at_a_glance(rows)), hazards


def not_read(patched: Support) -> Iterator[str]:
    """Yield what no verdict and no hazard is about, in the words of ``support``.

    Args:
        patched: what it said of the image.
    """
    yield from patched.unseen
    for path, why in dict.fromkeys(
        (one.path, one.message)
        for row in patched.distros
        if row.verdict == "recognised"
        for one in row.left
    ):
        yield f"{path}: left as it is, beside the way of the installation ({why})"


def _at_a_glance(rows: Sequence[DistroRow]) -> Iterator[DistroRow]:
    """Yield one row for versions that fare alike; what changed or was asked for first."""
    merged: dict[DistroRow, list[DistroRow]] = {}
    for row in rows:
        merged.setdefault(replace(row, versions=(), pythons=()), []).append(row)
    found = [
        replace(
            row,
            versions=tuple(one.versions[0] for one in alike),
            pythons=tuple(dict.fromkeys(one.pythons[0] for one in alike)),
        )
        for row, alike in merged.items()
    ]
    yield from sorted(found, key=lambda row: (row.change == "same", not row.asked))


def _distro(
    before: DistroSupport | None, after: DistroSupport, numbers: dict[HazardFound, int],
    asked: frozenset[str], *, seen: bool,
) -> DistroRow:  # fmt: skip
    accepted = after.verdict == "recognised"
    was = None if before is None else before.verdict == "recognised"
    installs, state = _installs(after, seen=seen)
    return DistroRow(
        profile=after.profile or after.name,
        versions=(after.version,),
        pythons=(after.python or "not known",),
        before=None if was is None else _word(was),
        after=_word(accepted),
        verdict=None if before is None else before.verdict,
        change=None if was is None else "same" if was == accepted
        else "gained" if accepted else "lost",
        installs=installs,
        state=state,
        hazards=tuple(numbers[one] for one in after.hazards if accepted),
        steps=tuple(_steps(before, after)),
        asked=(after.profile or after.name) in asked,
    )  # fmt: skip


def _word(accepted: bool) -> str:
    return "accepted" if accepted else "not accepted"


def _installs(row: DistroSupport, *, seen: bool) -> tuple[str, Standing]:
    stops = [hazard for hazard in row.hazards if hazard.stops and hazard.on_way]
    told: tuple[str, Standing] = ("no hazard was found", "good")
    if not seen:
        told = ("no hazard was found in what was looked into", "warn")
    if row.verdict != "recognised":
        told = ("ends: not accepted", "unknown")
    elif row.python is None:
        told = ("not judged: its Python is not known", "unknown")
    elif stops and all(hazard.mended_by for hazard in stops):
        told = ("ends at a hazard that a rebuild mends", "bad")
    elif stops:
        told = ("ends at a hazard that no patch mends", "bad")
    elif row.hazards:
        told = ("no hazard was found that ends it; see the others", "warn")
    return told


def _steps(before: DistroSupport | None, after: DistroSupport) -> Iterator[tuple[str, str]]:
    def branches(row: DistroSupport | None) -> dict[str, str]:
        found: dict[str, dict[str, None]] = {}
        for site in row.sites if row is not None else ():
            found.setdefault(site.path, {})[site.shipped] = None
        return {path: ", ".join(taken) for path, taken in found.items()}

    was, now = branches(before), branches(after)
    for path in dict.fromkeys((*was, *now)):
        one, other = was.get(path, "not asked"), now.get(path, "gone")
        yield path, one if one == other else f"{one} → {other}"
