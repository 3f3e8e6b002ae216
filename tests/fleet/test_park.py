# SPDX-License-Identifier: Apache-2.0
"""What the tests look for when they look for a key."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import Encoding

from tests.fleet.park import FRESH, TODAY, betrayed
from tests.identity import material as m


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
@pytest.mark.parametrize("length", [17, 18, 19])
def test_a_certificate_betrays_no_key_however_long_its_serial_number_is(
    kind: str, length: int
) -> None:
    private = m.private_key(kind, 1)
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key())
        .serial_number(int.from_bytes(b"\x11" * length, "big"))
        .not_valid_before(FRESH["begin"])
        .not_valid_after(TODAY)
        .sign(private, hashes.SHA256())
    )
    key = private.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert not betrayed(key, certificate.public_bytes(Encoding.PEM))
    # A line of each half of the file, but for the public numbers, does.
    assert betrayed(key, key.splitlines()[-3])
    assert betrayed(key, b"".join(key.splitlines()[-6:-1]))
