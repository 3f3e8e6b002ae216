# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch report``."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import VerificationError
from ngtpatch.files.wellknown import WARN_DAYS
from ngtpatch.provenance.documents import STATEMENT_SUFFIX


@options.command("ngtpatch report out/ledger.jsonl -o fleet.html")
@click.argument("source", metavar="BASE|DOCUMENT|LEDGER", type=options.INPUT)
@click.argument("out", metavar="[OUT]", type=options.ISO, required=False)
@options.output_option
@click.option(
    "--key",
    metavar="FILE",
    type=options.INPUT,
    help="The public key (PEM) that must have signed the statement beside OUT.",
)
@options.distro_option
@click.option(
    "--images/--no-images",
    default=True,
    show_default=True,
    help="Of a ledger: open each image beside it for its certificate.",
)
@click.option(
    "--warn-days",
    metavar="N",
    type=click.IntRange(min=0),
    default=WARN_DAYS,
    show_default=True,
    help="Of a ledger: warn of certificates that end within so many days.",
)
@options.accept_option
@options.force_option
@options.dry_run_option
@options.profiles_option
@options.patches_option
@click.pass_context
def command(
    ctx: click.Context,
    source: Path,
    out: Path | None,
    output: Path | None,
    key: Path | None,
    distros: tuple[str, ...],
    images: bool,
    warn_days: int,
    accept_unproven: tuple[str, ...],
    force: bool,
    dry_run: bool,
    profile_dirs: tuple[Path, ...],
    patch_dirs: tuple[Path, ...],
) -> None:
    """Write one HTML page about an ISO and its base, or about a fleet.

    Two ISOs (ngtpatch report BASE OUT -o HTML), what 'ngtpatch --json rebuild' printed, or a
    ledger of 'ngtpatch inject' (or its directory). Without --distro OUT has to accept what its
    record names. The page loads nothing. Exits 5 when what it is about is not verified or needs
    attention; the page is written then, too.
    """
    from ngtpatch.report import Asked, report

    console = ctx.ensure_object(Console)
    target: Path | BinaryIO | None = output
    if output is not None and str(output) == "-" and not dry_run:
        target = console.target(output)
    elif output is not None and str(output) == "-":
        target = None
    result = report(
        source,
        out,
        output=target,
        force=force,
        dry_run=dry_run,
        asked=Asked(distros, key, profile_dirs, patch_dirs, accept_unproven),
        images=images,
        warn_days=warn_days,
    )
    console.result(result)
    for one in result.unseen:
        console.detail(f"not looked at: {one}")
    console.say(f"{result.about:<8} {result.verdict}")
    what = "would be written" if dry_run else "wrote   "
    where = output if output is not None else "a page"
    console.say(f"{what} {where}  ({result.size:,} bytes)")
    if result.output is not None:
        page = Path(result.output)
        console.next("xdg-open", page, why="or in any browser: it loads nothing from a network")
    if not result.ok and out is not None:
        named = options.said_again(
            distros=distros, profile_dirs=profile_dirs, patch_dirs=patch_dirs,
            accept_unproven=accept_unproven,
        )  # fmt: skip
        if key is not None:
            named += ["--key", str(key)]
        elif out.with_name(out.name + STATEMENT_SUFFIX).is_file():
            named.append("--provenance")
        console.next("ngtpatch", "verify", out, "--base", source, *named, why="says what is wrong")
    if not result.ok:
        ctx.exit(VerificationError.exit_code)
