# SPDX-License-Identifier: Apache-2.0
"""Whether an identity works, for how long, and whether it is this VM's alone.

Every reason is a :class:`~ngtpatch.identity.findings.Finding`; nothing is raised for bad
material, so that one bad VM hides no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from ngtpatch.errors import InputError
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import Certificate, chain_problem
from ngtpatch.identity.config import problems
from ngtpatch.identity.findings import Finding, Severity
from ngtpatch.identity.paths import CERTIFICATE, CONFIG, KEY

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

__all__ = ["WARN_DAYS", "check", "check_many", "duplicates"]

WARN_DAYS = 90
_OTHERS = 0o077
_WEAK_RSA_BITS = 2048

T = TypeVar("T")


def check(
    identity: Identity,
    *,
    now: datetime | None = None,
    warn_days: int = WARN_DAYS,
    authorities: Sequence[Authority] = (),
    shared: bool = False,
) -> tuple[Finding, ...]:
    """Return what is wrong with one identity.

    Args:
        identity: what to judge.
        now: the moment to judge for, aware; the clock's when absent.
        warn_days: a certificate that ends within so many days is ``expiring``.
        authorities: when given, the certificate must chain to one of them.
        shared: an image of nobody's: only a configuration with ngt_version has to be there.
    """
    found: list[Finding] = []
    add = found.append
    moment = now or datetime.now(timezone.utc)
    present = {CONFIG: identity.config, CERTIFICATE: identity.certificate, KEY: identity.key}
    for entry in (CONFIG, CERTIFICATE, KEY):
        if present[entry] is None and (entry == CONFIG or not shared):
            add(_error(identity, "missing", f"{entry.rpartition('/')[2]} is missing", entry))

    def parsed(read: Callable[[], T | None]) -> T | None:
        try:
            return read()
        except InputError as error:
            found.append(
                Finding(
                    error.code, Severity.ERROR, identity.source, error.message,
                    error.path, error.hint,
                )
            )  # fmt: skip
            return None

    config = parsed(identity.parsed_config)
    if config is not None:
        found += problems(
            config, source=identity.source, path=identity.where(CONFIG), shared=shared
        )
    certificate = parsed(identity.parsed_certificate)
    key = parsed(identity.parsed_key)
    if certificate is not None:
        found += _validity(identity, certificate, moment, warn_days)
        if authorities and (problem := chain_problem(certificate, authorities)):
            add(_error(identity, "chain", problem, CERTIFICATE))
        kind, bits = certificate.key_kind
        if kind == "RSA" and bits < _WEAK_RSA_BITS:
            add(_warning(identity, "weak-key", f"its RSA key has only {bits} bits", CERTIFICATE))
    if certificate is not None and key is not None and not key.matches(certificate):
        add(
            _error(
                identity, "key-mismatch", "the key does not belong to the certificate", KEY,
                "take both from the same ISO",
            )
        )  # fmt: skip
    mode = identity.modes.get(KEY)
    if mode is not None and mode & _OTHERS:
        add(
            _warning(
                identity, "mode", f"mode {mode:04o} lets others read the key", KEY,
                f"chmod 600 {identity.where(KEY)}",
            )
        )  # fmt: skip
    return tuple(found)


def check_many(
    identities: Iterable[Identity],
    *,
    now: datetime | None = None,
    warn_days: int = WARN_DAYS,
    authorities: Sequence[Authority] = (),
) -> tuple[Finding, ...]:
    """Return what is wrong with each of *identities*, and what two of them share."""
    everything = list(identities)
    moment = now or datetime.now(timezone.utc)
    found: list[Finding] = []
    for identity in everything:
        found += check(identity, now=moment, warn_days=warn_days, authorities=authorities)
    return (*found, *duplicates(everything))


def duplicates(identities: Iterable[Identity]) -> tuple[Finding, ...]:
    """Return an error for every identity that shares its ngt_uuid or certificate with another."""
    by_uuid: dict[str, list[Identity]] = defaultdict(list)
    by_certificate: dict[str, list[Identity]] = defaultdict(list)
    for identity in identities:
        try:
            config = identity.parsed_config()
            if config is not None and config.ngt_uuid:
                by_uuid[config.ngt_uuid].append(identity)
        except InputError:
            pass  # reported by check()
        try:
            certificate = identity.parsed_certificate()
            if certificate is not None:
                by_certificate[certificate.fingerprint].append(identity)
        except InputError:
            pass
    found: list[Finding] = []
    for code, entry, what, groups in (
        ("duplicate-uuid", CONFIG, "ngt_uuid", by_uuid),
        ("duplicate-certificate", CERTIFICATE, "the certificate", by_certificate),
    ):
        for value, group in groups.items():
            shown = f"{what} {value}" if what == "ngt_uuid" else what
            for identity in group if len(group) > 1 else ():
                others = [i.source for i in group if i is not identity]
                named = ", ".join(others[:3]) + (
                    f" and {len(others) - 3} more" if others[3:] else ""
                )
                found.append(
                    _error(
                        identity, code, f"{shown} is also that of {named}", entry,
                        "each VM needs an identity of its own: let the cluster issue one",
                    )
                )  # fmt: skip
    return tuple(found)


def _validity(
    identity: Identity, certificate: Certificate, now: datetime, warn_days: int
) -> list[Finding]:
    end = certificate.not_after
    if now > end:
        days = (now - end).days
        return [
            _error(
                identity, "expired", f"the certificate expired on {end:%Y-%m-%d}, {days} days ago",
                CERTIFICATE, "let the cluster issue a new one (identity check --plan says how)",
            )
        ]  # fmt: skip
    if now < certificate.not_before:
        begin = f"{certificate.not_before:%Y-%m-%d %H:%M} UTC"
        return [
            _error(identity, "not-yet-valid", f"the certificate begins on {begin}", CERTIFICATE)
        ]
    if end - now <= timedelta(days=warn_days):
        days = (end - now).days
        return [
            _warning(
                identity, "expiring", f"the certificate expires on {end:%Y-%m-%d}, in {days} days",
                CERTIFICATE, "let the cluster issue a new one (identity check --plan says how)",
            )
        ]  # fmt: skip
    return []


def _error(
    identity: Identity, code: str, message: str, entry: str, hint: str | None = None
) -> Finding:
    return Finding(code, Severity.ERROR, identity.source, message, identity.where(entry), hint)


def _warning(
    identity: Identity, code: str, message: str, entry: str, hint: str | None = None
) -> Finding:
    return Finding(code, Severity.WARNING, identity.source, message, identity.where(entry), hint)
