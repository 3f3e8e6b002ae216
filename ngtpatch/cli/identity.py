# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch identity show|check|strip``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.errors import UsageError, VerificationError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.wellknown import WARN_DAYS

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

    from ngtpatch.fleet.audit import Audit
    from ngtpatch.fleet.shown import Shown


@click.group(
    cls=options.Group,
    epilog=options.examples(
        "ngtpatch identity show vm1.iso", "ngtpatch identity check vm1.iso --warn-days 60"
    ),
)
@options.global_options
def command() -> None:
    """Show, check and strip what makes an ISO one VM's."""


_targets = click.argument(
    "targets", metavar="TARGET...", nargs=-1, required=True, type=options.INPUT
)
_certificates = click.option(
    "--certificates", metavar="DIR", type=options.PATH,
    help="Certificates that belong to the VMs of an inventory, by name or UUID.",
)  # fmt: skip


@options.command("ngtpatch identity show vm1.iso")
@_targets
@_certificates
@click.pass_obj
def show(console: Console, targets: tuple[Path, ...], certificates: Path | None) -> None:
    """Show what ISOs, directories or inventories hold; the key's bytes never."""
    from ngtpatch.fleet.shown import show_identities

    shown = show_identities(targets, certificates=certificates)
    console.result(shown)
    for item in shown.identities:
        console.heading(item.source)
        _description(console, item)


def _description(console: Console, item: Shown) -> None:
    facts = item.identity
    rows: list[tuple[str, str]] = []
    if not facts.present:
        where = "in its files"
        if item.elsewhere is not None:
            nowhere = ", and none was found in any other byte that was searched"
            where += " of identity, but see below" if item.elsewhere else nowhere
        rows.append(("identity", f"none {where}"))
    rows += [(key, str(value)) for key, value in (facts.config or {}).items()]
    if facts.certificate is not None:
        certificate = facts.certificate
        rows += [
            ("subject", certificate.subject),
            ("issuer", certificate.issuer),
            ("serial", certificate.serial),
            ("valid", f"{certificate.not_before} to {certificate.not_after}"),
            ("certificate", f"{certificate.key_type} {certificate.key_bits}"),
            ("sha256", certificate.sha256),
        ]
    if facts.authority is not None:
        authority = facts.authority
        rows.append(("authority", f"{authority.subject}, until {authority.not_after}"))
    if facts.key is not None:
        fits = {True: "belongs to the certificate", False: "another certificate's", None: "alone"}
        match = fits[facts.key.matches_certificate]
        rows.append(("key", f"{facts.key.key_type} {facts.key.key_bits}, {match} (not shown)"))
    rows += [("elsewhere", place) for place in item.elsewhere or ()]
    if item.unread:
        rows.append(("not searched", f"{', '.join(item.unread)} (compressed)"))
    rows += [("problem", problem) for problem in facts.problems]
    console.pairs(rows)


@options.command("ngtpatch identity check vm1.iso --warn-days 60")
@click.argument("targets", metavar="TARGET...", nargs=-1, type=options.INPUT)
@_certificates
@click.option(
    "--warn-days",
    metavar="N",
    type=click.IntRange(min=0),
    default=WARN_DAYS,
    show_default=True,
    help="Warn of certificates that end within so many days.",
)
@click.option(
    "--ca",
    metavar="FILE",
    type=options.INPUT,
    help="PEM certificates that the client certificates must chain to.",
)
@click.option(
    "--plan",
    is_flag=True,
    help="List who needs a new certificate, with the cluster's commands as a runbook.",
)
@click.option(
    "--method",
    type=click.Choice(["refresh", "recreate"]),
    default="refresh",
    show_default=True,
    help="How the cluster renews: older AOS can only recreate.",
)
@click.option(
    "--template",
    metavar="FILE",
    type=options.INPUT,
    help="A jinja2 template for the runbook, over `vms` and `method`.",
)
@options.output_option
@options.force_option
@options.metrics_option
@options.prism_options
@options.dry_run_option
@click.pass_obj
def check(
    console: Console, *, targets: tuple[Path, ...], certificates: Path | None, warn_days: int,
    ca: Path | None, plan: bool, method: str, template: Path | None, output: Path | None,
    force: bool, dry_run: bool, metrics: Path | None, prism_host: str | None, tls_ca: Path | None,
    credentials: Path | None, timeout: float,
) -> None:  # fmt: skip
    """Find what expires, does not fit, or belongs to two VMs; exit 5 when there is any.

    TARGET is an ISO, a block device, a directory of ISOs or VMs' folders, or an inventory.
    With --prism, each VM that Prism Central has is looked for in --certificates.
    """
    from ngtpatch.fleet.audit import audit
    from ngtpatch.fleet.tasks import listed_targets
    from ngtpatch.fleet.tasks import targets as found

    if (output is not None or template is not None) and not plan:
        raise UsageError("needs-plan", "--output and --template go with --plan")
    if prism_host is None and not targets:
        raise UsageError(
            "usage", "name a TARGET, or --prism HOST", hint="ngtpatch identity check --help"
        )
    if prism_host is not None and certificates is None:
        raise UsageError(
            "usage", "Prism Central has no certificate to give: --prism goes with --certificates",
            hint="ngtpatch status --prism says what it knows of each VM",
        )  # fmt: skip
    target = None if output is None or str(output) == "-" else output
    if target is not None:
        check_target(target, force=force)
    if metrics is not None:
        from ngtpatch.status.metrics import require_metrics

        require_metrics(metrics, force=force)
    tasks = found(targets, certificates=certificates)
    if prism_host is not None:
        connection = options.prism_central(
            console, prism_host, tls_ca=tls_ca, credentials=credentials, timeout=timeout
        )
        tasks = chain(tasks, listed_targets(options.listed(connection, certificates)))
    result = audit(tasks, warn_days=warn_days, authorities=_authorities(ca))
    if metrics is not None and not dry_run:
        from ngtpatch.status.metrics import audit_metrics

        audit_metrics(metrics, result)
    if plan:
        _plan(
            console, result, method=method, template=template, output=target, force=force,
            dry_run=dry_run,
        )  # fmt: skip
        console.result(result)
    else:
        console.result(result)
        _table(console, result)
    if metrics is not None and dry_run:
        console.say(f"would be written  {metrics}")
    if not result.ok:
        raise click.exceptions.Exit(VerificationError.exit_code)


def _authorities(ca: Path | None) -> tuple[Authority, ...]:
    if ca is None:
        return ()
    from ngtpatch.identity.certificate import read_authorities

    return read_authorities(ca)


def _table(console: Console, result: Audit) -> None:
    by_source: dict[str, list[str]] = {}
    for finding in result.findings:
        by_source.setdefault(finding.source, []).append(f"{finding.code}: {finding.message}")
    # Ten thousand healthy VMs would hide the three that are not.
    many = len(result.identities) > 20
    shown = [c for c in result.identities if c.worst not in ("ok", "note") or not many]
    if shown:
        console.table(
            ["VM", "certificate until", "days", "state", "found"],
            [
                [
                    c.source,
                    (c.not_after or "-")[:10],
                    "-" if c.days_left is None else str(c.days_left),
                    c.worst,
                    tuple(by_source.get(c.source, [])),
                ]
                for c in shown
            ],
        )
    sources = {checked.source for checked in result.identities}
    for finding in result.findings:
        # What is about a list or a directory has no row.
        if finding.source not in sources:
            console.warn(f"{finding.source}: {finding.message}")
    untied = sum(c.worst == "note" for c in result.identities)
    bad = sum(c.worst == "error" for c in result.identities)
    warned = sum(c.worst == "warning" for c in result.identities)
    total = len(result.identities)
    fine = total - bad - warned - untied
    known = f"{fine} ok, {warned} with warnings, {bad} with errors"
    if untied:
        known += f"; {untied} that nothing ties to their configuration"
    console.say(f"{total} checked: {known}")
    unread = [c for c in result.identities if c.unread]
    if unread:
        paths = ", ".join(dict.fromkeys(path for c in unread for path in c.unread or ()))
        console.detail(f"  not searched, since compressed: {paths}")
    for hint in dict.fromkeys(f.hint for f in result.findings if f.hint):
        console.detail(f"  {hint}")


def _plan(
    console: Console, result: Audit, *, method: str, template: Path | None, output: Path | None,
    force: bool, dry_run: bool,
) -> None:  # fmt: skip
    from ngtpatch.identity.findings import Severity
    from ngtpatch.identity.runbook import runbook
    from ngtpatch.identity.values import read_template

    own = None if template is None else read_template(template)
    due = {renewal.name for renewal in result.renewals}
    for finding in result.findings:
        # What no new certificate mends, such as a disc that cannot be read, is in no runbook.
        if finding.severity is not Severity.NOTE and finding.source not in due:
            console.warn(f"{finding.source}: {finding.code}: {finding.message}")
    if not result.renewals:
        console.say(
            f"{len(result.identities)} checked: none was found that needs a new certificate"
        )
        return
    text = runbook(result.renewals, method=method, template=own)
    if output is None or dry_run:
        console.block(text)
        if output is not None:
            console.say(f"would be written  {output}")
        return
    with new_file(output, force=force) as file:
        file.write(text.encode("utf-8"))
    console.say(f"{len(result.renewals)} VMs need a new certificate: see {output}")


@options.command("ngtpatch identity strip vm1.iso -o ngt-shared.iso")
@options.iso_argument
@options.authority_option
@options.allow_identity_option
@options.output_option
@options.force_option
@options.dry_run_option
@options.digest_option
@click.pass_obj
def strip(
    console: Console, *, iso: Path, authority: Path | None, allowed: tuple[str, ...],
    output: Path | None, force: bool, dry_run: bool, digest: bool,
) -> None:  # fmt: skip
    """Write an ISO that may be shared, with every byte searched for what is one VM's.

    What is compressed is not looked into, and is named.
    """
    from ngtpatch.cli.rebuild import follow, report
    from ngtpatch.flow.changes import IdentityRequest
    from ngtpatch.flow.rebuild import rebuild

    result = rebuild(
        iso, distros=(), output=console.target(output), force=force, dry_run=dry_run,
        digest=digest, identity=IdentityRequest(strip=True, authority=authority, allowed=allowed),
    )  # fmt: skip
    console.result(result)
    report(console, result, dry_run=dry_run)
    follow(console, result)


command.add_command(show, "show")
command.add_command(check, "check")
command.add_command(strip, "strip")
