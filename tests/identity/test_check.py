# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta
from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.files.tree import MemoryTree
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import Certificate, PrivateKey, chain_problem, read_authorities
from ngtpatch.identity.check import Sharing, check
from ngtpatch.identity.describe import describe
from ngtpatch.identity.findings import Finding
from tests.identity import material as m


def identity(number: int = 1, source: str | None = None, **changes: bytes | None) -> Identity:
    files = {**m.files(number)}
    parts = {"config": files[CONFIG], "certificate": files[CERTIFICATE], "key": files[KEY]}
    return Identity(source or f"vm{number}", **{**parts, **changes})  # type: ignore[arg-type]


def codes(subject: Identity, **options: object) -> set[str]:
    return {f.code for f in check(subject, **{"now": m.NOW, **options})}  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["rsa2048", "rsa4096", "p256", "p384", "ed25519"])
def test_a_real_pair_is_in_order_and_described(kind: str) -> None:
    files = m.files(1, kind=kind)
    subject = Identity("vm", files[CONFIG], files[CERTIFICATE], files[KEY])
    assert check(subject, now=m.NOW) == ()
    shown = describe(subject)
    assert shown.present
    assert shown.certificate is not None
    assert shown.key is not None
    assert shown.key.matches_certificate
    assert (shown.certificate.key_type, shown.certificate.key_bits) == {
        "rsa2048": ("RSA", 2048),
        "rsa4096": ("RSA", 4096),
        "p256": ("EC secp256r1", 256),
        "p384": ("EC secp384r1", 384),
        "ed25519": ("Ed25519", 256),
    }[kind]
    assert shown.certificate.not_after == "2028-11-17T12:00:00Z"


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (m.NOW + timedelta(days=91), set()),
        (m.NOW + timedelta(days=90), {"expiring"}),
        (m.NOW, {"expiring"}),
        (m.NOW - timedelta(seconds=1), {"expired"}),
    ],
)
def test_validity_to_the_second(end: object, expected: set[str]) -> None:
    certificate = m.pem(m.certificate(m.private_key("p256", 1), end=end))  # type: ignore[arg-type]
    assert codes(identity(certificate=certificate)) == expected


def test_warn_days_moves_the_line() -> None:
    certificate = m.certificate(m.private_key("p256", 1), end=m.NOW + timedelta(days=30))
    assert codes(identity(certificate=m.pem(certificate)), warn_days=29) == set()
    assert codes(identity(certificate=m.pem(certificate)), warn_days=30) == {"expiring"}


def test_not_yet_valid() -> None:
    certificate = m.certificate(m.private_key("p256", 1), begin=m.NOW + timedelta(hours=1))
    assert codes(identity(certificate=m.pem(certificate))) == {"not-yet-valid"}


@pytest.mark.parametrize("other", ["rsa2048", "p256", "p384", "ed25519"])
def test_a_key_of_another_certificate(other: str) -> None:
    assert codes(identity(key=m.key_pem(m.private_key(other, 99)))) == {"key-mismatch"}


def test_missing_parts_are_each_named() -> None:
    found = check(Identity("vm"), now=m.NOW)
    assert [f.code for f in found] == ["missing"] * 3
    assert {f.path for f in found} == {CONFIG, CERTIFICATE, KEY}


def test_bad_material_is_findings_not_exceptions() -> None:
    subject = Identity("vm", b"{", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"nonsense")
    assert codes(subject) == {"config-json", "certificate-pem", "key-pem"}


def test_swapped_files_are_recognised() -> None:
    files = m.files(1)
    with pytest.raises(InputError, match="not an X") as caught:
        Certificate.parse(files[KEY])
    assert caught.value.hint == "swap the two files"


def test_a_password_is_refused_because_the_agent_has_none() -> None:
    key = m.key_pem(m.private_key("p256", 1), password=b"secret")
    assert codes(identity(key=key)) == {"key-encrypted"}


def test_no_error_quotes_the_key() -> None:
    broken = bytearray(m.files(1, kind="rsa2048")[KEY])
    broken[200:210] = b"!!!!!!!!!!"
    with pytest.raises(InputError) as caught:
        PrivateKey.parse(bytes(broken))
    assert caught.value.__cause__ is None
    text = repr(caught.value) + str(caught.value)
    assert not any(line in text for line in broken.decode().splitlines() if line)


def test_chain_through_an_intermediate(tmp_path: Path) -> None:
    root_key, mid_key = m.private_key("p256", 501), m.private_key("rsa2048", 502)
    root = m.certificate(root_key, name="root", authority=True)
    mid = m.certificate(mid_key, name="mid", issuer=(root, root_key), authority=True)
    leaf = m.certificate(m.private_key("p256", 1), issuer=(mid, mid_key))
    (tmp_path / "ca.pem").write_bytes(m.pem(root))
    authorities = read_authorities(tmp_path / "ca.pem")
    assert chain_problem(Certificate.parse(m.pem(leaf, mid)), authorities) is None
    assert codes(identity(certificate=m.pem(leaf, mid)), authorities=authorities) == set()
    assert codes(identity(certificate=m.pem(leaf)), authorities=authorities) == {"chain"}


def test_a_client_certificate_cannot_issue() -> None:
    root_key, client_key = m.private_key("p256", 501), m.private_key("p256", 503)
    root = m.certificate(root_key, name="root", authority=True)
    client = m.certificate(client_key, name="client", issuer=(root, root_key))
    forged = m.certificate(m.private_key("p256", 1), issuer=(client, client_key))
    problem = chain_problem(Certificate.parse(m.pem(forged, client)), [root])
    assert problem is not None
    assert "no certificate authority" in problem


def test_an_issuer_of_the_same_name_with_another_key() -> None:
    real = m.certificate(m.private_key("p256", 501), name="root", authority=True)
    fake_key = m.private_key("p256", 504)
    fake = m.certificate(fake_key, name="root", authority=True)
    leaf = m.certificate(m.private_key("p256", 1), issuer=(fake, fake_key))
    assert chain_problem(Certificate.parse(m.pem(leaf)), [real]) is not None
    assert chain_problem(Certificate.parse(m.pem(leaf)), [real, fake]) is None


def test_a_small_rsa_key_is_a_warning() -> None:
    key = m.private_key("rsa1024", 1)
    subject = identity(certificate=m.pem(m.certificate(key)), key=m.key_pem(key))
    assert codes(subject) == {"weak-key"}


def checked(*identities: Identity) -> list[Finding]:
    """What is wrong with each, and what two of them share."""
    sharing = Sharing()
    for one in identities:
        sharing.add(one)
    return [f for one in identities for f in check(one, now=m.NOW)] + [*sharing.findings()]


def test_two_vms_share_nothing() -> None:
    first, second = identity(1), identity(2)
    assert checked(first, second) == []
    shouted = "D4DE685B-791A-4FBC-B916-000000000001"
    clone = identity(2, source="clone", config=m.config(2, ngt_uuid=shouted))
    found = checked(first, clone)
    assert {(f.code, f.source) for f in found} == {
        ("duplicate-uuid", "vm1"), ("duplicate-uuid", "clone"), ("untied", "clone"),
    }  # fmt: skip
    assert "clone" in next(f.message for f in found if f.source == "vm1")


def test_the_same_certificate_in_another_wrapping_is_the_same() -> None:
    first = identity(1)
    assert first.certificate is not None
    second = identity(2, certificate=b"# comment\n" + first.certificate, key=first.key)
    assert {f.code for f in checked(first, second)} == {
        "duplicate-certificate", "untied",
    }  # fmt: skip


def test_modes_of_files_on_disk(tmp_path: Path) -> None:
    for path, data in m.files(1).items():
        target = tmp_path / Path(path).name
        target.write_bytes(data)
        target.chmod(0o600)
    named = {
        "config": tmp_path / "ngt_config.json",
        "certificate": tmp_path / "client-cert.pem",
        "key": tmp_path / "client-key.pem",
    }
    assert codes(Identity.from_files(source="vm", **named)) == set()
    named["key"].chmod(0o640)
    (found,) = check(Identity.from_files(source="vm", **named), now=m.NOW)
    assert found.code == "mode"
    assert "0640" in found.message


def test_from_tree_takes_empty_files_for_absent() -> None:
    tree = MemoryTree({CONFIG: m.config(), CERTIFICATE: b"", KEY: b""})
    subject = Identity.from_tree(tree, source="iso")
    assert (subject.certificate, subject.key) == (None, None)


def test_repr_and_description_hide_the_key() -> None:
    subject = identity()
    assert subject.key is not None
    shown = repr(subject) + repr(describe(subject)) + repr(subject.parsed_key())
    assert not any(line in shown for line in subject.key.decode().splitlines())


def test_a_key_inside_the_configuration_is_hidden_too() -> None:
    key = m.files(1)[KEY].decode()
    shown = describe(identity(config=m.config(1, extra=[{"k": key}], note="kept")))
    assert not any(line in repr(shown) for line in key.splitlines())
    assert shown.config is not None
    assert shown.config["note"] == "kept"
    (found,) = check(identity(config=m.config(1, cluster_ip=key)), now=m.NOW)
    assert not any(line in repr(found) for line in key.splitlines())


def test_missing_files_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Identity.from_files(source="vm", key=tmp_path / "none.pem")
    assert caught.value.code == "not-found"
    with pytest.raises(InputError) as caught:
        Identity.from_files(source="vm", key=tmp_path)
    assert caught.value.code == "is-directory"
