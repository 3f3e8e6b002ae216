# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch status``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import UsageError, VerificationError
from ngtpatch.files.wellknown import WARN_DAYS

if TYPE_CHECKING:
    from ngtpatch.status import Status, VmStatus


@options.command("ngtpatch status vms.json", "ngtpatch status --prism pc.example.com")
@click.argument("reports", metavar="REPORT...", nargs=-1, type=options.INPUT)
@click.option(
    "--inventory", metavar="PATH", type=options.INPUT,
    help="The VMs that should be there: an inventory, or a directory of per-VM ISOs.",
)  # fmt: skip
@click.option(
    "--certificates", metavar="DIR", type=options.PATH,
    help="Certificates that belong to the inventory's VMs, by name or UUID.",
)  # fmt: skip
@click.option(
    "--disc", metavar="ISO", type=options.ISO,
    help="Compare the installed versions with the one on this disc.",
)  # fmt: skip
@click.option(
    "--warn-days", metavar="N", type=click.IntRange(min=0), default=WARN_DAYS, show_default=True,
    help="A certificate that ends within so many days is due.",
)  # fmt: skip
@options.metrics_option
@options.prism_options
@options.force_option
@options.dry_run_option
@click.pass_context
def command(
    ctx: click.Context, reports: tuple[Path, ...], inventory: Path | None,
    certificates: Path | None, disc: Path | None, warn_days: int, prism_host: str | None,
    tls_ca: Path | None, credentials: Path | None, timeout: float, metrics: Path | None,
    force: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Say what state NGT is in, VM by VM, and what to do next.

    REPORT is a file with the output of `ncli ngt list`, `ncli ngt get` or
    `nutanix_guest_tools_cli`, or with Prism's list of VMs as JSON: v4 as it comes, as the SDK or
    Ansible writes it, v3, or v1 of Prism Element. Several pages of a list may be given as several
    files or in one. With --prism HOST, Prism Central is asked instead. Exit code 5 says that a
    VM needs something done, or that the list is not whole.
    """
    from ngtpatch.listing import read_listings
    from ngtpatch.status import status_of

    console: Console = ctx.obj
    if bool(reports) == (prism_host is not None):
        raise UsageError(
            "usage", "give reports, or --prism HOST, and not both", hint="ngtpatch status --help"
        )
    if metrics is not None:
        from ngtpatch.status.metrics import require_metrics

        require_metrics(metrics, force=force)
    if prism_host is not None:
        from ngtpatch.prism_central import list_vms

        connection = options.prism_central(
            console, prism_host, tls_ca=tls_ca, credentials=credentials, timeout=timeout
        )
        listing = list_vms(connection)
    else:
        listing = read_listings(reports)
    status = status_of(
        listing, inventory=inventory, certificates=certificates, disc=disc, warn_days=warn_days
    )
    if metrics is not None and not dry_run:
        from ngtpatch.status.metrics import status_metrics

        status_metrics(metrics, status)
    console.result(status)
    show(console, status)
    if metrics is not None and dry_run:
        console.say(f"would be written  {metrics}")
    if not status.ok:
        ctx.exit(VerificationError.exit_code)


def show(console: Console, status: Status) -> None:
    """Print the table of a status, and what it does not know."""
    versions = any(vm.version or vm.available for vm in status.vms)
    columns = ["VM", "enabled", "mounted", "link", "days left", "next"]
    if versions:
        columns.insert(4, "version")
    rows = []
    for vm in status.vms:
        row = [
            vm.name or vm.vm_uuid or "?",
            _word(vm.enabled, "yes", "no"),
            _word(vm.mounted, "yes", "no"),
            _word(vm.link_active, "active", "down"),
            "?" if vm.days_left is None else str(vm.days_left),
            vm.next_step,
        ]
        if versions:
            row.insert(4, _version(vm))
        rows.append(row)
    console.table(columns, rows)
    if status.disc_version is not None:
        console.say(f"the disc has version {status.disc_version}")
    unwell = sum(not vm.ok for vm in status.vms)
    if unwell:
        console.note(f"{unwell} of {len(status.vms)} VMs need something done")
    for note in status.notes:
        console.warn(f"the list is not whole: {note}")


def _version(vm: VmStatus) -> str:
    notes = []
    if vm.available is not None and vm.available != vm.version:
        notes.append(f"{vm.available} available")
    if vm.disc is not None:
        words = {"same": "as the disc", "unknown": "disc: ?"}
        notes.append(words.get(vm.disc, f"disc: {vm.disc}"))
    shown = vm.version or "?"
    return f"{shown} ({', '.join(notes)})" if notes else shown


def _word(truth: bool | None, yes: str, no: str) -> str:
    return "?" if truth is None else yes if truth else no
