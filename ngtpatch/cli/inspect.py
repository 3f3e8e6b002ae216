# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ngtpatch.cli import options
from ngtpatch.cli.output import Console
from ngtpatch.flow.inspect import Identified, Inspection, inspect


@options.command("ngtpatch inspect ngt.iso")
@options.iso_argument
@click.pass_obj
def command(console: Console, iso: Path) -> None:
    """Show what an ISO is: volume, NGT, sites, identity, build record."""
    found = inspect(iso)
    console.result(found)
    if found.volume is not None:
        console.heading("Volume")
        console.pairs(
            [
                ("label", found.volume.id),
                ("trees", ", ".join(found.volume.trees)),
                ("size", f"{found.volume.size:,} bytes"),
            ]
        )
    console.heading("Nutanix Guest Tools")
    console.pairs(
        [
            ("version", found.ngt.version or "unknown"),
            ("era", f"{found.ngt.era}.x"),
            ("started by", ", ".join(found.ngt.entry_points) or "nothing known"),
        ]
    )
    console.heading("Decides by distribution")
    for site in found.sites:
        console.say(f"  {site.path}:{site.line}  {_branches(site.branches, site.problem)}")
    console.heading("Identity")
    _identity(console, found.identity)
    console.heading("Build record")
    _record(console, found)
    for notice in found.notices:
        console.warn(notice)


def _branches(branches: tuple[str, ...], problem: str | None) -> str:
    return f"not understood: {problem}" if problem else " | ".join(branches)


def _identity(console: Console, identity: Identified) -> None:
    if not identity.present:
        console.say(f"  none found, in any byte: this ISO may be shared{_unread(identity)}")
    rows: list[tuple[str, str]] = []
    if identity.ngt_uuid is not None:
        rows.append(("ngt_uuid", str(identity.ngt_uuid)))
    if identity.certificate is not None:
        rows.append(("certificate", f"until {identity.certificate.not_after}"))
    if identity.key is not None:
        rows.append(("key", f"{identity.key.key_type} {identity.key.key_bits} (not shown)"))
    if identity.authority is not None:
        subject = identity.authority.subject
        rows.append(("authority", f"{subject}, until {identity.authority.not_after}"))
    rows.extend(("elsewhere", place) for place in identity.elsewhere)
    if identity.present and identity.unread:
        rows.append(("not searched", f"{', '.join(identity.unread)} (compressed)"))
    rows.extend(("problem", problem) for problem in identity.problems)
    console.pairs(rows)


def _unread(identity: Identified) -> str:
    if not identity.unread:
        return ""
    return f" (not looked into, since compressed: {', '.join(identity.unread)})"


def _record(console: Console, found: Inspection) -> None:
    if found.record_problem:
        console.say(f"  not trusted: {found.record_problem}")
    if found.record is None:
        if not found.record_problem:
            console.say("  none: not written by ngtpatch, or grown or damaged since")
        return
    record: Any = found.record
    patches = [f"{patch['id']} ({patch['sha256'][:12]})" for patch in record["patches"]]
    console.pairs(
        [
            ("made by", f"ngtpatch {record['ngtpatch']!s}"),
            ("accepts", ", ".join(map(str, record["profiles"])) or "as shipped"),
            ("patches", ", ".join(patches) or "none"),
            ("vendor", f"sha256 {record['vendor']['sha256'] or 'not computed'}"),
            ("undo", "ngtpatch reset" if record["undoable"] else "ngtpatch reset --base ISO"),
        ]
    )
    for change in record["changed"]:
        inside = f"{change['within']}!" if change["within"] else ""
        console.say(f"  {change['kind']}  {inside}{change['path']}")
