# SPDX-License-Identifier: Apache-2.0
"""Bad input: one message that names the file, a distinct exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pycdlib
import pytest

from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.sample import write_sample
from tests.flow.conftest import Pairs, Ran, run
from tests.requirements import missing

FACTORY = "installer/linux/src/installer_factory.py"

CHAIN = """\
import distro
def get_linux_installer():
  distribution = distro.linux_distribution()[0].lower()
  if "centos" in distribution or "red hat" in distribution:
    from redhat_installer import RedhatInstaller as LinuxInstaller
  elif "ubuntu" in distribution:
    from ubuntu_installer import UbuntuInstaller as LinuxInstaller
  else:
    raise SystemExit(1)
  return LinuxInstaller
"""
FACTORIES = {
    "anchor-missing": "def get_linux_installer():\n  raise SystemExit(1)\n",
    "anchor-ambiguous": CHAIN + CHAIN.replace("get_linux_installer", "get_other_installer"),
    "shape": CHAIN.replace(
        '"centos" in distribution or "red hat" in distribution',
        "is_like_red_hat(distribution)",
    ),
    "unparsable": CHAIN.replace("raise SystemExit(1)", 'print "Unsupported" distribution'),
}


def with_factory(base: Path, text: str, target: Path) -> Path:
    with Volume.open(base) as volume:
        write_file(edit(volume, replace={FACTORY: text.encode()}).overlay(), target)
    return target


def refused(ran: Ran, code: int, word: str, path: Path | str) -> None:
    """The process failed with one document and one message, which names the file."""
    assert ran.code == code, ran.err
    error = ran.document["error"]
    assert error["code"] == word, error
    assert ran.document["schema"] == "ngtpatch.rebuild/1"
    assert str(path) in (error["path"] or "") + error["message"]
    first = ran.err.splitlines()[0]
    assert first.startswith("ngtpatch: ")
    assert error["message"].splitlines()[0] in first


def rebuild(iso: Path, output: Path, *more: str) -> Ran:
    return run("--json", "rebuild", iso, "--distro", "rocky", "-o", output, *more)


@pytest.fixture
def base(pairs: Pairs) -> Path:
    return pairs(2).base


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Path]:
    """Where to write; whatever was refused must have left nothing there."""
    directory = tmp_path / "outputs"
    directory.mkdir()
    yield directory / "out.iso"
    assert list(directory.iterdir()) == []


def test_not_an_iso(tmp_path: Path, output: Path) -> None:
    for name, data in (("text.iso", b"hello"), ("zeros.iso", bytes(100_000)), ("empty.iso", b"")):
        (tmp_path / name).write_bytes(data)
        refused(rebuild(tmp_path / name, output), 3, "not-iso", tmp_path / name)
    refused(rebuild(tmp_path / "absent.iso", output), 3, "not-found", tmp_path / "absent.iso")
    refused(rebuild(tmp_path, output), 3, "no-installer", tmp_path)


def test_truncated(base: Path, tmp_path: Path, output: Path) -> None:
    short = tmp_path / "short.iso"
    short.write_bytes(base.read_bytes()[:-2048])
    refused(rebuild(short, output), 3, "truncated", short)


def test_an_iso_without_the_installer(tmp_path: Path, output: Path) -> None:
    other = tmp_path / "other.iso"
    image = pycdlib.PyCdlib()
    image.new(joliet=3, rock_ridge="1.09", vol_ident="OTHER")
    image.write(str(other))
    image.close()
    refused(rebuild(other, output), 3, "no-installer", other)


@pytest.mark.parametrize("code", FACTORIES)
def test_a_factory_that_is_not_understood(
    base: Path, tmp_path: Path, output: Path, code: str
) -> None:
    odd = with_factory(base, FACTORIES[code], tmp_path / "odd.iso")
    refused(rebuild(odd, output), 4, code, FACTORY)


def test_an_unknown_distribution(base: Path, output: Path) -> None:
    ran = run("--json", "rebuild", base, "--distro", "rokcy", "-o", output)
    refused(ran, 4, "unknown-profile", "rokcy")
    assert "rocky" in ran.document["error"]["hint"]


def test_an_output_that_cannot_be(base: Path, tmp_path: Path) -> None:
    existing = tmp_path / "existing.iso"
    existing.write_bytes(b"mine")
    refused(rebuild(base, existing), 2, "output-exists", existing)
    assert existing.read_bytes() == b"mine"
    nowhere = tmp_path / "no" / "out.iso"
    refused(rebuild(base, nowhere), 2, "no-such-directory", nowhere)
    before = base.read_bytes()
    refused(rebuild(base, base, "--force"), 2, "same-file", base)
    assert base.read_bytes() == before
    assert rebuild(base, existing, "--force").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("rebuild", "{base}", "--distro", "rocky", "-o", "https://example.com/out.iso"),
        ("rebuild", "{base}", "--distro", "rocky", "--output-tree", "S3://bucket/tree"),
        ("rebuild", "{base}", "--distro", "rocky", "--each", "--output-dir", "https://example.com"),
        ("packer", "prepare", "{base}", "--distro", "rocky", "-o", "https://example.com/isos"),
        ("packer", "prepare", "{base}", "--distro", "rocky", "-o", "https://example.com/a.iso"),
        ("sample", "-o", "https://example.com/sample.iso"),
    ],
)
def test_an_address_is_no_place_for_an_output(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run(*(one.format(base=base) for one in arguments))
    assert answer.code == 2
    assert "is an address, and only files are written here" in answer.err
    assert "does not exist" not in answer.err
    assert list(tmp_path.iterdir()) == [], "no directory is made that is called like an address"


def test_a_tree_is_made_with_the_directories_above_it(base: Path, tmp_path: Path) -> None:
    tree = tmp_path / "no" / "tree"
    assert run("rebuild", base, "--distro", "rocky", "--output-tree", tree).code == 0
    assert (tree / "installer/linux/src/installer_factory.py").is_file()
    (tmp_path / "file").touch()
    answer = run("rebuild", base, "--distro", "rocky", "--output-tree", tmp_path / "file" / "tree")
    assert answer.code == 2
    assert f"{tmp_path / 'file'}: is not a directory" in answer.err


def test_a_tree_that_is_there_already_is_kept(base: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "mine").touch()
    ran = run("--json", "rebuild", base, "-d", "rocky", "--output-tree", tree)
    assert (ran.code, ran.document["error"]["code"]) == (2, "output-exists")
    assert [path.name for path in tree.iterdir()] == ["mine"]
    ran = run("--json", "rebuild", base, "-d", "rocky", "--output-tree", tree, "-o", tree / "o")
    assert (ran.code, ran.document["error"]["code"]) == (2, "two-outputs")


def test_no_distribution_and_no_output(base: Path, output: Path) -> None:
    assert run("--json", "rebuild", base, "-o", output).document["error"]["code"] == "no-distro"
    ran = run("--json", "rebuild", base, "-d", "rocky")
    assert (ran.code, ran.document["error"]["code"]) == (2, "no-output")


def test_a_terminal_is_no_place_for_an_image(base: Path) -> None:
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    command = [sys.executable, "-m", "ngtpatch", "rebuild", base, "-d", "rocky", "-o", "-"]
    ran = subprocess.run(
        [sys.executable, "-c", script, *map(str, command)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "terminal" in ran.stdout


def test_a_full_disk_while_streaming(base: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "ngtpatch", "rebuild", base, "-d", "rocky", "-o", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 8
    assert "full" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_full_disk_leaves_nothing(base: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root", "a small file system is mounted for this test")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=True)
    try:
        ran = rebuild(base, small / "out.iso")
        assert (ran.code, ran.document["error"]["code"]) == (8, "disk-full")
        assert str(small / "out.iso") in ran.err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


# A shell's background job ignores SIGINT, and so would what these tests start from there.
HEEDS_SIGINT = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from ngtpatch.cli import main; main()"
)


def is_writing(pid: int, directory: Path) -> bool:
    """Whether a process has a file in *directory* open; it may have no name."""
    opened = []
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            opened.append(str(link.readlink()))
    return any(name.startswith(f"{directory}/") for name in opened)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    base, directory = tmp_path / "base.iso", tmp_path / "outputs"
    directory.mkdir()
    target = directory / "out.iso"
    target.write_bytes(b"mine")
    write_sample(base, payload=400 << 20)
    command = ["rebuild", str(base), "-d", "rocky", "-o", str(target), "-f"]
    for _ in range(5):  # on a busy machine the run can be over before its file is seen
        process = subprocess.Popen(
            [sys.executable, "-c", HEEDS_SIGINT, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not is_writing(process.pid, directory) and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        if "interrupted" in err:
            break
        target.write_bytes(b"mine")
    base.unlink()
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert target.read_bytes() == b"mine"
    assert list(directory.iterdir()) == [target]


def test_a_name_that_no_file_can_have_is_wrong_usage(base: Path, tmp_path: Path) -> None:
    ran = run("--json", "render", "x" * 300)
    assert (ran.code, ran.document["error"]["code"]) == (2, "name-too-long")
    assert run("rebuild", base, "-d", "rocky", "-o", tmp_path / ("x" * 300)).code == 2


def test_an_error_is_one_message_without_json(base: Path, tmp_path: Path) -> None:
    ran = run("rebuild", tmp_path / "absent.iso", "-d", "rocky", "-o", tmp_path / "out.iso")
    assert ran.out == ""
    assert ran.err.startswith(f"ngtpatch: {tmp_path / 'absent.iso'}: ")
    assert len(ran.err.splitlines()) <= 2


def test_broken_settings_are_refused_before_anything_is_read(base: Path, tmp_path: Path) -> None:
    (tmp_path / "rocky.toml").write_text("surprise = 1\n")
    ran = run(
        "--json", "rebuild", base, "-d", "rocky", "-o", tmp_path / "o", "--profiles", tmp_path
    )
    assert ran.code == 3
    assert "rocky.toml" in json.dumps(ran.document["error"])


def test_an_image_whose_files_overlap_is_not_edited(
    base: Path, tmp_path: Path, output: Path
) -> None:
    """A file that reaches over directories, which an edit would rewrite under it."""
    data = bytearray(base.read_bytes())
    with Volume.open(base) as volume:
        node = volume.records["iso9660"].nodes["SETUP.EXE"]
        record = node.records[0].offset
        root = volume.descriptors.primary.root.extent
    # ECMA-119 9.1.3, 9.1.4: extent and data length, in both byte orders.
    for at, value in ((2, root), (10, 2048 * 30)):
        data[record + at : record + at + 8] = value.to_bytes(4, "little") + value.to_bytes(4, "big")
    odd = tmp_path / "overlap.iso"
    odd.write_bytes(data)
    refused(rebuild(odd, output), 3, "hostile", odd)


def test_the_vendor_s_own_faults_are_told_from_new_ones(base: Path, tmp_path: Path) -> None:
    odd, rebuilt = tmp_path / "odd.iso", tmp_path / "rebuilt.iso"
    data = bytearray(base.read_bytes())
    with Volume.open(base) as volume:
        tables = volume.descriptors.primary.path_tables
    # The third row's parent (ECMA-119 9.4.4), in the tables of both byte orders alike: its place
    # follows the root's row of ten bytes, and one whose identifier's length comes first.
    for start, low in ((tables[0] * 2048, 6), (tables[2] * 2048, 7)):
        second = start + 10
        length = data[second]
        data[second + 8 + length + length % 2 + low] ^= 3
    odd.write_bytes(data)
    assert run("verify", odd).code == 5
    assert rebuild(odd, rebuilt).code == 0
    for arguments in ((rebuilt,), (rebuilt, "--base", odd)):
        ran = run("--json", "verify", *arguments)
        assert ran.code == 0, ran.out
        assert ran.document["problems"]
        assert not any(problem["counts"] for problem in ran.document["problems"])
