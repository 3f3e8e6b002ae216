# SPDX-License-Identifier: Apache-2.0
"""What counts as identity in bytes: anybody's keys, this disc's own, and no mention of one."""

from __future__ import annotations

import random
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import pkcs12

from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.patterns import CERTIFICATE_KIND, CONFIG_KIND, KEY_KIND, OWN_KINDS, needles
from ngtpatch.iso.read.byte_search import ByteHit, BytePattern, search_bytes
from ngtpatch.iso.read.bytesource import FileSource, MemorySource
from tests.identity import material as m

NOBODY = Identity("nobody")
KINDS = ["rsa2048", "p256", "p384", "ed25519"]
_NOISE = random.Random(11).randbytes(5000)  # noqa: S311 - no secret


def found(data: bytes, present: Identity = NOBODY) -> tuple[ByteHit, ...]:
    """Return what is found in bytes that no file has."""
    return search_bytes(MemorySource(data), every(present)).hits


def every(present: Identity) -> list[BytePattern]:
    wanted = needles(present)
    return [BytePattern(*needle) for needle in (*wanted.everywhere, *wanted.outside)]


def keys_in(data: bytes) -> list[bytes]:
    return [data[hit.offset : hit.end] for hit in found(data) if hit.kind == KEY_KIND]


def encoded(kind: str, form: Any, encoding: Any = serialization.Encoding.PEM) -> bytes:
    key = m.private_key(kind, 40)
    return bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))


FORMATS = [
    (kind, form)
    for kind in KINDS
    for form in (
        serialization.PrivateFormat.PKCS8,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.PrivateFormat.OpenSSH,
    )
    if kind != "ed25519" or form is not serialization.PrivateFormat.TraditionalOpenSSL
]


@pytest.mark.parametrize(("kind", "form"), FORMATS)
def test_armour_of_every_private_key_from_either_end(kind: str, form: Any) -> None:
    pem = encoded(kind, form)
    for text in (pem, pem.replace(b"\n", b"\r\n"), pem.replace(b"\n", b"\\n")):
        whole = text[: text.rfind(b"-----") + 5]
        assert keys_in(b"\0" + text + b"\0") == [whole]
        # What an edit in place left: the head without its end, the tail without its head.
        half = len(text) // 2
        (head,) = keys_in(b"\0" + text[:half] + b"\0" + _NOISE)
        assert head == text[:half]
        (tail,) = keys_in(_NOISE + b"\0" + text[half:] + b"\0")
        assert tail.startswith(text[half:].lstrip()[:8])
        assert len(text[half:]) - len(tail) <= 2


def test_a_key_under_a_password_is_one() -> None:
    pem = m.key_pem(m.private_key("p256", 40), password=b"x")
    assert keys_in(pem) == [pem.rstrip(b"\n")]
    old = pem.replace(b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY").split(b"\n", 1)
    headers = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123456789ABCDEF\n\n"
    traditional = old[0] + b"\n" + headers + old[1]
    assert keys_in(traditional) == [traditional.rstrip(b"\n")]


@pytest.mark.parametrize(
    ("kind", "form"), [f for f in FORMATS if f[1] is not serialization.PrivateFormat.OpenSSH]
)
def test_der_of_every_private_key(kind: str, form: Any) -> None:
    der = encoded(kind, form, serialization.Encoding.DER)
    assert keys_in(_NOISE + der + _NOISE) == [der]


@pytest.mark.parametrize(
    "text",
    [
        b'"-----BEGIN PRIVATE KEY-----\\0-----END PRIVATE KEY-----\\0"',
        b'const char *pem = "-----BEGIN RSA PRIVATE KEY-----";\0\0-----END RSA PRIVATE KEY-----',
        b"a file that begins with -----BEGIN PRIVATE KEY----- and ends so:\n",
        b"put the key between\n-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-",
        b"-" * 5000,
        b"\x30\x82\x01\x00\x02\x01\x00\x30\x0d" + bytes(300),
        b'config["ngt_uuid"] = uuid; "ngt_uuid": "<the uuid>"',
    ],
)
def test_the_mention_of_a_key_is_none(text: bytes) -> None:
    assert found(text) == ()


def test_no_wolf_is_cried_over_noise() -> None:
    """64 MiB of a payload: four random bytes stand there now and then, no key does."""
    noise = random.Random(12)  # noqa: S311 - no secret
    for _ in range(16):
        data = noise.randbytes(4 << 20)
        # As often as a DER needle can be, and more.
        spoiled = bytearray(data)
        for at in range(0, len(spoiled) - 8, 4096):
            spoiled[at : at + 8] = b"\x30\x82\x04\xa4\x02\x01\x00\x02"
        assert found(bytes(spoiled)) == ()


def test_no_wolf_is_cried_over_programs() -> None:
    """Real programs that talk of keys: the interpreter, its ssl module, OpenSSL's library."""
    files = [Path(sys.executable).resolve(), *Path(ssl.__file__).parent.glob("*.py")]
    for file in files:
        source = FileSource(file)
        hits = [hit for hit in search_bytes(source, every(NOBODY)).hits if hit.kind == KEY_KIND]
        source.close()
        assert hits == [], file


def test_a_certificate_and_a_configuration_of_anybodys() -> None:
    files = m.files(5)
    certificate = files["config/client-cert.pem"]
    kinds = {hit.kind for hit in found(b"\0" + certificate + b"\0")}
    assert kinds == {CERTIFICATE_KIND}
    (hit,) = found(bytes(300) + files["config/ngt_config.json"] + bytes(300))
    assert (hit.kind, hit.offset, hit.length) == (CONFIG_KIND, 300, len(m.config(5)))


def test_no_kib_of_the_discs_own_is_without_a_pattern() -> None:
    files = m.files(6, kind="rsa4096")
    present = Identity(
        "vm6", files["config/ngt_config.json"], files["config/client-cert.pem"],
        files["config/client-key.pem"],
    )  # fmt: skip
    for name, kind in (
        ("config/client-key.pem", OWN_KINDS[0]),
        ("config/client-cert.pem", OWN_KINDS[1]),
    ):
        pem = files[name]
        for start in range(100, len(pem) - 1200, 37):
            piece = pem[start : start + 1100]
            hits = [hit for hit in found(b"\0" + piece + b"\0", present) if hit.kind == kind]
            assert hits, (name, start)
            assert (hits[0].offset, hits[0].length) == (1, len(piece))
    uuid = b"D4DE685B-791A-4FBC-B916-000000000006"
    for spelled in (uuid, uuid.lower()):
        (hit,) = found(b"\0the VM " + spelled + b" was here\0", present)
        assert hit.kind == OWN_KINDS[2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["DER", "PKCS12"])
def test_der_under_a_password(kind: str, encoding: str) -> None:
    key = m.private_key(kind, 40)
    secret = serialization.BestAvailableEncryption(b"secret")
    if encoding == "DER":
        form = serialization.PrivateFormat.PKCS8
        data = key.private_bytes(serialization.Encoding.DER, form, secret)
        assert keys_in(_NOISE + data + _NOISE) == [data]
    else:
        data = pkcs12.serialize_key_and_certificates(b"vm", key, None, None, secret)
        (bag,) = keys_in(_NOISE + data + _NOISE)
        assert bag in data
        assert len(bag) > 60


def test_dsa_as_openssl_writes_it() -> None:
    key = dsa.generate_private_key(2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    der = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    assert keys_in(_NOISE + der + _NOISE) == [der]


def _each_line(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    return lambda pem: b"".join(before + line + after for line in pem.splitlines())


@pytest.mark.parametrize(
    "wrap",
    [
        _each_line(b"# ", b"\n"), _each_line(b"> ", b"\r\n"), _each_line(b" * ", b"\n"),
        _each_line(b'    "', b'\\n"\n'), _each_line(b"'", b"\\n' +\n"), _each_line(b"", b"&#10;"),
        lambda pem: pem.replace(b"PRIVATE KEY", b"PGP PRIVATE KEY BLOCK"),
        lambda pem: pem.replace(b"-----BEGIN ", b"---- BEGIN SSH2 ENCRYPTED ")
        .replace(b"-----END ", b"---- END SSH2 ENCRYPTED ").replace(b"KEY-----", b"KEY ----"),
    ],
)  # fmt: skip
def test_a_key_in_a_comment_a_program_or_another_armour(wrap: Callable[[bytes], bytes]) -> None:
    pem = encoded("rsa2048", serialization.PrivateFormat.PKCS8)
    lines, text = pem.splitlines()[1:-1], wrap(pem)
    (key,) = keys_in(b"\0" + text + b"\0")
    assert all(line in key for line in lines)
    half = len(text) // 2
    (head,) = keys_in(b"\0" + text[:half] + b"\0")
    (tail,) = keys_in(b"\0" + text[half:] + b"\0")
    assert all(
        line in head or line in tail or line in text[half - 99 : half + 99] for line in lines
    )
    assert all(line in key for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        b'{"c": "{\\"ngt_uuid\\": \\"d4de685b-791a-4fbc-b916-6d5008bcbe2d\\"}"}',
        b"{'ngt_uuid': 'd4de685b-791a-4fbc-b916-6d5008bcbe2d'}",
    ],
)
def test_a_configuration_within_json_or_as_python_shows_it(text: bytes) -> None:
    hits = found(b"\0" + text + b"\0")
    assert [(hit.kind, hit.offset, hit.length) for hit in hits] == [(CONFIG_KIND, 1, len(text))]
