# SPDX-License-Identifier: Apache-2.0
"""The texts that stand in a file: literals, several put together, and names of such."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Literal", "literals"]


@dataclass(frozen=True)
class Literal:
    """A text that stands in a file.

    Attributes:
        node: the expression that is it: a literal, or several put together.
        text: what it is.
        plain: whether it is a literal; a name of one otherwise.
    """

    node: ast.expr | ast.keyword
    text: str
    plain: bool = True


def literals(tree: ast.Module, texts: frozenset[str], *, named: bool = False) -> Iterator[Literal]:
    """Yield what stands in *tree* and is one of *texts*, in the order of the file.

    Args:
        tree: the file.
        texts: which are looked for.
        named: yield names of such texts instead, assigned once in the module or a class.
    """
    constants = _constants(tree) if named else {}
    waiting: list[ast.AST] = [tree]
    found: list[Literal] = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.keyword) and node.arg in texts and not named:
            found.append(Literal(node, node.arg))
        if isinstance(node, ast.expr):
            text = _named(node, constants) if named else folded(node)
            if text is not None:
                if text in texts:
                    found.append(Literal(node, text, plain=not named))
                continue
        waiting += ast.iter_child_nodes(node)
    yield from sorted(found, key=lambda one: (one.node.lineno, one.node.col_offset))


def folded(node: ast.expr) -> str | None:
    """Return the text that an expression of nothing but literals is, or None."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = folded(left), folded(right)
            return None if one is None or other is None else one + other
        case ast.JoinedStr(values=values) if all(isinstance(one, ast.Constant) for one in values):
            return "".join(str(one.value) for one in values if isinstance(one, ast.Constant))
        case ast.Call(func=ast.Attribute(value=inner, attr=("lower" | "upper") as name), args=[]):
            kept = folded(inner)
            return None if kept is None else kept.lower() if name == "lower" else kept.upper()
    return None


def _constants(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    often: set[str] = set()
    classes = [one.body for one in tree.body if isinstance(one, ast.ClassDef)]
    for body in (tree.body, *classes):
        for statement in body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target, text = statement.targets[0], folded(statement.value)
                if isinstance(target, ast.Name) and text is not None:
                    often |= {target.id} & set(found)
                    found[target.id] = text
    return {name: text for name, text in found.items() if name not in often}


def _named(node: ast.expr, constants: dict[str, str]) -> str | None:
    match node:
        case ast.Attribute(value=inner, attr="value"):
            return _named(inner, constants)
        case ast.Attribute(value=ast.Name(), attr=name):
            return constants.get(name)
        case ast.Name(id=name, ctx=ast.Load()):
            return constants.get(name)
    return None
