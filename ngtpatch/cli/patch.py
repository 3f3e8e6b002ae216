# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch patch list|show|test``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import indent

import click

from ngtpatch.cli import options
from ngtpatch.cli.completed import patch_ids
from ngtpatch.cli.output import Console
from ngtpatch.errors import Refusal, VerificationError
from ngtpatch.patching.catalogue import PatchFacts, PatchList, PatchShown
from ngtpatch.patching.examples import try_patches
from ngtpatch.patching.patch import Patch, load_patch, load_patches


@click.group(
    cls=options.Group, epilog=options.examples("ngtpatch patch list", "ngtpatch patch show factory")
)
@options.global_options
def command() -> None:
    """List, show and test patches."""


@options.command("ngtpatch patch list")
@options.patches_option
@click.pass_obj
def list_(console: Console, patch_dirs: tuple[Path, ...]) -> None:
    """List the patches, shipped and your own."""
    patches = [PatchFacts.of(patch) for patch in load_patches(patch_dirs)]
    console.result(PatchList(tuple(patches)))
    console.table(
        ["id", "what it does", "files", "examples"],
        [[one.id, one.summary, one.paths, str(len(one.examples))] for one in patches],
    )


@options.command("ngtpatch patch show factory")
@click.argument("patch", metavar="PATCH", shell_complete=patch_ids)
@options.patches_option
@click.pass_obj
def show(console: Console, patch: str, patch_dirs: tuple[Path, ...]) -> None:
    """Show one patch, by id or .toml file."""
    [found] = _chosen((patch,), patch_dirs)
    facts = PatchFacts.of(found)
    console.result(PatchShown(facts))
    console.heading(facts.id)
    console.pairs(
        [
            ("does", facts.summary),
            ("kind", facts.kind),
            ("files", ", ".join(facts.paths)),
            ("eras", ", ".join(map(str, facts.eras))),
            ("NGT versions", facts.ngt_versions or "all"),
            ("file", facts.source),
        ]
    )
    for shape in facts.shapes:
        console.say(f"  extends: {shape}")
    for example in found.examples:
        end = f"refused: {example.refused}" if example.refused else "changes"
        if example.after == example.before:
            end = "stays"
        console.say(f"  {example.title}  [{end}]")


@options.command("ngtpatch patch test")
@click.argument("patches", metavar="[PATCH]...", nargs=-1)
@options.patches_option
@click.pass_context
def test(ctx: click.Context, patches: tuple[str, ...], patch_dirs: tuple[Path, ...]) -> None:
    """Run a patch's own examples: before, after, and what it must refuse.

    PATCH is an id or a .toml file; without one, all are run. Exits 5 where an example fails.
    """
    console = ctx.find_object(Console) or Console()
    outcome = try_patches(_chosen(patches, patch_dirs))
    results = [result for patch in outcome.patches for result in patch.examples]
    failed = [result for result in results if not result.passed]
    console.result(outcome)
    for patch in outcome.patches:
        console.heading(patch.id)
        for result in patch.examples:
            console.say(f"  {'ok' if result.passed else 'FAILED'}  {result.title}")
            if result.found is not None:
                console.block(indent(result.found, " " * 6))
    console.say(f"{len(results) - len(failed)} of {len(results)} examples hold")
    if failed:
        ctx.exit(VerificationError.exit_code)


def _chosen(wanted: Sequence[str], directories: Sequence[Path]) -> tuple[Patch, ...]:
    files = tuple(load_patch(one) for one in wanted if one.endswith(".toml"))
    if wanted and len(files) == len(wanted):
        return files
    known = {patch.id: patch for patch in load_patches(directories)}
    if not wanted:
        return tuple(known.values())
    for one in wanted:
        if not one.endswith(".toml") and one not in known:
            raise Refusal(
                "unknown-patch",
                f"there is no patch {one!r}",
                hint=f"there are {', '.join(known)}; a file of your own is named by its path",
            )
    return tuple(known[one] for one in wanted if one in known) + files


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines())


command.add_command(list_, "list")
command.add_command(show, "show")
command.add_command(test, "test")
