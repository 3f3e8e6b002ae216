# SPDX-License-Identifier: Apache-2.0
"""One more operand for an or-chain, in the vendor's own formatting.

Works on the concrete syntax of a single ``if ... :`` header (libcst keeps every
blank and comment), so that a file of any length costs the same.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import eq

import libcst as cst

from ngtpatch.patching.insertion import Insertion

__all__ = ["NotAChain", "OperandTemplate", "extend"]


class NotAChain(Exception):
    """The header has a shape that no operand can be added to. The text says which."""


@dataclass(frozen=True)
class OperandTemplate:
    """Which operand to write the new ones like.

    Attributes:
        usable: for each operand of the chain, in order, whether it is ``"text" in subject``
            on the fact that the new operands are about.
    """

    usable: Sequence[bool]


def extend(header: str, needles: Sequence[str], template: OperandTemplate) -> Insertion:
    """Return the insertion that adds an operand for each of *needles* to *header*.

    Args:
        header: the text from ``if`` or ``elif`` to the colon, inclusive.
        needles: texts of printable ASCII.
        template: which of its operands serve as a model.

    The operands go before the last one that starts a line of its own, or before
    the last; the offset of the insertion is relative to the header.

    Raises:
        NotAChain: it is not an or-chain of ``"text" in subject``.
    """
    if _depth(header) > _MAX_DEPTH:
        raise NotAChain("it has more operands, or deeper ones, than an installer's chain")
    keyword = "elif" if header.startswith("elif") else "if"
    statement = "if" + header.removeprefix(keyword)
    try:
        module = cst.parse_module(statement + " pass\n")
    except cst.ParserSyntaxError:
        raise NotAChain("it is written as only a Python 2 can read it") from None
    branch = cst.ensure_type(module.body[0], cst.If)
    operands, operators = _flatten(branch.test)
    if len(operands) != len(template.usable):
        raise NotAChain("the operands could not be distinguished")
    slot = _slot(operators)
    model = _model(operands, template.usable, slot)
    additions = [_operand(model, needle) for needle in needles]
    if operators:
        first, second = _split(operators[slot])
        operands[slot + 1 : slot + 1] = additions
        operators[slot : slot + 1] = [first, *[_plain(first)] * (len(additions) - 1), second]
    else:
        operands += additions
        operators = [cst.Or() for _ in additions]
    test = _join(operands, operators, like=branch.test)
    result = module.with_changes(body=[branch.with_changes(test=test)]).code[:-6]
    return _difference(statement, result, shift=len(keyword) - 2)


# libcst recurses: into each "or" of a row, too.
_MAX_DEPTH = 200


def _depth(header: str) -> int:
    """Return how deep the header's syntax is, each ``or`` of a row being one step."""
    test = ast.parse("if" + header[header.index("if") + 2 :] + " pass").body[0]
    deepest = 0
    waiting: list[tuple[ast.AST, int]] = [(test, 0)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        step = len(node.values) if isinstance(node, ast.BoolOp) else 1
        waiting += [(child, depth + step) for child in ast.iter_child_nodes(node)]
    return deepest


def _flatten(test: cst.BaseExpression) -> tuple[list[cst.BaseExpression], list[cst.BaseBooleanOp]]:
    """Return the operands of ``a or b or c`` and the operators between them."""
    operands: list[cst.BaseExpression] = []
    operators: list[cst.BaseBooleanOp] = []
    node = test
    while isinstance(node, cst.BooleanOperation) and isinstance(node.operator, cst.Or):
        operands.insert(0, node.right)
        operators.insert(0, node.operator)
        node = node.left
        if node.lpar:
            break
    operands.insert(0, node)
    return operands, operators


def _join(
    operands: Sequence[cst.BaseExpression],
    operators: Sequence[cst.BaseBooleanOp],
    *,
    like: cst.BaseExpression,
) -> cst.BaseExpression:
    joined = operands[0]
    for operator, operand in zip(operators, operands[1:], strict=True):
        joined = cst.BooleanOperation(left=joined, operator=operator, right=operand)
    if isinstance(like, cst.BooleanOperation):
        joined = joined.with_changes(lpar=like.lpar, rpar=like.rpar)
    return joined


def _slot(operators: Sequence[cst.BaseBooleanOp]) -> int:
    """Return the index of the operator whose right side the new operands go before."""
    code = cst.Module([]).code_for_node
    broken = [index for index, operator in enumerate(operators) if "\n" in code(operator)]
    return broken[-1] if broken else len(operators) - 1


def _model(
    operands: Sequence[cst.BaseExpression], usable: Sequence[bool], slot: int
) -> cst.Comparison:
    """Return the operand to copy quotes and subject from: the nearest to the slot."""
    for index in sorted(range(len(operands)), key=lambda index: abs(index - slot)):
        operand = operands[index]
        if (
            usable[index]
            and isinstance(operand, cst.Comparison)
            and isinstance(operand.left, cst.SimpleString)
            and len(operand.comparisons) == 1
            and isinstance(operand.comparisons[0].operator, cst.In)
        ):
            return operand
    raise NotAChain('no operand has the form "text" in subject')


def _operand(model: cst.Comparison, needle: str) -> cst.Comparison:
    text = cst.ensure_type(model.left, cst.SimpleString)
    quote = text.quote[0]
    # An r or a u is the vendor's habit; both mean the same text here.
    return cst.Comparison(
        left=cst.SimpleString(f"{text.prefix}{quote}{needle}{quote}"),
        comparisons=[cst.ComparisonTarget(cst.In(), model.comparisons[0].comparator)],
        lpar=[cst.LeftParen()] * len(model.lpar),
        rpar=[cst.RightParen()] * len(model.rpar),
    )


def _split(operator: cst.BaseBooleanOp) -> tuple[cst.BaseBooleanOp, cst.BaseBooleanOp]:
    """Return the operators before and after the new operands, made of the one that was there.

    A comment behind an operand stays behind it; one on a line of its own stays before
    the operand that it precedes.
    """
    first, second = {}, {}
    for side in ("whitespace_before", "whitespace_after"):
        blank = getattr(operator, side)
        if isinstance(blank, cst.ParenthesizedWhitespace):
            first[side] = blank.with_changes(empty_lines=[])
            second[side] = blank.with_changes(first_line=_bare(blank.first_line))
    return operator.with_changes(**first), operator.with_changes(**second)


def _plain(operator: cst.BaseBooleanOp) -> cst.BaseBooleanOp:
    """Return *operator* without its comment, for between two new operands."""
    changes = {}
    for side in ("whitespace_before", "whitespace_after"):
        blank = getattr(operator, side)
        if isinstance(blank, cst.ParenthesizedWhitespace):
            changes[side] = blank.with_changes(first_line=_bare(blank.first_line))
    return operator.with_changes(**changes)


def _bare(line: cst.TrailingWhitespace) -> cst.TrailingWhitespace:
    return line.with_changes(whitespace=cst.SimpleWhitespace(""), comment=None)


def _difference(before: str, after: str, *, shift: int) -> Insertion:
    """Return what *after* has more than *before*, which must be one piece."""
    start = sum(takewhile(bool, map(eq, before, after)))
    length = len(after) - len(before)
    if after[start + length :] != before[start:]:
        raise NotAChain("the chain could not be extended without changing what is there")
    return Insertion(start + shift, after[start : start + length])
