# SPDX-License-Identifier: Apache-2.0
"""Error codes that no other test raises: what each command says, as a script gets it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

import ngtpatch
from ngtpatch.files.locked import locked
from ngtpatch.files.wellknown import LABEL, VM_PATHS
from ngtpatch.iso.read.entry import MOST_ENTRIES
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.master import USUAL_TREES, DiscFile, master
from ngtpatch.sample import write_sample
from ngtpatch.sample.credentials import issue
from ngtpatch.sample.disc import disc
from tests import program
from tests.fleet.park import park
from tests.requirements import missing
from tests.told import printed

INPUTS = {
    "other.json": b'{"schema": "ngtpatch.diff/1"}',
    "bytes.j2": b"\xff\xfe",
    "disk.vmdk": b"KDMV" + bytes(1 << 16),
    "disk.vhdx": b"vhdxfile" + bytes(1 << 16),
    "acme": b'NAME="Acme Linux"\nID=acme\nID_LIKE="rhel fedora"\n',
    "taken": b'NAME="Auto"\nID=all\nID_LIKE="rhel fedora"\n',
    "vms.csv": b"name\nvm1\n",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an ISO, a rebuilt tree and files of the wrong kind."""
    directory = tmp_path_factory.mktemp("inputs")
    write_sample(directory / "base.iso")
    made = program.run("rebuild", "base.iso", "-d", "rocky", "--output-tree", "tree", cwd=directory)
    assert made.returncode == 0, made.stderr
    (directory / "empty").mkdir()
    for name, content in INPUTS.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.mark.parametrize(
    ("code", "exit_code", "command"),
    [
        ("each-without-directory", 2, "rebuild base.iso -d rocky --each -o x.iso"),
        ("no-image-file", 2, "rebuild base.iso -d rocky --output-tree x --provenance"),
        ("needs-plan", 2, "identity check base.iso -o x"),
        ("no-identity", 3, "identity check empty"),
        ("no-stream", 2, "inspect -"),
        ("no-stream", 2, "verify base.iso --base -"),
        ("no-stream", 2, "diff base.iso -"),
        ("no-stream", 2, "inject - --inventory vms.csv --output-dir x"),
        ("no-stream", 2, "rebuild - -d rocky -o x"),
        ("no-report", 2, "support base.iso --report-lines installer/linux/src/a.py"),
        ("not-of-installer", 2, "support base.iso --report x --report-lines config/a"),
        ("no-template", 2, "render"),
        ("template-file", 3, "render ./bytes.j2 -o x"),
        ("no-such-entry", 3, "extract base.iso installer/absent -o x"),
        ("no-base", 2, "verify tree"),
        ("rebuild-schema", 3, "verify tree --base base.iso --document other.json"),
        ("not-prom", 2, "identity check base.iso --metrics x.txt"),
        ("hook-variables", 2, "packer hook"),
        ("shard", 2, "inject base.iso --inventory vms.csv --output-dir x --shard 0/3"),
        ("vmdk", 3, "inspect disk.vmdk"),
        ("vhdx", 3, "inspect disk.vhdx"),
        ("profile-suffix", 2, "profile new --os-release acme --python 3.9 -o x.txt"),
        ("profile-id-taken", 2, "profile new --os-release taken --python 3.9 -o empty"),
    ],
)
def test_a_code_comes_with_its_command_and_nothing_is_written(
    inputs: Path, code: str, exit_code: int, command: str
) -> None:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")}
    ran = program.run(*command.split(), "--json", cwd=inputs, env=variables)
    told = json.loads(ran.stdout)
    assert (told["error"]["code"], ran.returncode) == (code, exit_code), ran.stderr
    groups = ("identity", "packer", "profile", "check", "hook", "new")
    words = [word for word in command.split() if word in groups]
    assert told["schema"] == f"ngtpatch.{'-'.join(words) or command.split(maxsplit=1)[0]}/1"
    there = {path.name for path in inputs.iterdir()}
    assert there == {*INPUTS, "base.iso", "tree", "empty"}


def shell(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"PYTHON={sys.executable}; {script}"],
        cwd=directory, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_directory_that_is_no_disc_is_not_listed_without_an_end(tmp_path: Path) -> None:
    for number in range(MOST_ENTRIES + 1):
        os.mknod(tmp_path / f"{number}")
    ran = program.run("ls", tmp_path, "--json")
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (3, "too-many-entries")


def test_what_the_system_refuses_besides_is_told_in_its_words(inputs: Path) -> None:
    """The limit of open files is met in another place with each limit, by imports, too."""
    codes = set()
    for most in range(5, 9):
        for words in ("diff base.iso base.iso", "rebuild base.iso -d rocky -n"):
            ran = shell(f"ulimit -n {most}; $PYTHON -m ngtpatch {words} --json", inputs)
            assert "Traceback" not in ran.stderr
            codes.add(json.loads(printed(ran.stdout)).get("error", {}).get("code"))
    assert "os-error" in codes


def test_an_installation_without_its_data_says_so(tmp_path: Path) -> None:
    shutil.copytree(Path(ngtpatch.__file__).parent, tmp_path / "ngtpatch")
    ran = shell("$PYTHON -m ngtpatch profile list --json", tmp_path)
    told = json.loads(printed(ran.stdout))["error"]
    assert (ran.returncode, told["code"], told["path"]) == (
        1, "installation", str(tmp_path / "ngtpatch"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        "extract base.iso config/ngt_config.json",
        "rebuild base.iso -d rocky -o -",
        "render guest-install.sh",
        "schema verify",
        "completion bash",
        "profile new --os-release acme --python 3.9 -o -",
    ],
)
def test_no_stdout_is_no_place_for_a_file(inputs: Path, command: str) -> None:
    """The document with its code, ``no-stdout``, has nowhere to go, either."""
    json_ = "" if command.startswith(("render", "profile")) else "--json"  # it has a place there
    ran = shell(f"$PYTHON -m ngtpatch {command} {json_} >&-", inputs)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("ngtpatch: stdout is closed\n")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc with an empty config/, and a VM's three files for it."""
    root = tmp_path_factory.mktemp("bare")
    now = datetime.now(timezone.utc)
    nodes = disc(2, issue(now, seed=None, authority=False), payload=0, configured=0)
    for node in nodes:
        if node.path in VM_PATHS:
            assert isinstance(node, DiscFile)
            assert isinstance(node.content, bytes)
            (root / Path(node.path).name).write_bytes(node.content)
    kept = [node for node in nodes if node.path not in VM_PATHS]
    with (root / "bare.iso").open("w+b") as file:
        master(file, kept, volume_id=LABEL, created=0, trees=USUAL_TREES)
    return root


def test_a_disc_without_a_configuration_is_not_for_packer(bare: Path, tmp_path: Path) -> None:
    words = ("packer", "prepare", bare / "bare.iso", "-d", "rocky", "-o", "shared", "--json")
    ran = program.run(*words, cwd=tmp_path)
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (4, "no-config"), ran.stderr


def misnamed(image: bytearray, folder: int, root: int) -> None:
    """Give config/ another name in Joliet: nothing in it says which it is."""
    name = "config".encode("utf-16-be")
    at = image.index(name, root)
    assert at < root + 2048
    image[at : at + len(name)] = "confix".encode("utf-16-be")


def turned(image: bytearray, folder: int, root: int) -> None:
    """Let config/ begin with the directory above it."""
    second = folder + image[folder]
    image[folder + 33], image[second + 33] = image[second + 33], image[folder + 33]


@pytest.mark.parametrize(
    ("damage", "code"), [(misnamed, "ambiguous-directory"), (turned, "damaged-directory")]
)
def test_a_directory_that_nothing_can_be_added_to_is_refused(
    bare: Path, tmp_path: Path, damage: object, code: str
) -> None:
    image = bytearray((bare / "bare.iso").read_bytes())
    with Volume.open(bare / "bare.iso") as volume:
        extents = volume.records["joliet"].extent_of
    assert callable(damage)
    damage(image, extents["config"] * 2048, extents[""] * 2048)
    (tmp_path / "bent.iso").write_bytes(image)
    files = [("--config", "ngt_config.json"), ("--cert", "client-cert.pem")]
    files += [("--key", "client-key.pem")]
    words = [word for option, name in files for word in (option, bare / name)]
    ran = program.run("rebuild", "bent.iso", *words, "-o", "o.iso", "--json", cwd=tmp_path)
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (4, code), ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bent.iso"]


AS_NOBODY = """
import ctypes, os, sys
from ngtpatch.cli.app import app
words = ["packer", "prepare", "base.iso", "-d", "rocky", "--json"]
try:
    app([*words, "-o", "first", "--variables", "first.json"])  # so that all of it is imported
except SystemExit as ended:
    assert not ended.code
# Another user, who may read what root may: wherever the checkout lies.
libc = ctypes.CDLL(None)
assert libc.prctl(8, 1, 0, 0, 0) == 0  # PR_SET_KEEPCAPS
os.setgid(65534), os.setuid(65534)
head, sets = (ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)(4, 4, 0, 0, 0, 0)
assert libc.capset(head, sets) == 0  # CAP_DAC_READ_SEARCH alone
sys.stdout.flush(), os.dup2(os.open("document", os.O_WRONLY | os.O_CREAT), 1)
app([*words, "-o", "shared", "--variables", "shared/second.json"])
"""


def test_an_iso_of_another_user_is_not_replaced(inputs: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root", "a second user is needed")
    for folder in tmp_path.parents:
        if folder != Path("/") and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    tmp_path.chmod(0o777)
    shutil.copy(inputs / "base.iso", tmp_path)
    (tmp_path / "base.iso").chmod(0o644)
    words = ["packer", "prepare", "base.iso", "-d", "rocky", "-o", "shared", "--json"]
    there = program.run(*words, cwd=tmp_path)
    name = json.loads(there.stdout)["iso_name"]
    for path in (tmp_path / "shared").iterdir():
        path.unlink()
    (tmp_path / "shared" / name).write_bytes(b"mine")
    (tmp_path / "shared").chmod(0o1777)
    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = json.loads(printed((tmp_path / "document").read_text()))["error"]
    assert (ran.returncode, told["code"]) == (1, "not-permitted"), ran.stderr
    assert (tmp_path / "shared" / name).read_bytes() == b"mine"


def test_a_directory_that_cannot_be_looked_at_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    ran = program.run("profile", "list", "--profiles", "loop", "--json", cwd=tmp_path)
    told = json.loads(ran.stdout)["error"]
    assert (ran.returncode, told["code"]) == (3, "unreadable")


def test_a_prism_central_that_is_not_there(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    login = {"NGTPATCH_PRISM_USERNAME": "nobody", "NGTPATCH_PRISM_PASSWORD": "x"}
    words = ("status", "--prism", f"127.0.0.1:{port}", "--timeout", 2, "--json")
    ran = program.run(*words, cwd=tmp_path, env={**os.environ, **login})
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (7, "unreachable")


def test_a_defect_is_one_document_too(inputs: Path) -> None:
    script = (
        "import sys, ngtpatch.flow.inspect as room\n"
        "def inspect(*_): raise ZeroDivisionError('of a library')\n"
        "room.inspect = inspect\n"
        "from ngtpatch.cli.app import app; app(['inspect', 'base.iso', '--json'])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=inputs, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, json.loads(printed(ran.stdout))["error"]["code"]) == (1, "unexpected")
    assert "Traceback" not in ran.stderr


WHILE_AN_HOUR_GOES_BY = """
import itertools, ngtpatch.files.locked as room
room.monotonic = itertools.count(step=1200).__next__
from ngtpatch.cli.app import app
app()
"""


def test_a_build_that_holds_its_output_for_an_hour(inputs: Path, tmp_path: Path) -> None:
    shutil.copy(inputs / "base.iso", tmp_path)
    words = ["packer", "prepare", "base.iso", "-d", "rocky", "-o", "made", "--json"]
    assert program.run(*words, cwd=tmp_path).returncode == 0
    [lock] = (tmp_path / "made").glob(".ngtpatch-*.lock")
    with locked(lock, wait=0):
        ran = subprocess.run(
            [sys.executable, "-c", WHILE_AN_HOUR_GOES_BY, *words],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (ran.returncode, json.loads(printed(ran.stdout))["error"]["code"]) == (1, "locked"), (
        ran.stderr
    )


LACKING = "import sys; sys.modules[{!r}] = None; from ngtpatch.cli.app import app; app()"


def test_provenance_without_its_extra_is_refused_before_anything(inputs: Path) -> None:
    words = ["rebuild", "base.iso", "-d", "rocky", "-o", "x.iso", "--provenance", "--json"]
    ran = subprocess.run(
        [sys.executable, "-c", LACKING.format("cyclonedx"), *words],
        cwd=inputs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, json.loads(printed(ran.stdout))["error"]["code"]) == (
        2,
        "extra-missing",
    )
    assert not (inputs / "x.iso").exists()


def test_a_ledger_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    made.out.mkdir()
    (tmp_path / "theirs").write_text("")
    (made.out / "ledger.jsonl").symlink_to(tmp_path / "theirs")
    for more in ("--resume", "--dry-run"):
        ran = made.inject("--json", more)
        assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (3, "unsafe-ledger")
    assert (tmp_path / "theirs").read_bytes() == b""
