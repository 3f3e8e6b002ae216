# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch status``."""

from __future__ import annotations

from pathlib import Path

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import VerificationError
from ngtpatch.files.wellknown import WARN_DAYS


@options.command()
@click.argument("reports", metavar="REPORT...", nargs=-1, required=True, type=options.INPUT)
@click.option(
    "--inventory", metavar="PATH", type=options.INPUT,
    help="The VMs that should be there: an inventory, or a directory of per-VM ISOs.",
)  # fmt: skip
@click.option(
    "--certificates", metavar="DIR", type=options.PATH,
    help="Certificates that belong to the inventory's VMs, by name or UUID.",
)  # fmt: skip
@click.option(
    "--warn-days", metavar="N", type=click.IntRange(min=0), default=WARN_DAYS, show_default=True,
    help="A certificate that ends within so many days is due.",
)  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context, reports: tuple[Path, ...], inventory: Path | None,
    certificates: Path | None, warn_days: int,
) -> None:  # fmt: skip
    """Say what state NGT is in, VM by VM, and what to do next.

    REPORT is a file with the output of `ncli ngt list` or `ncli ngt get`, or Prism's list of
    VMs as JSON (v4). Exit code 5 says that a VM needs something done.
    """
    from ngtpatch.status import read_status

    console: Console = ctx.obj
    status = read_status(
        reports, inventory=inventory, certificates=certificates, warn_days=warn_days
    )
    console.result(status)
    console.table(
        ("VM", "enabled", "mounted", "link", "days left", "next"),
        [
            (
                vm.name or vm.vm_uuid or "?",
                _word(vm.enabled, "yes", "no"),
                _word(vm.mounted, "yes", "no"),
                _word(vm.link_active, "active", "down"),
                "?" if vm.days_left is None else str(vm.days_left),
                vm.next_step,
            )
            for vm in status.vms
        ],
    )
    unwell = sum(not vm.ok for vm in status.vms)
    if unwell:
        console.note(f"{unwell} of {len(status.vms)} VMs need something done")
        ctx.exit(VerificationError.exit_code)


def _word(truth: bool | None, yes: str, no: str) -> str:
    return "?" if truth is None else yes if truth else no
