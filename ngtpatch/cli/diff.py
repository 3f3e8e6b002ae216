# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch diff``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.flow.diff import diff


@options.command("ngtpatch diff ngt.iso ngt-el.iso")
@click.argument("a", type=options.ISO)
@click.argument("b", type=options.ISO)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when they differ, as diff(1) does.")
@click.option("--text/--no-text", default=True, help="Show the unified diff of changed text.")
@click.pass_context
def command(ctx: click.Context, a: Path, b: Path, exit_code: bool, text: bool) -> None:
    """Show what differs between two ISOs or unpacked trees.

    Names, contents and metadata are compared, in each tree; bytes that belong to no entry are not
    (verify --base compares those).
    """
    console = ctx.ensure_object(Console)
    found = diff(a, b, text=text)
    console.result(found)
    for path in found.removed:
        console.say(f"removed  {path}")
    for path in found.added:
        console.say(f"added    {path}")
    for change in found.changed:
        where = f"  [{', '.join(change.trees)}]" if change.trees != found.trees else ""
        console.say(f"changed  {change.path}: {', '.join(change.what)}{where}")
        if change.diff:
            console.block(change.diff)
    for kind, trees in (("removed", found.trees_removed), ("added", found.trees_added)):
        for tree in trees:
            console.say(f"{kind}  the whole {tree} tree")
    if found.volume_ids is not None:
        before, after = found.volume_ids
        console.say(f"changed  volume identifier: {before} -> {after}")
    if found.same:
        console.say("no entry differs")
    elif exit_code:
        ctx.exit(1)
