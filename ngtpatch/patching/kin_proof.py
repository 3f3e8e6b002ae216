# SPDX-License-Identifier: Apache-2.0
"""Does a patched installer, executed, do for the new names what it does for their kin?

The chain alone does not tell: a check beside it, a table, an assertion may end the
installation all the same. So the programs of the disc are executed on paper as shipped
and as patched (:mod:`ngtpatch.installer.execution`), for the new names, for the names
they are likened to, and for all others. What ends for a new name and not for its kin is
a conflict; what was not understood on the way is a doubt, which a person can accept.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.endings import Ending, Forked
from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.execution.program import Execution, Given, execute, is_of_the_disc
from ngtpatch.installer.execution.watching import ExpressionSpan, Watch
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.floors import floors
from ngtpatch.installer.python_source import parse
from ngtpatch.installer.recognition import Site, sites_in
from ngtpatch.installer.subject import DistroFacts
from ngtpatch.patching.doubts import Doubt, DoubtKind
from ngtpatch.patching.guests import (
    asks_distro,
    foreseen,
    kin_of,
    known_worlds,
    stranger_beside,
    worlds_of,
)
from ngtpatch.patching.outcome import ORDER_HAZARD
from ngtpatch.patching.own_files import lists_with, looked_at
from ngtpatch.patching.parting import Parting, acts, lines_reached
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.shell_way import ShellWay

__all__ = ["Anchor", "KinProof", "prove"]

#: A chain as shipped, its number in its file, and the branch that accepts.
Anchor = tuple[Site, int, str]


@dataclass(frozen=True)
class KinProof:
    """What the execution showed, by profile.

    Attributes:
        doubts: what was not understood on the way.
        conflicts: why a profile's guests would still not get through, or others be changed.
        way: the files that were executed.
    """

    doubts: Mapping[str, tuple[Doubt, ...]]
    conflicts: Mapping[str, Refusal]
    way: frozenset[str]


def prove(
    tree: Mapping[str, bytes],
    after: Mapping[str, bytes],
    profiles: Sequence[Profile],
    anchors: Sequence[Anchor],
) -> KinProof:
    """Execute *tree* as shipped and with the files *after*.

    Args:
        tree: the files as shipped.
        after: the files that the patches change, as they leave them.
        profiles: whose guests are to be accepted.
        anchors: the chains that were extended, as shipped, each with the branch that accepts.
    """
    # Without the package distro, too: where no program handles that, nobody is judged by it.
    asks = asks_distro(tree)
    wanted = {profile.id: foreseen(worlds_of(profile), lacking=asks) for profile in profiles}
    new = {world for worlds in wanted.values() for world in worlds}
    names = {world.name.lower() for world in new}
    others = [
        world for world in foreseen(known_worlds(), lacking=asks) if world.name.lower() not in names
    ]
    kin = {
        world: kin_of(profile, world)
        for profile in profiles
        for world in sorted(wanted[profile.id], key=repr)
    }
    strangers = {world: stranger_beside(world) for world in kin}
    likes = (one for each in kin.values() for one in each)
    worlds = tuple(dict.fromkeys([*kin, *likes, *others, *strangers.values()]))
    seen = Watch()
    shipped = execute(tree, worlds, watch=seen)
    # What is handed over is asked for as patched: that is what the guests get.
    replaced = _Replaced(tree, after)
    asked = acts(replaced, shipped)
    watch = Watch(asked=frozenset(asked))
    patched = execute(replaced, worlds, watch=watch) if after or watch.asked else shipped
    judge = _Judge(tree, after, shipped, patched, asked)
    doubts: dict[str, tuple[Doubt, ...]] = {}
    conflicts: dict[str, Refusal] = {}
    # Who decided as one of the new ones by name is judged by the chain itself.
    changed = judge.changed(others)
    for profile in profiles:
        every = {
            world: judge.accepted(kin[world], anchors)
            for world in wanted[profile.id]
            if seen.foresees or not world.lacks_distro
        }
        likened = {world: like for world, like in every.items() if not world.lacks_distro}
        lacking = {world: like for world, like in every.items() if world.lacks_distro}
        mine = tuple(likened)
        doubts[profile.id] = tuple(judge.doubts(likened, lacking))
        conflict = (
            changed
            or judge.not_taken(mine, anchors)
            or judge.conflict(likened)
            or judge.taken({world: strangers[world] for world in every})
            or judge.not_reached(mine, anchors)
            or judge.shell.conflict(likened)
        )
        if conflict is not None:
            conflicts[profile.id] = conflict
    return KinProof(doubts, conflicts, shipped.files | patched.files)


class _Replaced(Mapping[str, bytes]):
    """A tree with some files replaced."""

    def __init__(self, tree: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
        self._tree, self._after = tree, after

    def __getitem__(self, path: str) -> bytes:
        return self._after[path] if path in self._after else self._tree[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree)

    def __len__(self) -> int:
        return len(self._tree)

    def __contains__(self, path: object) -> bool:
        return path in self._tree


class _Judge:
    """Compares two executions."""

    def __init__(
        self,
        tree: Mapping[str, bytes],
        after: Mapping[str, bytes],
        shipped: Execution,
        patched: Execution,
        asked: Mapping[ExpressionSpan, ExpressionSpan],
    ) -> None:
        self._tree, self._after = tree, after
        self._shipped, self._patched = shipped, patched
        self._bits = {world: 1 << at for at, world in enumerate(patched.worlds)}
        self._lines: dict[str, Mapping[int, int]] = {}
        self.shell = ShellWay(tree, patched.files, patched.started)
        self._parting = Parting(_Replaced(tree, after), patched, asked)

    # Doubts --------------------------------------------------------------------------------

    def doubts(
        self, kin: Mapping[World, World | None], lacking: Mapping[World, World | None]
    ) -> Iterator[Doubt]:
        """Yield what was not understood for these guests, by file and line.

        Args:
            kin: the guests, each with its kin.
            lacking: the same without the package distro.
        """
        mask = self._mask(kin)
        rows: set[tuple[str, int, DoubtKind]] = {
            (one.path, self._shipped_line(one.path, one.line), one.kind)
            for one in self._patched.findings
            if one.guests & mask
        }
        rows |= {
            (
                one.path,
                self._shipped_line(one.path, one.line),
                "call" if one.reached else "condition",
            )
            for one in self._patched.forked
            if self._parts(one, kin)
        }
        for world, like in kin.items():
            rows |= {
                (one.path, self._shipped_line(one.path, one.line), "ending")
                for one in self._apart(world, like)
                if not one.certain & self._bits[world]
            }
        # A release that is too old for the installer's own floor ends there; the floor is a
        # hazard of its own, and whatever else that guest may come to changes nothing.
        certain = mask & ~self._below_a_floor
        rows |= {
            (one.path, self._shipped_line(one.path, one.line), "release")
            for one in self._patched.endings
            if one.certain & certain and not (one.success or one.alone)
        }
        rows |= {
            (path, 1, "unread")
            for path in self._patched.unread
            if Machine.asks_for_distribution(self._tree[path])
        }
        rows |= {
            (path, self._defined(path, function), "result")
            for (path, function), groups in self._patched.given.items()
            if any(
                like is not None and self._unlike(groups, world, like)
                for world, like in kin.items()
            )
        }
        rows |= {
            (path, self._shipped_line(path, line), "way")
            for path, line in self._parting.places(kin)
        }
        rows |= {
            (path, self._shipped_line(path, line), "without-distro")
            for path, line in (*self._parting.places(lacking), *self._open_without(lacking))
        }
        rows |= {(where, line, "measured") for where, line in self._looked_at()}
        rows |= set(self.shell.doubts(kin, self._lists))
        for path, line, kind in sorted(rows):
            yield Doubt(path, line, kind, hashlib.sha256(self._tree[path]).hexdigest())

    @cached_property
    def _lists(self) -> Mapping[str, Collection[str]]:
        """The files that change, and the lists on the disc that have their names."""
        return {path: lists_with(self._tree, path) for path in self._after}

    def _looked_at(self) -> Iterator[tuple[str, int]]:
        """Yield where a program looks at the size or content of a file that changes."""
        for path, lists in self._lists.items():
            watch = self._shipped.watch or Watch()
            yield from looked_at(watch, path, tree=self._tree, lists=lists, only_read=True)

    def _open_without(self, lacking: Mapping[World, World | None]) -> Iterator[tuple[str, int]]:
        """Yield what was not understood for guests without the package distro."""
        mask = self._mask(world for world, like in lacking.items() if like is not None)
        with_it = self._mask(world for world in self._bits if not world.lacks_distro)
        for one in self._patched.findings:
            # What is open for those that have it, too, is a doubt of its own.
            if one.guests & mask and not one.guests & with_it:
                yield one.path, one.line

    def _parts(self, place: Forked, kin: Mapping[World, World | None]) -> bool:
        """Tell whether one of these guests may be told from its kin there."""
        return any(
            like is not None and group & self._bits[world] and not group & self._bits[like]
            for world, like in kin.items()
            for group in place.groups
        )

    def _unlike(self, groups: Given, world: World, like: World) -> bool:
        """Tell whether a function gives these two other things, one of which is not known.

        A class that is not on the disc is such a thing; what is known of both is judged as a
        conflict.
        """
        own, other = (self._gets(groups, one) for one in (world, like))
        return own != other and "unknown" in own | other

    def _gets(self, groups: Given, world: World) -> set[str]:
        return {what for mask, what in groups if mask & self._bits[world]}

    def _defined(self, path: str, function: str) -> int:
        """Return the line of the shipped file where a function starts."""
        for node in ast.walk(parse(path, self._tree[path]).tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
                return node.lineno
        return 1

    def _mask(self, worlds: Iterable[World]) -> int:
        mask = 0
        for world in worlds:
            mask |= self._bits[world]
        return mask

    def _shipped_line(self, path: str, line: int) -> int:
        """Return the line of the shipped file that a line of the patched one was."""
        if path not in self._after:
            return line
        if path not in self._lines:
            self._lines[path] = _line_map(self._tree[path], self._after[path])
        return self._lines[path].get(line, line)

    @cached_property
    def _below_a_floor(self) -> int:
        """The guests that certainly end, and may at a floor of the release."""
        mask = 0
        for one in self._patched.endings:
            if one.decided in self._floors:
                mask |= one.certain
        return mask

    @cached_property
    def _floors(self) -> frozenset[tuple[str, int]]:
        """Comparisons of the release with the oldest that is taken: a hazard of its own."""
        found = set()
        for path in self._patched.files:
            data = self._after.get(path, self._tree.get(path))
            if data is None or path in self._patched.unread or not path.endswith(".py"):
                continue
            found |= {(path, floor.line) for floor in floors(parse(path, data).module)}
        return frozenset(found)

    # The chains ----------------------------------------------------------------------------

    def accepted(self, kin: Sequence[World], anchors: Sequence[Anchor]) -> World | None:
        """Return the first of *kin* that every chain accepts as shipped.

        What a chain's texts say is read for those that have the package distro.
        """
        for world in kin:
            facts = DistroFacts(world.name, world.id or None, world.version or None)
            if all(
                (world.lacks_distro or site.decide(facts).branch == branch)
                and self._takes(world, site, branch, self._shipped) is not False
                for site, _, branch in anchors
            ):
                return world
        return None

    def _takes(self, world: World, site: Site, branch: str, execution: Execution) -> bool | None:
        """Tell whether *world* takes *branch* of a chain; None where nobody comes to it."""
        taken = reached = 0
        for one in site.branches:
            true, false = execution.conditions.get((site.path, one.line), (0, 0))
            reached |= true | false
            if one.name == branch:
                # Without a test it is what is left over.
                taken |= true if one.test is not None else reached
        return bool(taken & self._bits[world]) if reached else None

    def _comes(self, world: World, site: Site) -> bool:
        """Tell whether *world* comes to a chain, as patched, or nobody does."""
        reached = 0
        for one in site.branches:
            true, false = self._patched.conditions.get((site.path, one.line), (0, 0))
            reached |= true | false
        return not reached or bool(reached & self._bits[world])

    def _extended(self, anchors: Sequence[Anchor]) -> Iterator[tuple[Site, Site, str]]:
        """Yield each chain as shipped and as patched, with the branch that accepts."""
        for site, number, branch in anchors:
            after = self._after.get(site.path)
            patched = site if after is None else sites_in(parse(site.path, after))[number]
            yield site, patched, branch

    def not_reached(self, worlds: Iterable[World], anchors: Sequence[Anchor]) -> Refusal | None:
        """Return why a guest does not come to an extended chain, or None."""
        for site, patched, _ in self._extended(anchors):
            for world in worlds:
                if not self._comes(world, patched):
                    return Refusal(
                        "conflict",
                        f"{world.pretty!r} does not come to the chain at line {site.line}, which"
                        " would accept it",
                        path=site.path,
                        hint=f"what stands before the chain decides, too; {ORDER_HAZARD}",
                    )
        return None

    def not_taken(self, worlds: Iterable[World], anchors: Sequence[Anchor]) -> Refusal | None:
        """Return why an extended chain does not do what its model says, or None."""
        for site, patched, branch in self._extended(anchors):
            for world in worlds:
                taken = self._takes(world, patched, branch, self._patched)
                if taken is False and self._comes(world, patched):
                    return Refusal(
                        "conflict",
                        f"the chain at line {site.line} accepts {world.pretty!r} by its texts, and"
                        " does not when it is executed: what it compares is not what it seems",
                        path=site.path,
                        hint=f"how the compared value is made decides, too; {ORDER_HAZARD}",
                    )
        return None

    # Conflicts -----------------------------------------------------------------------------

    def _apart(self, world: World, like: World | None) -> Iterator[Ending]:
        """Yield what ends, or may end, for *world* and not for its kin."""
        mine = self._bits[world]
        theirs = self._bits[like] if like is not None else 0
        for ending in self._patched.endings:
            # Without kin there is nobody to compare with but all others.
            apart = like is not None or ending.guests != self._everyone
            if apart and ending.guests & mine and not ending.guests & theirs:
                yield ending

    def conflict(self, kin: Mapping[World, World | None]) -> Refusal | None:
        """Return why one of these guests does not fare as its kin does, or None."""
        for world, like in kin.items():
            mine = self._bits[world]
            for ending in self._apart(world, like):
                if ending.certain & mine:
                    return self._ends(world, like, ending)
            if like is None:
                continue
            for (path, function), groups in self._patched.given.items():
                own, other = (self._gets(groups, one) for one in (world, like))
                if own != other and any(_is_something(what) for what in other):
                    return self._gives(world, like, path, function)
        return None

    def taken(self, strangers: Mapping[World, World]) -> Refusal | None:
        """Return which guest somebody has led to another installer as shipped, or None.

        Whoever decided that by its name is not overruled; what a name gets that nobody knows is
        no decision.
        """
        for (path, function), groups in self._shipped.given.items():
            after = self._patched.given.get((path, function), ())
            for world, stranger in strangers.items():
                was, now = self._gets(groups, world), self._gets(after, world)
                if (
                    was
                    and was not in (now, self._gets(groups, stranger))
                    and all(map(_is_something, was))
                ):
                    return Refusal(
                        "conflict",
                        f"as shipped {world.pretty!r} gets {' or '.join(sorted(was))} from"
                        f" {function}(), as no unknown name does; it would get"
                        f" {' or '.join(sorted(now)) or 'nothing'}",
                        path=path,
                        hint=f"somebody has decided what it gets; {ORDER_HAZARD}",
                    )
        return None

    @property
    def _everyone(self) -> int:
        return (1 << len(self._bits)) - 1

    def _ends(self, world: World, like: World | None, ending: Ending) -> Refusal:
        line = self._shipped_line(ending.path, ending.line)
        path, decided = ending.decided
        because = ""
        if (path, decided) != (ending.path, ending.line):
            where = "" if path == ending.path else f"{path} "
            because = f", decided at {where}line {self._shipped_line(path, decided)}"
        instead = f", and does not for {like.name!r}" if like is not None else ""
        return Refusal(
            "conflict",
            f"with its name accepted by the chain, {world.pretty!r} would still end at line {line}"
            f" ({ending.error}{because}){instead}",
            path=ending.path,
            hint=f"a check outside the chain decides, too; {ORDER_HAZARD}",
        )

    def _gives(self, world: World, like: World, path: str, function: str) -> Refusal:
        return Refusal(
            "conflict",
            f"with its name accepted by the chain, {world.pretty!r} would still not get from"
            f" {function}() what {like.name!r} gets",
            path=path,
            hint=f"something outside the chain decides, too; {ORDER_HAZARD}",
        )

    def changed(self, others: Iterable[World]) -> Refusal | None:
        """Return why the patches change what becomes of another name, or None."""
        before = self._fates(self._shipped)
        after = self._fates(self._patched)
        for world in others:
            bit = self._bits[world]
            if {fate for fate, mask in before.items() if mask & bit} != {
                fate for fate, mask in after.items() if mask & bit
            }:
                return Refusal(
                    "conflict",
                    f"{world.pretty!r} would fare otherwise than as shipped",
                    hint="where a needle is shorter than NAME, use a longer one; else what is"
                    f" extended decides more than the name: {ORDER_HAZARD}",
                )
        return None

    def _fates(self, execution: Execution) -> Mapping[tuple[str, ...], int]:
        fates: dict[tuple[str, ...], int] = {}
        key: tuple[str, ...]
        for ending in execution.endings:
            line = ending.line
            if execution is self._patched:
                line = self._shipped_line(ending.path, line)
            key = (ending.path, str(line), ending.error, str(ending.success))
            fates[key] = fates.get(key, 0) | ending.guests
        for (path, function), groups in execution.given.items():
            for mask, what in groups:
                key = (path, function, what)
                fates[key] = fates.get(key, 0) | mask
        # In a file that is changed a line is not what it was; what comes of it is above.
        for (path, line), mask in lines_reached(execution).items():
            if path not in self._after and line not in self._parting.telling(path):
                fates[path, str(line)] = mask
        return fates


def _is_something(what: str) -> bool:
    return is_of_the_disc(what) or what == "a container"


def _line_map(before: bytes, after: bytes) -> Mapping[int, int]:
    old, new = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    mapped = {line: line for line in range(1, start + 1)}
    matcher = SequenceMatcher(
        None, old[start : len(old) - end], new[start : len(new) - end], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            mapped[start + block.b + offset + 1] = start + block.a + offset + 1
    for offset in range(end):
        mapped[len(new) - offset] = len(old) - offset
    # A line that was changed or added stands where the one before it does.
    last = 1
    for line in range(1, len(new) + 1):
        last = mapped.setdefault(line, min(last + 1, len(old)) if line > 1 else 1)
    return mapped
