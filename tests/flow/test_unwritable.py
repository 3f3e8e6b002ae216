# SPDX-License-Identifier: Apache-2.0
"""A full, read-only or forbidden place is exit 8 in every command, and the message names it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.park import park
from tests.flow.conftest import run
from tests.requirements import missing


class Place:
    """A small file system, and inputs for every command beside it."""

    def __init__(self, root: Path) -> None:
        self.disk = root / "disk"
        self.disk.mkdir()
        self.fleet = park(root / "park", 2)
        self.base = self.fleet.root / "base.iso"
        self.rebuilt, self.unpacked = root / "rebuilt.iso", root / "unpacked"
        self.profile = root / "os-release"
        self.profile.write_text('NAME="Acme Linux"\nID=acme\nPLATFORM_ID="platform:el9"\n')
        assert run("rebuild", self.base, "-d", "rocky", "-o", self.rebuilt).code == 0
        unpack = ("rebuild", self.base, "-d", "rocky", "--output-tree", self.unpacked)
        assert run(*unpack).code == 0
        assert self.fleet.inject().returncode == 0
        self.ledger = self.fleet.out / "ledger.jsonl"

    def commands(self) -> dict[str, list[str | Path]]:
        out = self.disk / "out"
        inventory = ("--inventory", self.fleet.root / "vms.csv")
        certificates = ("--certificates", self.fleet.root / "certificates")
        return {
            "rebuild": ["rebuild", self.base, "-d", "rocky", "-o", out],
            "tree": ["rebuild", self.base, "-d", "rocky", "--output-tree", out],
            "directory": ["rebuild", self.unpacked, "-d", "rocky", "-o", out],
            "strip": ["identity", "strip", self.base, "-o", out],
            "reset": ["reset", self.rebuilt, "-o", out],
            "extract": ["extract", self.base, "installer/linux/install_ngt.py", "-o", out],
            "inject": ["inject", self.base, *inventory, *certificates, "--output-dir", out],
            "prepare": [
                *("packer", "prepare", self.base, "-d", "rocky", "-o", self.disk),
                *("--variables", self.disk / "v.json"),
            ],
            "render": ["render", "guest-install.sh", "-o", out],
            "report": ["support", self.base, "--report", out],
            "page": ["report", self.ledger, "-o", out],
            "profile": [
                *("profile", "new", "--os-release", self.profile),
                *("-o", self.disk / "acme.toml"),
            ],
            "sample": ["sample", "-o", out],
            "plan": [
                *("identity", "check", self.fleet.root / "vms.csv", *certificates),
                *("--warn-days", "100000", "--plan", "-o", out),
            ],
        }


COMMANDS = (
    "rebuild", "tree", "directory", "strip", "reset", "extract", "inject", "prepare", "render",
    "report", "page", "profile", "sample", "plan",
)  # fmt: skip


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Place:
    if os.geteuid() != 0:
        missing("root", "small file systems are mounted for these tests")
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def place(ground: Place) -> Iterator[Place]:
    """A disk of 64 KiB for each test: what another one has left there would not let it shrink."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", ground.disk], check=True)
    yield ground
    subprocess.run(["umount", ground.disk], check=True)


def test_each_command_writes_there_when_it_can(place: Place) -> None:
    """Otherwise the refusals below would prove nothing about the disk."""
    assert set(place.commands()) == set(COMMANDS)
    subprocess.run(["mount", "-o", "remount,size=64m", place.disk], check=True)
    for command, words in place.commands().items():
        ran = run(*words)
        assert ran.code == (5 if command == "plan" else 0), (command, ran.err)
        subprocess.run(["find", place.disk, "-mindepth", "1", "-delete"], check=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(place: Place, command: str) -> None:
    ballast = place.disk / "ballast"
    fill = subprocess.run(
        ["dd", "if=/dev/zero", f"of={ballast}", "bs=4k"], capture_output=True, check=False
    )
    assert b"No space left" in fill.stderr
    ran = run("--json", *place.commands()[command])
    assert ran.code == 8, ran.err
    assert str(place.disk) in ran.err
    assert "full" in ran.err
    if command != "inject":  # whose failures are rows
        assert ran.document["error"]["code"] == "disk-full"
        # The directory only where the name in it is not known before the image is made.
        named = ran.document["error"]["path"]
        assert named.startswith(f"{place.disk}/") or command == "prepare", named
    ballast.unlink()
    left = [p for p in place.disk.rglob("*") if p.is_file() and ".ngtpatch" not in p.parts]
    assert [p for p in left if p.stat().st_size and p.name != "ledger.jsonl"] == []


@pytest.mark.parametrize("each", [False, True])
def test_an_image_and_its_documents_are_there_together_or_not_at_all(
    place: Place, each: bool
) -> None:
    """Whatever there is no more room for, the same command completes when there is."""
    distros = ("-d", "rocky,almalinux", "--each", "--output-dir", place.disk)
    more = distros if each else ("-d", "rocky", "-o", place.disk / "out.iso")
    words = ("rebuild", place.base, "--provenance", *more)
    ballast, others = place.disk / "ballast", place.disk / "SHA256SUMS"
    sums = f"{'0' * 64}  another.iso\n"
    subprocess.run(["mount", "-o", "remount,size=64m", place.disk], check=True)
    assert run(*words).code == 0
    images = [path for path in place.disk.iterdir() if path.suffix == ".iso"]
    written = {path.suffix: path.stat().st_blocks * 512 for path in place.disk.iterdir()}
    needed = sum(path.stat().st_blocks * 512 for path in place.disk.iterdir())
    subprocess.run(["find", place.disk, "-mindepth", "1", "-delete"], check=True)
    named = set()
    # No room for the sums, or for a document before them.
    for less in (0, written[""] + 4096):
        others.write_text(sums)
        free = os.statvfs(place.disk)
        spare = free.f_bavail * free.f_frsize - (needed - less)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, spare)
        ran = run("--json", *words)
        ballast.unlink()
        if ran.code:
            assert (ran.code, ran.document["error"]["code"]) == (8, "disk-full"), ran.err
            named.add(Path(ran.document["error"]["path"]).name.removesuffix(".iso"))
            assert [p.name for p in place.disk.iterdir() if p.name[0] != "."] == ["SHA256SUMS"]
            assert others.read_text() == sums
            assert run(*words).code == 0
        checked = subprocess.run(
            ["sha256sum", "-c", "--ignore-missing", "--quiet", "SHA256SUMS"], cwd=place.disk,
            check=False,
        )  # fmt: skip
        assert checked.returncode == 0
        assert others.read_text().count("\n") == 1 + 3 * len(images)
        subprocess.run(["find", place.disk, "-mindepth", "1", "-delete"], check=True)
    assert any("." in name for name in named), named


def test_packer_gets_no_variables_of_an_image_without_its_documents(
    place: Place, tmp_path: Path
) -> None:
    variables = tmp_path / "v.auto.pkrvars.json"
    words = ("packer", "prepare", place.base, "-d", "rocky", "-o", place.disk, "--provenance",
             "--variables", variables)  # fmt: skip
    subprocess.run(["mount", "-o", "remount,size=64m", place.disk], check=True)
    assert run(*words).code == 0
    variables.unlink()
    documents = [*place.disk.glob("*.iso.*"), place.disk / "SHA256SUMS"]
    for path in documents:
        path.unlink()
    free, ballast = os.statvfs(place.disk), place.disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    ran = run("--json", *words)
    assert (ran.code, ran.document["error"]["code"]) == (8, "disk-full"), ran.err
    assert not variables.exists()
    ballast.unlink()
    assert run(*words).code == 0
    assert variables.exists()
    assert all(path.exists() for path in documents)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_disk(place: Place, command: str) -> None:
    subprocess.run(["mount", "-o", "remount,ro", place.disk], check=True)
    ran = run("--json", *place.commands()[command])
    assert (ran.code, ran.document["error"]["code"]) == (8, "read-only"), ran.err
    assert str(place.disk) in ran.document["error"]["path"]
