# SPDX-License-Identifier: Apache-2.0
"""The codes of what is decided and of what is verified, as a script gets them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.iso.read.build_record import BuildRecord, Change
from ngtpatch.iso.read.volume import Volume
from tests import program
from tests.iso.test_forged import forged
from tests.requirements import tool

FACTORY = "installer/linux/src/installer_factory.py"
LICENSE = "installer/linux/License.txt"
CONFIG = "config/ngt_config.json"


def told(command: str, directory: Path) -> tuple[int, dict[str, Any]]:
    """Return exit code and document of a command."""
    ran = program.run("--json", *command.split(), cwd=directory)
    assert "Traceback" not in ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def error(command: str, directory: Path) -> tuple[int, str]:
    """Return exit code and error code of a command."""
    code, document = told(command, directory)
    return code, document["error"]["code"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample, and what was made of it."""
    root = tmp_path_factory.mktemp("made")
    for line in (
        "sample -o ngt.iso",
        "sample -o other.iso --seed other",
        "rebuild ngt.iso -d rocky -o el.iso",
        "rebuild ngt.iso -d rocky --no-digest -o quick.iso",
        "rebuild ngt.iso -d rocky --strip-identity -o bare.iso",
    ):
        assert program.run(*line.split(), cwd=root).returncode == 0, line
    _, document = told("rebuild ngt.iso -d rocky --output-tree tree", root)
    (root / "tree.json").write_text(json.dumps(document))
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "here", symlinks=True)
    return tmp_path / "here"


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def conflicting(tree: Path) -> None:
    changed(tree / FACTORY, '"ubuntu" in', '"alma" in')


def puzzling(tree: Path) -> None:
    check = "  import unseen_helper\n  if unseen_helper.likes(distribution):\n    sys.exit(1)\n"
    changed(tree / FACTORY, '  if ("centos"', check + '  if ("centos"')


def elsewhere(tree: Path) -> None:
    uuid = json.loads((tree / CONFIG).read_text())["ngt_uuid"]
    (tree / LICENSE).write_text(f"of {uuid}\n")


@pytest.mark.parametrize(
    ("edit", "command", "code"),
    [
        (conflicting, "rebuild tree -d almalinux -o x.iso", "conflict"),
        (puzzling, "rebuild tree -d almalinux -o x.iso", "uncertain"),
        (elsewhere, "identity strip tree -o x.iso", "identity-elsewhere"),
    ],
)
def test_what_is_not_patched_or_shared(
    here: Path, edit: Callable[[Path], None], command: str, code: str
) -> None:
    edit(here / "tree")
    assert error(command, here) == (4, code)
    assert not (here / "x.iso").exists()


def record_of(path: Path) -> BuildRecord:
    with Volume.open(path) as volume:
        assert isinstance(volume.record, BuildRecord)
        return volume.record


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def problems(command: str, directory: Path) -> set[str]:
    code, document = told(command, directory)
    assert code == 5, document
    return {one["code"] for one in document["problems"]}


def test_what_is_not_verified(here: Path) -> None:
    assert "no-digest" in problems("verify quick.iso", here)
    assert "wrong-base" in problems("verify el.iso --base other.iso", here)
    assert "differs" in problems("verify ngt.iso --base other.iso", here)
    record = record_of(here / "el.iso")
    for name, at in (("outside", 16 * 2048 + 200), ("record", record.offset + 70),
                     ("region", record.ranges[-1][0])):  # fmt: skip
        shutil.copy(here / "el.iso", here / f"{name}.iso")
        flipped(here / f"{name}.iso", at)
    assert "changed-outside" in problems("verify outside.iso --base ngt.iso", here)
    assert "record-damaged" in problems("verify record.iso --base ngt.iso", here)
    assert "changed-since" in problems("verify region.iso --base ngt.iso", here)
    with (here / "el.iso").open("ab") as file:
        file.write(b"x" * 2048)
    assert "bytes-behind" in problems("verify el.iso --base ngt.iso", here)
    assert error("reset bare.iso -o x.iso", here) == (4, "identity-scrubbed")


@pytest.mark.parametrize("code", ["record-untrue", "unrecorded"])
def test_a_record_that_lies_well(here: Path, code: str) -> None:
    """Its digests are right; the files are not what it says. Nothing is made of such an image."""
    changes = record_of(here / "el.iso").changes
    added = (*changes, Change("gone", None, "22" * 32, kind="added"))
    lie = added if code == "record-untrue" else changes[1:]
    (here / "lie.iso").write_bytes(forged((here / "el.iso").read_bytes(), changes=lie))
    assert problems("verify lie.iso", here) == {code}
    assert error("rebuild lie.iso -d almalinux -o x.iso", here) == (4, "source-disproved")
    assert not (here / "x.iso").exists()


def test_a_directory_that_is_not_as_its_document_says(here: Path) -> None:
    words = "verify tree --base ngt.iso --document tree.json"
    assert told(words, here)[0] == 0, told(words, here)[1]["problems"]
    (here / "tree" / LICENSE).write_text("another")
    assert "changed-outside" in problems(words, here)
    document = json.loads((here / "tree.json").read_text())
    document["changed"][0]["sha256_after"] = "0" * 64
    (here / "tree.json").write_text(json.dumps(document))
    assert "document-untrue" in problems(words, here)
    document["changed"] = 7
    (here / "tree.json").write_text(json.dumps(document))
    assert error(words, here) == (3, "rebuild-value")


def test_a_statement(here: Path) -> None:
    openssl = tool("openssl", "openssl")
    for name in ("sign", "other"):
        key = ["-algorithm", "ed25519", "-out", f"{name}.key"]
        subprocess.run([openssl, "genpkey", *key], cwd=here, check=True)
        public = ["-in", f"{name}.key", "-pubout", "-out", f"{name}.pub"]
        subprocess.run([openssl, "pkey", *public], cwd=here, check=True)
    (here / "sign.key").chmod(0o600)
    for line in ("rebuild ngt.iso -d rocky --provenance -o plain.iso",
                 "rebuild ngt.iso -d rocky --sign-key sign.key -o signed.iso"):  # fmt: skip
        assert told(line, here)[0] == 0
    assert told("verify signed.iso --base ngt.iso --key sign.pub", here)[0] == 0
    assert error("verify plain.iso --base ngt.iso --key sign.pub", here) == (5, "unsigned")
    assert error("verify signed.iso --base ngt.iso --key other.pub", here) == (5, "other-key")
    statement = here / "signed.iso.intoto.jsonl"
    envelope = json.loads(statement.read_text())
    signature = envelope["signatures"][0]
    signature["sig"] = ("B" if signature["sig"][0] == "A" else "A") + signature["sig"][1:]
    statement.write_text(json.dumps(envelope))
    assert error("verify signed.iso --base ngt.iso --key sign.pub", here) == (5, "signature")
    statement.write_text("nonsense")
    assert error("verify signed.iso --base ngt.iso --key sign.pub", here)[1] == "statement"
