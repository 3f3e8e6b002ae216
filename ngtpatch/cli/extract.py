# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch extract``."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console, printable
from ngtpatch.errors import InputError, Refusal, UsageError
from ngtpatch.files.atomic import new_file
from ngtpatch.flow.opened import open_source


@dataclass(frozen=True)
class Extracted:
    """The document of ``ngtpatch extract``.

    Attributes:
        source: as it was named.
        path: of the file, in the image.
        size: in bytes.
        output: the file that was written; None for stdout, where the document gives way.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.extract/1"

    source: str
    path: str
    size: int
    output: str | None


@options.command()
@options.iso_argument
@click.argument("path")
@options.output_option
@options.force_option
@click.pass_obj
def command(console: Console, iso: Path, path: str, output: Path | None, force: bool) -> None:
    """Copy one file out of an ISO.

    PATH is as `ngtpatch ls` shows it. Without -o the file goes to stdout.
    """
    from ngtpatch.files.wellknown import KEY

    path = path.strip("/")
    with open_source(iso) as source:
        if path not in source.tree:
            raise InputError(
                "no-such-entry",
                f"holds no file {path}",
                path=str(iso),
                hint=f"list what it holds with: ngtpatch ls {iso}",
            )
        with source.tree.open(path) as stream:
            if output is None or str(output) == "-":
                if path == KEY:
                    raise Refusal(
                        "secret",
                        f"{path} is a private key and is not printed",
                        path=str(iso),
                        hint="write it to a file of mode 0600 with -o FILE",
                    )
                if sys.stdout is None:
                    raise UsageError("no-stdout", "stdout is closed", hint="use -o FILE")
                console.stdout_is_taken = True
                shutil.copyfileobj(stream, sys.stdout.buffer, 1 << 20)
                sys.stdout.buffer.flush()
                output = None
            else:
                with new_file(output, force=force, mode=0o600 if path == KEY else 0o644) as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
        size = source.tree.size(path)
    console.result(Extracted(str(iso), path, size, None if output is None else str(output)))
    if output is not None:
        console.note(printable(f"{path} -> {output}"))
