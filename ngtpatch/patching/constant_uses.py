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
from typing import Literal

from ngtpatch.errors import Refusal
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
    """A name that stands for the row: in a module, a class or a function."""

    path: str
    name: str
    scope: _Scope
    depth: int
    ordered: bool


def uses_of(
    tree: Mapping[str, bytes], source: PythonSource, row: ast.AST
) -> tuple[ConstantUse, ...]:
    """Return the uses of the constant that *row*, a display in *source*, is (or is part of)."""
    return tuple(dict.fromkeys(_Uses(tree, source).find(row)))


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

    def beside(self, place: Extension) -> Sequence[ConstantUse]:
        """Return those that what is inserted at *place* may change."""
        if place.shape not in _OF_CONSTANTS:
            return ()
        # What asks for an element by its place finds the same one, if the new one is last.
        last = place.shape != "word" and _is_last(place.source, place)
        uses = self.of(place.source, place.row)
        return [use for use in uses if not (last and use.kind == "place")]

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

    def find(self, row: ast.AST) -> Iterator[ConstantUse]:
        count = len(getattr(row, "elts", getattr(row, "keys", ())))
        judge = UseJudge(parents_of(self._source.tree), count)
        waiting: list[_Constant] = []
        yield from self._followed(judge, self._source, row, (0, True), waiting)
        seen: set[_Constant] = set()
        while waiting:
            constant = waiting.pop()
            if constant in seen:
                continue
            seen.add(constant)
            for path in sorted({*self._tree, self._source.path}):
                if path != constant.path and isinstance(constant.scope, Function):
                    continue
                yield from self._in_file(path, constant, count, waiting)

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
            try:
                self._sources[path] = parse(path, data)
            except (Refusal, RecursionError):
                self._sources[path] = None
        source = self._sources[path]
        if source is None:
            stem = _stem(constant.path).encode()
            data = self._tree[path]
            found = re.search(rb"\b" + constant.name.encode() + rb"\b", data)
            if found is not None and stem in data:
                yield ConstantUse(path, data.count(b"\n", 0, found.start()) + 1, "unclear", False)
            return
        judge = UseJudge(parents_of(source.tree), count)
        for node in self._named(source, constant, waiting):
            yield from self._followed(
                judge, source, node, (constant.depth, constant.ordered), waiting
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
                waiting.append(_Constant(source.path, one.name, one.scope, one.depth, one.ordered))
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
                    module = imported.get(_dotted(value))
                    if in_class or not (on_object or module not in (None, _stem(constant.path))):
                        yield node
                case ast.Call(
                    func=ast.Name(id="getattr"), args=[_, ast.Constant(value=text), *_]
                ) if text == name:
                    yield node


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


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.removesuffix(".py")
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def _last(module: str) -> str:
    return module.rpartition(".")[2]
