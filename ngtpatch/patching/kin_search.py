# SPDX-License-Identifier: Apache-2.0
"""Where the agent's files could be given new names, whatever its tests look like.

A test may ask a flag, a helper or a table that stands elsewhere, in the file or in one that it
imports. So all files are executed together, and each place around a text that decides is tried:
it is one of those that are needed if it takes away some of what a new name and its kin come to
differently, adds nothing to that, and changes nothing for anybody else. All of them together must
take away everything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.layout import FACTORY
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.candidates import Candidates
from ngtpatch.patching.changed_values import held_otherwise, values_that_change
from ngtpatch.patching.constant_uses import UnseenUses
from ngtpatch.patching.guests import stranger_beside
from ngtpatch.patching.insertion import Insertion
from ngtpatch.patching.known_names import known_names
from ngtpatch.patching.naming import chosen_outside, named_in, names_kin, outside_of_tests
from ngtpatch.patching.onlooker import Onlooker, Sight
from ngtpatch.patching.order_proof import orders_that_decide
from ngtpatch.patching.places import Extension
from ngtpatch.patching.unnamed import branch_lines
from ngtpatch.patching.wanted_texts import wanted_texts

__all__ = ["KinSearch"]

#: Steps for all that is tried in a tree: a second or two.
_MOST_STEPS = 100_000

_KINDS = ("fate", "way", "either", "told")
_Key = tuple[World, str, str | int, str | int]
_PlaceKey = tuple[str, str, int, int]


class KinSearch:
    """Looks for the places.

    Args:
        tree: the files.
        programs: those that are executed, each as a program.
        kin: for each new name the known one that it is to be treated as.
        needles: the tokens that stand for each new name.
        others: everybody else.
    """

    def __init__(
        self,
        tree: Mapping[str, bytes],
        programs: Sequence[PythonSource],
        kin: Mapping[World, World],
        needles: Mapping[World, Sequence[str]],
        others: Sequence[World],
    ) -> None:
        self._tree, self._kin, self._needles = tree, kin, needles
        self._programs = programs
        self._rest = tuple(dict.fromkeys([*kin.values(), *others]))
        worlds = tuple(dict.fromkeys([*kin, *self._rest]))
        self._onlooker = Onlooker(programs, tree, worlds, chosen=True)
        self._watch = Watch(guests=sum(self._onlooker.bits[one] for one in self._rest))
        self._shipped = _apart_by_guest(self._onlooker.as_shipped(self._watch))
        self._uses = UnseenUses(tree, self._watch)
        # What they hand over is to become the same, too, where that can be had.
        self._with_handed = True
        self._apart = frozenset(self._differences(self._shipped))
        self._left = _MOST_STEPS
        self._further: dict[_PlaceKey, Extension] = {}

    def places(self) -> tuple[Extension, ...]:
        """Return the places that together do; none where nothing is proven, or several would do."""
        places = self._places()
        if not places and any(kind == "handed" for _, kind, *_ in self._apart):
            self._with_handed = False
            self._apart = frozenset(self._differences(self._shipped))
            places = self._places()
        return places

    def _places(self) -> tuple[Extension, ...]:
        found: dict[_PlaceKey, tuple[Extension, frozenset[_Key]]] = {}
        short = {world: like for world, like in self._kin.items() if self._is_apart(world)}
        if not short:
            return ()
        candidates = Candidates(
            wanted_texts(self._watch, short, self._onlooker.bits, self._needles),
            [world.name for world in self._kin],
            lambda source, row: bool(self._uses.of(source, row)),
        )
        reached = sorted({path for path, _ in self._watch.reached})
        sources = tuple(candidates.sources(self._tree, reached))
        for find in candidates.kinds:
            further: dict[_PlaceKey, tuple[Extension, int]] = {}
            for source in sources:
                for ladder in find(source):
                    self._try(ladder, found, further)
            # The likeliest kind comes first, and of what stands around a literal the innermost.
            self._further = self._further or {key: place for key, (place, _) in further.items()}
            if frozenset().union(*(taken for _, taken in found.values())) == self._apart:
                break
        places = tuple(place for place, _ in found.values())
        # Where two would take away the same, nobody knows which the vendor would have chosen.
        alone = sum(len(taken) for _, taken in found.values()) == len(self._apart)
        if not (alone and self._left > 0 and self._taken_away(places) == self._apart):
            return ()
        return () if self._changes_more(places) else places

    def _try(
        self,
        ladder: Iterator[Extension],
        found: dict[_PlaceKey, tuple[Extension, frozenset[_Key]]],
        further: dict[_PlaceKey, tuple[Extension, int]],
    ) -> None:
        """Try the places around one text, the innermost first, and keep what does most.

        A row may be tried with several texts: the ID of one new name can be the NAME of another,
        and what is right for that one alone is less than both need there.
        """
        step: tuple[Extension, int] | None = None
        for place in ladder:
            known = found.get(place.key)
            if known is not None and known[0].texts == place.texts:
                break
            if (after := self._after([place])) is None:
                continue
            taken = self._gone(after)
            if known is not None or taken:
                if known is None or taken > known[1]:
                    found[place.key] = place, taken
                break
            if step is None and (gain := self._further_by(after)):
                step = place, gain
        if step is not None:
            key = step[0].key
            further[key] = max(further.get(key, step), step, key=lambda one: one[1])

    def _changes_more(self, places: Sequence[Extension]) -> bool:
        """Tell whether *places* change what nobody comes to another statement by."""
        changes = tuple(_changes(places).values())
        changed = held_otherwise(self._onlooker, changes, self._watch)
        if any(self._uses.beside(place, changed or None) for place in places):
            return True
        # A set or dictionary that gets one more member may be gone through in another order.
        if any(orders_that_decide(self._onlooker, changes, self._watch)):
            return True
        rest = sum(self._onlooker.bits[one] for one in self._rest)
        return any(values_that_change(self._onlooker, changes, places, rest))

    def steps(self) -> tuple[Extension, ...]:
        """Return the places that have new names come further on the way of their kin.

        As far as :meth:`places` has tried them; that a new name then fares as its kin is not said.
        None where one of them does nothing beside the others: nobody knows which is meant.
        """
        steps = tuple(one for one in self._further.values() if not self._uses.beside(one))
        if len(steps) > 1:
            every = self._after(steps)
            for one in steps:
                rest = self._after([other for other in steps if other is not one])
                if every is None or rest is None or self._shared(rest) == self._shared(every):
                    return ()
        return () if self._left <= 0 or (steps and self._changes_more(steps)) else steps

    @property
    def is_decided(self) -> bool:
        """Whether somebody has decided, as shipped, what the new names get, and it is not this.

        A new name comes to an installer to which neither its kin nor a stranger comes; or its kin
        comes to one that is not for its family.
        """
        ways = self._shipped.ways
        everywhere = frozenset.intersection(*set(ways.values()))
        leading = {
            (source.path, line): families
            for source in self._programs
            if source.path == FACTORY
            for line, families in branch_lines(source).items()
            if (source.path, line) not in everywhere
        }
        stock = {known.name: known.stock for known in known_names()}
        for world, like in self._kin.items():
            if leading.keys() & ways[world] - ways[like] - ways[stranger_beside(world)]:
                return True
            given = {one for place in leading.keys() & ways[like] for one in leading[place]}
            if given and stock.get(like.name.lower()) not in given:
                return True
        return False

    def alike(self) -> Mapping[str, Mapping[int, bool]]:
        """Return what chooses by names where there is no ``if``, and does it for all as for kin.

        Nothing where new names and their kin come to anything differently.

        Returns:
            By file and line, whether the kin is accepted there.
        """
        found: dict[str, dict[int, bool]] = {}
        for source in () if self._apart else self._programs:
            lines = found.setdefault(source.path, {})
            for number, node in enumerate(chosen_outside(source.tree)):
                key = (source.path, str(number))
                told = {w: _told(self._shipped, w, key) for w in self._kin.values()}
                if all(told.values()) and all(_told(self._shipped, w, key) for w in self._kin):
                    accepts = any(
                        rows != _told(self._shipped, stranger_beside(world), key)
                        for world, rows in told.items()
                    )
                    end = node.end_lineno or node.lineno
                    lines.update(dict.fromkeys(range(node.lineno, end + 1), accepts))
            lines.update(dict.fromkeys(self._tables(source), True))
        return found

    def _tables(self, source: PythonSource) -> Iterator[int]:
        """Yield the lines of rows that do for the new names what they do for the kin.

        A dictionary gives both the same. Any other row is asked by tests, and by nothing for which
        the place or number of its elements matters: what that comes to was not compared.
        """
        everywhere, tested = self._asked(frozenset()), self._asked(frozenset(self._judging()))
        for node, texts in outside_of_tests(source.tree):
            if isinstance(node, ast.Dict) and everywhere.intersection(texts):
                if self._gives_the_same(node):
                    yield node.lineno
            elif not isinstance(node, ast.Compare | ast.Call | ast.Dict):
                low = [text.lower() for text in texts]
                if (
                    tested.intersection(texts)
                    and all(
                        any(needle.lower() in text for needle in needles for text in low)
                        for needles in self._needles.values()
                    )
                    and not self._uses.of(source, node)
                ):
                    yield node.lineno

    def _judging(self) -> Iterator[tuple[str, int]]:
        """Yield the lines of all tests, and of what chooses by names where there is none."""
        for source in self._programs:
            tests = [node.test for node in ast.walk(source.tree) if isinstance(node, ast.If)]
            for node in (*tests, *chosen_outside(source.tree)):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    yield source.path, line

    def _asked(self, places: frozenset[tuple[str, int]]) -> set[str]:
        """Return the texts that were compared at *places*; anywhere, where none is named."""
        found: set[str] = set()
        for (_, right, place), lefts in self._watch.meetings.items():
            if not places or place in places:
                for side in (right, *(text for _, text in lefts)):
                    found |= {side} if isinstance(side, str) else side
        return found

    def _gives_the_same(self, node: ast.Dict) -> bool:
        kin: set[str] = set()
        new: set[str] = set()
        for key, value in zip(node.keys, node.values, strict=True):
            for text in () if key is None else named_in(key):
                if names_kin(text, self._kin.values()):
                    kin.add(ast.dump(value))
                elif names_kin(text, self._kin):
                    new.add(ast.dump(value))
        return len(kin) == 1 and kin == new

    def _is_apart(self, world: World) -> bool:
        return any(key[0] == world for key in self._apart)

    def _taken_away(self, places: Sequence[Extension]) -> frozenset[_Key]:
        """Return which differences are gone with *places*; none where anything else is changed."""
        after = self._after(places)
        return frozenset() if after is None else self._gone(after)

    def _gone(self, after: Sight) -> frozenset[_Key]:
        """Return which differences are gone; none where another one has come."""
        left = frozenset(self._differences(after))
        return self._apart - left if left < self._apart else frozenset()

    def _after(self, places: Sequence[Extension]) -> Sight | None:
        """Return what is shown with *places*; None where anything is changed for anybody else."""
        if self._left <= 0:
            return None
        watch = Watch()
        changes = tuple(_changes(places).values())
        try:
            after = _apart_by_guest(self._onlooker.with_changes(changes, watch))
        except Refusal:
            return None
        self._left -= watch.steps
        texts = [text for place in places for text in place.texts]
        # A text that something unknown is called with is used in a way nobody has seen.
        handed = watch.handed - self._watch.handed
        if any(text in one for one in handed for text in texts):
            return None
        if any(_rows(one, after) != _rows(one, self._shipped) for one in self._rest):
            return None
        return after if after.unsure.isdisjoint(self._kin) else None

    def _further_by(self, after: Sight) -> int:
        """Return to how much more of what their kin comes to new names come; 0 if one to less."""
        before, now = self._shared(self._shipped), self._shared(after)
        if not all(old <= new for old, new in zip(before, now, strict=True)):
            return 0
        return sum(map(len, now)) - sum(map(len, before))

    def _shared(self, sight: Sight) -> list[frozenset[tuple[str, int]]]:
        """Return for each new name what it comes to of all that its kin comes to as shipped."""
        return [sight.ways[one] & self._shipped.ways[like] for one, like in self._kin.items()]

    def _differences(self, sight: Sight) -> Iterator[_Key]:
        """Yield where a new name comes to something else than its kin does."""
        for world, like in self._kin.items():
            both = zip(_KINDS, _rows(world, sight), _rows(like, sight), strict=True)
            for kind, mine, theirs in both:
                yield from ((world, kind, row[0], row[1]) for row in mine ^ theirs)
            if self._with_handed:
                apart = sight.handed[world] ^ sight.handed[like]
                yield from ((world, "handed", path, line) for path, line, _ in apart)


def _changes(places: Sequence[Extension]) -> dict[str, tuple[PythonSource, list[Insertion]]]:
    """Return what is inserted into each file."""
    changes: dict[str, tuple[PythonSource, list[Insertion]]] = {}
    for place in places:
        changes.setdefault(place.source.path, (place.source, []))[1].extend(place.insertions)
    return changes


def _apart_by_guest(sight: Sight) -> Sight:
    """Return *sight* without the tests that are open for everybody: these tell nobody apart.

    Such as those of a function that is executed by itself, with whatever it may be given.
    """
    common = frozenset.intersection(*map(frozenset, sight.either.values()))
    return replace(sight, either={one: rows - common for one, rows in sight.either.items()})


def _told(sight: Sight, world: World, key: tuple[str, str]) -> frozenset[str]:
    return frozenset(row[2] for row in sight.told[world] if row[:2] == key)


def _rows(world: World, sight: Sight) -> tuple[frozenset[tuple[str | int, ...]], ...]:
    return sight.fates[world], sight.ways[world], sight.either[world], sight.told[world]
