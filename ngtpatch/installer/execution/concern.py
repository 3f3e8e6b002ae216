# SPDX-License-Identifier: Apache-2.0
"""Which functions are about the distribution at all: those that need to be executed alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ngtpatch.installer.execution.objects import ModuleObject
from ngtpatch.installer.python_source import PythonSource, parse

__all__ = ["concerned"]

_ASKING = frozenset({
    "distro", "linux_distribution", "dist", "freedesktop_os_release", "exec", "eval", "globals",
    "os_release_attr", "os_release_info", "platform",
})  # fmt: skip
_SAYING = re.compile(
    r"centos|red ?hat|rhel|oracle linux|ubuntu|suse|sles|debian|fedora|rocky|alma ?linux"
    r"|os-release|-release\b|lsb_release|hostnamectl",
    re.I,
)
_WORD = re.compile(r"[^\W\d]\w*")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def concerned(modules: Iterable[ModuleObject], machine: Any) -> frozenset[ast.AST]:
    """Return the functions that ask for the distribution, name one, or use what does."""
    rows: list[tuple[_Function, str, frozenset[str], bool]] = []
    names: set[str] = set(_ASKING)
    for module in modules:
        names.update(
            name
            for name, value in module.store.slots.items()
            if isinstance(name, str) and machine.depends(value)
        )
        data = machine.tree.get(module.path)
        if data is not None and module.path not in machine.unread:
            rows += _functions(parse(module.path, data))
    found: set[ast.AST] = set()
    while True:
        more = {
            row for row in rows if row[0] not in found and (row[3] or not names.isdisjoint(row[2]))
        }
        if not more:
            return frozenset(found)
        found.update(row[0] for row in more)
        names.update(row[1] for row in more)


@lru_cache(maxsize=64)
def _functions(source: PythonSource) -> tuple[tuple[_Function, str, frozenset[str], bool], ...]:
    """Return each function with its name, the words in it, and whether it says one.

    By its text: that finds every name that its syntax has, in a fraction of the time.
    """
    found = []
    waiting: list[ast.stmt] = list(source.tree.body)
    for node in waiting:
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            for inner in getattr(node, part, ()):
                waiting += [inner] if isinstance(inner, ast.stmt) else inner.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            end = source.starts[last] if last < len(source.starts) else len(source.text)
            text = source.text[source.starts[node.lineno - 1] : end]
            words = frozenset(_WORD.findall(text))
            found.append((node, node.name, words, _SAYING.search(text) is not None))
    return tuple(found)
