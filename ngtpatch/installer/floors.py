# SPDX-License-Identifier: Apache-2.0
"""The oldest release of a distribution that the installer takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ngtpatch.installer.scopes import Module
from ngtpatch.installer.subject import Constant, Resolver, Subject

__all__ = ["Floor", "class_constants", "floors"]


@dataclass(frozen=True)
class Floor:
    """One comparison of the release with a text.

    Attributes:
        line: where it stands.
        minimum: the oldest release that passes; None where an attribute says it.
        attribute: the name of that attribute (``self.MINIMUM``), or None.
        loose: whether both are LooseVersions, which compare letters with numbers on
            Python 2 only.
    """

    line: int
    minimum: str | None
    attribute: str | None
    loose: bool


def floors(module: Module) -> Iterator[Floor]:
    """Yield the comparisons ``version < "6.4"`` of one file, whatever wraps either side."""
    resolver = Resolver(module)
    for node in ast.walk(module.tree):
        match node:
            case ast.Compare(
                left=left,
                ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()],
                comparators=[right],
            ):
                for version, minimum in ((left, right), (right, left)):
                    yield from _floor(version, minimum, module, resolver)


def _floor(
    version: ast.expr, minimum: ast.expr, module: Module, resolver: Resolver
) -> Iterator[Floor]:
    subject = resolver.resolve(_unwrapped(version, resolver))
    if not isinstance(subject, Subject) or subject.field != "version":
        return
    loose = isinstance(version, ast.Call) and (module.dotted(version.func) or "").endswith(
        "LooseVersion"
    )
    inner = _unwrapped(minimum, resolver)
    match resolver.resolve(inner), inner:
        case _, ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            yield Floor(version.lineno, None, name, loose)
        case Constant(text), _:
            yield Floor(version.lineno, text, None, loose)


def class_constants(module: Module) -> Iterator[tuple[str, str, int]]:
    """Yield name, text and line of the constants that the classes of one file define."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                match statement:
                    case ast.Assign(
                        targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))
                    ):
                        yield name, text, statement.lineno


def _unwrapped(node: ast.expr, resolver: Resolver) -> ast.expr:
    """Return what stands in LooseVersion(...), as_numbers(...) and the like."""
    while isinstance(node, ast.Call) and len(node.args) == 1 and resolver.resolve(node) is None:
        node = node.args[0]
    return node
