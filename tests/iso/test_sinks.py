# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.errors import InputError, NgtpatchError, UsageError, VerificationError
from ngtpatch.interrupts import Interrupted, heeded
from ngtpatch.iso.read.bytesource import FileSource
from ngtpatch.iso.read.regions import Overlay, Region, Seal
from ngtpatch.iso.write.sinks import stream, write_file, write_in_place
from tests.iso.layouts import noise
from tests.requirements import missing, tool

_MIB = 1 << 20


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Three blocks and a bit: so that regions fall on and across the edges of blocks."""
    path = tmp_path / "base.img"
    path.write_bytes(noise("base", 3 * _MIB + 777))
    return path


def edited(base: Path, *, growth: int = 5000) -> tuple[Overlay, bytes]:
    """Return an overlay over *base* and what it should give."""
    source = FileSource(base)
    expected = bytearray(base.read_bytes())
    end = len(expected)
    regions = []
    for offset, length in ((0, 8), (_MIB - 3, 6), (2 * _MIB, 2048), (end - 10, 10)):
        new = noise(f"{offset}", length)
        regions.append(Region(offset, bytes(expected[offset : offset + length]), new))
        expected[offset : offset + length] = new
    if growth:
        expected += noise("growth", growth)
        regions.append(Region(end, b"", bytes(expected[end:])))
    return Overlay(source, regions), bytes(expected)


@pytest.mark.parametrize("growth", [0, 1, 2 * _MIB])
@pytest.mark.parametrize("digest", [True, False])
def test_every_sink_gives_the_same_bytes(
    base: Path, tmp_path: Path, growth: int, digest: bool
) -> None:
    overlay, expected = edited(base, growth=growth)
    written = write_file(overlay, tmp_path / "out.img", digest=digest)
    assert (tmp_path / "out.img").read_bytes() == expected

    held = io.BytesIO()
    streamed = stream(overlay, held, digest=digest)
    assert held.getvalue() == expected

    in_place = write_in_place(overlay, base, digest=digest)
    assert base.read_bytes() == expected

    digests = {written.sha256, streamed.sha256, in_place.sha256}
    assert digests == {sha256(expected) if digest else None}
    assert {written.size, streamed.size, in_place.size} == {len(expected)}


def test_the_digest_of_the_base_comes_with_it(base: Path, tmp_path: Path) -> None:
    digest = sha256(base.read_bytes())
    overlay, _ = edited(base)
    assert write_file(overlay, tmp_path / "out.img").base_sha256 == digest
    assert stream(overlay, io.BytesIO()).base_sha256 == digest
    assert write_in_place(overlay, base).base_sha256 == digest


def sealed(base: Path) -> Overlay:
    """An overlay whose last region holds the base's digest."""
    overlay, _ = edited(base)
    at = overlay.size
    late = Region(at, b"", bytes(64))
    return Overlay(
        overlay.base,
        [*overlay.regions, late],
        seal=Seal((Overlay(overlay.base),), lambda digests: Region(at, b"", digests[0].encode())),
    )


def test_a_late_region_reaches_every_sink(base: Path, tmp_path: Path) -> None:
    digest = sha256(base.read_bytes()).encode()
    write_file(sealed(base), tmp_path / "out.img")
    result = (tmp_path / "out.img").read_bytes()
    assert result.endswith(digest)
    held = io.BytesIO()
    stream(sealed(base), held)
    assert held.getvalue() == result
    write_in_place(sealed(base), base)
    assert base.read_bytes() == result


def test_a_result_shorter_than_its_base_is_cut(base: Path, tmp_path: Path) -> None:
    overlay = Overlay(FileSource(base), [], size=_MIB + 5)
    for digest in (True, False):
        write_file(overlay, tmp_path / "out.img", digest=digest, force=True)
        assert (tmp_path / "out.img").read_bytes() == base.read_bytes()[: _MIB + 5]
    write_in_place(overlay, base)
    assert base.stat().st_size == _MIB + 5


def test_an_edit_of_an_edit_is_written_over_the_file_below(base: Path, tmp_path: Path) -> None:
    lower, middle = edited(base)
    new = noise("again", 100)
    upper = Overlay(lower, [Region(50, middle[50:150], new)])
    expected = middle[:50] + new + middle[150:]
    for digest in (True, False):
        written = write_file(upper, tmp_path / "out.img", digest=digest, force=True)
        assert (tmp_path / "out.img").read_bytes() == expected
    assert written.sha256 is None


@pytest.mark.parametrize("digest", [True, False])
def test_holes_stay_holes(tmp_path: Path, digest: bool) -> None:
    base = tmp_path / "sparse.img"
    with base.open("wb") as file:
        file.write(b"start")
        file.truncate(64 * _MIB)
    overlay = Overlay(FileSource(base), [Region(40 * _MIB, bytes(4), b"here")])
    write_file(overlay, tmp_path / "out.img", digest=digest)
    status = (tmp_path / "out.img").stat()
    assert status.st_size == 64 * _MIB
    assert status.st_blocks * 512 < 8 * _MIB
    with (tmp_path / "out.img").open("rb") as file:
        file.seek(40 * _MIB)
        assert file.read(4) == b"here"


def left_behind(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "base.img")


@pytest.mark.parametrize(
    ("target", "code"),
    [("there.img", "output-exists"), ("no/where.img", "no-such-directory"), ("", "is-directory")],
)
def test_targets_that_cannot_be_written(base: Path, tmp_path: Path, target: str, code: str) -> None:
    (tmp_path / "there.img").write_bytes(b"kept")
    with pytest.raises(UsageError) as refused:
        write_file(edited(base)[0], tmp_path / target)
    assert refused.value.code == code
    assert (tmp_path / "there.img").read_bytes() == b"kept"
    assert left_behind(tmp_path) == ["there.img"]


def test_force_replaces_a_file_but_never_the_base(base: Path, tmp_path: Path) -> None:
    (tmp_path / "there.img").write_bytes(b"old")
    overlay, expected = edited(base)
    write_file(overlay, tmp_path / "there.img", force=True)
    assert (tmp_path / "there.img").read_bytes() == expected
    (tmp_path / "alias.img").symlink_to(base)
    for name in ("base.img", "alias.img"):
        with pytest.raises(UsageError) as refused:
            write_file(overlay, tmp_path / name, force=True)
        assert refused.value.code == "same-file"


def test_in_place_means_the_base_and_nothing_else(base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(base.read_bytes())
    with pytest.raises(UsageError) as refused:
        write_in_place(edited(base)[0], other)
    assert refused.value.code == "not-the-base"
    assert other.read_bytes() == base.read_bytes()


def test_told_to_end_in_the_middle_it_makes_the_image_whole_first(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay, expected = edited(base)
    really = os.pwrite

    def told(*arguments: Any) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return really(*arguments)

    monkeypatch.setattr(os, "pwrite", told)
    with heeded(), pytest.raises(Interrupted):
        write_in_place(overlay, base)
    assert base.read_bytes() == expected


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"), KeyboardInterrupt()]
)
@pytest.mark.parametrize(("nth", "digest"), [*itertools.product([1, 2, 5], [True, False])])
def test_nothing_is_left_when_the_nth_write_fails(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nth: int,
    digest: bool,
    error: BaseException,
) -> None:
    calls = 0
    really = os.pwrite

    def failing(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise error
        return really(*arguments)

    (tmp_path / "there.img").write_bytes(b"kept")
    monkeypatch.setattr(os, "pwrite", failing)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else NgtpatchError
    with pytest.raises(expected) as failed:
        write_file(edited(base)[0], tmp_path / "there.img", force=True, digest=digest)
    if isinstance(failed.value, NgtpatchError):
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        assert failed.value.code == ("disk-full" if full else "not-written")
    assert calls == nth
    assert left_behind(tmp_path) == ["there.img"]
    assert (tmp_path / "there.img").read_bytes() == b"kept"


def test_a_result_that_fails_its_check_gets_no_name(base: Path, tmp_path: Path) -> None:
    overlay, expected = edited(base)
    checked: list[bytes] = []

    def fails(temporary: Path) -> None:
        checked.append(temporary.read_bytes())
        raise InputError("broken", "is not what it should be")

    with pytest.raises(InputError):
        write_file(overlay, tmp_path / "out.img", check=fails)
    assert checked == [expected]
    with pytest.raises(VerificationError) as wrong:
        write_file(overlay, tmp_path / "out.img", expect="0" * 64)
    assert wrong.value.code == "wrong-digest"
    assert left_behind(tmp_path) == []
    write_file(overlay, tmp_path / "out.img", expect=sha256(expected))


@pytest.mark.parametrize("force", [True, False])
def test_a_kill_before_the_rename_leaves_the_target_as_it_was(
    base: Path, tmp_path: Path, force: bool
) -> None:
    target = tmp_path / "out.img"
    if force:
        target.write_bytes(b"kept")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from ngtpatch.iso.read.regions import Overlay\n"
        "from ngtpatch.iso.write.sinks import write_file\n"
        "from ngtpatch.iso.read.bytesource import FileSource\n"
        "die = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "base, target, force = sys.argv[1:]\n"
        "write_file(Overlay(FileSource(base)), Path(target), force=force == 'True', check=die)\n"
    )
    command = [sys.executable, "-c", script, str(base), str(target), str(force)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert target.exists() == force
    if force:
        assert target.read_bytes() == b"kept"


@pytest.fixture
def device(base: Path) -> Iterator[Path]:
    """A block device with the base on it."""
    if os.geteuid() != 0:
        missing("root", "run the tests as root to set up a loop device")
    base.write_bytes(base.read_bytes()[: 3 * _MIB])
    losetup = tool("losetup", "mount")
    run = subprocess.run(
        [losetup, "-f", "--show", str(base)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        missing("a loop device", "this environment does not allow one")
    yield Path(run.stdout.strip())
    subprocess.run([losetup, "-d", run.stdout.strip()], check=True)


@pytest.mark.parametrize("digest", [True, False])
def test_a_block_device_is_copied_like_a_file(
    base: Path, device: Path, tmp_path: Path, digest: bool
) -> None:
    source = FileSource(device)
    assert source.is_device
    assert source.size == 3 * _MIB
    overlay = Overlay(source, [Region(5, base.read_bytes()[5:8], b"new")])
    write_file(overlay, tmp_path / "out.img", digest=digest)
    data = base.read_bytes()
    assert (tmp_path / "out.img").read_bytes() == data[:5] + b"new" + data[8:]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of two mebibytes."""
    if os.geteuid() != 0:
        missing("root", "run the tests as root to mount a small file system")
    mount = tmp_path / "small"
    mount.mkdir()
    command = [tool("mount", "mount"), "-t", "tmpfs", "-o", "size=2m", "none", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        missing("mount", "this environment does not allow to mount a tmpfs")
    yield mount
    subprocess.run([tool("umount", "mount"), str(mount)], check=True)


@pytest.mark.parametrize("digest", [True, False])
def test_a_full_file_system_is_one_clear_error(base: Path, small: Path, digest: bool) -> None:
    with pytest.raises(NgtpatchError) as failed:
        write_file(edited(base)[0], small / "out.img", digest=digest)
    assert failed.value.code == "disk-full"
    assert str(small / "out.img") in str(failed.value)
    assert failed.value.hint
    assert list(small.iterdir()) == []


@pytest.mark.parametrize("growth", [0, 5000])
@pytest.mark.parametrize("call", ["pwrite", "fsync", "ftruncate"])
def test_in_place_puts_back_what_stood_there_when_a_call_fails(
    base: Path, monkeypatch: pytest.MonkeyPatch, call: str, growth: int
) -> None:
    before, real = base.read_bytes(), getattr(os, call)
    for number in itertools.count(1):
        overlay, expected = edited(base, growth=growth)
        count = itertools.count(1)

        def failing(*arguments: Any, at: int = number, count: Any = count) -> Any:
            if next(count) == at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        monkeypatch.setattr(os, call, failing)
        failed: NgtpatchError | None = None
        try:
            write_in_place(overlay, base)
        except NgtpatchError as error:
            failed = error
        finally:
            monkeypatch.undo()
        if failed is None:
            break
        assert (failed.code, failed.exit_code) == ("disk-full", 8)
        # The last fsync() comes when the image is the new one, whole.
        assert base.read_bytes() == (expected if (call, number) == ("fsync", 2) else before)
        base.write_bytes(before)
    assert number > {"pwrite": 4, "fsync": 2, "ftruncate": growth > 0}[call]
    assert base.read_bytes() == expected


def test_in_place_says_so_when_nothing_can_be_put_back(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = os.pwrite, itertools.count(1)

    def failing(*arguments: Any) -> int:
        if next(count) > 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments)

    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(NgtpatchError) as failed:
        write_in_place(edited(base)[0], base)
    assert (failed.value.code, failed.value.exit_code) == ("half-written", 8)
    assert "neither old nor new" in failed.value.message


@pytest.mark.parametrize("digest", [True, False])
@pytest.mark.parametrize("harm", ["truncate", "write", "grow"])
def test_a_base_that_changed_since_the_plan_is_noticed(
    base: Path, tmp_path: Path, harm: str, digest: bool
) -> None:
    overlay, _ = edited(base)
    with base.open("r+b") as file:
        if harm == "truncate":
            file.truncate(_MIB)
        elif harm == "grow":
            file.seek(0, os.SEEK_END)
            file.write(b"more")
        else:
            file.seek(_MIB)
            file.write(b"other")
    os.utime(base, ns=(1, 1))
    sinks: list[Callable[[], object]] = [
        lambda: write_file(overlay, tmp_path / "out.img", digest=digest),
        lambda: stream(overlay, io.BytesIO(), digest=digest),
        lambda: write_in_place(overlay, base, digest=digest),
    ]
    for sink in sinks:
        with pytest.raises(NgtpatchError) as failed:
            sink()
        assert failed.value.code == "source-changed"
        assert str(base) in str(failed.value)
    assert left_behind(tmp_path) == []


def test_a_reader_that_goes_away_is_the_callers_business(base: Path) -> None:
    class Gone(io.RawIOBase):
        def write(self, _: object) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        stream(edited(base)[0], Gone())  # type: ignore[arg-type] # all that it uses is write()
