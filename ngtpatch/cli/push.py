# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch push``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from ngtpatch import interrupts
from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.cli.stopping import stopping
from ngtpatch.errors import BatchError, UsageError

if TYPE_CHECKING:
    from ngtpatch.prism_central import Connection
    from ngtpatch.prism_central.owner import Owner
    from ngtpatch.prism_central.push import Pushed, PushOptions
    from ngtpatch.prism_central.push_fleet import FleetPushed, VmPushed
    from ngtpatch.prism_central.push_journal import PushJournal
    from ngtpatch.prism_central.pushed_iso import Disc

_DONE = {
    "stored": "the image is in the library",
    "attached": "the disc is in the drive",
    "kept": "nothing needed: the disc was in the drive already",
    "ejected": "ejected, and seen to be gone",
    "nothing": "nothing needed: no NGT disc was found in a drive",
    "planned": "nothing was changed",
}


@options.command(
    "ngtpatch push ngt-el.iso --prism pc.example.com --vm web1",
    "ngtpatch push --eject --vm web1 --prism pc.example.com",
)
@click.argument("iso", required=False, type=options.ISO)
@options.prism_options
@click.option(
    "--vm", "named", metavar="NAME|UUID",
    help="Put the disc into an empty CD-ROM drive of this VM.",
)  # fmt: skip
@click.option("--eject", is_flag=True, help="Only eject NGT's discs from the VM, and look.")
@click.option("--replace", is_flag=True, help="Eject an NGT disc that is in a drive first.")
@click.option(
    "--delete-after", is_flag=True,
    help="Delete the image when the disc is in the drive, if this command created it.",
)  # fmt: skip
@click.option(
    "--from-url", metavar="URL",
    help="Prism Central downloads the ISO from there; ISO is the same file here.",
)  # fmt: skip
@click.option(
    "--ledger", metavar="FILE", type=options.PATH,
    help="inject's ledger.jsonl: without ISO, each VM in it gets its image; with ISO, it says"
    " whose it is.",
)  # fmt: skip
@click.option(
    "--inventory", metavar="PATH", type=options.INPUT,
    help="Says whose an ISO with identity is, and which UUIDs the VMs have.",
)  # fmt: skip
@click.option(
    "--cluster", "clusters", metavar="UUID", multiple=True,
    help="Where the image is to be; may be repeated. [default: the VM's cluster]",
)  # fmt: skip
@click.option(
    "--wait", metavar="SECONDS", type=options.Seconds(1), default=900, show_default=True,
    help="How long to wait for each task of Prism Central.",
)  # fmt: skip
@click.option(
    "-j", "--jobs", metavar="N", type=click.IntRange(1, 32), default=4, show_default=True,
    help="How many VMs of a ledger at once.",
)  # fmt: skip
@options.dry_run_option
@click.pass_obj
def command(
    console: Console, *, iso: Path | None, prism_host: str | None, tls_ca: Path | None,
    credentials: Path | None, timeout: float, named: str | None, eject: bool, replace: bool,
    delete_after: bool, from_url: str | None, ledger: Path | None, inventory: Path | None,
    clusters: tuple[str, ...], wait: float, jobs: int, dry_run: bool,
) -> None:  # fmt: skip
    """Put an ISO into Prism Central's image library and into a VM's CD-ROM drive.

    An image of this name and checksum that is there is used. An ISO with identity goes to its VM
    alone, named by --inventory or --ledger, and its image is taken out of the library again.
    Run again after it was stopped anywhere, the command ends in the same state.
    """
    if prism_host is None:
        raise UsageError("usage", "--prism HOST is missing", hint="ngtpatch push --help")
    fleet = iso is None and ledger is not None
    after = replace or delete_after
    _check_usage(iso, named, ledger, from_url, eject=eject, fleet=fleet, drive=after)
    from ngtpatch.prism_central.push import PushOptions
    from ngtpatch.prism_central.push_journal import own_journal

    def connection() -> Connection:
        return options.prism_central(
            console, prism_host, tls_ca=tls_ca, credentials=credentials, timeout=timeout
        )

    how = PushOptions(from_url, clusters, replace, delete_after, dry_run, wait)
    journal = own_journal(dry_run=dry_run)
    if fleet and ledger is not None:
        from ngtpatch.prism_central.owner import owners_of_ledger
        from ngtpatch.prism_central.push_fleet import push_fleet

        owners = owners_of_ledger(ledger, inventory)
        connection()  # what is wrong with the address or the login is said once
        with stopping(console) as stop:
            told = push_fleet(
                connection, owners, journal=ledger.parent / "push.jsonl", own=journal,
                options=how, jobs=jobs, stop=stop, report=_reporter(console),
            )  # fmt: skip
        _show_fleet(console, told, dry_run=dry_run)
        return
    owners = _owners(ledger, inventory)
    result = _single(connection(), iso, named, owners, journal, how, eject=eject)
    console.result(result)
    _show(console, result)


def _check_usage(
    iso: Path | None, named: str | None, ledger: Path | None, url: str | None, *, eject: bool,
    fleet: bool, drive: bool,
) -> None:  # fmt: skip
    wrong = None
    if eject and (named is None or url is not None or drive or fleet):
        wrong = (
            "--eject goes with --vm, and not with --from-url, --replace, --delete-after or a fleet"
        )
    elif iso is None and ledger is None and not eject:
        wrong = "name an ISO, or inject's ledger with --ledger"
    elif fleet and (named is not None or url is not None):
        wrong = "--ledger without an ISO takes its VMs from the ledger: no --vm, no --from-url"
    elif drive and named is None and not fleet:
        wrong = "--replace and --delete-after go with --vm"
    if wrong is not None:
        raise UsageError("usage", wrong, hint="ngtpatch push --help")
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(
                "bad-url", "--from-url is not an http or https address without credentials",
                hint="a password in an argument can be read by everybody on this machine",
            )  # fmt: skip


def _owners(ledger: Path | None, inventory: Path | None) -> tuple[Owner, ...]:
    from ngtpatch.prism_central.owner import owners_of_inventory, owners_of_ledger

    if ledger is not None:
        return owners_of_ledger(ledger, inventory)
    return () if inventory is None else owners_of_inventory(inventory)


def _single(
    connection: Connection, iso: Path | None, named: str | None, owners: tuple[Owner, ...],
    journal: PushJournal, how: PushOptions, *, eject: bool,
) -> Pushed:  # fmt: skip
    from ngtpatch.prism_central.machines import find_vm
    from ngtpatch.prism_central.owner import check_owner
    from ngtpatch.prism_central.push import eject_discs, push_disc
    from ngtpatch.prism_central.pushed_iso import read_disc

    disc: Disc | None = None if iso is None else read_disc(iso)
    vm = None if named is None else find_vm(connection, named)
    if eject:
        return eject_discs(connection, vm, disc, journal, seconds=how.seconds, dry_run=how.dry_run)
    if disc is None:
        raise UsageError("usage", "name an ISO", hint="ngtpatch push --help")
    if disc.identity and vm is not None:
        check_owner(disc, vm, owners)
    return push_disc(connection, disc, vm, journal, how)


def _show(console: Console, result: Pushed) -> None:
    rows = [("vm", result.vm), ("drive", result.drive), ("image", result.image)]
    rows += [("id", result.image_ext_id), ("sha256", result.sha256)]
    console.pairs([(label, value) for label, value in rows if value])
    for step in result.steps:
        console.say(f"  would {step}" if not step.startswith("nothing") else f"  {step}")
    for note in result.notes:
        console.warn(note)
    ends = "; the image was deleted again" if result.deleted else ""
    console.say(f"{_DONE[result.action]}{ends}")


def _reporter(console: Console) -> Callable[[VmPushed, int, int], None]:
    def report(outcome: VmPushed, count: int, total: int) -> None:
        if outcome.action == "failed":
            # What has no image is told by the VM's name already.
            about = (outcome.error or "").removeprefix(f"{outcome.name}: ")
            console.warn(f"[{count}/{total}] {outcome.name}: {about}")
        else:
            console.detail(f"[{count}/{total}] {outcome.name}: {outcome.action}")

    return report


def _show_fleet(console: Console, told: FleetPushed, *, dry_run: bool) -> None:
    console.result(told)
    done = "would be done" if dry_run else "done"
    end = _DONE["planned"] if dry_run else f"see {told.journal}"
    console.say(
        f"{told.total} VMs: {told.done} {done}, {told.skipped} done before, {told.failed} failed;"
        f" {end}"
    )
    for note in dict.fromkeys(note for vm in told.vms for note in vm.notes):
        console.note(note)
    if told.interrupted:
        raise click.exceptions.Exit(interrupts.EXIT_CODE)
    if told.failed:
        raise click.exceptions.Exit(BatchError.exit_code)
