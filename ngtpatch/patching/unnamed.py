# SPDX-License-Identifier: Apache-2.0
"""Who leads to which family's installer, in a file that accepts names without naming them.

``else`` and a negation accept whoever no test names. That such a branch is meant for the kin of a
new name is said by what it does, as it is for a chain: by the installer that its statements name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ngtpatch.installer.python_source import PythonSource
from ngtpatch.installer.recognition import families_named
from ngtpatch.installer.scopes import Function

__all__ = ["branch_lines", "scope_of"]


def branch_lines(source: PythonSource) -> Mapping[int, frozenset[str]]:
    """Return the lines of the statements that name an installer, and whose."""
    found: dict[int, frozenset[str]] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            families = families_named(source.module, node)
            if families:
                found[node.lineno] = found.get(node.lineno, frozenset()) | families
    return found


def scope_of(source: PythonSource, line: int) -> int:
    """Return the first line of the innermost function around *line*; 0 outside of all."""
    return max((start for start, end in _functions(source) if start <= line <= end), default=0)


def _functions(source: PythonSource) -> Iterator[tuple[int, int]]:
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            yield node.lineno, node.end_lineno or node.lineno
