# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch verify``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console, printable
from ngtpatch.errors import VerificationError
from ngtpatch.verification import Verification, verify


@options.command()
@options.iso_argument
@click.option(
    "--base",
    metavar="ISO",
    type=click.Path(path_type=Path),
    help="The ISO it was made from: exactly the recorded entries may differ.",
)
@click.pass_context
def command(ctx: click.Context, iso: Path, base: Path | None) -> None:
    """Check an ISO, and that it differs from its base only as recorded."""
    console = ctx.ensure_object(Console)
    result = verify(iso, base=base)
    console.result(result)
    report(console, result)
    if not result.ok:
        ctx.exit(VerificationError.exit_code)


def report(console: Console, result: Verification) -> None:
    """Print what was found, for people."""
    trees = ", ".join(result.trees)
    console.say(f"structure   {len(result.problems) or 'no'} faults; trees: {trees}")
    for problem in result.problems:
        place = "" if problem.offset is None else f" at byte {problem.offset}"
        console.say(f"  {problem.code}{place}: {printable(problem.message)}")
    console.say(f"record      {printable(result.record)}")
    if result.base is not None:
        beyond = [d for d in result.deviations if not d.expected]
        recorded = len(
            {d.path for d in result.deviations if d.expected and d.tree == _first(result)}
        )
        console.say(
            f"base        {recorded} entries differ as recorded, {len(beyond) or 'none'} beyond; "
            f"{result.entries} compared"
        )
        for deviation in result.deviations:
            mark = "  recorded " if deviation.expected else "  BEYOND   "
            console.say(
                f"{mark} {deviation.tree:<10} {printable(deviation.path)}: "
                f"{', '.join(deviation.what)}"
            )
    console.heading("verified" if result.ok else "NOT verified")


def _first(result: Verification) -> str:
    return next(t for t in ("rock_ridge", "joliet", "udf", "iso9660") if t in result.trees)
