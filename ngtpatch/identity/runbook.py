# SPDX-License-Identifier: Apache-2.0
"""Which VMs need a new certificate, and the steps that get them one.

Only the cluster issues certificates: what is rendered here are its commands, for a
person or a shell on a CVM.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ngtpatch.identity.findings import Finding

__all__ = ["METHODS", "Renewal", "renewals", "runbook"]

# AOS that has refresh_vm_tools_entity renews in one step; older AOS deletes and creates.
METHODS = ("refresh", "recreate")

# What only a new certificate from the cluster mends.
_RENEWED_BY_THE_CLUSTER = {
    "certificate-pem", "chain", "duplicate-certificate", "duplicate-key", "duplicate-uuid",
    "expired", "expiring", "key-encrypted", "key-mismatch", "key-pem", "missing", "weak-key",
}  # fmt: skip


@dataclass(frozen=True)
class Renewal:
    """A VM that needs a new certificate.

    Attributes:
        name: the VM, or where its identity was found.
        vm_uuid: the VM's own UUID, which the cluster's commands want; None when not known.
        reasons: why, in words.
        not_after: when its certificate ends, in ISO 8601, where there is one.
    """

    name: str
    vm_uuid: str | None
    reasons: tuple[str, ...]
    not_after: str | None


def renewals(
    vms: Iterable[tuple[str, str | None, str | None]], findings: Sequence[Finding]
) -> tuple[Renewal, ...]:
    """Return those of *vms* (name, UUID, end of certificate) that need a new certificate.

    In the order in which they run out; those that have none come first.
    """
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        if finding.code in _RENEWED_BY_THE_CLUSTER:
            reasons.setdefault(finding.source, []).append(finding.message)
    due = [
        Renewal(name, vm_uuid, tuple(reasons[name]), not_after)
        for name, vm_uuid, not_after in vms
        if name in reasons
    ]
    return tuple(sorted(due, key=lambda vm: (vm.not_after or "", vm.name)))


def runbook(due: Sequence[Renewal], *, method: str, template: str | None = None) -> str:
    """Return the steps for *due* as text.

    Names come from inventories and certificates. Each value goes through the filter of the
    language it stands in (see :mod:`ngtpatch.render.quoting`); a template of one's own may
    leave out the filter where the value is a plain word.

    Args:
        due: from :func:`renewals`.
        method: one of :data:`METHODS`.
        template: jinja2 text over ``vms`` and ``method``; the shipped Markdown by default.

    Raises:
        InputError: ``template-syntax``, ``template-undefined``, ``template-unquoted`` and
            their like, each with the template's line.
    """
    from ngtpatch.render.engine import render
    from ngtpatch.render.template import Template

    shipped = Path(str(files("ngtpatch.identity"))) / "runbook.md.j2"
    text = shipped.read_text(encoding="utf-8") if template is None else template
    name = "the runbook's template"
    return render(
        Template(name, shipped, text, "", {}, declared=False),
        {"vms": due, "method": method},
        plain_words=True,
    )
