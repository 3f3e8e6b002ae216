# SPDX-License-Identifier: Apache-2.0
"""What a killed run leaves: nothing, or what the next run removes; never a live run's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ngtpatch.files.atomic import new_file
from ngtpatch.files.temporaries import named, named_directory, remove_abandoned, sweep
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample

# A file system that has no files without a name, as NFS and FAT are.
NO_TMPFILE = "import os; del os.O_TMPFILE; "
RUN = "from ngtpatch.cli import main; main()"


@pytest.fixture(params=["unnamed", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE")
    return str(request.param)


@pytest.mark.parametrize("force", [False, True])
def test_a_file_has_no_name_while_it_is_written(tmp_path: Path, way: str, force: bool) -> None:
    target = tmp_path / "out"
    if force:
        target.write_bytes(b"old")
    with new_file(target, force=force, mode=0o600) as file:
        file.write(b"secret")
        file.flush()
        others = [name for name in os.listdir(tmp_path) if name != "out"]
        assert len(others) == (way == "named")
        assert Path(file.name).read_bytes() == b"secret"
    assert os.listdir(tmp_path) == ["out"]
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"secret", 0o600)


def test_a_live_run_s_file_is_never_swept(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out"
    with named(target, 0o600) as (path, _), named(target, 0o600) as (second, _):
        assert path != second
        sweep(target)
        with new_file(target) as file:
            file.write(b"mine")
        assert path.exists()
        assert second.exists()
    assert os.listdir(tmp_path) == ["out"]


def test_what_nobody_holds_is_removed_by_the_next_run(tmp_path: Path, way: str) -> None:
    target, folder = tmp_path / "out", tmp_path / "tree"
    with named(target, 0o600) as (path, _), named_directory(folder) as inner:
        file, directory = path, inner
    file.write_bytes(b"half")
    (directory / "config").mkdir(parents=True)
    (directory / "config/client-key.pem").write_bytes(b"half")
    with new_file(target):
        pass
    sweep(folder)
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"kept")
    with named(tmp_path / "out", 0o600) as (path, _):
        pass
    path.symlink_to(elsewhere)
    assert not remove_abandoned(path)
    assert path.is_symlink()
    path.unlink()
    os.mkfifo(path)
    assert not remove_abandoned(path)
    path.unlink()
    path.write_bytes(b"another user's")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert not remove_abandoned(path)
    assert (path.read_bytes(), elsewhere.read_bytes()) == (b"another user's", b"kept")


def test_a_name_of_255_bytes_in_another_script(tmp_path: Path, way: str) -> None:
    target = tmp_path / ("ж" * 127 + "x")
    for _ in range(2):
        with new_file(target, force=True) as file:
            file.write(b"x")
    assert target.read_bytes() == b"x"


def test_a_target_that_appears_is_kept_and_two_writers_never_mix(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out"
    with new_file(target, force=True) as first, new_file(target, force=True) as second:
        first.write(b"1" * 1000)
        second.write(b"2" * 1000)
    assert target.read_bytes() in (b"1" * 1000, b"2" * 1000)
    assert os.listdir(tmp_path) == ["out"]


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("disc")
    write_sample(home / "ngt.iso", payload=24 << 20)
    with Volume.open(home / "ngt.iso") as volume:
        for path in (CONFIG, CERTIFICATE, KEY):
            (home / Path(path).name).write_bytes(volume.tree[path])
    command = [sys.executable, "-m", "ngtpatch", "-q", "rebuild", str(home / "ngt.iso")]
    command += ["-d", "rocky", "--output-tree", str(home / "tree")]
    subprocess.run(command, check=True)
    return home


def arguments(disc: Path, out: Path, command: str) -> list[str]:
    """A command that writes one VM's key below *out*."""
    identity = [
        "--config", str(disc / "ngt_config.json"), "--cert", str(disc / "client-cert.pem"),
        "--key", str(disc / "client-key.pem"),
    ]  # fmt: skip
    iso, tree, target = str(disc / "ngt.iso"), str(disc / "tree"), str(out / "vm.iso")
    return {
        "rebuild": ["rebuild", iso, "-d", "rocky", *identity, "-fo", target],
        "rebuild of a directory": ["rebuild", tree, "-d", "rocky", *identity, "-fo", target],
        "tree": ["rebuild", iso, "-d", "rocky", *identity, "-f", "--output-tree", str(out / "vm")],
        "prepare": [
            "packer", "prepare", iso, "-d", "rocky", "-o", str(out), "--vm-config", str(disc),
            "--variables", str(out / "variables.json"),
        ],
    }[command]  # fmt: skip


def is_writing(pid: int, out: Path) -> bool:
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            name = str(link.readlink())
        except OSError:
            continue
        if name.startswith(f"{out}/") and "lock" not in name:
            return True
    return False


def holders(out: Path, key: bytes) -> set[str]:
    """The files below *out*, but for whole outputs, that hold the key."""
    line = key.splitlines()[5]
    whole = {"vm.iso", "client-key.pem"}
    return {
        str(path.relative_to(out))
        for path in out.rglob("*")
        if path.is_file() and line in path.read_bytes() and not (path.name in whole
        and not any(part.startswith(".") for part in path.relative_to(out).parts))
        and not path.name.startswith("ngt-")
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["", NO_TMPFILE], ids=["unnamed", "named"])
@pytest.mark.parametrize("command", ["rebuild", "rebuild of a directory", "tree", "prepare"])
def test_killed_at_a_random_moment(disc: Path, tmp_path: Path, command: str, prefix: str) -> None:
    """SIGKILL: no file with a name holds the key, or the next run removes it."""
    chance = random.Random(f"{command}{prefix}")  # noqa: S311 - no secret
    key = (disc / "client-key.pem").read_bytes()
    line = [sys.executable, "-c", prefix + RUN, *arguments(disc, tmp_path, command)]
    kills = 0
    for _ in range(3):
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not is_writing(process.pid, tmp_path) and process.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.06))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
        if not prefix and command.startswith("rebuild"):
            assert holders(tmp_path, key) == set()
    assert kills
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert holders(tmp_path, key) == set()
    assert [name for name in os.listdir(tmp_path) if name.endswith((".tmp", ".old"))] == []


def test_a_tree_is_given_back_that_a_killed_run_had_moved_away(disc: Path, tmp_path: Path) -> None:
    from ngtpatch.iso.write.unpack import write_tree

    target = tmp_path / "tree"
    with Volume.open(disc / "ngt.iso") as volume:
        write_tree(volume, target)
        (target / "mine").write_text("kept")
        target.rename(tmp_path / ".tree.old")  # what is there between the two renames
        with pytest.raises(Exception, match="exists already"):
            write_tree(volume, target)
        assert (target / "mine").read_text() == "kept"
        write_tree(volume, target, force=True)
    assert not (target / "mine").exists()
    assert os.listdir(tmp_path) == ["tree"]


def test_names_that_another_user_took_hide_none_of_ours(tmp_path: Path) -> None:
    """A killed run had to take a later name; the next run goes on to it."""
    target = tmp_path / "out"
    for number in range(6):
        (tmp_path / f".out.{number:012x}.tmp").symlink_to("/nowhere")
    with named(target, 0o600) as (mine, _):
        pass
    mine.write_bytes(b"half a key")
    with new_file(target):
        pass
    assert not mine.exists()
    assert len(os.listdir(tmp_path)) == 7
