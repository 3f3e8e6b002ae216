# SPDX-License-Identifier: Apache-2.0
"""Profiles and patches over a tree: changed files, or a refusal. All or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.installer.execution.worlds import World
from ngtpatch.patching.doubts import Doubt
from ngtpatch.patching.guests import (
    foreseen,
    kin_of,
    known_worlds,
    may_lack_distro,
    probes_beside,
    worlds_of,
)
from ngtpatch.patching.kin_proof import KinProof, prove
from ngtpatch.patching.outcome import Already, LeftFile
from ngtpatch.patching.patch import Patch
from ngtpatch.patching.planning import ChangedFile, PatchPlan, enlarged, plan
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.several_places import several_places

__all__ = ["Patched", "apply", "concluded"]

# Where nothing is seen to decide, or too much, several places together may.
_SEARCHED = frozenset({"anchor-missing", "anchor-ambiguous", "shape", "conflict"})


@dataclass(frozen=True)
class Patched:
    """The effect of the patches.

    Attributes:
        changed: the files that change, sorted by path.
        already: the places that need no change, by path and profile.
        doubts: places on the way of the installation that may end it for a new name and are
            not understood; empty where no name is added.
        left: files that are not on that way, and could not be patched.
        way: the files on that way.
    """

    changed: tuple[ChangedFile, ...]
    already: tuple[Already, ...]
    doubts: tuple[Doubt, ...] = ()
    left: tuple[LeftFile, ...] = ()
    way: frozenset[str] = frozenset()


def apply(
    tree: Mapping[str, bytes], profiles: Sequence[Profile], patches: Sequence[Patch]
) -> Patched:
    """Return what *patches* make of *tree* for *profiles*. Writes nothing.

    Applied to its own result it changes nothing and says so in ``already``.

    Raises:
        InputError: ``no-installer``.
        Refusal: one place cannot be patched, so none is: ``anchor-missing``,
            ``anchor-ambiguous``, ``shape``, ``conflict``, ``unparsable``, ``lossy``.
    """
    with paused_collector():
        try:
            planned: PatchPlan | Refusal = plan(tree, profiles, patches)
        except Refusal as refusal:
            planned = refusal
        if not (
            isinstance(planned, Refusal) or planned.changed or planned.already or planned.puzzles
        ):
            return Patched((), ())
        return concluded(tree, profiles, patches, planned)[1]


def concluded(
    tree: Mapping[str, bytes],
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
    planned: PatchPlan | Refusal,
    proof: KinProof | None = None,
) -> tuple[PatchPlan, Patched]:
    """Return the plan that does, and what it makes of *tree*.

    Where the chains alone do not do, every place is sought by executing the files; and where one
    place is not enough, what else decides on the way.

    Args:
        tree: the files.
        profiles: for whom.
        patches: what is asked for.
        planned: what the chains gave, or why they gave nothing.
        proof: what executing that plan showed, where it was executed already.

    Raises:
        Refusal: nothing was proven.
    """
    if isinstance(planned, Refusal):
        again = None
        if planned.code in _SEARCHED:
            again = _with_several(tree, profiles, patches, None)
        if again is None:
            raise planned
        return again
    proof = proof or prove(tree, planned.after, profiles, planned.anchors)
    try:
        patched = _judged(planned, profiles, proof)
    except Refusal as refusal:
        if refusal.code != "conflict":
            raise
        again = _replanned(tree, profiles, patches, planned) or _with_several(
            tree, profiles, patches, planned
        )
        if again is None:
            raise
        return again
    if any(one.kind in ("way", "without-distro") for one in patched.doubts):
        again = _with_several(tree, profiles, patches, planned)
        if again is not None and len(again[1].doubts) < len(patched.doubts):
            return again
    return planned, patched


def _replanned(
    tree: Mapping[str, bytes],
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
    planned: PatchPlan,
) -> tuple[PatchPlan, Patched] | None:
    """Return another plan where the chain that was read is not what decides; None without one.

    Every place is then sought by executing the files.
    """
    if not planned.anchors:
        return None
    try:
        again = plan(tree, profiles, patches, read=False)
        if again.after == planned.after:
            return None
        proof = prove(tree, again.after, profiles, again.anchors)
        return again, _judged(again, profiles, proof)
    except Refusal:
        return None


def _with_several(
    tree: Mapping[str, bytes],
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
    planned: PatchPlan | None,
) -> tuple[PatchPlan, Patched] | None:
    """Return a plan with all the places that are needed together; None where none is proven.

    Args:
        tree: the files.
        profiles: for whom.
        patches: what is asked for.
        planned: what is not enough; None where there is no plan at all.
    """
    kin: dict[World, World] = {}
    needles: dict[World, Sequence[str]] = {}
    lacking = may_lack_distro(tree)
    for profile in profiles:
        for world in foreseen(worlds_of(profile), lacking=lacking):
            kin[world] = kin_of(profile, world)[0]
            needles[world] = profile.needles
    names = {world.name.lower() for world in kin}
    probes = dict.fromkeys(one for world in kin for one in probes_beside(world))
    known = foreseen(known_worlds(), lacking=lacking)
    others = [one for one in (*probes, *known) if one.name.lower() not in names]
    found = several_places({**tree, **(planned.after if planned else {})}, kin, needles, others)
    if found is None:
        return None
    try:
        base = planned or plan({**tree, **found.contents}, profiles, patches)
        again = enlarged(base, tree, found, profiles, patches)
        proof = prove(tree, again.after, profiles, again.anchors)
        return again, _judged(again, profiles, proof)
    except Refusal:
        return None


def _judged(planned: PatchPlan, profiles: Sequence[Profile], proof: KinProof) -> Patched:
    """Return *planned* as *proof* leaves it for *profiles*.

    Raises:
        Refusal: a file on the way of the installation could not be patched, or the
            installation would still end for a new name.
    """
    for puzzle in planned.puzzles:
        if puzzle.path in proof.way:
            raise puzzle
    for profile in profiles:
        if profile.id in proof.conflicts:
            raise proof.conflicts[profile.id]
    doubts = {doubt for profile in profiles for doubt in proof.doubts[profile.id]}
    doubts |= set(planned.uses)
    return Patched(
        planned.changed,
        planned.already,
        # A disc that accepts the names as it is needs nobody's consent.
        tuple(sorted(doubts, key=lambda one: (one.path, one.line, one.kind)))
        if planned.adds_names
        else (),
        tuple(LeftFile(one.path or "", one.code, one.message) for one in planned.puzzles),
        proof.way,
    )
