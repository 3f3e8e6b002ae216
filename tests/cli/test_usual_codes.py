# SPDX-License-Identifier: Apache-2.0
"""The codes of what goes wrong most, which other tests know by their words or by the library."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.files.locked import locked
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.volume import Volume
from tests import program
from tests.fleet.park import park
from tests.flow.test_bad_input import FACTORIES
from tests.iso.test_forged import forged
from tests.told import printed

FACTORY = "installer/linux/src/installer_factory.py"
RELEASES = {
    "fedora": "NAME=Fedora\nID=fedora\nVERSION_ID=40\n",
    "nobody": "NAME=Nobody\nID=nobody\nVERSION_ID=1\n",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an ISO, what was made of it, and files of the wrong kind."""
    root = tmp_path_factory.mktemp("desk")
    for line in (
        "sample -o ngt.iso", "rebuild ngt.iso -d rocky -o el.iso",
        "rebuild ngt.iso -d rocky --output-tree tree",
    ):  # fmt: skip
        assert program.run(*line.split(), cwd=root).returncode == 0, line
    (root / "empty").mkdir()
    (root / "text").write_text("some text")
    (root / "vms.csv").write_text("name\nvm1\n")
    for name, text in RELEASES.items():
        (root / name).write_text(text)
    return root


def error(words: str, directory: Path, **variables: str) -> tuple[int, str]:
    """Return exit code and error code of a command."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")}
    ran = program.run("--json", *words.split(), cwd=directory, env={**clean, **variables})
    assert "Traceback" not in ran.stderr
    return ran.returncode, json.loads(ran.stdout)["error"]["code"]


REBUILD = "rebuild ngt.iso -d rocky"
INJECT = "inject ngt.iso --inventory vms.csv --output-dir"


@pytest.mark.parametrize(
    ("exit_code", "code", "words"),
    [
        (2, "usage", "rebuild ngt.iso --colour"),
        (2, "no-output", REBUILD),
        (2, "two-outputs", f"{REBUILD} -o x.iso --in-place"),
        (2, "tilde", f"{REBUILD} -o ~/x.iso"),
        (2, "stdin-twice", "rebuild ngt.iso --config - --cert - --key text -o x.iso"),
        (2, "os-release-needed", "rebuild ngt.iso -d auto -o x.iso"),
        (2, "os-release-unused", "rebuild ngt.iso -d rocky --os-release nothere -o x.iso"),
        (2, "no-such-directory", f"{REBUILD} -o nowhere/x.iso"),
        (2, "not-a-directory", f"{INJECT} text"),
        (2, "is-directory", f"{REBUILD} -o empty"),
        (2, "output-exists", f"{REBUILD} -o text"),
        (2, "same-file", f"{REBUILD} -f -o ngt.iso"),
        (3, "address", "rebuild https://example.com/ngt.iso -d rocky -o x.iso"),
        (2, "bad-size", "sample -o x.iso --payload much"),
        (4, "secret", "extract ngt.iso config/client-key.pem -o x"),
        (2, "no-source-file", "rebuild ngt.iso -d rocky --in-place --provenance"),
        (2, "scheduler", f"{INJECT} out --scheduler nonsense"),
        (2, "s3-url", f"{INJECT} s3://"),
        (2, "no-document", "verify tree --base ngt.iso"),
        (4, "unknown-patch", "patch show nothing"),
        (4, "unknown-profile", "rebuild ngt.iso -d nothing -o x.iso"),
        (4, "opt-in", "rebuild ngt.iso -d auto --os-release fedora -o x.iso"),
        (3, "not-found", "inspect nowhere.iso"),
        (3, "not-iso", "inspect text"),
        (3, "no-installer", "rebuild empty -d rocky -o x.iso"),
        (3, "no-authority", "rebuild ngt.iso --ca-cert ngt.iso -o x.iso"),
        (3, "report", "status text"),
        (3, "report-input", "report ngt.iso -o x.html"),
        (3, "variables", "packer verify text"),
        (3, "sign-key", f"{REBUILD} --sign-key text -o x.iso"),
        (3, "verify-key", "verify el.iso --base ngt.iso --key text"),
    ],
)
def test_a_code_and_nothing_is_written(desk: Path, exit_code: int, code: str, words: str) -> None:
    before = sorted(desk.iterdir())
    assert error(words, desk) == (exit_code, code)
    assert sorted(desk.iterdir()) == before


def test_a_date_that_is_no_number(desk: Path) -> None:
    code = error("sample -o x.iso", desk, SOURCE_DATE_EPOCH="today")
    assert code == (2, "bad-source-date-epoch")


def test_a_store_that_nobody_answers_for(desk: Path, tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    store = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}
    login = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    words = " ".join(made.arguments("--output-dir", "s3://bucket/ngt", "--store-timeout", 1)[3:])
    assert error(words, desk, **store, **login) == (7, "s3")


LOSSY = """\
# coding: utf-7
import distro
def get_linux_installer():
  namé = distro.linux_distribution()[0].lower()
  if "centos" in namé:
    from redhat_installer import RedhatInstaller as LinuxInstaller
  else:
    raise SystemExit(1)
  return LinuxInstaller
"""


@pytest.mark.parametrize("code", [*FACTORIES, "lossy"])
def test_a_factory_that_is_not_patched(desk: Path, tmp_path: Path, code: str) -> None:
    shutil.copytree(desk / "tree", tmp_path / "tree", symlinks=True)
    data = FACTORIES[code].encode() if code in FACTORIES else LOSSY.encode("utf-7")
    (tmp_path / "tree" / FACTORY).write_bytes(data)
    assert error("rebuild tree -d rocky -o x.iso", tmp_path) == (4, code)
    assert not (tmp_path / "x.iso").exists()


def test_an_undo_that_gives_other_bytes_than_recorded(desk: Path, tmp_path: Path) -> None:
    with Volume.open(desk / "el.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
    lie = forged((desk / "el.iso").read_bytes(), vendor_sha256="33" * 32)
    (tmp_path / "lie.iso").write_bytes(lie)
    assert error("reset lie.iso -o x.iso", tmp_path) == (5, "wrong-digest")
    ran = program.run("verify", desk / "el.iso", "--base", desk / "ngt.iso", "-d", "uos", "--json")
    assert "not-accepted" in {one["code"] for one in json.loads(ran.stdout)["problems"]}


def test_a_lock_and_a_ledger_of_somebody_else(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    (made.out / ".ngtpatch").mkdir(parents=True)
    (made.out / ".ngtpatch/1-of-1.lock").symlink_to(tmp_path / "theirs")
    assert json.loads(made.inject("--json").stdout)["error"]["code"] == "unsafe-lock"
    (made.out / ".ngtpatch/1-of-1.lock").unlink()
    with locked(made.out / ".ngtpatch/1-of-1.lock", wait=0):
        assert json.loads(made.inject("--json").stdout)["error"]["code"] == "busy"
    (made.out / "ledger.jsonl").write_text("a diary\nof mine\n")
    assert json.loads(made.inject("--json").stdout)["error"]["code"] == "ledger"


WITHOUT_DASK = (
    "import sys; sys.modules['distributed'] = None; from ngtpatch.cli.app import app; app()"
)
WHILE_IT_IS_REPLACED = """
import ngtpatch.flow.diff as room
from pathlib import Path
compare = room.diff
def meanwhile(*images):
    Path("el.iso").write_bytes(Path("ngt.iso").read_bytes())
    return compare(*images)
room.diff = meanwhile
from ngtpatch.cli.app import app
app()
"""


@pytest.mark.parametrize(
    ("script", "words", "told"),
    [
        (WITHOUT_DASK, f"{INJECT} out --scheduler tcp://127.0.0.1:9", (2, "extra")),
        (WHILE_IT_IS_REPLACED, "report ngt.iso el.iso -o page.html", (1, "source-changed")),
    ],
)
def test_what_no_input_leads_to(
    desk: Path, tmp_path: Path, script: str, words: str, told: tuple[int, str]
) -> None:
    for name in ("ngt.iso", "el.iso", "vms.csv"):
        shutil.copy(desk / name, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", script, *words.split(), "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    code = json.loads(printed(ran.stdout))["error"]["code"]
    assert (ran.returncode, code) == told, ran.stderr


def test_an_image_does_not_go_to_a_terminal(desk: Path) -> None:
    leader, follower = pty.openpty()
    words = [sys.executable, "-m", "ngtpatch", "--json", *REBUILD.split(), "-o", "-"]
    ran = subprocess.run(words, cwd=desk, stdout=follower, stderr=subprocess.DEVNULL, check=False)
    os.close(follower)
    told = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert (ran.returncode, json.loads(printed(told))["error"]["code"]) == (2, "terminal")
