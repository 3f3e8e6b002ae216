# SPDX-License-Identifier: Apache-2.0
"""Envelopes as others make them: signed here by openssl, with every kind of key and keyid."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.errors import InputError
from ngtpatch.provenance import verify_provenance
from ngtpatch.provenance.envelope import PAYLOAD_TYPE
from ngtpatch.provenance.statement import PREDICATE_TYPE, STATEMENT_TYPE, encode
from tests.requirements import tool

# How openssl makes a key, and how it signs with it.
_PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1")
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ed25519": (("-algorithm", "ed25519"), ()),
    "p256": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), ("-sha256",)),
    "p384": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"), ("-sha384",)),
    "p521": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"), ("-sha512",)),
    "rsa": (("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"), ("-sha256",)),
    "rsa-pss": (("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"), ("-sha256", *_PSS)),
}


def openssl(*arguments: object) -> None:
    subprocess.run(
        [tool("openssl", "openssl"), *map(str, arguments)], check=True, capture_output=True
    )


class Signer:
    """A key pair that openssl made."""

    def __init__(self, directory: Path, kind: str, name: str = "key") -> None:
        made, self._how = KINDS[kind]
        self._directory, self._kind = directory, kind
        self.secret, self.public = directory / f"{name}.key", directory / f"{name}.pub"
        openssl("genpkey", *made, "-out", self.secret)
        openssl("pkey", "-in", self.secret, "-pubout", "-out", self.public)

    def sign(self, payload: bytes, keyid: str | None = None) -> dict[str, Any]:
        """Return a signature over DSSE's pre-authentication encoding."""
        kind = PAYLOAD_TYPE.encode()
        signed, signature = self._directory / "pae", self._directory / "sig"
        signed.write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
        if self._kind == "ed25519":
            command = ("pkeyutl", "-sign", "-rawin", "-inkey", self.secret, "-in", signed)
            openssl(*command, "-out", signature)
        else:
            openssl("dgst", *self._how, "-sign", self.secret, "-out", signature, signed)
        entry = {"sig": base64.b64encode(signature.read_bytes()).decode()}
        return entry if keyid is None else {"keyid": keyid, **entry}


def stated(sha256: str, name: str = "out.iso") -> bytes:
    return encode(
        {
            "_type": STATEMENT_TYPE,
            "predicateType": PREDICATE_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha256}}],
            "predicate": {"buildDefinition": {"resolvedDependencies": []}},
        }
    )


def envelope(payload: bytes, *signatures: dict[str, Any]) -> dict[str, Any]:
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": list(signatures),
    }


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    """A stand-in: nothing but the digest of the file counts here."""
    path = tmp_path / "out.iso"
    path.write_bytes(b"bytes of an image")
    return path


SHA256 = hashlib.sha256(b"bytes of an image").hexdigest()


def judged(iso: Path, *lines: dict[str, Any], key: Path) -> list[str]:
    path = iso.with_name("out.iso.intoto.jsonl")
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    result = verify_provenance(iso, key=key)
    assert result.ok == (result.problems == ())
    assert result.signed_by == str(key) or not result.ok
    return [code for code, _ in result.problems]


@pytest.mark.parametrize("keyid", [None, "", "SHA256:somebody else computes it so"])
@pytest.mark.parametrize("kind", KINDS)
def test_openssl_s_signature_is_taken_with_any_keyid(
    iso: Path, tmp_path: Path, kind: str, keyid: str | None
) -> None:
    signer, payload = Signer(tmp_path, kind), stated(SHA256)
    good = envelope(payload, signer.sign(payload, keyid))
    assert judged(iso, good, key=signer.public) == []
    spoilt = {**good, "payload": base64.b64encode(payload + b" ").decode()}
    assert judged(iso, spoilt, key=signer.public) == ["other-key"]


def test_one_of_several_signatures_is_enough_wherever_it_stands(iso: Path, tmp_path: Path) -> None:
    payload = stated(SHA256)
    signers = [Signer(tmp_path, kind, kind) for kind in ("p256", "ed25519", "rsa")]
    stranger = Signer(tmp_path, "p256", "stranger")
    both = envelope(payload, *(signer.sign(payload, "same") for signer in signers))
    for signer in signers:
        assert judged(iso, both, key=signer.public) == []
    assert judged(iso, both, key=stranger.public) == ["other-key"]


def test_url_safe_base64_is_taken(iso: Path, tmp_path: Path) -> None:
    signer, payload = Signer(tmp_path, "p256"), stated(SHA256)
    good = envelope(payload, signer.sign(payload))
    for entry in (good, *good["signatures"]):
        for field in {"payload", "sig"} & entry.keys():
            entry[field] = entry[field].replace("+", "-").replace("/", "_")
    assert judged(iso, good, key=signer.public) == []


def test_a_bundle_is_searched_for_the_line_about_this_iso(iso: Path, tmp_path: Path) -> None:
    signer, stranger = Signer(tmp_path, "p256"), Signer(tmp_path, "p256", "stranger")
    ours, others = stated(SHA256), stated("00" * 32, "other.iso")
    report = encode({"_type": STATEMENT_TYPE, "predicateType": "https://spdx.dev/Document"})
    lines = [
        envelope(report, signer.sign(report)),
        envelope(others, signer.sign(others)),
        envelope(ours, signer.sign(ours)),
    ]
    assert judged(iso, *lines, key=signer.public) == []
    assert judged(iso, *reversed(lines), key=signer.public) == []
    # The line about this ISO counts only if this key signed it.
    lines[2] = envelope(ours, stranger.sign(ours))
    assert judged(iso, *lines, key=signer.public) == ["iso"]
    assert judged(iso, lines[2], key=signer.public) == ["other-key"]


@pytest.mark.parametrize(
    "damage",
    [
        b"\n{}",
        b"\nnot json",
        b"\n[]",
        b"\n" + b"[" * 100_000,
    ],
)
def test_a_damaged_bundle_is_said(iso: Path, tmp_path: Path, damage: bytes) -> None:
    signer, payload = Signer(tmp_path, "p256"), stated("00" * 32)
    path = iso.with_name("out.iso.intoto.jsonl")
    path.write_bytes(json.dumps(envelope(payload, signer.sign(payload))).encode() + damage)
    result = verify_provenance(iso, key=signer.public)
    assert [code for code, _ in result.problems] in (["iso"], ["statement"])


@pytest.mark.parametrize(
    "signatures",
    [None, 7, "text", {}, [7], [{}], [{"sig": None}], [{"sig": []}], [{"sig": "\u20ac"}],
     [{"keyid": [], "sig": "AAAA"}], [{"keyid": {}, "sig": 7}], [{"sig": "AAAA"}] * 101],
)  # fmt: skip
def test_forged_signatures_end_in_a_problem(iso: Path, tmp_path: Path, signatures: Any) -> None:
    signer = Signer(tmp_path, "p256")
    forged = {**envelope(stated(SHA256)), "signatures": signatures}
    assert judged(iso, forged, key=signer.public)[0] in ("signature", "unsigned", "other-key")


@pytest.mark.parametrize("algorithm", ["X25519", "secp256k1", "private"])
def test_a_key_that_nothing_is_verified_with_is_refused(
    iso: Path, tmp_path: Path, algorithm: str
) -> None:
    secret, public = tmp_path / "odd.key", tmp_path / "odd.pub"
    made: tuple[str, ...] = ("-algorithm", "X25519")
    if algorithm == "secp256k1":
        made = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
    openssl("genpkey", *made, "-out", secret)
    openssl("pkey", "-in", secret, "-pubout", "-out", public)
    iso.with_name("out.iso.intoto.jsonl").write_text("{}")
    with pytest.raises(InputError) as refused:
        verify_provenance(iso, key=secret if algorithm == "private" else public)
    assert refused.value.code == "verify-key"
