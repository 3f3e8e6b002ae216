# SPDX-License-Identifier: Apache-2.0
"""What one more element in a row does where the row is used: nothing, or who knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ngtpatch.installer.scopes import Function, only_logs

__all__ = ["Alias", "UseJudge"]

_Kind = Literal["place", "number", "unclear"]
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = ast.Module | ast.ClassDef | _Function

# What gives the same elements again; without their order; and what asks for one by its value.
_SAME = frozenset({"tuple", "list", "iter", "map", "dict", "fromkeys", "chain", "from_iterable"})
_LOOSE = frozenset({"set", "frozenset", "sorted", "reversed", "filter"})
_ASKED = frozenset({"any", "all", "startswith", "endswith", "__contains__", "isinstance"})
_ASKING = frozenset({
    "count", "__contains__", "get", "has_key", "__getitem__", "append", "extend", "add", "update",
    "issuperset", "intersection", "isdisjoint", "search", "match", "fullmatch",
})  # fmt: skip
# What tells a row as it is, or how many elements it has.
_SHOWING = frozenset({
    "str", "repr", "unicode", "format", "join", "sorted", "list", "tuple", "set", "len",
    "encode", "decode", "lower", "upper", "title", "capitalize", "strip",
})  # fmt: skip
_ITSELF = frozenset({"self", "cls"})
_VIEWS = frozenset({"keys", "values", "items", "iteritems", "union", "copy"})


@dataclass(frozen=True)
class Alias:
    """Another name that stands for the row, or for a display that it is *depth* deep in.

    Attributes:
        name: what it is called.
        scope: the module, class or function that it is defined in.
        depth: how many displays there are around the row.
        ordered: whether its elements have the places that they have in the source.
        called: whether it is a function that gives it.
    """

    name: str
    scope: _Scope
    depth: int
    ordered: bool
    called: bool = False


class UseJudge:
    """Judges the uses in one file.

    Args:
        parents: what each node of the file stands in.
        count: how many elements the row has as shipped.
    """

    def __init__(self, parents: Mapping[ast.AST, ast.AST], count: int) -> None:
        self._parents, self._count = parents, count

    def line(self, node: ast.AST) -> int:
        """Return the line of the statement."""
        return getattr(self._statement(node), "lineno", 1)

    def is_tested(self, node: ast.AST) -> bool:
        """Tell whether *node* stands in the test of its statement."""
        statement = self._statement(node)
        test = getattr(statement, "test", None)
        return test is not None and any(one is node for one in ast.walk(test))

    def judged(  # noqa: PLR0911, PLR0912, PLR0915 - one a kind of use
        self, node: ast.AST, depth: int, ordered: bool
    ) -> Iterator[_Kind | Alias]:
        """Yield what a use is, and other names for the row; nothing where it is harmless."""
        while True:
            parent = self._parents[node]
            if depth and not isinstance(parent, ast.Assign | ast.AnnAssign | ast.stmt):
                deeper = self._deeper(parent, node)
                if deeper is None:
                    if not isinstance(parent, ast.Compare):
                        yield "unclear"
                    return
                node, step = deeper
                depth += step
                continue
            match parent:
                case ast.Assign(targets=targets) | ast.AnnAssign(target=ast.Name() as targets):
                    yield from self._assigned(parent, targets, depth, ordered)
                    return
                case ast.Compare(ops=ops) if all(isinstance(o, ast.In | ast.NotIn) for o in ops):
                    if parent.left is node:
                        yield "unclear"
                    return
                case ast.Subscript(value=value) if value is node:
                    yield from self._indexed(parent, ordered)
                    return
                case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
                    node, depth = parent, depth + 1
                    continue
                case ast.BinOp(op=ast.Add() | ast.BitOr() | ast.BitAnd() | ast.Sub()):
                    node, ordered = parent, False
                    continue
                case ast.BoolOp() | ast.IfExp():
                    if isinstance(parent, ast.IfExp) and parent.test is node:
                        return
                    node = parent
                    continue
                case ast.Attribute(attr=attr):
                    call = self._parents[parent]
                    if not isinstance(call, ast.Call) or call.func is not parent:
                        yield "unclear"
                    elif attr in _VIEWS:
                        node = call
                        continue
                    elif attr == "index":
                        # Of a name that is new the place is another than that of its kin.
                        if not isinstance(self._parents[call], ast.Expr):
                            yield "place" if ordered and _is_of_text(call) else "number"
                    elif attr not in _ASKING:
                        yield "unclear"
                    return
                case ast.Call(func=func) if any(node is one for one in parent.args):
                    name = getattr(func, "attr", getattr(func, "id", ""))
                    if name in _ASKED:
                        return
                    if name in _SAME | _LOOSE and not (name == "map" and len(parent.args) > 2):
                        node, ordered = parent, ordered and name in _SAME
                        continue
                    if name == "zip":
                        yield "place" if ordered and self._is_bounded(parent) else "number"
                    elif not self._is_shown(node):
                        yield "number" if name in ("len", "enumerate") else "unclear"
                    return
                case ast.comprehension():
                    made = self._parents[parent]
                    if len(getattr(made, "generators", ())) != 1 or parent.iter is not node:
                        # Which elements there are is asked for, by their values.
                        if not self._is_asked(made):
                            yield "unclear"
                        return
                    node, ordered = made, ordered and not parent.ifs
                    continue
                case ast.For(iter=iterated) if iterated is node:
                    if not depth and _weighs(parent):
                        yield "number"
                    elif depth or not _only_asks(parent) or not (ordered or _is_any(parent)):
                        yield "unclear"
                    return
                case ast.Return() if (given := self._function(parent)) is not None:
                    yield self._given_by(given, depth, ordered)
                    return
                case ast.arguments() if (taken := self._parameter(parent, node)) is not None:
                    yield Alias(*taken, depth, ordered)
                    return
                case ast.Starred():
                    yield "number"
                    return
                case ast.BinOp():
                    yield "number"
                    return
                case ast.If() | ast.While() | ast.Expr() | ast.UnaryOp() | ast.Assert():
                    return
            if not self._is_shown(node):
                yield "unclear"
            return

    def _is_shown(self, node: ast.AST) -> bool:
        """Tell whether *node* is told somebody as it is: not what is counted or picked by it."""
        if not only_logs([self._statement(node)]):
            return False
        while not isinstance(node, ast.stmt):
            match node:
                case ast.Call(func=func):
                    name = getattr(func, "attr", getattr(func, "id", ""))
                    if name not in _SHOWING and not only_logs([ast.Expr(node)]):
                        return False
                case ast.BinOp(left=left, op=ast.Mod()):
                    if not (_is_text(left) or isinstance(left, ast.JoinedStr)):
                        return False
                case ast.BinOp(op=ast.Add()):
                    pass
                case ast.BinOp() | ast.Subscript() | ast.Compare() | ast.UnaryOp():
                    return False
            node = self._parents[node]
        return True

    def added(self, statement: ast.stmt) -> Iterator[Alias]:
        """Yield names, of functions, for that to which a statement adds one element."""
        match statement:
            case ast.Expr(value=ast.Yield()):
                function = self._function(statement)
                if function is not None:
                    yield self._given_by(function, 0, ordered=True)
            case (
                ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name))))
                | ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))])
            ) if isinstance(scope := self._scope(statement), Function):
                yield Alias(name, scope, 0, ordered=False)

    def _deeper(self, parent: ast.AST, node: ast.AST) -> tuple[ast.AST, int] | None:
        """Return what a use of a display around the row goes on as, and how the depth changes."""
        match parent:
            case ast.Subscript(value=value) if value is node:
                return parent, -1
            case ast.Attribute(attr="get"):
                return self._parents[parent], -1
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
                return parent, 1
        return None

    def _assigned(
        self, statement: ast.Assign | ast.AnnAssign, targets: object, depth: int, ordered: bool
    ) -> Iterator[_Kind | Alias]:
        for target in targets if isinstance(targets, list) else [targets]:
            if isinstance(target, ast.Name):
                if target.id != "__all__":
                    yield Alias(target.id, self._scope(statement), depth, ordered)
            elif isinstance(target, ast.Tuple | ast.List) and not depth:
                yield "number"
            elif isinstance(target, ast.Attribute) and (owner := self._owner(target)) is not None:
                yield Alias(target.attr, owner, depth, ordered)
            else:
                yield "unclear"

    def _indexed(self, use: ast.Subscript, ordered: bool) -> Iterator[_Kind]:
        index = use.slice
        if isinstance(index, ast.Slice):
            counted = index.step is None and _is_count(index.upper)
            counted = counted and (index.lower is None or _is_count(index.lower))
        else:
            counted = _is_count(index)
            if isinstance(index, ast.Name | ast.Call | ast.Attribute) or _is_text(index):
                yield "unclear"  # a key, or one that is known where it is executed
                return
        yield "place" if counted and ordered else "number"

    def _is_bounded(self, call: ast.Call) -> bool:
        """Tell whether zip() stops at another row, which is not longer."""
        return not call.keywords and any(
            isinstance(one, ast.Tuple | ast.List)
            and len(one.elts) <= self._count
            and not any(isinstance(part, ast.Starred) for part in one.elts)
            for one in call.args
        )

    def _is_asked(self, made: ast.AST) -> bool:
        call = self._parents.get(made)
        return isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("any", "all")

    def _statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self._parents[node]
        return node

    def _scope(self, node: ast.AST) -> _Scope:
        while not isinstance(node, ast.Module | ast.ClassDef | Function):
            node = self._parents[node]
        return node

    def _scope_around(self, node: ast.AST) -> _Scope:
        return self._scope(self._parents[node])

    def _given_by(self, function: _Function, depth: int, ordered: bool) -> Alias:
        named = {getattr(one, "attr", getattr(one, "id", "")) for one in function.decorator_list}
        called = not named & {"property", "cached_property"}
        return Alias(function.name, self._scope_around(function), depth, ordered, called)

    def _function(self, node: ast.AST) -> _Function | None:
        """Return the function that *node* returns from."""
        scope = self._scope(node)
        return scope if isinstance(scope, Function) else None

    def _owner(self, target: ast.Attribute) -> ast.ClassDef | None:
        """Return the class of whose objects *target* is an attribute, where a method sets it."""
        method = self._scope(target)
        if not isinstance(method, Function) or getattr(target.value, "id", "") not in _ITSELF:
            return None
        around = self._scope_around(method)
        return around if isinstance(around, ast.ClassDef) else None

    def _parameter(self, every: ast.arguments, default: ast.AST) -> tuple[str, _Scope] | None:
        """Return the parameter with this default, and its function."""
        function = self._parents[every]
        if not isinstance(function, Function):
            return None
        places = [*every.posonlyargs, *every.args]
        pairs = [
            *zip(places[len(places) - len(every.defaults) :], every.defaults, strict=True),
            *zip(every.kwonlyargs, every.kw_defaults, strict=True),
        ]
        return next((one.arg, function) for one, value in pairs if value is default)


def _is_count(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value >= 0


def _is_of_text(call: ast.Call) -> bool:
    return bool(call.args) and _is_text(call.args[0])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _only_asks(loop: ast.For) -> bool:
    """Tell whether a loop does nothing but leave, or note a constant, at an element it asks for."""
    for one in loop.body:
        if not isinstance(one, ast.If) or one.orelse or not _is_constant_work(one.body):
            return False
    return True


def _is_any(loop: ast.For) -> bool:
    """Tell whether a loop does the same whichever element it asks for."""
    own = {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
    done = [each for one in loop.body if isinstance(one, ast.If) for each in one.body]
    return not any(
        isinstance(one, ast.Name) and one.id in own for each in done for one in ast.walk(each)
    )


def _weighs(loop: ast.For) -> bool:
    """Tell whether a loop makes a number of which each round makes another one.

    What adds up who was found comes to the same in whatever order, and with one more.
    """
    rounds = [one for one in loop.body if isinstance(one, ast.AugAssign)]
    if any(isinstance(one.value, ast.Constant) and one.value.value != "" for one in rounds):
        return True
    for one in ast.walk(loop):
        match one:
            case ast.AugAssign(op=op) if not isinstance(op, ast.Add | ast.BitOr):
                return True
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                parts = list(ast.walk(value))
                own = any(isinstance(part, ast.Name) and part.id == name for part in parts)
                if own and any(_is_weight(part) for part in parts):
                    return True
    return False


def _is_weight(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and not isinstance(
        node.op, ast.Add | ast.BitOr | ast.BitAnd | ast.Mod
    )


def _is_constant_work(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(one, ast.Return | ast.Break | ast.Pass | ast.Continue | ast.Raise | ast.Import
                   | ast.ImportFrom)
        or (isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant))
        or only_logs([one])
        for one in body
    )  # fmt: skip
