# SPDX-License-Identifier: Apache-2.0
"""The kin rule: in files without installers a new name is treated as a known name is.

The agent asks for the distribution to pick a command or a path; no branch of it says which
family it is for. What tells the right one is which known name takes it: the profile's kin.
The files are executed on paper for everyone at once. Where a branch takes the kin and not
the new name, the new name goes into its test; then all is executed again, and a file is
changed only if every branch of it now treats the new name as its kin, and every other name
as before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.execution.program import Execution, execute
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.way import importing
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.patching.branch_tests import BranchTest, branch_tests
from ngtpatch.patching.compared import Compared
from ngtpatch.patching.guests import (
    asks_distro,
    foreseen,
    kin_world,
    known_worlds,
    probes_beside,
    stranger_beside,
    worlds_of,
)
from ngtpatch.patching.insertion import Insertion, insert
from ngtpatch.patching.kin_search import KinSearch
from ngtpatch.patching.naming import is_of_the_library
from ngtpatch.patching.onlooker import shipped_lines
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.searched_places import SearchedPlaces
from ngtpatch.patching.treated import Likened, Treated, Treatment

__all__ = ["liken"]

_MOST_PROGRAMS = 60
_SHOWN = 5


def liken(files: Mapping[str, bytes], profiles: Sequence[Profile]) -> Likened:
    """Have the Python files of a tree treat the names of *profiles* as those of their kin.

    Args:
        files: every Python file that the others may import, by path.
        profiles: the new names.
    """
    deciding = [path for path in sorted(files) if Machine.asks_for_distribution(files[path])]
    if not deciding or not profiles:
        return Likened({}, {}, {}, ())
    rule = _Rule(files, deciding, profiles)
    likened = rule.applied()
    if all(one.treatment != "left" for one in likened.treated):
        return likened
    return rule.searched(likened) or likened


class _Rule:
    """The rule, on one tree."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        deciding: Sequence[str],
        profiles: Sequence[Profile],
        proven: Mapping[str, Collection[int]] = MappingProxyType({}),
    ) -> None:
        """*proven*: by file the lines of statements that were proven to do for the new names."""
        self._files, self._deciding, self._profiles = files, deciding, profiles
        self._settled = proven
        self._kin: dict[World, World] = {}
        self._needles: dict[World, Profile] = {}
        mains = [p for p in sorted(files) if b"__main__" in files[p] and p not in deciding]
        started = mains or importing(files, deciding)
        self._programs = [*started, *deciding][:_MOST_PROGRAMS]
        # Where no program handles that the package is missing, nobody is judged by it.
        lacking = asks_distro(files)
        for profile in profiles:
            for world in foreseen(_ends(worlds_of(profile)), lacking=lacking):
                likeness = kin_world(profile, world)
                if likeness is not None:
                    self._kin[world] = likeness
                    self._needles[world] = profile
        names = {world.name.lower() for world in self._kin}
        probes = dict.fromkeys(one for world in self._kin for one in probes_beside(world))
        others = (*probes, *foreseen(known_worlds(), lacking=lacking))
        self._others = [one for one in others if one.name.lower() not in names]
        self.worlds = tuple(dict.fromkeys([*self._kin, *self._kin.values(), *self._others]))
        self._bits = {world: 1 << at for at, world in enumerate(self.worlds)}
        self._problems: dict[str, str] = {}
        self._sources = dict(self._read(deciding))
        self._treated: list[Treated] = []
        self._unsettled: list[tuple[str, int]] = []
        self._watch = Watch()
        self._compared = Compared(self._watch, self._bits, self._kin, {})
        self._unfollowed: dict[str, list[BranchTest]] = {}

    def _read(self, paths: Sequence[str]) -> Iterator[tuple[str, PythonSource]]:
        for path in paths:
            try:
                yield path, parse(path, self._files[path])
            except Refusal as refusal:
                self._problems[path] = f"{refusal.code}: {refusal.message}"

    def applied(self) -> Likened:
        """Return what the rule makes of the files."""
        shipped = self._executed({}, self._watch)
        if not self._watch.foresees:
            self._kin = {one: kin for one, kin in self._kin.items() if not one.lacks_distro}
            self._others = [one for one in self._others if not one.lacks_distro]
        tests = {path: branch_tests(source) for path, source in self._sources.items()}
        self._compared = Compared(self._watch, self._bits, self._kin, tests)
        contents: dict[str, bytes] = {}
        made: dict[str, tuple[Insertion, ...]] = {}
        edits: dict[str, int] = {}
        for path in self._deciding:
            source = self._sources.get(path)
            if source is None:
                self._treated.append(Treated(path, 1, "left", self._problems[path]))
                continue
            try:
                insertions, count = self._insertions(source, shipped)
                if insertions and path not in self._unfollowed:
                    contents[path] = insert(source, insertions)
                    made[path], edits[path] = tuple(insertions), count
            except Refusal as refusal:
                self._leave(path, refusal.message)
            if path in self._unfollowed:
                self._leave_unfollowed(path)
        contents, final = self._proven(shipped, contents)
        self._treated += self._decided_elsewhere(final)
        self._treated += self._led_elsewhere(
            final, {path: shipped_lines(self._sources[path], made[path]) for path in contents}
        )
        # In a file that is proven, the new names fare there as their kin do.
        reason = "what it does with a new name's kin is not known"
        self._treated += [
            Treated(path, line, "left", reason)
            for path, line in self._unsettled
            if path not in contents
        ]
        return Likened(
            contents,
            {path: made[path] for path in contents},
            {path: edits[path] for path in contents},
            tuple(sorted(self._treated, key=lambda one: (one.path, one.line))),
            self._watch,
        )

    def searched(self, likened: Likened) -> Likened | None:
        """Return what else is proven where tests were left as they are; None where nothing is."""
        tree = {**self._files, **likened.contents}
        own = [path for path in self._deciding if not is_of_the_library(path)]
        about = {*own, *importing(self._files, own)}
        programs = [
            parse(path, tree[path])
            for path in self._programs
            if path in about and path not in self._problems and not is_of_the_library(path)
        ]
        needles = {world: profile.needles for world, profile in self._needles.items()}
        search = KinSearch(tree, programs, self._kin, needles, self._others)
        extra = SearchedPlaces(search.places())
        if not extra.contents:
            return None if likened.contents else self._alike_outside(search)
        again = _Rule(
            {**tree, **extra.contents}, self._deciding, self._profiles, extra.statements
        ).applied()
        left = {one.path for one in again.treated if one.treatment == "left"}
        if again.contents or left & extra.contents.keys():
            return None
        ids = frozenset(one.id for one in self._needles.values())
        return extra.added_to(likened, self._files, again.treated, ids)

    def _alike_outside(self, search: KinSearch) -> Likened | None:
        """Return what is said of files in which nothing has to change, though no test tells so."""
        alike = search.alike()
        if not any(alike.values()):
            return None
        again = _Rule(self._files, self._deciding, self._profiles, alike).applied()
        rows = {(one.path, one.line): one for one in again.treated}
        for path, lines in alike.items():
            for line in sorted(lines)[:1]:
                treatment: Treatment = "alike" if lines[line] else "unaccepted"
                rows.setdefault((path, line), Treated(path, line, treatment))
        treated = sorted(rows.values(), key=lambda one: (one.path, one.line))
        return replace(again, treated=tuple(treated))

    def _decided_elsewhere(self, final: Execution) -> Iterator[Treated]:
        """Yield the places that decide by what another file names, and still do."""
        found: dict[str, int] = {}
        for (path, line), truth in final.conditions.items():
            if (
                path in self._files
                and path not in self._deciding
                and any(
                    self._seen(one, truth) != self._seen(kin, truth)
                    for one, kin in self._kin.items()
                )
            ):
                found[path] = min(line, found.get(path, line))
        for path, line in found.items():
            yield Treated(path, line, "left", "what it decides by stands in another file")

    def _led_elsewhere(
        self, final: Execution, lines: Mapping[str, Mapping[int, int | None]]
    ) -> Iterator[Treated]:
        """Yield where only a new name or only its kin comes to, and no test has parted them.

        Something is looked up by a name that is made of the distribution's, such as a method.

        Args:
            final: what the files do.
            lines: for each file that was changed, its lines as shipped.
        """
        pairs = tuple(self._kin.items())
        if any(
            self._seen(one, truth) != self._seen(kin, truth)
            for (path, _), truth in final.conditions.items()
            for one, kin in pairs
            if not is_of_the_library(path)
        ):
            return
        found: dict[str, int] = {}
        for (path, line), mask in (final.watch or Watch()).reached.items():
            if path not in self._files or is_of_the_library(path):
                continue
            if any(bool(mask & self._bits[a]) != bool(mask & self._bits[b]) for a, b in pairs):
                found[path] = min(line, found.get(path, line))
        left = {one.path for one in self._treated if one.treatment == "left"}
        for path, line in found.items():
            if path not in left:
                reason = "only one of a new name and its kin comes here, and no test parts them"
                yield Treated(path, lines.get(path, {}).get(line) or line, "left", reason)

    def _executed(self, contents: Mapping[str, bytes], watch: Watch | None = None) -> Execution:
        tree = {**self._files, **contents}
        return execute(tree, self.worlds, paths=self._programs, watch=watch)

    def _leave(self, path: str, reason: str) -> None:
        """Say of every place of a file that it stays."""
        self._treated = [
            Treated(path, one.line, "left", reason)
            if one.path == path and one.treatment == "extended"
            else one
            for one in self._treated
        ]
        if not any(one.path == path and one.treatment == "left" for one in self._treated):
            self._treated.append(Treated(path, 1, "left", reason))

    def _leave_unfollowed(self, path: str) -> None:
        """Say of a file that it stays, for a test of which it is not known what it compares."""
        first, *others = sorted({test.line for test in self._unfollowed[path]})
        also = f"; nor at line {', '.join(map(str, others[:_SHOWN]))}" if others else ""
        also += f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        reason = f"not followed: what it compares is not seen to be the distribution's name{also}"
        self._treated.append(Treated(path, first, "left", reason))
        self._leave(path, f"line {first} of the file was not followed")

    # What to insert -------------------------------------------------------------------------

    def _insertions(self, source: PythonSource, shipped: Execution) -> tuple[list[Insertion], int]:
        found: list[Insertion] = []
        count = 0
        unaccepted: dict[int, bool] = {}
        about_names: set[int] = set()
        for test, truth, about in self._tests(source, shipped):
            if about:
                about_names.add(test.head)
            # A test that is true for a name nobody has turns away whom it does not name.
            turns = test.header is None and any(
                self._is(stranger_beside(world), truth) for world in self._kin
            )
            accepts = any(self._is(kin, truth) is not turns for kin in self._known_kin(truth))
            # Of who comes to both ends nothing is known, least of all that it is turned away.
            perhaps = any(self._seen(kin, truth) == (True, True) for kin in self._kin.values())
            turned = not (accepts or perhaps)
            unaccepted[test.head] = unaccepted.get(test.head, True) and turned
            differing = {
                world: kin
                for world, kin in self._kin.items()
                if self._seen(world, truth) != self._seen(kin, truth)
            }
            short = [
                world
                for world, kin in differing.items()
                if (
                    self._is(kin, truth) is False and self._is(world, truth) is True
                    if turns
                    else self._falls_short(world, test, truth)
                )
            ]
            lost = [world.name for world in differing if world not in short and accepts]
            # In a loop a test is asked more than once: what both come to was proven to be the same.
            if lost and not self._settled:
                reason = f"what it does with {min(lost)!r} and with its kin cannot be told apart"
                self._treated.append(Treated(source.path, test.line, "left", reason))
            elif short:
                needles = self._chosen(test, short)
                found.append(_extended(source, test, needles))
                count += len(needles)
                whose = frozenset(self._needles[world].id for world in short)
                self._treated.append(Treated(source.path, test.line, "extended", "", whose))
            elif accepts:
                self._treated.append(Treated(source.path, test.line, "alike"))
            elif perhaps and differing:
                self._unsettled.append((source.path, test.line))
        unfollowed = {one.head for one in self._unfollowed.get(source.path, ())}
        for line, nobody in unaccepted.items():
            if nobody and line in about_names and line not in unfollowed:
                self._treated.append(Treated(source.path, line, "unaccepted"))
        outside = self._compared.outside(source, self._settled.get(source.path, ()))
        if outside is not None:
            line, accepts = outside
            reason = "it is not the test of a branch" if accepts else ""
            stays: Treatment = "left" if accepts else "unaccepted"
            self._treated.append(Treated(source.path, line, stays, reason))
        return found, count

    def _tests(
        self, source: PythonSource, shipped: Execution
    ) -> Iterator[tuple[BranchTest, tuple[int, int], bool]]:
        """Yield the tests of a file that were followed, and whether each is about the name."""
        for test in branch_tests(source):
            truth = shipped.conditions.get((source.path, test.line), (0, 0))
            decides = self._decides(truth)
            perhaps = any(
                self._seen(world, truth) == self._seen(kin, truth) == (True, True)
                for world, kin in self._kin.items()
            )
            seen = self._compared.at(source.path, test.lines)
            if not self._compared.is_followed(source.path, test, decides=decides, perhaps=perhaps):
                self._unfollowed.setdefault(source.path, []).append(test)
            elif test.header is not None or decides:
                yield test, truth, decides or bool(test.named and seen)

    def _known_kin(self, truth: tuple[int, int]) -> list[World]:
        """Return the kin for whom a test is true, or false, and not perhaps either."""
        return [kin for kin in self._kin.values() if self._is(kin, truth) is not None]

    def _decides(self, truth: tuple[int, int]) -> bool:
        """Tell whether a test is about names: on one release it is not the same for all."""
        return any(
            len(
                {
                    seen
                    for one in (world, kin, *probes_beside(world))
                    if (seen := self._seen(one, truth)) != (False, False)
                }
            )
            > 1
            for world, kin in self._kin.items()
        )

    def _falls_short(self, world: World, test: BranchTest, truth: tuple[int, int]) -> bool:
        """Tell whether a test takes a world's kin, and not the world; who did not come to it
        because of an earlier one would not be taken either.
        """
        if self._is(self._kin[world], truth) is not True:
            return False
        if self._is(world, truth) is False:
            return True
        name = world.name.lower()
        never = self._seen(world, truth) == (False, False)
        return never and not any(token and token.lower() in name for token in test.tokens)

    def _is(self, world: World, truth: tuple[int, int]) -> bool | None:
        """Tell whether a test was true or false; None where both or neither."""
        true, false = bool(truth[0] & self._bits[world]), bool(truth[1] & self._bits[world])
        return None if true == false else true

    def _chosen(self, test: BranchTest, worlds: Sequence[World]) -> list[str]:
        """Return the needles, in the case in which the test spells the kin's."""
        needles: list[str] = []
        for world in worlds:
            kin, profile = self._kin[world], self._needles[world]
            tokens = [token for token in test.tokens if token is not None]
            if any(token in kin.name.lower() for token in tokens):
                needle = next(one for one in profile.needles if one in world.name.lower())
            elif any(token in kin.name for token in tokens):
                low = next(one for one in profile.needles if one in world.name.lower())
                start = world.name.lower().index(low)
                needle = world.name[start : start + len(low)]
            else:
                raise Refusal(
                    "shape", f"line {test.line} accepts {kin.name} by no text of its name"
                )
            if not needle.isascii() or not needle.isprintable() or set(needle) & set("'\"\\"):
                raise Refusal("lossy", f"{needle!r} cannot stand in every Python's source")
            needles.append(needle)
        return list(dict.fromkeys(needles))

    # The proof ------------------------------------------------------------------------------

    def _proven(
        self, shipped: Execution, contents: Mapping[str, bytes]
    ) -> tuple[dict[str, bytes], Execution]:
        """Return those of *contents* that are proven, and what they do; the others are left."""
        kept = dict(contents)
        patched = shipped
        while kept:
            patched = self._executed(kept, Watch())
            wrong = {
                path: reason
                for path, content in kept.items()
                if (reason := self._fault(path, content, shipped, patched))
            }
            if not wrong:
                break
            for path, reason in wrong.items():
                del kept[path]
                self._leave(path, reason)
        return kept, patched if kept else shipped

    def _fault(
        self, path: str, content: bytes, shipped: Execution, patched: Execution
    ) -> str | None:
        """Return why a changed file does not do what it should, or None."""
        old = [test.line for test in branch_tests(self._sources[path])]
        new = [test.line for test in branch_tests(parse(path, content))]
        if len(old) != len(new):
            return "the patched copy reads differently"
        for before, after in zip(old, new, strict=True):
            was = shipped.conditions.get((path, before), (0, 0))
            now = patched.conditions.get((path, after), (0, 0))
            for world in self._others:
                if self._seen(world, was) != self._seen(world, now):
                    return f"line {before} would decide otherwise for {world.name!r}"
            for world, kin in self._kin.items():
                if self._seen(world, now) != self._seen(kin, now):
                    return f"line {before} would still not treat {world.name!r} as {kin.name!r}"
                if self._seen(kin, was) != self._seen(kin, now):
                    return f"line {before} would decide otherwise for {kin.name!r}"
        return None

    def _seen(self, world: World, truth: tuple[int, int]) -> tuple[bool, bool]:
        return bool(truth[0] & self._bits[world]), bool(truth[1] & self._bits[world])


def _ends(worlds: Sequence[World]) -> list[World]:
    """Return of each name, ID and layout the guests on the first and the last release."""
    first: dict[tuple[str, str, bool], World] = {}
    last: dict[tuple[str, str, bool], World] = {}
    for world in worlds:
        key = (world.name, world.id, world.plain)
        first.setdefault(key, world)
        last[key] = world
    return list(dict.fromkeys([*first.values(), *last.values()]))


def _extended(source: PythonSource, test: BranchTest, needles: Sequence[str]) -> Insertion:
    # Deferred: libcst costs 0.2 s, and an agent that needs no change costs none.
    from ngtpatch.patching.chain import NotAChain, OperandTemplate, extend

    if test.header is None:
        raise Refusal("shape", f"line {test.line} is no test that is proven to be extended")
    start, end = test.header
    usable = tuple(token is not None for token in test.tokens)
    try:
        relative = extend(source.text[start:end], needles, OperandTemplate(usable))
    except NotAChain as problem:
        raise Refusal("shape", f"line {test.line}: {problem}") from None
    return Insertion(start + relative.offset, relative.text)
