# SPDX-License-Identifier: Apache-2.0
"""Real keys and certificates, made by ``cryptography``; no fixture file ever holds a key."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
LIFETIME = timedelta(days=1000)
# Of VM 1: what ties a certificate to its configuration.
FIRST = "d4de685b-791a-4fbc-b916-000000000001"


@cache
def private_key(kind: str, number: int = 0) -> Any:
    """A key per (kind, number), generated once a run: RSA 4096 takes a second."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def key_pem(key: Any, *, password: bytes | None = None) -> bytes:
    encryption: Any = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )


def certificate(
    key: Any,
    *,
    name: str = FIRST,
    issuer: tuple[x509.Certificate, Any] | None = None,
    begin: datetime = NOW - timedelta(days=100),
    end: datetime | None = None,
    authority: bool = False,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end or begin + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    signer = issuer[1] if issuer else key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def config(number: int = 1, **changes: Any) -> bytes:
    """The published sample's line, for VM *number*."""
    values: dict[str, Any] = {
        "cluster_ip": "192.168.7.7",
        "ngt_uuid": f"d4de685b-791a-4fbc-b916-{number:012x}",
        "ngt_version": "2.0.1",
        "port": 2074,
    }
    return json.dumps({**values, **changes}).encode()


@cache
def cluster(name: str = "cluster", begin: datetime = NOW - timedelta(days=200)) -> Any:
    """A cluster's authority: its certificate, and the key that it issues with."""
    key = private_key("rsa2048", 9000 + len(name))
    certificate_of_it = certificate(key, name=name, begin=begin, authority=True)
    return certificate_of_it, key


def files(number: int = 1, *, kind: str = "p256", **certificate_options: Any) -> dict[str, bytes]:
    """One VM's three files by their path on an image; the certificate names the ngt_uuid."""
    uuid = json.loads(config(number))["ngt_uuid"]
    key = private_key(kind, number)
    return {
        "config/ngt_config.json": config(number),
        "config/client-cert.pem": pem(certificate(key, **{"name": uuid, **certificate_options})),
        "config/client-key.pem": key_pem(key),
    }
