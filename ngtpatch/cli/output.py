# SPDX-License-Identifier: Apache-2.0
"""What a person or a pipeline gets to see.

Results go to stdout, messages to stderr. With ``--json`` stdout carries exactly one
document; where an image is streamed to stdout (``-o -``) results go to stderr as well.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from ngtpatch.disclosure import printable, redacted
from ngtpatch.document import document
from ngtpatch.errors import NgtpatchError, UsageError

__all__ = ["Console", "lines"]


@dataclass
class Console:
    """Settings of the output, and the only functions that print."""

    as_json: bool = False
    color: str = "auto"
    verbosity: int = 0
    stdout_is_taken: bool = False

    def result(self, result: Any) -> None:
        """Print the one document of a command, when JSON was asked for."""
        if self.as_json:
            self._out(json.dumps(document(result), indent=2))

    def say(self, text: str = "") -> None:
        """Print a line of the result for people."""
        self._say(printable(text))

    def block(self, text: str) -> None:
        """Print several lines of the result, such as a diff."""
        self._say(lines(text.rstrip("\n")))

    def heading(self, text: str) -> None:
        """Print a line of the result in bold."""
        self._say(self._style(printable(text), bold=True))

    def pairs(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print labels and values in two columns."""
        rows = list(rows)
        width = max((len(label) for label, _ in rows), default=0)
        for label, value in rows:
            shown = self._style(f"{printable(label):<{width}}", dim=True)
            self._say(f"  {shown}  {printable(value)}")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[str | tuple[str, ...]]]
    ) -> None:
        """Print a table whose columns fit the terminal; unabridged where there is none.

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
        table = Table(
            *(escape(printable(column)) for column in columns), box=box.SIMPLE_HEAD, pad_edge=False
        )
        for row in rows:
            cells = ((cell,) if isinstance(cell, str) else cell for cell in row)
            shown = ("\n".join(map(printable, cell)) for cell in cells)
            table.add_row(*(Text(cell, overflow="fold") for cell in shown))
        stream = sys.stderr if self.stdout_is_taken else sys.stdout
        if stream is None:  # closed by the caller
            return
        width = None if stream.isatty() else 200
        console = RichConsole(
            file=stream, force_terminal=self._colored(), width=width, soft_wrap=False
        )
        console.print(table)

    def note(self, text: str) -> None:
        """Print a message that is not part of the result."""
        if self.verbosity >= 0:
            self._message(printable(text))

    def detail(self, text: str) -> None:
        """Print a message for those who asked for more (-v)."""
        if self.verbosity > 0:
            self._message(printable(text))

    def warn(self, text: str) -> None:
        """Print a message that matters even when quiet."""
        mark = self._style("ngtpatch:", fg="yellow", bold=True)
        self._message(f"{mark} {printable(text)}")

    def error(self, error: NgtpatchError, *, command: str | None) -> None:
        """Print a failure: as a message, and as a document when JSON was asked for."""
        mark = self._style("ngtpatch:", fg="red", bold=True)
        # What an error lists stands in lines of their own, and none of them begins like ours.
        self._message(f"{mark} {lines(str(error)).replace(chr(10), chr(10) + '  ')}")
        if error.hint:
            self._message(f"  {printable(error.hint)}")
        self.error_document(error, command=command)

    def traceback(self) -> None:
        """Print where the error came from that is being handled."""
        self._message(lines(traceback.format_exc()))

    def error_document(self, error: NgtpatchError, *, command: str | None) -> None:
        """Print a failure as a document, when JSON was asked for."""
        if not self.as_json or self.stdout_is_taken:
            return
        body = document(
            {
                "code": error.code,
                "path": error.path,
                "message": error.message,
                "hint": error.hint,
            }
        )
        schema = f"ngtpatch.{command}/1" if command else "ngtpatch/1"
        # What cannot be written there (a full disk, a reader gone) is why we are here, perhaps.
        with suppress(OSError):
            self._out(json.dumps({"schema": schema, "error": body}, indent=2))

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
                "an image is not written to a terminal",
                hint="redirect it, or use -o FILE",
            )
        self.stdout_is_taken = True
        return sys.stdout.buffer

    def _say(self, text: str) -> None:
        if not self.as_json and self.verbosity >= 0:
            self._out(text)

    def _message(self, text: str) -> None:
        # Where nobody can read it (the terminal is gone) work goes on all the same.
        with suppress(OSError):
            click.echo(text, err=True)

    def _out(self, text: str) -> None:
        click.echo(text, err=self.stdout_is_taken, color=self._colored() or None)

    def _style(self, text: str, **attributes: Any) -> str:
        return click.style(text, **attributes) if self._colored() else text

    def _colored(self) -> bool:
        if self.color != "auto":
            return self.color == "always"
        # click strips colour where there is no terminal, but ignores NO_COLOR (no-color.org).
        return not os.environ.get("NO_COLOR") and sys.stdout is not None and sys.stdout.isatty()


def lines(text: str) -> str:
    """Return *text* for a terminal with its own line ends and tabs, and else as printable()."""
    kept = re.split(r"([\n\t])", redacted(text))
    return "".join(part if part in ("\n", "\t") else printable(part) for part in kept)
