# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch ls``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.flow.entry_list import list_entries
from ngtpatch.iso.read.entry import TREES


@options.command("ngtpatch ls ngt.iso")
@options.iso_argument
@click.option(
    "--tree",
    type=click.Choice(TREES),
    help="The tree to list; by default the most expressive one that the image has.",
)
@click.pass_obj
def command(console: Console, iso: Path, tree: str | None) -> None:
    """List the entries of an ISO."""
    listing = list_entries(iso, tree=tree)
    console.result(listing)
    entries = listing.entries
    width = max((len(str(entry.size)) for entry in entries), default=0)
    for entry in entries:
        owner = "" if entry.uid is None else f"{entry.uid:>5} {entry.gid:>5} "
        target = f" -> {entry.target}" if entry.target else ""
        console.say(
            f"{entry.mode or '?' * 10} {owner}{entry.size:>{width}} {entry.mtime or '-':<20} "
            f"{entry.path}{target}"
        )
