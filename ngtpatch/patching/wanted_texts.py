# SPDX-License-Identifier: Apache-2.0
"""Which text a new name needs where its kin's decides, as the comparisons were seen.

The value that reaches a comparison may be NAME or ID, in lower case or as it is, stripped or
cut: what is compared is taken from the execution, for the kin and for the new name, and nothing
is supposed about how it was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.worlds import World

__all__ = ["Wanted", "is_writable", "wanted_texts"]

_Side = str | frozenset[str]
_MOST_VALUES = 3


@dataclass(frozen=True)
class Wanted:
    """Texts that would do for the new names what one text does for their kin.

    Attributes:
        text: what the kin's value was compared with.
        word: the part of *text* that is the kin's, where that is a text of words; None where
            it is all of it.
        new: what the new names would need in its place.
        together: whether that is what several texts of one place would do for them: a line that
            is come to with NAME by some and with ID by others.
    """

    text: str
    word: str | None
    new: tuple[str, ...]
    together: bool = False


@dataclass(frozen=True)
class _Match:
    """A text that decided for the kin, and what the new name has where the kin has it."""

    text: str
    word: str | None
    value: str
    whole: bool
    relation: str = ""
    lead: str = ""
    tail: str = ""


def wanted_texts(
    watch: Watch,
    kin: Mapping[World, World],
    bits: Mapping[World, int],
    needles: Mapping[World, Sequence[str]],
) -> tuple[Wanted, ...]:
    """Return what the new names need, by the comparisons that were true for their kin.

    Args:
        watch: what was compared, as shipped.
        kin: for each new name that is not accepted, a known one on the same release.
        bits: the guests' bits in *watch*.
        needles: the tokens that stand for each new name.
    """
    found: dict[Wanted, None] = {}
    seen = _by_place(watch)
    for relation, rights, lefts in seen:
        needed: dict[tuple[str, str | None], dict[World, list[str]]] = {}
        searched: set[tuple[str, str | None]] = set()
        for world, like in kin.items():
            for match in _matches(relation, rights, lefts, bits[like], bits[world], needles[world]):
                new = match.value
                if not match.whole:
                    searched.add((match.text, match.word))
                    new = _token(match.relation or relation, match.value, needles[world])
                    if match.lead + match.tail and not _PLAIN.fullmatch(new):
                        continue
                    new = match.lead + new + match.tail
                needed.setdefault((match.text, match.word), {}).setdefault(world, []).append(new)
        plain: dict[str, dict[str, None]] = {}
        for (text, word), each in needed.items():
            # One line may be come to with NAME and with ID: either may do. Not every release
            # comes to every operand, and what is missing then is shown by trying.
            for at in range(max(map(len, each.values()))):
                one = {world: texts[min(at, len(texts) - 1)] for world, texts in each.items()}
                new_texts = tuple(dict.fromkeys(one.values()))
                if (text, word) in searched:
                    new_texts = _without_longer(new_texts)
                if not _varies(one) and all(map(is_writable, new_texts)):
                    found[Wanted(text, word, new_texts)] = None
                    if word is None:
                        plain.setdefault(text, {}).update(dict.fromkeys(new_texts))
        every = tuple(dict.fromkeys(new for each in plain.values() for new in each))
        if len(plain) > 1 and any(len(each) < len(every) for each in plain.values()):
            found[Wanted(next(iter(plain)), None, every, together=True)] = None
    return tuple(found)


_Row = tuple[int, _Side]


def _by_place(watch: Watch) -> list[tuple[str, list[_Row], list[_Row]]]:
    """Return what was compared at each place: what stood on the right, and on the left."""
    found: dict[tuple[str, tuple[str, int]], tuple[list[_Row], list[_Row]]] = {}
    for (relation, right, place), lefts in watch.meetings.items():
        key = (relation, place)
        rights, all_lefts = found.setdefault(key, ([], []))
        mask = 0
        for guests, _ in lefts:
            mask |= guests
        rights.append((mask, right))
        all_lefts.extend(lefts)
    return [(relation, *rows) for (relation, _), rows in found.items()]


def _values(rows: Sequence[_Row], bit: int) -> list[_Side]:
    return list(dict.fromkeys(value for mask, value in rows if mask & bit))


def _matches(
    relation: str,
    rights: Sequence[_Row],
    lefts: Sequence[_Row],
    like: int,
    mine: int,
    needles: Sequence[str],
) -> Iterator[_Match]:
    """Yield what was true of the kin at one place, with the new name's value there."""
    their_lefts, their_rights = _values(lefts, like), _values(rights, like)
    # What varies is the subject; what is the same on both is a text that stands in the source.
    new_lefts = _texts(_values(lefts, mine), their_lefts)
    new_rights = _texts(_values(rights, mine), their_rights)
    for left, right in product(their_lefts, their_rights):
        if relation in ("pattern", "glob"):
            yield from _of_pattern(relation, right, left, new_lefts)
            continue
        if relation == "meets":
            for text in _shared(left, right):
                for one in (*_members(lefts, mine), *_members(rights, mine)):
                    if one not in (*_members(lefts, like), *_members(rights, like)):
                        yield _Match(text, None, one, whole=True)
            continue
        for text in _deciding(relation, left, right):
            if isinstance(right, frozenset) and not new_lefts:
                # The words of the name are on the right: the one that its needle starts with.
                firsts = {needle.split()[0] for needle in needles} - right
                members = [one for one in _members(rights, mine) if one.lower() in firsts]
                yield from (_Match(text, None, one, whole=True) for one in members)
            # It stands on the right of ==, in a container, or behind the dot of a method.
            yield from (_Match(text, None, one, relation in ("==", "in")) for one in new_lefts)
            if relation == "==":
                yield from (_Match(text, None, one, whole=True) for one in new_rights)
        if relation == "in" and isinstance(left, str) and isinstance(right, str) and left in right:
            # What is in each of the new name's, such as the sign between key and value, lacks it
            # nothing.
            if not all(left in one for one in new_rights):
                yield from (_Match(left, None, one, whole=False) for one in new_rights)
            if left != right:
                yield from (_Match(right, left, one, whole=True) for one in new_lefts)


def _of_pattern(relation: str, right: _Side, left: _Side, new: Sequence[str]) -> Iterator[_Match]:
    """Yield what a pattern, of :mod:`re` or :mod:`fnmatch`, found in the kin's value."""
    if not (isinstance(left, str) and isinstance(right, str)):
        return
    if relation == "pattern":
        # An alternative of it is what the kin has; searched by the library, as the disc does.
        for word in _alternatives(right, left):
            yield from (_Match(right, word, one, whole=False) for one in new)
    yield from _around(_STEM if relation == "pattern" else _GLOB, right, left, new)


def _alternatives(pattern: str, value: str) -> list[str]:
    words = re.split(r"[|()^$]|\\b|\?:", pattern)
    low = value.lower()  # flags may say that the case does not matter
    return [one for one in words if len(one) > 2 and one.lower() in low and pattern.count(one) == 1]


# Patterns that are one text, with what may stand around it; and such of fnmatch.
_STEM = re.compile(r"(\^?(?:\.\*)?)([A-Za-z0-9_ -]+)((?:\.\*)?\$?)")
_GLOB = re.compile(r"(\**)([A-Za-z0-9_ -]+)(\**)")
_PLAIN = re.compile(r"[A-Za-z0-9_ -]+")


def _around(
    kind: re.Pattern[str], pattern: str, value: str, new: Sequence[str]
) -> Iterator[_Match]:
    """Yield what is needed beside a pattern that is one text: that text's part anew."""
    found = kind.fullmatch(pattern)
    if found is None or found[2].lower() not in value.lower():
        return
    lead, _, tail = found.groups()
    relation = "find"
    if kind is _GLOB:
        ends = {(True, True): "find", (False, True): "startswith", (True, False): "endswith"}
        relation = ends.get((bool(lead), bool(tail)), "==")
    for one in new:
        yield _Match(pattern, None, one, whole=False, relation=relation, lead=lead, tail=tail)


def _shared(left: _Side, right: _Side) -> list[str]:
    both = [frozenset([one]) if isinstance(one, str) else one for one in (left, right)]
    return sorted(both[0] & both[1])


def _members(rows: Sequence[_Row], bit: int) -> list[str]:
    found: set[str] = set()
    for value in _values(rows, bit):
        found |= {value} if isinstance(value, str) else value
    return sorted(found)


def _texts(values: Sequence[_Side], theirs: Sequence[_Side]) -> list[str]:
    found = [one for one in values if isinstance(one, str) and one not in theirs]
    return found[:_MOST_VALUES]


def _deciding(relation: str, left: _Side, right: _Side) -> list[str]:
    """Return the texts of *right* by which a relation holds for *left*."""
    if not isinstance(left, str):
        return []
    rights = [right] if isinstance(right, str) else sorted(right)
    match relation:
        case "==":
            return [one for one in rights if one == left]
        case "in":
            return [left] if isinstance(right, frozenset) and left in right else []
        case "startswith":
            return [one for one in rights if left.startswith(one)]
        case "endswith":
            return [one for one in rights if left.endswith(one)]
    return [one for one in rights if one in left]


def _token(relation: str, value: str, needles: Sequence[str]) -> str:
    """Return the shortest stable text that is in *value*, in its case: a needle, or all of it."""
    low = "".join(char.lower() if char.isascii() else char for char in value)
    for needle in needles if relation != "==" else ():
        at = low.find(needle)
        starts, ends = at == 0, at + len(needle) == len(value)
        if at >= 0 and (starts or relation != "startswith") and (ends or relation != "endswith"):
            return value[at : at + len(needle)]
    # What is searched for need not have the quotes and line ends of a file's line.
    return value.strip("\"' \t\r\n") if relation in ("in", "find", "pattern") else value


def _without_longer(texts: Sequence[str]) -> tuple[str, ...]:
    """Return *texts* but for those in which another one is found: it does for both."""
    return tuple(one for one in texts if not any(o != one and o in one for o in texts))


def _varies(each: Mapping[World, str]) -> bool:
    """Tell whether one name needs another text on another release: the next is not known then."""
    seen: dict[tuple[str, str, bool], str] = {}
    return any(
        seen.setdefault((one.name, one.id, one.lacks_distro), text) != text
        for one, text in each.items()
    )


def is_writable(text: str) -> bool:
    """Tell whether any Python reads *text* as it is between quotes."""
    return bool(text) and text.isascii() and text.isprintable() and not set(text) & set("'\"\\")
