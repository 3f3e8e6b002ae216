# SPDX-License-Identifier: Apache-2.0
"""Identities that move between VMs while images from before are there."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.fleet.inject import prepare
from ngtpatch.fleet.plan import shard_of
from ngtpatch.fleet.run import run_fleet
from tests.fleet.park import EXPIRED, FRESH, park
from tests.identity import material as m

BOTH = {"duplicate-uuid", "duplicate-certificate"}


def shared(told: dict[str, Any]) -> set[tuple[str, str]]:
    """Return who shares an identity with whom; it has to be both of its parts."""
    pairs = {(one["output"], one["other"]) for one in told["shared"]}
    assert len(told["shared"]) == len(BOTH) * len(pairs)
    return pairs


def test_a_vm_that_fails_keeps_an_image_with_what_another_got(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    assert made.inject("--config-only").returncode == 0
    made.move("vm1", "vm2", **EXPIRED)
    # By its row of before; then by the image alone: a failed row says nothing of it.
    for _ in range(2):
        run = made.inject("--config-only", "--resume", "--json")
        assert run.returncode == 6, run.stderr
        assert shared(json.loads(run.stdout)) == {("vm2.iso", "vm1.iso")}
        assert "vm2.iso: has the ngt_uuid that vm1.iso has" in run.stderr
        assert "--resume makes it, or remove it" in run.stderr
        assert run.stderr.count("that vm1.iso has, and its certificate: that one is there") == 1
        assert run.stderr.count("vm1.iso has") == 1
        assert "no other VM has" not in run.stderr
    made.give("vm1", m.files(41, kind="p256", **FRESH))
    run = made.inject("--config-only", "--resume", "--json")
    assert (run.returncode, shared(json.loads(run.stdout))) == (0, set())


def test_what_an_interrupted_run_did_not_make_anew(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 9)
    assert made.inject("--config-only").returncode == 0
    made.move("vm9", "vm1")
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out), config_only=True,
        certificates=made.root / "certificates",
    )  # fmt: skip
    stop = threading.Event()
    summary = run_fleet(
        plan, jobs=1, resume=True, stop=stop, report=lambda _o, _done, _t: stop.set()
    )
    assert summary.interrupted
    assert {(one.code, one.output, one.other) for one in summary.shared} == {
        (code, "vm1.iso", "vm9.iso") for code in BOTH
    }
    assert made.inject("--config-only", "--resume").returncode == 0


@pytest.mark.parametrize("with_whole", [False, True])
def test_an_image_of_another_shard(tmp_path: Path, *, with_whole: bool) -> None:
    made, whole = park(tmp_path / "park", 8), tmp_path / "whole.json"
    one, two = (
        next(name for name in made.material if shard_of(name, 2) == number) for number in (1, 2)
    )
    more = ("--config-only", "--resume", *(("--whole", whole) if with_whole else ()))

    def shard(number: int) -> dict[str, Any]:
        if with_whole:
            run = made.inject("-n", "-f", "--config-only", "--whole", whole)
            assert run.returncode == 0, run.stderr
        run = made.inject(*more, "--shard", f"{number}/2", "--json")
        told: dict[str, Any] = json.loads(run.stdout)
        return {failure["name"]: failure for failure in told["failures"]}

    assert (shard(1), shard(2)) == ({}, {})
    made.move(one, two)
    refused = shard(2)
    assert list(refused) == [two]
    assert refused[two]["code"] in BOTH
    assert f"as {one}.iso (make that one anew, or remove it" in refused[two]["error"]
    assert (shard(1), shard(2)) == ({}, {})
    assert made.ngtpatch("identity", "check", made.out).returncode == 0


def test_an_image_under_another_name(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    assert made.inject("--config-only").returncode == 0
    # Its own older image, under another name, is no other VM's.
    new = ("--config-only", "--resume", "--name", "new-{{ name }}.iso", "--json")
    run = made.inject(*new)
    assert run.returncode == 0
    assert shared(json.loads(run.stdout)) == {
        ("new-vm1.iso", "vm1.iso"),
        ("new-vm2.iso", "vm2.iso"),
    }
    # No run under the new names makes the old ones.
    assert "from before and was not made anew: remove it" in run.stderr
    assert "--resume makes it" not in run.stderr
    shutil.rmtree(made.out)
    assert made.inject("--config-only").returncode == 0
    made.move("vm1", "vm2")
    run = made.inject(*new)
    assert [f["name"] for f in json.loads(run.stdout)["failures"]] == ["vm2"]
    (made.out / "vm1.iso").unlink()
    assert made.inject(*new).returncode == 0


def test_a_row_whose_image_is_another_by_now_refuses_nobody(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    number = shard_of("vm1", 2)
    assert made.inject("--config-only", "--shard", f"{number}/2").returncode == 0
    old = made.material["vm1"]
    made.give("vm1", m.files(11, kind="p256", **FRESH))
    assert made.inject("--config-only", "--resume").returncode == 0
    # The shard's ledger still says that vm1.iso has this; the image does not.
    made.give("other", old)
    (made.root / "vms.csv").write_text("name\nother\n")
    run = made.inject("--config-only", "--resume")
    assert run.returncode == 0, run.stderr
