# SPDX-License-Identifier: Apache-2.0
"""Report and inventory side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.files.wellknown import WARN_DAYS
from ngtpatch.listing import Reported, VmListing, read_listings
from ngtpatch.status.advice import advise
from ngtpatch.status.versions import DiscVersion, compared

if TYPE_CHECKING:
    from ngtpatch.fleet.audit import Checked

__all__ = ["Status", "VmStatus", "read_status", "status_of"]


@dataclass(frozen=True)
class VmStatus:
    """One VM. None where neither the cluster nor the inventory says.

    Attributes:
        name: from the cluster, else from the inventory.
        vm_uuid: the VM's own UUID.
        enabled: NGT is enabled for it.
        mounted: its disc is in the CD-ROM.
        link_active: the agent answers.
        installed: NGT is in the guest (Prism only).
        version: the installed version (Prism only).
        available: the version that the cluster would install (Prism v3 and v4 only).
        disc: the disc's version against the installed one: ``newer``, ``same``, ``older`` or
            ``unknown``; None where no disc was named.
        not_after: end of its certificate, UTC in ISO 8601: by the cluster or the inventory,
            the earlier where both say one.
        days_left: whole days until then, negative afterwards.
        next_code: stable word for what to do next; ``ok``: nothing.
        next_step: the same in words.
        ok: NGT works, and its certificate lasts.
    """

    name: str | None
    vm_uuid: str | None
    enabled: bool | None
    mounted: bool | None
    link_active: bool | None
    installed: bool | None
    version: str | None
    available: str | None
    disc: DiscVersion | None
    not_after: str | None
    days_left: int | None
    next_code: str
    next_step: str
    ok: bool


@dataclass(frozen=True)
class Status:
    """The document of ``ngtpatch status``.

    Attributes:
        ok: every VM is well, and none is known to be missing.
        complete: the reports hold every VM that there is by their own word; None where they
            do not say how many there are.
        total: how many there are; None where that is not said.
        missing: how many of them are not told of.
        notes: what is incomplete, in words.
        disc_version: the version on the disc that was named.
        warn_days: certificates that end within so many days count as due.
        vms: those of the reports in their order, then those that only the inventory knows.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.status/1"

    ok: bool
    complete: bool | None
    total: int | None
    missing: int
    notes: tuple[str, ...]
    disc_version: str | None
    warn_days: int
    vms: tuple[VmStatus, ...]


def read_status(
    reports: Sequence[Path],
    *,
    inventory: Path | None = None,
    certificates: Path | None = None,
    disc: Path | None = None,
    warn_days: int = WARN_DAYS,
    now: datetime | None = None,
) -> Status:
    """Return the state of every VM.

    Args:
        reports: files with ncli's text or Prism's JSON; a later one overrides an earlier.
        inventory: an inventory as for ``ngtpatch inject``, or a directory of per-VM ISOs.
        certificates: a directory of certificates that completes the inventory.
        disc: an ISO whose version is compared with the installed ones.
        warn_days: when a certificate is due.
        now: the moment to judge for; the clock's when absent.

    Raises:
        InputError: a report, the inventory or the disc cannot be used.
    """
    return status_of(
        read_listings(reports), inventory=inventory, certificates=certificates, disc=disc,
        warn_days=warn_days, now=now,
    )  # fmt: skip


def status_of(
    listing: VmListing,
    *,
    inventory: Path | None = None,
    certificates: Path | None = None,
    disc: Path | None = None,
    warn_days: int = WARN_DAYS,
    now: datetime | None = None,
) -> Status:
    """Return the state of every VM of *listing*; see :func:`read_status`."""
    moment = now or datetime.now(timezone.utc)
    on_disc = None if disc is None else _disc_version(disc)
    known, remarks = _inventory(inventory, certificates, warn_days, moment)
    pairs: list[tuple[Reported | None, Checked | None]] = []
    for vm in listing.vms:
        match = _match(vm, known)
        if match is not None:
            known.remove(match)
        pairs.append((vm, match))
    pairs += [(None, checked) for checked in known]
    vms = tuple(
        _joined(
            vm, checked, warn_days, moment, on_disc, named=disc is not None, whole=listing.complete
        )
        for vm, checked in pairs
    )
    complete = False if remarks else listing.complete
    return Status(
        ok=complete is not False and all(vm.ok for vm in vms),
        complete=complete,
        total=listing.total,
        missing=listing.missing,
        notes=(*listing.notes, *remarks),
        disc_version=on_disc,
        warn_days=warn_days,
        vms=vms,
    )


def _disc_version(disc: Path) -> str | None:
    from ngtpatch.flow.inspect import inspect

    return inspect(disc).ngt.version


def _inventory(
    path: Path | None, certificates: Path | None, warn_days: int, now: datetime
) -> tuple[list[Checked], list[str]]:
    if path is None:
        return [], []
    from ngtpatch.fleet.audit import audit
    from ngtpatch.fleet.tasks import targets

    found = audit(targets([path], certificates=certificates), now=now, warn_days=warn_days)
    remarks = [f"{f.source}: {f.message}" for f in found.findings if f.code == "incomplete-list"]
    return list(found.identities), remarks


def _match(vm: Reported, known: Sequence[Checked]) -> Checked | None:
    """Return the inventory's VM: by UUID where both have one, by name otherwise."""
    for checked in known:
        if checked.vm_uuid and vm.vm_uuid:
            if checked.vm_uuid.lower() == vm.vm_uuid:
                return checked
        elif vm.name is not None and vm.name == checked.source:
            return checked
    return None


def _joined(
    vm: Reported | None, checked: Checked | None, warn_days: int, now: datetime,
    on_disc: str | None, *, named: bool, whole: bool | None,
) -> VmStatus:  # fmt: skip
    seen = vm or Reported(None, None, None, None, None)
    ends = [] if checked is None or checked.not_after is None else [checked.not_after]
    if seen.not_after is not None:
        ends.append(f"{seen.not_after:%Y-%m-%dT%H:%M:%SZ}")
    not_after = min(ends, default=None)
    days_left = None
    if not_after is not None:
        end = datetime.strptime(not_after, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        days_left = (end - now).days
    advice = advise(vm, days_left=days_left, warn_days=warn_days, whole=whole)
    return VmStatus(
        name=seen.name or (checked.source if checked else None),
        vm_uuid=seen.vm_uuid or (checked.vm_uuid if checked else None),
        enabled=seen.enabled,
        mounted=seen.mounted,
        link_active=seen.link_active,
        installed=seen.installed,
        version=seen.version,
        available=seen.available,
        disc=compared(on_disc, seen.version) if named else None,
        not_after=not_after,
        days_left=days_left,
        next_code=advice.code,
        next_step=advice.step,
        ok=advice.well,
    )
