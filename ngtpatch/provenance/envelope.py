# SPDX-License-Identifier: Apache-2.0
"""Signatures: a DSSE envelope around the statement, offline.

Ours are made with ed25519. Others' are taken as they come: any public key that the library
takes, any keyid or none, several signatures.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import InputError, VerificationError
from ngtpatch.files.bounded import STDIN, read_small

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )

__all__ = ["PAYLOAD_TYPE", "PublicKey", "decoded", "open_envelope", "seal", "signer", "verifier"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_KEY = 1 << 16
_MOST_SIGNATURES = 100
_HOW = "openssl genpkey -algorithm ed25519 -out sign.key; openssl pkey -in sign.key -pubout"


def seal(payload: bytes, key: Path) -> dict[str, Any]:
    """Return a DSSE envelope around *payload*, signed with the private key in *key*.

    Raises:
        InputError: ``sign-key``: not an ed25519 private key in PEM without a password.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(signer(key)))
    return dict(envelope.to_dict())


def open_envelope(document: dict[str, Any], key: PublicKey, *, path: str) -> bytes:
    """Return the payload of an envelope that *key* signed.

    Each signature is tried, whatever keyid it names or does not: that is a hint, which others
    compute otherwise or leave out (DSSE v1, "keyid").

    Raises:
        VerificationError: ``unsigned``, ``other-key`` or ``signature``.
    """
    from securesystemslib.signer import Signature  # type: ignore[attr-defined]

    try:
        kind, payload = document["payloadType"], decoded(document["payload"])
        given = [(str(one.get("keyid")), one["sig"]) for one in document["signatures"]]
        pae = b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise VerificationError(
            "signature", "is not a DSSE envelope, or was damaged", path=path
        ) from None
    if kind != PAYLOAD_TYPE:
        raise VerificationError("signature", f"holds {kind!r}, not in-toto", path=path)
    if not given:
        raise VerificationError("unsigned", "carries no signature", path=path)
    if len(given) > _MOST_SIGNATURES:
        raise VerificationError("signature", f"carries {len(given):,} signatures", path=path)
    for _, text in given:
        try:
            signature = decoded(text).hex()
        except (ValueError, TypeError):
            continue
        if any(_fits(one, Signature(one.keyid, signature), pae) for one in key.schemes):
            return payload
    if any(keyid in {one.keyid for one in key.schemes} for keyid, _ in given):
        raise VerificationError(
            "signature", f"was changed after {key.name} signed it: the signature does not fit",
            path=path, hint="do not use the ISO; ask the builder for the original",
        )  # fmt: skip
    raise VerificationError(
        "other-key", f"was not signed by {key.name}, or was changed since: no signature fits",
        path=path,
        hint="ask the builder for the public key; do not use the ISO until it verifies",
    )  # fmt: skip


def _fits(key: Any, signature: Any, pae: bytes) -> bool:
    from securesystemslib.exceptions import Error

    try:
        key.verify_signature(signature, pae)
    except Error:
        return False
    return True


def decoded(text: str) -> bytes:
    """Return what base64 says, in the standard or the URL-safe alphabet (DSSE v1)."""
    if not isinstance(text, str):
        raise TypeError("base64 is text")
    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)


def signer(path: Path) -> Ed25519PrivateKey:
    """Return the private key to sign with. Raises InputError ``sign-key``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(
            read_small(path, limit=MAX_KEY, what="key", code="sign-key", may_hold_key=True),
            password=None,
        )
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        # Not what the library says: that may quote the file.
        raise InputError(
            "sign-key", "is not an ed25519 private key in PEM without a password",
            path=str(path), hint=f"make one with: {_HOW}",
        ) from None  # fmt: skip
    return key


@dataclass(frozen=True)
class PublicKey:
    """A public key to verify with.

    Attributes:
        name: the file it was read from.
        schemes: the library's keys: one for each way in which such a key signs.
    """

    name: str
    schemes: tuple[Any, ...]


def verifier(path: Path) -> PublicKey:
    """Return the public key to verify with.

    ed25519, ECDSA over P-256, P-384 or P-521, RSA (PSS or PKCS #1 v1.5, SHA-256), and whatever
    else the library takes.

    Raises:
        InputError: ``verify-key``: it is not a public key in PEM, or of no such kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    try:
        key = load_pem_public_key(
            read_small(path, limit=MAX_KEY, what="key", code="verify-key", may_hold_key=True)
        )
        schemes = (None, "rsa-pkcs1v15-sha256") if isinstance(key, RSAPublicKey) else (None,)
        return PublicKey(
            "the key on standard input" if path == STDIN else str(path),
            tuple(SSlibKey.from_crypto(key, scheme=scheme) for scheme in schemes),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(
            "verify-key", "is not a public key in PEM that signatures are verified with: ed25519, "
            "ECDSA (P-256, P-384, P-521) or RSA",
            path=str(path), hint=f"made with: {_HOW}",
        ) from None  # fmt: skip
