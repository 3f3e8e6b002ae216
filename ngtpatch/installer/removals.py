# SPDX-License-Identifier: Apache-2.0
"""Uses of what newer releases of Python have removed, and the imports at which to mend them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ngtpatch.installer.python_source import PythonSource
from ngtpatch.installer.scopes import Module

__all__ = ["Removal", "removals"]

RemovalCode = Literal["linux-distribution", "distutils"]


@dataclass(frozen=True)
class Removal:
    """Something that a file uses and a newer Python lacks.

    Attributes:
        code: ``linux-distribution`` (platform.linux_distribution, from 3.8 on) or
            ``distutils`` (from 3.12 on).
        line: where it is used first.
        hidden: whether an exception handler swallows the failure.
        imports: the statements at which a replacement can be put; empty where none can.
    """

    code: RemovalCode
    line: int
    hidden: bool
    imports: tuple[ast.Import | ast.ImportFrom, ...]


_Use = ast.ImportFrom | ast.Call | ast.Attribute


@lru_cache(maxsize=32)
def removals(source: PythonSource) -> tuple[Removal, ...]:
    """Return what *source* uses without having a replacement of its own."""
    return (
        *_linux_distribution(source, source.module),
        *_distutils(source, source.module),
    )


def _linux_distribution(source: PythonSource, module: Module) -> Iterator[Removal]:
    if _is_provided(module):
        return
    uses: list[_Use] = [*_imported(module), *_called(module), *_referred(source, module)]
    if not uses:
        return
    places = tuple(dict.fromkeys(_imports_of_platform(source, module)))
    plain = all(
        not isinstance(use, ast.Call)
        or not (use.args or use.keywords or _name(module, use) == "dist")
        for use in uses
    )
    mendable = bool(places) and plain and all(_alone(source, place) for place in places)
    yield Removal(
        "linux-distribution",
        min(use.lineno for use in uses),
        all(_caught(module, use, "AttributeError") for use in uses),
        places if mendable else (),
    )


def _imported(module: Module) -> Iterator[ast.ImportFrom]:
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "platform"
            and any(alias.name in ("linux_distribution", "dist") for alias in node.names)
            and not _caught(module, node, "ImportError")
        ):
            yield node


def _referred(source: PythonSource, module: Module) -> Iterator[ast.Attribute]:
    """Yield where platform.linux_distribution is only named: to be called later, or elsewhere."""
    if "linux_distribution" not in source.text:
        return
    called = {id(call.func) for call in module.calls}
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and node.attr == "linux_distribution"
            and id(node) not in called
            and (module.dotted(node.value) or "").rpartition(".")[2] == "platform"
        ):
            yield node


def _called(module: Module) -> Iterator[ast.Call]:
    for call in module.calls:
        owner = (module.dotted(call.func) or "").rpartition(".")[0]
        # Imported by name, it fails (and is mended) where it is imported.
        if (
            owner.rpartition(".")[2] == "platform"
            and _name(module, call) in ("linux_distribution", "dist")
            and not isinstance(call.func, ast.Name)
        ):
            yield call


def _name(module: Module, call: ast.Call) -> str:
    return (module.dotted(call.func) or "").rpartition(".")[2]


def _imports_of_platform(
    source: PythonSource, module: Module
) -> Iterator[ast.Import | ast.ImportFrom]:
    yield from _imported(module)
    if any(True for _ in (*_called(module), *_referred(source, module))):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import) and any(one.name == "platform" for one in node.names):
                yield node


def _is_provided(module: Module) -> bool:
    """Tell whether the file itself asks if platform.linux_distribution is there."""
    return any(
        module.dotted(call.func) == "hasattr"
        and len(call.args) == 2
        and module.dotted(call.args[0]) == "platform"
        and isinstance(call.args[1], ast.Constant)
        and call.args[1].value == "linux_distribution"
        for call in module.calls
    )


def _distutils(source: PythonSource, module: Module) -> Iterator[Removal]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                found = any(one.name.partition(".")[0] == "distutils" for one in names)
                mendable = False
            case ast.ImportFrom(module=str(origin), names=names):
                found = origin.partition(".")[0] == "distutils"
                mendable = origin == "distutils.version" and [one.name for one in names] == [
                    "LooseVersion"
                ]
            case _:
                continue
        if found and not _caught(module, node, "ImportError"):
            mendable = mendable and _alone(source, node)
            yield Removal(
                "distutils",
                node.lineno,
                hidden=False,
                imports=(node,) if mendable else (),
            )


def _alone(source: PythonSource, statement: ast.stmt) -> bool:
    """Tell whether nothing but blanks and a comment shares the lines of *statement*."""
    first = source.line(statement.lineno)
    last = source.line(statement.end_lineno or statement.lineno)
    before = first.encode()[: statement.col_offset]
    after = last.encode()[statement.end_col_offset :]
    return not before.strip() and re.fullmatch(rb"\s*(#.*)?", after) is not None


def _caught(module: Module, node: ast.AST, exception: str) -> bool:
    """Tell whether a ``try`` around *node* catches *exception* or everything."""
    inner: ast.AST = node
    for outer in module.enclosing(node):
        if isinstance(outer, ast.Try) and inner in outer.body:
            for handler in outer.handlers:
                caught = ast.unparse(handler.type) if handler.type else "Exception"
                if re.search(rf"\b(?:(?:Base)?Exception|{exception})\b", caught):
                    return True
        inner = outer
    return False
