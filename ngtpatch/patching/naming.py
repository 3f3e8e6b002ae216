# SPDX-License-Identifier: Apache-2.0
"""Texts of a source that name a distribution, and where they decide something."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from ngtpatch.installer.execution.callee_names import ACTING
from ngtpatch.installer.execution.library import BUNDLED, MODELLED
from ngtpatch.installer.execution.worlds import World
from ngtpatch.patching.places import parents_of

__all__ = [
    "acted_on",
    "chosen_outside",
    "is_of_the_library",
    "named_in",
    "names_kin",
    "outside_of_tests",
]

_NAMES = re.compile(
    r"centos|red ?hat|\brhel|\boracle\b|ubuntu|debian|fedora|\bsuse|opensuse|\bsles\b|rocky"
    r"|alma ?linux",
    re.I,
)
# A longer one, or a path, is said to somebody or opened, and compared with nothing.
_LONGEST = 48
_ASKING = frozenset({
    "count", "endswith", "find", "findall", "fnmatch", "fullmatch", "get", "index", "match",
    "rfind", "search", "startswith",
})  # fmt: skip


def named_in(node: ast.AST) -> tuple[str, ...]:
    """Return the texts in an expression that name a distribution."""
    return tuple(
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and _NAMES.search(one.value)
    )


def names_kin(text: str, kin: Collection[World]) -> bool:
    """Tell whether a text that names a distribution names one of *kin*."""
    low = text.lower()
    return any(low in one.name.lower() or (one.id and one.id in low) for one in kin)


def is_of_the_library(path: str) -> bool:
    """Tell by its name whether a file is one of Python's, or of a package that decides nothing.

    What it gives is known by its name wherever it is imported; nobody looks into it.
    """
    *folders, name = path.split("/")
    return name.partition(".")[0] in MODELLED | BUNDLED or not BUNDLED.isdisjoint(folders)


def outside_of_tests(tree: ast.AST) -> Iterator[tuple[ast.expr, tuple[str, ...]]]:
    """Yield what compares with names of distributions, or chooses by them, and is no ``if``.

    Yields:
        The expression, and the texts in it that name one.
    """
    within = {
        id(node)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.If)
        for node in ast.walk(statement.test)
    }
    for node in ast.walk(tree):
        if id(node) in within:
            continue
        parts: Sequence[ast.AST | None] = ()
        match node:
            case ast.Compare():
                parts = [node]
            case ast.Dict():
                parts = node.keys
            case ast.Tuple() | ast.List() | ast.Set():
                parts = node.elts
            case ast.Call(func=ast.Attribute(attr=name)) if name in _ASKING:
                parts = node.args
        named = [text for part in parts if part is not None for text in named_in(part)]
        texts = tuple(text for text in named if len(text) <= _LONGEST and "/" not in text)
        if texts and isinstance(node, ast.expr):
            yield node, texts


def acted_on(tree: ast.Module) -> list[ast.expr]:
    """Return the arguments of calls that do something to the guest, such as start a program.

    However the function is called there: by its module, by another name for that, by its own.
    """
    meant: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            where = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            meant |= {one.asname or one.name: f"{where}{one.name}" for one in node.names}
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            if ACTING.match(f"{meant.get(first, first)}{dot}{rest}"):
                values = (*node.args, *(one.value for one in node.keywords))
                found += [one for one in values if not isinstance(one, ast.Constant)]
    return found


def chosen_outside(tree: ast.Module) -> list[ast.expr]:
    """Return what is chosen by comparing with names of distributions where there is no ``if``.

    That is the comparison, with all that takes its answer for true or false around it: ``or``,
    ``not``, ``any()``, the expression that is one thing or another by it.
    """
    parents = parents_of(tree)
    found: dict[ast.expr, None] = {}
    for node, _ in outside_of_tests(tree):
        if not isinstance(node, ast.Compare | ast.Call):
            continue
        whole: ast.expr = node
        around: ast.AST = node
        while (parent := parents.get(around)) is not None:
            match parent:
                case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Compare() | ast.IfExp():
                    whole = parent
                case ast.Call(func=ast.Name(id="any" | "all" | "bool")):
                    whole = parent
                case ast.GeneratorExp() | ast.ListComp() | ast.comprehension():
                    pass
                case _:
                    break
            around = parent
        found[whole] = None
    return sorted(found, key=lambda one: (one.lineno, one.col_offset))


def nameless(texts: Iterable[str], world: World) -> frozenset[str]:
    """Return what was handed over, whatever the guest's own name is."""
    own = sorted({world.name, world.id, world.name.split()[0]} - {""}, key=len, reverse=True)
    name = re.compile("|".join(map(re.escape, own)), re.I)
    return frozenset(name.sub("NAME", text) for text in texts)
