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
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ngtpatch.errors import Refusal
from ngtpatch.installer.collector import paused_collector
from ngtpatch.installer.scopes import Module

__all__ = ["MAX_SOURCE_SIZE", "PythonSource", "parse"]

#: Bytes. The largest installer file seen has some 2,000 lines; beyond this it is no installer.
MAX_SOURCE_SIZE = 4 << 20

# str.splitlines() would also split at form feeds and U+2028, which Python does not count.
_LINE_END = re.compile(r"\r\n|\r|\n")

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
        tree: its syntax tree.
    """

    path: str
    bom: bytes
    encoding: str
    text: str
    tree: ast.Module

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
        """Return the offset in :attr:`text` of an ast position (column in UTF-8 bytes)."""
        start = self.starts[line - 1]
        text = self.line(line)
        if text.isascii():
            return start + column
        return start + len(text.encode()[:column].decode())

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
    """Read *data* as the Python 3 source at *path*.

    Remembered: ``support`` asks the same dozen files for every profile.

    Raises:
        Refusal: ``unparsable`` (Python 2-only syntax, an unknown encoding, not Python at
            all), ``lossy`` (the text would not turn back into the same bytes).
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
        raise _unparsable(path, text, error) from None
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


def _unparsable(path: str, text: str, error: SyntaxError) -> Refusal:
    lines = _LINE_END.split(text)
    number = min(max(error.lineno or 1, 1), len(lines))
    found = f"{number:5d} | {lines[number - 1]}"
    return Refusal(
        "unparsable",
        f"line {number} is not valid Python 3 ({error.msg}):\n{found}",
        path=path,
        hint="Python 2-only syntax cannot be patched; this installer also needs a Python 2"
        " in the guest",
    )
