# SPDX-License-Identifier: Apache-2.0
"""Since which Python a source can be read at all, by what is written in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from ngtpatch.installer.python_source import PythonSource

__all__ = ["oldest_python"]

_Version = tuple[int, int]

# The Language Reference's notes on what came when.
_SINCE: dict[type[ast.AST], _Version] = {
    ast.Nonlocal: (3, 0),
    ast.YieldFrom: (3, 3),
    ast.AsyncFunctionDef: (3, 5),
    ast.AsyncFor: (3, 5),
    ast.AsyncWith: (3, 5),
    ast.Await: (3, 5),
    ast.MatMult: (3, 5),
    ast.JoinedStr: (3, 6),
    ast.AnnAssign: (3, 6),
    ast.NamedExpr: (3, 8),
    ast.Match: (3, 10),
}


@lru_cache(maxsize=64)
def oldest_python(source: PythonSource) -> _Version:
    """Return the first Python whose parser takes *source*, as far as its statements tell."""
    return max(_needed(source.tree), default=(2, 4))


def _needed(tree: ast.Module) -> Iterator[_Version]:
    for node in ast.walk(tree):
        since = (3, 5) if _unpacks(node) else _SINCE.get(type(node))
        if since is not None:
            yield since
        match node:
            case ast.arguments():
                if node.posonlyargs:
                    yield 3, 8
                if node.kwonlyargs:
                    yield 3, 0
            case ast.arg(annotation=ast.expr()):
                yield 3, 0
            case ast.FunctionDef(returns=ast.expr()):
                yield 3, 0
            case ast.ClassDef(keywords=[_, *_]):
                yield 3, 0
            case ast.Raise(cause=ast.expr()):
                yield 3, 0
            case ast.Assign(targets=targets):
                if any(isinstance(one, ast.Starred) for target in targets
                       for one in getattr(target, "elts", ())):  # fmt: skip
                    yield 3, 0
        if type(node).__name__ == "TryStar":
            yield 3, 11


def _unpacks(node: ast.AST) -> bool:
    """Tell whether a display has another in it (``[*a, b]``), or a call more than one."""
    match node:
        case ast.List(elts, ast.Load()) | ast.Tuple(elts, ast.Load()) | ast.Set(elts):
            return any(isinstance(one, ast.Starred) for one in elts)
        case ast.Dict(keys=keys):
            return None in keys
        case ast.Call(args=args):
            return sum(isinstance(one, ast.Starred) for one in args) > 1
    return False
