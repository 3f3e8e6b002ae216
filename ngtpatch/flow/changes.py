# SPDX-License-Identifier: Apache-2.0
"""Which files of a tree change, and why: the patches' work and the identity's, together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ngtpatch.errors import Refusal, UsageError
from ngtpatch.files.tree import Altered
from ngtpatch.flow.opened import OpenedSource

if TYPE_CHECKING:
    from ngtpatch.flow.traces import Traces
    from ngtpatch.patching.agents import AgentPatches
    from ngtpatch.patching.apply import Patched
    from ngtpatch.patching.doubts import Doubt
    from ngtpatch.patching.osrelease import OsRelease
    from ngtpatch.patching.outcome import Already, LeftFile
    from ngtpatch.patching.patch import Patch
    from ngtpatch.patching.planning import ChangedFile
    from ngtpatch.patching.profile import Profile

__all__ = ["Changes", "IdentityRequest", "plan_changes"]

_SHOWN = 20

_Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class IdentityRequest:
    """What shall become of the identity.

    Attributes:
        config: file with the VM's ngt_config.json.
        certificate: file with its client certificate, PEM.
        key: file with its client key, PEM.
        authority: file with the certificate of its cluster's authority, PEM, or a disc of the
            cluster to take it from; goes with *strip*, too.
        sets: values by key of ngt_config.json.
        strip: remove what belongs to one VM alone.
        reserve: room in bytes that each identity file shall have, so that any VM's fits in
            place later. Stripped files then stay, empty, with that room.
        allowed: paths of files that hold a private key and are meant to.
    """

    config: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None
    authority: str | Path | None = None
    sets: Mapping[str, str] = field(default_factory=dict)
    strip: bool = False
    reserve: int = 0
    allowed: Collection[str] = ()

    @property
    def injects(self) -> bool:
        """Whether anything is to be put in."""
        authority = self.authority and not self.strip
        return bool(self.config or self.certificate or self.key or self.sets or authority)

    @property
    def replaces(self) -> bool:
        """Whether one VM's own files are put in: whoever asks for that knows whose disc it is."""
        return bool(self.config or self.certificate or self.key)

    @property
    def gives(self) -> bool:
        """Whether the output is for another than its source may have been for."""
        return self.strip or self.replaces


def no_agents() -> AgentPatches:
    """Return what patches nothing."""
    from ngtpatch.patching.agents import AgentPatches

    return AgentPatches()


@dataclass(frozen=True)
class Changes:
    """What an output holds that its source does not.

    Attributes:
        contents: path -> new bytes.
        added: those of *contents* that the source does not have.
        removed: paths that go.
        compiled: those of *removed* that are compiled files, which some Python would run
            instead of a patched source.
        secret: those of *contents* and *removed* that hold or held identity: their old
            bytes must not remain anywhere in the image, and their digests are not shown.
        reserve: path -> room in bytes.
        changed: what the patches did.
        already: the places that accept a profile as shipped.
        profiles: that were asked for.
        patches: that were applied.
        read: all patches that there were, applied or not: they decide together.
        carries_identity: whether the output belongs to one VM.
        wiped: ranges (offset, length) outside of files where identity was left, and goes.
        forgotten: ranges of the vendor's image that the record is not to keep.
        unread: compressed files that were not looked into for identity; None: nothing was
            searched, since nothing is claimed.
        notices: what a person should know about it.
        unproven: what is not understood on the way of the installation, and was accepted.
        agents: what the patches did in the installer's archives.
    """

    contents: Mapping[str, bytes] = field(repr=False)
    added: frozenset[str]
    removed: tuple[str, ...]
    compiled: tuple[str, ...]
    secret: frozenset[str]
    reserve: Mapping[str, int]
    changed: tuple[ChangedFile, ...]
    already: tuple[Already, ...]
    profiles: tuple[Profile, ...]
    patches: tuple[Patch, ...]
    read: tuple[Patch, ...]
    carries_identity: bool
    wiped: _Ranges
    forgotten: _Ranges
    unread: tuple[str, ...] | None
    notices: tuple[str, ...]
    unproven: tuple[Doubt, ...] = ()
    agents: AgentPatches = field(default_factory=no_agents, repr=False)

    def without_archives(self, reasons: Mapping[str, str]) -> Changes:
        """Return it without the archives that could not be written again, and say why."""
        if not reasons:
            return self
        said = [f"{path}: left as it is ({reason})" for path, reason in sorted(reasons.items())]
        return replace(self, agents=self.agents.without(reasons), notices=(*self.notices, *said))


def plan_changes(
    source: OpenedSource,
    *,
    distros: Sequence[str],
    os_release: str | Path | None,
    profile_dirs: Sequence[str | Path],
    patch_dirs: Sequence[str | Path],
    identity: IdentityRequest,
    accept_unproven: Sequence[str] = (),
) -> Changes:
    """Work out every changed file. Reads *source*, writes nothing.

    *accept_unproven* are digests of lines that a person has read, as the refusal tells them.

    Raises:
        UsageError: nothing was asked for, or two things that exclude each other.
        InputError: *source* or another file cannot be used.
        Refusal: a profile is unknown, a patch does not fit, an identity fails its check;
            ``uncertain``: something on the way of the installation is not understood.
    """
    if not (distros or identity.injects or identity.strip or identity.reserve):
        hint = "name one with --distro ID; 'ngtpatch profile list' shows them"
        if os_release is not None:
            hint = "add --distro auto, which picks the profile by the os-release, or name one"
        raise UsageError("no-distro", "no distribution was named", hint=hint)
    if os_release is not None:
        from ngtpatch.patching.choice import require_auto

        require_auto(distros)
    if identity.injects and identity.strip:
        raise UsageError("strip-and-inject", "an identity is either stripped or injected, not both")
    profiles, patches, patched = _patched(source, distros, os_release, profile_dirs, patch_dirs)
    _require_accepted(patched.doubts, accept_unproven)
    changed, already = patched.changed, patched.already
    after = {file.path: file.after for file in changed}
    compiled = _compiled(source, after)
    agents, hidden = _agents(source, profiles, patches)
    applied = {name for file in patched.changed for name in file.patches} | set(agents.patches)
    traces = _traces(source, identity)
    contents, removed, warnings = _identified(source, identity, traces)
    reserve: dict[str, int] = {}
    if identity.reserve:
        contents, removed, reserve = _reserved(source, identity, contents, removed)
    carries = _carries_identity(source, contents, removed, identity.allowed)
    notices = [f"{profile.id}: {profile.opt_in}" for profile in profiles if profile.opt_in]
    notices += [
        f"{one.path}: left as it is, beside the way of the installation ({one.message})"
        for one in _beside(source, patched, profiles)
    ]
    notices += _told(agents, profiles)
    notices += hidden
    if patched.doubts:
        lines = ", ".join(f"{one.path}:{one.line}" for one in patched.doubts)
        notices.append(f"uncertain, accepted: {lines}")
    notices += warnings
    notices += _readiness(source, contents, removed)
    wiped: _Ranges = ()
    forgotten: _Ranges = ()
    if not carries and traces is None:
        # Nothing was asked about identity, and no file has any: only a search can say that.
        traces = _searched(source)
        carries = bool(traces.found or traces.beside)
        notices += _said(traces, "the output holds")
    elif traces is not None:
        wiped, forgotten = traces.wipe, traces.forget
        notices += _said(traces, "overwritten:")
    if carries and not identity.replaces:
        # Who sets a value cannot strip as well.
        or_strip = "" if identity.injects else ", or use --strip-identity"
        notices.append(f"the output carries a VM's identity; do not share it{or_strip}")
    return Changes(
        contents={**after, **contents},
        added=frozenset(path for path in contents if path not in source.tree),
        removed=(*removed, *compiled),
        compiled=compiled,
        secret=frozenset({*contents, *removed}),
        reserve=reserve,
        changed=changed,
        already=already,
        profiles=profiles,
        patches=tuple(patch for patch in patches if patch.id in applied),
        read=patches,
        carries_identity=carries,
        wiped=wiped,
        forgotten=forgotten,
        unread=None if traces is None else traces.unread,
        notices=tuple(notices),
        unproven=patched.doubts,
        agents=agents,
    )


def _agents(
    source: OpenedSource, profiles: Sequence[Profile], patches: Sequence[Patch]
) -> tuple[AgentPatches, tuple[str, ...]]:
    """Return what becomes of the archives' members, and what was not looked into."""
    if not profiles:
        return no_agents(), ()
    from ngtpatch.installer.unseen import unseen
    from ngtpatch.patching.agents import patch_agents, read_agents

    payloads = read_agents(source.tree)
    agents = patch_agents(source.tree, payloads, profiles, patches)
    return agents, unseen(source.tree, payloads)


def _beside(
    source: OpenedSource, patched: Patched, profiles: Sequence[Profile]
) -> tuple[LeftFile, ...]:
    if not profiles:
        return ()
    from ngtpatch.flow.beside import left_beside
    from ngtpatch.installer.recognition import find_sites

    return left_beside(find_sites(source.tree), patched, profiles)


def _told(agents: AgentPatches, profiles: Sequence[Profile]) -> list[str]:
    """Return what a person should know of places in the archives that stay as they are."""
    kin = " and ".join(sorted({profile.kin for profile in profiles if profile.kin}))
    notices = []
    for place in agents.treated:
        if place.treatment == "left":
            notices.append(f"{place.path}:{place.line}: left as it is ({place.reason})")
        elif place.treatment == "unaccepted":
            notices.append(f"{place.path}:{place.line}: does not accept {kin} either; unchanged")
    return notices


def _require_accepted(doubts: Sequence[Doubt], accepted: Sequence[str]) -> None:
    """Raise Refusal where something is not understood and nobody has accepted that."""
    if not doubts:
        return
    from ngtpatch.patching.doubts import doubts_digest

    digest = doubts_digest(doubts)
    if digest in {one.strip().lower() for one in accepted}:
        return
    lines = "\n".join(f"  {doubt}" for doubt in doubts)
    raise Refusal(
        "uncertain",
        f"the chains can be extended, but what else is on the way of the installation is not"
        f" understood, and may end it:\n{lines}",
        path=doubts[0].path,
        hint="read these lines; if they do not end the installation on these distributions, go on"
        f" with --accept-unproven {digest}",
    )


def _patched(
    source: OpenedSource,
    distros: Sequence[str],
    os_release: str | Path | None,
    profile_dirs: Sequence[str | Path],
    patch_dirs: Sequence[str | Path],
) -> tuple[tuple[Profile, ...], tuple[Patch, ...], Patched]:
    from ngtpatch.patching.apply import Patched, apply

    if not distros:
        return (), (), Patched((), ())
    from ngtpatch.patching.choice import (
        choose_profiles,
        known_releases,
        known_word,
        read_choices,
    )
    from ngtpatch.patching.examples import load_tried_patches

    among, release = read_choices(os_release=os_release, profile_dirs=profile_dirs)
    known = {one: known_releases(among, one, release) for one in distros}
    asked = [one for one in distros if not known[one]]
    profiles = choose_profiles(among, asked, os_release=release)
    accepted = [
        place
        for one, found in known.items()
        for place in _ask(source, known_word(among, one, release), found)
    ]
    patches = load_tried_patches(patch_dirs)
    patched = apply(source.tree, profiles, patches) if profiles else Patched((), ())
    patched = replace(patched, already=(*patched.already, *accepted))
    return profiles, patches, patched


def _traces(source: OpenedSource, identity: IdentityRequest) -> Traces | None:
    """Search every byte of *source*, where something is to be done about identity.

    Raises Refusal ``identity-elsewhere``: some of it would go to whom it does not belong.
    """
    if not (identity.injects or identity.strip or identity.reserve):
        return None
    from ngtpatch.flow.traces import refuse_traces

    traces = _searched(source)
    if identity.gives:
        refuse_traces(traces, allowed=identity.allowed, path=str(source.path))
    return traces


def _searched(source: OpenedSource) -> Traces:
    from ngtpatch.flow.traces import find_traces

    return find_traces(source)


def _said(traces: Traces, removable: str) -> list[str]:
    """Return a notice for each place where identity was found that is none of its own."""
    gone = [f"{removable} {trace}" for trace in traces.found if trace.removable]
    stays = [f"the output holds {trace}" for trace in traces.standing()]
    notices = []
    for said in (gone, stays):
        notices += said[:_SHOWN]
        if len(said) > _SHOWN:
            notices.append(f"... and {len(said) - _SHOWN} more such places")
    return notices


def _reserved(
    source: OpenedSource,
    identity: IdentityRequest,
    contents: Mapping[str, bytes],
    removed: Sequence[str],
) -> tuple[Mapping[str, bytes], tuple[str, ...], dict[str, int]]:
    """Return contents, removals and room, with a place kept for each file of identity."""
    from ngtpatch.files.wellknown import AUTHORITY, VM_PATHS
    from ngtpatch.flow.authority import expects_authority

    places = set(VM_PATHS)
    if AUTHORITY in contents or expects_authority(source):
        places.add(AUTHORITY)
    empty = [path for path in places if path in removed or path not in source.tree]
    return (
        {**dict.fromkeys(sorted(empty), b""), **contents},
        tuple(path for path in removed if path not in places),
        dict.fromkeys(sorted(places), identity.reserve),
    )


def _ask(source: OpenedSource, name: str, releases: Sequence[OsRelease]) -> list[Already]:
    """Return the places that accept a distribution without a profile, asked of this disc.

    Of the names that say that ID (Vanilla OS says it is ubuntu) one at least is accepted.

    Raises:
        Refusal: ``unknown-profile``: none is.
    """
    if not releases:
        return []
    from ngtpatch.installer.layout import survey
    from ngtpatch.installer.recognition import UNKNOWN, UNSUPPORTED, find_sites
    from ngtpatch.installer.subject import DistroFacts
    from ngtpatch.patching.choice import not_seen_to_accept
    from ngtpatch.patching.known_names import known_names
    from ngtpatch.patching.outcome import Already

    survey(source.tree)
    found: dict[Already, None] = {}
    sites = [site for site in find_sites(source.tree) if site.picks_installer]
    for release in releases:
        facts = DistroFacts(release.name, release.id or None, release.version_id or None)
        branches = {site.path: site.decide(facts).branch for site in sites}
        if branches and not {UNKNOWN, UNSUPPORTED} & set(branches.values()):
            found |= dict.fromkeys(Already(path, name, branch) for path, branch in branches.items())
    if not found:
        names = [release.name for release in releases]
        stock = any(
            known.name == given.lower() and known.stock != UNSUPPORTED
            for known in known_names()
            for given in names
        )
        raise not_seen_to_accept(name, names, path=str(source.path), stock=stock)
    return list(dict.fromkeys(found))


def _identified(
    source: OpenedSource, identity: IdentityRequest, traces: Traces | None
) -> tuple[Mapping[str, bytes], tuple[str, ...], tuple[str, ...]]:
    from ngtpatch.flow.authority import expects_authority, read_authority

    authority = None
    if identity.authority is not None:
        authority = read_authority(Path(identity.authority))
    if identity.strip:
        from ngtpatch.identity.exchange import stripped

        also = traces.beside if traces is not None else ()
        bare = stripped(source.tree, also=also, authority=authority, allowed=identity.allowed)
        return bare.files, bare.removed, ()
    if identity.injects:
        from ngtpatch.files.wellknown import AUTHORITY
        from ngtpatch.identity.bundle import Identity
        from ngtpatch.identity.exchange import injected
        from ngtpatch.identity.findings import Severity

        given = Identity.from_files(
            source="the given identity",
            config=identity.config,
            certificate=identity.certificate,
            key=identity.key,
        )
        if authority is not None:
            paths = {**given.paths, AUTHORITY: str(identity.authority)}
            given = replace(given, authority=authority, paths=paths)
        needed = Severity.ERROR if expects_authority(source) else None
        found = injected(source.tree, given, sets=identity.sets, authority=needed)
        beside = traces.beside if traces is not None and identity.gives else ()
        return found.files, beside, tuple(str(warning.message) for warning in found.warnings)
    return {}, (), ()


def _compiled(source: OpenedSource, after: Mapping[str, bytes]) -> tuple[str, ...]:
    if not after:
        return ()
    from ngtpatch.installer.compiled import stale_compiled

    return stale_compiled(after, source.tree)


def _readiness(
    source: OpenedSource, contents: Mapping[str, bytes], removed: Sequence[str]
) -> tuple[str, ...]:
    from ngtpatch.flow.readiness import readiness_notices

    return readiness_notices(Altered(source.tree, contents, removed), source.volume)


def _carries_identity(
    source: OpenedSource, contents: Mapping[str, bytes], removed: Sequence[str],
    allowed: Collection[str],
) -> bool:  # fmt: skip
    from ngtpatch.identity.exchange import carriers

    return bool(carriers(Altered(source.tree, contents, removed), allowed=allowed))
