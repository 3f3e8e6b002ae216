# SPDX-License-Identifier: Apache-2.0
"""What an auditor relies on: the documents fit the ISO, and tampering with any of them shows."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

# fmt: off
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2  # type: ignore[import-untyped]
from in_toto_attestation.v1 import statement, statement_pb2  # type: ignore[import-untyped]

# fmt: on
from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.shipped import data_dir
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.volume import Volume
from ngtpatch.provenance import (
    Product,
    verify_provenance,
    write_provenance,
)
from ngtpatch.provenance.sums import add_sums, read_sums
from ngtpatch.sample import write_sample
from tests.render.tools import Ran, ngtpatch
from tests.requirements import tool


def write_keys(
    directory: Path,
    name: str,
    private: Any = None,
    encryption: KeySerializationEncryption | None = None,
) -> tuple[Path, Path]:
    private = private or Ed25519PrivateKey.generate()
    secret, public = directory / f"{name}.key", directory / f"{name}.pub"
    secret.write_bytes(
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    )
    public.write_bytes(
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return secret, public


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Product:
    directory = tmp_path_factory.mktemp("built")
    vendor = directory / "vendor.iso"
    write_sample(vendor, era=2)
    return Product.of_rebuild(rebuild(vendor, distros=["rocky"], output=directory / "out.iso"))


@pytest.fixture
def subject(built: Product, tmp_path: Path) -> Product:
    """The ISO in a directory of its own."""
    shutil.copy(built.iso, tmp_path / "out.iso")
    shutil.copy(built.iso.with_name("vendor.iso"), tmp_path / "vendor.iso")
    return replace(built, iso=tmp_path / "out.iso")


def codes(iso: Path, **options: Any) -> list[str]:
    result = verify_provenance(iso, **options)
    assert result.ok == (not result.problems)
    return [code for code, _ in result.problems]


def test_sha256sum_accepts_what_was_written(subject: Product) -> None:
    write_provenance(subject)
    run = subprocess.run(
        [tool("sha256sum", "coreutils"), "-c", "SHA256SUMS"],
        cwd=subject.iso.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.splitlines() == [
        "out.iso: OK",
        "out.iso.cdx.json: OK",
        "out.iso.intoto.jsonl: OK",
    ]


def test_the_statement_is_slsa_provenance_by_in_toto_s_own_reading(subject: Product) -> None:
    written = write_provenance(subject)
    document = json.loads(Path(written.statement).read_text())
    read = statement.Statement.copy_from_pb(ParseDict(document, statement_pb2.Statement()))
    read.validate()
    ParseDict(
        document["predicate"], provenance_pb2.Provenance()
    )  # refuses fields that SLSA does not have
    assert read.pb.subject[0].digest["sha256"] == subject.sha256
    dependencies = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["name"] for one in dependencies][:2] == ["vendor.iso", "rocky.toml"]
    changed = document["predicate"]["runDetails"]["byproducts"]
    assert {one["name"] for one in changed} == {entry.path for entry in subject.image.changed}


def test_the_sbom_is_cyclonedx_with_each_file_s_diff(subject: Product) -> None:
    written = write_provenance(subject)
    text = Path(written.sbom).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    component = json.loads(text)["metadata"]["component"]
    diffs = {
        patch["diff"]["url"]: patch["diff"]["text"]["content"]
        for patch in component["pedigree"]["patches"]
    }
    patched = [entry for entry in subject.image.changed if entry.done == "patched"]
    assert diffs == {entry.path: entry.diff for entry in patched}
    # What else changed is the archive that holds one of them.
    assert {entry.done for entry in subject.image.changed} == {"patched", "repacked"}
    assert (
        "rocky linux" in diffs["installer/linux/src/ngt_guest_agent.tar.gz!./bin/mobility_linux.py"]
    )
    assert (
        '+      "rocky linux" in distribution or'
        in diffs["installer/linux/src/installer_factory.py"]
    )
    [ancestor] = component["pedigree"]["ancestors"]
    assert ancestor["hashes"][0]["content"] == subject.vendor.sha256


def test_no_key_material_is_in_any_document(subject: Product) -> None:
    """Also where an identity was replaced: then only the paths are told."""
    from ngtpatch.flow.written_image import ChangedEntry

    identity = ChangedEntry("config/client-key.pem", "replaced", None, None, 0, None)
    image = replace(subject.image, changed=(*subject.image.changed, identity))
    written = write_provenance(replace(subject, image=image))
    iso = subject.iso.read_bytes()
    start = iso.index(b"-----BEGIN PRIVATE KEY-----") if b"PRIVATE KEY" in iso else None
    assert start is not None, "the sample carries a key"
    lines = iso[start : start + 1600].split(b"\n")[1:20]
    for path in (written.statement, written.sbom):
        content = Path(path).read_bytes()
        assert not any(line in content for line in lines if len(line) > 15)
        assert b"config/client-key.pem" in content


def test_two_runs_write_the_same_bytes(
    subject: Product, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    secret, _ = write_keys(tmp_path, "builder")
    texts = []
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        written = write_provenance(subject, sign_key=secret)
        texts.append(
            [Path(p).read_bytes() for p in (written.statement, written.sbom, written.sums)]
        )
    assert texts[0] == texts[1]
    assert b"2023-11-14T22:13:20" in texts[0][1]


def test_a_bad_epoch_is_named(subject: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="'yesterday'"):
        write_provenance(subject)


def test_what_was_signed_verifies_with_the_public_key(subject: Product, tmp_path: Path) -> None:
    secret, public = write_keys(tmp_path, "builder")
    assert write_provenance(subject, sign_key=secret).signed
    result = verify_provenance(subject.iso, key=public, base=tmp_path / "vendor.iso")
    assert result.ok
    assert result.signed_by == str(public)
    assert (result.source, result.source_sha256) == ("vendor.iso", subject.vendor.sha256)


def test_openssl_agrees_with_the_signature(subject: Product, tmp_path: Path) -> None:
    # By another route: DSSE's pre-authentication encoding, signed with plain ed25519.
    secret, public = write_keys(tmp_path, "builder")
    envelope = json.loads(Path(write_provenance(subject, sign_key=secret).statement).read_text())
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = tmp_path / "signed"
    signed.write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    signature = tmp_path / "signature"
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    subprocess.run(
        [tool("openssl", "openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin",
         "-in", signed, "-sigfile", signature],
        check=True, capture_output=True,
    )  # fmt: skip


def test_a_changed_iso_is_detected(subject: Product, tmp_path: Path) -> None:
    secret, public = write_keys(tmp_path, "builder")
    write_provenance(subject, sign_key=secret)
    with subject.iso.open("r+b") as file:
        file.seek(40_000)
        byte = file.read(1)
        file.seek(40_000)
        file.write(bytes([byte[0] ^ 1]))
    assert codes(subject.iso, key=public) == ["iso", "sums"]


def tampered(path: Path, **changes: object) -> None:
    """Change fields of the statement, keeping the form that it is in."""
    outer = json.loads(path.read_text())
    inner = json.loads(base64.b64decode(outer["payload"])) if "payload" in outer else outer
    inner.update(changes)
    if "payload" in outer:
        outer["payload"] = base64.b64encode(json.dumps(inner).encode()).decode()
    path.write_text(json.dumps(outer))


def test_a_changed_statement_is_detected(subject: Product, tmp_path: Path) -> None:
    secret, public = write_keys(tmp_path, "builder")
    path = Path(write_provenance(subject, sign_key=secret).statement)
    tampered(path, predicate={"buildDefinition": {"resolvedDependencies": []}})
    assert codes(subject.iso, key=public) == ["signature", "sums"]


def test_an_unsigned_statement_is_held_against_the_sums(subject: Product) -> None:
    path = Path(write_provenance(subject).statement)
    assert codes(subject.iso) == []
    tampered(path, predicate={"buildDefinition": {"resolvedDependencies": []}})
    assert codes(subject.iso) == ["sums"]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda envelope: envelope["signatures"][0].update(sig="AAAA" * 20), "signature"),
        (lambda envelope: envelope["signatures"][0].update(sig="no base64!"), "signature"),
        (lambda envelope: envelope.update(signatures=[]), "unsigned"),
        (lambda envelope: envelope.update(signatures=None), "signature"),
        (lambda envelope: envelope.update(payloadType="text/plain"), "signature"),
        (lambda envelope: envelope.pop("payload"), "unsigned"),
        (lambda envelope: envelope.clear(), "unsigned"),
    ],
)
def test_a_spoilt_signature_is_detected(
    subject: Product, tmp_path: Path, spoil: Any, code: str
) -> None:
    secret, public = write_keys(tmp_path, "builder")
    path = Path(write_provenance(subject, sign_key=secret).statement)
    envelope = json.loads(path.read_text())
    spoil(envelope)
    path.write_text(json.dumps(envelope))
    assert codes(subject.iso, key=public)[0] == code


def test_another_key_s_signature_is_refused_even_under_the_right_key_s_name(
    subject: Product, tmp_path: Path
) -> None:
    secret, public = write_keys(tmp_path, "builder")
    stranger, _ = write_keys(tmp_path, "stranger")
    honest = json.loads(Path(write_provenance(subject, sign_key=secret).statement).read_text())
    path = Path(write_provenance(subject, sign_key=stranger).statement)
    assert codes(subject.iso, key=public) == ["other-key"]
    forged = json.loads(path.read_text())
    forged["signatures"][0]["keyid"] = honest["signatures"][0]["keyid"]
    path.write_text(json.dumps(forged))
    assert codes(subject.iso, key=public)[0] == "signature"


def test_an_unsigned_statement_does_not_pass_for_a_signed_one(
    subject: Product, tmp_path: Path
) -> None:
    _, public = write_keys(tmp_path, "builder")
    write_provenance(subject)
    assert codes(subject.iso, key=public) == ["unsigned"]


def test_another_iso_s_statement_is_detected(subject: Product, tmp_path: Path) -> None:
    other = tmp_path / "other.iso"
    shutil.copy(tmp_path / "vendor.iso", other)
    write_provenance(subject)
    statement = subject.iso.with_name("out.iso.intoto.jsonl")
    assert codes(other, statement=statement) == ["iso"]
    renamed = tmp_path / "renamed.iso"
    shutil.copy(subject.iso, renamed)
    assert codes(renamed, statement=statement) == ["name"]


def test_another_base_is_detected(subject: Product, tmp_path: Path) -> None:
    write_provenance(subject)
    assert codes(subject.iso, base=subject.iso) == ["base"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}\n{}", b"\xff", b'{"payload": 7}', b'{"payload": "!"}']
)
def test_what_is_no_statement_is_said(subject: Product, content: bytes) -> None:
    Path(write_provenance(subject).statement).write_bytes(content)
    assert codes(subject.iso)[0] == "statement"


@pytest.mark.parametrize("private", ["rsa", "password", "public", "nonsense", "absent"])
def test_a_key_that_cannot_sign_is_refused_without_showing_it(
    subject: Product, tmp_path: Path, private: str
) -> None:
    if private == "rsa":
        key = write_keys(tmp_path, "k", generate_private_key(65537, 2048))[0]
    elif private == "password":
        key = write_keys(tmp_path, "k", encryption=BestAvailableEncryption(b"secret"))[0]
    elif private == "public":
        key = write_keys(tmp_path, "k")[1]
    else:
        key = tmp_path / "k.key"
        if private == "nonsense":
            key.write_text("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n")
    with pytest.raises(InputError) as caught:
        write_provenance(subject, sign_key=key)
    assert caught.value.code == "sign-key"
    assert "hunter2" not in str(caught.value)
    assert not subject.iso.with_name("out.iso.intoto.jsonl").exists()


def test_a_private_key_is_no_key_to_verify_with(subject: Product, tmp_path: Path) -> None:
    secret, _ = write_keys(tmp_path, "builder")
    write_provenance(subject, sign_key=secret)
    with pytest.raises(InputError, match="not a public key in PEM"):
        verify_provenance(subject.iso, key=secret)


@pytest.mark.parametrize("place", ["statement", "iso"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    subject: Product, tmp_path: Path, place: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    named = {"statement": pipe} if place == "statement" else {}
    with pytest.raises(InputError) as raised:
        verify_provenance(subject.iso if place == "statement" else pipe, **named)
    assert (raised.value.code, raised.value.path) == ("not-a-file", str(pipe))


def test_a_statement_that_is_not_there_is_named(subject: Product) -> None:
    with pytest.raises(InputError) as caught:
        verify_provenance(subject.iso)
    assert caught.value.path == f"{subject.iso}.intoto.jsonl"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES, DIGESTS, max_size=4), st.dictionaries(NAMES, DIGESTS, max_size=4))
def test_sums_of_several_builds_live_together(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, str], second: dict[str, str]
) -> None:
    directory = tmp_path_factory.mktemp("sums")
    add_sums(directory, first)
    add_sums(directory, second)
    assert read_sums(directory) == {**first, **second}


def test_sha256sum_reads_awkward_names(tmp_path: Path) -> None:

    names = ["a b", "back\\slash", "line\nbreak", "é", "*star"]
    for name in names:
        (tmp_path / name).write_text(name)
    add_sums(tmp_path, {n: hashlib.sha256(n.encode()).hexdigest() for n in names})
    subprocess.run(
        [tool("sha256sum", "coreutils"), "--strict", "-c", "SHA256SUMS"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip


def test_there_is_no_provenance_of_what_was_not_written(built: Product) -> None:
    result = rebuild(built.iso.with_name("vendor.iso"), distros=["rocky"], dry_run=True)
    with pytest.raises(UsageError) as caught:
        Product.of_rebuild(result)
    assert caught.value.code == "no-output"


def run(*arguments: object) -> Ran:
    return ngtpatch("verify", *arguments)


def test_ngtpatch_verify_holds_the_iso_against_its_documents(
    subject: Product, tmp_path: Path
) -> None:
    secret, public = write_keys(tmp_path, "builder")
    _, other = write_keys(tmp_path, "other")
    write_provenance(subject, sign_key=secret)
    good = run(subject.iso, "--provenance", "--key", public, "--base", tmp_path / "vendor.iso")
    assert good.exit_code == 0, good.stdout
    assert f"signature   by {public}" in good.stdout
    bad = run(subject.iso, "--key", other, "--json")
    assert bad.exit_code == 5
    document = json.loads(bad.stdout)
    assert document["ok"] is False
    assert document["verdict"] == "not-verified"
    assert document["provenance"]["problems"][0][0] == "other-key"
    assert run(subject.iso, "--key", tmp_path / "nowhere").exit_code == 3
    assert json.loads(run(subject.iso, "--json").stdout)["provenance"] is None


def test_rebuild_writes_the_documents_and_asks_for_the_key_first(tmp_path: Path) -> None:
    secret, public = write_keys(tmp_path, "builder")
    vendor, output = tmp_path / "vendor.iso", tmp_path / "out.iso"
    write_sample(vendor, era=2)

    def rebuilt(key: Path, *options: str) -> Ran:
        asked = ("--distro", "rocky", "-o", output, "--sign-key", key)
        return ngtpatch("rebuild", vendor, *asked, *options)

    refused = rebuilt(public)
    assert refused.exit_code == 3
    assert str(public) in refused.stderr
    assert not output.exists()
    assert rebuilt(secret, "--dry-run").exit_code == 0
    assert not output.exists()
    done = rebuilt(secret)
    assert done.exit_code == 0, done.stderr
    assert "out.iso.intoto.jsonl" in done.stdout
    assert run(output, "--key", public, "--base", vendor).exit_code == 0


def test_nothing_is_stated_of_a_source_that_is_gone_or_has_no_digest(tmp_path: Path) -> None:
    secret, _ = write_keys(tmp_path, "builder")
    image, tree = tmp_path / "image.iso", tmp_path / "tree"
    write_sample(image, era=2)
    rebuild(image, distros=["rocky"], output_tree=tree)
    before = image.read_bytes()
    for source, *into in ((image, "--in-place"), (tree, "-o", tmp_path / "out.iso")):
        ran = ngtpatch(
            "rebuild", source, "--distro", "almalinux", "--sign-key", secret, "--json", *into
        )
        assert (ran.exit_code, json.loads(ran.stdout)["error"]["code"]) == (2, "no-source-file")
    assert image.read_bytes() == before
    assert not (tmp_path / "out.iso").exists()
    changed = rebuild(image, distros=["rocky"], in_place=True)
    with pytest.raises(UsageError) as refused:
        Product.of_rebuild(changed)
    assert refused.value.code == "no-source-file"


def test_the_statement_is_of_the_profile_and_the_patch_that_were_read(tmp_path: Path) -> None:
    """Whoever writes them anew before the documents are written changes nothing."""
    source, own = tmp_path / "ngt.iso", tmp_path / "own"
    write_sample(source)
    own.mkdir()
    kinds: dict[str, Literal["distro_profiles", "patches"]] = {
        "rocky.toml": "distro_profiles", "factory.toml": "patches",
    }  # fmt: skip
    for name, kind in kinds.items():
        (own / kind).mkdir()
        (own / kind / name).write_text("# ours\n" + (data_dir(kind) / name).read_text())
    read = {
        name: hashlib.sha256((own / kind / name).read_bytes()).hexdigest()
        for name, kind in kinds.items()
    }
    result = rebuild(
        source, distros=["rocky"], output=tmp_path / "out.iso",
        profile_dirs=[own / "distro_profiles"], patch_dirs=[own / "patches"],
    )  # fmt: skip
    for name, kind in kinds.items():
        (own / kind / name).write_text("# another\n" + (own / kind / name).read_text())
    write_provenance(Product.of_rebuild(result))
    (line,) = (tmp_path / "out.iso.intoto.jsonl").read_text().splitlines()
    predicate = json.loads(line)["predicate"]
    stated = {
        one["name"]: one["digest"]["sha256"]
        for one in predicate["buildDefinition"]["resolvedDependencies"]
    }
    assert read.items() <= stated.items()
    with Volume.open(tmp_path / "out.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
        recorded = {one["id"]: one["sha256"] for one in volume.record.about["patches"]}
    assert recorded["factory"] == read["factory.toml"]


def test_the_statement_is_of_the_source_that_was_read(tmp_path: Path) -> None:
    """Whoever puts another ISO under its name before the documents are written changes nothing."""
    source = tmp_path / "ngt.iso"
    write_sample(source, seed="read")
    read = subprocess.run(
        ["sha256sum", source], check=True, capture_output=True, text=True
    ).stdout.split()[0]
    result = rebuild(source, distros=["rocky"], output=tmp_path / "out.iso")
    write_sample(source, seed="another", force=True)
    subject = Product.of_rebuild(result)
    assert (subject.vendor.sha256, result.source_sha256) == (read, read)
    silent = rebuild(source, distros=["rocky"], output=tmp_path / "silent.iso", digest=False)
    with pytest.raises(UsageError) as failed:
        Product.of_rebuild(silent)
    assert failed.value.code == "needs-digest"


def test_a_statement_nested_as_deep_as_can_just_be_read_is_none(subject: Product) -> None:
    path = subject.iso.with_name("deep.jsonl")
    for depth in range(900, 1000):
        path.write_text('{"a":' * depth + "1" + "}" * depth)
        assert codes(subject.iso, statement=path) == ["statement"]


def test_one_iso_may_have_several_names(subject: Product) -> None:
    path = Path(write_provenance(subject).statement)
    document = json.loads(path.read_text())
    document["subject"].append({**document["subject"][0], "name": "alias.iso"})
    other = path.with_name("other.jsonl")
    other.write_text(json.dumps(document))
    assert codes(subject.iso, statement=other) == []
    alias = subject.iso.rename(subject.iso.with_name("alias.iso"))
    assert codes(alias, statement=other) == []
    assert codes(alias.rename(alias.with_name("third.iso")), statement=other) == ["name"]
