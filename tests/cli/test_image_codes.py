# SPDX-License-Identifier: Apache-2.0
"""The error codes of images and directories whose form stands in the way, as a script gets them."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import program
from tests.iso.images import Zoo
from tests.iso.test_foreign_files import FOREIGN
from tests.iso.test_structure import Faulty, both, number
from tests.requirements import tool

FACTORY = "installer/linux/src/installer_factory.py"
LICENSE = "installer/linux/License.txt"
KEY = "config/client-key.pem"
REBUILD = "rebuild bent.iso -d rocky -o out.iso"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "ngt.iso"
    assert program.run("-q", "sample", "-o", path).returncode == 0
    return path


def error(command: str, directory: Path) -> tuple[int, str]:
    """Return exit code and error code of a command."""
    ran = program.run("--json", *command.split(), cwd=directory)
    assert "Traceback" not in ran.stderr
    return ran.returncode, json.loads(ran.stdout)["error"]["code"]


def interleaved(image: Faulty) -> None:
    image.put(image.record("rock_ridge", FACTORY) + 26, b"\x01\x01")


def attributed(image: Faulty) -> None:
    """Let one block in front of the file be its extended attributes (ECMA-119 9.1.2)."""
    for tree in ("rock_ridge", "joliet"):
        at = image.record(tree, FACTORY)
        image.put(at + 1, b"\x01" + both(number(image.data, at + 2) - 1))


def partitioned(image: Faulty) -> None:
    image.put(512, b"EFI PART")


def shared(image: Faulty) -> None:
    """Give the key a second name."""
    for tree in ("rock_ridge", "joliet"):
        mine, theirs = image.record(tree, LICENSE) + 2, image.record(tree, KEY) + 2
        image.put(mine, image.data[theirs : theirs + 16])


def hostile(image: Faulty) -> None:
    image.data = image.data.replace(b"setup.exe", b"set/p.exe")


def of_other_blocks(image: Faulty) -> None:
    image.put(16 * 2048 + 128, struct.pack("<H", 512) + struct.pack(">H", 512))


def contradicting(image: Faulty) -> None:
    image.put(image.record("joliet", "installer") + 2, both(1 << 30))


@pytest.mark.parametrize(
    ("fault", "command", "exit_code", "code"),
    [
        (interleaved, REBUILD, 4, "interleaved"),
        (attributed, REBUILD, 4, "extended-attributes"),
        (partitioned, REBUILD, 4, "hybrid-gpt"),
        (shared, f"identity strip bent.iso --allow-identity {LICENSE} -o out.iso", 4,
         "shared-extent"),
        (hostile, "inspect bent.iso", 3, "hostile-name"),
        (of_other_blocks, "inspect bent.iso", 3, "unsupported"),
        (contradicting, "inspect bent.iso", 3, "hostile"),
    ],
)  # fmt: skip
def test_an_image_of_a_form_that_is_not_edited(
    sample: Path, tmp_path: Path, fault: Callable[[Faulty], None], command: str, exit_code: int,
    code: str,
) -> None:  # fmt: skip
    image = Faulty(sample)
    fault(image)
    (tmp_path / "bent.iso").write_bytes(image.data)
    assert error(command, tmp_path) == (exit_code, code)
    assert [path.name for path in tmp_path.iterdir()] == ["bent.iso"]


def test_images_of_others(zoo: Zoo, sample: Path, tmp_path: Path) -> None:
    shutil.copy(zoo["zisofs"], tmp_path / "z.iso")
    assert error("inspect z.iso", tmp_path) == (3, "zisofs")
    FOREIGN["udf-only"][0](sample, tmp_path / "u.iso")
    assert error("inspect u.iso", tmp_path) == (3, "udf-only")
    assert error(f"ls {sample} --tree udf", tmp_path)[1] == "no-such-tree"


@pytest.fixture
def tree(sample: Path, tmp_path: Path) -> Path:
    made = program.run("rebuild", sample, "-d", "rocky", "--output-tree", tmp_path / "tree")
    assert made.returncode == 0
    return tmp_path / "tree"


def test_a_boot_image_that_would_change(tree: Path, tmp_path: Path) -> None:
    command = [tool("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "X"]
    boot = ["-b", FACTORY, "-no-emul-boot", "-boot-load-size", "1"]
    subprocess.run([*command, *boot, "-o", tmp_path / "bent.iso", tree], check=True)
    assert error("rebuild bent.iso -d almalinux -o out.iso", tmp_path) == (4, "boot-image")
    assert not (tmp_path / "out.iso").exists()


def test_a_second_file_system(tree: Path, tmp_path: Path) -> None:
    command = [tool("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-R", "-J", "-hfsplus"]
    subprocess.run([*command, "-V", "X", "-o", tmp_path / "bent.iso", tree], check=True)
    assert error("rebuild bent.iso -d almalinux -o out.iso", tmp_path) == (4, "unknown-tree")
    assert error("rebuild tree -d almalinux -o /dev/null -f", tmp_path)[1] == "not-a-file"
    assert not (tmp_path / "out.iso").exists()


def test_directories(tree: Path, tmp_path: Path) -> None:
    os.utime(tree / "setup.exe", (-(1 << 33), -(1 << 33)))
    assert error("rebuild tree -d almalinux -o out.iso", tmp_path)[1] == "no-such-date"
    (tree / "setup.exe").unlink()
    (tree / "setup.exe").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").touch()
    assert error("rebuild tree -d almalinux -o out.iso", tmp_path)[1] == "link"
    assert not (tmp_path / "out.iso").exists()


def test_a_disk_that_fails_in_place_and_once_more(sample: Path, tmp_path: Path) -> None:
    shutil.copy(sample, tmp_path / "ngt.iso")
    inject = ["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EIO:when=2+"]
    words = ["-m", "ngtpatch", "--json", "rebuild", "ngt.iso", "--in-place", "-d", "rocky"]
    ran = subprocess.run(
        [tool("strace", "strace"), "-f", "-qq", "-o", "/dev/null", *inject, sys.executable, *words],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, json.loads(ran.stdout)["error"]["code"]) == (8, "half-written")
    assert "it is neither old nor new" in ran.stderr
