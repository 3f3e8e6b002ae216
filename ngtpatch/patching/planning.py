# SPDX-License-Identifier: Apache-2.0
"""What the patches do to the files of a tree, each for itself, before the installer is executed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ngtpatch.errors import Refusal
from ngtpatch.installer.layout import Layout, survey
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.installer.recognition import REDHAT, sites_in
from ngtpatch.patching.codemods import KINDS
from ngtpatch.patching.doubts import Doubt
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.kin_proof import Anchor
from ngtpatch.patching.outcome import ORDER_HAZARD, Already
from ngtpatch.patching.own_digests import own_digests
from ngtpatch.patching.patch import Patch
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.recognise import for_kin
from ngtpatch.patching.several_places import SeveralPlaces
from ngtpatch.patching.sought import sought_alone

__all__ = ["ChangedFile", "PatchPlan", "enlarged", "plan"]


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
class PatchPlan:
    """What the patches do by themselves, before anything was executed.

    Attributes:
        changed: the files that change, sorted by path.
        already: the places that need no change.
        anchors: the chains that were extended, as shipped, with the branch that accepts.
        puzzles: refusals that concern only files of which nobody knows that they decide.
        sought: the files whose place was found by executing them, and those that were executed
            with them and hold it, with the branch of the kin; whether they change or need none.
        uses: uses of constants that are extended which that may change, and digests of what
            changes.
        importing: the files whose place is in one that they import, which changes.
    """

    changed: tuple[ChangedFile, ...]
    already: tuple[Already, ...]
    anchors: tuple[Anchor, ...]
    puzzles: tuple[Refusal, ...]
    sought: Mapping[str, str] = field(default_factory=dict)
    uses: tuple[Doubt, ...] = ()
    importing: frozenset[str] = frozenset()

    @property
    def adds_names(self) -> bool:
        """Whether a name is added anywhere: to a chain, or where it was sought."""
        sought = any(file.path in self.sought for file in self.changed)
        return bool(self.anchors or self.importing) or sought

    @property
    def after(self) -> Mapping[str, bytes]:
        """The changed files' new content, by path."""
        return {file.path: file.after for file in self.changed}


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
    for patch in fitting:
        if patch.required and not any(patch.matches(path) for path in tree):
            raise _file_missing(patch, layout)
    here = {
        path: found
        for path in sorted(tree)
        if (found := [patch for patch in fitting if patch.matches(path)])
    }
    puzzles: dict[str, Refusal] = {}

    def changed(path: str, given: Sequence[_Imported] = ()) -> _Change:
        patches = here.get(path, [])
        try:
            return _change(path, tree, patches, profiles, read=read, given=given)
        except Refusal as refusal:
            if any(patch.count is not None for patch in patches if patch.kind == "recognise"):
                raise
            puzzles[path] = refusal
            return _change(path, tree, (), profiles, read=read, given=given)

    changes = {path: changed(path) for path in here}
    imported: dict[str, list[_Imported]] = {}
    for change in changes.values():
        for one in change.imported:
            imported.setdefault(one.path, []).append(one)
    for path, given in sorted(imported.items()):
        alone = changes.get(path)
        # What needs no change as shipped is told of that.
        already = alone.already if alone else ()
        changes[path] = replace(changed(path, given), already=already)
    after = {path: one.file.after for path, one in changes.items() if one.file}
    for path, change in sorted(changes.items()) if imported else ():
        if _decides(change, here.get(path, ())) and not _is_settled(
            path, {**tree, **after}, here[path], profiles, read=read
        ):
            raise _apart(path, imported)
    return _planned(tree, changes, here, profiles, tuple(puzzles.values()))


def enlarged(
    planned: PatchPlan,
    tree: Mapping[str, bytes],
    found: SeveralPlaces,
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
) -> PatchPlan:
    """Return *planned* with what was *found* to be needed beside it.

    Args:
        planned: the plan, of the files as shipped or with what was found.
        tree: the files as shipped.
        found: what was found.
        profiles: for whom.
        patches: what was asked for.
    """
    files = {file.path: file for file in planned.changed}
    branches: dict[str, str] = {}
    for path, content in found.contents.items():
        asking = [one for one in patches if one.kind == "recognise" and one.matches(path)]
        before = tree[path]
        branch = REDHAT
        for patch in asking[:1]:
            branch = for_kin(path, patch, sites_in(parse(path, before)), profiles).branch
        file = files.get(path)
        # A plan made of what was found has it in its file; one that was there before has not.
        after = file.after if file is not None and file.before == content else content
        files[path] = ChangedFile(
            path,
            before,
            after,
            found.edits[path] + (file.edits if file else 0),
            tuple(
                dict.fromkeys([*(file.patches if file else ()), *(one.id for one in asking[:1])])
            ),
        )
        if file is None:
            branches[path] = branch
    return replace(
        planned,
        changed=tuple(files[path] for path in sorted(files)),
        already=tuple(one for one in planned.already if one.path not in found.contents),
        puzzles=tuple(one for one in planned.puzzles if one.path not in found.contents),
        sought={**planned.sought, **branches},
        uses=(
            *(one for one in planned.uses if one.kind != "digest"),
            *own_digests(tree, {path: tree[path] for path in files}),
        ),
    )


def _planned(
    tree: Mapping[str, bytes],
    changes: Mapping[str, _Change],
    here: Mapping[str, Sequence[Patch]],
    profiles: Sequence[Profile],
    puzzles: tuple[Refusal, ...],
) -> PatchPlan:
    already: list[Already] = []
    anchors: list[Anchor] = []
    uses: set[tuple[str, int]] = set()
    sought: dict[str, str] = {}
    for path in sorted(changes):
        change = changes[path]
        if change.sought is not None:
            beside = (*(one.path for one in change.imported), *change.naming)
            sought |= dict.fromkeys((path, *beside), change.sought)
        already += change.already
        uses |= change.uses
        if change.file is not None and change.sought is None:
            own = [patch for patch in here.get(path, ()) if patch.id in change.own]
            anchors += _anchors(change.file, own, profiles)
    files = tuple(file for path in sorted(changes) if (file := changes[path].file) is not None)
    return PatchPlan(
        files,
        tuple(_distinct(already)),
        tuple(anchors),
        puzzles,
        sought,
        (
            *(
                Doubt(path, line, "constant", hashlib.sha256(tree[path]).hexdigest())
                for path, line in sorted(uses)
            ),
            *own_digests(tree, {file.path: file.before for file in files}),
        ),
        frozenset(path for path, one in changes.items() if one.imported),
    )


def _anchors(
    change: ChangedFile, patches: Sequence[Patch], profiles: Sequence[Profile]
) -> Iterator[Anchor]:
    for patch in patches:
        if patch.kind == "recognise":
            sites = sites_in(parse(change.path, change.before))
            meant = for_kin(change.path, patch, sites, profiles).branch
            for number, site in enumerate(sites):
                if meant in {branch.name for branch in site.branches}:
                    yield site, number, meant


@dataclass(frozen=True)
class _Imported:
    """A change that a file needs in one which it imports.

    Attributes:
        path: the file that is imported.
        by: who needs it.
        insertions: the change.
        edits: how many elements are added.
        patch: the id of the patch.
    """

    path: str
    by: str
    insertions: tuple[Insertion, ...]
    edits: int
    patch: str


@dataclass(frozen=True)
class _Change:
    """What the patches do to one file.

    Attributes:
        file: its change; None where there is none.
        already: the places that need none.
        sought: the branch of the kin, where the place was found by executing the file.
        own: the ids of the patches that were made for this file.
        uses: uses of constants, by file and line, for which the change may mean something else.
        imported: what changes in the files that it imports.
        naming: files that were executed with it and have a token of the new names, where it
            needs no change.
    """

    file: ChangedFile | None
    already: tuple[Already, ...]
    sought: str | None
    own: tuple[str, ...]
    uses: frozenset[tuple[str, int]]
    imported: tuple[_Imported, ...]
    naming: tuple[str, ...]


def _change(
    path: str,
    tree: Mapping[str, bytes],
    patches: Sequence[Patch],
    profiles: Sequence[Profile],
    *,
    read: bool,
    given: Sequence[_Imported] = (),
) -> _Change:
    """Apply the patches that are for one file, one after the other.

    Before them comes what those need who import it (*given*).
    """
    before = after = tree[path]
    sought = None
    used: list[str] = []
    already: list[Already] = []
    uses: set[tuple[str, int]] = set()
    imported: list[_Imported] = []
    naming: list[str] = []
    needed = {one.insertions: one for one in given}
    edits = sum(one.edits for one in needed.values())
    if given:
        every = dict.fromkeys(part for insertions in needed for part in insertions)
        after = insert(parse(path, before), tuple(every))
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
        uses |= set(outcome.uses)
        naming += outcome.naming
        if not any(KINDS[patch.kind] is codemod for patch in patches if patch.id in used):
            already += outcome.already  # as shipped, not as an earlier patch of the kind left it
        if outcome.elsewhere is not None:
            where, insertions = outcome.elsewhere
            imported.append(_Imported(where, path, insertions, outcome.edits, patch.id))
        if outcome.insertions:
            after, source = insert(source, outcome.insertions), None
            edits += outcome.edits
            used.append(patch.id)
    ids = tuple(dict.fromkeys([*(one.patch for one in given), *used]))
    file = None if after == before else ChangedFile(path, before, after, edits, ids)
    return _Change(
        file,
        tuple(already),
        sought,
        tuple(used),
        frozenset(uses),
        tuple(imported),
        tuple(naming),
    )


def _decides(change: _Change, patches: Sequence[Patch]) -> bool:
    """Tell whether a file treats the new names like their kin, as shipped or by its change."""
    ids = {patch.id for patch in patches if patch.kind == "recognise"}
    return bool(change.already or change.imported or ids.intersection(change.own))


def _is_settled(
    path: str,
    tree: Mapping[str, bytes],
    patches: Sequence[Patch],
    profiles: Sequence[Profile],
    *,
    read: bool,
) -> bool:
    """Tell whether *tree*, in which all is changed, leaves nothing to do for a file of it."""
    try:
        again = _change(path, tree, patches, profiles, read=read)
    except Refusal:
        return False
    return bool(again.already) and not (again.file or again.imported)


def _apart(path: str, imported: Mapping[str, Sequence[_Imported]]) -> Refusal:
    """Return why what several files need does not do for the one at *path*."""
    # What that file needs itself comes first.
    where = min(imported, key=lambda one: (path not in {each.by for each in imported[one]}, one))
    whom = " and ".join(sorted({each.by for each in imported[where]}))
    return Refusal(
        "conflict",
        f"it would be changed for {whom}, and once all that is changed {path} was not seen to"
        " treat the new names like their kin",
        path=where,
        hint=ORDER_HAZARD,
    )


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
