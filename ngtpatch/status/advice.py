# SPDX-License-Identifier: Apache-2.0
"""What to do next about one VM: the first step that nothing else has to wait for."""

from __future__ import annotations

from dataclasses import dataclass

from ngtpatch.listing import Reported

__all__ = ["STEPS", "Advice", "advise"]

_RENEW = "renew it on the cluster (ngtpatch render cluster-runbook.sh), then restart the agent"

# Code -> the step in words. {days} is the time to or since the end of the certificate.
STEPS = {
    "ok": "nothing",
    "eject": "works; its ISO is still mounted: restart the agent to take it in, or eject it",
    "find-vm": "no report names it: is it on another cluster, or deleted?",
    "list-all": "no report names it, and they are not the whole list: read the rest of it first",
    "ask-again": "the report does not say: ask again with guestTools in the answer (v4: without"
    " $select), or with ncli ngt get vm-id=UUID",
    "enable": "enable NGT for the VM in Prism (Manage Guest Tools) and mount its ISO",
    "renew-expired": f"its certificate ended {{days}} ago: {_RENEW}",
    "renew": f"its certificate ends in {{days}}: {_RENEW}",
    "install": "NGT is not in the guest: mount its ISO and install",
    "restart-agent": "its ISO is mounted: restart the agent in the guest, or install NGT from it",
    "mount": "mount its ISO and restart the agent; else look at its service, and at TCP 2074",
}
_WELL = frozenset({"ok", "eject"})


@dataclass(frozen=True)
class Advice:
    """The next step.

    Attributes:
        code: a key of :data:`STEPS`.
        step: the same in words.
        well: NGT works, and its certificate lasts.
    """

    code: str
    step: str
    well: bool


def advise(
    vm: Reported | None, *, days_left: int | None, warn_days: int, whole: bool | None = True
) -> Advice:
    """Return the next step for a VM.

    Args:
        vm: what the cluster says; None where no report names the VM.
        days_left: whole days until its certificate ends, negative afterwards; None if unknown.
        warn_days: a certificate that ends within so many days is to be renewed.
        whole: whether the reports hold every VM that there is; None where they do not say.
    """
    missing = "list-all" if whole is False else "find-vm"
    code = missing if vm is None else _next(vm, days_left, warn_days)
    days = abs(days_left or 0)
    step = STEPS[code].format(days="1 day" if days == 1 else f"{days} days")
    return Advice(code, step, code in _WELL)


def _next(vm: Reported, days_left: int | None, warn_days: int) -> str:
    # In the order in which the steps depend on each other.
    steps = (
        (vm.silent, "ask-again"),
        (vm.enabled is False, "enable"),
        (days_left is not None and days_left < 0, "renew-expired"),
        (vm.installed is False, "install"),
        # Not known is not down.
        (vm.link_active is None, "ask-again"),
        (not vm.link_active and bool(vm.mounted), "restart-agent"),
        (not vm.link_active, "mount"),
        (days_left is not None and days_left <= warn_days, "renew"),
        (bool(vm.mounted), "eject"),
    )
    return next((code for applies, code in steps if applies), "ok")
