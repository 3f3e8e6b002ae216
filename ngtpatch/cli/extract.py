# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch extract``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console, lines
from ngtpatch.errors import UsageError
from ngtpatch.flow.extract import extract


@options.command("ngtpatch extract ngt.iso installer/linux/install_ngt.py -o install_ngt.py")
@options.iso_argument
@click.argument("path")
@options.output_option
@options.force_option
@options.dry_run_option
@click.option(
    "--allow-identity",
    is_flag=True,
    help="Write a file that holds a private key, too: with -o, readable by you alone (0600).",
)
@click.pass_obj
def command(
    console: Console, *, iso: Path, path: str, output: Path | None, force: bool, dry_run: bool,
    allow_identity: bool,
) -> None:  # fmt: skip
    """Copy one file out of an ISO.

    PATH is as `ngtpatch ls` shows it. Without -o the file goes to stdout. It is searched for
    private keys first; what is compressed in it is not looked into.
    """
    path = path.strip("/")
    to_stdout = output is None or str(output) == "-"
    target = _Stdout(console) if output is None or to_stdout else output
    result = extract(iso, path, target, force=force, allow_identity=allow_identity, dry_run=dry_run)
    if isinstance(target, _Stdout) and not dry_run:
        target.close()
    console.result(result)
    if dry_run:
        console.say(
            f"would be written  {'to stdout' if to_stdout else output}  ({result.size:,} bytes)"
        )
    if result.output is not None:
        console.note(f"{path} -> {result.output}")


class _Stdout:
    """Stdout, which is taken from the first byte on: what fails before is a document there."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, data: bytes) -> int:
        """Write *data*. Raises UsageError ``no-stdout``."""
        if sys.stdout is None:
            raise UsageError("no-stdout", "stdout is closed", hint="use -o FILE")
        self._console.stdout_is_taken = True
        if sys.stdout.isatty():
            click.echo(lines(data.decode("utf-8", "replace")), nl=False)
            return len(data)
        return sys.stdout.buffer.write(data)

    def close(self) -> None:
        """Flush it. Even an empty file was the output: what is told of it goes elsewhere."""
        self.write(b"")
        sys.stdout.buffer.flush()
