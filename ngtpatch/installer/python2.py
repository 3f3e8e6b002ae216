# SPDX-License-Identifier: Apache-2.0
"""Sources that only a Python 2 reads, written as Python 3 would write them, line by line.

fissix carries on lib2to3 with its grammar of Python 2. Of the parsers measured it is the one
that also turns what it read into text for :mod:`ast`: 378 KB of real files in 0.6 s, where
tree-sitter-python, faster, gives a tree of its own that all that reads decisions would have
to be written for again. What is found in the translation is edited in the original: a line
that came out as it was is where it was.
"""

from __future__ import annotations

import functools
import logging
import re
import warnings
from typing import Any

__all__ = ["original_column", "translate"]

# Those that keep the number of lines. fix_unicode would rename what need not be renamed.
_FIXERS = ("except", "exec", "has_key", "ne", "numliterals", "print", "raise", "repr")
_LITERAL = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2\Z", re.S)
_TABBED = re.compile(r"^[ \f]*\t[ \t\f]*", re.M)
_UNICODE_LITERALS = re.compile(r"^from\s+__future__\s+import\b.*\bunicode_literals\b", re.M)
# What a str of Python 2 has no escapes for, and one of Python 3 has.
_RUN = re.compile(r"(\\+)(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|['\"])?")
_ESCAPE = re.compile(r"\\(.)", re.S)


def translate(text: str) -> str | None:
    """Return the source *text* of Python 2 with the syntax of Python 3, with as many lines.

    The meaning is the same where :mod:`ast` and what reads it look: operands, names, branches.
    None where it is no Python 2, or cannot be written so.
    """
    fixers = _fixers()
    lines = text.count("\n") + text.count("\r")
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = fixers.refactor_string(source if source.endswith("\n") else source + "\n", "")
            if tree is None:
                return None
            _mend_literals(tree, plain=_UNICODE_LITERALS.search(source) is None)
            result = str(tree)
    # fissix raises what its parser, its tokenizer and its fixers happen to raise.
    except Exception:
        return None
    result = _TABBED.sub(lambda found: found[0].expandtabs(8), result)
    if lines and result.count("\n") < source.count("\n"):
        return None
    return result


def original_column(original: str, translated: str, column: int) -> int | None:
    """Return where a column, in characters, of a *translated* line is in the *original* one.

    None where the line was changed both before and behind it.
    """
    changed = {pair for pair in zip(original, translated, strict=False) if pair[0] != pair[1]}
    if len(original) == len(translated) and changed <= {("b", "u"), ("B", "u")}:
        return column  # prefixes of literals, one for one
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
    return refactor.RefactoringTool([f"fissix.fixes.fix_{name}" for name in _FIXERS])


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
