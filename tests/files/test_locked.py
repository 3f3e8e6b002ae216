# SPDX-License-Identifier: Apache-2.0
"""A lock truncates, creates and follows nothing, whoever can write beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.errors import NgtpatchError
from ngtpatch.files.locked import StillHeldError, locked
from tests.requirements import missing


def test_it_excludes_another_process_and_stays_empty(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    program = (
        "import sys; from pathlib import Path; from ngtpatch.files.locked import locked\n"
        "with locked(Path(sys.argv[1]), wait=0): print('held')\n"
    )
    command = [sys.executable, "-c", program, str(lock)]
    with locked(lock, wait=0):
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "held" not in other.stdout
        assert "StillHeldError" in other.stderr
        with pytest.raises(StillHeldError), locked(lock, wait=0):
            pass
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "held\n"
    assert lock.read_bytes() == b""


@pytest.mark.parametrize(
    "kind",
    [
        *("link", "dangling", "second name", "pipe", "directory", "content"),
        *("link to an empty file", "second name of an empty file"),
    ],
)
def test_what_is_no_lock_is_refused_by_name_and_kept(tmp_path: Path, kind: str) -> None:
    lock, victim = tmp_path / "a.lock", tmp_path / "victim"
    precious = b"" if "empty" in kind else b"precious"
    victim.write_bytes(precious)
    if kind.startswith("link"):
        lock.symlink_to(victim)
    elif kind == "dangling":
        lock.symlink_to(tmp_path / "new")
    elif kind.startswith("second name"):
        lock.hardlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(lock)
    elif kind == "directory":
        lock.mkdir()
    else:
        lock.write_bytes(b"precious")
    with pytest.raises(NgtpatchError) as refused, locked(lock, wait=0):
        pass
    assert (refused.value.code, refused.value.path) == ("unsafe-lock", str(lock))
    assert victim.read_bytes() == precious
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("bits", [0o700, 0o2775, 0o1777])
def test_who_may_write_to_the_directory_may_lock(tmp_path: Path, bits: int) -> None:
    tmp_path.chmod(bits)
    before = os.umask(0o077)
    try:
        with locked(tmp_path / "a.lock", wait=0):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.lock").stat().st_mode & 0o777 == 0o600 | (bits & 0o066)


def test_another_user_s_lock_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root", "a second user is needed")
    tmp_path.chmod(0o1777)
    for folder in tmp_path.parents:
        if folder != Path("/") and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)
    lock = tmp_path / "a.lock"
    lock.touch(mode=0o600)
    program = (
        "import os, sys; from pathlib import Path; from ngtpatch.files.locked import locked\n"
        "from ngtpatch.errors import NgtpatchError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    with locked(Path(sys.argv[1]), wait=0): print('held')\n"
        "except NgtpatchError as error: print(error.code, error.path)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(lock)], capture_output=True, text=True, check=False
    )
    assert said.stdout == f"unsafe-lock {lock}\n", said.stderr
