# SPDX-License-Identifier: Apache-2.0
"""Where else a constant is used that gets one more element, in every Python file of a tree.

By name: what an installation comes to is executed, and what a tool beside it does with the same
constant is not. A membership test is harmless; an index is, if the element comes last; what the
number of elements decides, and what is not understood, is told.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.module_values import NameOf
from ngtpatch.installer.execution.syntax_age import oldest_python
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.way import is_python
from ngtpatch.installer.python_source import PythonSource, parse
from ngtpatch.installer.scopes import Function
from ngtpatch.patching.places import Extension, parents_of
from ngtpatch.patching.use_judgement import Alias, UseJudge

__all__ = ["ConstantUse", "UnseenUses", "uses_of"]

#: Places that may be a part of a constant, which others may use.
_OF_CONSTANTS = frozenset({"entry", "row", "key", "word"})
_Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class ConstantUse:
    """A use that one more element may change.

    Attributes:
        path: the file.
        line: of the statement.
        kind: ``place``: the place of its elements matters; ``number``: their number;
            ``unclear``: not understood.
        tested: whether it stands in the test of that statement.
    """

    path: str
    line: int
    kind: Literal["place", "number", "unclear"]
    tested: bool


@dataclass(frozen=True)
class _Constant:
    """A name that stands for the row: in a module, a class or a function.

    Or a function that gives it, where it is *called*.
    """

    path: str
    name: str
    scope: _Scope
    depth: int
    ordered: bool
    called: bool = False


def uses_of(
    tree: Mapping[str, bytes],
    source: PythonSource,
    row: ast.AST,
    changed: Mapping[NameOf, bool] = MappingProxyType({}),
) -> tuple[ConstantUse, ...]:
    """Return the uses of the constant that *row* in *source* is, or is part of.

    Args:
        tree: the files.
        source: one of them.
        row: a display, a text or a statement.
        changed: names that hold something else once there is one more element, and whether what
            they held before has the same places in it.
    """
    return tuple(dict.fromkeys(_Uses(tree, source).find(row, changed)))


class UnseenUses:
    """The uses of constants that were not compared when each change was executed.

    Args:
        tree: the files.
        watch: what was compared and reached in them, as shipped.
    """

    def __init__(self, tree: Mapping[str, bytes], watch: Watch) -> None:
        self._tree, self._watch = tree, watch
        self._found: dict[ast.AST, Sequence[ConstantUse]] = {}

    def of(self, source: PythonSource, row: ast.AST) -> Sequence[ConstantUse]:
        """Return the uses of a row that one more element may change, and that nobody has seen."""
        if row not in self._found:
            every = uses_of(self._tree, source, row)
            self._found[row] = [use for use in every if not self._is_seen(use)]
        return self._found[row]

    def beside(
        self, place: Extension, changed: Mapping[NameOf, bool] | None = None
    ) -> Sequence[ConstantUse]:
        """Return those that what is inserted at *place* may change.

        Args:
            place: what is extended.
            changed: names that hold something else then, as :func:`uses_of` takes them; without
                it only rows are asked for.
        """
        if place.shape not in _OF_CONSTANTS and changed is None:
            return ()
        # What asks for an element by its place finds the same one, if the new one is last.
        last = place.shape in _OF_CONSTANTS - {"word"} and _is_last(place.source, place)
        return [
            use
            for use in uses_of(self._tree, place.source, place.row, changed or {})
            if not (self._is_seen(use) or (last and use.kind == "place"))
        ]

    def _is_seen(self, use: ConstantUse) -> bool:
        reached = (use.path, use.line) in self._watch.reached
        return reached and (use.tested or use.kind == "unclear")


def _is_last(source: PythonSource, place: Extension) -> bool:
    """Tell whether what is inserted stands behind all elements of its row."""
    elements: Sequence[ast.expr] = getattr(place.row, "elts", getattr(place.row, "values", ()))
    ends = (source.offset(one.end_lineno or 0, one.end_col_offset or 0) for one in elements)
    last = max(ends, default=0)
    return all(one.offset >= last for one in place.insertions)


class _Uses:
    def __init__(self, tree: Mapping[str, bytes], source: PythonSource) -> None:
        self._tree = tree
        self._sources: dict[str, PythonSource | None] = {source.path: source}
        self._source = source

    def find(self, row: ast.AST, changed: Mapping[NameOf, bool]) -> Iterator[ConstantUse]:
        count = len(getattr(row, "elts", getattr(row, "keys", ())))
        judge = UseJudge(parents_of(self._source.tree), count)
        waiting: list[_Constant] = []
        if isinstance(row, ast.stmt):
            waiting += [_constant(self._source.path, one) for one in judge.added(row)]
        elif isinstance(row, ast.expr):
            ordered = not isinstance(row, ast.Set | ast.Dict)
            ordered = ordered or (isinstance(row, ast.Dict) and _has_orders(self._source))
            yield from self._followed(judge, self._source, row, (0, ordered), waiting)
        seen: set[_Constant] = set()
        yield from self._everywhere(waiting, count, seen)
        names = {(one.path, getattr(one.scope, "name", ""), one.name) for one in seen}
        for keeps_places in (True, False):
            for name in sorted(one for one in changed if changed[one] is keeps_places):
                scope = self._scope(name)
                if scope is not None and (name.path, name.owner, name.name) not in names:
                    waiting.append(_Constant(name.path, name.name, scope, 0, keeps_places))
            for use in self._everywhere(waiting, 0, seen):
                if not (keeps_places and use.kind == "place"):
                    yield use

    def _scope(self, name: NameOf) -> _Scope | None:
        source = self._read(name.path)
        if source is None or not name.owner:
            return None if source is None else source.tree
        return next(
            (one for one in ast.walk(source.tree)
             if isinstance(one, ast.ClassDef) and one.name == name.owner),
            None,
        )  # fmt: skip

    def _everywhere(
        self, waiting: list[_Constant], count: int, seen: set[_Constant]
    ) -> Iterator[ConstantUse]:
        while waiting:
            constant = waiting.pop()
            if constant in seen:
                continue
            seen.add(constant)
            for path in sorted({*self._tree, self._source.path}):
                if path != constant.path and isinstance(constant.scope, Function):
                    continue
                yield from self._in_file(path, constant, count, waiting)

    def _read(self, path: str) -> PythonSource | None:
        if path not in self._sources:
            try:
                self._sources[path] = parse(path, self._tree[path])
            except (Refusal, RecursionError):
                self._sources[path] = None
        return self._sources[path]

    def _in_file(
        self, path: str, constant: _Constant, count: int, waiting: list[_Constant]
    ) -> Iterator[ConstantUse]:
        if path not in self._sources:
            if not is_python(self._tree, path):
                return
            data = self._tree[path]
            name = re.escape(constant.name.encode())
            if not re.search(rb"\b%s\b|import[\s\\]*\*" % name, data):
                return
        source = self._read(path)
        if source is None:
            stem = _stem(constant.path).encode()
            data = self._tree[path]
            found = re.search(rb"\b" + constant.name.encode() + rb"\b", data)
            if found is not None and stem in data:
                yield ConstantUse(path, data.count(b"\n", 0, found.start()) + 1, "unclear", False)
            return
        parents = parents_of(source.tree)
        judge = UseJudge(parents, count)
        for node in self._named(source, constant, waiting):
            given = parents[node] if constant.called else node
            by_text = isinstance(node, ast.Call)
            if by_text or (constant.called and getattr(given, "func", None) is not node):
                yield ConstantUse(path, judge.line(node), "unclear", judge.is_tested(node))
                continue
            yield from self._followed(
                judge, source, given, (constant.depth, constant.ordered), waiting
            )

    def _followed(
        self,
        judge: UseJudge,
        source: PythonSource,
        node: ast.AST,
        at: tuple[int, bool],
        waiting: list[_Constant],
    ) -> Iterator[ConstantUse]:
        for one in judge.judged(node, *at):
            if isinstance(one, Alias):
                waiting.append(_constant(source.path, one))
            else:
                yield ConstantUse(source.path, judge.line(node), one, judge.is_tested(node))

    def _named(
        self, source: PythonSource, constant: _Constant, waiting: list[_Constant]
    ) -> Iterator[ast.AST]:
        """Yield the nodes of a file that stand for the constant."""
        name = constant.name
        own = source.path == constant.path
        if isinstance(constant.scope, Function):
            yield from _loads(constant.scope, name)
            return
        in_class = isinstance(constant.scope, ast.ClassDef)
        imported: dict[str, str] = {}
        for module, one in _imports(source):
            imported[one.asname or one.name] = one.name.rpartition(".")[2]
            exported = module is not None and _last(module) == _stem(constant.path)
            if exported and one.name in (name, "*") and not (own or in_class):
                again = name if one.name == "*" else one.asname or name
                waiting.append(replace(constant, path=source.path, name=again, scope=source.tree))
        if own:
            yield from _loads(constant.scope if in_class else source.tree, name)
        for node in ast.walk(source.tree):
            match node:
                case ast.Attribute(value=value, attr=attr, ctx=ast.Load()) if attr == name:
                    base = value.id if isinstance(value, ast.Name) else None
                    on_object = base in ("self", "cls")
                    module = _module(_dotted(value), imported)
                    if in_class or not (on_object or module not in (None, _stem(constant.path))):
                        yield node
                case ast.Call(
                    func=ast.Name(id="getattr"), args=[_, ast.Constant(value=text), *_]
                ) if text == name:
                    yield node


def _has_orders(source: PythonSource) -> bool:
    """Tell whether only a Python can read *source* in which dictionaries have an order."""
    return oldest_python(source) >= (3, 8)


def _constant(path: str, one: Alias) -> _Constant:
    return _Constant(path, one.name, one.scope, one.depth, one.ordered, one.called)


def _imports(source: PythonSource) -> Iterator[tuple[str | None, ast.alias]]:
    """Yield what a file imports, with the module where it is a name of one."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else None
            yield from ((module, one) for one in node.names)


def _loads(scope: ast.AST, name: str) -> Iterator[ast.AST]:
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            yield node


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def _module(dotted: str, imported: Mapping[str, str]) -> str | None:
    """Return the last name of the module that *dotted* is; None where it may be anything."""
    if dotted in imported:
        return imported[dotted]
    return _last(dotted) if dotted.partition(".")[0] in imported else None


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.removesuffix(".py")
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def _last(module: str) -> str:
    return module.rpartition(".")[2]
