# SPDX-License-Identifier: Apache-2.0
"""Runs that are alive at the same time on one directory, and end by themselves or by a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from ngtpatch.fleet.output_directory import OutputDirectory
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
