# SPDX-License-Identifier: Apache-2.0
"""Names of one module: imports, assignments, functions, and which of them a use can see.

Deliberately small: enough to follow a value through an installer, and honest
about the rest (a name bound by a loop, a ``with`` or an augmented assignment
has no value here).
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Assignment", "Function", "Module", "leaves"]

_LEAVING_CALLS = frozenset({"exit", "sys.exit", "quit", "os._exit"})

Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = ast.Module | Function | ast.Lambda
_Block = tuple[int, str]


@dataclass(frozen=True, eq=False)
class Assignment:
    """One binding of a name.

    Attributes:
        statement: the statement that binds it.
        value: the expression bound, or None where it is not an expression of its own.
        index: the position in a tuple that is unpacked, or None.
    """

    statement: ast.stmt
    value: ast.expr | None
    index: int | None = None


class Module:
    """Indexes a syntax tree once, for many questions."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.calls: list[ast.Call] = []
        self._parents: dict[ast.AST, ast.AST] = {}
        self._blocks: dict[ast.AST, _Block] = {}
        self._imports: dict[str, str] = {}
        self._functions: dict[str, list[Function]] = defaultdict(list)
        self._assignments: dict[tuple[ast.AST, str], list[Assignment]] = defaultdict(list)
        self._globals: set[tuple[ast.AST, str]] = set()
        self._index()

    # Building ------------------------------------------------------------------------------

    def _index(self) -> None:
        nodes: list[ast.AST] = [self.tree]
        for node in nodes:
            for field, value in ast.iter_fields(node):
                children = value if isinstance(value, list) else (value,)
                for child in children:
                    if isinstance(child, ast.AST):
                        self._parents[child] = node
                        if isinstance(child, ast.stmt):
                            self._blocks[child] = (id(node), field)
                        nodes.append(child)
            if isinstance(node, ast.Global):
                self._globals.update((self.scope(node), name) for name in node.names)
        for node in nodes:
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        match node:
            case ast.Call():
                self.calls.append(node)
            case ast.Import() | ast.ImportFrom():
                self._note_import(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._functions[node.name].append(node)
            case ast.Assign():
                for target in node.targets:
                    self._bind(target, node, node.value)
            case ast.AnnAssign(value=ast.expr() as value):
                self._bind(node.target, node, value)
            case ast.NamedExpr():
                self._bind(node.target, self.statement(node), node.value)
            case ast.AugAssign():
                self._bind(node.target, node, None)
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._bind(node.target, self.statement(node), None)
            case ast.withitem(optional_vars=ast.expr() as target):
                self._bind(target, self.statement(node), None)

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
        for alias in node.names:
            bound = alias.asname or alias.name
            if not prefix and not alias.asname:
                bound = alias.name.partition(".")[0]
                self._imports.setdefault(bound, bound)
            else:
                self._imports.setdefault(bound, prefix + alias.name)

    def _bind(self, target: ast.expr, statement: ast.stmt, value: ast.expr | None) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            starred = any(isinstance(item, ast.Starred) for item in target.elts)
            for index, item in enumerate(target.elts):
                if isinstance(item, ast.Starred):
                    self._bind(item.value, statement, None)
                elif starred or not isinstance(value, ast.Tuple | ast.List):
                    self._append(item, Assignment(statement, None if starred else value, index))
                else:
                    same = len(value.elts) == len(target.elts)
                    self._bind(item, statement, value.elts[index] if same else None)
        else:
            self._append(target, Assignment(statement, value))

    def _append(self, target: ast.expr, assignment: Assignment) -> None:
        name = _dotted(target)
        if name is None:
            return
        scope = self.scope(target)
        if "." in name or (scope, name) in self._globals:
            scope = self.tree  # an attribute is shared by the methods that set and read it
        self._assignments[scope, name].append(assignment)

    # Asking --------------------------------------------------------------------------------

    def scope(self, node: ast.AST) -> _Scope:
        """Return the function or module whose names *node* sees first."""
        while not isinstance(node, ast.Module):
            node = self._parents[node]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return node
        return node

    def statement(self, node: ast.AST) -> ast.stmt:
        """Return the statement that *node* is a part of."""
        while not isinstance(node, ast.stmt):
            node = self._parents[node]
        return node

    def enclosing(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around *node*, from the inside, up to its scope."""
        while node in self._parents:
            node = self._parents[node]
            yield node
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return

    def dotted(self, node: ast.expr) -> str | None:
        """Return the dotted name of *node* with import aliases replaced by what they import."""
        name = _dotted(node)
        if name is None:
            return None
        first, dot, rest = name.partition(".")
        return self._imports.get(first, first) + dot + rest

    def function(self, node: ast.expr) -> Function | None:
        """Return the function of this file that the callee *node* means, if it is the only one."""
        name = _dotted(node)
        if name is None:
            return None
        owner, _, last = name.rpartition(".")
        found = self._functions.get(last, [])
        return found[0] if len(found) == 1 and owner in ("", "self", "cls") else None

    def returns(self, function: Function) -> Iterator[ast.Return]:
        """Yield the return statements of *function*, not those of functions inside it."""
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and self.scope(node) is function:
                yield node

    def arguments(self, name: ast.Name) -> Sequence[ast.expr]:
        """Return what this file's calls pass for the parameter *name*; nothing if it is none."""
        scope = self.scope(name)
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            return ()
        parameters = [argument.arg for argument in (*scope.args.posonlyargs, *scope.args.args)]
        if name.id not in parameters:
            return ()
        position = parameters.index(name.id)
        position -= parameters[0] in ("self", "cls")
        passed = []
        for call in self.calls:
            if self.function(call.func) is not scope:
                continue
            named = [keyword.value for keyword in call.keywords if keyword.arg == name.id]
            passed += named or call.args[position : position + 1]
        return passed

    def assignments(self, use: ast.Name | ast.Attribute) -> list[Assignment]:
        """Return the bindings that *use* may see: the last that is certain, and later ones."""
        name = _dotted(use)
        if name is None:
            return []
        scope: _Scope = self.scope(use)
        while name not in self._parameters(scope):
            here = self.tree if "." in name else scope
            known = self._assignments.get((here, name), [])
            if known:
                return self._visible(known, use) if here is self.scope(use) else known
            if isinstance(scope, ast.Module):
                return []
            scope = self.scope(scope)
        return self._visible(self._assignments.get((scope, name), []), use)

    def _parameters(self, scope: _Scope) -> set[str]:
        if isinstance(scope, ast.Module):
            return set()
        arguments = scope.args
        return {
            argument.arg
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        }

    def _visible(self, known: Sequence[Assignment], use: ast.expr) -> list[Assignment]:
        around = {self._blocks[self.statement(use)]}
        loops: list[ast.AST] = []
        for node in self.enclosing(self.statement(use)):
            if isinstance(node, ast.stmt):
                around.add(self._blocks[node])
            if isinstance(node, ast.For | ast.While | ast.AsyncFor):
                loops.append(node)
        visible: list[Assignment] = []
        certain = False
        for assignment in reversed(known):
            before = _end(assignment.statement) <= _start(use)
            if before and not certain:
                visible.append(assignment)
                certain = self._blocks[assignment.statement] in around
            elif not before and any(loop in self.enclosing(assignment.statement) for loop in loops):
                visible.append(assignment)  # the loop's next round sees it
        return visible

    def is_subscripted(self, node: ast.expr, index: int) -> bool:
        """Tell whether *node* is only asked for its item *index*."""
        match self._parents[node]:
            case ast.Subscript(slice=ast.Constant(value=int(position))):
                return position == index
        return False

    def is_docstring(self, node: ast.Constant) -> bool:
        """Tell whether *node* stands alone, as documentation does."""
        return isinstance(self._parents[node], ast.Expr)

    # os-release ------------------------------------------------------------------------------

    def reads_os_release(self, node: ast.AST) -> bool:
        """Tell whether the scope of *node* names an os-release file."""
        scope = self.scope(node)
        for inner in ast.walk(scope):
            text = inner.value if isinstance(inner, ast.Constant) else None
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                constants = self._assignments.get((self.tree, inner.id), [])
                values = [assignment.value for assignment in constants]
                if len(values) == 1 and isinstance(values[0], ast.Constant):
                    text = values[0].value
            if isinstance(text, str) and text.endswith("os-release"):
                return True
        return False

    def guarding_key(self, node: ast.AST) -> str | None:
        """Return KEY of the nearest ``if line.startswith("KEY=")`` or ``if key == "KEY"``."""
        for outer in self.enclosing(node):
            if isinstance(outer, ast.If):
                match outer.test:
                    case ast.Call(
                        func=ast.Attribute(attr="startswith"), args=[ast.Constant(value=str(text))]
                    ) if text.endswith("="):
                        return text[:-1]
                    case ast.Compare(ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
                        return text
                return None
        return None

    def is_text_of_line(self, node: ast.expr) -> bool:
        """Tell whether *node* only cuts a piece out of a name: no call but methods on it."""
        while True:
            match node:
                case ast.Call(func=ast.Attribute(value=inner)) | ast.Subscript(value=inner):
                    node = inner
                case ast.Name():
                    return True
                case _:
                    return False


def leaves(body: Sequence[ast.stmt], *, failing: bool = False) -> bool:
    """Tell whether *body* ends by leaving its block; with *failing*, by ending the program."""
    match body[-1] if body else None:
        case ast.Raise():
            return True
        case ast.Return() | ast.Continue() | ast.Break():
            return not failing
        case ast.Expr(value=ast.Call(func=function)):
            return _dotted(function) in _LEAVING_CALLS
    return False


def _dotted(node: ast.AST) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _start(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0
