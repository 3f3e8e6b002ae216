# SPDX-License-Identifier: Apache-2.0
"""An identity as it may be shown: everything but the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ngtpatch.errors import InputError
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import Certificate, PrivateKey, looks_like_key

__all__ = ["CertificateFacts", "Description", "KeyFacts", "describe"]

T = TypeVar("T")


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says about itself. Times are UTC in ISO 8601."""

    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    key_type: str
    key_bits: int
    sha256: str


@dataclass(frozen=True)
class KeyFacts:
    """What may be known about a key: never a byte of it."""

    key_type: str
    key_bits: int
    matches_certificate: bool | None


@dataclass(frozen=True)
class Description:
    """A redacted identity.

    Attributes:
        present: whether anything is there that belongs to one VM.
        config: ngt_config.json as parsed, complete; None when absent or unusable.
        authority: the cluster's, where it is on the disc; all VMs of a cluster have it.
        problems: why a part could not be read.
    """

    present: bool
    cluster_ip: Any
    ngt_uuid: Any
    ngt_version: Any
    port: Any
    config: Mapping[str, Any] | None
    certificate: CertificateFacts | None
    key: KeyFacts | None
    authority: CertificateFacts | None
    problems: tuple[str, ...]


def describe(identity: Identity) -> Description:
    """Return what may be shown of *identity*."""
    problems: list[str] = []

    def parsed(read: Callable[[], T | None]) -> T | None:
        try:
            return read()
        except InputError as error:
            problems.append(str(error))
            return None

    config = parsed(identity.parsed_config)
    certificate = parsed(identity.parsed_certificate)
    key = parsed(identity.parsed_key)
    authority = parsed(identity.parsed_authority)
    values: Mapping[str, Any] = config.values if config is not None else {}
    return Description(
        present=identity.carries_secret,
        cluster_ip=values.get("cluster_ip"),
        ngt_uuid=values.get("ngt_uuid"),
        ngt_version=values.get("ngt_version"),
        port=values.get("port"),
        config=_without_keys(values) if config is not None else None,
        certificate=_certificate_facts(certificate) if certificate is not None else None,
        key=_key_facts(key, certificate) if key is not None else None,
        authority=_certificate_facts(authority) if authority is not None else None,
        problems=tuple(problems),
    )


def _without_keys(value: Any) -> Any:
    """Hide private keys that stand in values of unknown meaning; nothing else."""
    if isinstance(value, str) and looks_like_key(value.encode("utf-8", "surrogatepass")):
        return "<private key, hidden>"
    if isinstance(value, Mapping):
        return {key: _without_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_keys(item) for item in value]
    return value


def _certificate_facts(certificate: Certificate) -> CertificateFacts:
    leaf = certificate.leaf
    kind, bits = certificate.key_kind
    return CertificateFacts(
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=f"{leaf.serial_number:x}",
        not_before=f"{certificate.not_before:%Y-%m-%dT%H:%M:%SZ}",
        not_after=f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
        key_type=kind,
        key_bits=bits,
        sha256=certificate.fingerprint,
    )


def _key_facts(key: PrivateKey, certificate: Certificate | None) -> KeyFacts:
    kind, bits = key.kind
    return KeyFacts(kind, bits, None if certificate is None else key.matches(certificate))
