# SPDX-License-Identifier: Apache-2.0
"""Names of one module: imports, assignments, functions, and which of them a use can see.

Deliberately small: enough to follow a value through an installer, and honest
about the rest (a name bound by a loop, a ``with`` or an augmented assignment
has no value here).
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Assignment", "Function", "Module", "gives_up", "leaves", "only_logs"]

_LEAVING_CALLS = frozenset({"exit", "sys.exit", "quit", "os._exit"})
_LOGGING = re.compile(r"(?:^|[._])(?:print|log|debug|info|warn|warning|error)$", re.I)

Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = ast.Module | Function | ast.Lambda
_Block = tuple[int, str]
_MARKS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
# What binds a name or is a call.
_NOTED = frozenset({
    ast.AnnAssign, ast.Assign, ast.AsyncFor, ast.AsyncFunctionDef, ast.AugAssign, ast.Call,
    ast.ClassDef, ast.ExceptHandler, ast.For, ast.FunctionDef, ast.Import, ast.ImportFrom,
    ast.MatchAs, ast.NamedExpr, ast.arg, ast.comprehension, ast.withitem,
})  # fmt: skip


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
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        self._parents: dict[ast.AST, ast.AST] = {}
        self._blocks: dict[ast.AST, _Block] = {}
        # The if that an elif belongs to: nothing else stands between the two.
        self._heads: dict[ast.AST, ast.AST] = {}
        self._imports: dict[str, set[str]] = defaultdict(set)
        self._functions: dict[str, list[Function]] = defaultdict(list)
        self._assignments: dict[tuple[ast.AST, str], list[Assignment]] = defaultdict(list)
        self._rebound: set[str] = {"self", "cls"}
        self._globals: set[tuple[ast.AST, str]] = set()
        self._index()

    # Building ------------------------------------------------------------------------------

    def _index(self) -> None:
        nodes: list[ast.AST] = [self.tree]
        noted: list[ast.AST] = []
        parents, blocks, heads = self._parents, self._blocks, self._heads
        for node in nodes:
            if type(node) in _NOTED:
                noted.append(node)
            for field in node._fields:
                value = getattr(node, field, None)
                for child in value if type(value) is list else (value,):
                    # What only marks ("and", "read here") is one object in the whole tree.
                    if isinstance(child, ast.AST) and not isinstance(child, _MARKS):
                        parents[child] = node
                        if isinstance(child, ast.stmt):
                            blocks[child] = (id(node), field)
                            if field == "orelse" and _is_elif(node, child):
                                heads[child] = heads.get(node, node)
                        nodes.append(child)
            if isinstance(node, ast.Global | ast.Nonlocal):
                self._globals.update((self.scope(node), name) for name in node.names)
        for node in noted:
            self._note(node)

    def _note(self, node: ast.AST) -> None:  # noqa: PLR0912 - one a kind of binding
        match node:
            case ast.Call():
                self.calls.append(node)
                self._calls[(_dotted(node.func) or "").rpartition(".")[2]].append(node)
            case ast.Import() | ast.ImportFrom():
                self._note_import(node)
            case ast.ClassDef():
                self._hide(node.name, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._functions[node.name].append(node)
                self._hide(node.name, node)
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
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                self._hide(name, node)
            case ast.arg():
                self._rebound.add(node.arg)

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
        for alias in node.names:
            bound = alias.asname or alias.name
            if not prefix and not alias.asname:
                bound = alias.name.partition(".")[0]
                self._imports[bound].add(bound)
            else:
                self._imports[bound].add(prefix + alias.name)

    def _hide(self, name: str, node: ast.AST) -> None:
        """Note that *node* binds *name* to something that has no value here."""
        self._rebound.add(name)
        self._assignments[self.scope(node), name].append(Assignment(self.statement(node), None))

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
        if not (isinstance(assignment.value, ast.Constant) and assignment.value.value is None):
            # "except ImportError: distro = None" leaves the module what it is where it is there.
            self._rebound.add(name)
        scope = self.scope(target)
        if "." in name or (scope, name) in self._globals:
            scope = self.tree  # an attribute is shared by the methods that set and read it
        self._assignments[scope, name].append(assignment)

    # Asking --------------------------------------------------------------------------------

    def scope(self, node: ast.AST) -> _Scope:
        """Return the function or module whose names *node* sees first."""
        while not isinstance(node, ast.Module):
            node = self._heads.get(node) or self._parents[node]
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
        imported = self._imports.get(first, {first})
        # One name for several things ("as LinuxInstaller" in each branch) stays what it is.
        return (next(iter(imported)) if len(imported) == 1 else first) + dot + rest

    def is_imported(self, node: ast.expr) -> bool:
        """Tell whether the first name of *node* can only be a module's or what it holds."""
        name = (_dotted(node) or "").partition(".")[0]
        return bool(name) and name not in self._rebound

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
        for call in self._calls.get(scope.name, ()):
            if self.function(call.func) is not scope:
                continue
            named = [keyword.value for keyword in call.keywords if keyword.arg == name.id]
            passed += named or call.args[position : position + 1]
        return passed

    def assignments(self, use: ast.Name | ast.Attribute) -> tuple[list[Assignment], bool]:
        """Return the bindings that *use* may see: the last that is certain, and later ones.

        Also whether one of them is certain; if not, a parameter's value may be seen.
        """
        name = _dotted(use)
        if name is None:
            return [], False
        scope: _Scope = self.scope(use)
        while name not in self._parameters(scope):
            here = self.tree if "." in name else scope
            known = self._assignments.get((here, name), [])
            if known:
                if here is self.scope(use):
                    return self._visible(known, use)
                return self._final(known, here), True
            if isinstance(scope, ast.Module):
                return [], False
            scope = self.scope(scope)
        return self._visible(self._assignments.get((scope, name), []), use)

    def _final(self, known: Sequence[Assignment], scope: _Scope) -> list[Assignment]:
        """Return the bindings that are left when *scope* has run, for a function inside it."""
        final: list[Assignment] = []
        for assignment in reversed(known):
            final.append(assignment)
            if self._blocks[assignment.statement] == (id(scope), "body"):
                break
        return final

    def _parameters(self, scope: _Scope) -> set[str]:
        if isinstance(scope, ast.Module):
            return set()
        arguments = scope.args
        return {
            argument.arg
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        }

    def _visible(self, known: Sequence[Assignment], use: ast.expr) -> tuple[list[Assignment], bool]:
        node: ast.AST = self.statement(use)
        around = {self._blocks[node]}
        loops: list[ast.AST] = []
        while node in self._parents:
            node = self._heads.get(node) or self._parents[node]
            if isinstance(node, ast.stmt):
                around.add(self._blocks[node])
            if isinstance(node, ast.For | ast.While | ast.AsyncFor):
                loops.append(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                break
        visible: list[Assignment] = []
        certain = False
        for assignment in reversed(known):
            statement = assignment.statement
            # What "with ... as" or "for ... in" binds is seen inside, what "=" binds only after.
            inside = hasattr(statement, "body") and statement in self.enclosing(use)
            before = inside or _end(statement) <= _start(use)
            if before and not certain:
                visible.append(assignment)
                certain = self._blocks[statement] in around
            elif not before and any(loop in self.enclosing(statement) for loop in loops):
                visible.append(assignment)  # the loop's next round sees it
        return visible, certain

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
        inner = node
        for outer in self.enclosing(node):
            if isinstance(outer, ast.If):
                if inner not in outer.body:
                    return None
                match outer.test:
                    case ast.Call(
                        func=ast.Attribute(attr="startswith"), args=[ast.Constant(value=str(text))]
                    ) if text.endswith("="):
                        return text[:-1]
                    case ast.Compare(ops=[ast.Eq()], comparators=[ast.Constant(value=str(text))]):
                        return text
                return None
            inner = outer
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


def leaves(body: Sequence[ast.stmt]) -> bool:
    """Tell whether *body* ends by leaving its block."""
    last = body[-1] if body else None
    return isinstance(last, ast.Return | ast.Continue | ast.Break | ast.Raise) or _exits(last)


def gives_up(body: Sequence[ast.stmt]) -> bool:
    """Tell whether *body* ends by ending the program, and not with success."""
    match body[-1] if body else None:
        case ast.Raise():
            return True
        case ast.Expr(value=ast.Call(args=[ast.Constant(value=0 | None)])):
            return False
        case ast.stmt() as last:
            return _exits(last)
    return False


def only_logs(body: Sequence[ast.stmt]) -> bool:
    """Tell whether *body* has no effect but on a log or a terminal."""
    for statement in body:
        match statement:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case ast.Expr(value=ast.Call(func=function)) if _LOGGING.search(
                _dotted(function) or ""
            ):
                pass
            case _:
                return False
    return True


def _exits(statement: ast.stmt | None) -> bool:
    match statement:
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


def _is_elif(outer: ast.AST, inner: ast.AST) -> bool:
    return isinstance(outer, ast.If) and len(outer.orelse) == 1 and isinstance(inner, ast.If)


def _start(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.stmt) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or 0
