# SPDX-License-Identifier: Apache-2.0
"""A file is there in full or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.errors import UsageError
from ngtpatch.files.atomic import check_target, new_file


def test_content_and_mode(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with new_file(target, mode=0o600) as file:
        file.write(b"content")
    assert target.read_bytes() == b"content"
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["out"]


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(UsageError) as caught, new_file(target):
        pass
    assert caught.value.code == "output-exists"
    assert caught.value.exit_code == 2
    assert target.read_bytes() == b"old"
    with new_file(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_a_target_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(UsageError, match="appeared"), new_file(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("force", [False, True])
def test_a_failure_leaves_no_trace(
    tmp_path: Path, failure: type[BaseException], force: bool
) -> None:
    target = tmp_path / "out"
    if force:
        target.write_bytes(b"old")
    with pytest.raises(failure), new_file(target, force=force) as file:
        file.write(b"half")
        raise failure
    assert os.listdir(tmp_path) == (["out"] if force else [])
    assert not force or target.read_bytes() == b"old"


def test_the_source_is_never_a_target(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    (tmp_path / "link").symlink_to(source)
    for name in ("source", "link"):
        with pytest.raises(UsageError) as caught:
            check_target(tmp_path / name, force=True, source=source)
        assert caught.value.code == "same-file"


def test_a_missing_directory_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check_target(tmp_path / "no" / "out", force=False)
    assert caught.value.code == "no-such-directory"
    with pytest.raises(UsageError) as caught:
        check_target(tmp_path, force=True)
    assert caught.value.code == "is-directory"


def test_a_full_disk_leaves_no_trace(tmp_path: Path) -> None:
    # A limit on the file's size stands for the full disk: same write(2), same failure path.
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from ngtpatch.errors import OutputError\n"
        "from ngtpatch.files.atomic import new_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    with new_file(Path(sys.argv[1])) as file:\n"
        "        file.write(bytes(100_000))\n"
        "except OutputError as error:\n"
        "    print(error.code)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "out"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "disk-full\n"
    assert os.listdir(tmp_path) == []
