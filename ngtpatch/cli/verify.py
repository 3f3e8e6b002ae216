# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch verify``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.disclosure import printable
from ngtpatch.errors import VerificationError
from ngtpatch.flow.remarks import REMARKS
from ngtpatch.flow.verify import verify
from ngtpatch.iso.read.entry import preferred_tree
from ngtpatch.provenance import ProvenanceVerification, Verified, verify_stated


@options.command()
@options.iso_argument
@click.option(
    "--base",
    metavar="ISO",
    type=options.PATH,
    help="The ISO it was made from: exactly the recorded entries may differ.",
)
@click.option(
    "--provenance",
    is_flag=True,
    help="Hold it against the statement and the SHA256SUMS beside it, too.",
)
@click.option(
    "--key",
    metavar="FILE",
    type=options.PATH,
    help="The ed25519 public key (PEM) that must have signed the statement; implies --provenance.",
)
@click.pass_context
def command(
    ctx: click.Context, iso: Path, base: Path | None, provenance: bool, key: Path | None
) -> None:
    """Check an ISO, and that it differs from its base only as recorded."""
    console = ctx.ensure_object(Console)
    if provenance or key is not None:
        result = verify_stated(iso, key=key, base=base)
    else:
        result = Verified.of(verify(iso, base=base))
    console.result(result)
    report(console, result)
    if not result.ok:
        ctx.exit(VerificationError.exit_code)


def report(console: Console, result: Verified) -> None:
    """Print what was found, for people."""
    trees = ", ".join(result.trees)
    faults = sum(problem.counts for problem in result.problems)
    console.say(f"structure   {faults or 'no'} faults; trees: {trees}")
    for problem in result.problems:
        place = "" if problem.offset is None else f" at byte {problem.offset}"
        mild = "" if problem.counts else "  [a quirk, or the vendor's own]"
        if problem.code in REMARKS and not problem.counts:
            mild = "  [no fault of structure]"
        console.say(f"  {problem.code}{place}: {printable(problem.message)}{mild}")
    console.say(f"record      {printable(result.record)}")
    if result.base is not None:
        beyond = [d for d in result.deviations if not d.expected]
        recorded = len(
            {
                d.path
                for d in result.deviations
                if d.expected and d.tree == preferred_tree(result.trees)
            }
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
    if result.provenance is not None:
        _provenance(console, result.provenance)
    console.heading("verified" if result.ok else "NOT verified")


def _provenance(console: Console, stated: ProvenanceVerification) -> None:
    if stated.source is not None:
        console.say(f"made from   {printable(stated.source)}, sha256 {stated.source_sha256}")
    signed = f"by {stated.signed_by}" if stated.signed_by else "not checked: no --key, or not valid"
    console.say(f"signature   {printable(signed)}")
    for code, problem in stated.problems:
        console.say(f"  {code}: {printable(problem)}")
