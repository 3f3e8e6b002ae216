# SPDX-License-Identifier: Apache-2.0
"""A client certificate and its key, as a cluster would issue them.

A cluster is its own authority. Discs of NGT 1.x carry its certificate and it signs the VM's; of
later ones nobody has said so, and their samples are signed by themselves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Credentials", "issue"]

# facts: certificates of a cluster live 1000 days.
LIFETIME = timedelta(days=1000)
_CLUSTER = "the cluster of all seeded samples"


@dataclass(frozen=True)
class Credentials:
    """One VM's identity: ngt_uuid, and certificate and key in PEM.

    *authority* is the certificate of the cluster that issued them, in PEM; None where they are
    signed by themselves.
    """

    ngt_uuid: UUID
    certificate: bytes
    key: bytes
    authority: bytes | None = None

    def __repr__(self) -> str:
        return f"Credentials(ngt_uuid={self.ngt_uuid})"


_Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def issue(not_before: datetime, *, seed: str | None = None, authority: bool = False) -> Credentials:
    """Return an identity that is valid for 1000 days.

    Args:
        not_before: when it begins to be valid, in UTC.
        seed: without it every identity is another (RSA 2048, version 4 UUID). With it, it is
            derived from these words alone, and worth as much: an Ed25519 key, since an RSA key
            cannot be derived and an ECDSA signature is not the same twice. All that are
            derived are of one cluster.
        authority: let a cluster's authority issue it, and return its certificate, too.
    """
    ngt_uuid = uuid4() if seed is None else UUID(bytes=_derive(seed, "ngt_uuid")[:16], version=4)
    key, serial = _key(seed)
    name, signer, issuer = _name(str(ngt_uuid)), key, None
    if authority:
        signer, issuer = _authority(not_before, seeded=seed is not None)
    builder = (
        _builder(name, name if issuer is None else issuer.subject, key, serial, not_before)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return Credentials(
        ngt_uuid=ngt_uuid,
        certificate=_signed(builder, signer).public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        authority=None if issuer is None else issuer.public_bytes(serialization.Encoding.PEM),
    )


def _authority(not_before: datetime, *, seeded: bool) -> tuple[_Key, x509.Certificate]:
    """Return a cluster's key and certificate; the seeded ones are everybody's and always one."""
    key, serial = _key(_CLUSTER if seeded else None)
    name = _name("ngtpatch sample cluster")
    builder = _builder(name, name, key, serial, not_before).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    return key, _signed(builder, key)


def _key(seed: str | None) -> tuple[_Key, int]:
    """Return a key and a serial number."""
    if seed is None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return key, x509.random_serial_number()
    serial = int.from_bytes(_derive(seed, "serial")[:16], "big") | 1
    return ed25519.Ed25519PrivateKey.from_private_bytes(_derive(seed, "key")), serial


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key, serial: int, not_before: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_before + LIFETIME)
    )


def _signed(builder: x509.CertificateBuilder, key: _Key) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None)


def _derive(seed: str, purpose: str) -> bytes:
    return hashlib.sha256(f"ngtpatch sample {purpose}\0{seed}".encode()).digest()
