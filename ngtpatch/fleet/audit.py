# SPDX-License-Identifier: Apache-2.0
"""Every identity looked at: what runs out, what does not fit, what is shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import WARN_DAYS
from ngtpatch.fleet.tasks import Task, targets
from ngtpatch.flow.traces import Trace
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import read_authorities
from ngtpatch.identity.check import Sharing, check
from ngtpatch.identity.config import KEYS
from ngtpatch.identity.findings import Finding, Severity
from ngtpatch.identity.runbook import Renewal, renewals

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

__all__ = ["Audit", "Checked", "audit", "check_identities"]

_SHOWN = 20
_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True)
class Checked:
    """One identity.

    Attributes:
        source: the ISO, directory or row.
        vm_uuid: the VM's own UUID, where an inventory says it.
        not_after: the end of its certificate, UTC in ISO 8601.
        days_left: whole days until then, negative afterwards.
        worst: ``ok``, ``note`` (what cannot be known of it), ``warning`` or ``error``.
        unread: compressed files on the disc that were not looked into; None: it is no disc, or
            nothing but its identity was looked at.
        certificate_sha256: fingerprint of its certificate.
    """

    source: str
    vm_uuid: str | None
    ngt_uuid: str | None
    not_after: str | None
    days_left: int | None
    worst: str
    unread: tuple[str, ...] | None = None
    certificate_sha256: str | None = None


@dataclass(frozen=True)
class Audit:
    """The document of ``ngtpatch identity check``.

    Attributes:
        ok: nothing was found that is wrong; notes say what is not known.
        warn_days: certificates that end within so many days were warned of.
        renewals: who needs a new certificate, the most urgent first.
        complete: every VM of the clusters' lists that were read is here, by their own word; None
            where nobody says how many there are.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.identity-check/1"

    ok: bool
    warn_days: int
    identities: tuple[Checked, ...]
    findings: tuple[Finding, ...]
    renewals: tuple[Renewal, ...]
    complete: bool | None = None


def audit(
    found: Iterable[Task],
    *,
    now: datetime | None = None,
    warn_days: int = WARN_DAYS,
    authorities: Sequence[Authority] = (),
) -> Audit:
    """Check every identity of *found*, and what two of them share.

    Raises:
        InputError: the paths behind *found* are none, see :func:`~ngtpatch.fleet.tasks.targets`.
    """
    moment = now or datetime.now(timezone.utc)
    findings: list[Finding] = []
    facts: list[tuple[Task, str | None, datetime | None, str | None]] = []
    sharing = Sharing()
    for target in found:
        identity = target.identity
        findings += target.remarks
        if target.problem is not None:
            findings.append(target.problem)
        else:
            findings += check(
                identity, now=moment, warn_days=warn_days, authorities=authorities,
                required_keys=() if target.partial else KEYS, authority=target.authority,
            )  # fmt: skip
            found_elsewhere = () if target.traces is None else target.traces.found
            findings += [_left(identity.source, trace) for trace in found_elsewhere[:_SHOWN]]
            sharing.add(identity)
        # Not its material: of ten thousand, one is in memory at a time.
        known = replace(target, identity=Identity(identity.source))
        facts.append((known, *_facts(target)))
    findings += sharing.findings()
    worst: dict[str, Severity] = {}
    for finding in findings:
        before = worst.get(finding.source)
        if before is None or _RANK[finding.severity] > _RANK[before]:
            worst[finding.source] = finding.severity
    identities = tuple(
        Checked(
            task.identity.source, task.vm_uuid, ngt_uuid,
            f"{end:%Y-%m-%dT%H:%M:%SZ}" if end else None,
            (end - moment).days if end else None,
            worst[task.identity.source].value if task.identity.source in worst else "ok",
            None if task.traces is None else task.traces.unread,
            fingerprint,
        )
        for task, ngt_uuid, end, fingerprint in facts
    )  # fmt: skip
    due = renewals([(c.source, c.vm_uuid, c.not_after) for c in identities], findings)
    ok = all(finding.severity is Severity.NOTE for finding in findings)
    said = {task.complete for task, *_ in facts}
    complete = False if False in said else True if said == {True} else None
    return Audit(ok, warn_days, identities, tuple(findings), due, complete)


def check_identities(
    *paths: str | Path,
    certificates: str | Path | None = None,
    ca: str | Path | None = None,
    warn_days: int = WARN_DAYS,
) -> Audit:
    """Check the identities on ISOs, in directories and inventories: expiry, mismatch, sharing.

    Args:
        paths: ISOs, directories, inventories.
        certificates: a directory of certificates to complete an inventory from.
        ca: a PEM file that certificates must chain to.
        warn_days: certificates that end within so many days are warned of.

    Raises:
        InputError: one of the paths cannot be used.
    """
    authorities: Sequence[Authority] = ()
    if ca is not None:
        authorities = read_authorities(Path(ca))
    found = targets(
        [Path(path) for path in paths],
        certificates=None if certificates is None else Path(certificates),
    )
    return audit(found, warn_days=warn_days, authorities=authorities)


def _left(source: str, trace: Trace) -> Finding:
    hint = "'ngtpatch identity strip' and inject overwrite it"
    if not trace.removable:
        hint = "ngtpatch does not change that place; take a disc without it"
    return Finding("left-behind", Severity.ERROR, source, f"holds {trace}", trace.path, hint)


def _facts(target: Task) -> tuple[str | None, datetime | None, str | None]:
    ngt_uuid, end, fingerprint = None, None, None
    with suppress(InputError):
        config = target.identity.parsed_config()
        ngt_uuid = config.ngt_uuid if config is not None else None
    with suppress(InputError):
        certificate = target.identity.parsed_certificate()
        if certificate is not None:
            end, fingerprint = certificate.not_after, certificate.fingerprint
    return ngt_uuid, end, fingerprint
