# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch extract``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import InputError, Refusal
from ngtpatch.newfile import new_file
from ngtpatch.source import open_source


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
    from ngtpatch.identity.paths import KEY  # noqa: PLC0415

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
                shutil.copyfileobj(stream, sys.stdout.buffer, 1 << 20)
                return
            with new_file(output, force=force, mode=0o600 if path == KEY else 0o644) as file:
                shutil.copyfileobj(stream, file, 1 << 20)
    console.note(f"{path} -> {output}")
