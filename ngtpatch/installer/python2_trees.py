# SPDX-License-Identifier: Apache-2.0
"""What fissix reads of Python 2, and its fixers do not write for Python 3 line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

__all__ = ["INSERTED", "RENAMED", "NotFollowed", "mend", "renamed"]

#: Names of Python 2 that are keywords of Python 3. Another of the same length keeps columns.
RENAMED = {"nonlocal": "nonlocaL", "async": "asynC", "await": "awaiT"}

_MADE_UP = "ngtpatch_made_up"
#: A line that is in the translation alone: it takes apart what Python 2 does in a header.
INSERTED = re.compile(rf"[ \t\f]*\S.* = {_MADE_UP}\d+(?:\.args)?")
_OCTAL = re.compile(r"0[0-7]+[lL]")


class NotFollowed(Exception):
    """Python 2 that is not written as Python 3: the line, and what it is."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


def renamed(source: str) -> str:
    """Return *source* with the keys of :data:`RENAMED` as other names.

    Raises NotFollowed, and what fissix's tokenizer happens to raise.
    """
    for name in (_MADE_UP, *RENAMED.values()):
        if name in source:
            raise NotFollowed(source.count("\n", 0, source.index(name)) + 1, f"the name {name}")
    if not any(name in source for name in RENAMED):
        return source
    from fissix.pgen2 import token, tokenize  # type: ignore[import-untyped]

    lines = source.splitlines(keepends=True)
    for kind, text, (row, column), _, _ in tokenize.generate_tokens(iter([*lines, ""]).__next__):
        if kind in (token.NAME, token.ASYNC, token.AWAIT) and text in RENAMED:
            line = lines[row - 1]
            if line.lstrip().startswith(("import ", "from ")):
                # By another name it would be another module, or none.
                raise NotFollowed(row, f"an import of {text}")
            lines[row - 1] = line[:column] + RENAMED[text] + line[column + len(text) :]
    return "".join(lines)


def mend(tree: Any) -> None:
    """Write octal longs, bare iterables and tuples in headers as Python 3 does."""
    from fissix.fixer_util import syms  # type: ignore[import-untyped]
    from fissix.pgen2 import token

    names = (f"{_MADE_UP}{number}" for number in count())
    for node in [*tree.post_order()]:
        if node.type == token.NUMBER and _OCTAL.fullmatch(node.value):
            node.value = f"0o{node.value[1:-1]}"
            node.changed()
        elif node.type == syms.testlist_safe:
            _enclose(node)
        elif node.type == syms.lambdef and len(node.children) > 3:
            _unfold_lambda(node, names, syms.vfpdef)
        elif node.type == syms.funcdef:
            parameters = next(child for child in node.children if child.type == syms.parameters)
            found = _replaced(parameters.children[1:-1], names, syms.tfpdef)
            _insert(node.children[-1], [f"{text} = {name}" for text, name in found])
        elif node.type == syms.except_clause and len(node.children) == 4:
            _unfold_except(node, names)


def _enclose(node: Any) -> None:
    """Put parentheses around what a comprehension goes through: ``for x in 1, 2``."""
    from fissix.fixer_util import LParen, RParen

    opening = LParen()
    opening.prefix, node.prefix = node.prefix, ""
    node.insert_child(0, opening)
    node.append_child(RParen())


def _replaced(parameters: Sequence[Any], names: Iterator[str], kind: int) -> list[tuple[str, str]]:
    """Give each tuple among *parameters* a name; return the tuples' text with these."""
    from fissix.fixer_util import Name

    found = []
    for one in parameters:
        listed = [one] if one.type == kind else [*one.children]
        for child in [child for child in listed if child.type == kind]:
            found.append((_text(child), next(names)))
            child.replace(Name(found[-1][1], prefix=child.prefix))
    return found


def _text(node: Any) -> str:
    text = str(node).strip()
    if "\n" in text:
        raise NotFollowed(node.get_lineno(), "a tuple of several lines in a header")
    return text


def _unfold_lambda(node: Any, names: Iterator[str], kind: int) -> None:
    """Write ``lambda (k, v): v`` as ``lambda t: (lambda k, v: v)(*t)``; inner ones come first."""
    from fissix import pytree  # type: ignore[import-untyped]
    from fissix.fixer_util import syms
    from fissix.pgen2 import token

    for text, name in _replaced([node.children[1]], names, kind):
        inner = text[1:-1].strip()
        if "(" in inner:
            raise NotFollowed(node.get_lineno(), "a tuple in a tuple of a lambda's parameters")
        star = "*" if "," in inner else ""
        body = node.children[-1]
        kept = body.clone()
        opening = pytree.Leaf(token.LPAR, f"(lambda {inner}:", prefix=" ")
        closing = pytree.Leaf(token.RPAR, f")({star}{name})")
        kept.prefix = kept.prefix or " "
        body.replace(pytree.Node(syms.atom, [opening, kept, closing]))
    node.children[1].prefix = node.children[1].prefix or " "


def _unfold_except(clause: Any, names: Iterator[str]) -> None:
    """Write ``except E, (a, b):`` with a name, and a line that takes it apart."""
    from fissix.fixer_util import Name, is_list, is_tuple
    from fissix.pgen2 import token

    target = clause.children[3]
    if clause.children[2].value != "," or target.type == token.NAME:
        return
    name, text = next(names), _text(target)
    args = ".args" if is_tuple(target) or is_list(target) else ""
    target.replace(Name(name, prefix=" "))
    _insert(clause.next_sibling.next_sibling, [f"{text} = {name}{args}"])


def _insert(suite: Any, statements: Sequence[str]) -> None:
    """Put *statements* in front of a suite: lines of their own, or on its header's line."""
    from fissix.pgen2 import token

    if not statements:
        return
    indent = next((leaf for leaf in suite.children if leaf.type == token.INDENT), None)
    if indent is None:
        suite.prefix = " " + "; ".join([*statements, suite.prefix.lstrip()])
        return
    blank = indent.value
    indent.value = "".join(f"{blank}{one}\n" for one in statements) + blank
