# SPDX-License-Identifier: Apache-2.0
"""Operations on values that differ from guest to guest: each done once a distinct value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ngtpatch.installer.execution.leaving import Leaving
from ngtpatch.installer.execution.objects import (
    BoundMethod,
    Chained,
    ClassObject,
    Container,
    Defaulting,
    External,
    FileObject,
    Frozen,
    FunctionObject,
    InstanceObject,
    Kept,
    ModuleObject,
    NameStore,
    Native,
    OneWay,
    SuperObject,
    View,
    Wrapped,
    plain,
)
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied, merged, met

__all__ = ["NONE", "Unmodelled", "Values", "has_no_order", "unknown"]

NONE = Varied.of(None)

_MAX_SIZE = 1 << 20
_MAX_ITEMS = 1 << 15
_MAX_COMBINATIONS = 20_000
_OURS = (
    BoundMethod,
    ClassObject,
    External,
    FileObject,
    FunctionObject,
    InstanceObject,
    ModuleObject,
    Native,
    SuperObject,
    Wrapped,
)
# What differs from guest to guest as a value does, and the methods of such.
_DATA = frozenset({str, bytes, int, float, tuple, Native, BoundMethod})
_RAISED = (
    ArithmeticError, AttributeError, LookupError, NameError, RuntimeError, StopIteration,
    TypeError, ValueError,
)  # fmt: skip


class Unmodelled(Exception):
    """The operation has no model for these values."""


# Of such alone no operand is a part of ours, and texts and bytes do not meet.
_SIMPLE = frozenset({str, int, bool, float, type(None)})
_SMALL = frozenset({bool, type(None)})
_PLAINLY = (str, int, float, bytes, type(None), Unknown)
_FAILING = (*_RAISED, Unmodelled, RecursionError, MemoryError)


def unknown(*, tainted: bool, origin: str = "") -> Varied:
    """Return a value of which nothing is known, but perhaps what made it."""
    return Varied.of(Unknown(tainted, "" if tainted else origin))


class Values(Leaving):
    """Lifts functions of plain values to values by guest."""

    def combine(self, operands: Sequence[Varied]) -> list[tuple[int, tuple[Plain, ...]]] | None:
        """Return each combination of plain values with its guests; None where they are too many.

        A container counts once for each content that it has.
        """
        combined: list[tuple[int, tuple[Plain, ...]]] = [(self.mask, ())]
        for operand in operands:
            groups = list(self._by_content(operand))
            if len(groups) == 1 and all(mask & ~groups[0][0] == 0 for mask, _ in combined):
                value = groups[0][1]
                combined = [(mask, (*values, value)) for mask, values in combined]
                continue
            if len(groups) * len(combined) > _MAX_COMBINATIONS * 8:
                return None
            combined = [(mask, (*values, value)) for mask, values, value in met(combined, groups)]
            if len(combined) > _MAX_COMBINATIONS:
                return None
        return combined

    def _by_content(self, operand: Varied) -> Iterator[tuple[int, Plain]]:
        for mask, value in operand.each(self.mask):
            if isinstance(value, Container):
                for guests, _ in value.store.get("items").each(mask):
                    yield guests, value
            else:
                yield mask, value

    def depends(self, *operands: Varied) -> bool:
        """Tell whether one of them depends on the guest."""
        return any(self._depends(operand, 3) for operand in operands)

    def _depends(self, operand: Varied, depth: int) -> bool:
        return operand.depends(self.mask) or any(
            self._differs(mask, value, depth) for mask, value in operand.each(self.mask)
        )

    def _differs(self, mask: int, value: Plain, depth: int) -> bool:
        """Tell whether what a value holds depends on the guest."""
        match value:
            case Container() if depth:
                items = value.store.get("items")
                return items.depends(mask) or any(
                    isinstance(one, Container | Unknown)
                    and self._depends(Varied.of(one), depth - 1)
                    for _, content in items.each(mask)
                    if not isinstance(content, Unknown)
                    for one in (content.values() if isinstance(content, dict) else content)
                )
            case FileObject():
                return self._depends(value.store.get("lines").within(mask), 1)
            case InstanceObject() if depth:
                return any(
                    self._depends(one.within(mask), depth - 1) for one in value.store.slots.values()
                )
            case External() | tuple():
                return _is_tainted(value)
        return False

    def lift(self, run: Callable[..., Any], *operands: Varied) -> Varied:
        """Return what *run*, a function of Python's own objects, gives on each guest.

        What it raises is raised on the guests concerned. An operand that is not known makes
        the result unknown.
        """
        operands = tuple([self.once(operand) for operand in operands])
        combined = self.combine(operands)
        if combined is None:
            return unknown(tainted=True)
        groups: list[tuple[int, Plain]] = []
        raised: list[tuple[int, str, tuple[Plain, ...]]] = []
        depends: bool | None = None
        for mask, values in combined:
            self.spend()
            if _SIMPLE.issuperset(map(type, values)):
                # What most are: nothing of them is unknown, and a result as simple is a value.
                try:
                    made = run(*values)
                    groups.append((mask, made if type(made) in _SMALL else self.wrap(made)))
                    continue
                except _FAILING:
                    pass  # below it is seen what becomes of that
            if depends is None:
                depends = self.depends(*operands)
            groups += self._lift_one(run, mask, values, raised, depends=depends)
        if raised:
            kept = 0
            for mask, _ in groups:
                kept |= mask
            self.throw_some(raised, kept)
        return self.gather(groups)

    def _lift_one(
        self,
        run: Callable[..., Any],
        mask: int,
        values: Sequence[Plain],
        raised: list[tuple[int, str, tuple[Plain, ...]]],
        *,
        depends: bool,
    ) -> Iterator[tuple[int, Plain]]:
        """Yield what *run* gives for these values; what it raises is added to *raised*."""
        kept: Kept = {}
        operand = [plain(value, mask, kept) for value in values]
        for one in operand:
            if not isinstance(one, _PLAINLY):
                self.ask_class_of(one, mask)
        doubt = Unknown(depends, "" if depends else _origins(operand))
        if any(isinstance(value, Unknown) for value in operand):
            self.expose(*map(Varied.of, values), inner=True)
            self.perhaps()
            yield mask, doubt
            return
        if _mixes(operand):
            # On Python 2 they are one kind of text, on Python 3 never equal.
            python2 = mask & self.where(lambda world: (world.python or (2,)) < (3,))
            if not self.of_python:
                yield mask, Unknown(depends)
                return
            # That texts are compared as Python 2 does is not modelled: it may differ.
            yield python2, Unknown(tainted=True)
            mask &= ~python2  # the others, of Python 3
        self.spend(sum(_size(value) for value in operand) >> 4)
        try:
            yield mask, self.wrap(run(*operand), kept)
        except (Unmodelled, RecursionError, MemoryError):
            self._out_of_sight(values, mask, depends=depends)
            yield mask, doubt
        except _RAISED as error:
            if any(_is_ours(value) for value in operand):
                self._out_of_sight(values, mask, depends=depends)
                yield mask, doubt
            else:
                raised.append((mask, _public_name(error), ()))

    def _out_of_sight(self, values: Sequence[Plain], mask: int, *, depends: bool) -> None:
        """Note that what is made of *values* is not known."""
        self.perhaps()
        self.expose(*map(Varied.of, values), inner=True)
        if self.watch is not None and not depends:
            for one in values:
                self.watch.hand(Varied.of(one), mask)

    def ask_class_of(self, value: Any, mask: int, depth: int = 4) -> None:
        """Note where an object in *value* is of a class that says what is done to it."""
        if isinstance(value, InstanceObject):
            if self.redefines(value):
                self.note("call", mask)
        elif depth and isinstance(value, tuple | list | dict | set | frozenset):
            for one in (*value, *value.values()) if isinstance(value, dict) else value:
                if not isinstance(one, _PLAINLY):
                    self.ask_class_of(one, mask, depth - 1)

    def redefines(self, one: InstanceObject) -> bool:
        """Tell whether the class of an object says what operators do to it."""
        raise NotImplementedError

    def wrap(self, value: Any, kept: Kept | None = None) -> Plain:  # noqa: PLR0911 - one a kind
        """Return one of Python's own objects as a plain value, or the container it stands for."""
        if type(value) is str and len(value) < 64:
            return value
        if kept and id(value) in kept:
            return kept[id(value)][1]
        if isinstance(value, str | bytes | list | tuple | dict | set | frozenset):
            size = len(value)
            self.spend(size >> 6)
            if size > (_MAX_SIZE if isinstance(value, str | bytes) else _MAX_ITEMS):
                raise Unmodelled
        if isinstance(value, int) and value.bit_length() > 4096:
            raise Unmodelled
        match value:
            case list():
                return Container(list, tuple(self.wrap(one, kept) for one in value))
            case dict():
                return Container(dict, {key: self.wrap(one, kept) for key, one in value.items()})
            case set():
                return Container(set, frozenset(value))
            case frozenset():
                return Frozen(value)
            case _ if type(value) is tuple:
                return tuple(self.wrap(one, kept) for one in value)
        return value

    def truth(self, value: Varied) -> tuple[int, int, int]:  # noqa: PLR0912 - one a kind of value
        """Return the guests on which *value* is true, false, and on which that is in doubt.

        A guest on which either is possible is in both; in doubt is one where the doubt may
        be about the distribution.
        """
        true = false = doubt = 0
        vague = False
        for mask, one in value.each(self.mask):
            if isinstance(one, Unknown):
                true |= mask
                false |= mask
                doubt |= mask if one.tainted else 0
                vague = True
            elif isinstance(one, View) and one.is_lazy:
                true |= mask
                if not self.of_python and one.kind in (map, filter, zip):
                    # A list of Python 2's, which may be empty.
                    false |= mask
                    doubt |= mask
            elif isinstance(one, Container):
                for guests, items in one.store.get("items").each(mask):
                    if isinstance(items, Unknown):
                        true |= guests
                        false |= guests
                        doubt |= guests if items.tainted else 0
                    elif items:
                        true |= guests
                    else:
                        false |= guests
            elif isinstance(one, InstanceObject) and any(
                not isinstance(cls, ClassObject)
                or set(cls.store.slots) & {"__bool__", "__nonzero__", "__len__"}
                for cls in one.cls.order()
            ):
                # What the method says is not asked here.
                true |= mask
                false |= mask
                doubt |= mask
            elif isinstance(one, External):
                true |= mask
                false |= mask
                doubt |= mask if one.tainted else 0
            elif isinstance(one, _OURS) or one:
                true |= mask
            else:
                false |= mask
        if vague:
            self.tell_apart(value)
        return true, false, doubt

    def dispatch(self, value: Varied, run: Callable[[Plain], Varied]) -> Varied:
        """Return what *run* gives for each plain value, each on its own guests."""
        groups = list(value.each(self.mask))
        if len(groups) == 1 and groups[0][0] == self.mask:
            return run(groups[0][1])
        found: list[tuple[int, Plain]] = []

        def one(mask: int, each: Plain) -> Callable[[], None]:
            def execute() -> None:
                given = run(each).within(mask).groups
                number = numbers.get(type(each) in _DATA and mask, 0)
                found.extend(_by_way(given, number) if number else given)

            return execute

        apart = any(mask != groups[0][0] for mask, _ in groups)
        numbers = {mask: at + 1 for at, (mask, _) in enumerate(groups)} if apart else {}
        self.divided += apart
        self.fork([(mask, one(mask, each)) for mask, each in groups])
        self.divided -= apart
        return merged(self.gather(found))

    def elements(  # noqa: PLR0912 - one a kind of value
        self, value: Varied
    ) -> Iterator[tuple[int, Sequence[Plain] | Unknown]]:
        """Yield what iterating over *value* gives, by guest."""
        for late in self.gone_through:
            late.update((id(one), one) for one in self.sources_of(value))
        for mask, one in value.each(self.mask):
            match one:
                case Chained():
                    yield from self._once(one, mask)
                case Container():
                    groups = list(one.store.get("items").each(mask))
                    if isinstance(one, OneWay):
                        groups = self._asked(one, mask)
                    for guests, items in groups:
                        if isinstance(items, Unknown):
                            yield guests, items
                        elif one.kind is set:
                            members = sorted(items, key=repr)
                            yield guests, self.in_some_order(members, members)
                        elif has_no_order(one) and self.may_be_old():
                            yield guests, self.in_some_order(tuple(items), tuple(items))
                        else:
                            self.spend(len(items) >> 3)
                            yield guests, tuple(items)
                case bytes():
                    yield mask, Unknown(tainted=True)  # texts or numbers, as the Python is
                case str() | tuple() | range():
                    self.spend(len(one) >> 3)
                    yield mask, one
                case FileObject():
                    for guests, lines in one.store.get("lines").each(mask):
                        yield guests, lines
                case ClassObject() if one.store.slots.get("\x00members"):
                    for guests, members in one.store.get("\x00members").each(mask):
                        yield guests, members
                case Unknown():
                    yield mask, one
                case _:
                    # What a class says about iterating over its objects is not asked.
                    origin = one.name if isinstance(one, External) else ""
                    tainted = one.tainted if isinstance(one, External) else bool(
                        isinstance(one, InstanceObject)
                    )  # fmt: skip
                    yield mask, Unknown(tainted, "" if tainted else origin)

    def sources_of(self, *values: Varied) -> tuple[NameStore, ...]:
        """Return what Python goes through where it goes through *values*: of each container."""
        found: dict[int, NameStore] = {}
        waiting = list(values)
        while waiting:
            for mask, one in waiting.pop().each(self.mask):
                if not isinstance(one, Container):
                    continue
                store = self.shown_in(one.store)
                stores = [store, *(one.sources if isinstance(one, OneWay) else ())]
                found.update((id(each), each) for each in stores)
                if isinstance(one, Chained):
                    waiting += one.parts
                    inner = one.parts[0].each(mask) if one.deep else ()
                    waiting += [
                        Varied(((guests, part),))
                        for each_mask, row in inner
                        for guests, items in _items_of(row, each_mask)
                        if isinstance(items, tuple)
                        for part in items
                    ]
        return tuple(found.values())

    def in_some_order(self, items: Sequence[Plain], members: Sequence[Plain]) -> Sequence[Plain]:
        """Return *items*, which have no order, in one: the other one is tried as well."""
        if len(items) > 1 and self.watch is not None:
            items = self.watch.in_order(self.spot, members, items)
        self.spend(len(items) >> 3)
        if len(items) > 1 and self.unordered_at is None:
            self.unordered_at = self.place
        return tuple(reversed(items)) if self.backwards else tuple(items)

    def in_a_row(self, value: Varied) -> Varied:
        """Return *value* with each set or dictionary as the list of what going through it gives."""
        groups: list[tuple[int, Plain]] = []
        for mask, one in value.each(self.mask):
            if type(one) in (Container, Frozen) and one.kind is not list:
                groups += [
                    (guests, items if isinstance(items, Unknown) else Container(list, items))
                    for guests, items in self.elements(Varied(((mask, one),)))
                ]
            else:
                groups.append((mask, one))
        return self.gather(groups)

    def may_be_old(self) -> bool:
        """Tell whether a Python may run this in which dictionaries have no order."""
        return not self.of_python and not self.frames[-1].module.is_new

    def _asked(self, one: OneWay, mask: int) -> list[tuple[int, Plain]]:
        """Return what an iterator gives, the first time and where nothing has changed since."""
        groups = list(one.store.get("items").each(mask))
        if self.changes != one.age:
            groups = [(mask, Unknown(tainted=True))]
        changes = self.changes
        self.write(one.store, "items", Varied.of(Unknown(tainted=True)), mask)
        self.changes = changes
        return groups

    def once(self, operand: Varied) -> Varied:
        """Return *operand* with each such iterator as the list of what it gives."""
        if not any(isinstance(one, OneWay) for _, one in operand.groups):
            return operand
        groups: list[tuple[int, Plain]] = []
        for mask, one in operand.each(self.mask):
            if not isinstance(one, OneWay):
                groups.append((mask, one))
                continue
            groups += [
                (guests, items if isinstance(items, Unknown) else Container(list, items))
                for guests, items in self._asked(one, mask)
            ]
        return self.gather(groups)

    def _once(self, chained: Chained, mask: int) -> Iterator[tuple[int, Sequence[Plain] | Unknown]]:
        """Yield what an iterator gives, the first time; what is left then is not followed."""
        used = mask & chained.store.get("used").mask
        if used:
            yield used, Unknown(tainted=True)
        mask &= ~used
        self.write(chained.store, "used", Varied.of(True), mask)
        if not chained.deep:
            yield from self._joined(chained.parts, mask)
            return
        for guests, parts in list(self.elements(chained.parts[0].within(mask))):
            if isinstance(parts, Unknown):
                yield guests, Unknown(tainted=True)
            else:
                yield from self._joined([Varied.of(one) for one in parts], guests)

    def _joined(
        self, parts: Sequence[Varied], mask: int
    ) -> Iterator[tuple[int, Sequence[Plain] | Unknown]]:
        """Yield the elements of several containers, in one row."""
        rows: list[tuple[int, tuple[Plain, ...]]] = [(mask, ())]
        for part in parts:
            found = list(self.elements(part.within(mask)))
            vague = [guests for guests, items in found if isinstance(items, Unknown)]
            if vague:
                yield mask, Unknown(tainted=True)
                return
            rows = [(both, (*row, *more)) for both, row, more in met(rows, found)]
        yield from rows


def has_no_order(one: Plain) -> bool:
    """Tell whether *one* is a dictionary that has no order before Python 3.6."""
    return type(one) in (Container, Defaulting) and one.kind is dict


def _is_tainted(value: External | tuple[Plain, ...]) -> bool:
    if isinstance(value, External):
        return value.tainted
    return any(isinstance(one, Unknown) and one.tainted for one in value)


def _by_way(groups: Sequence[tuple[int, Plain]], number: int) -> Iterator[tuple[int, Plain]]:
    """Yield *groups*, those of which nothing is known told apart by the value they are of."""
    for mask, one in groups:
        if isinstance(one, Unknown) and not one.tainted:
            yield mask, Unknown(False, f"{one.origin[-120:] or '?'}#{number}")
        else:
            yield mask, one


def _size(value: Any) -> int:
    return len(value) if isinstance(value, tuple | list | dict | set | range) else 0


def _origins(values: Sequence[Plain]) -> str:
    found = {
        part for one in values if isinstance(one, Unknown | External)
        for part in (one.origin if isinstance(one, Unknown) else one.name).split("|")
    }  # fmt: skip
    return "|".join(sorted(found - {""})[:4])


def _mixes(values: Sequence[Plain]) -> bool:
    kinds = {type(one) for one in values if isinstance(one, (str, bytes))}
    for one in values:
        if isinstance(one, tuple | list | set | frozenset) and len(one) < 100:
            kinds |= {type(part) for part in one if isinstance(part, str | bytes)}
    return len(kinds) > 1


def _is_ours(value: Any) -> bool:
    if isinstance(value, _OURS):
        return True
    if isinstance(value, dict):
        return any(_is_ours(one) for one in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return any(_is_ours(one) for one in value)
    return False


def _public_name(error: Exception) -> str:
    return type(error).__name__


def _items_of(row: Plain, mask: int) -> Sequence[tuple[int, Plain]]:
    return row.store.get("items").each(mask) if isinstance(row, Container) else ((mask, row),)
