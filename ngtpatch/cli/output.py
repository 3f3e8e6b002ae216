# SPDX-License-Identifier: Apache-2.0
"""What a person or a pipeline gets to see.

Results go to stdout, messages to stderr. With ``--json`` stdout carries exactly one
document; where an image is streamed to stdout (``-o -``) results go to stderr as well.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click

from ngtpatch.cli.bar import Bar
from ngtpatch.cli.wrapping import columns, joined, wrapped
from ngtpatch.disclosure import as_text, printable, redacted, shell_word
from ngtpatch.document import ErrorDocument, ErrorTold, document
from ngtpatch.errors import NgtpatchError, OutputError, UsageError
from ngtpatch.files.progress import watched
from ngtpatch.files.writing import explained

__all__ = ["Console", "lines"]

_UNBOUNDED = 10_000


@dataclass
class Console:
    """Settings of the output, and the only functions that print."""

    as_json: bool = False
    color: str = "auto"
    verbosity: int = 0
    stdout_is_taken: bool = False
    bar: Bar = field(default_factory=Bar)

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show how far passes over many bytes have come, unless told to be quiet."""
        if self.verbosity < 0:
            yield
            return
        with watched(self.bar.show):
            try:
                yield
            finally:
                self.bar.clear()

    def result(self, result: Any) -> None:
        """Print the one document of a command, when JSON was asked for."""
        if self.as_json:
            self._out(json.dumps(document(result), indent=2))

    def say(self, text: str = "") -> None:
        """Print a line of the result for people."""
        self._lines(printable(text))

    def block(self, text: str) -> None:
        """Print several lines of the result, such as a diff."""
        self._say(lines(text.rstrip("\n")))

    def file(self, text: str) -> None:
        """Print what is a file itself, as it is: for a pipe, or to be read.

        Raises:
            UsageError: ``no-stdout``: it is closed, and the file would be nowhere.
        """
        if sys.stdout is None:
            raise UsageError("no-stdout", "stdout is closed", hint="redirect it to a file")
        # As bytes, which click passes on as they are: it would take escape sequences out.
        with explained(None):
            click.echo(text.encode("utf-8"), nl=False)

    def heading(self, text: str) -> None:
        """Print a line of the result in bold."""
        self._lines(printable(text), bold=True)

    def next(self, *words: object, why: str = "") -> None:
        """Print what most people do now: a command, fit to be pasted, and what for."""
        command = [
            printable(shell_word(word if isinstance(word, Path) else str(word))) for word in words
        ]
        behind = printable(f"({why})") if why else ""
        for line in joined("next     ", command, behind, columns(self._stream())):
            self._say(line)

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print labels and values in two columns."""
        rows = list(rows)
        width = max((len(label) for label, _ in rows), default=0)
        for label, value in rows:
            self._labelled(f"{printable(label):<{width}}", printable(value))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str | tuple[str, ...]]]) -> None:
        """Print a table; where it does not fit the terminal, each row as a record of its own.

        A cell of several lines is a tuple of them.
        """
        if self.as_json or self.verbosity < 0:
            return
        from rich import box
        from rich.console import Console as RichConsole
        from rich.markup import escape
        from rich.table import Table
        from rich.text import Text

        # Text, not markup: names come from images and may hold brackets.
        stream = self._stream()
        if stream is None:  # closed by the caller
            return
        shape = box.SIMPLE_HEAD if "utf" in (stream.encoding or "").lower() else box.ASCII
        table = Table(*(escape(printable(head)) for head in heads), box=shape, pad_edge=False)
        shown = [["\n".join(map(printable, _lines_of(cell))) for cell in row] for row in rows]
        for row in shown:
            table.add_row(*(Text(cell, overflow="fold") for cell in row))
        text = io.StringIO()
        drawn = RichConsole(
            file=text, force_terminal=self._colored(stream), width=_UNBOUNDED, soft_wrap=False
        )
        width = columns(stream)
        if width is not None and drawn.measure(table).maximum > width:
            self._records(heads, shown)
            return
        drawn.print(table)
        # What pads the last column is of no use to who reads it, or to a pipe.
        for line in text.getvalue().splitlines():
            self._out(line.rstrip())

    def _records(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print each row as lines of column and value, its first cell above them."""
        width = max(map(len, heads))
        for first, *rest in rows:
            self.heading(first)
            for head, cell in zip(heads[1:], rest, strict=True):
                for number, line in enumerate(cell.split("\n") if cell else ()):
                    self._labelled(f"{'' if number else head:<{width}}", line)

    def _labelled(self, label: str, value: str) -> None:
        """Print a value beside its label, and below itself where the terminal is narrow."""
        first, *rest = wrapped(f"  {label}  {value}", columns(self._stream()))
        self._say(f"  {self._style(label, dim=True)}{first[2 + len(label) :]}")
        for line in rest:
            self._say(line)

    def note(self, text: str) -> None:
        """Print a message that is not part of the result."""
        if self.verbosity >= 0:
            self._message("\n".join(wrapped(printable(text), columns(sys.stderr))))

    def detail(self, text: str) -> None:
        """Print a message for those who asked for more (-v)."""
        if self.verbosity > 0:
            self._message("\n".join(wrapped(printable(text), columns(sys.stderr))))

    def warn(self, text: str) -> None:
        """Print a message that matters even when quiet."""
        self._message(self._marked("yellow", printable(text)))

    def error(self, error: NgtpatchError, *, command: str | None) -> None:
        """Print a failure: as a message, and as a document when JSON was asked for."""
        # What an error lists stands in lines of their own, and none of them begins like ours.
        self._message(self._marked("red", lines(str(error)).replace("\n", "\n  ")))
        if error.hint:
            told = wrapped(f"  {printable(error.hint)}", columns(sys.stderr), hang=2)
            self._message("\n".join(told))
        self.error_document(error, command=command)

    def traceback(self) -> None:
        """Print where the error came from that is being handled."""
        self._message(lines(traceback.format_exc()))

    def error_document(self, error: NgtpatchError, *, command: str | None) -> None:
        """Print a failure as a document, when JSON was asked for."""
        if not self.as_json or self.stdout_is_taken:
            return
        path, hint = (text and as_text(text) for text in (error.path, error.hint))
        told = ErrorTold(error.code, path, as_text(error.message), hint)
        schema = f"ngtpatch.{command}/1" if command else "ngtpatch/1"
        # What cannot be written there (a full disk, a reader gone) is why we are here, perhaps.
        with suppress(OSError, OutputError):
            self._out(json.dumps(document(ErrorDocument(schema, told)), indent=2))

    def target(self, output: Path | None) -> Path | BinaryIO | None:
        """Return where an image goes: a file, or for ``-`` stdout, which is taken then.

        Raises:
            UsageError: ``terminal``: it would go to a terminal; ``no-stdout``: it is closed.
        """
        if output is None or str(output) != "-":
            return output
        if sys.stdout is None:
            raise UsageError("no-stdout", "stdout is closed", hint="redirect it, or use -o FILE")
        if sys.stdout.isatty():
            raise UsageError(
                "terminal",
                "the output is not written to a terminal",
                hint="redirect it, or use -o FILE",
            )
        self.stdout_is_taken = True
        return sys.stdout.buffer

    def _say(self, text: str) -> None:
        if not self.as_json and self.verbosity >= 0:
            self._out(text)

    def _lines(self, text: str, **attributes: Any) -> None:
        """Print a line of the result, in several where the terminal is narrow."""
        for line in wrapped(text, columns(self._stream())):
            self._say(self._style(line, **attributes) if attributes else line)

    def _message(self, text: str) -> None:
        self.bar.clear()
        # Where nobody can read it (the terminal is gone) work goes on all the same.
        with suppress(OSError):
            click.echo(text, err=True, color=self._colored(sys.stderr) or None)

    def _out(self, text: str) -> None:
        self.bar.clear()
        with explained(None):
            click.echo(text, err=self.stdout_is_taken, color=self._colored(self._stream()) or None)

    def _stream(self) -> TextIO | None:
        """Return where the result goes."""
        return sys.stderr if self.stdout_is_taken else sys.stdout

    def _style(self, text: str, **attributes: Any) -> str:
        return click.style(text, **attributes) if self._colored(self._stream()) else text

    def _marked(self, color: str, text: str) -> str:
        """Return a message that matters as it is shown, beginning with whose it is."""
        name = "ngtpatch:"
        first, *more = f"{name} {text}".split("\n")
        width = columns(sys.stderr)
        told = wrapped(first, width, hang=2)
        told += [line for one in more for line in wrapped(one, width)]
        shown = "\n".join(told)
        if self._colored(sys.stderr):
            return click.style(name, fg=color, bold=True) + shown.removeprefix(name)
        return shown

    def _colored(self, stream: TextIO | None) -> bool:
        if self.color != "auto":
            return self.color == "always"
        # click strips colour where there is no terminal, but ignores NO_COLOR (no-color.org), and
        # that a dumb terminal shows the codes as they are.
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        return not plain and stream is not None and stream.isatty()


def _lines_of(cell: str | tuple[str, ...]) -> tuple[str, ...]:
    return (cell,) if isinstance(cell, str) else cell


def lines(text: str) -> str:
    """Return *text* for a terminal with its own line ends and tabs, and else as printable()."""
    kept = re.split(r"([\n\t])", redacted(text))
    return "".join(part if part in ("\n", "\t") else printable(part) for part in kept)
