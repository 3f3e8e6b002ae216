# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch verify``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import VerificationError
from ngtpatch.files.bounded import STDIN
from ngtpatch.flow.remarks import REMARKS
from ngtpatch.flow.verify import verify
from ngtpatch.provenance import ProvenanceVerification, Verified, verify_provenance


@options.command("ngtpatch verify ngt-el.iso --base ngt.iso")
@options.iso_argument
@click.option(
    "--base",
    metavar="ISO",
    type=options.ISO,
    help="The vendor's ISO that it was made from, which no rebuild has changed: every byte outside"
    " the recorded regions has to be as there.",
)
@options.distro_option
@click.option(
    "--document",
    metavar="FILE",
    type=options.INPUT,
    help="For a directory that --output-tree wrote: what 'rebuild --json' printed.",
)
@click.option(
    "--provenance",
    is_flag=True,
    help="Also check it against the statement and the SHA256SUMS beside it.",
)
@click.option(
    "--key",
    metavar="FILE",
    type=options.INPUT,
    help="The public key (PEM) that must have signed the statement; implies --provenance.",
)
@options.accept_option
@options.profiles_option
@options.patches_option
@click.pass_context
def command(
    ctx: click.Context,
    iso: Path,
    base: Path | None,
    distros: tuple[str, ...],
    document: Path | None,
    provenance: bool,
    key: Path | None,
    accept_unproven: tuple[str, ...],
    profile_dirs: tuple[Path, ...],
    patch_dirs: tuple[Path, ...],
) -> None:
    """Account for every byte of an ISO, against its base or by its record.

    With --base every byte outside the recorded regions is compared with it. Without, what was
    done is undone in memory, and the digest that the record names is looked for; the record is
    not signed, provenance is (--key).
    """
    console = ctx.ensure_object(Console)
    image = verify(
        iso,
        base=base,
        distros=distros,
        document=document,
        profile_dirs=profile_dirs,
        patch_dirs=patch_dirs,
        accept_unproven=accept_unproven,
    )
    stated = None
    if provenance or key is not None:
        stated = verify_provenance(iso, key=key, base=base)
    result = Verified.of(image, stated)
    console.result(result)
    report(console, result, key=key)
    if not result.ok:
        ctx.exit(VerificationError.exit_code)


def report(console: Console, result: Verified, *, key: Path | None = None) -> None:
    """Print what was found, for people."""
    faults = [problem for problem in result.problems if problem.counts]
    console.say(f"trees       {', '.join(result.trees)}: {result.entries:,} entries")
    console.say(f"record      {result.record}")
    for one in result.recorded:
        inside = f"  in {one.within}" if one.within else ""
        hidden = "  (identity)" if one.identity else ""
        console.say(f"  {one.kind:<8} {one.path}{inside}{hidden}")
    for problem in result.problems:
        mild = "" if problem.counts else "  [a quirk, or the vendor's own]"
        if problem.code in REMARKS and not problem.counts:
            mild = "  [no fault of structure]"
        elif problem.code == "uncertain":
            mild = ""
        console.say(f"  {problem.code}: {problem.message}{mild}")
    for sentence in result.sentences():
        console.say(f"  {sentence}")
    if result.provenance is not None:
        _provenance(console, result.provenance, key=key)
    if faults and result.error is not None and result.error.hint:
        console.say(f"next        {result.error.hint}")
    console.heading(_verdict(result))


def _verdict(result: Verified) -> str:
    if result.ok:
        return result.verdict
    if result.verdict == "not-verified" or (result.provenance and not result.provenance.ok):
        return "NOT verified"
    return f"NOT accepted: {result.verdict}, but not seen to accept what was asked for"


def _provenance(console: Console, stated: ProvenanceVerification, *, key: Path | None) -> None:
    if stated.source is not None:
        console.say(f"made from   {stated.source}, sha256 {stated.source_sha256}")
    given = "the key on standard input" if key == STDIN else key
    not_seen = "not checked: no --key" if key is None else f"none by {given} was seen to be valid"
    signed = f"by {stated.signed_by}" if stated.signed_by else not_seen
    console.say(f"signature   {signed}")
    for code, problem in stated.problems:
        console.say(f"  {code}: {problem}")
    for one in stated.unseen:
        console.say(f"  not looked at: {one}")
