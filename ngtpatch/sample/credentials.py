# SPDX-License-Identifier: Apache-2.0
"""A client certificate and its key, as a cluster would issue them, but signed by itself."""

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


@dataclass(frozen=True)
class Credentials:
    """One VM's identity: ngt_uuid, and certificate and key in PEM."""

    ngt_uuid: UUID
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Credentials(ngt_uuid={self.ngt_uuid})"


def issue(not_before: datetime, *, seed: str | None = None) -> Credentials:
    """Return an identity that is valid for 1000 days.

    Args:
        not_before: when it begins to be valid, in UTC.
        seed: without it every identity is another (RSA 2048, version 4 UUID). With it, it is
            derived from these words alone, and worth as much: an Ed25519 key, since an RSA key
            cannot be derived and an ECDSA signature is not the same twice.
    """
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    algorithm: hashes.SHA256 | None
    if seed is None:
        ngt_uuid, serial = uuid4(), x509.random_serial_number()
        key, algorithm = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048),
            hashes.SHA256(),
        )
    else:
        ngt_uuid = UUID(bytes=_derive(seed, "ngt_uuid")[:16], version=4)
        serial = int.from_bytes(_derive(seed, "serial")[:16], "big") | 1
        key, algorithm = ed25519.Ed25519PrivateKey.from_private_bytes(_derive(seed, "key")), None
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(ngt_uuid))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(not_before + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, algorithm)
    )
    return Credentials(
        ngt_uuid=ngt_uuid,
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _derive(seed: str, purpose: str) -> bytes:
    return hashlib.sha256(f"ngtpatch sample {purpose}\0{seed}".encode()).digest()
