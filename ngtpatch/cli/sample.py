# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch sample``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import UsageError


@options.command("ngtpatch sample -o ngt.iso")
@options.output_option
@click.option(
    "--era",
    type=click.Choice(["1", "2", "3"]),
    default="2",
    show_default=True,
    help="Which installer to model: 1.x, 2.x, or 3.x and newer.",
)
@click.option(
    "--payload",
    metavar="SIZE",
    type=options.size,
    default=0,
    help="Add a file of noise, such as 600M, as the Windows half would be.",
)
@click.option("--udf", is_flag=True, help="Write a UDF tree as well.")
@click.option(
    "--seed",
    metavar="TEXT",
    help="Derive the identity from TEXT. With SOURCE_DATE_EPOCH: the same image each time.",
)
@options.force_option
@options.dry_run_option
@click.pass_obj
def command(
    console: Console,
    output: Path | None,
    era: str,
    payload: int,
    udf: bool,
    seed: str | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Write a synthetic NGT ISO to try things on.

    It is of ngtpatch's own making and holds nothing of the vendor's. Its installer runs:

    \b
      cd installer/linux
      UNIXCONFDIR=GUEST/etc NGT_SAMPLE_ROOT=DIR python3 install_ngt.py
    """
    if output is None or str(output) == "-":
        raise UsageError(
            "no-output",
            "a sample is written to a file",
            hint="name it with -o FILE",
        )
    from ngtpatch.sample import write_sample

    sample = write_sample(
        output, era=int(era), payload=payload, udf=udf, force=force, dry_run=dry_run, seed=seed
    )
    console.result(sample)
    said = f"a sample of NGT {sample.ngt_version} (era {sample.era})"
    if dry_run:
        console.say(f"would be written  {output}  ({said})")
    else:
        console.say(f"{sample.output}: {said}, {sample.size:,} bytes")
