# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch reset``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.flow.reset import reset


@options.command("ngtpatch reset ngt-el.iso -o ngt-again.iso")
@options.iso_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=options.OUTPUT,
    help="Where to write the vendor's ISO; - streams to stdout.",
)
@click.option(
    "--base",
    metavar="ISO",
    type=options.ISO,
    help="The vendor's ISO or the directory that was rebuilt, needed where identity was scrubbed.",
)
@options.force_option
@options.dry_run_option
@click.pass_obj
def command(
    console: Console, iso: Path, output: Path, base: Path | None, force: bool, dry_run: bool
) -> None:
    """Write the vendor's ISO again, byte for byte.

    Its digest is held against the record's before it has a name. After --no-digest there is none
    to hold it against, which is said.
    """
    target = output if dry_run else console.target(output)
    assert target is not None  # noqa: S101 - the option is required
    result = reset(iso, target, base=base, force=force, dry_run=dry_run)
    console.result(result)
    if dry_run:
        console.say(f"would be written  {output}  ({result.size:,} bytes)")
    if result.output is not None:
        console.say(f"wrote    {result.output}  ({result.size:,} bytes)")
    console.say(f"sha256   {result.sha256}")
    if result.verified:
        console.say("which is the vendor's, as recorded")
    else:
        console.say("each changed range was checked; the vendor's digest was not recorded")
