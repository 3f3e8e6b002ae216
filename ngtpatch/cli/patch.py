# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch patch list|show|test``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console, printable
from ngtpatch.errors import Refusal, VerificationError
from ngtpatch.patching.examples import ExampleResult, run_examples
from ngtpatch.patching.patch import Patch, load_patch, load_patches


@dataclass(frozen=True)
class PatchFacts:
    """One patch: what it changes, and where."""

    id: str
    summary: str
    kind: str
    paths: tuple[str, ...]
    eras: tuple[int, ...]
    ngt_versions: str
    examples: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class PatchList:
    """The document of ``ngtpatch patch list``."""

    SCHEMA: ClassVar[str] = "ngtpatch.patch-list/1"

    patches: tuple[PatchFacts, ...]


@dataclass(frozen=True)
class PatchShown:
    """The document of ``ngtpatch patch show``."""

    SCHEMA: ClassVar[str] = "ngtpatch.patch-show/1"

    patch: PatchFacts


@dataclass(frozen=True)
class PatchTried:
    """A patch, and how its own examples went."""

    id: str
    source: str
    examples: tuple[ExampleResult, ...]


@dataclass(frozen=True)
class PatchTest:
    """The document of ``ngtpatch patch test``."""

    SCHEMA: ClassVar[str] = "ngtpatch.patch-test/1"

    passed: bool
    patches: tuple[PatchTried, ...]


@click.group()
@options.global_options
def command() -> None:
    """List, show and test patches."""


@options.command()
@options.patches_option
@click.pass_obj
def list_(console: Console, patch_dirs: tuple[Path, ...]) -> None:
    """List the patches, shipped and your own."""
    patches = [_facts(patch) for patch in load_patches(patch_dirs)]
    console.result(PatchList(tuple(patches)))
    console.table(
        ["id", "what it does", "files", "examples"],
        [
            [one.id, printable(one.summary), ", ".join(one.paths), str(len(one.examples))]
            for one in patches
        ],
    )


@options.command()
@click.argument("patch", metavar="PATCH")
@options.patches_option
@click.pass_obj
def show(console: Console, patch: str, patch_dirs: tuple[Path, ...]) -> None:
    """Show one patch, by id or .toml file."""
    [found] = _chosen((patch,), patch_dirs)
    facts = _facts(found)
    console.result(PatchShown(facts))
    console.heading(facts.id)
    console.pairs(
        [
            ("does", printable(facts.summary)),
            ("kind", facts.kind),
            ("files", ", ".join(map(printable, facts.paths))),
            ("eras", ", ".join(map(str, facts.eras))),
            ("NGT versions", printable(facts.ngt_versions or "all")),
            ("file", printable(facts.source)),
        ]
    )
    for example in found.examples:
        end = f"refused: {example.refused}" if example.refused else "changes"
        if example.after == example.before:
            end = "stays"
        console.say(f"  {printable(example.title)}  [{end}]")


@options.command()
@click.argument("patches", metavar="[PATCH]...", nargs=-1)
@options.patches_option
@click.pass_context
def test(ctx: click.Context, patches: tuple[str, ...], patch_dirs: tuple[Path, ...]) -> None:
    """Run a patch's own examples: before, after, and what it must refuse.

    PATCH is an id or a .toml file; without one, all are run. Exits 5 where an example fails.
    """
    console = ctx.find_object(Console) or Console()
    tried = tuple(
        PatchTried(patch.id, patch.source, run_examples(patch))
        for patch in _chosen(patches, patch_dirs)
    )
    results = [result for patch in tried for result in patch.examples]
    failed = [result for result in results if not result.passed]
    console.result(PatchTest(not failed, tried))
    for patch in tried:
        console.heading(patch.id)
        for result in patch.examples:
            console.say(f"  {'ok' if result.passed else 'FAILED'}  {printable(result.title)}")
            if result.found is not None:
                console.say("\n".join(f"      {line}" for line in _lines(result.found)))
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


def _facts(patch: Patch) -> PatchFacts:
    return PatchFacts(
        id=patch.id,
        summary=patch.summary,
        kind=patch.kind,
        paths=patch.paths,
        eras=patch.eras,
        ngt_versions=patch.ngt_versions,
        examples=tuple(example.title for example in patch.examples),
        source=patch.source,
    )


def _lines(text: str) -> Iterator[str]:
    return (printable(line) for line in text.splitlines())


command.add_command(list_, "list")
command.add_command(show, "show")
command.add_command(test, "test")
