# SPDX-License-Identifier: Apache-2.0
"""The agent in the installer's archives, patched where that is proven and listed where not.

The agent runs after the installer has decided: it can end no installation, and what of it is
not understood refuses none.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ngtpatch.archives.members import shown_name
from ngtpatch.archives.rewriting import is_rewritable
from ngtpatch.installer.compiled import stale_members
from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.payloads import MEMBER, PayloadArchive, is_archive, read_payload
from ngtpatch.installer.python_source import MAX_SOURCE_SIZE
from ngtpatch.patching.likeness import liken
from ngtpatch.patching.naming import is_of_the_library
from ngtpatch.patching.own_digests import who_holds_digest
from ngtpatch.patching.own_files import lists_with, looked_at, who_looks
from ngtpatch.patching.patch import Patch
from ngtpatch.patching.planning import ChangedFile
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.treated import Likened, Treated, Treatment

__all__ = ["AgentPatches", "patch_agents", "read_agents"]


@dataclass(frozen=True)
class AgentPatches:
    """What the patches make of the archives.

    Attributes:
        changed: the members that change; each path is ``archive!member``.
        removed: the members that go: compiled from one that changes, and run in its place.
        treated: the places that decide, and what became of them.
        patches: the ids of the patches that did it.
    """

    changed: tuple[ChangedFile, ...] = ()
    removed: tuple[str, ...] = ()
    treated: tuple[Treated, ...] = field(default=(), repr=False)
    patches: frozenset[str] = frozenset()

    def members(self) -> dict[str, dict[str, bytes | None]]:
        """Return the new contents by archive and member; None for what goes."""
        found: dict[str, dict[str, bytes | None]] = {}
        for file in self.changed:
            archive, _, member = file.path.partition(MEMBER)
            found.setdefault(archive, {})[member] = file.after
        for path in self.removed:
            archive, _, member = path.partition(MEMBER)
            found[archive][member] = None
        return found

    def without(self, archives: Collection[str]) -> AgentPatches:
        """Return it without what is in *archives*."""

        def kept(path: str) -> bool:
            return path.partition(MEMBER)[0] not in archives

        return AgentPatches(
            tuple(file for file in self.changed if kept(file.path)),
            tuple(path for path in self.removed if kept(path)),
            tuple(place for place in self.treated if kept(place.path)),
            self.patches,
        )


def read_agents(tree: Mapping[str, bytes]) -> tuple[PayloadArchive, ...]:
    """Read the scripts in the installer's archives. That unpacks them, as streams."""
    return tuple(
        read_payload(tree, path, largest=MAX_SOURCE_SIZE, wanted=lambda _: True)
        for path in sorted(tree)
        if path.startswith(ROOT) and is_archive(path)
    )


def patch_agents(
    tree: Mapping[str, bytes],
    payloads: Sequence[PayloadArchive],
    profiles: Sequence[Profile],
    patches: Sequence[Patch],
) -> AgentPatches:
    """Return what the patches of the kind ``kin`` make of the archives' members.

    Never refuses: what cannot be proven is left, and is among ``treated``. So is an archive or
    member of which a script of *tree* holds a digest, or an archive which it looks at: who compares
    that would refuse a changed one.
    """
    fitting = [patch for patch in patches if patch.kind == "kin"]
    changed: list[ChangedFile] = []
    removed: list[str] = []
    treated: list[Treated] = []
    looks: Callable[[str], str | None] | None = None
    for payload in payloads if fitting and profiles else ():
        edited, places = _likened(payload, profiles, fitting)
        stale = {
            file.path: stale_members(file.path.partition(MEMBER)[2], payload.names)
            for file in edited
        }
        stays = {path: reason for path in stale if (reason := _stays(payload, stale[path]))}
        for file in edited:
            if holder := who_holds_digest(tree, file.path, content=file.before):
                stays[file.path] = f"a digest of it stands in {holder}, which may be compared"
        if edited and looks is None:
            looks = who_looks(tree)
        if edited and looks and (place := looks(payload.path)):
            reason = f"{place} looks at its archive's size or content, which it may compare"
            stays = dict.fromkeys(stale, reason)
        if edited and (holder := who_holds_digest(tree, payload.path)):
            reason = f"a digest of its archive stands in {holder}, which may be compared"
            stays = dict.fromkeys(stale, reason)
        changed += [file for file in edited if file.path not in stays]
        treated += [
            replace(place, treatment="left", reason=stays[place.path])
            if place.path in stays and place.treatment == "extended"
            else place
            for place in places
        ]
        gone = {name for path, names in stale.items() if path not in stays for name in names}
        removed += [f"{payload.path}{MEMBER}{name}" for name in sorted(gone)]
    used = frozenset(one for file in changed for one in file.patches)
    return AgentPatches(tuple(changed), tuple(removed), tuple(treated), used)


def _stays(payload: PayloadArchive, stale: Sequence[str]) -> str | None:
    """Return why a source is not patched: Python 2 would run what is compiled from it instead."""
    for name in stale:
        if name in payload.fixed:
            return f"{shown_name(name)}, which is run in its place, stays: {payload.fixed[name]}"
    return None


def _looked_at(
    payload: PayloadArchive, files: Mapping[str, bytes], likened: Likened
) -> dict[str, str]:
    """Return why members are not changed: the agent itself may compare their size or content."""
    beside = {one.path.partition(MEMBER)[2]: one.data for one in payload.scripts}
    tree = {**{posixpath.normpath(name): data for name, data in beside.items()}, **files}
    found = {}
    for path in likened.contents:
        lists = lists_with(tree, path)
        if places := looked_at(likened.watch, path, tree=tree, lists=lists, only_read=True):
            where, line = min(places)
            found[path] = f"{where}:{line} looks at its size or content, which it may compare"
        elif holder := who_holds_digest(tree, path, within=""):
            found[path] = f"a digest of it stands in {holder}, which may be compared"
    return found


def _likened(
    payload: PayloadArchive, profiles: Sequence[Profile], patches: Sequence[Patch]
) -> tuple[list[ChangedFile], list[Treated]]:
    files: dict[str, bytes] = {}
    members: dict[str, str] = {}
    places: list[Treated] = []
    sealed = None if is_rewritable(payload.path) else "it is in a package with its own digests"
    for script in payload.scripts:
        member = script.path.partition(MEMBER)[2]
        reason = script.fixed or sealed
        if not script.path.endswith(".py"):
            continue
        inner = script.path.rpartition(MEMBER)[2]
        if reason and not is_of_the_library(inner) and Machine.asks_for_distribution(script.data):
            places.append(Treated(script.path, 1, "left", reason))
        elif not reason:
            name = posixpath.normpath(member)
            files[name], members[name] = script.data, script.path
    likened = liken(files, profiles)
    looked = _looked_at(payload, files, likened)
    changed = []
    for name, content in likened.contents.items():
        here = [patch.id for patch in patches if patch.matches(members[name])]
        if here and name not in looked:
            changed.append(
                ChangedFile(members[name], files[name], content, likened.edits[name], tuple(here))
            )
    spared = {name for name in likened.contents if members[name] not in {f.path for f in changed}}
    for place in likened.treated:
        treatment: Treatment = "left" if place.path in spared else place.treatment
        reason = place.reason
        if place.path in spared:
            reason = looked.get(place.path, "no patch is for this file")
        places.append(Treated(members[place.path], place.line, treatment, reason, place.profiles))
    return changed, places
