# SPDX-License-Identifier: Apache-2.0
import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.errors import InputError
from ngtpatch.files.tree import MemoryTree
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.certificate import Certificate, PrivateKey, chain_problem, read_authorities
from ngtpatch.identity.check import Sharing, check
from ngtpatch.identity.describe import describe
from ngtpatch.identity.findings import Finding, Severity
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
    assert "not a certificate authority" in problem


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


def _openssl_takes(directory: Path, files: dict[str, bytes]) -> dict[str, bool]:
    """Say of each file whether OpenSSL, by Python's ssl, reads it beside sound others."""
    sound = m.files(1, kind="rsa2048")
    for path, data in sound.items():
        (directory / Path(path).name).write_bytes(data)
    taken = {}
    for path, data in files.items():
        file = directory / "tried"
        file.write_bytes(data)
        pair = [directory / "client-cert.pem", directory / "client-key.pem"]
        pair[path == KEY] = file
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(pair[0], pair[1])
        except (OSError, ssl.SSLError):
            taken[path] = False
        else:
            taken[path] = True
    return taken


@pytest.mark.parametrize(
    ("form", "refused"),
    [
        (lambda pem: pem, False),
        (lambda pem: pem.replace(b"\n", b"\r\n"), False),
        (lambda pem: b"text before\n" + pem, False),
        (lambda pem: pem.rstrip(), False),
        (lambda pem: pem.replace(b"\n", b"\r"), True),
        (lambda pem: b" " + pem, True),
        (lambda pem: b"x" + pem, True),
    ],
    ids=["plain", "crlf", "text", "no-last-newline", "cr", "indented", "mid-line"],
)
def test_pem_that_openssl_refuses_is_refused(tmp_path: Path, form: Any, refused: bool) -> None:
    files = {
        path: form(data) for path, data in m.files(1, kind="rsa2048").items() if path != CONFIG
    }
    assert _openssl_takes(tmp_path, files) == dict.fromkeys(files, not refused)
    subject = identity(certificate=files[CERTIFICATE], key=files[KEY])
    # cryptography before 45 refuses the key in such a form, too.
    found = {(f.code, f.path) for f in check(subject, now=m.NOW)} - {("key-pem", KEY)}
    assert found == ({("pem-lines", path) for path in files} if refused else set())


def test_a_key_beside_the_certificate_is_an_error() -> None:
    files = m.files(1)
    subject = identity(certificate=files[CERTIFICATE] + files[KEY])
    assert codes(subject) == {"key-in-certificate"}
    root = m.pem(m.cluster()[0]) + files[KEY]
    assert "key-in-certificate" in codes(replace(identity(), authority=root))


def test_the_authority_that_came_with_it_must_have_issued_it() -> None:
    root, key = m.cluster()
    mine = m.files(1, issuer=(root, key))
    sound = identity(certificate=mine[CERTIFICATE], authority=m.pem(root))
    assert codes(sound) == set()
    assert codes(replace(sound, authority=m.pem(m.cluster("another")[0]))) == {"chain"}
    assert codes(replace(sound, authority=mine[CERTIFICATE])) == {"chain"}
    assert codes(replace(sound, authority=b"nonsense")) == {"certificate-pem"}
    # `authorities` is whom to trust besides.
    assert codes(sound, authorities=[m.cluster("another")[0]]) == {"chain"}
    old = m.cluster("cluster", m.NOW - timedelta(days=1001))
    stale = m.files(1, issuer=old)
    subject = identity(certificate=stale[CERTIFICATE], authority=m.pem(old[0]))
    (expired,) = check(subject, now=m.NOW)
    assert (expired.code, expired.path) == ("expired", "config/ca-cert.pem")


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.WARNING, None])
def test_whether_an_authority_is_asked_for_is_the_callers_to_say(severity: Severity | None) -> None:
    found = check(identity(), now=m.NOW, authority=severity)
    assert [(f.code, f.severity) for f in found] == (
        [] if severity is None else [("missing", severity)]
    )
    assert all("--ca-cert" in str(f.hint) and "`ca`" in str(f.hint) for f in found)


def test_what_nothing_ties_is_said_and_is_no_error() -> None:
    unnamed = m.pem(m.certificate(m.private_key("p256", 1), name="a VM"))
    (note,) = check(identity(certificate=unnamed), now=m.NOW)
    assert (note.code, note.severity) == ("untied", Severity.NOTE)
    spelled = m.pem(m.certificate(m.private_key("p256", 1), name=m.FIRST.upper().replace("-", "")))
    assert codes(identity(certificate=spelled)) == set()


def test_a_data_services_address_is_checked_where_there_is_one() -> None:
    assert codes(identity(config=m.config(1, data_services_ip="10.0.0.9"))) == set()
    bad = identity(config=m.config(1, data_services_ip="10.0.0"))
    assert codes(bad) == {"config-data-services-ip"}
