# SPDX-License-Identifier: Apache-2.0
"""Whether an identity works, for how long, and whether it is this VM's alone.

Every reason is a :class:`~ngtpatch.identity.findings.Finding`; nothing is raised for bad
material, so that one bad VM hides no other.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, IDENTITY_PATHS, KEY, WARN_DAYS
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import Certificate, chain_problem
from ngtpatch.identity.config import KEYS, problems
from ngtpatch.identity.findings import Finding, Severity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

__all__ = ["Sharing", "check"]

_OTHERS = 0o077
_WEAK_RSA_BITS = 2048

T = TypeVar("T")


def check(
    identity: Identity,
    *,
    now: datetime | None = None,
    warn_days: int = WARN_DAYS,
    authorities: Sequence[Authority] = (),
    required: Collection[str] = IDENTITY_PATHS,
    required_keys: Collection[str] = KEYS,
) -> tuple[Finding, ...]:
    """Return what is wrong with one identity.

    Args:
        identity: what to judge.
        now: the moment to judge for, aware; the clock's when absent.
        warn_days: a certificate that ends within so many days is ``expiring``.
        authorities: when given, the certificate must chain to one of them.
        required: the parts (paths on an image) whose absence is ``missing``.
        required_keys: the keys of ngt_config.json that must be there.
    """
    found: list[Finding] = []
    add = found.append
    moment = now or datetime.now(timezone.utc)
    present = {CONFIG: identity.config, CERTIFICATE: identity.certificate, KEY: identity.key}
    for entry in (CONFIG, CERTIFICATE, KEY):
        if present[entry] is None and entry in required:
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
            config, source=identity.source, path=identity.where(CONFIG), required=required_keys
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
    for path, mode in identity.modes.items():
        if mode & _OTHERS:
            message = f"mode {mode:04o} lets others read the key"
            hint = f"chmod 600 {shlex.quote(path)}"
            add(Finding("mode", Severity.WARNING, identity.source, message, path, hint))
    return tuple(found)


class Sharing:
    """Finds an ngt_uuid or a certificate that two VMs have, without keeping their material."""

    def __init__(self) -> None:
        self._uuids: dict[str, list[tuple[str, str]]] = {}
        self._certificates: dict[str, list[tuple[str, str]]] = {}

    def add(self, identity: Identity) -> None:
        """Look at one more VM. What cannot be read is left to :func:`check`."""
        with suppress(InputError):
            config = identity.parsed_config()
            if config is not None:
                self.add_uuid(identity, config.ngt_uuid)
        with suppress(InputError):
            certificate = identity.parsed_certificate()
            if certificate is not None:
                seen = self._certificates.setdefault(certificate.fingerprint, [])
                seen.append((identity.source, identity.where(CERTIFICATE)))

    def add_uuid(self, identity: Identity, ngt_uuid: str | None) -> None:
        """Look at an ngt_uuid alone."""
        if ngt_uuid:
            seen = self._uuids.setdefault(ngt_uuid, [])
            seen.append((identity.source, identity.where(CONFIG)))

    def findings(self) -> tuple[Finding, ...]:
        """Return an error for every VM that shares something with another."""
        found: list[Finding] = []
        for code, what, groups in (
            ("duplicate-uuid", "ngt_uuid {}", self._uuids),
            ("duplicate-certificate", "the certificate", self._certificates),
        ):
            for value, group in groups.items():
                for index, (source, path) in enumerate(group if len(group) > 1 else ()):
                    others = [name for n, (name, _) in enumerate(group) if n != index]
                    rest = f" and {len(others) - 3} more" if len(others) > 3 else ""
                    message = f"{what.format(value)} is also that of {', '.join(others[:3])}{rest}"
                    hint = "each VM needs an identity of its own: let the cluster issue one"
                    found.append(Finding(code, Severity.ERROR, source, message, path, hint))
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
    # Divided, since timedelta(days=warn_days) overflows where somebody asks for "all of them".
    if (end - now) / timedelta(days=1) <= warn_days:
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
