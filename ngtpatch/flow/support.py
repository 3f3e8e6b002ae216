# SPDX-License-Identifier: Apache-2.0
"""Does this NGT accept that distribution, can it be made to, and what else will stop it?

The answer is computed, not tried: the installer's chains are evaluated as shipped and
as the patches would leave them. Nothing is written, and no vendor code runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from ngtpatch.errors import NgtpatchError, Refusal
from ngtpatch.flow.opened import OpenedSource, open_source
from ngtpatch.flow.verdicts import (
    DistroSupport,
    HazardFound,
    ProfileTrial,
    Refused,
    SiteSupport,
    Support,
    Verdict,
)
from ngtpatch.patching.doubts import Doubt, doubts_digest

if TYPE_CHECKING:
    from ngtpatch.installer.hazards import Hazard
    from ngtpatch.installer.recognition import Site
    from ngtpatch.installer.subject import DistroFacts
    from ngtpatch.patching.kin_proof import KinProof
    from ngtpatch.patching.osrelease import OsRelease
    from ngtpatch.patching.outcome import LeftFile
    from ngtpatch.patching.planning import PatchPlan
    from ngtpatch.patching.profile import Profile, Profiles
    from ngtpatch.patching.treated import Treated

__all__ = ["support", "try_profile"]

# What a branch is called that no installer stands behind.
_NOWHERE = frozenset({"unsupported", "unknown"})


def support(
    source: str | Path,
    *,
    distros: Sequence[str] = (),
    os_release: str | Path | None = None,
    profile_dirs: Sequence[str | Path] = (),
    patch_dirs: Sequence[str | Path] = (),
) -> Support:
    """Return what the NGT on *source* does with each distribution, as shipped and patched.

    Args:
        source: an ISO image, a block device, or a directory with its tree.
        distros: ids of profiles; by default all of them, or only *os_release* if given.
        os_release: an os-release(5) file, of a distribution with or without a profile.
        profile_dirs: directories of profiles beside the shipped ones.
        patch_dirs: directories of patches beside the shipped ones.

    Raises:
        InputError: a file cannot be read, or *source* holds no NGT installer.
        Refusal: ``unknown-profile``.
    """
    from ngtpatch.patching.choice import AUTO, choose_profiles, known_releases, read_choices

    profiles, release = read_choices(os_release=os_release, profile_dirs=profile_dirs)
    asked = [one for one in distros if one != AUTO or release is None]
    known = {one: known_releases(profiles, one) for one in asked}
    asked = [one for one in asked if not known[one]]
    if not distros and release is None:
        chosen: Sequence[Profile] = tuple(profiles.values())
    else:
        chosen = choose_profiles(profiles, asked)
    with open_source(source) as opened:
        installer = _Installer(opened, patch_dirs)
        installer.plan(chosen)
        rows = [row for profile in chosen for row in installer.versions(profile)]
        rows += [
            installer.stranger(one, profiles) for releases in known.values() for one in releases
        ]
        if release is not None:
            rows.append(installer.stranger(release, profiles))
        return Support(
            str(source), installer.version, installer.era, tuple(rows), installer.unseen()
        )


def try_profile(
    profile: Profile, source: str | Path, *, patch_dirs: Sequence[str | Path] = ()
) -> ProfileTrial:
    """Return what *profile* does to the NGT on *source*, and that it does it to nobody else.

    Raises:
        InputError: *source* cannot be read or holds no NGT installer.
    """
    from ngtpatch.patching.known_names import known_names

    own = {name.lower() for name in profile.names}
    others = [known.name for known in known_names() if known.name not in own]
    with open_source(source) as opened:
        installer = _Installer(opened, patch_dirs)
        rows = tuple(installer.versions(profile))
        changed = tuple(installer.others_changed(profile, others))
    return ProfileTrial(str(source), profile.id, rows, len(others) - len(changed), changed)


@dataclass(frozen=True)
class _Guest:
    """What a guest reports, as far as the installer can ask."""

    profile: str | None
    title: str
    names: tuple[str, ...]
    ids: tuple[str, ...]
    version: str
    releases: tuple[str, ...]
    python: str | None
    evidence: str
    opt_in: str | None
    can_be_asked_for: bool = True  # whether a profile, with which a rebuild mends hazards, exists

    @property
    def facts(self) -> Iterator[DistroFacts]:
        """Yield every combination of what it was seen to report."""
        from ngtpatch.installer.subject import DistroFacts

        for name, id_ in product(self.names, self.ids or (None,)):
            for release in self.releases or (None,):
                yield DistroFacts(name, id_, release)


@dataclass(frozen=True)
class _Effect:
    """The installer with a profile's patches applied, as far as they fit.

    Attributes:
        sites: in the order of the shipped ones.
        hazards: code and path of each that is left.
        refused: why nothing was patched.
        barred: whether that was seen by executing the installer: not even a chain that accepts
            the name helps.
        unproven: what is not understood on the way.
        left: files beside the way that name distributions and were left.
        agents: the places in the installer's archives.
        sought: for files whose place was found by executing them, the branch before and after.
    """

    sites: tuple[Site, ...]
    hazards: frozenset[tuple[str, str]]
    refused: NgtpatchError | None
    barred: bool = False
    unproven: tuple[Doubt, ...] = ()
    left: tuple[LeftFile, ...] = ()
    agents: tuple[SiteSupport, ...] = ()
    sought: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class _Installer:
    """An NGT tree whose sites and hazards are found once and asked many times."""

    def __init__(self, source: OpenedSource, patch_dirs: Sequence[str | Path]) -> None:
        from ngtpatch.flow.readiness import disc_hazards, edit_hazards
        from ngtpatch.installer.hazards import find_hazards
        from ngtpatch.installer.layout import survey
        from ngtpatch.installer.recognition import find_sites
        from ngtpatch.patching.agents import read_agents
        from ngtpatch.patching.examples import load_tried_patches

        tree = source.tree
        layout = survey(tree)
        self.version, self.era = layout.version, layout.era
        self._tree = tree
        self._sites = find_sites(tree)
        self._payloads = read_agents(tree)
        self._treated: dict[str, tuple[Treated, ...]] = {}
        self._hazards = find_hazards(tree)
        self._of_the_disc = (
            *disc_hazards(tree, source.volume),
            *edit_hazards(source.volume),
        )
        self._patches = load_tried_patches(patch_dirs)
        self._plans: dict[str, PatchPlan | Refusal] = {}
        self._proofs: dict[str, KinProof] = {}

    @cached_property
    def _way(self) -> frozenset[str]:
        """The files that were executed for one of the known distributions, or would have been."""
        from ngtpatch.installer.execution.program import execute
        from ngtpatch.patching.guests import known_worlds

        found = execute(self._tree, known_worlds())
        return found.files | found.started | found.unread.keys()

    @cached_property
    def _reached(self) -> frozenset[str]:
        from ngtpatch.flow.beside import reached

        return reached(self._tree, self._way)

    def unseen(self) -> tuple[str, ...]:
        """Return a sentence for each file of which something was not looked into."""
        from ngtpatch.installer.unseen import unseen

        return unseen(self._tree, self._payloads)

    def plan(self, profiles: Sequence[Profile]) -> None:
        """PatchPlan the patches for each of *profiles*, and execute the outcome for all at once."""
        from ngtpatch.patching.agents import patch_agents
        from ngtpatch.patching.kin_proof import prove
        from ngtpatch.patching.planning import plan

        treated = patch_agents(self._tree, self._payloads, profiles, self._patches).treated
        self._treated.update((profile.id, treated) for profile in profiles)
        for profile in profiles:
            try:
                self._plans[profile.id] = plan(self._tree, (profile,), self._patches)
            except Refusal as refusal:
                self._plans[profile.id] = refusal
        fit = [one for one in profiles if not isinstance(self._plans[one.id], Refusal)]
        if len(fit) < 2:
            return
        try:
            together = plan(self._tree, fit, self._patches)
        except Refusal:
            return  # each is proven by itself then
        proof = prove(self._tree, together.after, fit, together.anchors)
        if not proof.conflicts:
            self._proofs = dict.fromkeys((one.id for one in fit), proof)

    def versions(self, profile: Profile) -> Iterator[DistroSupport]:
        """Yield one row for each version of *profile*."""
        effect = self._patched(profile)
        for version in profile.versions.values():
            guest = _Guest(
                profile=profile.id,
                title=profile.name,
                names=profile.names,
                ids=profile.ids,
                version=version.version,
                releases=version.releases,
                python=version.python,
                evidence=version.evidence,
                opt_in=profile.opt_in,
            )
            yield self._row(guest, effect)

    def stranger(self, release: OsRelease, profiles: Profiles) -> DistroSupport:
        """Return the row of an os-release, with its profile or the one that it could have."""
        from ngtpatch.patching.choice import find_profile
        from ngtpatch.patching.kinship import EL_PYTHON, kinship
        from ngtpatch.patching.new_profile import covered, draft_profile

        profile = find_profile(release, profiles)
        version = profile.version(release.version_id) if profile else None
        python = version.python if version else EL_PYTHON.get(kinship(release).major or "")
        opt_in = None
        try:
            # Which Python it has decides nothing about the chain: any will do for the draft.
            candidate = profile or draft_profile(release, profiles, python=python or "3.9").profile
            effect, opt_in = self._patched(candidate), candidate.opt_in
        except NgtpatchError as error:
            effect = _Effect(self._sites, _keys(self._hazards), error)
        # What an unpatched NGT knows has no profile, and gets none: no rebuild is for it.
        can_be_asked_for = profile is not None or covered(release, profiles) is None
        if not can_be_asked_for:
            effect = self._as_shipped(effect, release)
        guest = _Guest(
            profile=profile.id if profile else None,
            title=release.name,
            names=(release.name,),
            ids=(release.id,) if release.id else (),
            version=release.version_id or "unversioned",
            releases=(release.version_id,) if release.version_id else (),
            python=python,
            evidence="os-release",
            opt_in=opt_in,
            can_be_asked_for=can_be_asked_for,
        )
        return self._row(guest, effect)

    def others_changed(self, profile: Profile, names: Iterable[str]) -> Iterator[str]:
        """Yield those of *names* that decide differently with the profile's patches."""
        patched = self._patched(profile).sites
        for name in names:
            if any(
                before.decide(name).branch != after.decide(name).branch
                for before, after in zip(self._sites, patched, strict=True)
            ):
                yield name

    def _patched(self, profile: Profile) -> _Effect:
        from ngtpatch.flow.beside import left_beside
        from ngtpatch.installer.compiled import stale_compiled
        from ngtpatch.installer.hazards import find_hazards
        from ngtpatch.installer.recognition import find_sites
        from ngtpatch.patching.apply import concluded

        if profile.id not in self._plans:
            self.plan((profile,))
        planned = self._plans[profile.id]
        agents = tuple(_agent(place, profile) for place in self._treated[profile.id])
        as_shipped = _as_shipped(agents)
        try:
            planned, patched = concluded(
                self._tree, (profile,), self._patches, planned, self._proofs.get(profile.id)
            )
        except Refusal as refusal:
            return _Effect(
                self._sites,
                _keys(self._hazards),
                refusal,
                barred=not isinstance(planned, Refusal),
                agents=as_shipped,
            )
        after = dict(planned.after)
        gone = {*after, *stale_compiled(after, self._tree)}
        left = [one for one in self._hazards if one.path not in gone]
        return _Effect(
            _in_step(self._sites, find_sites(after), after),
            _keys([*left, *find_hazards(after, with_gates=False)]),
            None,
            unproven=patched.doubts,
            left=left_beside(self._sites, patched, (profile,)),
            agents=agents,
            sought={
                path: (
                    "unsupported" if path in {*after, *planned.importing} else branch,
                    branch,
                )
                for path, branch in planned.sought.items()
            },
        )

    def _row(self, guest: _Guest, effect: _Effect) -> DistroSupport:
        sites = tuple(
            _site(before, after, guest, effect.sought.get(before.path))
            for before, after in zip(self._sites, effect.sites, strict=True)
        )
        hazards = tuple(self._struck(guest, effect, _branch(sites)))
        left = effect.left if guest.can_be_asked_for else self._standing_beside(guest)
        beside = {one.path for one in left}
        verdict, refused = _verdict([one for one in sites if one.path not in beside], effect)
        stopping = [one for one in hazards if one.stops and not one.mended_by]
        stops = any(one.on_way for one in stopping)
        runs: bool | None = verdict != "refused" and not stops
        if (guest.python is None or verdict == "uncertain" or stopping) and not stops:
            runs = None  # all that is known is what stops on any Python, and on the way
        return DistroSupport(
            profile=guest.profile,
            name=guest.title,
            version=guest.version,
            python=guest.python,
            evidence=guest.evidence,
            sites=tuple(sorted((*sites, *effect.agents), key=lambda site: (site.path, site.line))),
            hazards=hazards,
            verdict=verdict,
            runs=runs,
            refused=refused,
            opt_in=guest.opt_in,
            unproven=effect.unproven,
            accept=doubts_digest(effect.unproven) if effect.unproven else None,
            left=left,
        )

    def _as_shipped(self, effect: _Effect, release: OsRelease) -> _Effect:
        """Return what there is for a name that NGT knows by itself: the disc as it is."""
        from ngtpatch.patching.choice import not_seen_to_accept

        if not effect.barred:
            refused = not_seen_to_accept(release.name.lower(), [release.name.lower()], stock=True)
            effect = replace(effect, refused=refused)
        return replace(
            effect,
            sites=self._sites,
            hazards=_keys(self._hazards),
            unproven=(),
            agents=_as_shipped(effect.agents),
            sought={path: (shipped, shipped) for path, (shipped, _) in effect.sought.items()},
        )

    def _standing_beside(self, guest: _Guest) -> tuple[LeftFile, ...]:
        """Return the files that stand beside the way of what NGT knows, and do not accept it.

        There is no plan for such a guest, of which that would be known.
        """
        from ngtpatch.flow.beside import standing_beside

        guests = tuple(guest.facts)
        if not any(one.decide(facts).branch in _NOWHERE for one in self._sites for facts in guests):
            return ()
        return tuple(
            standing_beside([one for one in self._sites if one.path not in self._way], guests)
        )

    def _struck(self, guest: _Guest, effect: _Effect, branch: str) -> Iterator[HazardFound]:
        for one in self._of_the_disc:
            yield HazardFound(one.code, one.path, one.line, one.text, one.stops, mended_by=None)
        if guest.python is None:
            return
        for one in self._hazards:
            if any(
                one.concerns(python=guest.python, release=release, branch=branch)
                for release in guest.releases or (None,)
            ):
                gone = (one.code, one.path) not in effect.hazards
                yield HazardFound(
                    code=one.code,
                    path=one.path,
                    line=one.line,
                    text=one.text,
                    stops=one.stops,
                    mended_by=one.mended_by if gone and guest.can_be_asked_for else None,
                    on_way=not one.stops or one.path in self._reached,
                )


def _agent(place: Treated, profile: Profile) -> SiteSupport:
    """Return what a place of an archive decides: the branch of the kin, or none."""
    from ngtpatch.patching.known_names import known_names

    if place.treatment == "left":
        return SiteSupport(place.path, place.line, "unknown", "unknown", None)
    if place.treatment == "unaccepted" or profile.kin is None:
        return SiteSupport(place.path, place.line, "unsupported", "unsupported", None)
    kin = profile.kin.lower()
    branch = next(known.stock for known in known_names() if known.name == kin)
    shipped = "unsupported" if profile.id in place.profiles else branch
    return SiteSupport(place.path, place.line, shipped, branch, None)


def _as_shipped(agents: Sequence[SiteSupport]) -> tuple[SiteSupport, ...]:
    return tuple(replace(one, patched=one.shipped) for one in agents)


def _keys(hazards: Iterable[Hazard]) -> frozenset[tuple[str, str]]:
    return frozenset((one.code, one.path) for one in hazards)


def _in_step(
    shipped: Sequence[Site], patched: Iterable[Site], paths: Collection[str]
) -> tuple[Site, ...]:
    """Put the sites of patched files in the places of the shipped ones."""
    found = iter(sorted(patched, key=lambda site: (site.path, site.line)))
    try:
        return tuple(next(found) if site.path in paths else site for site in shipped)
    except StopIteration:
        raise NgtpatchError("unexpected", "a patched file lost a place that decides") from None


def _site(before: Site, after: Site, guest: _Guest, sought: tuple[str, str] | None) -> SiteSupport:
    shipped, _ = _decide(before, guest)
    patched, operand = _decide(after, guest)
    if sought is not None:
        # What reading the place does not tell, executing the file has.
        shipped, patched = sought
    return SiteSupport(before.path, before.line, shipped, patched, operand)


def _branch(sites: Sequence[SiteSupport]) -> str:
    """Return whose files install the guest; Red Hat's where no branch is seen to accept it."""
    from ngtpatch.installer.recognition import FAMILIES, REDHAT

    return next((one.patched for one in sites if one.patched in FAMILIES), REDHAT)


def _decide(site: Site, guest: _Guest) -> tuple[str, str | None]:
    """Return the branch that all the guest's names take, or the worst of several."""
    decisions = [site.decide(facts) for facts in guest.facts]
    worst = min(decisions, key=lambda decision: decision.branch not in _NOWHERE)
    return worst.branch, worst.operand


def _verdict(sites: Sequence[SiteSupport], effect: _Effect) -> tuple[Verdict, Refused | None]:
    from ngtpatch.installer.payloads import MEMBER

    # A shell script that names distributions is found but not understood, and what a payload
    # holds runs after the installer has decided: both are shown, and do not decide here.
    understood = [site for site in sites if site.shipped != "unknown" and MEMBER not in site.path]
    refusal = effect.refused
    recognised = understood and all(site.shipped not in _NOWHERE for site in understood)
    if recognised and not effect.barred:
        return "recognised", None
    if refusal is not None:
        return "refused", Refused(refusal.code, refusal.path, refusal.message, refusal.hint)
    stuck = [site for site in understood if site.patched in _NOWHERE]
    if understood and not stuck:
        return "uncertain" if effect.unproven else "patchable", None
    where = stuck[0] if stuck else sites[0] if sites else None
    return "refused", Refused(
        "not-understood",
        where.path if where else None,
        "no place that decides by distribution was found or understood"
        if not understood
        else f"line {where.line if where else 0} still decides {stuck[0].patched}",
        "no patch is for this place; see 'ngtpatch inspect'",
    )
