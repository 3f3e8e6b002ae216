# SPDX-License-Identifier: Apache-2.0
"""Runs that are killed, interrupted, starved of space, or two at once."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import pytest

from ngtpatch.errors import RemoteError, UsageError
from ngtpatch.files.locked import locked
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG
from ngtpatch.fleet.inject import prepare
from ngtpatch.fleet.order import VmResult
from ngtpatch.fleet.run import run_fleet
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests.fleet.mounts import mounted
from tests.fleet.park import ENVIRONMENT, FRESH, Park, betrayed, park
from tests.identity import material as m
from tests.requirements import missing

MIB = 1 << 20


def start(made: Park, *more: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        made.arguments(*more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def images(made: Park) -> set[str]:
    return {p.stem for p in made.out.glob("*.iso")} if made.out.is_dir() else set()


def wait_for(made: Park, count: int, run: "subprocess.Popen[str]") -> None:
    """Return when *count* outputs are there, or the run has ended."""
    while len(images(made)) < count and run.poll() is None:
        time.sleep(0.002)


def inodes(made: Park, names: set[str]) -> dict[str, int]:
    return {name: (made.out / f"{name}.iso").stat().st_ino for name in names}


def test_killed_at_random_points_and_resumed(tmp_path: Path) -> None:
    """SIGKILL four times: nothing half-written, nothing good done twice, nothing left over."""
    made = park(tmp_path / "park", 40, payload=2 * MIB)
    chance = random.Random(11)  # noqa: S311 - no secret
    good: dict[str, int] = {}
    kills = 0
    for _ in range(4):
        run = start(made, "--resume")
        wait_for(made, len(images(made)) + chance.randrange(1, 9), run)
        run.kill()
        run.communicate()
        kills += run.returncode == -signal.SIGKILL
        there = images(made)
        assert all(made.right(name) for name in there)
        assert good.items() <= inodes(made, there).items()
        good = inodes(made, there)
    assert kills
    run_to_end = made.inject("--resume")
    assert run_to_end.returncode == 0, run_to_end.stderr
    assert f"{len(good)} kept" in run_to_end.stdout
    assert good.items() <= inodes(made, set(made.material)).items()
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()
    assert {row["state"] for row in made.rows().values()} == {"done"}


def test_a_torn_row_and_a_half_written_file_are_done_again(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    assert made.inject().returncode == 0
    ledger = made.out / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-40])
    (made.out / f".vm3.iso.{'0a' * 6}.tmp").write_bytes(b"half")
    (made.out / f".other.iso.{'0a' * 6}.tmp").write_bytes(b"not ours")
    before = inodes(made, set(made.material))
    assert made.inject("--resume").returncode == 0
    assert inodes(made, set(made.material)) == before
    assert made.listing() == made.expected_listing() | {f".other.iso.{'0a' * 6}.tmp"}
    assert len(made.rows()) == 3


def test_resume_does_what_is_missing_or_stale_and_nothing_else(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 6)
    assert made.inject().returncode == 0
    before = inodes(made, set(made.material))
    (made.out / "vm1.iso").unlink()
    made.give("vm2", m.files(2, **FRESH))  # a new certificate for the same key
    with (made.out / "vm3.iso").open("r+b") as file:
        file.truncate(1000)
    with Volume.open(made.out / "vm4.iso") as volume:
        ((offset, _),) = volume.entries("rock_ridge")["config/client-key.pem"].extents
    with (made.out / "vm4.iso").open("r+b") as file:
        file.seek(offset)
        file.write(b"X")
    (made.out / "vm5.iso").chmod(0o644)
    run = made.inject("--resume")
    assert "5 written, 1 kept" in run.stdout
    assert made.wrong() == []
    assert inodes(made, {"vm6"})["vm6"] == before["vm6"]


def test_what_is_kept_is_what_would_be_written(tmp_path: Path) -> None:
    """This user's own, under one name: others could write to it else. The row says why."""
    if os.geteuid() != 0:
        missing("root", "a second user is needed")
    made = park(tmp_path / "park", 3)
    assert made.inject().returncode == 0
    os.chown(made.out / "vm1.iso", 65534, 65534)
    (tmp_path / "second").hardlink_to(made.out / "vm2.iso")
    second = (tmp_path / "second").read_bytes()
    assert "2 written, 1 kept" in made.inject("--resume").stdout
    assert made.wrong() == []
    for name in made.material:
        status = (made.out / f"{name}.iso").stat()
        assert (status.st_uid, status.st_nlink) == (os.geteuid(), 1)
    assert (tmp_path / "second").read_bytes() == second
    assert {name: row.get("remade") for name, row in made.rows().items()} == {
        "vm1": "it was another user's", "vm2": "it had a second name", "vm3": None,
    }  # fmt: skip
    assert "3 kept" in made.inject("--resume").stdout
    assert {row.get("remade") for row in made.rows().values()} == {None}


@pytest.mark.parametrize("changed", ["ngt_uuid", "certificate", "both"])
def test_material_that_changes_after_the_plan_makes_no_image(tmp_path: Path, changed: str) -> None:
    """The VMs were compared by what was planned: nobody has looked at what is there now."""
    made = park(tmp_path / "park", 2)
    state = made.out / ".ngtpatch"
    state.mkdir(parents=True)
    own, other = made.material["vm1"], m.files(1, **FRESH)
    config = made.material["vm2"][CONFIG]
    with locked(state / "1-of-1.lock", wait=0, mode=0o600):
        waiting = start(made, "--wait", 120)
        wait_until_it_waits(waiting, state)
        given = {
            **own,
            **({CERTIFICATE: other[CERTIFICATE]} if changed != "ngt_uuid" else {}),
            **({CONFIG: config} if changed != "certificate" else {}),
        }
        made.give("vm1", given)
    out, _ = waiting.communicate()
    assert waiting.returncode == 6
    assert "1 written, 1 failed" in out
    row = made.rows()["vm1"]
    assert (row["state"], row["code"]) == ("failed", "source-changed")
    assert made.listing() == {"ledger.jsonl", "vm2.iso"}
    run = made.inject("--resume")
    if changed == "certificate":
        assert run.returncode == 0, run.stderr
        assert made.wrong() == []
    else:
        assert {row.get("code") for row in made.rows().values()} == {"duplicate-uuid"}


def wait_until_it_waits(run: "subprocess.Popen[str]", state: Path) -> None:
    """Return when *run* has asked for the directory: its plan is made by then."""
    while run.poll() is None and not (state / "gate.lock").exists():
        time.sleep(0.01)
    assert run.poll() is None, run.communicate()


def test_another_base_makes_everything_stale(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    assert made.inject().returncode == 0
    write_sample(made.root / "base.iso", udf=True, force=True)
    run = made.inject("--resume")
    assert "3 written" in run.stdout
    assert made.wrong() == []
    assert "3 kept" in made.inject("--resume").stdout


def test_a_digest_asked_for_later_is_computed(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    made.inject()
    assert {row["sha256"] for row in made.rows().values()} == {None}
    made.inject("--resume", "--digest")
    assert None not in {row["sha256"] for row in made.rows().values()}
    assert "2 kept" in made.inject("--resume", "--digest").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_what_is_in_flight(tmp_path: Path, number: signal.Signals) -> None:
    made = park(tmp_path / "park", 40, payload=2 * MIB)
    run = start(made, "--jobs", 2)
    wait_for(made, 3, run)
    run.send_signal(number)
    out, err = run.communicate()
    assert run.returncode == 130
    assert "not begun" in out
    assert "--resume does the rest" in err
    there = images(made)
    assert 3 <= len(there) < 40
    assert set(made.rows()) == there
    assert all(made.right(name) for name in there)
    assert made.listing() == {"ledger.jsonl", *(f"{name}.iso" for name in there)}
    assert f"{len(there)} kept" in made.inject("--resume").stdout
    assert made.wrong() == []


def test_a_full_disk_is_rows_and_room_mends_it(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 40 * MIB) as disk:
        made = park(disk / "park", 8, payload=2 * MIB)
        ballast = disk / "ballast"
        free = os.statvfs(disk)
        ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - 9 * MIB))
        run = made.inject("--jobs", 2)
        assert run.returncode == 8
        assert "full" in run.stderr
        there = images(made)
        assert 0 < len(there) < 8
        rows = made.rows()
        assert {n for n, row in rows.items() if row["state"] == "done"} == there
        assert {r["code"] for r in rows.values() if r["state"] == "failed"} == {"disk-full"}
        assert made.listing() == {"ledger.jsonl", *(f"{name}.iso" for name in there)}
        assert all(made.right(name) for name in there)
        before = inodes(made, there)
        ballast.unlink()
        run = made.inject("--resume")
        assert run.returncode == 0, run.stderr
        assert made.wrong() == []
        assert inodes(made, there) == before
        assert made.listing() == made.expected_listing()


def test_a_disk_too_full_for_the_ledger_itself(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 24 * MIB) as disk:
        made = park(disk / "park", 4)
        made.out.mkdir()
        (disk / "tiny").write_bytes(b"")
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            try:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            except OSError:
                pass
        run = made.inject()
        assert run.returncode == 8
        assert "Traceback" not in run.stderr
        assert images(made) == set()
        ballast.unlink()
        assert made.inject("--resume").returncode == 0
        assert made.wrong() == []


def test_a_second_run_refuses_or_waits(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 30, payload=2 * MIB)
    first = start(made)
    wait_for(made, 1, first)
    first.send_signal(signal.SIGSTOP)
    second = made.inject("--resume")
    sharded = made.inject("--resume", "--shard", "1/2")
    waiting = start(made, "--resume", "--wait", 120)
    first.send_signal(signal.SIGCONT)
    first.communicate()
    out, _ = waiting.communicate()
    for refused in (second, sharded):
        assert refused.returncode == 2
        assert "another run is writing to this directory" in refused.stderr
    assert (first.returncode, waiting.returncode) == (0, 0)
    assert "30 kept" in out
    assert made.wrong() == []


def test_shards_run_side_by_side_and_cover_everything_once(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 24, payload=MIB)
    runs = [start(made, "--shard", f"{k}/3") for k in (1, 2, 3)]
    ended = [(*run.communicate(), run.returncode) for run in runs]
    assert [code for _, _, code in ended] == [0, 0, 0], ended
    ledgers = [made.rows(f"ledger-{k}-of-3.jsonl") for k in (1, 2, 3)]
    names = [name for rows in ledgers for name in rows]
    assert sorted(names) == sorted(made.material)
    assert made.wrong() == []


def test_a_shard_is_the_same_on_every_machine() -> None:
    from ngtpatch.fleet.plan import shard_of

    assert [shard_of(f"vm{n}", 7) for n in range(1, 9)] == [1, 4, 4, 4, 7, 6, 4, 2]


def pool() -> Executor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def test_any_executor_drives_the_same_code(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 6)
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip
    with pool() as executor:
        summary = run_fleet(plan, executor=executor)
    assert (summary.written, summary.failed) == (6, 0)
    assert made.wrong() == []


def test_a_killed_worker_costs_its_rows_and_resume_mends_them(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 30, payload=4 * MIB)
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip

    def kill_one(_outcome: VmResult, done: int, _total: int) -> None:
        if done == 3:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    with pool() as executor, pytest.raises(RemoteError) as caught:
        run_fleet(plan, executor=executor, jobs=2, report=kill_one)
    assert caught.value.exit_code == 7
    there = images(made)
    assert all(made.right(name) for name in there)
    assert len(there) < 30
    before = inodes(made, there)
    run = made.inject("--resume")
    assert run.returncode == 0, run.stderr
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()
    assert inodes(made, there) == before


def test_what_crosses_to_workers_holds_no_key(tmp_path: Path) -> None:
    import pickle

    made = park(tmp_path / "park", 3, kind="rsa2048")
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip
    crossing = pickle.dumps((plan.settings, plan.orders))
    for files in made.material.values():
        assert not betrayed(files["config/client-key.pem"], crossing)


def test_stopping_from_a_program(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 20)
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip
    stop = threading.Event()
    summary = run_fleet(plan, jobs=1, stop=stop, report=lambda _o, done, _t: stop.set())
    assert summary.interrupted
    assert 1 <= summary.written <= 3
    with pytest.raises(UsageError, match="already"):
        run_fleet(plan)


@pytest.mark.parametrize(
    "planted", ["link", "dangling link", "second name", "pipe", "another user's"]
)
def test_a_ledger_that_somebody_else_put_there_is_neither_believed_nor_written(
    tmp_path: Path, planted: str
) -> None:
    made = park(tmp_path / "park", 1)
    made.out.mkdir()
    ledger, precious = made.out / "ledger.jsonl", tmp_path / "precious"
    if planted != "dangling link":
        precious.write_text("a torn last line")
    if planted.endswith("link"):
        ledger.symlink_to(precious)
    elif planted == "second name":
        ledger.hardlink_to(precious)
    elif planted == "pipe":
        os.mkfifo(ledger)
    else:
        if os.geteuid() != 0:
            missing("root", "a second user is needed")
        ledger.touch()
        os.chown(ledger, 65534, 65534)
    run = made.inject()
    assert run.returncode == 3
    assert f"{ledger}: is " in run.stderr
    assert images(made) == set()
    assert precious.exists() == (planted != "dangling link")
    assert not precious.exists() or precious.read_text() == "a torn last line"


@pytest.mark.parametrize("planted", ["link", "dangling link"])
def test_a_ledger_of_another_shard_that_is_a_link_is_named(tmp_path: Path, planted: str) -> None:
    made = park(tmp_path / "park", 1)
    assert made.inject("--config-only").returncode == 0
    ledger = made.out / "ledger-3-of-9.jsonl"
    ledger.symlink_to(made.out / ("ledger.jsonl" if planted == "link" else "nowhere"))
    for more in ("--resume", "--dry-run"):
        run = made.inject("--config-only", "--resume", more)
        assert run.returncode == 3
        assert f"{ledger}: is not a file of its own" in run.stderr
    checked = made.ngtpatch("identity", "check", made.out, "--json")
    named = {(one["code"], one["path"]) for one in json.loads(checked.stdout)["findings"]}
    assert ("unsafe-ledger", str(ledger)) in named


@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
def test_locks_are_not_made_where_a_link_leads(tmp_path: Path, kind: str) -> None:
    made = park(tmp_path / "park", 1)
    made.out.mkdir()
    elsewhere = tmp_path / "elsewhere"
    if kind == "link":
        elsewhere.mkdir()
    if kind == "file":
        (made.out / ".ngtpatch").touch()
    else:
        (made.out / ".ngtpatch").symlink_to(elsewhere)
    run = made.inject()
    assert run.returncode == 2
    assert f"{made.out / '.ngtpatch'}: is no directory of its own" in run.stderr
    assert elsewhere.exists() == (kind == "link")
    assert not elsewhere.exists() or list(elsewhere.iterdir()) == []
