# SPDX-License-Identifier: Apache-2.0
"""Tests of the running Python that end the installer, asked about any Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from ngtpatch.installer.scopes import Module, gives_up

__all__ = ["Gate", "gates"]

# What an expression on sys.version_info can be; Python itself says which of them compare.
_Value = Any

_OPERATORS: dict[type[ast.cmpop], Callable[[_Value, _Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


class _Unmodelled(Exception):
    """The test asks for something else than the Python's version."""


@dataclass(frozen=True)
class Gate:
    """One ``if`` on sys.version_info that ends the program.

    Attributes:
        line: where it stands.
        test: its condition.
        opens: whether the branch that ends the program is the ``else``.
    """

    line: int
    test: ast.expr
    opens: bool

    def closed(self, python: tuple[int, int]) -> bool | None:
        """Return whether the program ends on *python*, or None if that cannot be told."""
        try:
            return bool(_evaluate(self.test, python)) is not self.opens
        except (_Unmodelled, TypeError, IndexError):
            return None


def gates(module: Module) -> Iterator[Gate]:
    """Yield the gates of one file, in the order of its tree."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.If) and _asks_for_python(node.test, module):
            if gives_up(node.body):
                yield Gate(node.lineno, node.test, opens=False)
            elif gives_up(node.orelse):
                yield Gate(node.lineno, node.test, opens=True)
        elif isinstance(node, ast.Assert) and _asks_for_python(node.test, module):
            yield Gate(node.lineno, node.test, opens=True)


def _asks_for_python(test: ast.expr, module: Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and module.dotted(node) in ("sys.version_info", "sys.hexversion", "sys.version")
        for node in ast.walk(test)
    )


def _evaluate(node: ast.expr, python: tuple[int, int]) -> _Value:  # noqa: PLR0911 - one a shape
    match node:
        case ast.Constant():
            return node.value
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return tuple(_evaluate(item, python) for item in items)
        case ast.Attribute(value=ast.Name(id="sys"), attr=name):
            return _of_sys(name, python)
        case ast.Attribute(value=owner, attr=("major" | "minor") as name):
            return _evaluate(owner, python)[name == "minor"]
        case ast.Subscript(value=owner, slice=ast.Slice() as part):
            bounds = (part.lower, part.upper, part.step)
            return _evaluate(owner, python)[
                slice(*(bound and _evaluate(bound, python) for bound in bounds))
            ]
        case ast.Subscript(value=owner, slice=index):
            return _evaluate(owner, python)[_evaluate(index, python)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, python)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_evaluate(value, python) for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_evaluate(value, python) for value in values)
        case ast.Compare():
            return _compare(node, python)
        case ast.Call(func=ast.Attribute(value=owner, attr="startswith"), args=[prefix]):
            return str.startswith(_evaluate(owner, python), _evaluate(prefix, python))
    return _stop()


def _compare(node: ast.Compare, python: tuple[int, int]) -> bool:
    left = _evaluate(node.left, python)
    for kind, comparator in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(comparator, python)
        relation = _OPERATORS.get(type(kind)) or _stop()
        if not relation(left, right):
            return False
        left = right
    return True


def _of_sys(name: str, python: tuple[int, int]) -> _Value:
    major, minor = python
    match name:
        case "version_info":
            # Patch releases are not modelled: the last there can be stands for all.
            return (major, minor, 99, "final", 0)
        case "hexversion":
            return major << 24 | minor << 16 | 99 << 8 | 0xF0
        case "version":
            return f"{major}.{minor}.99"
    return _stop()


def _stop() -> NoReturn:
    raise _Unmodelled
