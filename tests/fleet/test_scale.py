# SPDX-License-Identifier: Apache-2.0
"""What does not grow with the fleet, what a terminal shows, and that the benchmark runs."""

import os
import pty
import subprocess
import sys
import tracemalloc
from pathlib import Path

from ngtpatch.fleet.inject import prepare
from ngtpatch.fleet.run import run_fleet
from tests.fleet.park import ENVIRONMENT, park
from tests.requirements import tool

ROOT = Path(__file__).resolve().parents[2]


def peak(root: Path, count: int) -> int:
    """Return the most memory that a run of *count* config-only images had at once, in bytes."""
    made = park(root, count)
    tracemalloc.start()
    try:
        plan = prepare(
            made.root / "base.iso", made.root / "vms.csv", str(made.out),
            certificates=made.root / "certificates", config_only=True,
        )  # fmt: skip
        summary = run_fleet(plan, jobs=4)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert summary.written == count


def test_memory_is_a_row_per_vm_and_no_more(tmp_path: Path) -> None:
    few = peak(tmp_path / "warm", 60), peak(tmp_path / "few", 60)
    many = peak(tmp_path / "many", 460)
    # An image has 80 KB, an identity 2 KB: neither is kept.
    assert (many - min(few)) / 400 < 4096


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "80"}
    run = subprocess.Popen(
        made.arguments("--config-only"), stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        seen += block
    os.close(ours)
    out, _ = run.communicate()
    assert run.returncode == 0
    assert b"3/3" in seen
    assert b"1 of 3" not in seen
    assert b"3 written" in out


def test_the_benchmark_runs() -> None:
    for name, package in (("xorriso", "xorriso"), ("genisoimage", "genisoimage")):
        tool(name, package)
    run = subprocess.run(
        [sys.executable, "-m", "bench.fleet", "--vms", "12", "--config-only", "14", "--peers", "1",
         "--base", "1M", "--on", "here"],
        cwd=ROOT, capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("times ngtpatch's time") == 6


def test_the_benchmark_of_start_up_runs() -> None:
    tool("xorriso", "xorriso")
    command = [sys.executable, "-m", "bench.startup", "--runs", "1"]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("| ") >= 6


def test_shards_read_their_own_files_alone(tmp_path: Path) -> None:
    """Counted, and not timed: make bench measures what they cost."""
    made = park(tmp_path / "park", 12)
    opened: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and "certificates/" in str(arguments[0]):
            opened.append(Path(str(arguments[0])).parent.name)

    watching = False
    sys.addaudithook(watch)
    seen: list[str] = []
    for k in range(1, 4):
        opened.clear()
        watching = True
        plan = prepare(
            made.root / "base.iso", made.root / "vms.csv", str(made.out),
            certificates=made.root / "certificates", shard=(k, 3),
        )  # fmt: skip
        watching = False
        mine = {order.row.name for order in plan.orders}
        assert set(opened) == mine
        seen += mine
    assert sorted(seen) == sorted(made.material)
