# SPDX-License-Identifier: Apache-2.0
"""A Python source file of the installer: bytes, text and syntax tree, in step with each other.

The tree is the standard library's :mod:`ast`: its nodes carry exact positions
from the parser, in a hundredth of the time a concrete tree needs, and reading
a decision needs no formatting. Editing is another subject
(:mod:`ngtpatch.patching.codemods`).
"""

from __future__ import annotations

import ast
import codecs
import re
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.installer.python2 import NotTranslated, original_column, translate
from ngtpatch.installer.scopes import Module

__all__ = ["MAX_SOURCE_SIZE", "PythonSource", "parse"]

#: Bytes. The largest installer file seen has some 2,000 lines; beyond this it is no installer.
MAX_SOURCE_SIZE = 4 << 20

# str.splitlines() would also split at form feeds and U+2028, which Python does not count.
_LINE_END = re.compile(r"\r\n|\r|\n")

# From the end of a test to its colon: closing brackets, blanks, comments, continuations.
_TO_COLON = re.compile(r"(?:[\s)\\]|#[^\r\n]*)*:")

_COOKIE = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.A)
_BLANK = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\f]*(?:#.*)?$")


@dataclass(frozen=True)
class PythonSource:
    """One parsed file.

    Attributes:
        path: where it lies in the image, for messages.
        bom: the byte order mark in front of it, or nothing.
        encoding: the codec named by its cookie (PEP 263), or utf-8.
        text: the decoded text without the mark, line ends as they are.
        tree: its syntax tree; of *translated*, where that is there.
        translated: the text in the syntax of Python 3, line by line, where only a Python 2
            can read the file; None otherwise.
        refused: the line at which Python 3 stops reading it, with *translated*.
    """

    path: str
    bom: bytes
    encoding: str
    text: str
    tree: ast.Module
    translated: str | None = None
    refused: int = 1

    @cached_property
    def module(self) -> Module:
        """The names of :attr:`tree`, indexed once for all who ask."""
        return Module(self.tree)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Offsets in :attr:`text` at which the lines start."""
        return (0, *(match.end() for match in _LINE_END.finditer(self.text)))

    def line(self, number: int) -> str:
        """Return line *number* (from 1) without its end."""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end].rstrip("\r\n")

    def offset(self, line: int, column: int) -> int:
        """Return the offset in :attr:`text` of an ast position (column in UTF-8 bytes).

        Raises:
            Refusal: ``shape``: the line is written otherwise in Python 3, around that place.
        """
        start = self.starts[line - 1]
        text = self.line(line)
        if self._lines is not None and self._lines[line - 1] != text:
            return start + self._original(line, text, column)
        if text.isascii():
            return start + column
        return start + len(text.encode()[:column].decode())

    @cached_property
    def _lines(self) -> list[str] | None:
        """The translation's lines."""
        return None if self.translated is None else self.translated.split("\n")

    def _original(self, line: int, text: str, column: int) -> int:
        assert self._lines is not None  # noqa: S101 - for the type checker; offset() asked
        translated = self._lines[line - 1]
        at = len(translated.encode()[:column].decode())
        found = original_column(text, translated, at)
        if found is None:
            raise Refusal(
                "shape",
                f"line {line} is written in a way of Python 2 that is not edited:\n"
                + self.excerpt(line),
                path=self.path,
                hint="the file can be read, and not changed there",
            )
        return found

    def header(self, statement: ast.If) -> tuple[int, int]:
        """Return start and end of ``if ... :`` in :attr:`text`.

        Raises:
            Refusal: as :meth:`offset`.
        """
        test = statement.test
        end = self.offset(test.end_lineno or statement.lineno, test.end_col_offset or 0)
        colon = _TO_COLON.match(self.text, end)
        assert colon is not None  # noqa: S101 - the parser saw the colon
        return self.offset(statement.lineno, statement.col_offset), colon.end()

    def excerpt(self, first: int, last: int | None = None, *, limit: int = 8) -> str:
        """Return lines *first* to *last* with their numbers, for a message."""
        last = min(last or first, len(self.starts))
        shown = range(first, min(last, first + limit - 1) + 1)
        lines = [f"{number:5d} | {self.line(number)}" for number in shown]
        if last > shown[-1]:
            lines.append(f"      | ... to line {last}")
        return "\n".join(lines)

    def encode(self, text: str) -> bytes:
        """Return *text* as this file would hold it.

        Raises:
            Refusal: ``lossy``, a character does not exist in the file's encoding.
        """
        try:
            return self.bom + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise Refusal(
                "lossy",
                f"{error.object[error.start : error.end]!r} does not exist in the file's"
                f" encoding {self.encoding}",
                path=self.path,
                hint="give the profile a needle in ASCII",
            ) from None


@lru_cache(maxsize=32)
def parse(path: str, data: bytes) -> PythonSource:
    """Read *data* as the source at *path*: as Python 3, or else as Python 2.

    Remembered: ``support`` asks the same dozen files for every profile.

    Raises:
        Refusal: ``unparsable`` (an unknown encoding, the syntax of neither, or of a Python
            that is newer than the one that runs this), ``lossy`` (the text would not turn
            back into the same bytes).
    """
    if len(data) > MAX_SOURCE_SIZE:
        raise Refusal(
            "unparsable",
            f"{len(data)} bytes are more than an installer file has (limit {MAX_SOURCE_SIZE})",
            path=path,
            hint="check that this is the vendor's file",
        )
    bom, encoding, text = _decode(path, data)
    try:
        tree = _tree(text)
    except SyntaxError as error:
        translation = translate(text)
        if isinstance(translation, NotTranslated):
            if translation.what is not None:
                raise _unfollowed(path, text, translation.what, translation.line or 1) from None
            raise _unparsable(path, text, error, translation.line) from None
        try:
            old = _tree(translation.whole)
        except SyntaxError as other:
            line = translation.line(other.lineno or 1)
            raise _unfollowed(path, text, other.msg, line) from None
        except (ValueError, RecursionError, MemoryError):
            raise _unparsable(path, text, error, None) from None
        translation.settle(old)
        return PythonSource(path, bom, encoding, text, old, translation.text, error.lineno or 1)
    except (ValueError, RecursionError, MemoryError) as error:
        raise Refusal(
            "unparsable", f"not readable as Python: {error}", path=path, hint=_DAMAGED
        ) from None
    return PythonSource(path, bom, encoding, text, tree)


_DAMAGED = "compare the file with the vendor's ISO: it looks damaged"


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings(), paused_collector():
        # "\d" in a plain string is the vendor's affair, not our user's.
        warnings.simplefilter("ignore")
        return ast.parse(text)


# Python's codecs that are made for host names and for tests.
_NOT_FOR_SOURCES = frozenset({"idna", "punycode", "undefined"})


def _decode(path: str, data: bytes) -> tuple[bytes, str, str]:
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    encoding = _cookie(data) or "utf-8"
    try:
        name = codecs.lookup(encoding).name
        if name in _NOT_FOR_SOURCES:
            raise _undecodable(path, f"{encoding} is no encoding of source files")
        text = data[len(bom) :].decode(encoding)
        same = bom + text.encode(encoding) == data
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        # What a codec raises is its own affair: punycode and idna raise plain UnicodeErrors.
        raise _undecodable(path, str(error)) from None
    if bom and name != "utf-8":
        raise _undecodable(path, f"a UTF-8 byte order mark, and a cookie that says {encoding}")
    if not same:
        raise Refusal(
            "lossy",
            f"decoding as {encoding} and encoding again gives other bytes",
            path=path,
            hint="the file would change outside the patch; it cannot be patched safely",
        )
    return bom, encoding, text


def _undecodable(path: str, why: str) -> Refusal:
    return Refusal(
        "unparsable",
        f"the text cannot be decoded: {why}",
        path=path,
        hint="a Python 2 file without a coding cookie cannot be patched safely",
    )


def _cookie(data: bytes) -> str | None:
    """Return the encoding that one of the first two lines names (PEP 263).

    Unlike :func:`tokenize.detect_encoding` this takes a first line that is not UTF-8
    itself, as the interpreter does.
    """
    for line in data.splitlines()[:2]:
        found = _COOKIE.match(line)
        if found:
            return found.group(1).decode()
        if not _BLANK.match(line):
            return None
    return None


def _unfollowed(path: str, text: str, what: str, number: int) -> Refusal:
    """Return the refusal of a Python 2 that is read, and not understood."""
    lines = _LINE_END.split(text)
    number = min(max(number, 1), len(lines))
    return Refusal(
        "unparsable",
        f"line {number} is written in a way of Python 2 that is not followed ({what}):\n"
        f"{number:5d} | {lines[number - 1]}",
        path=path,
        hint="the file is not understood, and cannot be patched",
    )


def _unparsable(path: str, text: str, error: SyntaxError, old: int | None) -> Refusal:
    """Return the refusal of what neither Python reads; *old* is the line where a Python 2 stops."""
    lines = _LINE_END.split(text)
    number = min(max(error.lineno or 1, 1), len(lines))
    found = f"{number:5d} | {lines[number - 1]}"
    newer = _newer_syntax(lines[number - 1])
    if newer is not None:
        running = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return Refusal(
            "unparsable",
            f"line {number} looks like syntax of Python {newer}, and Python {running} runs"
            f" ngtpatch ({error.msg}):\n{found}",
            path=path,
            hint=f"run ngtpatch with Python {newer} or newer",
        )
    if old is not None and old != number and 1 <= old <= len(lines):
        return Refusal(
            "unparsable",
            f"line {number} is not valid in Python 3 ({error.msg}), and line {old} not in"
            f" Python 2:\n{found}\n{old:5d} | {lines[old - 1]}",
            path=path,
            hint=_DAMAGED,
        )
    return Refusal(
        "unparsable",
        f"line {number} is valid neither in Python 3 ({error.msg}) nor in Python 2:\n{found}",
        path=path,
        hint=_DAMAGED,
    )


# What came after the oldest Python that runs ngtpatch, and when. Only a message depends on it:
# libcst would know the whole grammar, and overflows the stack on hostile nesting.
_NEWER = (
    ((3, 11), re.compile(r"\bexcept\s*\*")),
    ((3, 12), re.compile(r"^\s*type\s+\w+.*=|\b(def|class)\s+\w+\s*\[|\b[fF][rR]?[\"']")),
    ((3, 14), re.compile(r"\b[tT][rR]?[\"']")),
)


def _newer_syntax(line: str) -> str | None:
    """Return the Python whose syntax a line that this one cannot read seems to have."""
    for version, pattern in _NEWER:
        if version > sys.version_info[:2] and pattern.search(line):
            return f"{version[0]}.{version[1]}"
    return None
