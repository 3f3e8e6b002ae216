# SPDX-License-Identifier: Apache-2.0
"""Runs that are alive at the same time on one directory, and end by themselves or by a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ngtpatch.files.locked import locked
from ngtpatch.fleet.inject import prepare
from ngtpatch.fleet.output_directory import OutputDirectory
from ngtpatch.fleet.run import run_fleet
from tests.fleet.kills import child, digests, ended, look
from tests.fleet.park import park


def test_three_shards_of_which_one_is_killed(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 9)
    whole = made.arguments("--config-only", "--resume")[3:]
    begin = time.monotonic()
    assert ended(child(whole)) == 0
    length = time.monotonic() - begin
    right = digests(made.out)
    shards = [[*whole, "--shard", f"{number}/3"] for number in (1, 2, 3)]
    for killed in range(6):
        shutil.rmtree(made.out)
        running = [child(words) for words in shards]
        time.sleep(length * (killed + 0.5) / 6)
        os.kill(running[killed % 3], signal.SIGKILL if killed < 4 else signal.SIGHUP)
        codes = [ended(one) for one in running]
        assert [code for number, code in enumerate(codes) if number != killed % 3] == [0, 0]
        assert look(made, right) is None
        assert [ended(one) for one in map(child, shards)] == [0, 0, 0]
        assert digests(made.out) == right
        rows = {name for number in (1, 2, 3) for name in made.rows(f"ledger-{number}-of-3.jsonl")}
        assert rows == set(made.material)


def test_runs_of_the_whole_and_of_shards_at_once(tmp_path: Path) -> None:
    """One makes each image, whoever comes first; who does not wait says that another is there."""
    made = park(tmp_path / "park", 9)
    whole = made.arguments("--config-only", "--resume")[3:]
    assert ended(child(whole)) == 0
    right = digests(made.out)
    for waits, codes in ((["--wait", "60"], {0}), ([], {0, 2})):
        shutil.rmtree(made.out)
        running = [
            child([*whole, *waits, *part])
            for part in ([], [], ["--shard", "1/3"], ["--shard", "2/2"])
        ]
        found = [ended(one) for one in running]
        assert set(found) <= codes
        assert 0 in found
        assert look(made, right) is None
        assert ended(child(whole)) == 0
        assert digests(made.out) == right


def test_who_waits_is_in_nobodys_way(tmp_path: Path) -> None:
    """Shards of 2 and of 3 wait for a run of the whole; then they must not wait for each other."""
    made = park(tmp_path / "park", 3)
    whole = made.arguments("--config-only", "--resume", "--wait", "60")
    parts = [["--shard", "1/3"], ["--shard", "2/2"], []]
    begin = time.monotonic()
    with OutputDirectory(made.out).held((1, 1)):
        # Not forked: the lock would be theirs as well.
        waiting = [subprocess.Popen([*whole, *part]) for part in parts]
        time.sleep(5)
    assert [one.wait() for one in waiting] == [0, 0, 0]
    assert time.monotonic() - begin < 50
    assert made.wrong() == []


def has_open(process: int, path: Path) -> bool:
    """Say whether a process has the file open now."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            if link.readlink() == path:
                return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("held", ["1-of-1.lock", "gate.lock"])
def test_who_waits_hears_at_once_that_it_is_to_end(
    tmp_path: Path, number: signal.Signals, held: str
) -> None:
    made = park(tmp_path / "park", 2)
    state = made.out / ".ngtpatch"
    state.mkdir(parents=True)
    # A child of a shell's background job would ignore SIGINT.
    heard = f"import signal; signal.signal({int(number)}, signal.SIG_DFL)"
    script = f"{heard}; from ngtpatch.cli import main; main()"
    with locked(state / held, wait=0):
        words = made.arguments("--wait", 100, "--json")[3:]
        run = subprocess.Popen(
            [sys.executable, "-c", script, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        # Who waits at the gate has it open; who waits for another lock opens that for instants.
        gate = state / "gate.lock"
        while not (has_open(run.pid, gate) if held == gate.name else gate.exists()):
            assert run.poll() is None, run.communicate()
        begin = time.monotonic()
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
        assert time.monotonic() - begin < 10
    assert run.returncode == 130, err
    assert made.listing() == set()


def test_a_program_that_waits_is_told_to_stop(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip
    stop = threading.Event()
    with OutputDirectory(made.out).held((1, 1)):
        threading.Timer(0.3, stop.set).start()
        begin = time.monotonic()
        summary = run_fleet(plan, wait_seconds=100, stop=stop)
    assert time.monotonic() - begin < 20
    assert (summary.interrupted, summary.total, summary.written) == (True, 2, 0)
    assert made.listing() == set()


@pytest.mark.parametrize("option", ["--wait", "--store-timeout"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_what_is_no_number_of_seconds(tmp_path: Path, option: str, value: str) -> None:
    made = park(tmp_path / "park", 1)
    run = made.inject(option, value)
    assert (run.returncode, made.out.exists()) == (2, False), run.stderr
    assert option in run.stderr
