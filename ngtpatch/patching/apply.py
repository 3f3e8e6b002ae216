# SPDX-License-Identifier: Apache-2.0
"""Profiles and patches over a tree: changed files, or a refusal. All or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.installer.layout import Layout, survey
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.installer.recognition import sites_in
from ngtpatch.patching.codemods import KINDS
from ngtpatch.patching.doubts import Doubt
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.kin_proof import Anchor, KinProof, prove
from ngtpatch.patching.outcome import ORDER_HAZARD, Already, LeftFile
from ngtpatch.patching.patch import Patch
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.recognise import for_kin
from ngtpatch.patching.sought import sought_alone

__all__ = ["ChangedFile", "PatchPlan", "Patched", "apply", "judged", "plan", "replanned"]


@dataclass(frozen=True)
class ChangedFile:
    """One file that the patches change.

    Attributes:
        path: where it lies in the image.
        before: its content.
        after: its content with the patches.
        edits: how many operands and statements were added.
        patches: the ids of the patches that did it.
    """

    path: str
    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    edits: int
    patches: tuple[str, ...]


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


@dataclass(frozen=True)
class PatchPlan:
    """What the patches do by themselves, before anything was executed.

    Attributes:
        changed: the files that change, sorted by path.
        already: the places that need no change.
        anchors: the chains that were extended, as shipped, with the branch that accepts.
        puzzles: refusals that concern only files of which nobody knows that they decide.
        sought: the files whose place was found by executing them, and the branch of the kin;
            whether they change or need no change.
        uses: uses of constants that are extended which that may change.
    """

    changed: tuple[ChangedFile, ...]
    already: tuple[Already, ...]
    anchors: tuple[Anchor, ...]
    puzzles: tuple[Refusal, ...]
    sought: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[Doubt, ...] = ()

    @property
    def adds_names(self) -> bool:
        """Whether a name is added anywhere: to a chain, or where it was sought."""
        return bool(self.anchors) or any(file.path in self.sought for file in self.changed)

    @property
    def after(self) -> Mapping[str, bytes]:
        """The changed files' new content, by path."""
        return {file.path: file.after for file in self.changed}


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


def plan(
    tree: Mapping[str, bytes],
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
    *,
    read: bool = True,
) -> PatchPlan:
    """Return what *patches* insert into *tree* for *profiles*, each file for itself.

    Without *read* no chain is read: the places that must be there are sought by execution.

    Raises:
        InputError: ``no-installer``.
        Refusal: as :func:`apply`, but for what only the execution shows.
    """
    layout = survey(tree)
    # A patch that names its place comes before one that looks for places nobody named.
    fitting = sorted(
        (patch for patch in patches if _fits(patch, layout)), key=lambda one: one.count is None
    )
    changed: list[ChangedFile] = []
    already: list[Already] = []
    anchors: list[Anchor] = []
    puzzles: list[Refusal] = []
    found: dict[str, str] = {}
    uses: set[tuple[str, int]] = set()
    for patch in fitting:
        if patch.required and not any(patch.matches(path) for path in tree):
            raise _file_missing(patch, layout)
    for path in sorted(tree):
        here = [patch for patch in fitting if patch.matches(path)]
        if not here:
            continue
        try:
            change, noted, sought = _change(path, tree, here, profiles, uses, read=read)
        except Refusal as refusal:
            if any(patch.count is not None for patch in here if patch.kind == "recognise"):
                raise
            puzzles.append(refusal)
            continue
        already += noted
        if sought is not None:
            found[path] = sought
        if change is not None:
            changed.append(change)
            if sought is None:
                anchors += _anchors(change, here, profiles)
    return PatchPlan(
        tuple(changed), tuple(_distinct(already)), tuple(anchors), tuple(puzzles), found,
        tuple(
            Doubt(path, line, "constant", hashlib.sha256(tree[path]).hexdigest())
            for path, line in sorted(uses)
        ),
    )  # fmt: skip


def _anchors(
    change: ChangedFile, patches: Sequence[Patch], profiles: Sequence[Profile]
) -> Iterator[Anchor]:
    for patch in patches:
        if patch.kind == "recognise" and patch.id in change.patches:
            sites = sites_in(parse(change.path, change.before))
            meant = for_kin(change.path, patch, sites, profiles).branch
            for number, site in enumerate(sites):
                if meant in {branch.name for branch in site.branches}:
                    yield site, number, meant


def _change(
    path: str,
    tree: Mapping[str, bytes],
    patches: Sequence[Patch],
    profiles: Sequence[Profile],
    uses: set[tuple[str, int]],
    *,
    read: bool,
) -> tuple[ChangedFile | None, list[Already], str | None]:
    """Apply the patches that are for one file, one after the other.

    The last of what is returned is the branch of the kin, where the place was found by executing
    the file. What its change may mean for others is added to *uses*.
    """
    before = after = tree[path]
    sought = None
    edits = 0
    used: list[str] = []
    already: list[Already] = []
    source: PythonSource | None = None
    for patch in patches:
        codemod = KINDS[patch.kind]
        # A help for newer Pythons, or a search for places that nobody knows of: a file that
        # cannot be read is neither's business. 'support' reports it.
        optional = bool(codemod.only_with) or patch.count is None
        if not all(text in after for text in codemod.only_with):
            continue
        try:
            source = source or parse(path, after)
        except Refusal:
            if optional:
                continue
            raise
        outcome = None
        if patch.kind == "recognise" and patch.count is not None and not read:
            branch = for_kin(path, patch, sites_in(source), profiles).branch
            outcome = sought_alone(source, patch, profiles, tree, branch)
        outcome = outcome or codemod.plan(source, patch, profiles, tree)
        sought = outcome.sought or sought
        uses.update(outcome.uses)
        if not any(KINDS[patch.kind] is codemod for patch in patches if patch.id in used):
            already += outcome.already  # as shipped, not as an earlier patch of the kind left it
        if outcome.insertions:
            after, source = insert(source, outcome.insertions), None
            edits += outcome.edits
            used.append(patch.id)
    if after == before:
        return None, already, sought
    return ChangedFile(path, before, after, edits, tuple(used)), already, sought


def _fits(patch: Patch, layout: Layout) -> bool:
    return layout.era in patch.eras and _version_fits(patch.ngt_versions, layout.version)


def _version_fits(versions: str, version: str | None) -> bool:
    if not versions:
        return True
    # Deferred: costs a tenth of a second, and few patches ask.
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return version is not None and Version(version) in SpecifierSet(versions, prereleases=True)
    except InvalidVersion:
        return False


def _distinct(already: Sequence[Already]) -> Iterator[Already]:
    yield from sorted(dict.fromkeys(already), key=lambda one: (one.path, one.profile))


def _file_missing(patch: Patch, layout: Layout) -> Refusal:
    return Refusal(
        "anchor-missing",
        f"this NGT (era {layout.era}, version {layout.version or 'unknown'}) has no"
        f" {' or '.join(patch.paths)}, which the patch {patch.id!r} is for",
        hint=f"this NGT may decide elsewhere: 'ngtpatch support' shows where; {ORDER_HAZARD}",
    )
