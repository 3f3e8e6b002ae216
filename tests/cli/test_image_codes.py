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

from ngtpatch.iso.read.ecma167 import retag
from ngtpatch.iso.read.volume import Volume
from tests import program
from tests.iso.images import Zoo
from tests.iso.test_foreign_files import FOREIGN
from tests.iso.test_structure import Faulty, both, number
from tests.requirements import tool
from tests.told import printed

FACTORY = "installer/linux/src/installer_factory.py"
LICENSE = "installer/linux/License.txt"
KEY = "config/client-key.pem"
REBUILD = "rebuild bent.iso -d rocky -o out.iso"
SUSE = "installer/linux/src/suse_installer.py"
VM_FILES = {"--config": "ngt_config.json", "--cert": "client-cert.pem", "--key": "client-key.pem"}


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


def linked(image: Faulty) -> None:
    """Let two files of one directory be one in Joliet, neither called as the one that changes."""
    at = image.record("joliet", FACTORY)
    image.put(image.record("joliet", SUSE) + 2, image.data[at + 2 : at + 18])
    image.put(at + 33, "another_name_".encode("utf-16-be"))


@pytest.mark.parametrize(
    ("fault", "command", "exit_code", "code"),
    [
        (interleaved, REBUILD, 4, "interleaved"),
        (attributed, REBUILD, 4, "extended-attributes"),
        (partitioned, REBUILD, 4, "hybrid-gpt"),
        (shared, f"identity strip bent.iso --allow-identity {LICENSE} -o out.iso", 4,
         "shared-extent"),
        (linked, REBUILD, 4, "ambiguous-link"),
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


def test_two_names_of_one_file_in_udf(tmp_path: Path) -> None:
    assert program.run("-q", "sample", "--udf", "-o", "udf.iso", cwd=tmp_path).returncode == 0
    image, (folder, _, name) = Faulty(tmp_path / "udf.iso"), SUSE.rpartition("/")
    with Volume.open(tmp_path / "udf.iso") as volume:
        assert volume.udf is not None
        at = volume.udf.nodes[folder].entry.extents[0][0]
        identifiers = volume.udf.directories[folder].identifiers
    block = next(one.block for one in identifiers if one.name == Path(FACTORY).name)
    for one in identifiers:
        if one.name == name:
            raw = bytearray(one.raw)
            struct.pack_into("<I", raw, 24, block)
            image.put(at, retag(bytes(raw)))
        at += len(one.raw)
    (tmp_path / "bent.iso").write_bytes(image.data)
    assert error(REBUILD, tmp_path) == (4, "hard-link")
    assert not (tmp_path / "out.iso").exists()


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


def test_a_file_of_two_extents(tree: Path, tmp_path: Path) -> None:
    """Of two files whose records stand one behind the other the second is the first's rest."""
    factory, rest = tree / FACTORY, f"{FACTORY[:-1]}z"
    text = factory.read_text()
    factory.write_text(f"{text}{'#' * (-len(text) % 2048)}")
    (tree / rest).write_text("\n# The rest.\n")
    command = [tool("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "X"]
    made = ["-iso-level", "3", "-o", str(tmp_path / "two.iso")]
    subprocess.run([*command, *made, tree], check=True)
    image = Faulty(tmp_path / "two.iso")
    for of_tree in ("rock_ridge", "joliet"):
        first, second = (image.record(of_tree, path) for path in (FACTORY, rest))
        assert second == first + image.data[first]
        image.put(first + 25, bytes([image.data[first + 25] | 0x80]))
        record = bytes(image.data[second : second + image.data[second]])
        for coded in ("latin-1", "utf-16-be"):
            for old, new in ((".pz", ".py"), (".PZ", ".PY")):
                record = record.replace(old.encode(coded), new.encode(coded))
        image.put(second, record)
    (tmp_path / "bent.iso").write_bytes(image.data)
    assert error("rebuild bent.iso -d almalinux -o out.iso", tmp_path) == (4, "multi-extent")
    assert not (tmp_path / "out.iso").exists()


def test_a_name_that_the_only_tree_cannot_record(tree: Path, tmp_path: Path) -> None:
    """Nothing on the disc has a hyphen: it is not known whether a name may have one."""
    for name in VM_FILES.values():
        (tree / "config" / name).rename(tmp_path / name)
    (tree / "installer/linux/LICENSE").unlink()
    command = [tool("genisoimage", "genisoimage"), "-quiet", "-iso-level", "4", "-V", "X"]
    subprocess.run([*command, "-o", tmp_path / "bent.iso", tree], check=True, capture_output=True)
    words = " ".join(f"{option} {name}" for option, name in VM_FILES.items())
    assert error(f"rebuild bent.iso {words} -o out.iso", tmp_path) == (4, "bad-name")
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
    assert (ran.returncode, json.loads(printed(ran.stdout))["error"]["code"]) == (8, "half-written")
    assert "it is neither old nor new" in ran.stderr


OF_A_LYING_DISK = """
import os
keep, right, wrong = os.pwrite, b'"rocky linux"', b'"rocky linus"'
os.pwrite = lambda to, data, at: keep(to, bytes(data).replace(right, wrong), at)
from ngtpatch.cli.app import app
app()
"""


def test_a_disk_that_keeps_another_letter_than_it_was_given(sample: Path, tmp_path: Path) -> None:
    words = ["--json", "rebuild", str(sample), "-d", "rocky", "-o", "out.iso"]
    ran = subprocess.run(
        [sys.executable, "-c", OF_A_LYING_DISK, *words],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, json.loads(printed(ran.stdout))["error"]["code"]) == (5, "read-back")
    assert list(tmp_path.iterdir()) == []
