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

# What is shared (code, value); who has it (source, path), and of a key with which other marks.
_Shared = tuple[str, "str | bytes"]
_Marks = tuple["str | None", "str | None"]
_Seen = tuple[str, str, _Marks]
_WHAT = {
    "duplicate-uuid": "ngt_uuid {}",
    "duplicate-key": "the certificate's key",
    "duplicate-certificate": "the certificate",
}
_RANK = {code: rank for rank, code in enumerate(_WHAT)}


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
    """Finds an ngt_uuid, a certificate or a key that two VMs have, without keeping their material.

    Keys are compared by the public halves that certificates have. Where two have one certificate or
    one ngt_uuid that is said, and of their key nothing besides.
    """

    def __init__(self) -> None:
        # The first that has it alone: most are the only one.
        self._first: dict[_Shared, _Seen] = {}
        self._more: dict[_Shared, list[_Seen]] = {}

    def add(self, identity: Identity) -> None:
        """Look at one more VM. What cannot be read is left to :func:`check`."""
        ngt_uuid = None
        with suppress(InputError):
            config = identity.parsed_config()
            if config is not None:
                ngt_uuid = config.ngt_uuid
                self.add_uuid(identity.source, ngt_uuid, identity.where(CONFIG))
        with suppress(InputError):
            certificate = identity.parsed_certificate()
            if certificate is not None:
                where = identity.where(CERTIFICATE)
                self.add_certificate(identity.source, certificate.fingerprint, where)
                marks = ngt_uuid, certificate.fingerprint
                self.add_key(identity.source, certificate.public_key, marks, where)

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

    def add_key(
        self, source: str, public_key: bytes, marks: _Marks, path: str = CERTIFICATE
    ) -> None:
        """Look at a certificate's key, of a VM that has this ngt_uuid and certificate."""
        self._add("duplicate-key", public_key, source, path, marks)

    def _add(
        self, code: str, value: str | bytes, source: str, path: str, marks: _Marks = (None, None)
    ) -> None:
        key, seen = (code, value), (source, path, marks)
        if self._first.setdefault(key, seen) is not seen:
            self._more.setdefault(key, []).append(seen)

    def findings(self) -> tuple[Finding, ...]:
        """Return an error for every VM that shares something with another."""
        found: list[Finding] = []
        for (code, value), more in sorted(self._more.items(), key=lambda one: _RANK[one[0][0]]):
            group = [self._first[code, value], *more]
            what = _WHAT[code].format(value)
            for index, (source, path, marks) in enumerate(group):
                others = [
                    name
                    for n, (name, _, theirs) in enumerate(group)
                    if n != index and not _have_one(marks, theirs)
                ]
                if not others:
                    continue
                rest = f" and {len(others) - 3} more" if len(others) > 3 else ""
                message = f"{what} is also that of {', '.join(others[:3])}{rest}"
                if code == "duplicate-key":
                    message += ", under another certificate"
                hint = "each VM needs an identity of its own: let the cluster issue one"
                found.append(Finding(code, Severity.ERROR, source, message, path, hint))
        return tuple(found)


def _have_one(marks: _Marks, others: _Marks) -> bool:
    return any(a is not None and a == b for a, b in zip(marks, others, strict=True))


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
