# SPDX-License-Identifier: Apache-2.0
import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngtpatch.errors import InputError, OutputError
from ngtpatch.fleet.ledger import SCHEMA, Ledger
from ngtpatch.fleet.order import VmResult


def done(name: str, digest: str = "a" * 64) -> VmResult:
    return VmResult(name, f"{name}.iso", "written", "b" * 64, digest, None, 4096, 2048)


def failed(name: str) -> VmResult:
    return VmResult(name, f"{name}.iso", "failed", code="expired", error="it expired")


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_row_per_vm_in_the_inventorys_order(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        for outcome in (failed("b"), done("a"), done("b"), done("ü\u2028")):
            ledger.add(outcome)
        assert ledger.settle(["a.iso", "b.iso", "ü\u2028.iso", "never.iso"])
    assert [(row["name"], row["state"]) for row in rows(path)] == [
        ("a", "done"), ("b", "done"), ("ü\u2028", "done"),
    ]  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    with Ledger(path) as again:
        again.add(failed("a"))
        again.settle(["a.iso"])
    assert [row["name"] for row in rows(path)] == ["b", "ü\u2028", "a"]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 1200))
def test_cut_anywhere_it_loses_no_whole_row(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "ledger.jsonl"
    names = [f"vm{n}" for n in range(4)]
    with Ledger(path) as ledger:
        for name in names:
            ledger.add(done(name))
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    whole = data.count(b"\n")
    with Ledger(path) as again:
        assert [name for name in names if again.known(f"{name}.iso")] == names[:whole]
        again.add(done("vm9"))
    # What is appended next stands on a line of its own.
    with Ledger(path) as last:
        assert last.known("vm9.iso")
        last.settle(["vm9.iso"])
    assert [row["name"] for row in rows(path)] == [*names[:whole], "vm9"]


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "[]",
        '{"schema": "ngtpatch.ledger/2", "name": "a", "output": "a.iso", "state": "failed"}',
        f'{{"schema": "{SCHEMA}", "name": "a", "output": "a.iso", "state": "done"}}',
        f'{{"schema": "{SCHEMA}", "name": 1, "output": "a.iso", "state": "failed"}}',
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    good = f'{{"schema": "{SCHEMA}", "name": "z", "output": "z.iso", "state": "failed"}}\n'
    path.write_text(f"{line}\n{good}{good}")
    with pytest.raises(InputError, match="line 1") as caught:
        Ledger(path)
    assert caught.value.code == "ledger"


def test_a_full_disk_keeps_rows_back_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.jsonl"
    real = os.write
    full = True

    def write(descriptor: int, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr("ngtpatch.fleet.ledger.os.write", write)
    with Ledger(path) as ledger:
        ledger.add(done("a"))
        ledger.add(done("b"))
        assert path.read_bytes() == b""
        full = False
        ledger.add(failed("c"))
    assert [row["name"] for row in rows(path)] == ["a", "b", "c"]


@pytest.mark.parametrize("call", ["write", "ftruncate"])
def test_a_disk_that_fails_is_told_with_the_ledgers_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "ledger.jsonl"

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(f"ngtpatch.fleet.ledger.os.{call}", fail)
    with pytest.raises(OutputError) as refused, Ledger(path) as ledger:
        ledger.add(done("a"))
    assert (refused.value.exit_code, refused.value.path) == (8, str(path))
