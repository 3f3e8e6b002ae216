# SPDX-License-Identifier: Apache-2.0
"""Signatures: a DSSE envelope around the statement, by an ed25519 key, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import InputError, VerificationError
from ngtpatch.files.bounded import read_small

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

__all__ = ["PAYLOAD_TYPE", "open_envelope", "seal", "signer", "verifier"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_KEY = 1 << 16
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


def open_envelope(document: dict[str, Any], key: Path, *, path: str) -> bytes:
    """Return the payload of an envelope that *key* (public, PEM) signed.

    Raises:
        InputError: ``verify-key``: not an ed25519 public key in PEM.
        VerificationError: ``unsigned``, ``other-key`` or ``signature``.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError
    from securesystemslib.exceptions import VerificationError as Invalid
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    public = SSlibKey.from_crypto(verifier(key))
    try:
        # A copy: the library decodes in place what it is given.
        envelope = Envelope.from_dict(json.loads(json.dumps(document)))
    except (KeyError, ValueError, TypeError, AttributeError, FormatError):
        raise VerificationError(
            "signature", "is not a DSSE envelope, or was damaged", path=path
        ) from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise VerificationError(
            "signature", f"holds {envelope.payload_type!r}, not in-toto", path=path
        )
    if not envelope.signatures:
        raise VerificationError("unsigned", "carries no signature", path=path)
    if public.keyid not in envelope.signatures:
        raise VerificationError(
            "other-key", f"was signed by another key than {key}", path=path,
            hint="ask the builder for the public key; do not use the ISO until it verifies",
        )  # fmt: skip
    try:
        envelope.verify([public], 1)
    except Invalid:
        raise VerificationError(
            "signature", f"was changed after {key} signed it: the signature does not fit",
            path=path, hint="do not use the ISO; ask the builder for the original",
        ) from None  # fmt: skip
    return bytes(envelope.payload)


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


def verifier(path: Path) -> Ed25519PublicKey:
    """Return the public key to verify with. Raises InputError ``verify-key``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(
            read_small(path, limit=MAX_KEY, what="key", code="verify-key", may_hold_key=True)
        )
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(
            "verify-key", "is not an ed25519 public key in PEM",
            path=str(path), hint=f"made with: {_HOW}",
        ) from None  # fmt: skip
    return key
