# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch inject``."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ngtpatch import interrupts
from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.cli.stopping import stopping
from ngtpatch.errors import BatchError, OutputError, UsageError, VerificationError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ngtpatch.fleet.order import VmResult
    from ngtpatch.fleet.plan import FleetPlan
    from ngtpatch.fleet.run import InjectSummary
    from ngtpatch.listing import VmListing

_SHOWN = 20
STORE_TIMEOUT = 20.0  # as ngtpatch.fleet.order has it, which is not imported for --help


@options.command("ngtpatch inject ngt-el.iso --inventory vms.csv --output-dir out")
@click.argument("base", type=options.ISO)
@click.option(
    "--inventory",
    metavar="FILE",
    type=options.INPUT,
    help="The VMs: CSV, JSON, JSON Lines, `ncli ngt list`, a Prism list, or folders.",
)
@click.option(
    "--certificates",
    metavar="DIR",
    type=options.PATH,
    help="Configurations, certificates and keys by the VMs' names or UUIDs.",
)
@click.option(
    "--output-dir",
    metavar="DIR",
    type=options.PLACE,
    required=True,
    help="Where the images go: a directory, or s3://bucket/prefix.",
)
@click.option(
    "--config-only",
    is_flag=True,
    help="Small images that hold config/ alone, for guests that have NGT.",
)
@click.option(
    "--name",
    "name_template",
    metavar="TEMPLATE",
    default="{{ name }}.iso",
    show_default=True,
    help="Each image's name, as jinja2 over its row.",
)
@click.option(
    "--set",
    "sets",
    metavar="KEY=VALUE",
    multiple=True,
    help="A value of ngt_config.json, may be jinja2 over the row; may be repeated.",
)
@click.option(
    "--config-template",
    metavar="FILE",
    type=options.INPUT,
    help="A jinja2 template of ngt_config.json for VMs without a file of their own.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=options.INPUT,
    help="PEM certificates that the client certificates must chain to.",
)
@options.authority_option
@options.allow_identity_option
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many at once; by default four times the processors, at most 16.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A Dask scheduler, such as tcp://host:8786, whose workers do the work.",
)
@click.option(
    "--shard",
    metavar="K/N",
    default="1/1",
    help="Only the K-th of N parts of the inventory, by a hash of names.",
)
@click.option(
    "--whole",
    metavar="FILE",
    type=options.PATH,
    help="What only all VMs together show: written with -n, read by shards.",
)
@click.option("--resume", is_flag=True, help="Do only what is missing or stale.")
@click.option(
    "--wait",
    metavar="SECONDS",
    type=options.Seconds(0),
    default=0,
    help="How long to wait for another run on the same directory to end.",
)
@click.option(
    "--store-timeout",
    metavar="SECONDS",
    type=options.Seconds(0.1, 3600),
    default=STORE_TIMEOUT,
    show_default=True,
    help="How long an object store may say nothing; it is asked three times.",
)
@click.option(
    "--digest/--no-digest",
    default=False,
    show_default=True,
    help="Also compute the SHA-256 of each whole image.",
)
@options.prism_options
@options.force_option
@options.dry_run_option
@click.pass_obj
def command(
    console: Console, *, base: Path, inventory: Path | None, certificates: Path | None,
    output_dir: str, config_only: bool, name_template: str, sets: tuple[str, ...],
    config_template: Path | None,
    ca: Path | None, authority: Path | None, allowed: tuple[str, ...],
    jobs: int | None, scheduler: str | None, shard: str, whole: Path | None,
    resume: bool, wait: float, store_timeout: float,
    digest: bool, force: bool, dry_run: bool, prism_host: str | None,
    tls_ca: Path | None, credentials: Path | None, timeout: float,
) -> None:  # fmt: skip
    """Write one ISO per VM of an inventory, each with its own identity."""
    from ngtpatch.fleet.inject import prepare
    from ngtpatch.fleet.plan import parse_shard
    from ngtpatch.fleet.run import foreseen, run_fleet
    from ngtpatch.fleet.whole import write_whole
    from ngtpatch.fleet.whole_place import require_no_input, require_own_place
    from ngtpatch.identity.assemble import Recipe
    from ngtpatch.identity.config import parse_sets

    part = parse_shard(shard)
    if whole is not None and part == (1, 1) and not dry_run:
        raise UsageError(
            "usage", "--whole is for the shards of a run, which has none here",
            hint="-n --whole FILE writes it, --shard K/N --whole FILE reads it",
        )  # fmt: skip
    told = whole if part == (1, 1) else None
    require_no_input(
        told, (base, inventory, certificates, config_template, ca, authority, tls_ca, credentials)
    )
    vms: Path | VmListing
    if prism_host is not None and inventory is None:
        connection = options.prism_central(
            console, prism_host, tls_ca=tls_ca, credentials=credentials, timeout=timeout
        )
        from ngtpatch.prism_central import list_vms

        vms = list_vms(connection)
    elif inventory is not None and prism_host is None:
        vms = inventory
    else:
        raise UsageError("usage", "give --inventory PATH or --prism HOST", hint="not both")
    plan = prepare(
        base, vms, output_dir, certificates=certificates,
        recipe=Recipe(parse_sets(sets), *_template(config_template)), config_only=config_only,
        authority=authority, allowed=allowed,
        name_template=name_template, shard=part, whole=whole if part != (1, 1) else None,
        source=prism_host or "", ca=ca, digest=digest, force=force, remote=scheduler is not None,
        store_timeout=store_timeout,
    )  # fmt: skip
    for note in plan.notes:
        console.warn(f"{inventory or prism_host}: {note}")
    if dry_run:
        require_own_place(told, plan)
        # What is told to shards is told them also where the images of an earlier run are.
        begun = foreseen(plan, resume=resume or told is not None)
        if told is not None:
            write_whole(told, plan.whole(), force=force)
        refused = _show_plan(console, begun, told)
        # The run fails for them as well; a file for shards was asked for, and is there.
        if refused and told is None:
            raise click.exceptions.Exit(BatchError.exit_code)
        return
    at_work = threading.Event()
    with (
        _executor(scheduler) as (executor, there, manned),
        stopping(console, at_work) as stop,
        _progress(console) as report,
    ):
        summary = run_fleet(
            plan, executor=executor, jobs=jobs or there, resume=resume, wait_seconds=wait,
            stop=stop, begun=at_work, report=report, manned=manned,
        )  # fmt: skip
    _show(console, plan, summary)
    if summary.interrupted:
        raise click.exceptions.Exit(interrupts.EXIT_CODE)
    if summary.unwritable:
        raise click.exceptions.Exit(OutputError.exit_code)
    if summary.failed:
        raise click.exceptions.Exit(BatchError.exit_code)
    if plan.complete is False:
        raise click.exceptions.Exit(VerificationError.exit_code)


@contextmanager
def _executor(
    scheduler: str | None,
) -> Iterator[tuple[Executor | None, int, Callable[[], bool] | None]]:
    """Yield who does the work (None: threads of this process), how much, and if anybody does."""
    if scheduler is None:
        # Most of the time is spent waiting for fsync.
        yield None, min(16, 4 * (os.cpu_count() or 1)), None
        return
    from ngtpatch.fleet.cluster import cluster

    with cluster(scheduler) as found:
        yield found


def _template(path: Path | None) -> tuple[str | None, str]:
    if path is None:
        return None, ""
    from ngtpatch.identity.values import read_template

    return read_template(path), str(path)


def _show_plan(console: Console, plan: FleetPlan, whole: Path | None) -> int:
    """Show what a run would do; return how many VMs it would refuse."""
    from ngtpatch.fleet.inject_document import InjectPlan

    told = InjectPlan.of(plan)
    console.result(told)
    for order in told.orders:
        refused = f"  refused: {order.refused}" if order.refused else ""
        console.say(f"{order.name} -> {order.output}{refused}")
    if whole is not None:
        console.say(f"wrote    {whole}")
    wrote = "nothing" if whole is None else "no image"
    count = sum(order.refused is not None for order in told.orders)
    for one in told.unseen:
        console.say(f"not looked at: {one}")
    would = f"{told.total - count} of {told.total} VMs would get an image in {told.destination}"
    console.say(f"{would}; {wrote} was written")
    return count


def _show(console: Console, plan: FleetPlan, summary: InjectSummary) -> None:
    from ngtpatch.fleet.inject_document import InjectDocument

    told = InjectDocument.of(plan, summary)
    console.result(told)
    if summary.base_replaced:
        console.warn(
            f"{told.base}: leads to another file by now, or to none; the one that was open was "
            "used to the end, and the ledger's rows name its digest"
        )
    for name, warning in summary.warnings[:_SHOWN]:
        console.note(f"{name}: {warning}")
    if len(summary.warnings) > _SHOWN:
        console.note(f"... and {len(summary.warnings) - _SHOWN} more warnings")
    for failure in told.failures[:_SHOWN]:
        # Where several VMs have a name, their outputs tell them apart.
        named = "" if failure.output.startswith(failure.name) else f" -> {failure.output}"
        console.warn(f"{failure.name}{named}: {failure.error}")
    if summary.failed > _SHOWN:
        console.warn(f"... and {summary.failed - _SHOWN} more: see {summary.ledger}")
    _warn_of_others(console, plan, summary)
    left = summary.total - summary.written - summary.kept - summary.failed
    parts = [
        f"{count} {word}"
        for count, word in (
            (summary.written, "written"), (summary.kept, "kept"), (summary.failed, "failed"),
            (left, "not begun"),
        )
        if count or word == "written"
    ]  # fmt: skip
    vms = "VM" if summary.total == 1 else "VMs"
    console.say(
        f"{summary.total} {vms}: {', '.join(parts)}; {summary.bytes_written:,} bytes written"
    )
    console.say(f"ledger: {summary.ledger}")
    if summary.written:
        console.note("Each image carries its VM's key: mode 0600; give it to that VM alone.")
        # No wider than what was looked at: an image without a row may have anything on it.
        if not summary.shared:
            where = "inventory" if plan.compared else "shard"
            console.note(
                f"By its {where} and the ledgers there, no other VM has its ngt_uuid or "
                "certificate."
            )
        if "://" not in plan.settings.destination:
            console.next("ngtpatch", "identity", "check", Path(plan.settings.destination))
    if summary.interrupted:
        console.warn("interrupted: what was in flight is finished; --resume does the rest")


def _warn_of_others(console: Console, plan: FleetPlan, summary: InjectSummary) -> None:
    """Name the images that are there from before, and are not what the run would have made."""
    destination = plan.settings.destination
    if summary.left:
        said = "is there from before, under the name of a VM that failed: this run did not write it"
        if (more := len(summary.left) - 1) > 0:
            said = (
                f"and {more} more are there from before, under the names of VMs that failed: this"
                " run did not write them"
            )
        console.warn(f"{destination}: {summary.left[0]} {said}")
    elif summary.left is None:
        console.warn(f"{destination}: does not say if images of VMs that failed are there")
    mine = {order.output for order in plan.orders} if summary.shared else set()
    pairs: dict[tuple[str, str], list[str]] = {}
    for one in summary.shared:
        what = "ngt_uuid" if one.code == "duplicate-uuid" else "certificate"
        pairs.setdefault((one.output, one.other), []).append(what)
    for (output, other), (first, *rest) in islice(pairs.items(), _SHOWN):
        # One that the run was not to make is the same VM's, under another name.
        advice = "--resume makes it, or remove it" if other in mine else "remove it"
        also = f", and its {rest[0]}" if rest else ""
        console.warn(
            f"{output}: has the {first} that {other} has{also}: that one is there from before and"
            f" was not made anew: {advice}"
        )
    if len(pairs) > _SHOWN:
        console.warn(f"... and {len(pairs) - _SHOWN} more that share an identity")


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[VmResult, int, int], None]]:
    """Report outcomes: a bar on a terminal, plain lines elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty() or console.verbosity < 0:
        yield _lines(console)
        return
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console.bar.clear()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=RichConsole(stderr=True), transient=True) as bar:
        task = bar.add_task("VMs")

        def report(_outcome: VmResult, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


def _lines(console: Console) -> Callable[[VmResult, int, int], None]:
    def report(outcome: VmResult, done: int, total: int) -> None:
        console.detail(f"{outcome.state} {outcome.name} -> {outcome.output}")
        step = max(1, total // 10)
        if done % step == 0 or done == total:
            console.note(f"{done} of {total}")

    return report
