# SPDX-License-Identifier: Apache-2.0
"""Client certificate and private key: X.509 and PKCS in PEM, read by ``cryptography``.

Nothing here puts key material into a message: what ``cryptography`` says about a key that
does not parse is replaced by a sentence of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.wellknown import CERTIFICATE, KEY

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = [
    "Certificate",
    "PrivateKey",
    "chain_problem",
    "looks_like_key",
    "pem_problem",
    "read_authorities",
]

MAX_BYTES = 1 << 20
_MAX_CHAIN = 8
# A marker as OpenSSL reads one: a line of its own, and a line ends with LF.
_MARKER_LINE = re.compile(rb"^-----BEGIN [^\r\n]{1,60}-----[ \t]*\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Certificate:
    """A client certificate, and the intermediates that came in the same file."""

    pem: bytes
    path: str = CERTIFICATE

    @cached_property
    def _all(self) -> tuple[x509.Certificate, ...]:
        return _certificates(self.pem, self.path)

    @property
    def leaf(self) -> x509.Certificate:
        """The client's own: the first certificate of the file (RFC 8446, 4.4.2)."""
        return self._all[0]

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """What follows the leaf in the file."""
        return self._all[1:]

    @classmethod
    def parse(cls, pem: bytes, *, path: str = CERTIFICATE) -> Certificate:
        """Return the certificate in *pem*.

        Raises:
            InputError: ``certificate-pem``: no certificate in PEM that can be read.
        """
        certificate = cls(pem, path)
        certificate._all  # noqa: B018 - parsed now, so that it fails here
        return certificate

    @property
    def not_before(self) -> datetime:
        """The first moment of validity, in UTC."""
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The last moment of validity, in UTC."""
        return self.leaf.not_valid_after_utc

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf's DER form, in hexadecimal."""
        from cryptography.hazmat.primitives import hashes

        return self.leaf.fingerprint(hashes.SHA256()).hex()

    @cached_property
    def public_key(self) -> bytes:
        """A digest of the leaf's public key: certificates of one private key have the same."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = self.leaf.public_key()
        return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """All of the file, the client's own first."""
        return self._all

    def names(self, uuid: str) -> bool:
        """Say whether its subject or its alternative names hold *uuid*, hyphens or not."""
        from cryptography import x509

        said = [self.subject]
        try:
            found = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            said += [str(name.value) for name in found.value]
        except (x509.ExtensionNotFound, ValueError):
            pass
        return uuid.replace("-", "").lower() in " ".join(said).replace("-", "").lower()

    @property
    def subject(self) -> str:
        """The subject's name as in RFC 4514."""
        return name_of(self.leaf, "subject")

    @property
    def issuer(self) -> str:
        """The issuer's name as in RFC 4514."""
        return name_of(self.leaf, "issuer")

    @property
    def key_kind(self) -> tuple[str, int]:
        """Type and size in bits of the public key: ("RSA", 2048), ("EC secp256r1", 256)."""
        return _kind(self.leaf.public_key())


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """A private key whose repr says nothing about it."""

    key: PrivateKeyTypes

    @classmethod
    def parse(cls, pem: bytes, *, path: str = KEY) -> PrivateKey:
        """Return the key in *pem*.

        Raises:
            InputError: ``key-pem``: not a private key in PEM; ``key-encrypted``: the agent
                has nowhere to ask for a password.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import (
            load_pem_private_key,
        )

        if len(pem) > MAX_BYTES:
            raise InputError("key-pem", "is too large for a private key", path=path)
        if b"ENCRYPTED" in pem[:4096] and looks_like_key(pem):
            raise InputError(
                "key-encrypted",
                "is protected by a password, which the agent cannot enter",
                path=path,
                hint="give the key as the cluster issued it, without a password",
            )
        try:
            # The consistency check of RSA primes costs 30 ms a key; a key that does not fit its
            # certificate is found by comparing the public halves.
            return cls(
                load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
            )
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # `from None`: the text of the cause may quote what was in the file.
            what = "is not a private key in PEM" if pem.strip() else "is empty: no private key"
            raise InputError("key-pem", what, path=path) from None

    @property
    def kind(self) -> tuple[str, int]:
        """Type and size in bits."""
        return _kind(self.key.public_key())

    def matches(self, certificate: Certificate) -> bool:
        """Say whether *certificate* was issued for this key."""
        try:
            return bool(self.key.public_key() == certificate.leaf.public_key())
        except ValueError:
            return False

    def __repr__(self) -> str:
        return "PrivateKey(<hidden>)"


def looks_like_key(data: bytes) -> bool:
    """Say whether *data* holds a private key in PEM of any kind (RFC 7468, OpenSSH)."""
    return b"PRIVATE KEY-----" in data


def pem_problem(data: bytes) -> str | None:
    """Return why OpenSSL, which the guest's agent reads PEM with, finds none in *data*.

    ``cryptography`` is more liberal: it takes a lone CR for the end of a line, and a marker
    in the middle of one.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark, which older OpenSSL refuses"
    if data.count(b"-----BEGIN ") == len(_MARKER_LINE.findall(data)):
        return None
    if b"\n" not in data:
        return "has lines that end with CR alone, which OpenSSL refuses"
    return "has a -----BEGIN that is no line of its own, which OpenSSL refuses"


def read_authorities(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a CA bundle.

    Raises:
        InputError: ``certificate-pem``, or as :func:`~ngtpatch.files.bounded.read_small`.
    """
    return _certificates(
        read_small(path, limit=MAX_BYTES, what="file of CA certificates", may_hold_key=True),
        str(path),
    )


def chain_problem(
    certificate: Certificate, authorities: Iterable[x509.Certificate], *, file: str = "the CA file"
) -> str | None:
    """Return why *certificate* is not proven by *authorities*, or None when it is.

    Names and signatures are followed (RFC 5280, 6.1) through the file's intermediates, each
    of which must be a CA. Extended key usage and names are not judged: what a cluster puts
    there was never published.
    """
    trusted = list(authorities)
    pool = [*certificate.intermediates, *trusted]
    current = certificate.leaf
    for _ in range(_MAX_CHAIN):
        if current in trusted:
            return None
        issuer = next((c for c in pool if c != current and _issued(c, current)), None)
        if issuer is None:
            return f"no certificate of {file} issued {name_of(current, 'subject')!r}"
        if not _is_authority(issuer):
            return f"its issuer {name_of(issuer, 'subject')!r} is not a certificate authority"
        current = issuer
    return f"the chain is longer than {_MAX_CHAIN}"


def name_of(certificate: x509.Certificate, which: Literal["subject", "issuer"]) -> str:
    """Return a name of *certificate* as in RFC 4514; what cannot be decoded, as ``?``."""
    try:
        name: x509.Name = getattr(certificate, which)
        return name.rfc4514_string()
    except ValueError:
        return "?"


def _issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    from cryptography import x509

    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.value.ca


def _certificates(pem: bytes, path: str) -> tuple[x509.Certificate, ...]:
    from cryptography import x509

    hint = "swap the two files" if looks_like_key(pem[:MAX_BYTES]) else None
    try:
        found = tuple(x509.load_pem_x509_certificates(pem[:MAX_BYTES]))
        for certificate in found:
            # Lazily decoded by cryptography: asked for here, so that it cannot fail later.
            # (Names are left: they cost as much as the rest, and few callers look at them.)
            _ = certificate.not_valid_after_utc, certificate.public_key()
    except Exception:
        # Everything: a bad DER structure surfaces as many classes of exception.
        what = "is not an X.509 certificate in PEM" if pem.strip() else "is empty: no certificate"
        raise InputError("certificate-pem", what, path=path, hint=hint) from None
    return found


def _kind(public: Any) -> tuple[str, int]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(public, rsa.RSAPublicKey):
        return "RSA", public.key_size
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"EC {public.curve.name}", public.curve.key_size
    name = type(public).__name__.removesuffix("PublicKey").strip("_")
    return name, {"Ed25519": 256, "Ed448": 456}.get(name, 0)
