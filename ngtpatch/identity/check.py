# SPDX-License-Identifier: Apache-2.0
"""Whether an identity works, for how long, and whether it is this VM's alone.

Every reason is a :class:`~ngtpatch.identity.findings.Finding`; nothing is raised for bad
material, so that one bad VM hides no other.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import AUTHORITY, CERTIFICATE, CONFIG, KEY, VM_PATHS, WARN_DAYS
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import (
    Certificate,
    PrivateKey,
    chain_problem,
    looks_like_key,
    pem_problem,
)
from ngtpatch.identity.config import KEYS, UUID, Config, problems
from ngtpatch.identity.findings import Finding, Severity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

__all__ = ["Sharing", "check"]

_OTHERS = 0o077
_WEAK_RSA_BITS = 2048

# Where a part that is missing can come from.
_HOW = {
    CONFIG: "from the VM's own disc, by the column `config`, --certificates DIR or --config",
    CERTIFICATE: "from the VM's own disc, by the column `cert`, --certificates DIR or --cert",
    KEY: "from the VM's own disc, by the column `key`, --certificates DIR or --key",
    AUTHORITY: "from any disc of the cluster, by the column `ca`, --certificates DIR or --ca-cert",
}

T = TypeVar("T")


def check(
    identity: Identity,
    *,
    now: datetime | None = None,
    warn_days: int = WARN_DAYS,
    authorities: Sequence[Authority] = (),
    required: Collection[str] = VM_PATHS,
    required_keys: Collection[str] = KEYS,
    authority: Severity | None = None,
) -> tuple[Finding, ...]:
    """Return what is wrong with one identity, and what cannot be known of it.

    Args:
        identity: what to judge.
        now: the moment to judge for, aware; the clock's when absent.
        warn_days: a certificate that ends within so many days is ``expiring``.
        authorities: when given, the certificate must chain to one of them as well as to the
            authority that comes with it.
        required: the parts (paths on an image) whose absence is ``missing``.
        required_keys: the keys of ngt_config.json that must be there.
        authority: how bad it is when the cluster's authority is missing; None: not at all.
    """
    found: list[Finding] = []
    add = found.append
    moment = now or datetime.now(timezone.utc)
    parts = {
        CONFIG: identity.config, CERTIFICATE: identity.certificate, KEY: identity.key,
        AUTHORITY: identity.authority,
    }  # fmt: skip
    for entry in (CONFIG, CERTIFICATE, KEY):
        if parts[entry] is None and entry in required:
            add(_error(identity, "missing", f"{_name(entry)} is missing", entry, _HOW[entry]))
    if identity.authority is None and authority is not None:
        message = f"{_name(AUTHORITY)} is missing, and the vendor's disc had one"
        add(
            Finding(
                "missing", authority, identity.source, message, identity.where(AUTHORITY),
                _HOW[AUTHORITY],
            )
        )  # fmt: skip

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
    found += _forms(identity, parts)
    certificate = parsed(identity.parsed_certificate)
    key = parsed(identity.parsed_key)
    issuer = parsed(identity.parsed_authority)
    if certificate is not None:
        found += _validity(identity, certificate, CERTIFICATE, moment, warn_days)
        found += _strength(identity, certificate, CERTIFICATE)
        if authorities and (problem := chain_problem(certificate, authorities)):
            add(_error(identity, "chain", problem, CERTIFICATE))
    if issuer is not None:
        found += _validity(identity, issuer, AUTHORITY, moment, warn_days)
        found += _strength(identity, issuer, AUTHORITY)
    found += _together(identity, config, certificate, key, issuer)
    for path, mode in identity.modes.items():
        if mode & _OTHERS:
            message = f"mode {mode:04o} lets others read the key"
            hint = f"chmod 600 {shlex.quote(path)}"
            add(Finding("mode", Severity.WARNING, identity.source, message, path, hint))
    return tuple(found)


def _together(
    identity: Identity,
    config: Config | None,
    certificate: Certificate | None,
    key: PrivateKey | None,
    issuer: Certificate | None,
) -> list[Finding]:
    """Find which parts are not of one piece."""
    if certificate is None:
        return []
    found = []
    if issuer is not None and (problem := _not_issued(certificate, issuer)):
        hint = "take both from the same VM's disc: each cluster is its own authority"
        found.append(_error(identity, "chain", problem, CERTIFICATE, hint))
    if key is not None and not key.matches(certificate):
        message, hint = "the key does not belong to the certificate", "take both from the same ISO"
        found.append(_error(identity, "key-mismatch", message, KEY, hint))
    uuid = config.ngt_uuid if config is not None else None
    if uuid and UUID.fullmatch(uuid) and not certificate.names(uuid):
        found.append(_untied(identity))
    return found


def _forms(identity: Identity, parts: Mapping[str, bytes | None]) -> list[Finding]:
    """Find what our library reads and the guest's does not, or what others would read too."""
    found = []
    for entry in (CERTIFICATE, KEY, AUTHORITY):
        data = parts[entry]
        if data is None:
            continue
        if problem := pem_problem(data):
            hint = "write it as the cluster did: UTF-8 without BOM, and each line ends with LF"
            found.append(_error(identity, "pem-lines", problem, entry, hint))
        if entry != KEY and looks_like_key(data):
            message = "holds a private key beside the certificate"
            hint = f"the key's place is {_name(KEY)}; whoever gets the certificate gets it, too"
            found.append(_error(identity, "key-in-certificate", message, entry, hint))
    return found


def _strength(identity: Identity, certificate: Certificate, entry: str) -> list[Finding]:
    kind, bits = certificate.key_kind
    if kind != "RSA" or bits >= _WEAK_RSA_BITS:
        return []
    message = f"its RSA key has only {bits} bits, which OpenSSL refuses by its usual settings"
    return [_warning(identity, "weak-key", message, entry)]


def _not_issued(certificate: Certificate, issuer: Certificate) -> str | None:
    if certificate.leaf in issuer.certificates:
        return f"{_name(AUTHORITY)} holds the VM's own certificate, not the authority's"
    return chain_problem(certificate, issuer.certificates, file=_name(AUTHORITY))


def _untied(identity: Identity) -> Finding:
    """Say what is not known: any VM's pair of the same cluster would look as right as this."""
    message = (
        "nothing in the certificate names the configuration's ngt_uuid: that the two are "
        "one VM's is not known"
    )
    hint = "take the files from one disc together; ngtpatch cannot tell two VMs' apart here"
    return Finding(
        "untied", Severity.NOTE, identity.source, message, identity.where(CERTIFICATE), hint
    )


def _name(entry: str) -> str:
    return entry.rpartition("/")[2]


class Sharing:
    """Finds an ngt_uuid or a certificate that two VMs have, without keeping their material."""

    def __init__(self) -> None:
        # The first that has it alone: most are the only one.
        self._first: dict[tuple[str, str], tuple[str, str]] = {}
        self._more: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def add(self, identity: Identity) -> None:
        """Look at one more VM. What cannot be read is left to :func:`check`."""
        with suppress(InputError):
            config = identity.parsed_config()
            if config is not None:
                self.add_uuid(identity.source, config.ngt_uuid, identity.where(CONFIG))
        with suppress(InputError):
            certificate = identity.parsed_certificate()
            if certificate is not None:
                where = identity.where(CERTIFICATE)
                self.add_certificate(identity.source, certificate.fingerprint, where)

    def add_uuid(self, source: str, ngt_uuid: str | None, path: str = CONFIG) -> None:
        """Look at an ngt_uuid alone: whose it is, and the file that says so."""
        if ngt_uuid:
            self._add("duplicate-uuid", ngt_uuid, source, path)

    def add_certificate(
        self, source: str, fingerprint: str | None, path: str = CERTIFICATE
    ) -> None:
        """Look at a certificate alone."""
        if fingerprint:
            self._add("duplicate-certificate", fingerprint, source, path)

    def _add(self, code: str, value: str, source: str, path: str) -> None:
        key, seen = (code, value), (source, path)
        if self._first.setdefault(key, seen) is not seen:
            self._more.setdefault(key, []).append(seen)

    def findings(self) -> tuple[Finding, ...]:
        """Return an error for every VM that shares something with another."""
        found: list[Finding] = []
        for (code, value), more in _uuids_first(self._more):
            group = [self._first[code, value], *more]
            what = f"ngt_uuid {value}" if code == "duplicate-uuid" else "the certificate"
            for index, (source, path) in enumerate(group):
                others = [name for n, (name, _) in enumerate(group) if n != index]
                rest = f" and {len(others) - 3} more" if len(others) > 3 else ""
                message = f"{what} is also that of {', '.join(others[:3])}{rest}"
                hint = "each VM needs an identity of its own: let the cluster issue one"
                found.append(Finding(code, Severity.ERROR, source, message, path, hint))
        return tuple(found)


def _uuids_first(
    groups: Mapping[tuple[str, str], list[tuple[str, str]]],
) -> list[tuple[tuple[str, str], list[tuple[str, str]]]]:
    return sorted(groups.items(), key=lambda item: item[0][0] != "duplicate-uuid")


def _validity(
    identity: Identity, certificate: Certificate, entry: str, now: datetime, warn_days: int
) -> list[Finding]:
    end = certificate.not_after
    what = "the certificate" if entry == CERTIFICATE else "the authority's certificate"
    hint = "let the cluster issue a new one (identity check --plan says how)"
    if now > end:
        message = f"{what} expired on {end:%Y-%m-%d}, {(now - end).days} days ago"
        return [_error(identity, "expired", message, entry, hint)]
    if now < certificate.not_before:
        begin = f"{certificate.not_before:%Y-%m-%d %H:%M} UTC"
        return [_error(identity, "not-yet-valid", f"{what} begins on {begin}", entry)]
    # Divided, since timedelta(days=warn_days) overflows where somebody asks for "all of them".
    if (end - now) / timedelta(days=1) <= warn_days:
        message = f"{what} expires on {end:%Y-%m-%d}, in {(end - now).days} days"
        return [_warning(identity, "expiring", message, entry, hint)]
    return []


def _error(
    identity: Identity, code: str, message: str, entry: str, hint: str | None = None
) -> Finding:
    return Finding(code, Severity.ERROR, identity.source, message, identity.where(entry), hint)


def _warning(
    identity: Identity, code: str, message: str, entry: str, hint: str | None = None
) -> Finding:
    return Finding(code, Severity.WARNING, identity.source, message, identity.where(entry), hint)
