# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch report``: what it takes, what it refuses, and what it says of a fleet."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shlex
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ngtpatch.cli.app import app
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.report.changed_text import changed_text
from ngtpatch.report.image_map import ImageMap, image_map
from ngtpatch.report.stated import check_statement, state_provenance
from ngtpatch.sample import write_sample
from tests import program
from tests.fleet.park import TODAY, Park, park
from tests.identity import material as m
from tests.told import InProcess


def run(*words: object) -> tuple[int, dict[str, Any]]:
    done = InProcess().invoke(app, ["--json", "report", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.stdout)


def table(page: Path, name: str) -> list[list[str]]:
    """The cells of a table of a page, row by row."""
    found = re.search(rf'<table id="{name}".*?<tbody>(.*?)</tbody>', page.read_text(), re.S)
    assert found is not None
    return [
        [
            html.unescape(re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        ]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", found[1], re.S)
    ]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Park:
    found = park(tmp_path_factory.mktemp("fleet"), 6)
    found.give("vm3", m.files(3, begin=TODAY - timedelta(days=950)))
    assert found.inject().returncode == 0
    return found


@pytest.fixture
def out(fleet: Park, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fleet.out, tmp_path / "out"))


def states(page: Path) -> dict[str, tuple[str, str]]:
    """What the page says of each VM: its state, and what was found."""
    return {row[0]: (row[1], row[4]) for row in table(page, "vm")}


def test_a_fleet_that_is_well(out: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, document = run(out / "ledger.jsonl", "-o", page, "--warn-days", 10)
    assert (code, document["verdict"], document["ok"], document["rows"]) == (0, "ok", True, 6)
    jsonschema.validate(document, json.loads(InProcess().invoke(app, ["schema", "report"]).stdout))
    assert document["size"] == page.stat().st_size
    assert {state for state, _ in states(page).values()} == {"ok"}
    ends = {row[0]: row[2] for row in table(page, "vm")}
    assert ends["vm3"] == f"{TODAY - timedelta(days=950) + timedelta(days=1000):%Y-%m-%d}"
    assert "the images have the digests" in " ".join(document["unseen"])


def test_what_is_wrong_with_a_fleet(out: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    (out / "vm2.iso").write_bytes((out / "vm1.iso").read_bytes())
    (out / "vm4.iso").unlink()
    (out / "vm5.iso").write_bytes(b"no image")
    (out / "vm6.iso").unlink()
    (out / "vm6.iso").symlink_to(out / "vm1.iso")
    code, document = run(out, "-o", page)
    assert (code, document["verdict"]) == (5, "attention")
    found = states(page)
    assert found["vm1"][0] == "error"  # its identity is on another VM's disc as well
    assert found["vm2"][0] == "error"
    assert "not-the-ledger's: its ngt_uuid is" in found["vm2"][1]
    assert found["vm3"][0] == "warning"
    assert found["vm4"] == ("missing", "no image of that name is beside the ledger")
    assert found["vm5"][0] == "error"
    assert found["vm6"][0] == "missing"


def test_the_ledger_alone(out: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, document = run(out, "-o", page, "--no-images")
    assert code == 0
    assert any("no certificate's end is known" in one for one in document["unseen"])
    assert {state for state, _ in states(page).values()} == {"not looked at"}
    assert "No image was looked at" in page.read_text()


def test_a_ledger_names_no_file_elsewhere(out: Path, tmp_path: Path) -> None:
    ledger, page = out / "ledger.jsonl", tmp_path / "page.html"
    first = json.loads(ledger.read_text().splitlines()[0])
    (tmp_path / "vm1.iso").write_bytes((out / "vm1.iso").read_bytes())
    for one in ("../vm1.iso", str(tmp_path / "vm1.iso"), "..", ""):
        ledger.write_text(json.dumps({**first, "output": one}) + "\n")
        assert run(ledger, "-o", page)[0] == 3, one
        assert not page.exists()


def test_a_torn_ledger_says_so(out: Path, tmp_path: Path) -> None:
    ledger = out / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    _, document = run(ledger, "-n")
    assert document["rows"] == 5
    assert document["unseen"][0].startswith("the last line of a ledger, which has no end")


def rebuilt(directory: Path) -> tuple[Path, dict[str, Any]]:
    base, image = directory / "ngt.iso", directory / "out.iso"
    write_sample(base)
    words = ["--json", "rebuild", str(base), "-d", "rocky", "-o", str(image)]
    document: dict[str, Any] = json.loads(InProcess().invoke(app, words).stdout)
    path = directory / "rebuild.json"
    path.write_text(json.dumps(document))
    return path, document


def maps_that_hold_and_maps_that_do_not(base: Path, image: Path) -> None:
    """What differs is on the map, also where no record says so, or one that does not hold."""

    def marks(found: ImageMap | None) -> set[tuple[str, int, int]]:
        assert found is not None
        return {(one.kind, one.offset, one.length) for one in found.regions}

    changed = bytearray(image.read_bytes())
    with Volume.open(base) as vendor, Volume.open(image) as volume:
        held = image_map(volume, vendor, sound=True)
        assert marks(held) == marks(image_map(volume, None, sound=True))
        path = "installer/linux/License.txt"
        place = volume.entries(volume.primary_tree)[path].extents[0][0]
        changed[place + 3] ^= 1
        broken = Volume(MemorySource(bytes(changed)), image)
        found = image_map(broken, vendor, sound=False)
        sector = place // 2048 * 2048
        assert marks(found) == marks(held) | {("differs", sector, 2048)}
        assert found is not None
        assert [one.holds for one in found.regions if one.kind == "differs"] == [(path,)]
        # The vendor's own disc has no record: every sector that differs, and no other.
        other = bytearray(base.read_bytes())
        for at in (40_000, 42_000, 90_000, len(other) - 1):
            other[at] ^= 0x80
        copy = Volume(MemorySource(bytes(other)), base, second_opinion=False)
        sectors = {
            at
            for kind, offset, length in marks(image_map(copy, vendor, sound=False))
            for at in range(offset, offset + length, 2048)
            if kind == "differs"
        }
        assert sectors == {at // 2048 * 2048 for at in (40_000, 42_000, 90_000, len(other) - 1)}


@pytest.mark.parametrize(
    ("key", "signature", "statement"),
    [
        (None, "not checked: no public key was named (--key)", "is about this image"),
        ("sign", "fits the public key", "is about this image"),
        ("other", "does not hold with", "other-key:"),
    ],
)
def test_a_signature_is_said_as_what_was_checked(
    tmp_path: Path, key: str | None, signature: str, statement: str
) -> None:
    base, image = tmp_path / "ngt.iso", tmp_path / "out.iso"
    write_sample(base)
    for name in ("sign", "other"):
        private = Ed25519PrivateKey.generate()
        (tmp_path / f"{name}.key").touch(mode=0o600)
        (tmp_path / f"{name}.key").write_bytes(
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (tmp_path / f"{name}.pub").write_bytes(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    words = ["rebuild", base, "--set", "port=2075", "--sign-key", tmp_path / "sign.key"]
    done = InProcess().invoke(app, [*map(str, words), "-o", str(image)])
    assert done.exit_code == 0, done.output
    public = None if key is None else tmp_path / f"{key}.pub"
    checked = check_statement(image, base, public)
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    found = {one.what: one for one in state_provenance(image, checked, digest, public)}
    assert found["Signature"].checked.startswith(signature)
    assert found["Statement (in-toto)"].checked.startswith(statement)
    assert (found["Signature"].state == "bad") == (key == "other")
    assert found["SHA256SUMS beside it"].state == "good"


@pytest.mark.parametrize("wrong", ["key", "sums"])
def test_the_next_line_shows_what_is_wrong(tmp_path: Path, wrong: str) -> None:
    """What a report found by a key, or in SHA256SUMS, a verify without them would not see."""
    base, image = tmp_path / "ngt.iso", tmp_path / "el.iso"
    assert program.run("sample", "-o", base).returncode == 0
    signing = tmp_path / "sign.pem"
    signing.write_bytes(m.key_pem(Ed25519PrivateKey.generate()))
    signing.chmod(0o600)
    other = tmp_path / "it's other.pem"
    other.write_bytes(
        Ed25519PrivateKey.generate().public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
    )  # fmt: skip
    made = program.run("rebuild", base, "-d", "rocky", "-o", image, "--sign-key", signing)
    assert made.returncode == 0, made.stderr
    keys = ["--key", other] if wrong == "key" else []
    if wrong == "sums":
        sums = tmp_path / "SHA256SUMS"
        sums.write_text(("0" if sums.read_text()[0] != "0" else "1") + sums.read_text()[1:])
    told = program.run("report", base, image, *keys, "-o", tmp_path / "page.html")
    assert told.returncode == 5
    (line,) = (
        one.removeprefix("next").strip().removesuffix("(says what is wrong)")
        for one in told.stdout.splitlines()
        if one.endswith("(says what is wrong)")
    )
    verified = program.run(*shlex.split(line)[1:])
    assert verified.returncode == 5
    assert "NOT verified" in verified.stdout
    assert "no --key, or" not in verified.stdout
    if wrong == "key":
        assert f"signature   none by {other} was seen to be valid" in verified.stdout


@pytest.mark.parametrize("option", [("--key", "nothere.pem"), ("-d", "rocky")])
def test_what_only_an_image_could_answer_is_refused(
    fleet: Park, tmp_path: Path, option: tuple[str, str]
) -> None:
    code, told = run(fleet.out, *option, "-o", tmp_path / "page.html")
    assert (code, told["error"]["code"]) == (2, "usage")
    assert "can only be answered by an image" in told["error"]["message"]
    _, document = rebuilt(tmp_path)
    Path(document["output"]).unlink()
    (tmp_path / "doc.json").write_text(json.dumps(document))
    code, told = run(tmp_path / "doc.json", *option, "-o", tmp_path / "page.html")
    assert (code, told["error"]["code"]) == (2, "usage")
    assert not (tmp_path / "page.html").exists()


def test_the_document_of_several_rebuilds_is_told_as_that(tmp_path: Path) -> None:
    base = tmp_path / "ngt.iso"
    assert program.run("sample", "-o", base).returncode == 0
    words = ("rebuild", base, "-d", "rocky,almalinux", "--each", "--output-dir", tmp_path / "each")
    (tmp_path / "doc.json").write_text(program.run("--json", *words).stdout)
    code, told = run(tmp_path / "doc.json", "-o", tmp_path / "page.html")
    assert (code, told["error"]["code"]) == (3, "report-input")
    assert "several rebuilds" in told["error"]["message"]


def test_a_document_beside_an_image_is_told_as_too_much(tmp_path: Path) -> None:
    _, document = rebuilt(tmp_path)
    told = program.run("verify", document["output"], "--document", tmp_path / "none.json")
    assert told.returncode == 2
    assert "is not a directory, and only that needs --document" in told.stderr


def test_a_document_alone_is_not_verified(tmp_path: Path) -> None:
    path, rebuild = rebuilt(tmp_path)
    maps_that_hold_and_maps_that_do_not(tmp_path / "ngt.iso", tmp_path / "out.iso")
    (tmp_path / "out.iso").unlink()
    page = tmp_path / "page.html"
    code, document = run(path, "-o", page)
    assert (code, document["about"], document["verdict"]) == (0, "document", "not-looked-at")
    text = page.read_text()
    assert "<strong>Not verified</strong>" in text
    assert f"{tmp_path}/out.iso is not there" in text
    assert rebuild["sha256"] in text
    assert "rocky linux" in text
    assert any("which distributions it accepts" in one for one in document["unseen"])
    # Nothing is written where something is, or where only a plan was asked for.
    before = page.read_bytes()
    code, refused = run(path, "-o", page)
    assert (code, refused["error"]["code"]) == (2, "output-exists")
    assert page.read_bytes() == before
    code, refused = run(path, "-o", path, "--force")
    assert (code, refused["error"]["code"]) == (2, "same-file")
    code, planned = run(path, "-n", "-o", tmp_path / "other.html")
    assert (code, planned["output"]) == (0, None)
    assert not (tmp_path / "other.html").exists()
    done = InProcess().invoke(app, ["report", str(path), "-o", "-"])
    assert done.stdout.startswith("<!doctype html>")
    code, refused = run(path)
    assert (code, refused["error"]["code"]) == (2, "no-output")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"schema": "ngtpatch.verify/1"}', "report-input"),
        (b"nothing of ours", "report-input"),
        (b'{"schema": "ngtpatch.rebuild/1"}', "rebuild-value"),
        (b'{"schema": "ngtpatch.ledger/1", "name": 7}\n', "ledger"),
        (None, "not-found"),
    ],
)
def test_what_is_no_input(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "input"
    if content is not None:
        path.write_bytes(content)
    exit_code, document = run(path, "-o", tmp_path / "page.html")
    assert exit_code == 3
    assert document["error"]["code"].startswith("rebuild" if "rebuild" in code else code)
    assert document["error"]["path"] == str(path)
    assert not (tmp_path / "page.html").exists()


def test_a_directory_needs_its_document(tmp_path: Path) -> None:
    write_sample(tmp_path / "ngt.iso")
    (tmp_path / "tree").mkdir()
    code, document = run(tmp_path / "ngt.iso", tmp_path / "tree", "-o", tmp_path / "page.html")
    assert (code, document["error"]["code"]) == (2, "no-document")


def test_an_iso_alone_and_an_empty_directory(tmp_path: Path) -> None:
    write_sample(tmp_path / "ngt.iso")
    code, document = run(tmp_path / "ngt.iso", "-o", tmp_path / "page.html")
    assert (code, document["error"]["code"]) == (3, "report-input")
    assert "BASE and OUT" in document["error"]["hint"]
    code, document = run(tmp_path, "-o", tmp_path / "page.html")
    assert (code, document["error"]["code"]) == (3, "not-found")


def test_a_diff_is_shown_line_by_line() -> None:
    diff = (
        "--- a/x\n+++ b/x\n@@ -1,3 +1,4 @@\n same\n-if centos or red:\n-gone\n"
        "+if centos or rocky or red:\n last\n+\n\\ No newline at end of file\n"
    )
    found = changed_text(diff, most=100)
    assert found is not None
    (hunk,) = found.hunks
    assert (found.added, found.removed, found.left_out) == (2, 2, 0)
    assert [(one.sign, one.old, one.new) for one in hunk.lines] == [
        (" ", 1, 1), ("-", 2, None), ("-", 3, None), ("+", None, 2), (" ", 4, 3), ("+", None, 4),
    ]  # fmt: skip
    text = "".join(f"{one.sign}{''.join(part for part, _ in one.parts)}\n" for one in hunk.lines)
    assert text == diff.partition("@@\n")[2].replace("\\ No newline at end of file\n", "")
    assert hunk.lines[-1].no_end
    before, after = hunk.pairs[1]
    assert before is not None
    assert after is not None
    assert [part for part, marked in after.parts if marked] == ["rocky or "]
    assert not any(marked for _, marked in before.parts)
    assert hunk.pairs[2][1] is None
    short = changed_text(diff, most=3)
    assert short is not None
    assert short.left_out == 5
    assert changed_text("no diff at all\n", most=3) is None
