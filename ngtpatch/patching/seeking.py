# SPDX-License-Identifier: Apache-2.0
"""The one insertion that has a file treat new names as it treats their kin, found by execution.

The file is executed as shipped, for everyone at once; what was compared with what tells which
texts decided for the kin. Each row in which such a text stands could be given one more element.
Every such change is made and executed: it is right if the new names come to all that their kin
comes to, and everyone else to what they came to before. One place that is right is the change;
where several are, nobody knows which the vendor would have chosen, and none is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.program import is_of_the_disc
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.layout import FACTORY
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.candidates import Candidates
from ngtpatch.patching.changed_values import held_otherwise, values_that_change
from ngtpatch.patching.constant_uses import UnseenUses
from ngtpatch.patching.guests import known_worlds, stranger_beside
from ngtpatch.patching.onlooker import Fate, Onlooker, Sight
from ngtpatch.patching.order_proof import orders_that_decide
from ngtpatch.patching.outcome import ORDER_HAZARD, Already, Outcome
from ngtpatch.patching.places import Extension
from ngtpatch.patching.unnamed import branch_lines, scope_of
from ngtpatch.patching.wanted_texts import wanted_texts

__all__ = ["Seeker", "Sought"]

#: Steps for all that is tried in one file: some seconds.
_MOST_STEPS = 300_000


@dataclass(frozen=True)
class Sought:
    """New names, and whom they are likened to.

    Attributes:
        kin: for each guest with a new name the known ones on the same release, first choice first.
        needles: the tokens that stand for each.
        profiles: the profile of each.
        branch: what the kin's branch does.
        keep: names that must decide as before, beside all that are known.
    """

    kin: Mapping[World, Sequence[World]]
    needles: Mapping[World, Sequence[str]]
    profiles: Mapping[World, str]
    branch: str
    keep: Sequence[str] = ()


class Seeker:
    """Looks for the insertion in one file."""

    def __init__(self, source: PythonSource, beside: Mapping[str, bytes], sought: Sought) -> None:
        self._source, self._sought = source, sought
        self._tree = {**beside, source.path: source.encode(source.text)}
        self._path = source.path
        new = list(sought.kin)
        names = {world.name.lower() for world in new}
        kin = [one for each in sought.kin.values() for one in each]
        kept = [World(name) for name in sought.keep]
        others = [one for one in (*known_worlds(), *kept) if one.name.lower() not in names]
        strangers = [stranger_beside(world) for world in (*new, *kin)]
        self._others = list(dict.fromkeys([*strangers, *others, *kin]))
        worlds = tuple(dict.fromkeys([*new, *self._others]))
        self._onlooker = Onlooker([source], self._tree, worlds)
        bits = self._onlooker.bits
        self._watch = Watch(guests=sum(bits[one] for one in set(self._others)))
        self._shipped = self._onlooker.as_shipped(self._watch)
        self._left = _MOST_STEPS
        self._uses = UnseenUses(self._tree, self._watch)

    # Judging --------------------------------------------------------------------------------

    def _is_accepted(self, world: World, shown: Sight) -> bool:
        """Tell whether something else becomes of *world* than of a name nobody knows.

        Certainly so: it must not come to the end that the other comes to, whatever else decides;
        where the factory gives an installer, it must be known which one.
        """
        stranger = stranger_beside(world)
        fate, strange = shown.fates[world], shown.fates[stranger]
        both = self._ends(fate) & self._ends(strange)
        # What anybody may come to is decided by something else, such as who runs it.
        if both and both - both.intersection(*map(self._ends, set(shown.fates.values()))):
            return False
        if not shown.either[world] <= shown.either[stranger]:
            return False
        if self._path == FACTORY:
            own = [row for row in fate - strange if len(row) == 3 and is_of_the_disc(row[2])]
            picked = {row[:2] for row in own}
            # Each function gives one thing: what is known of it is certain.
            return bool(own) and len(picked) == len([row for row in fate if row[:2] in picked])
        return fate != strange or shown.ways[world] != shown.ways[stranger]

    def _ends(self, fate: Fate) -> set[tuple[str, ...]]:
        """Return the ends of a guest's fate that are ends of the program."""
        # How the functions that nobody calls would end is no end of the factory's.
        alone = "True" if self._path == FACTORY else ""
        return {row[:4] for row in fate if len(row) > 3 and row[4] != alone}

    def _alike(self, world: World, like: World, shown: Sight) -> bool:
        return (
            shown.fates[world] == shown.fates[like]
            and shown.ways[world] == shown.ways[like]
            and shown.either[world] == shown.either[like]
        )

    def _likenesses(self) -> Iterator[dict[World, World]]:
        """Yield each choice of kin that the file accepts.

        The first that it accepts, and others that it gives the same installer by another way.
        """
        most = max(len(each) for each in self._sought.kin.values())
        first: dict[World, World] | None = None
        for at in range(most):
            chosen = {
                world: each[min(at, len(each) - 1)] for world, each in self._sought.kin.items()
            }
            if all(self._is_accepted(one, self._shipped) for one in set(chosen.values())):
                if first is not None and (
                    self._path != FACTORY
                    or any(
                        self._shipped.fates[chosen[world]] != self._shipped.fates[first[world]]
                        for world in chosen
                    )
                ):
                    continue
                first = first or chosen
                yield chosen

    # Seeking --------------------------------------------------------------------------------

    def outcome(self) -> Outcome | None:
        """Return the change, or that none is needed; None where none is proven.

        Raises:
            Refusal: ``anchor-ambiguous``: several places would do.
        """
        for chosen in self._likenesses():
            short = {
                world: like
                for world, like in chosen.items()
                if not self._alike(world, like, self._shipped)
            }
            if not short:
                return self._already()
            if any(self._is_taken(world) for world in short):
                continue
            proven = self._proven(chosen, short)
            if self._left <= 0:
                return None  # what was not tried may do as well
            if len({place.key for place in proven}) > 1:
                raise self._several(proven)
            if proven:
                return self._changed(proven[0], short)
        return self._already() if self._is_open_to_all() else None

    def _is_open_to_all(self) -> bool:
        """Tell whether the new names get what their kin gets as everyone does that no test names.

        That is certain, or it is not so: where anything else may decide in the function that
        leads to the installer, it is not.
        """
        shown, branch = self._shipped, self._sought.branch
        everywhere = frozenset.intersection(*set(shown.ways.values()))
        leading = {
            (self._path, line): families
            for line, families in branch_lines(self._source).items()
            if (self._path, line) not in everywhere
        }
        scopes = {scope_of(self._source, line) for _, line in leading}
        common = frozenset.intersection(*map(frozenset, map(self._ends, shown.fates.values())))
        for world, kin in self._sought.kin.items():
            fate, way = shown.fates[world], shown.ways[world]
            families = {one for place in way & leading.keys() for one in leading[place]}
            if (
                not self._alike(world, kin[0], shown)
                or world in shown.unsure
                or families != {branch}
                or self._ends(fate) - common
                or any(
                    path == self._path and scope_of(self._source, line) in scopes
                    for path, line in shown.either[world]
                )
                or not (self._path != FACTORY or self._is_given(fate, branch))
            ):
                return False
        return True

    def _is_given(self, fate: Fate, branch: str) -> bool:
        """Tell whether a fate has the branch's installer, and certainly that."""
        given = [row for row in fate if len(row) == 3 and is_of_the_disc(row[2])]
        picked = {row[:2] for row in given}
        return (
            bool(given)
            and all(branch in row[2].lower() for row in given)
            and len(picked) == len([row for row in fate if row[:2] in picked])
        )

    def _is_taken(self, world: World) -> bool:
        """Tell whether another installer than the kin's accepts *world* as shipped."""
        return self._path == FACTORY and self._is_accepted(world, self._shipped)

    def _already(self) -> Outcome:
        ids = dict.fromkeys(self._sought.profiles.values())
        branch = self._sought.branch
        already = tuple(Already(self._path, one, branch) for one in ids)
        return Outcome(already=already, sought=branch, naming=tuple(self._naming()))

    def _naming(self) -> Iterator[str]:
        """Yield the other files that were executed and have a token of the new names."""
        tokens = {token.encode() for each in self._sought.needles.values() for token in each}
        for path in self._executed():
            data = self._tree.get(path, b"").lower()
            if any(token in data for token in tokens):
                yield path

    def _executed(self) -> Sequence[str]:
        return sorted({path for path, _ in self._watch.reached} - {self._path})

    def _changed(self, place: Extension, short: Mapping[World, World]) -> Outcome:
        whose = {self._sought.profiles[world] for world in short}
        ids = dict.fromkeys(self._sought.profiles.values())
        already = tuple(
            Already(self._path, one, self._sought.branch) for one in ids if one not in whose
        )
        changes = [(place.source, place.insertions)]
        unseen = self._uses.beside(place, held_otherwise(self._onlooker, changes, self._watch))
        uses = {(use.path, use.line) for use in unseen}
        uses |= set(orders_that_decide(self._onlooker, changes, self._watch))
        if not uses:
            others = self._watch.guests
            uses |= set(values_that_change(self._onlooker, changes, [place], others))
        is_here = place.source.path == self._path
        return Outcome(
            place.insertions if is_here else (),
            len(place.texts),
            already,
            sought=self._sought.branch,
            uses=tuple(sorted(uses)),
            elsewhere=None if is_here else (place.source.path, place.insertions),
        )

    def _proven(
        self, chosen: Mapping[World, World], short: Mapping[World, World]
    ) -> list[Extension]:
        wanted = wanted_texts(self._watch, short, self._onlooker.bits, self._sought.needles)
        names = [world.name for world in self._sought.kin]
        candidates = Candidates(wanted, names, lambda source, row: bool(self._uses.of(source, row)))
        # What other files import changes more than the file itself does: it comes after.
        for sources in ((self._source,), tuple(candidates.sources(self._tree, self._executed()))):
            for find in candidates.kinds:
                proven: dict[tuple[str, str, int, int], Extension] = {}
                for source in sources:
                    for ladder in find(source):
                        for place in ladder:
                            if place.key in proven:
                                break
                            if self._is_right(place, chosen):
                                proven[place.key] = place
                                break
                if proven:
                    return list(proven.values())
        return []

    def _is_right(self, place: Extension, chosen: Mapping[World, World]) -> bool:
        if self._left <= 0:
            return False
        watch = Watch()
        try:
            after = self._onlooker.with_changes([(place.source, place.insertions)], watch)
        except Refusal:
            return False
        self._left -= watch.steps
        # A constant that something unknown is called with is used in a way nobody has seen.
        if any(text in one for one in watch.handed - self._watch.handed for text in place.texts):
            return False
        return all(
            self._alike(world, like, after) and world not in after.unsure
            for world, like in chosen.items()
        ) and all(
            after.fates[one] == self._shipped.fates[one]
            and after.ways[one] == self._shipped.ways[one]
            and after.either[one] == self._shipped.either[one]
            for one in self._others
        )

    def _several(self, proven: Sequence[Extension]) -> Refusal:
        places = {(place.source.path, place.line): place.source for place in proven}
        lines = "\n".join(places[path, line].excerpt(line) for path, line in sorted(places))
        return Refusal(
            "anchor-ambiguous",
            f"{len(proven)} places would each make it treat the new names like their kin:\n{lines}",
            path=self._path,
            hint=f"it is not known which of them decides; {ORDER_HAZARD}",
        )
