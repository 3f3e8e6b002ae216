# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import VerificationError
from ngtpatch.files.bounded import STDIN
from ngtpatch.files.wellknown import WARN_DAYS
from ngtpatch.provenance.documents import STATEMENT_SUFFIX

if TYPE_CHECKING:
    from ngtpatch.report import Asked, ReportResult


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
    record names and has a profile here; the others are named under "not looked at". The page loads
    nothing. Exits 5 when what it is about is not verified or needs attention; the page is written
    then, too.
    """
    from ngtpatch.report import Asked, report

    console = ctx.ensure_object(Console)
    target: Path | BinaryIO | None = output
    if output is not None and str(output) == "-" and not dry_run:
        target = console.target(output)
    elif output is not None and str(output) == "-":
        target = None
    asked = Asked(distros, key, profile_dirs, patch_dirs, accept_unproven)
    result = report(
        source,
        out,
        output=target,
        force=force,
        dry_run=dry_run,
        asked=asked,
        images=images,
        warn_days=warn_days,
    )
    console.result(result)
    for one in result.unseen:
        console.detail(f"not looked at: {one}")
    console.say(f"{result.about:<8} {result.verdict}")
    for code, message in result.problems:
        console.say(f"  {code}: {message}")
    what = "would be written" if dry_run else "wrote   "
    where = output if output is not None else "a page"
    console.say(f"{what} {where}  ({result.size:,} bytes)")
    if result.output is not None:
        page = Path(result.output)
        console.next("xdg-open", page, why="or in any browser: it loads nothing from a network")
    if not result.ok and result.image is not None:
        _next(console, result, asked, document=source)
    if not result.ok:
        ctx.exit(VerificationError.exit_code)


def _next(console: Console, result: ReportResult, asked: Asked, *, document: Path) -> None:
    """Name the command that shows what is wrong: with all that the verdict rests on."""
    base, image = Path(str(result.base)), Path(str(result.image))
    if result.verdict == "not-as-stated" and "sums" in dict(result.problems):
        console.next("sha256sum", image, why="SHA256SUMS beside it says another")
        return
    named = options.said_again(
        distros=result.has_to_accept, profile_dirs=asked.profile_dirs,
        patch_dirs=asked.patch_dirs, accept_unproven=asked.accept_unproven,
    )  # fmt: skip
    if asked.key is not None:
        named += ["--key", "-" if asked.key == STDIN else str(asked.key)]
    if result.verdict == "not-as-stated":
        words = ("report", base, image, *named, "-o", "image.html")
        console.next("ngtpatch", *words, why="if the image that is there now is meant")
        return
    if image.is_dir():
        named += ["--document", str(document)]
    elif asked.key is None and image.with_name(image.name + STATEMENT_SUFFIX).is_file():
        named.append("--provenance")
    console.next("ngtpatch", "verify", image, "--base", base, *named, why="says what is wrong")
