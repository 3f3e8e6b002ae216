# SPDX-License-Identifier: Apache-2.0
"""Expressions."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution.atom_methods import PURE_METHODS, text_method
from ngtpatch.installer.execution.comparing import Cond, is_shown
from ngtpatch.installer.execution.container_methods import NamesOf
from ngtpatch.installer.execution.displays import Displays
from ngtpatch.installer.execution.either_python import by_python, divided
from ngtpatch.installer.execution.lifting import NONE, Unmodelled, unknown
from ngtpatch.installer.execution.objects import (
    Container,
    External,
    FunctionObject,
)
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, join
from ngtpatch.installer.execution.watching import span_of

__all__ = ["Evaluation"]

_MAX_DEPTH = 90

# What a template has of a dictionary: %(name)s.
_FIELD = re.compile(r"%\((\w+)\)")


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and (abs(right) > 512 or abs(left) > 2**64):
        raise Unmodelled
    return left**right


def _times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and not isinstance(other, int | float) and one * len(other) > 4096:
            raise Unmodelled
    return left * right


def _shift(left: Any, right: Any) -> Any:
    if right > 512:
        raise Unmodelled
    return left << right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes):
        if re.search(rb"[*]|\d{4}", _as_bytes(left)):
            raise Unmodelled
        parts = right.values() if isinstance(right, dict) else right
        for part in parts if isinstance(right, tuple | dict) else (right,):
            if isinstance(part, bytes) or ("%r" in str(left) and isinstance(part, str)):
                raise Unmodelled  # Python 2 and 3 show texts in two ways
            is_shown(part)
    return left % right


def _shown(value: Any) -> str:
    if not isinstance(value, str):
        is_shown(value)
    return repr(value)


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else text


_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: _modulo,
    ast.Pow: _power,
    ast.LShift: _shift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}


class Evaluation(Displays):
    """Gives the value of an expression on every guest that is here."""

    depth = 0

    def evaluate(self, node: ast.expr) -> Varied:
        """Return what *node* is; guests on which it raises are no longer here afterwards."""
        if not self.mask:
            return NOTHING
        self.spend()
        self.line = getattr(node, "lineno", self.line)
        self.depth += 1
        try:
            if self.depth > _MAX_DEPTH:
                self.note("dynamic")
                return unknown(tainted=True)
            found: Varied = getattr(self, f"_{type(node).__name__.lower()}", self._unmodelled)(node)
            if self.watch is not None and self.watch.asked:
                self._tell(node, found)
            return found
        finally:
            self.depth -= 1

    def _tell(self, node: ast.expr, value: Varied) -> None:
        if self.watch is not None:
            path = self.frames[-1].module.path or ""
            self.watch.tell(span_of(path, node), value, self.mask)

    def _unmodelled(self, node: ast.expr) -> Varied:
        self.note("dynamic")
        return unknown(tainted=True)

    # Atoms and names -----------------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> Varied:
        return Varied.of(node.value)

    def _name(self, node: ast.Name) -> Varied:
        return self.look_up(node.id)

    def look_up(self, name: str) -> Varied:
        """Return what a name means here. Raises NameError on the guests where it is unbound."""
        frame = self.frames[-1]
        store = frame.outside.get(name)
        places = [store] if store else [frame.local, *frame.closure, frame.module.store]
        if store is None and name in frame.own:
            places = [frame.local]
        groups: list[tuple[int, Plain]] = []
        missing = self.mask
        for place in places:
            bound = place.slots.get(name)
            if bound is None:
                continue
            here = bound.within(missing)
            groups += here.groups
            missing &= ~here.mask
            if not missing and len(groups) == len(here.groups):
                return here
            if not missing:
                break
        if missing and name in frame.own:
            self.throw_named("UnboundLocalError", missing, name)
            return self.gather(groups)
        if missing:
            if not self.of_python and self.is_python_s(name):
                self.perhaps()  # or there is none
            built_in = self.built_in(name).within(missing)
            groups += built_in.groups
            missing &= ~built_in.mask
        if missing and not groups and not self.is_python_s(name):
            # Nobody binds it: it comes from where this does not look, such as a star import.
            self.perhaps()
            return Varied.of(External(name))
        if missing:
            self.throw_named("NameError", missing, f"name {name!r} is not defined")
        return self.gather(groups)

    def built_in(self, name: str) -> Varied:
        """Return one of Python's own names."""
        raise NotImplementedError

    def is_python_s(self, name: str) -> bool:
        """Tell whether some Python has *name* by itself."""
        raise NotImplementedError

    def bind(self, name: str, value: Varied) -> None:
        """Assign to a name, where the function says that it is."""
        frame = self.frames[-1]
        self.write(frame.outside.get(name, frame.local), name, value)

    def _namedexpr(self, node: ast.NamedExpr) -> Varied:
        value = self.evaluate(node.value)
        frame = next(one for one in reversed(self.frames) if not one.is_inner)
        self.write(frame.outside.get(node.target.id, frame.local), node.target.id, value)
        return value

    def _joinedstr(self, node: ast.JoinedStr) -> Varied:
        parts = [
            self._formatted(one) if isinstance(one, ast.FormattedValue) else self.evaluate(one)
            for one in node.values
        ]
        return self.lift(lambda *texts: "".join(texts), *parts)

    def _formatted(self, node: ast.FormattedValue) -> Varied:
        value = self.as_text(self.evaluate(node.value))
        if node.format_spec is not None or node.conversion not in (-1, 115, 114):
            return unknown(tainted=self.depends(value))
        return self.lift(self.text_of if node.conversion != 114 else _shown, value)

    # Displays ------------------------------------------------------------------------------

    # Operators -----------------------------------------------------------------------------

    def _binop(self, node: ast.BinOp) -> Varied:
        spine: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            spine.append(first)
            first = first.left
        value = self.evaluate(first)
        for one in reversed(spine):
            value = self.operated(value, one.op, self.evaluate(one.right))
        return value

    def operated(self, left: Varied, kind: ast.operator, right: Varied) -> Varied:
        """Return what an operator makes of two values."""
        if self.watch is not None and isinstance(kind, ast.BitAnd | ast.Sub):
            self.watch.meet("meets", left, right, self.mask, self.spot)
        if isinstance(kind, ast.Mod):
            right = self.as_text(self._named_in(left, right))
        self.note_operated(left, right)
        if isinstance(kind, ast.Add | ast.Mult):
            self.refuse_views(left, right)
        if isinstance(kind, ast.Div) and not self.frames[-1].module.divides:
            return by_python(
                self, self.lift(divided, left, right), self.lift(operator.truediv, left, right)
            )
        return self.lift(_BINARY.get(type(kind), _none), left, right)

    def _named_in(self, left: Varied, right: Varied) -> Varied:
        """Return of ``locals()`` and its like the dictionary that a template asks for."""
        groups: list[tuple[int, Plain]] = []
        for mask, one in right.each(self.mask):
            texts = [text for _, text in left.each(mask)] if isinstance(one, NamesOf) else []
            if not isinstance(one, NamesOf) or not all(isinstance(text, str) for text in texts):
                groups.append((mask, one))
                continue
            names = sorted({name for text in texts for name in _FIELD.findall(str(text))})
            rows = self.combine([one.names.get(name) for name in names])
            for guests, values in rows or ():
                row = Container(dict, dict(zip(names, values, strict=True)))
                if guests & mask:
                    groups.append((guests & mask, row))
            if rows is None:
                groups.append((mask, one))
        return self.gather(groups)

    def _unaryop(self, node: ast.UnaryOp) -> Varied:
        if isinstance(node.op, ast.Not):
            return self._as_bool(self.condition(node))
        return self.lift(_UNARY[type(node.op)], self.evaluate(node.operand))

    def _boolop(self, node: ast.BoolOp) -> Varied:
        groups: list[tuple[int, Plain]] = []
        wanted_or = isinstance(node.op, ast.Or)

        def rest(index: int) -> None:
            value = self.evaluate(node.values[index])
            if index == len(node.values) - 1:
                groups.extend(value.within(self.mask).groups)
                return
            true, false, _ = self.truth(value)
            stays, goes = (true, false) if wanted_or else (false, true)
            if self.watch is not None:
                self.watch.leave_open(self.spot, stays & goes & self.mask)
            groups.extend(value.within(stays & self.mask).groups)
            if stays & goes:
                self.fork([(stays & ~goes, _nothing), (stays & goes, _nothing),
                           (goes, lambda: rest(index + 1))])  # fmt: skip
            else:
                before = self.mask
                self.mask = before & goes
                if self.mask:
                    rest(index + 1)
                self.mask |= before & ~goes

        if len(node.values) > 40:
            return self._as_bool(self.condition(node))
        rest(0)
        return self.gather(groups)

    def _compare(self, node: ast.Compare) -> Varied:
        return self._as_bool(self.condition(node))

    def condition(self, node: ast.expr) -> Cond:
        """Return the guests on which *node* is true, false, and in doubt; see truth()."""
        match node:
            case ast.UnaryOp(op=ast.Not()):
                true, false, doubt = self.condition(node.operand)
                found = false, true, doubt
            case ast.BoolOp():
                found = self._any_of(node.values, negated=isinstance(node.op, ast.And))
            case ast.Compare():
                found = self._comparison(node)
            case _:
                return self.truth(self.evaluate(node))
        if self.watch is not None and self.watch.asked:
            true, false, doubt = found
            rows = ((true & ~doubt, True), (false & ~doubt, False), (doubt, Unknown(tainted=True)))
            self._tell(node, join(rows))
        return found

    def _any_of(self, nodes: Sequence[ast.expr], *, negated: bool) -> Cond:
        """Evaluate operands as long as they decide nothing. ``and`` is this with both negated."""
        here = self.mask
        true = doubt = gone = 0
        still = here
        for node in nodes:
            if not still:
                break
            unsure = still & true
            outcome: list[Cond] = []

            def run(node: ast.expr = node, outcome: list[Cond] = outcome) -> None:
                outcome.append(self.condition(node))

            self.mask = here & ~gone
            before = self.mask
            if unsure:
                self.fork([(unsure, _nothing), (still, run), (before & ~still, _nothing)])
            else:
                self.fork([(still, run), (before & ~still, _nothing)])
            gone |= before & ~self.mask
            found_true, found_false, found_doubt = outcome[0] if outcome else (0, still, 0)
            if negated:
                found_true, found_false = found_false, found_true
            true |= found_true & still
            doubt |= found_doubt & still
            still &= found_false & ~gone
        self.mask = here & ~gone
        false = still
        doubt &= true & false
        return (false, true, doubt) if negated else (true, false, doubt)

    def _comparison(self, node: ast.Compare) -> Cond:
        left = self.evaluate(node.left)
        found: Cond | None = None
        for kind, one in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(one)
            true, false, doubt = self.truth(self.compared(left, kind, right))
            if found is not None:
                true, false, doubt = found[0] & true, found[1] | false, found[2] | doubt
            found = true, false, doubt & true & false
            left = right
        assert found is not None  # noqa: S101 - a comparison has an operator
        return found

    def _ifexp(self, node: ast.IfExp) -> Varied:
        true, false, doubt = self.condition(node.test)
        if self.watch is not None:
            self.watch.leave_open(self.spot, true & false & self.mask)
        if doubt & self.mask:
            self.note("condition", doubt & self.mask)
        groups: list[tuple[int, Plain]] = []

        def run(one: ast.expr) -> Callable[[], None]:
            return lambda: groups.extend(self.evaluate(one).within(self.mask).groups)

        self.fork([(true, self.split(run(node.body), true, false)),
                   (false, self.split(run(node.orelse), true, false))])  # fmt: skip
        return self.gather(groups)

    def split(self, run: Callable[[], None], true: int, false: int) -> Callable[[], None]:
        """Return *run* with the line that is executed as the one that decided about it."""
        if not (true & self.mask and false & self.mask):
            return run
        place = self.place
        apart = bool((true ^ false) & self.mask)

        def decided() -> None:
            self.splits.append(place)
            self.divided += apart
            try:
                run()
            finally:
                self.splits.pop()
                self.divided -= apart

        return decided

    # Calls, items, attributes --------------------------------------------------------------

    def _attribute(self, node: ast.Attribute) -> Varied:
        return self.attribute(self.evaluate(node.value), node.attr)

    def _subscript(self, node: ast.Subscript) -> Varied:
        owner = self.evaluate(node.value)
        if isinstance(node.slice, ast.Slice):
            self.refuse_views(owner)
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            bounds = [self.evaluate(part) if part else NONE for part in parts]
            return self.lift(lambda one, *at: one[slice(*at)], owner, *bounds)
        return self.item(owner, self.evaluate(node.slice))

    def _call(self, node: ast.Call) -> Varied:
        match node:
            case ast.Call(func=ast.Attribute(value=one, attr=name), keywords=[]) if (
                name in PURE_METHODS
            ):
                owner = self.evaluate(one)
                plain = all(type(one) is str for _, one in owner.each(self.mask))
                if plain and not any(isinstance(one, ast.Starred) for one in node.args):
                    args = tuple([self.evaluate(one) for one in node.args])
                    self.line = node.lineno
                    found = text_method(self, owner, name, args)
                    return (
                        self.call(self.attribute(owner, name), args, {}) if found is None else found
                    )
                return self._called(node, self.attribute(owner, name))
        return self._called(node, self.evaluate(node.func))

    def _called(self, node: ast.Call, function: Varied) -> Varied:
        positional: list[Varied] = []
        exact = True
        for argument in node.args:
            value = self.evaluate(argument.value if isinstance(argument, ast.Starred) else argument)
            if isinstance(argument, ast.Starred):
                spread = [(m, one) for m, one in self.elements(value) if m & self.mask]
                known = [(m, one) for m, one in spread if not isinstance(one, Unknown)]
                if len(known) == len(spread) and len({len(one) for _, one in known}) == 1:
                    positional += [
                        self.gather((m, one[at]) for m, one in known)
                        for at in range(len(known[0][1]))
                    ]
                else:
                    exact = False
                    positional.append(unknown(tainted=self.depends(value)))
            else:
                positional.append(value)
        named: dict[str, Varied] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                named[keyword.arg] = value
            else:
                exact = exact and self._spread(value, named)
        self.line = node.lineno
        if not exact:
            return self.call_unknown(function, (*positional, *named.values()))
        return self.call(function, tuple(positional), named)

    def _spread(self, value: Varied, named: dict[str, Varied]) -> bool:
        rows: list[tuple[int, Mapping[Plain, Plain]]] = []
        for mask, one in value.each(self.mask):
            if isinstance(one, NamesOf):
                held = {name: found.within(self.mask) for name, found in one.names.slots.items()}
                if any(found.mask != self.mask for found in held.values()):
                    return False
                named.update(held)
                return True
            if not isinstance(one, Container) or one.kind is not dict:
                return False
            for guests, items in one.store.get("items").each(mask):
                if not isinstance(items, dict):
                    return False
                rows.append((guests, items))
        if len({tuple(items) for _, items in rows}) != 1:
            return False
        for key in rows[0][1]:
            named[str(key)] = self.gather((mask, items[key]) for mask, items in rows)
        return True

    def call(
        self, function: Varied, args: tuple[Varied, ...], named: Mapping[str, Varied]
    ) -> Varied:
        """Call *function*."""
        raise NotImplementedError

    def call_unknown(self, function: Varied, args: Sequence[Varied]) -> Varied:
        """Call something with arguments that are not known one by one."""
        raise NotImplementedError

    def _yield(self, node: ast.Yield) -> Varied:
        value = self.evaluate(node.value) if node.value is not None else NONE
        self.append(self.frames[-1].yields, value)
        return NONE

    def _yieldfrom(self, node: ast.YieldFrom) -> Varied:
        rows = self.frames[-1].yields
        for mask, items in list(self.elements(self.evaluate(node.value))):
            if isinstance(items, Unknown):
                self.write(rows.store, "items", Varied.of(items), mask)
                continue
            for one in items:
                self._yield_each(rows, one, mask)
        return NONE

    def _yield_each(self, rows: Container, one: Plain, mask: int) -> None:
        def run() -> Varied:
            self.append(rows, Varied.of(one))
            return NONE

        self.under(mask, run)

    # Functions and comprehensions ----------------------------------------------------------

    def _lambda(self, node: ast.Lambda) -> Varied:
        return Varied.of(self.function_of(node, "<lambda>"))

    def function_of(self, node: ast.FunctionDef | ast.Lambda, name: str) -> FunctionObject:
        """Return a function with its defaults and the names that it can see."""
        frame = self.frames[-1]
        frame.local.captured = True
        visible = () if frame.local is frame.module.store or frame.is_class else (frame.local,)
        return FunctionObject(
            node=node,
            module=frame.module,
            name=name if not frame.function else f"{frame.function}.{name}",
            closure=(*visible, *frame.closure),
            defaults=tuple(self.evaluate(one) for one in node.args.defaults),
            keyword_defaults=tuple(
                None if one is None else self.evaluate(one) for one in node.args.kw_defaults
            ),
            owner=frame.owner,
        )

    def iterate(
        self,
        value: Varied,
        target: ast.expr,
        body: Callable[[], None],
        *,
        unsure: list[bool] | None = None,
    ) -> None:
        """Execute *body* for each element of *value*."""
        raise NotImplementedError


def _nothing() -> None:
    """Go on."""


def _none(left: Any, right: Any) -> Any:
    raise Unmodelled
