# SPDX-License-Identifier: Apache-2.0
"""A ledger means the same to all who read it: inject, report, push, identity check, its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ngtpatch.errors import InputError
from ngtpatch.fleet.inject import prepare
from ngtpatch.fleet.run import foreseen, run_fleet
from ngtpatch.prism_central.owner import owners_of_ledger
from ngtpatch.report.fleet_page import read_ledgers
from tests.fleet.park import EXPIRED, FRESH, Park, park
from tests.identity import material as m


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Park:
    made = park(tmp_path_factory.mktemp("ledgers") / "park", 2)
    assert made.inject("--config-only").returncode == 0
    return made


@pytest.fixture(scope="module")
def is_valid(made: Park) -> Callable[[object], bool]:
    schema = json.loads(made.ngtpatch("schema", "ledger").stdout)
    validator = jsonschema.Draft202012Validator(schema)
    return lambda row: bool(validator.is_valid(row))


def readers(made: Park) -> dict[str, str]:
    """Return by reader the code with which it refuses the ledger; nothing where it takes it."""
    ledger = made.out / "ledger.jsonl"
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out), config_only=True,
        certificates=made.root / "certificates",
    )  # fmt: skip
    codes = {}
    reading: dict[str, Callable[[], object]] = {
        "inject": lambda: run_fleet(plan, resume=True),
        "inject -n": lambda: foreseen(plan, resume=True),
        "report": lambda: read_ledgers(ledger),
        "push": lambda: owners_of_ledger(ledger),
    }
    for name, read in reading.items():
        before = ledger.read_bytes()
        try:
            read()
            codes[name] = ""
        except InputError as error:
            codes[name] = error.code
        ledger.write_bytes(before)
    return codes


VALUES: dict[str, list[object]] = {
    "name": [7, None, ["vm1"]],
    "state": ["kept", None, True, ["done"]],
    "output": ["../vm1.iso", "", 7, None],
    "size": ["83968", True, None, 1.5],
    "base_sha256": [7, None],
    "regions_sha256": [[], None],
    "sha256": [7, {}],
    "ngt_uuid": [7],
    "certificate_sha256": [True],
    "vm_uuid": [1, []],
    "modified_ns": ["1", 0.5],
    "changed_ns": [False],
    "remade": [1],
    "code": [6],
    "error": [[]],
}
WRONG = [{key: value} for key, values in VALUES.items() for value in values]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_a_row_of_another_type_is_refused_by_all(
    made: Park, is_valid: Callable[[object], bool], change: dict[str, Any]
) -> None:
    ledger = made.out / "ledger.jsonl"
    before = ledger.read_text()
    row = {**json.loads(before.splitlines()[0]), **change}
    assert not is_valid(row)
    ledger.write_text(json.dumps(row) + "\n")
    try:
        assert set(readers(made).values()) == {"ledger"}
    finally:
        ledger.write_text(before)


LESS = ["vm_uuid", "sha256", "ngt_uuid", "certificate_sha256", "modified_ns", "changed_ns"]


def test_what_may_be_left_out_may_be_left_out_for_all(
    made: Park, is_valid: Callable[[object], bool]
) -> None:
    ledger = made.out / "ledger.jsonl"
    before = ledger.read_text()
    row = json.loads(before.splitlines()[0])
    assert is_valid(row)
    less = {key: value for key, value in row.items() if key not in LESS}
    failed = {key: less[key] for key in ("schema", "name", "output")} | {"state": "failed"}
    for one in (less, failed):
        assert is_valid(one)
        ledger.write_text(json.dumps(one) + "\n")
        assert set(readers(made).values()) == {""}
    for key in ("size", "base_sha256", "regions_sha256", "name", "output", "state", "schema"):
        assert not is_valid({k: v for k, v in less.items() if k != key})
    ledger.write_text(before)


def test_a_row_with_a_member_twice_or_without_an_end(made: Park) -> None:
    ledger = made.out / "ledger.jsonl"
    before = ledger.read_text()
    ledger.write_text(before.replace(', "output"', ', "name": "vm2", "output"', 1))
    assert set(readers(made).values()) == {"ledger"}
    ledger.write_text(before[:-1])
    # What comes next stands on a line of its own, and a page says it; who pushes wants all rows.
    taken = readers(made)
    assert (taken.pop("push"), set(taken.values())) == ("ledger", {""})
    ledger.write_text(before)


def test_an_image_from_before_under_the_name_of_a_vm_that_failed(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    assert made.inject("--config-only").returncode == 0
    old = (made.out / "vm2.iso").read_bytes()
    made.give("vm2", m.files(2, kind="p256", **EXPIRED))
    ran = made.inject("--config-only", "--resume", "--json")
    told = json.loads(ran.stdout)
    assert (ran.returncode, told["failed"], told["left"]) == (6, 1, ["vm2.iso"])
    assert "vm2.iso is there from before" in ran.stderr
    assert (made.out / "vm2.iso").read_bytes() == old
    checked = json.loads(made.ngtpatch("identity", "check", made.out, "--json").stdout)
    jsonschema.validate(checked, json.loads(made.ngtpatch("schema", "identity-check").stdout))
    [found] = [one for one in checked["findings"] if one["code"] == "failed-row"]
    assert (found["source"], found["severity"]) == (str(made.out / "vm2.iso"), "warning")
    page = tmp_path / "page.html"
    assert made.ngtpatch("report", made.out, "-o", page).returncode == 5
    assert "failed-row: an image of that name is there" in page.read_text()
    # One that cannot be read keeps no identity from being checked, and is named.
    (made.out / "ledger.jsonl").write_text("another program's\n")
    run = made.ngtpatch("identity", "check", made.out, "--json")
    notes = [one["code"] for one in json.loads(run.stdout)["findings"] if one["severity"] == "note"]
    assert "ledger" in notes
    assert len(json.loads(run.stdout)["identities"]) == 3
    (made.out / "ledger.jsonl").unlink()
    (made.out / "vm2.iso").unlink()
    assert json.loads(made.inject("--config-only", "--resume", "--json").stdout)["left"] == []


def failing(made: Park) -> tuple[list[str], list[str], list[str]]:
    """Return whom the check of a directory, its page, and who pushes say a run failed for."""
    checked = json.loads(made.ngtpatch("identity", "check", made.out, "--json").stdout)
    found = [Path(one["path"]).stem for one in checked["findings"] if one["code"] == "failed-row"]
    rows = [(row.name, row.state) for row in read_ledgers(made.out)[1]]
    assert len(rows) == len(made.material)
    owners = [
        owner
        for ledger in sorted(made.out.glob("ledger-*.jsonl"))
        for owner in owners_of_ledger(ledger)
    ]
    assert len(owners) == len(made.material)
    return (
        found, [name for name, state in rows if state == "failed"],
        [owner.name for owner in owners if owner.problem is not None],
    )  # fmt: skip


def test_the_later_of_two_ledgers_rows_counts_for_all(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    shards = ("--shard", "1/2"), ("--shard", "2/2")
    for shard in shards:
        assert made.inject("--config-only", *shard).returncode == 0
    assert failing(made) == ([], [], [])
    # A run of the whole fails for one, whose older image and row are there.
    good = made.material["vm2"]
    made.give("vm2", m.files(2, kind="p256", **EXPIRED))
    assert made.inject("--config-only", "--resume").returncode == 6
    assert failing(made) == (["vm2"], ["vm2"], ["vm2"])
    page = tmp_path / "page.html"
    made.ngtpatch("report", made.out, "-o", page)
    assert "failed-row: an image of that name is there" in page.read_text()
    # A shard makes the image anew: the failure is older than what is there.
    made.give("vm2", m.files(7, kind="p256", **FRESH))
    for shard in shards:
        assert made.inject("--config-only", "--resume", *shard).returncode == 0
    assert failing(made) == ([], [], [])
    # What is there is no longer what a row tells of.
    made.give("vm2", good)
    (made.out / "vm2.iso").touch()
    assert failing(made) == (["vm2"], ["vm2"], ["vm2"])
    assert made.inject("--config-only", "--resume").returncode == 0
    assert failing(made) == ([], [], [])
