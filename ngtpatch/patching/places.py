# SPDX-License-Identifier: Apache-2.0
"""Where a file could be given one more text: the places around a literal, innermost first.

A literal that decides stands in a row: an operand of ``or``, an entry of a tuple, list or set,
a key of a dictionary, an argument, an alternative of a pattern, a word of a longer text; or it
stands in something that stands in a row: a line of a table, a statement, a decorator. Each such
row can be given one more element, made of the one that is there. Which of them decides, and for
whom, is not found here: that is executed (:mod:`ngtpatch.patching.seeking`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.insertion import Insertion
from ngtpatch.patching.literals import Literal
from ngtpatch.patching.neighbours import (
    Span,
    after_last,
    among,
    at_end,
    before_only,
    literal_like,
    realigned,
)

__all__ = ["SHAPES", "Extension", "places_of"]

SHAPES = {
    "operand": "one more operand of or (of and, where each is negated)",
    "lone test": "a test of its own, which becomes an operand",
    "entry": "one more entry of a tuple, list or set, also of a constant",
    "key": "one more key of a dictionary, with the value that the kin's has",
    "row": "one more row of a table, like the kin's",
    "argument": "one more argument of a call",
    "keyword": "one more keyword argument, like the kin's",
    "pattern": "one more alternative of a case",
    "word": "one more word of a text that is split or searched",
    "statement": "one more statement, like the one that registers the kin",
    "decorator": "one more decorator, like the one that registers the kin",
}
"""What can be extended, and how it is said."""

_Row = ast.Tuple | ast.List | ast.Set
_MAX_PATTERN = 400


@dataclass(frozen=True)
class Extension:
    """A row with one more element: what could be inserted.

    Attributes:
        source: the file.
        shape: what it is; a key of :data:`SHAPES`.
        key: equal for two places that are the same row.
        line: where it is, in the file.
        insertions: what would be inserted.
        texts: the texts in it that are new.
        row: the node that is extended.
    """

    source: PythonSource = field(compare=False, repr=False)
    shape: str
    key: tuple[str, str, int, int]
    line: int
    insertions: tuple[Insertion, ...]
    texts: tuple[str, ...]
    row: ast.AST = field(compare=False)


def places_of(
    source: PythonSource,
    literal: Literal,
    texts: Sequence[str],
    *,
    inside: str | None = None,
    last: Callable[[ast.AST], bool] = lambda _: False,
) -> Iterator[Extension]:
    """Yield where *texts* could go beside *literal*, innermost first.

    Args:
        source: the file.
        literal: what stands there.
        texts: of printable ASCII, without quotes and backslashes.
        inside: the word of the literal beside which they go, where it is a text of words.
        last: whether a row's new element has to be its last.
    """
    maker = _Maker(source, literal, texts, last)
    if inside is not None:
        yield from maker.within(inside)
    else:
        yield from maker.around()


class _Maker:
    """The places around one literal."""

    def __init__(
        self,
        source: PythonSource,
        literal: Literal,
        texts: Sequence[str],
        last: Callable[[ast.AST], bool],
    ) -> None:
        self._source, self._literal, self._texts = source, literal, texts
        self._last = last
        self._parents = parents_of(source.tree)
        self._own = self._span(literal.node)

    # Text -----------------------------------------------------------------------------------

    def _span(self, node: ast.AST) -> Span:
        """Return where *node* stands. Raises Refusal: as PythonSource.offset."""
        source = self._source
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword | ast.pattern)  # noqa: S101
        return (
            source.offset(node.lineno, node.col_offset),
            source.offset(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def _copies(self, span: Span, *, aligned: bool = False) -> list[str] | None:
        """Return what stands at *span* with each of the texts in the literal's place."""
        text = self._source.text
        before, behind = text[span[0] : self._own[0]], text[self._own[1] : span[1]]
        if "#" in before or "#" in behind:
            return None
        old = text[self._own[0] : self._own[1]]
        copies = []
        for one in self._texts:
            if isinstance(self._literal.node, ast.keyword):
                # The name is what is compared; it starts the keyword.
                if not one.isidentifier():
                    return None
                copies.append(before + one + old[len(self._literal.text) :] + behind)
                continue
            made = self._written(old, one)
            rest = realigned(behind, len(old), len(made)) if aligned else behind
            copies.append(before + made + rest)
        return copies

    def _written(self, old: str, text: str) -> str:
        if self._literal.plain:
            return literal_like(old, text)
        quotes = re.findall(r"[^\w'\"](['\"])(?!\1)", self._source.text)
        single = quotes.count("'") > quotes.count('"')
        return literal_like("'" if single else '"', text)

    def _place(
        self, shape: str, row: ast.AST, *insertions: Insertion | None
    ) -> Iterator[Extension]:
        made = tuple(one for one in insertions if one is not None)
        if len(made) == len(insertions):
            line, column = getattr(row, "lineno", 1), getattr(row, "col_offset", 0)
            # A statement of one expression starts where this does.
            kind = "row" if shape in ("entry", "row", "argument") else shape
            key = (self._source.path, kind, line, column)
            yield Extension(self._source, shape, key, line, made, tuple(self._texts), row)

    # Rows -----------------------------------------------------------------------------------

    def around(self) -> Iterator[Extension]:
        """Yield the places around the literal, innermost first."""
        node: ast.AST = self._literal.node
        tested = False
        while (parent := self._parents.get(node)) is not None:
            try:
                match parent:
                    case ast.Tuple() | ast.List() | ast.Set() if isinstance(node, ast.expr):
                        yield from self._entry(parent, node)
                    case ast.Dict() if any(node is key for key in parent.keys):
                        yield from self._key(parent, node)
                    case ast.MatchValue():
                        yield from self._pattern(parent)
                    case ast.Call():
                        yield from self._argument(parent, node)
                if not tested and isinstance(node, ast.Compare | ast.Call | ast.BinOp):
                    tested = True
                    yield from self._test(node, parent)
                if isinstance(parent, ast.stmt):
                    yield from self._statement(parent, node)
                    return
            except Refusal:
                pass  # a line of Python 2 that is written otherwise in Python 3
            node = parent

    def _entry(self, row: _Row, node: ast.expr) -> Iterator[Extension]:
        spans = [self._span(one) for one in row.elts]
        at = next(index for index, one in enumerate(row.elts) if one is node)
        direct = node is self._literal.node
        new = self._copies(spans[at], aligned=not direct and _in_columns(row.elts))
        if new is None:
            return
        shape = "entry" if direct else "row"
        opened = self._span(row)[0]
        opened += self._source.text[opened : opened + 1] in "([{"
        yield from self._place(shape, row, *self._within(row, spans, at, opened, new))

    def _within(
        self, row: ast.AST, spans: Sequence[Span], at: int, opened: int, new: Sequence[str]
    ) -> tuple[Insertion | None, ...]:
        """Return the insertion beside the element *at*, or where others may not be moved."""
        if at_end_of := self._last(row) and at_end(self._source.text, spans, new):
            return at_end_of
        return (self._beside(spans, at, opened, new),)

    def _beside(
        self, spans: Sequence[Span], at: int, opened: int, new: Sequence[str]
    ) -> Insertion | None:
        """Return the insertion behind the element *at*, or else before it."""
        text = self._source.text
        found = None
        if at + 1 < len(spans):
            found = among(text, spans, at + 1, new)
        if found is None and at:
            found = among(text, spans, at, new)
        return found or before_only(text, opened, spans[0], new)

    def _key(self, row: ast.Dict, node: ast.AST) -> Iterator[Extension]:
        if any(key is None for key in row.keys):
            return
        keys = [key for key in row.keys if key is not None]
        spans = [
            (self._span(key)[0], self._span(value)[1])
            for key, value in zip(keys, row.values, strict=True)
        ]
        at = next(index for index, key in enumerate(keys) if key is node)
        aligned = len({key.end_lineno for key in keys}) > 1 and _columns(
            [(key.end_col_offset or 0, value.col_offset)
             for key, value in zip(keys, row.values, strict=True)]
        )  # fmt: skip
        new = self._copies(spans[at], aligned=aligned)
        if new is not None:
            opened = self._span(row)[0] + 1
            yield from self._place("key", row, *self._within(row, spans, at, opened, new))

    def _argument(self, call: ast.Call, node: ast.AST) -> Iterator[Extension]:
        span: Span
        if isinstance(node, ast.keyword):
            if node is not self._literal.node:
                return
            spans = [self._span(one) for one in (*call.args, *call.keywords)]
            at = len(call.args) + next(i for i, one in enumerate(call.keywords) if one is node)
            shape = "keyword"
        elif any(node is one for one in call.args):
            spans = [self._span(one) for one in call.args]
            at = next(index for index, one in enumerate(call.args) if one is node)
            shape = "argument"
        else:
            return
        span = spans[at]
        new = self._copies(span)
        if new is not None:
            opened = self._source.text.index("(", self._span(call.func)[1]) + 1
            yield from self._place(shape, call, self._beside(spans, at, opened, new))

    def _pattern(self, value: ast.MatchValue) -> Iterator[Extension]:
        parent = self._parents.get(value)
        new = self._copies(self._span(value))
        if new is None:
            return
        if not isinstance(parent, ast.MatchOr):
            found: Insertion | None = after_last(self._span(value), "|", new)
            yield from self._place("pattern", value, found)
            return
        spans = [self._span(one) for one in parent.patterns]
        at = next(index for index, one in enumerate(parent.patterns) if one is value)
        found = among(self._source.text, spans, max(at, 1), new)
        yield from self._place("pattern", parent, found)

    # Tests ----------------------------------------------------------------------------------

    def _test(self, node: ast.expr, parent: ast.AST) -> Iterator[Extension]:
        """Yield the operand that the literal's comparison is, or becomes."""
        while isinstance(parent, ast.Compare) or (
            isinstance(parent, ast.Call | ast.Attribute) and _is_function(parent, node)
        ):
            node, parent = parent, self._parents[parent]
        if isinstance(parent, ast.Attribute | ast.BinOp | ast.Starred | ast.Subscript | ast.Expr):
            return
        negated = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn | ast.NotEq)
        if (
            isinstance(parent, ast.UnaryOp)
            and isinstance(parent.op, ast.Not)
            and isinstance(self._parents.get(parent), ast.BoolOp)
            and isinstance(getattr(self._parents[parent], "op", None), ast.And)
        ):
            yield from self._operand(self._parents[parent], parent, "and")
        # x.find(...) == -1 is negated and not written so: what is meant is found by trying.
        for operator in ("and", "or") if negated else ("or", "and"):
            yield from self._operand(parent, node, operator)

    def _operand(self, parent: ast.AST, node: ast.expr, operator: str) -> Iterator[Extension]:
        span = self._span(node)
        new = self._copies(span)
        if new is None:
            return
        kind = ast.And if operator == "and" else ast.Or
        if isinstance(parent, ast.BoolOp) and isinstance(parent.op, kind):
            spans = [self._span(one) for one in parent.values]
            at = next(index for index, one in enumerate(parent.values) if one is node)
            for slot in dict.fromkeys((self._slot(spans), min(at + 1, len(spans) - 1), at)):
                if slot and (found := among(self._source.text, spans, slot, new)):
                    yield from self._place("operand", parent, found)
            yield from self._place("operand", parent, after_last(span, operator, new))
            return
        last = after_last(span, operator, new)
        binds = isinstance(parent, ast.UnaryOp) or (
            isinstance(parent, ast.BoolOp) and operator == "or"
        )
        if not binds or self._is_bracketed(span):
            yield from self._place("lone test", node, last)
            return
        closed = Insertion(last.offset, f"{last.text})")
        yield from self._place("lone test", node, Insertion(span[0], "("), closed)

    def _slot(self, spans: Sequence[Span]) -> int:
        """Return the operand to go before: the last that starts a line of its own, or the last."""
        text = self._source.text
        broken = [
            at for at in range(1, len(spans)) if "\n" in text[spans[at - 1][1] : spans[at][0]]
        ]
        return broken[-1] if broken else len(spans) - 1

    def _is_bracketed(self, span: Span) -> bool:
        text = self._source.text
        return text[: span[0]].rstrip().endswith("(") and text[span[1] :].lstrip().startswith(")")

    # Statements -----------------------------------------------------------------------------

    def _statement(self, statement: ast.stmt, node: ast.AST) -> Iterator[Extension]:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            if node in statement.decorator_list and isinstance(node, ast.expr):
                yield from self._line("decorator", node, self._span(node), mark="@")
            return
        registers = isinstance(statement, ast.Expr) or (
            isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript)
        )
        if registers:
            yield from self._line("statement", statement, self._span(statement))

    def _line(self, shape: str, node: ast.AST, span: Span, mark: str = "") -> Iterator[Extension]:
        """Yield the place below a statement, or a decorator, that has its lines for itself."""
        text = self._source.text
        start = self._source.starts[getattr(node, "lineno", 1) - 1]
        indent = text[start : span[0]]
        if indent.replace(mark, "", 1).strip() if mark else indent.strip():
            return
        end = re.compile(r"[ \t]*(#[^\r\n]*)?(?=[\r\n]|\Z)").match(text, span[1])
        newline = re.search(r"\r\n|\r|\n", text)
        new = self._copies(span)
        if end is None or newline is None or new is None:
            return
        lines = "".join(f"{newline[0]}{indent}{one}" for one in new)
        yield from self._place(shape, node, Insertion(end.end(), lines))

    # Words ----------------------------------------------------------------------------------

    def within(self, word: str) -> Iterator[Extension]:
        """Yield the place beside a word of the literal, where it is one literal of words."""
        text = self._source.text[self._own[0] : self._own[1]]
        if not self._literal.plain or text.count(word) != 1:
            return
        found = re.fullmatch(r"([A-Za-z]{0,2})('''|\"\"\"|'|\")(.*)\2", text, re.S)
        if found is None or set(found[1].lower()) - set("rub"):
            return
        inner = found[3]
        at = inner.index(word)
        before = re.search(r"[\s,;|:/]+\Z", inner[:at])
        behind = re.match(r"[\s,;|:/]+", inner[at + len(word) :])
        # A blank at the end of the text separates nothing.
        if behind is not None and at + len(word) + behind.end() == len(inner):
            behind = None
        if before is not None and before.end() - len(before[0]) == 0:
            before = None
        if before is None and behind is None:
            return
        separator = behind[0] if behind is not None else before[0] if before is not None else ""
        added = "".join(separator + one for one in self._texts)
        offset = self._own[0] + found.start(3) + at + len(word)
        yield from self._place("word", self._literal.node, Insertion(offset, added))


def _is_function(parent: ast.AST, node: ast.AST) -> bool:
    """Tell whether *node* is what is called, or asked for an attribute; no argument of it."""
    return not isinstance(parent, ast.Call) or parent.func is node


def _in_columns(rows: Sequence[ast.expr]) -> bool:
    pairs = [
        (row.elts[0].end_col_offset or 0, row.elts[1].col_offset)
        for row in rows
        if isinstance(row, ast.Tuple | ast.List) and len(row.elts) > 1
    ]
    return len({row.lineno for row in rows}) > 1 and _columns(pairs)


def _columns(pairs: Sequence[tuple[int, int]]) -> bool:
    """Tell whether what follows starts in one column, behind texts of different lengths."""
    return len({end for end, _ in pairs}) > 1 and len({start for _, start in pairs}) == 1


@lru_cache(maxsize=4)
def parents_of(tree: ast.Module) -> Mapping[ast.AST, ast.AST]:
    """Return what each node of a file stands in."""
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
