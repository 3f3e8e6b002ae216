# SPDX-License-Identifier: Apache-2.0
"""The tests of a file's branches, and the texts that an or-chain looks for."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.naming import named_in

__all__ = ["BranchTest", "branch_tests", "token_of"]


@dataclass(frozen=True)
class BranchTest:
    """The test of an ``if`` or ``elif`` that compares texts.

    Attributes:
        line: of the statement.
        head: line of the ``if`` that its chain starts with.
        last: line at which the test ends.
        header: start and end of ``if ... :`` in the text; None where it cannot be edited.
        tokens: for each operand of the or-chain, the text that is looked for in the value; None
            for any other operand.
        named: the texts in it that name a distribution.
    """

    line: int
    head: int
    last: int
    header: tuple[int, int] | None
    tokens: tuple[str | None, ...]
    named: tuple[str, ...]

    @property
    def lines(self) -> range:
        """The lines that it stands on."""
        return range(self.line, self.last + 1)


def branch_tests(source: PythonSource) -> list[BranchTest]:
    """Return the tests of every ``if``, in the order of the tree."""
    heads: dict[ast.If, int] = {}
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.If):
            head = heads.get(node, node.lineno)
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                heads[node.orelse[0]] = head
            found.append(_read(source, node, head))
    return found


def _read(source: PythonSource, node: ast.If, head: int) -> BranchTest:
    chain = isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or)
    operands = node.test.values if isinstance(node.test, ast.BoolOp) and chain else [node.test]
    compared = [one if isinstance(one, ast.Compare) and token_of(one) else None for one in operands]
    subjects = [ast.dump(one.comparators[0]) for one in compared if one is not None]
    tokens = tuple(
        token_of(one) if one is not None and ast.dump(one.comparators[0]) == subjects[0] else None
        for one in compared
    )
    last = node.test.end_lineno or node.lineno
    header = source.header(node) if subjects else None
    return BranchTest(node.lineno, head, last, header, tokens, named_in(node.test))


def token_of(node: ast.AST) -> str | None:
    """Return the text of ``"text" in value``."""
    match node:
        case ast.Compare(left=ast.Constant(value=str(text)), ops=[ast.In()]):
            return text
    return None
