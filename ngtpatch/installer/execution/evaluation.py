# SPDX-License-Identifier: Apache-2.0
"""Expressions."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution.attributes import Attributes
from ngtpatch.installer.execution.lifting import NONE, Unmodelled, unknown
from ngtpatch.installer.execution.objects import Container, External, FunctionObject, NameStore
from ngtpatch.installer.execution.state import Frame
from ngtpatch.installer.execution.varied import NOTHING, Plain, Unknown, Varied, identity_of

__all__ = ["Evaluation"]

_MAX_DEPTH = 90

#: What only a distribution is called: who compares a value of unknown origin with it decides
#: by distribution.
DISTRIBUTION = re.compile(
    r"centos|red ?hat|rhel|oracle linux|ubuntu|suse|sles|debian|fedora|rocky|alma ?linux", re.I
)

_Cond = tuple[int, int, int]


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
    if isinstance(left, str | bytes) and re.search(rb"[*]|\d{4}", _as_bytes(left)):
        raise Unmodelled
    return left % right


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
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}


class Evaluation(Attributes):
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
            return found
        finally:
            self.depth -= 1

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
            here = place.get(name).within(missing)
            groups += here.groups
            missing &= ~here.mask
            if not missing:
                break
        if missing and name in frame.own:
            self.throw_named("UnboundLocalError", missing, name)
            return self.gather(groups)
        if missing:
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
        self.bind(node.target.id, value)
        return value

    def _joinedstr(self, node: ast.JoinedStr) -> Varied:
        parts = [
            self._formatted(one) if isinstance(one, ast.FormattedValue) else self.evaluate(one)
            for one in node.values
        ]
        return self.lift(lambda *texts: "".join(texts), *parts)

    def _formatted(self, node: ast.FormattedValue) -> Varied:
        value = self.evaluate(node.value)
        if node.format_spec is not None or node.conversion not in (-1, 115, 114):
            return unknown(tainted=self.depends(value))
        return self.lift(self.text_of if node.conversion != 114 else repr, value)

    @staticmethod
    def text_of(value: Any) -> str:
        """Return str() of one of Python's own objects."""
        if not isinstance(value, str | int | float | tuple | list | type(None)):
            raise Unmodelled
        return str(value)

    # Displays ------------------------------------------------------------------------------

    def _tuple(self, node: ast.Tuple) -> Varied:
        return self.display(tuple, node.elts)

    def _list(self, node: ast.List) -> Varied:
        return self.display(list, node.elts)

    def _set(self, node: ast.Set) -> Varied:
        return self.display(set, node.elts)

    def display(self, kind: type, nodes: Sequence[ast.expr]) -> Varied:
        """Return the tuple, list or set of these expressions."""
        rows: list[tuple[int, list[Plain]]] = [(self.mask, [])]
        for node in nodes:
            starred = isinstance(node, ast.Starred)
            value = self.evaluate(node.value if isinstance(node, ast.Starred) else node)
            parts = list(self.elements(value)) if starred else list(value.each(self.mask))
            if any(starred and isinstance(part, Unknown) for _, part in parts):
                return unknown(tainted=self.depends(value))
            rows = _appended(rows, parts, starred=starred)
            self.spend(len(rows))
        return self.gather((mask, self.made(kind, row)) for mask, row in rows)

    def made(self, kind: type, items: Sequence[Plain]) -> Plain:
        """Return a new container, or a tuple."""
        if kind is tuple:
            return tuple(items)
        if kind is list:
            return Container(list, tuple(items))
        if any(isinstance(one, Unknown | Container) for one in items):
            return Unknown(tainted=True)
        return Container(set, frozenset(items))

    def _dict(self, node: ast.Dict) -> Varied:
        rows: list[tuple[int, list[Plain]]] = [(self.mask, [])]
        for key, one in zip(node.keys, node.values, strict=True):
            value = self.evaluate(one)
            if key is None:
                return unknown(tainted=self.depends(value))
            rows = _appended(rows, list(self.evaluate(key).each(self.mask)), starred=False)
            rows = _appended(rows, list(value.each(self.mask)), starred=False)
            self.spend(len(rows))
        return self.gather((mask, self._dictionary(row)) for mask, row in rows)

    def _dictionary(self, row: Sequence[Plain]) -> Plain:
        try:
            return Container(dict, dict(zip(row[::2], row[1::2], strict=True)))
        except TypeError:
            return Unknown(tainted=True)

    # Operators -----------------------------------------------------------------------------

    def _binop(self, node: ast.BinOp) -> Varied:
        spine: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            spine.append(first)
            first = first.left
        value = self.evaluate(first)
        for one in reversed(spine):
            right = self.evaluate(one.right)
            if self.watch is not None and isinstance(one.op, ast.BitAnd | ast.Sub):
                self.watch.meet("meets", value, right, self.mask, self.spot)
            value = self.lift(_BINARY.get(type(one.op), _none), value, right)
        return value

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

    def _as_bool(self, found: _Cond) -> Varied:
        true, false, doubt = found
        both = true & false
        groups: list[tuple[int, Plain]] = [(true & ~both, True), (false & ~both, False)]
        groups += [(both & doubt, Unknown(tainted=True)), (both & ~doubt, Unknown(tainted=False))]
        return Varied(tuple(group for group in groups if group[0] & self.mask))

    def condition(self, node: ast.expr) -> _Cond:
        """Return the guests on which *node* is true, false, and in doubt; see truth()."""
        match node:
            case ast.UnaryOp(op=ast.Not()):
                true, false, doubt = self.condition(node.operand)
                return false, true, doubt
            case ast.BoolOp():
                return self._any_of(node.values, negated=isinstance(node.op, ast.And))
            case ast.Compare():
                return self._comparison(node)
        return self.truth(self.evaluate(node))

    def _any_of(self, nodes: Sequence[ast.expr], *, negated: bool) -> _Cond:
        """Evaluate operands as long as they decide nothing. ``and`` is this with both negated."""
        here = self.mask
        true = doubt = gone = 0
        still = here
        for node in nodes:
            if not still:
                break
            unsure = still & true
            outcome: list[_Cond] = []

            def run(node: ast.expr = node, outcome: list[_Cond] = outcome) -> None:
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

    def _comparison(self, node: ast.Compare) -> _Cond:
        left = self.evaluate(node.left)
        found: _Cond | None = None
        for kind, one in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(one)
            true, false, doubt = self.truth(self.compared(left, kind, right))
            if found is not None:
                true, false, doubt = found[0] & true, found[1] | false, found[2] | doubt
            found = true, false, doubt & true & false
            left = right
        assert found is not None  # noqa: S101 - a comparison has an operator
        return found

    def compared(self, left: Varied, kind: ast.cmpop, right: Varied) -> Varied:
        """Return the comparison of two values."""
        if self.watch is not None and type(kind) in _MEETING:
            self.watch.meet(_MEETING[type(kind)], left, right, self.mask, self.spot)
        if isinstance(kind, ast.Is | ast.IsNot):
            return self._identity(left, right, negated=isinstance(kind, ast.IsNot))
        if isinstance(kind, ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            special = self._compared_in_part(left, kind, right)
            if special is not None:
                return special
        result = self.lift(_COMPARE[type(kind)], left, right)
        if self._names_a_distribution(left, right) or self._names_a_distribution(right, left):
            result = self.gather(
                (mask, Unknown(tainted=True) if isinstance(value, Unknown) else value)
                for mask, value in result.groups
            )
        return result

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
            return None if keys is None else self.lift(_COMPARE[type(kind)], left, keys)
        if any(type(value).__name__ == "InstanceObject" for value in plains):
            if any(self.defines(value, "__eq__") for value in plains):
                return unknown(tainted=self.depends(left, right))
            return self._identity(left, right, negated=isinstance(kind, ast.NotEq))
        return None

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

        def decided() -> None:
            self.splits.append(place)
            try:
                run()
            finally:
                self.splits.pop()

        return decided

    # Calls, items, attributes --------------------------------------------------------------

    def _attribute(self, node: ast.Attribute) -> Varied:
        return self.attribute(self.evaluate(node.value), node.attr)

    def _subscript(self, node: ast.Subscript) -> Varied:
        owner = self.evaluate(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            bounds = [self.evaluate(part) if part else NONE for part in parts]
            return self.lift(lambda one, *at: one[slice(*at)], owner, *bounds)
        return self.item(owner, self.evaluate(node.slice))

    def _call(self, node: ast.Call) -> Varied:
        function = self.evaluate(node.func)
        positional: list[Varied] = []
        exact = True
        for argument in node.args:
            value = self.evaluate(argument.value if isinstance(argument, ast.Starred) else argument)
            if isinstance(argument, ast.Starred):
                spread = list(self.elements(value))
                if len(spread) == 1 and not isinstance(spread[0][1], Unknown):
                    positional += [Varied.of(one) for one in spread[0][1]]
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
        groups = list(value.each(self.mask))
        if len(groups) != 1 or not isinstance(groups[0][1], Container):
            return False
        items = list(groups[0][1].store.get("items").each(self.mask))
        if len(items) != 1 or not isinstance(items[0][1], dict):
            return False
        named.update({str(key): Varied.of(one) for key, one in items[0][1].items()})
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
        is_class = frame.owner is not None
        visible = () if frame.local is frame.module.store or is_class else (frame.local,)
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

    def _generatorexp(self, node: ast.GeneratorExp) -> Varied:
        return self._comprehended(node.generators, lambda: self.evaluate(node.elt), list)

    def _listcomp(self, node: ast.ListComp) -> Varied:
        return self._comprehended(node.generators, lambda: self.evaluate(node.elt), list)

    def _setcomp(self, node: ast.SetComp) -> Varied:
        return self._comprehended(node.generators, lambda: self.evaluate(node.elt), set)

    def _dictcomp(self, node: ast.DictComp) -> Varied:
        pair = ast.Tuple(elts=[node.key, node.value], ctx=ast.Load())
        ast.copy_location(pair, node)
        return self._comprehended(node.generators, lambda: self.evaluate(pair), dict)

    def _comprehended(
        self, generators: Sequence[ast.comprehension], element: Callable[[], Varied], kind: type
    ) -> Varied:
        frame = self.frames[-1]
        inner = Frame(
            frame.module, frame.function, NameStore(),
            closure=(frame.local, *frame.closure) if frame.local is not frame.module.store
            else frame.closure,
        )  # fmt: skip
        rows = Container(list, ())
        unsure, tainted = [False], [False]

        def each(index: int) -> None:
            if index == len(generators):
                self.append(rows, element())
                return
            loop = generators[index]
            self.iterate(
                self.evaluate(loop.iter), loop.target, lambda: filtered(index), unsure=unsure
            )

        def filtered(index: int) -> None:
            skipped = 0
            for test in generators[index].ifs:
                true, false, doubt = self.condition(test)
                if true & false:
                    unsure[0] = True
                    tainted[0] = tainted[0] or bool(doubt)
                skipped |= self.mask & ~true
                self.mask &= true
            if self.mask:
                each(index + 1)
            self.mask |= skipped

        self.frames.append(inner)
        try:
            each(0)
        finally:
            self.frames.pop()
        if unsure[0]:
            return unknown(tainted=tainted[0] or self.depends(Varied.of(rows)))
        return self.converted(rows, kind)

    def converted(self, rows: Container, kind: type) -> Varied:
        """Return the list *rows* as a container of another kind."""
        if kind is list:
            return Varied.of(rows)
        groups = []
        for mask, items in rows.store.get("items").each(self.mask):
            if isinstance(items, Unknown):
                groups.append((mask, items))
            elif kind is set:
                groups.append((mask, self.made(set, items)))
            else:
                groups.append((mask, self._dictionary([one for pair in items for one in pair])))
        return self.gather(groups)

    def append(self, rows: Container, value: Varied) -> None:
        """Add *value* at the end of a list, on the guests that are here."""
        groups = []
        for mask, items in rows.store.get("items").each(self.mask):
            for guests, one in value.each(mask):
                known = not isinstance(items, Unknown)
                self.spend(1 + (len(items) >> 4 if known else 0))
                groups.append((guests, (*items, one) if known else items))
        self.write(rows.store, "items", self.gather(groups))

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


def _appended(
    rows: list[tuple[int, list[Plain]]], parts: Sequence[tuple[int, Plain]], *, starred: bool
) -> list[tuple[int, list[Plain]]]:
    if len(parts) == 1 and all(mask & ~parts[0][0] == 0 for mask, _ in rows):
        for _, row in rows:
            row.extend(parts[0][1] if starred else [parts[0][1]])
        return rows
    return [
        (mask & guests, [*row, *(one if starred else [one])])
        for mask, row in rows
        for guests, one in parts
        if mask & guests
    ]


def _says_distribution(value: Plain) -> bool:
    if isinstance(value, Container):
        value = tuple(
            one for _, items in value.store.get("items").groups
            if not isinstance(items, Unknown) for one in items
        )  # fmt: skip
    if isinstance(value, tuple):
        return any(isinstance(one, str) and _says_distribution(one) for one in value)
    return isinstance(value, str) and DISTRIBUTION.search(value) is not None
