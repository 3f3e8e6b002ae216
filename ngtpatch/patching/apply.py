# SPDX-License-Identifier: Apache-2.0
"""Profiles and patches over a tree: changed files, or a refusal. All or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.patching.doubts import Doubt
from ngtpatch.patching.kin_proof import KinProof, prove
from ngtpatch.patching.outcome import Already, LeftFile
from ngtpatch.patching.patch import Patch
from ngtpatch.patching.planning import ChangedFile, PatchPlan, plan
from ngtpatch.patching.profile import Profile

__all__ = ["Patched", "apply", "judged", "replanned"]


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
        planned = plan(tree, profiles, patches)
        if not planned.changed and not planned.already and not planned.puzzles:
            return Patched((), ())
        try:
            return judged(planned, profiles, prove(tree, planned.after, profiles, planned.anchors))
        except Refusal as refusal:
            again = replanned(tree, profiles, patches, planned, refusal)
            if again is None:
                raise
            return again[1]


def replanned(
    tree: Mapping[str, bytes],
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
    planned: PatchPlan,
    refusal: Refusal,
) -> tuple[PatchPlan, Patched] | None:
    """Return another plan where the chain that was read is not what decides; None without one.

    Every place is then sought by executing the files.

    Args:
        tree: the files.
        profiles: for whom.
        patches: what is asked for.
        planned: what the chains gave.
        refusal: why that does not do.
    """
    if refusal.code != "conflict" or not planned.anchors:
        return None
    try:
        again = plan(tree, profiles, patches, read=False)
        if again.after == planned.after:
            return None
        proof = prove(tree, again.after, profiles, again.anchors)
        return again, judged(again, profiles, proof)
    except Refusal:
        return None


def judged(planned: PatchPlan, profiles: Sequence[Profile], proof: KinProof) -> Patched:
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
