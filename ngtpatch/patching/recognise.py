# SPDX-License-Identifier: Apache-2.0
"""Kind ``recognise``: a branch of the chain accepts the profiles' names.

Meaning, not text: the chain is found by what its branches do, asked before and
after for the names that must change and for every other name that is known,
and refused in any doubt.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ngtpatch.errors import Refusal
from ngtpatch.installer.predicate import AnyOf, Match
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.installer.recognition import (
    ASKED,
    CONTINUES,
    REDHAT,
    UNKNOWN,
    UNSUPPORTED,
    Branch,
    Site,
    sites_in,
)
from ngtpatch.installer.subject import DistroFacts, Subject
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.known_names import known_distributions
from ngtpatch.patching.outcome import ORDER_HAZARD, Already, Outcome
from ngtpatch.patching.patch import KIN_BRANCH, Patch
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.sought import sought_alone

__all__ = ["for_kin", "recognise"]

_BY_HAND = f"compare the file with the shape that 'ngtpatch patch show' describes; {ORDER_HAZARD}"


# What a chain that is read cannot tell, and executing the file may.
_SOUGHT = frozenset({"anchor-missing", "anchor-ambiguous", "shape"})


def recognise(
    source: PythonSource,
    patch: Patch,
    profiles: Sequence[Profile],
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> Outcome:
    """Plan what makes *patch*'s branch accept *profiles* in *source*.

    A chain of tests is read; where there is none that can be extended, the file is executed,
    and one element is added where that is proven.

    Args:
        source: the file.
        patch: what is asked for.
        profiles: for whom.
        beside: the files that it may import.

    Raises:
        Refusal: ``anchor-missing``, ``anchor-ambiguous``, ``shape``, ``conflict``, ``lossy``.
    """
    every = sites_in(source)
    read = for_kin(source.path, patch, every, profiles)
    try:
        outcome = _extended(source, read, profiles, every)
    except Refusal as refusal:
        if refusal.code not in _SOUGHT or not profiles or (patch.count or 1) > 1:
            raise
        found = sought_alone(source, patch, profiles, beside, read.branch)
        if found is None:
            raise
        return found
    _prove(source, read, profiles, every, outcome)
    return outcome


def _extended(
    source: PythonSource, patch: Patch, profiles: Sequence[Profile], every: Sequence[Site]
) -> Outcome:
    """Plan the operands for the chains that lead to the branch."""
    anchors = _anchors(source, patch, every)
    insertions: list[Insertion] = []
    already: list[Already] = []
    edits = 0
    for site in anchors:
        plan = _Chain(source, patch, site).plan(profiles)
        already += plan.already
        if plan.needles:
            insertions.append(plan.insertion())
            edits += len(plan.needles)
    return Outcome(tuple(insertions), edits, tuple(already))


def for_kin(path: str, patch: Patch, sites: Sequence[Site], profiles: Sequence[Profile]) -> Patch:
    """Return *patch* with the branch that the kin of *profiles* takes among *sites*.

    Raises:
        Refusal: ``conflict``: they belong to different branches.
    """
    if patch.branch != KIN_BRANCH:
        return patch
    branches = {_branch_of_kin(sites, profile) for profile in profiles} or {REDHAT}
    if len(branches) > 1:
        named = " and ".join(sorted(branches))
        raise Refusal(
            "conflict",
            f"the distributions asked for belong to the {named} branches",
            path=path,
            hint="rebuild for one family, then its output for the other: the two are composed",
        )
    return replace(patch, branch=branches.pop())


def _branch_of_kin(sites: Sequence[Site], profile: Profile) -> str:
    if profile.kin is None:
        return REDHAT
    rows = [row for row in known_distributions() if row.name == profile.kin.lower()]
    row = max(rows, key=lambda one: bool(one.id))
    facts = DistroFacts(row.name, row.id or None)
    taken = {site.decide(facts).branch for site in sites if site.picks_installer}
    taken -= {UNKNOWN, UNSUPPORTED, CONTINUES}
    return taken.pop() if len(taken) == 1 else row.stock


# Finding the place ---------------------------------------------------------------------------


def _anchors(source: PythonSource, patch: Patch, sites: Sequence[Site]) -> list[Site]:
    anchors = [site for site in sites if patch.branch in {one.name for one in site.branches}]
    if patch.count is not None and len(anchors) < patch.count:
        raise _missing(source, patch, sites, anchors)
    if patch.count is not None and len(anchors) > patch.count:
        lines = "\n".join(source.excerpt(site.line, site.last_line) for site in anchors)
        raise Refusal(
            "anchor-ambiguous",
            f"{len(anchors)} places lead to the {patch.branch} installer, and {patch.count} was"
            f" expected:\n{lines}",
            path=source.path,
            hint=f"it is not known which of them decides; {ORDER_HAZARD}",
        )
    for site in anchors:
        if site.problem is not None:
            raise _shape(source, site.line, site.last_line, site.problem)
    return anchors


def _missing(
    source: PythonSource, patch: Patch, sites: Sequence[Site], anchors: Sequence[Site]
) -> Refusal:
    puzzles = [site for site in sites if site.problem not in (None, ASKED)]
    if puzzles and not anchors:
        first = puzzles[0]
        return _shape(source, first.line, first.last_line, first.problem or "")
    lines = "\n".join(source.excerpt(site.line, site.last_line) for site in sites)
    found = f"; what decides by distribution is:\n{lines}" if sites else ""
    return Refusal(
        "anchor-missing",
        f"no chain of distributions leads to the {patch.branch} installer{found}",
        path=source.path,
        hint=f"this NGT may decide elsewhere: 'ngtpatch support' shows where; {ORDER_HAZARD}",
    )


def _shape(source: PythonSource, first: int, last: int, problem: str) -> Refusal:
    return Refusal(
        "shape",
        f"the chain at line {first} has a shape that is not understood ({problem}):\n"
        f"{source.excerpt(first, last)}",
        path=source.path,
        hint=_BY_HAND,
    )


# Planning ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Plan:
    """The operands that one chain needs."""

    site: Site
    source: PythonSource
    branch: Branch
    usable: tuple[bool, ...]
    needles: tuple[str, ...]
    already: tuple[Already, ...]

    def insertion(self) -> Insertion:
        # Deferred: libcst costs 0.2 s, and an installer that needs no change costs none.
        from ngtpatch.patching.chain import NotAChain, OperandTemplate, extend

        if self.branch.header is None:
            raise _shape(
                self.source,
                self.branch.line,
                self.branch.line,
                "the line is written in a way of Python 2 that Python 3 writes otherwise",
            )
        start, end = self.branch.header
        try:
            relative = extend(
                self.source.text[start:end], self.needles, OperandTemplate(self.usable)
            )
        except NotAChain as problem:
            raise _shape(self.source, self.site.line, self.site.last_line, str(problem)) from None
        return Insertion(start + relative.offset, relative.text)


class _Chain:
    """One chain of one file, with the branch that is to accept more."""

    def __init__(self, source: PythonSource, patch: Patch, site: Site) -> None:
        self._source = source
        self._patch = patch
        self._site = site
        self._branch = self._only_branch()
        test = self._branch.test
        self._operands = test.operands if isinstance(test, AnyOf) else (test,)
        self._subject = self._compared()

    def _only_branch(self) -> Branch:
        branches = [one for one in self._site.branches if one.name == self._patch.branch]
        if len({branch.digest for branch in branches}) > 1:
            lines = "\n".join(self._source.excerpt(branch.line) for branch in branches)
            raise Refusal(
                "anchor-ambiguous",
                f"{len(branches)} branches lead to the {self._patch.branch} installer, by"
                f" different code:\n{lines}",
                path=self._source.path,
                hint=f"it is not known which of them a new distribution needs; {ORDER_HAZARD}",
            )
        return branches[0]

    def _compared(self) -> Subject:
        """Return the fact that the branch's operands compare, name before ID."""
        subjects = [
            operand.subject
            for operand in self._operands
            if isinstance(operand, Match) and operand.relation == "in"
        ]
        subjects.sort(key=lambda subject: ("name", "id", subject.field).index(subject.field))
        if not subjects or subjects[0].field not in ("name", "id"):
            problem = "none of its operands is seen to look for a text in the name or the ID"
            raise self._refused(problem)
        return subjects[0]

    def _refused(self, problem: str) -> Refusal:
        return _shape(self._source, self._site.line, self._site.last_line, problem)

    def plan(self, profiles: Sequence[Profile]) -> _Plan:
        needles: list[str] = []
        already: list[Already] = []
        for profile in sorted(profiles, key=lambda one: one.id):
            open_facts = [facts for facts in self._wanted(profile) if self._is_open(facts)]
            if open_facts:
                needles += self._cover(profile, open_facts)
            else:
                already.append(Already(self._source.path, profile.id, self._patch.branch))
        return _Plan(
            self._site,
            self._source,
            self._branch,
            tuple(
                isinstance(operand, Match)
                and operand.relation == "in"
                and operand.subject == self._subject
                for operand in self._operands
            ),
            tuple(dict.fromkeys(needles)),
            tuple(already),
        )

    def _wanted(self, profile: Profile) -> tuple[DistroFacts, ...]:
        if self._subject.field == "id" and not profile.ids:
            raise Refusal(
                "shape",
                f"the chain at line {self._site.line} compares ID of os-release, and the profile"
                f" {profile.id} gives none:\n"
                + self._source.excerpt(self._site.line, self._site.last_line),
                path=self._source.path,
                hint="add ids to the profile",
            )
        return _facts(self._patch, profile)

    def _is_open(self, facts: DistroFacts) -> bool:
        """Tell whether the branch does not accept *facts* yet."""
        decision = self._site.decide(facts)
        if decision.branch == self._patch.branch:
            return False
        if decision.branch == UNKNOWN:
            raise _shape(
                self._source,
                decision.line,
                decision.line,
                f"it is not known what it decides for {facts.name!r}",
            )
        if decision.branch != UNSUPPORTED:
            raise Refusal(
                "conflict",
                f"{facts.name!r} takes the {decision.branch} branch as shipped:\n"
                + self._source.excerpt(decision.line),
                path=self._source.path,
                hint="a patch never takes a distribution away from an installer that accepts it",
            )
        return True

    def _cover(self, profile: Profile, facts: Sequence[DistroFacts]) -> list[str]:
        """Return the fewest tokens that match all *facts*, in the profile's order."""
        tokens = self._tokens(profile, facts)
        chosen: set[str] = set()
        left = {one: self._subject.value(one) or "" for one in facts}
        while left:
            best = max(tokens, key=lambda token: sum(token in value for value in left.values()))
            rest = {one: value for one, value in left.items() if best not in value}
            if len(rest) == len(left):
                names = ", ".join(repr(one.name) for one in left)
                raise Refusal(
                    "conflict",
                    f"no needle of the profile {profile.id} is in {names}",
                    path=self._source.path,
                    hint="give the profile a needle for every one of its names",
                )
            chosen.add(best)
            left = rest
        return [token for token in tokens if token in chosen]

    def _tokens(self, profile: Profile, facts: Sequence[DistroFacts]) -> list[str]:
        """Return the profile's needles as the subject's values have them."""
        if self._subject.field == "id":
            return list(dict.fromkeys(self._subject.value(one) or "" for one in facts))
        needles = self._patch.needles_for(profile)
        if self._subject.case == "kept":
            return [
                value[start : start + len(needle)]
                for needle in needles
                for value in dict.fromkeys(one.name for one in facts)
                if (start := value.lower().find(needle)) >= 0
            ]
        for needle in needles:
            if not needle.isascii() or not needle.isprintable() or set(needle) & set("'\"\\"):
                raise Refusal(
                    "lossy",
                    f"the needle {needle!r} cannot stand in Python source of any version as it is",
                    path=self._source.path,
                    hint="give the profile a needle of ASCII without quotes and backslashes",
                )
        return [needle.upper() if self._subject.case == "upper" else needle for needle in needles]


def _facts(patch: Patch, profile: Profile) -> tuple[DistroFacts, ...]:
    return tuple(
        DistroFacts(name, identifier)
        for name in patch.names_for(profile)
        for identifier in profile.ids or (None,)
    )


# Proving -------------------------------------------------------------------------------------


def _prove(
    source: PythonSource,
    patch: Patch,
    profiles: Sequence[Profile],
    before: Sequence[Site],
    outcome: Outcome,
) -> None:
    """Parse the result again and compare what it decides, for every name that is known."""
    result = parse(source.path, insert(source, outcome.insertions))
    after = sites_in(result) if outcome.insertions else before
    wanted = {facts for profile in profiles for facts in _facts(patch, profile)}
    names = {facts.name.lower() for facts in wanted}
    kept = [DistroFacts(name) for name in patch.keep if name.lower() not in names]
    if len(after) != len(before):
        raise _shape(
            source, before[0].line, before[-1].last_line, "the patched copy reads differently"
        )
    for old, new in zip(before, after, strict=True):
        if patch.branch in {branch.name for branch in old.branches}:
            _prove_accepted(source, patch, new, wanted)
        # What the known names get as shipped is asked once, not once a profile.
        was = _known_outcomes(old)
        known = [
            (facts, branch)
            for facts, branch in zip(_known(), was, strict=True)
            if facts.name.lower() not in names
        ]
        for facts, branch in (*known, *((one, old.outcome(one)) for one in kept)):
            if branch != new.outcome(facts):
                raise Refusal(
                    "conflict",
                    f"the chain at line {old.line} would also decide differently for"
                    f" {facts.name!r}:\n{result.excerpt(new.line, new.last_line)}",
                    path=source.path,
                    hint="use longer needles, up to the full NAME in lower case",
                )
    _prove_unhindered(source, patch, before, wanted)


def _prove_accepted(
    source: PythonSource, patch: Patch, site: Site, wanted: Iterable[DistroFacts]
) -> None:
    for facts in wanted:
        decision = site.decide(facts)
        if decision.branch != patch.branch:
            raise Refusal(
                "conflict",
                f"{facts.name!r} would still take the {decision.branch} branch at line"
                f" {decision.line}:\n{source.excerpt(site.line, site.last_line)}",
                path=source.path,
                hint=_BY_HAND,
            )


def _prove_unhindered(
    source: PythonSource, patch: Patch, sites: Sequence[Site], wanted: Iterable[DistroFacts]
) -> None:
    """Refuse where a check beside the chain would stop what the chain now accepts.

    The measure are the names that the chain accepts as shipped: a check must treat a new
    name as it treats one of them.
    """
    anchors = [site for site in sites if patch.branch in {one.name for one in site.branches}]
    if not anchors:
        return
    accepted = [
        facts
        for facts in _known()
        if all(site.decide(facts).branch == patch.branch for site in anchors)
    ]
    for check in sites:
        if check.picks_installer or all(branch.idle for branch in check.branches):
            continue
        treatments = {check.treatment(facts) for facts in accepted}
        for facts in wanted:
            taken = check.taken(facts)
            if check.treatment(facts) not in treatments or (taken and taken.gives_up):
                raise _shape(
                    source,
                    check.line,
                    check.last_line,
                    f"a check outside the chain stops {facts.name!r}, or treats it like none"
                    " that is accepted",
                )


@functools.lru_cache(maxsize=32)
def _known_outcomes(site: Site) -> tuple[str, ...]:
    """Return the branch that each known distribution takes."""
    return tuple(site.outcome(facts) for facts in _known())


@functools.cache
def _known() -> tuple[DistroFacts, ...]:
    return tuple(DistroFacts(row.name, row.id or None) for row in known_distributions())
