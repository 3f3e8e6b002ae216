# SPDX-License-Identifier: Apache-2.0
"""Report and inventory side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.files.wellknown import WARN_DAYS
from ngtpatch.listing import Reported, read_listing
from ngtpatch.status.advice import advise

if TYPE_CHECKING:
    from ngtpatch.fleet.audit import Checked

__all__ = ["Status", "VmStatus", "read_status"]


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
        not_after: end of its certificate in the inventory, UTC in ISO 8601.
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
    not_after: str | None
    days_left: int | None
    next_code: str
    next_step: str
    ok: bool


@dataclass(frozen=True)
class Status:
    """The document of ``ngtpatch status``.

    Attributes:
        ok: every VM is well.
        warn_days: certificates that end within so many days count as due.
        vms: those of the reports in their order, then those that only the inventory knows.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.status/1"

    ok: bool
    warn_days: int
    vms: tuple[VmStatus, ...]


def read_status(
    reports: Sequence[Path],
    *,
    inventory: Path | None = None,
    certificates: Path | None = None,
    warn_days: int = WARN_DAYS,
    now: datetime | None = None,
) -> Status:
    """Return the state of every VM.

    Args:
        reports: files with ncli's text or Prism's JSON; a later one overrides an earlier.
        inventory: an inventory as for ``ngtpatch inject``, or a directory of per-VM ISOs.
        certificates: a directory of certificates that completes the inventory.
        warn_days: when a certificate is due.
        now: the moment to judge for; the clock's when absent.

    Raises:
        InputError: a report or the inventory cannot be used.
    """
    reported: dict[str, Reported] = {}
    for path in reports:
        for vm in read_listing(path).vms:
            reported[vm.vm_uuid or vm.name or ""] = vm
    known = _inventory(inventory, certificates, warn_days, now)
    pairs: list[tuple[Reported | None, Checked | None]] = []
    for vm in reported.values():
        match = _match(vm, known)
        if match is not None:
            known.remove(match)
        pairs.append((vm, match))
    pairs += [(None, checked) for checked in known]
    vms = tuple(_joined(vm, checked, warn_days) for vm, checked in pairs)
    return Status(all(vm.ok for vm in vms), warn_days, vms)


def _inventory(
    path: Path | None, certificates: Path | None, warn_days: int, now: datetime | None
) -> list[Checked]:
    if path is None:
        return []
    from ngtpatch.fleet.audit import audit
    from ngtpatch.fleet.tasks import targets

    found = audit(targets([path], certificates=certificates), now=now, warn_days=warn_days)
    return list(found.identities)


def _match(vm: Reported, known: Sequence[Checked]) -> Checked | None:
    """Return the inventory's VM: by UUID where both have one, by name otherwise."""
    for checked in known:
        if checked.vm_uuid and vm.vm_uuid:
            if checked.vm_uuid.lower() == vm.vm_uuid:
                return checked
        elif vm.name is not None and vm.name == checked.source:
            return checked
    return None


def _joined(vm: Reported | None, checked: Checked | None, warn_days: int) -> VmStatus:
    days_left = checked.days_left if checked else None
    advice = advise(vm, days_left=days_left, warn_days=warn_days)
    seen = vm or Reported(None, None, None, None, None)
    return VmStatus(
        name=seen.name or (checked.source if checked else None),
        vm_uuid=seen.vm_uuid or (checked.vm_uuid if checked else None),
        enabled=seen.enabled,
        mounted=seen.mounted,
        link_active=seen.link_active,
        installed=seen.installed,
        version=seen.version,
        not_after=checked.not_after if checked else None,
        days_left=days_left,
        next_code=advice.code,
        next_step=advice.step,
        ok=advice.well,
    )
