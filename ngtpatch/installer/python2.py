# SPDX-License-Identifier: Apache-2.0
"""Sources that only a Python 2 reads, written as Python 3 would write them, line by line.

fissix carries on lib2to3 with its grammar of Python 2. Of the parsers measured it is the one
that also turns what it read into text for :mod:`ast`: 378 KB of real files in 0.6 s, where
tree-sitter-python, faster, gives a tree of its own that all that reads decisions would have
to be written for again. What is found in the translation is edited in the original: a line
that came out as it was is where it was.
"""

from __future__ import annotations

import ast
import functools
import logging
import re
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from ngtpatch.installer.python2_trees import INSERTED, RENAMED, NotFollowed, mend, renamed

__all__ = ["NotTranslated", "Translation", "original_column", "translate"]

# Those that keep the number of lines. fix_unicode would rename what need not be renamed.
_FIXERS = ("except", "exec", "has_key", "ne", "numliterals", "print", "raise", "repr")
_LITERAL = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2\Z", re.S)
_TABBED = re.compile(r"^[ \f]*\t[ \t\f]*", re.M)
_UNICODE_LITERALS = re.compile(r"^from\s+__future__\s+import\b.*\bunicode_literals\b", re.M)
# What is written otherwise in as many characters: prefixes, ``<>`` as ``!=``, names.
_ALIKE = {
    *(("b", "u"), ("B", "u"), ("<", "!"), (">", "=")),
    *((one[-1], other[-1]) for one, other in RENAMED.items()),
}
# What a str of Python 2 has no escapes for, and one of Python 3 has.
_RUN = re.compile(r"(\\+)(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|['\"])?")
_ESCAPE = re.compile(r"\\(.)", re.S)


@dataclass(frozen=True)
class Translation:
    """A source of Python 2 in the syntax of Python 3.

    Attributes:
        text: with as many lines as the source.
        whole: what is parsed: *text*, and lines between that take apart a tuple of a header.
        inserted: the numbers of those lines, from 1.
    """

    text: str
    whole: str
    inserted: tuple[int, ...]

    def line(self, number: int) -> int:
        """Return which line of the source line *number* of :attr:`whole` belongs to."""
        return number - bisect_right(self.inserted, number)

    def settle(self, tree: ast.Module) -> None:
        """Give the nodes of :attr:`whole` the lines that they have in the source."""
        for node in ast.walk(tree) if self.inserted else ():
            for name in ("lineno", "end_lineno"):
                if (number := getattr(node, name, None)) is not None:
                    setattr(node, name, self.line(number))


@dataclass(frozen=True)
class NotTranslated:
    """What is not Python 2, or not to be written as Python 3.

    Attributes:
        line: the one that is the cause, where it is known.
        what: what that has of Python 2; None where it is no Python 2.
    """

    line: int | None
    what: str | None = None


def translate(text: str) -> Translation | NotTranslated:
    """Return the source *text* of Python 2 with the syntax of Python 3.

    The meaning is the same where :mod:`ast` and what reads it look: operands, names, branches.
    """
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    source = source if source.endswith("\n") else source + "\n"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _fixers().refactor_string(renamed(source), "")
            if tree is None:
                return NotTranslated(None)
            _mend_literals(tree, plain=_UNICODE_LITERALS.search(source) is None)
            result = str(tree)
    except NotFollowed as error:
        return NotTranslated(error.line, error.what)
    # fissix raises what its parser, its tokenizer and its fixers happen to raise.
    except Exception as error:
        return NotTranslated(_line_of(error))
    whole = _TABBED.sub(lambda found: found[0].expandtabs(8), result)
    lines = whole.split("\n")
    inserted = [number for number, line in enumerate(lines, 1) if INSERTED.fullmatch(line)]
    kept = [line for line in lines if not INSERTED.fullmatch(line)]
    if len(kept) != source.count("\n") + 1:
        return NotTranslated(None)
    return Translation("\n".join(kept), whole, tuple(inserted))


def _line_of(error: Exception) -> int | None:
    """Return the line that fissix's parser or tokenizer stopped at."""
    where = getattr(error, "context", None)
    place = where[1] if where else next(iter(error.args[1:2]), None)
    line = place[0] if isinstance(place, tuple) and place else getattr(error, "lineno", None)
    return line if isinstance(line, int) else None


def original_column(original: str, translated: str, column: int) -> int | None:
    """Return where a column, in characters, of a *translated* line is in the *original* one.

    None where the line was changed both before and behind it.
    """
    changed = {pair for pair in zip(original, translated, strict=False) if pair[0] != pair[1]}
    if len(original) == len(translated) and changed <= _ALIKE:
        return column
    if original[:column] == translated[:column]:
        return column
    behind = len(translated) - column
    if behind <= len(original) and original[len(original) - behind :] == translated[column:]:
        return len(original) - behind
    return None


@functools.cache
def _fixers() -> Any:
    # Deferred: it costs a tenth of a second, and few files need it.
    from fissix import refactor  # type: ignore[import-untyped]

    logging.getLogger("RefactoringTool").setLevel(logging.CRITICAL)

    class Tool(refactor.RefactoringTool):  # type: ignore[misc]
        def refactor_tree(self, tree: Any, name: str) -> Any:
            mend(tree)
            return super().refactor_tree(tree, name)

    return Tool([f"fissix.fixes.fix_{name}" for name in _FIXERS])


def _unraw(found: re.Match[str]) -> str:
    """Return backslashes of a raw literal, and what they may escape, as a plain one has them."""
    run, escaped = found[1], found[2] or ""
    if escaped[:1] in ("u", "U") and len(run) % 2:
        return run[1:] * 2 + "\\" + escaped
    return run * 2 + ("\\" + escaped if escaped in ("'", '"') else escaped)


def _mend_literals(tree: Any, *, plain: bool) -> None:
    """Write each literal so that Python 3 reads the text that Python 2 did."""
    from fissix.pgen2 import token  # type: ignore[import-untyped]

    for leaf in tree.leaves():
        if leaf.type != token.STRING:
            continue
        found = _LITERAL.fullmatch(leaf.value)
        if found is None:
            continue
        prefix, quote, body = found[1], found[2], found[3]
        kind = prefix.lower()
        if kind == "ur":
            # Raw, but for \uXXXX: that is no kind of literal of Python 3.
            if r"\u" in body.lower():
                mended = _RUN.sub(_unraw, body)
                leaf.value = f"{prefix[0]}{quote}{mended}{quote}"
            else:
                leaf.value = f"{prefix[1]}{quote}{body}{quote}"
        elif kind == "b" and body.isascii() and "\\" not in body:
            # Its other kind of text; a prefix as long keeps the columns.
            leaf.value = f"u{quote}{body}{quote}"
        elif kind == "" and plain:
            mended = _ESCAPE.sub(
                lambda escape: "\\" + escape[0] if escape[1] in "NuU" else escape[0], body
            )
            leaf.value = f"{quote}{mended}{quote}"
