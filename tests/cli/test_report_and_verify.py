# SPDX-License-Identifier: Apache-2.0
"""``report`` and ``verify``: what a verdict rests on is said, and what it does not is named."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ngtpatch.files.shipped import data_dir
from tests import program
from tests.fleet.park import park
from tests.identity import material as m


def well(*words: object, cwd: Path, input: str | None = None) -> str:
    done = program.run(*words, cwd=cwd, input=input)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*words: object, cwd: Path, input: str | None = None) -> str:
    done = program.run(*words, cwd=cwd, input=input)
    assert done.returncode in (2, 3), done.stdout
    return done.stderr


def next_line(printed: str, why: str) -> list[str]:
    (line,) = (one for one in printed.splitlines() if one.endswith(f"({why})"))
    return shlex.split(line.removeprefix("next").removesuffix(f"({why})"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A sample, and an image of it for a distribution that has no profile but in ``own``."""
    (tmp_path / "own").mkdir()
    shipped = (data_dir("distro_profiles") / "navy.toml").read_text()
    own = shipped.replace("navy", "acmex").replace("Navy", "Acmex")
    (tmp_path / "own" / "acmex.toml").write_text(own)
    well("sample", "-o", "n.iso", cwd=tmp_path)
    return tmp_path


def signed(directory: Path, name: str) -> None:
    key = Ed25519PrivateKey.generate()
    (directory / "sign.key").write_bytes(m.key_pem(key))
    (directory / "sign.key").chmod(0o600)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "sign.pub").write_bytes(public)
    well("rebuild", "n.iso", "-d", "rocky", "-o", name, "--sign-key", "sign.key", cwd=directory)


def test_a_distribution_without_a_profile_here_is_named(here: Path) -> None:
    words = ("-d", "acmex", "--profiles", "own")
    well("rebuild", "n.iso", *words, "-o", "a.iso", cwd=here)
    told = "whether it accepts acmex: the record names it, and there is no such profile here"
    assert f"  not looked at: {told}" in well("verify", "a.iso", cwd=here)
    found = json.loads(well("--json", "verify", "a.iso", "--base", "n.iso", cwd=here))
    assert told in found["bytes"]["unseen"]
    known = well("verify", "a.iso", "--profiles", "own", cwd=here)
    assert "whether it accepts" not in known
    assert "its installer accepts acmex" in known
    page = json.loads(well("--json", "report", "n.iso", "a.iso", "-n", cwd=here))
    assert page["unseen"].count(told) == 1
    made = well("--json", "rebuild", "n.iso", *words, "--output-tree", "t", cwd=here)
    (here / "t.json").write_text(made)
    tree = well("verify", "t", "--base", "n.iso", "--document", "t.json", cwd=here)
    assert "not looked at: whether it accepts acmex: the document names it" in tree


def test_the_next_line_asks_for_what_the_record_names(here: Path) -> None:
    """A page asks for the distributions of the record; a verify without them says verified."""
    well("rebuild", "n.iso", "-d", "acmex", "--profiles", "own", "-o", "a.iso", cwd=here)
    profile = here / "own" / "acmex.toml"
    other = profile.read_text().replace("Acmex Linux", "Zcmex Linux")
    profile.write_text(other.replace("acmex linux", "zcmex linux"))
    told = program.run("report", "n.iso", "a.iso", "--profiles", "own", "-o", "p.html", cwd=here)
    assert told.returncode == 5
    assert "  not-accepted: its installer does not accept Zcmex Linux" in told.stdout
    command = next_line(told.stdout, "says what is wrong")
    shown = program.run(*command[1:], cwd=here)
    assert shown.returncode == 5
    assert "not-accepted" in shown.stdout


def test_of_a_documents_images_the_next_line_is_named_as_well(here: Path) -> None:
    words = ("--json", "rebuild", "n.iso", "-d", "rocky", "--output-tree", "t")
    (here / "t.json").write_text(well(*words, cwd=here))
    (here / "t" / "installer" / "linux" / "install_ngt.py").write_text("another")
    told = program.run("report", "t.json", "-o", "page.html", cwd=here)
    assert told.returncode == 5
    assert "  changed-outside: " in told.stdout
    shown = program.run(*next_line(told.stdout, "says what is wrong")[1:], cwd=here)
    assert shown.returncode == 5
    assert "changed-outside" in shown.stdout


def test_a_document_about_another_image_is_found(here: Path) -> None:
    words = ("--json", "rebuild", "n.iso", "-d", "rocky", "-o", "a.iso")
    (here / "doc.json").write_text(well(*words, cwd=here))
    well("rebuild", "n.iso", "-d", "almalinux", "-o", "a.iso", "--force", cwd=here)
    told = program.run("report", "doc.json", "-o", "page.html", cwd=here)
    assert told.returncode == 5
    assert "  document-untrue: The image, SHA-256: computed from a.iso" in told.stdout
    page = (here / "page.html").read_text()
    found = re.search(r"<h3>What was found</h3>.*?</table>", page, re.S)
    assert found is not None
    assert "document-untrue" in found[0]
    assert "Next: find out which of both is meant" in page
    why = "if the image that is there now is meant"
    assert "image    verified" in well(*next_line(told.stdout, why)[1:], cwd=here)


def test_sums_without_a_statement_are_found(here: Path) -> None:
    well("rebuild", "n.iso", "-d", "rocky", "-o", "a.iso", cwd=here)
    (here / "SHA256SUMS").write_text(f"{'0' * 64}  a.iso\n")
    told = program.run("report", "n.iso", "a.iso", "-o", "page.html", cwd=here)
    assert told.returncode == 5
    assert "  sums: SHA256SUMS beside it: is not the image's" in told.stdout
    assert "says what is wrong" not in told.stdout  # verify without a statement says verified
    command = next_line(told.stdout, "SHA256SUMS beside it says another")
    shown = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    assert "0" * 64 not in shown.stdout


def test_what_a_statement_says_against_an_image_is_found_on_the_page(here: Path) -> None:
    signed(here, "a.iso")
    sums = here / "SHA256SUMS"
    sums.write_text(re.sub(r"(?m)^[0-9a-f]{64}(?=  a.iso$)", "0" * 64, sums.read_text()))
    told = program.run("report", "n.iso", "a.iso", "-o", "page.html", cwd=here)
    assert "  sums: a.iso is not what SHA256SUMS says" in told.stdout
    assert "<code>sums</code>" in (here / "page.html").read_text()


def test_a_statement_is_not_held_against_a_directory(here: Path) -> None:
    """Nor is the page to say that it was, or verify to end by it."""
    signed(here, "a.iso")
    well("rebuild", "n.iso", "-d", "rocky", "--output-tree", "t", cwd=here)
    unseen = "whether t is what the statement names: a directory has no digest"
    told = program.run("verify", "a.iso", "--base", "t", "--key", "sign.pub", cwd=here)
    assert told.returncode == 5
    assert f"  not looked at: {unseen}" in told.stdout
    words = ("--json", "report", "t", "a.iso", "--key", "sign.pub", "-o", "page.html")
    assert unseen in json.loads(program.run(*words, cwd=here).stdout)["unseen"]
    row = re.search(r"The vendor&#39;s image by the statement.*?</tr>",
                    (here / "page.html").read_text(), re.S)  # fmt: skip
    assert row is not None
    assert "not compared: what it was made from is a directory" in row[0]


def test_another_images_statement_is_no_other_spelling(here: Path) -> None:
    signed(here, "p.iso")
    signed(here, "q.iso")
    (here / "p.iso.intoto.jsonl").unlink()
    told = refused("verify", "p.iso", "--key", "sign.pub", cwd=here)
    assert "p.iso.intoto.jsonl: there is no such file" in told
    assert "under this name" in told
    assert "q.iso" not in told


def test_a_key_that_was_checked_is_not_called_none(here: Path) -> None:
    signed(here, "a.iso")
    assert "signature   not checked: no --key\n" in well(
        "verify", "a.iso", "--provenance", cwd=here
    )
    other = Ed25519PrivateKey.generate().public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    told = program.run("verify", "a.iso", "--key", "-", cwd=here, input=pem)
    assert told.returncode == 5
    assert "signature   none by the key on standard input was seen to be valid" in told.stdout


def test_a_document_beside_what_is_not_there(here: Path) -> None:
    told = refused("verify", "none.iso", "--document", "none.json", cwd=here)
    assert "none.iso: there is no such file" in told


@pytest.mark.parametrize("option", [("--no-images",), ("--warn-days", "5")])
def test_what_only_a_ledger_could_answer_is_refused(here: Path, option: tuple[str, ...]) -> None:
    words = ("--json", "rebuild", "n.iso", "-d", "rocky", "-o", "a.iso")
    (here / "doc.json").write_text(well(*words, cwd=here))
    for named in (("n.iso", "a.iso"), ("doc.json",)):
        told = refused("report", *named, *option, "-o", "page.html", cwd=here)
        assert f"{option[0]} can only be answered by a ledger" in told
    assert not (here / "page.html").exists()


def test_a_ledger_is_not_taken_from_standard_input(tmp_path: Path) -> None:
    fleet = park(tmp_path, 1)
    assert fleet.inject().returncode == 0
    ledger = (fleet.out / "ledger.jsonl").read_text()
    told = refused("report", "-", "-o", "page.html", cwd=tmp_path, input=ledger)
    assert "standard input: is a ledger, which is not taken from standard input" in told
    assert "name its file" in told
    assert "move this file away" not in told


def test_one_page_for_each_of_several_rebuilds(here: Path) -> None:
    words = ("rebuild", "n.iso", "-d", "rocky,almalinux", "--each", "--output-dir", "each")
    each = well("--json", *words, cwd=here)
    told = refused("report", "-", "-o", "page.html", cwd=here, input=each)
    assert "standard input: is the document of several rebuilds" in told
    assert "make a page of each image" in told
    assert "what 'ngtpatch --json rebuild' printed" not in told


def test_packers_variables_by_standard_input(here: Path) -> None:
    well("packer", "prepare", "n.iso", "-d", "rocky", "-o", "build", cwd=here)
    variables = (here / "ngtpatch.auto.pkrvars.json").read_text()
    assert "as it was prepared" in well("packer", "verify", "-", cwd=here, input=variables)
    told = refused("packer", "verify", "-", cwd=here, input="\n")
    assert told.startswith("ngtpatch: standard input: is not JSON")
