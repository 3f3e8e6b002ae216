# SPDX-License-Identifier: Apache-2.0
"""Comparisons, and what the installer's own classes say about operators and texts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from ngtpatch.installer.execution.attributes import Attributes
from ngtpatch.installer.execution.either_python import may_be_2
from ngtpatch.installer.execution.guest_texts import DISTRIBUTION
from ngtpatch.installer.execution.lifting import Unmodelled, unknown
from ngtpatch.installer.execution.objects import (
    Chained,
    ClassObject,
    Container,
    InstanceObject,
    View,
    Viewed,
)
from ngtpatch.installer.execution.varied import (
    NOTHING,
    Plain,
    Unknown,
    Varied,
    identity_of,
)

__all__ = ["Comparing", "Cond", "is_shown"]

#: The guests on which a condition is true, false, and in doubt.
Cond = tuple[int, int, int]

# What a class may define without changing what operators do to its objects.
_PLAIN = frozenset({
    "__init__", "__doc__", "__module__", "__slots__", "__enter__", "__exit__", "__str__",
    "__unicode__", "__repr__", "__call__", "__new__", "__metaclass__", "__del__",
    "__all__", "__name__", "__qualname__",
})  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}

_MEETING: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "==",
    ast.In: "in",
    ast.NotIn: "in",
    ast.LtE: "meets",
    ast.GtE: "meets",
}


class Comparing(Attributes):
    """Compares values, and asks the installer's classes where they say how."""

    def _as_bool(self, found: Cond) -> Varied:
        true, false, doubt = found
        both = true & false
        groups: list[tuple[int, Plain]] = [(true & ~both, True), (false & ~both, False)]
        groups += [(both & doubt, Unknown(tainted=True)), (both & ~doubt, Unknown(tainted=False))]
        return Varied(tuple(group for group in groups if group[0] & self.mask))

    def compared(self, left: Varied, kind: ast.cmpop, right: Varied) -> Varied:
        """Return the comparison of two values."""
        if isinstance(kind, ast.In | ast.NotIn):
            right = self._unchained(right)
        if self.watch is not None and type(kind) in _MEETING:
            self.watch.meet(_MEETING[type(kind)], left, right, self.mask, self.spot)
        if isinstance(kind, ast.Is | ast.IsNot):
            return self._identity(left, right, negated=isinstance(kind, ast.IsNot))
        if isinstance(kind, ast.Eq | ast.NotEq) and self._is_view(left, right):
            return unknown(tainted=self.of_python or self.depends(left, right))
        if isinstance(kind, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            special = self._compared_in_part(left, kind, right)
            if special is not None:
                return special
        if not isinstance(kind, ast.Eq | ast.NotEq):
            self.note_operated(left, right)
        run = _COMPARE[type(kind)]
        if type(kind) in _ORDERING and not self.of_python and may_be_2(self):
            run = _as_on_some(run)
        result = self.lift(run, left, right)
        if self._names_a_distribution(left, right) or self._names_a_distribution(right, left):
            result = self.gather(
                (mask, Unknown(tainted=True) if isinstance(value, Unknown) else value)
                for mask, value in result.groups
            )
        return result

    def _unchained(self, value: Varied) -> Varied:
        """Return *value* with each iterator over several containers as what it gives."""
        groups = value.each(self.mask)
        if not any(type(one) is Chained for _, one in groups):
            return value
        found: list[tuple[int, Plain]] = []
        for mask, one in groups:
            given = self.elements(Varied(((mask, one),))) if type(one) is Chained else None
            found += [(mask, one)] if given is None else list(given)
        return self.gather(found)

    def _is_view(self, *values: Varied) -> bool:
        return any(
            isinstance(one, View | Viewed | range)
            for value in values
            for _, one in value.each(self.mask)
        )

    def refuse_views(self, *values: Varied) -> None:
        """Raise TypeError where one of them is no list on the guest's Python."""
        for value in values:
            for mask, one in value.each(self.mask) if self.of_python else ():
                if isinstance(one, View):
                    self.throw_named("TypeError", mask, "is not a list")

    def _names_a_distribution(self, one: Varied, other: Varied) -> bool:
        return any(isinstance(value, Unknown) for _, value in other.each(self.mask)) and any(
            _says_distribution(value) for _, value in one.each(self.mask)
        )

    def _compared_in_part(self, left: Varied, kind: ast.cmpop, right: Varied) -> Varied | None:
        """Compare with a container of which one part is not known, or with one of ours."""
        plains = [value for _, value in (*left.each(self.mask), *right.each(self.mask))]
        if isinstance(kind, ast.In | ast.NotIn):
            if any(type(value).__name__ in ("InstanceObject", "ClassObject")
                   for _, value in right.each(self.mask)):  # fmt: skip
                return self.dispatch(right, lambda one: self._contains(one, left, kind))
            keys = self.keys_of(right)
            if keys is None:
                return None
            for mask, one in left.each(self.mask):
                if _is_no_key(one):
                    self.throw_named("TypeError", mask, "unhashable type")
            return self.lift(_COMPARE[type(kind)], left, keys)
        if any(type(value).__name__ == "InstanceObject" for value in plains):
            if any(self.defines(value, "__eq__") for value in plains):
                return self._by_method(left, right, negated=isinstance(kind, ast.NotEq))
            return self._identity(left, right, negated=isinstance(kind, ast.NotEq))
        return None

    def _by_method(self, left: Varied, right: Varied, *, negated: bool) -> Varied:
        if not all(self.defines(one, "__eq__") for _, one in left.each(self.mask)):
            self.note("call")
            return unknown(tainted=True)
        found = self.truth(self.call(self.attribute(left, "__eq__"), (right,), {}))
        true, false, doubt = found
        return self._as_bool((false, true, doubt) if negated else (true, false, doubt))

    def keys_of(self, value: Varied) -> Varied | None:
        """Return the keys where *value* is a dictionary everywhere; None where it is not."""
        groups: list[tuple[int, Plain]] = []
        for mask, one in value.each(self.mask):
            if not isinstance(one, Container) or one.kind is not dict:
                return None
            for guests, items in one.store.get("items").each(mask):
                groups.append((guests, items if isinstance(items, Unknown) else tuple(items)))
        return self.gather(groups)

    def _contains(self, holder: Plain, item: Varied, kind: ast.cmpop) -> Varied:
        if isinstance(holder, ClassObject) and not all(
            isinstance(one, InstanceObject) for _, one in item.each(self.mask)
        ):
            return unknown(tainted=True)  # every Python says something else of a value
        members = list(self.elements(Varied.of(holder)))
        if len(members) == 1 and not isinstance(members[0][1], Unknown):
            return self.lift(_COMPARE[type(kind)], item, Varied.of(tuple(members[0][1])))
        method = self.attribute(Varied.of(holder), "__contains__", missing=NOTHING)
        if not method.mask & self.mask:
            return unknown(tainted=True)
        true, false, doubt = self.truth(self.call(method, (item,), {}))
        if isinstance(kind, ast.NotIn):
            true, false = false, true
        return self._as_bool((true, false, doubt))

    def _identity(self, left: Varied, right: Varied, *, negated: bool) -> Varied:
        groups: list[tuple[int, Plain]] = []
        for mask, one in left.each(self.mask):
            for guests, other in right.each(mask):
                if isinstance(one, Unknown) or isinstance(other, Unknown):
                    groups.append((guests, Unknown(self.depends(left, right))))
                else:
                    groups.append((guests, (identity_of(one) == identity_of(other)) != negated))
        return self.gather(groups)

    def note_operated(self, *operands: Varied) -> None:
        """Note where an operator is what a class of the installer says."""
        for operand in operands:
            for mask, one in operand.each(self.mask):
                if isinstance(one, InstanceObject) and self.redefines(one):
                    self.note("call", mask)

    def redefines(self, one: InstanceObject) -> bool:
        """Tell whether the class of an object says what operators do to it."""
        return any(
            isinstance(cls, ClassObject)
            and any(
                str(name).startswith("__") and str(name).endswith("__") and name not in _PLAIN
                for name in cls.store.slots
            )
            for cls in one.cls.order()
        )

    def as_text(self, value: Varied) -> Varied:
        """Return *value* with the objects of the installer's classes as str() makes them."""
        if not any(isinstance(one, InstanceObject | tuple) for _, one in value.each(self.mask)):
            return value
        return self.dispatch(value, self._text_of_one)

    def _text_of_one(self, one: Plain) -> Varied:
        if isinstance(one, tuple) and any(isinstance(part, InstanceObject) for part in one):
            parts = [self.as_text(Varied.of(part)) for part in one]
            combined = self.combine(parts)
            return unknown(tainted=True) if combined is None else self.gather(combined)
        if isinstance(one, InstanceObject):
            for name in ("__str__", "__unicode__", "__repr__", "__format__"):
                if self.defines(one, name):
                    args = (Varied.of(""),) if name == "__format__" else ()
                    return self.call(self.attribute(Varied.of(one), name), args, {})
            if one.cls.error is not None:
                return self._message(one)
        return Varied.of(one)

    def _message(self, error: InstanceObject) -> Varied:
        """Return str() of an exception: its only argument, or nothing."""
        groups: list[tuple[int, Plain]] = []
        as_repr = error.cls.error is not None and issubclass(error.cls.error, KeyError)
        for mask, args in error.store.get("args").each(self.mask):
            if isinstance(args, tuple) and len(args) == 1 and not as_repr:
                part = self.under(mask, lambda a=args: self.as_text(Varied.of(a[0])))  # type: ignore[misc]
                groups += self.lift(self.text_of, part.within(mask)).within(mask).groups
            elif args == ():
                groups.append((mask, ""))
            else:
                groups.append((mask, Unknown(tainted=True)))
        return self.gather(groups)

    @staticmethod
    def text_of(value: Any) -> str:
        """Return str() of one of Python's own objects."""
        is_shown(value)
        return str(value)


_ORDERING = frozenset({ast.Lt, ast.LtE, ast.Gt, ast.GtE})


def _as_on_some(run: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a comparison that may be one: Python 2 has an order of unlike things."""

    def compare(left: Any, right: Any) -> Any:
        try:
            return run(left, right)
        except TypeError:
            raise Unmodelled from None

    return compare


def is_shown(value: Any) -> None:
    """Raise Unmodelled where not every Python makes the same text of *value*."""
    if isinstance(value, tuple | list):
        if type(value) not in (tuple, list) or not all(map(_is_told, value)):
            raise Unmodelled
    elif isinstance(value, float):
        if float(f"{value:.12g}") != value:
            raise Unmodelled  # a Python 2 shows twelve digits
    elif not isinstance(value, str | int | type(None)):
        raise Unmodelled


def _is_told(value: Any) -> bool:
    """Tell whether repr() of a part is what every Python says."""
    return type(value) in (int, bool, type(None)) or (
        type(value) in (tuple, list) and all(map(_is_told, value))
    )


def _says_distribution(value: Plain) -> bool:
    if isinstance(value, Container):
        value = tuple(
            one for _, items in value.store.get("items").groups
            if not isinstance(items, Unknown) for one in items
        )  # fmt: skip
    if isinstance(value, tuple):
        return any(isinstance(one, str | bytes) and _says_distribution(one) for one in value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return isinstance(value, str) and DISTRIBUTION.search(value) is not None


def _is_no_key(value: Plain) -> bool:
    """Tell whether a dictionary can have no such key."""
    if isinstance(value, tuple):
        return any(map(_is_no_key, value))
    return type(value) is Container and value.kind in (list, dict, set)
