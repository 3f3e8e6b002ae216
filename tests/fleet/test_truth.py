# SPDX-License-Identifier: Apache-2.0
"""What is believed was looked at: the base until the last image, what is kept, the ledger."""

import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ngtpatch.errors import BatchError, InputError, OutputError
from ngtpatch.files.locked import locked
from ngtpatch.fleet.inject import inject, prepare
from ngtpatch.fleet.order import VmResult
from ngtpatch.fleet.run import InjectSummary, run_fleet
from ngtpatch.sample import write_sample
from tests.fleet.mounts import mounted
from tests.fleet.park import ENVIRONMENT, Park, park


def another_base(made: Park) -> Path:
    write_sample(made.root / "other.iso", udf=True, force=True)
    return made.root / "other.iso"


def replaced(made: Park) -> None:
    another_base(made).replace(made.root / "base.iso")


def overwritten(made: Park) -> None:
    """One byte in place, with size and mtime as they were."""
    base = made.root / "base.iso"
    status, at = base.stat(), base.read_bytes().index(b"def main")
    with base.open("r+b") as file:
        file.seek(at)
        file.write(b"DEF")
    os.utime(base, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncated(made: Park) -> None:
    os.truncate(made.root / "base.iso", 100_000)


def touched(made: Park) -> None:
    os.utime(made.root / "base.iso")


def renamed_and_linked(made: Park) -> None:
    (made.root / "base.iso").rename(made.root / "moved.iso")
    (made.root / "base.iso").hardlink_to(made.root / "moved.iso")


def same_content_in_another_file(made: Park) -> None:
    shutil.copy(made.root / "base.iso", made.root / "copy.iso")
    (made.root / "copy.iso").replace(made.root / "base.iso")


def removed(made: Park) -> None:
    (made.root / "base.iso").unlink()


def replaced_by_a_directory(made: Park) -> None:
    removed(made)
    (made.root / "base.iso").mkdir()


def replaced_by_a_socket(made: Park) -> None:
    removed(made)
    os.mknod(made.root / "base.iso", stat.S_IFSOCK | 0o600)


def replaced_by_a_pipe(made: Park) -> None:
    removed(made)
    os.mkfifo(made.root / "base.iso")


def replaced_by_a_circle_of_links(made: Park) -> None:
    removed(made)
    (made.root / "base.iso").symlink_to("base.iso")


def replaced_by_another_vms(made: Park) -> None:
    """One with a key where none may be."""
    key = made.material["vm1"]["config/client-key.pem"]
    with (made.root / "base.iso").open("ab") as file:
        file.write(key + bytes(-len(key) % 2048))


CHANGES = [replaced, overwritten, truncated]
GONE = [
    removed, replaced_by_a_directory, replaced_by_a_socket, replaced_by_a_pipe,
    replaced_by_a_circle_of_links, replaced_by_another_vms,
]  # fmt: skip
HARMLESS = [touched, renamed_and_linked, same_content_in_another_file]


@pytest.mark.parametrize("config_only", [False, True])
@pytest.mark.parametrize("change", [*CHANGES, *GONE, *HARMLESS])
def test_a_base_that_changes_between_plan_and_run(
    tmp_path: Path, change: Callable[[Park], None], config_only: bool
) -> None:
    """As it does while a run waits for another one's lock."""
    made = park(tmp_path / "park", 2)
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates", config_only=config_only,
    )  # fmt: skip
    change(made)
    # A config-only image has nothing of the base's bytes but config/ and its trees.
    same = change in HARMLESS
    same |= config_only and change in (overwritten, replaced_by_another_vms)
    if same:
        assert run_fleet(plan).written == 2
        assert made.wrong() == []
    else:
        with pytest.raises(BatchError) as refused:
            run_fleet(plan)
        assert (refused.value.code, refused.value.exit_code) == ("base-changed", 6)
        assert [p.name for p in made.out.glob("*.iso")] == []


def test_a_base_whose_directory_became_a_file(tmp_path: Path) -> None:
    """One that is gone is gone, whatever the system says of its path."""
    made = park(tmp_path / "park", 1)
    (made.root / "discs").mkdir()
    base = (made.root / "base.iso").rename(made.root / "discs" / "base.iso")
    plan = prepare(
        base, made.root / "vms.csv", str(made.out), certificates=made.root / "certificates"
    )
    (made.root / "discs").rename(made.root / "moved")
    (made.root / "discs").touch()
    with pytest.raises(BatchError, match="there is no such file") as refused:
        run_fleet(plan)
    assert (refused.value.code, refused.value.exit_code) == ("base-changed", 6)


@pytest.mark.parametrize("change", [*CHANGES, *HARMLESS])
def test_a_base_that_changes_in_the_middle(tmp_path: Path, change: Callable[[Park], None]) -> None:
    made = park(tmp_path / "park", 8)
    again = (made.root / "base.iso").read_bytes()
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip
    once = threading.Event()

    def report(outcome: VmResult, done: int, total: int) -> None:
        if done == 2 and not once.is_set():
            once.set()
            change(made)

    summary = run_fleet(plan, jobs=1, report=report)
    assert summary.base_replaced == (change in (replaced, same_content_in_another_file))
    if change in HARMLESS or change is replaced:
        # A file that is replaced stays what it is for who has it open.
        assert summary.failed == 0
        assert made.wrong() == []
    else:
        assert summary.failed >= 4
        assert {one.code for one in summary.failures} == {"base-changed"}
    for name, row in made.rows().items():
        there = (made.out / f"{name}.iso").exists()
        assert there == (row["state"] == "done")
        assert not there or made.right(name)
    # With the base back, the same command completes; with another one, nothing of it is kept.
    (made.root / "base.iso").unlink()
    (made.root / "base.iso").write_bytes(again)
    again_made = resumed(made)
    assert (again_made.failed, again_made.kept) == (0, 8 - summary.failed)
    assert made.wrong() == []
    replaced(made)
    assert resumed(made).kept == 0


def resumed(made: Park) -> InjectSummary:
    """Run again, in this process: starting another one costs more than what is tried here."""
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates",
    )  # fmt: skip
    return run_fleet(plan, resume=True)


def vendor_byte(made: Park, name: str) -> int:
    return (made.out / f"{name}.iso").read_bytes().index(b"def main")


def test_a_kept_image_was_looked_at(tmp_path: Path) -> None:
    """A byte of the vendor's was changed: by its times, and by --digest where they were forged."""
    made = park(tmp_path / "park", 3)
    assert made.inject().returncode == 0
    with (made.out / "vm1.iso").open("r+b") as file:
        file.seek(vendor_byte(made, "vm1"))
        file.write(b"DEF")
    os.utime(made.out / "vm2.iso")  # touched only
    run = made.inject("--resume", "--json")
    assert (json.loads(run.stdout)["written"], json.loads(run.stdout)["kept"]) == (1, 2)
    assert made.wrong() == []
    # The ledger says the times of a file whose content is another: only reading shows it.
    image = made.out / "vm3.iso"
    with image.open("r+b") as file:
        file.seek(vendor_byte(made, "vm3"))
        file.write(b"DEF")
    status = image.stat()
    rows = made.rows()
    rows["vm3"] |= {"modified_ns": status.st_mtime_ns, "changed_ns": status.st_ctime_ns}
    text = "".join(json.dumps(row) + "\n" for row in rows.values())
    (made.out / "ledger.jsonl").write_text(text)
    run = made.inject("--resume", "--digest", "--json")
    assert (json.loads(run.stdout)["written"], json.loads(run.stdout)["kept"]) == (1, 2)
    assert b"DEF" not in image.read_bytes()
    assert None not in {row["sha256"] for row in made.rows().values()}


def test_the_ledger_cut_at_every_byte_of_a_row(tmp_path: Path) -> None:
    from ngtpatch.fleet.ledger import Ledger

    made = park(tmp_path / "park", 2)
    assert made.inject().returncode == 0
    ledger = made.out / "ledger.jsonl"
    data = ledger.read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(first, len(data)):
        ledger.write_bytes(data[:cut])
        with Ledger(ledger) as read:
            assert read.known("vm1.iso") is not None
            assert read.known("vm2.iso") is None
        assert ledger.read_bytes() == data[:first]
    assert "2 kept" in made.inject("--resume").stdout
    assert len(made.rows()) == 2


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Park:
    made = park(tmp_path_factory.mktemp("one") / "park", 1)
    assert resumed(made).written == 1
    return made


FAILED = (
    b'{"schema": "ngtpatch.ledger/1", "name": "vm9", "state": "failed", "output": "vm9.iso", '
    b'"vm_uuid": null, "code": "x", "error": "x"}'
)


@pytest.mark.parametrize(
    "tail",
    [
        b"notes of mine, without an end of line",
        b'{"schema": "ngtpatch.ledger/2", "name": "vm9"',
        b'{"name": "vm9"',
        b"\n",
        b"\x00" * 4096,
        b'{"schema": "ngtpatch.ledger/1", "name": ' + b"[" * 60_000 + b"\n",
        b'{"schema": "ngtpatch.ledger/1", "name": "' + b"x" * 100_000 + b'"',
        b'{"schema": "ngtpatch.ledger/1", "name": "x"}\n',
        *(
            FAILED.replace(b"vm9.iso", output) + b"\n"
            for output in (b"../../x", b"/etc/shadow", b"..", b"a/b", b"a\\\\b", b"", b".hidden")
        ),
        FAILED + b"\r\n",
        b"\xef\xbb\xbf" + FAILED + b"\n",
        FAILED.decode().encode("utf-16"),
        gzip.compress(b"{}", mtime=0),
    ],
    ids=range(19),
)
def test_what_is_not_a_row_is_never_dropped(one: Park, tail: bytes) -> None:
    ledger = one.out / "ledger.jsonl"
    sound = ledger.read_bytes()
    ledger.write_bytes(sound + tail)
    try:
        with pytest.raises(InputError) as caught:
            resumed(one)
        assert (caught.value.code, caught.value.exit_code) == ("ledger", 3)
        assert "line 2" in caught.value.message
        assert ledger.read_bytes() == sound + tail
    finally:
        ledger.write_bytes(sound)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"notes of mine\n"),
        lambda path: os.truncate(path, 10),
        lambda path: path.write_bytes(path.read_bytes().replace(b"vm1.iso", b"vm2.iso")),
        lambda path: path.write_bytes(path.read_bytes() + FAILED + b"\n"),
        lambda path: shutil.copy(path, f"{path}.new") and Path(f"{path}.new").replace(path),
        lambda path: path.rename(f"{path}.old") and path.symlink_to(f"{path}.old"),
    ],
    ids=["overwritten", "truncated", "changed", "longer", "saved-by-an-editor", "a-link"],
)
def test_a_ledger_that_another_program_writes_to_is_no_success(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    made = park(tmp_path / "park", 40)
    ledger, data = made.out / "ledger.jsonl", list[bytes]()

    def meanwhile() -> None:
        change(ledger)
        data.append(ledger.read_bytes())

    run = made.inject_while(meanwhile, "--json")
    assert run.returncode == 8, run.stderr
    error = json.loads(run.stdout)["error"]
    assert (error["code"], error["path"]) == ("ledger-changed", str(ledger))
    # Rows were appended; nothing was put in the place of what the other wrote.
    assert ledger.read_bytes().startswith(data[0])
    ledger.rename(made.root / "away")
    run = made.inject("--config-only", "--resume")
    assert (run.returncode, "40 kept" in run.stdout) == (0, True)
    assert made.wrong() == []


def test_a_ledger_that_is_moved_away_is_written_anew(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 40)
    ledger = made.out / "ledger.jsonl"
    run = made.inject_while(lambda: ledger.rename(made.root / "away"))
    assert run.returncode == 0, run.stderr
    assert len(made.rows()) == 40
    assert made.wrong() == []


def moved(made: Park) -> None:
    made.out.rename(made.root / "away")


def moved_with_all(made: Park) -> None:
    made.root.rename(made.root.parent / "elsewhere")


def another_in_its_place(made: Park) -> None:
    moved(made)
    made.out.mkdir()


@pytest.mark.parametrize("change", [moved, moved_with_all, another_in_its_place])
def test_a_directory_that_is_moved_ends_the_run(
    tmp_path: Path, change: Callable[[Park], None]
) -> None:
    made = park(tmp_path / "park", 40)
    run = made.inject_while(lambda: change(made), "--json")
    assert run.returncode == 8, run.stderr
    error = json.loads(run.stdout)["error"]
    assert (error["code"], error["path"]) == ("output-moved", str(made.out))
    # Nothing is put into another directory, and not each of the VMs that are left is tried.
    assert not list(tmp_path.glob("park/out/*"))
    if change is moved_with_all:
        (made.root.parent / "elsewhere").rename(made.root)
    else:
        shutil.rmtree(made.out, ignore_errors=True)
        (made.root / "away").rename(made.out)
    rows = made.rows()
    assert 2 <= len(rows) < 10
    assert {row["state"] for row in rows.values()} == {"done"}
    assert made.listing() == {"ledger.jsonl", *(f"{name}.iso" for name in rows)}
    assert made.inject("--config-only", "--resume").returncode == 0
    assert made.wrong() == []


class LateWorkers(ProcessPoolExecutor):
    """Workers that begin when *change* was made."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__(2, mp_context=get_context("spawn"))
        self._change: Callable[[], object] | None = change

    def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
        if self._change is not None:
            self._change()
            self._change = None
        return super().submit(*arguments, **named)


@pytest.mark.parametrize("change", [moved, another_in_its_place])
def test_workers_that_begin_later_write_to_the_directory_that_is_held(
    tmp_path: Path, change: Callable[[Park], None]
) -> None:
    made = park(tmp_path / "park", 4)
    with LateWorkers(lambda: change(made)) as executor, pytest.raises(OutputError) as raised:
        inject(
            made.root / "base.iso", made.root / "vms.csv", made.out, config_only=True,
            certificates=made.root / "certificates", executor=executor,
        )  # fmt: skip
    assert raised.value.code == "output-moved"
    assert not list(tmp_path.glob("park/out/*"))
    assert {path.name for path in (made.root / "away").iterdir()} == {".ngtpatch", "ledger.jsonl"}


def test_a_directory_that_is_moved_while_it_is_waited_for(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    (made.out / ".ngtpatch").mkdir(parents=True)
    with locked(made.out / ".ngtpatch/1-of-1.lock", wait=0, mode=0o600):
        run = subprocess.Popen(
            made.arguments("--wait", 60), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        )
        while not (made.out / ".ngtpatch/gate.lock").exists():
            assert run.poll() is None
            time.sleep(0.01)
        moved(made)
        errors = run.communicate()[1]
    assert run.returncode == 8
    assert f"{made.out}: is not the directory any more" in errors


def test_a_row_is_what_the_schema_says(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    made.give("vm2", {**made.material["vm2"], "config/client-key.pem": b"no key"})
    assert made.inject().returncode == 6
    schema = json.loads(made.ngtpatch("schema", "ledger").stdout)
    assert {row["state"] for row in made.rows().values()} == {"done", "failed"}
    for row in made.rows().values():
        assert set(schema["required"]) <= set(row) <= set(schema["properties"])
        jsonschema.validate(row, schema)
    row = json.loads(FAILED)
    jsonschema.validate(row, schema)
    for output in ("../../x", "/etc/shadow", "..", ""):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**row, "output": output}, schema)


def test_a_name_that_windows_keeps_for_a_device_is_named(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    (made.root / "vms.csv").write_text("name\nvm1\ncon\nLPT1.web\nconsole\n")
    run = made.inject("--config-only", "--json")
    message = json.loads(run.stdout)["error"]["message"]
    assert run.returncode == 3
    assert [line.split(":")[0] for line in message.splitlines() if "device" in line] == [
        "  row 3, column name", "  row 4, column name",
    ]  # fmt: skip


def test_rows_that_the_disk_has_no_room_for_are_no_success(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 24)
    with mounted(tmp_path, "ext4", 4 << 20) as point:
        out = point / "out"
        plan = prepare(
            made.root / "base.iso", made.root / "vms.csv", str(out),
            certificates=made.root / "certificates",
        )  # fmt: skip
        filler = point / "filler"

        def fill(outcome: VmResult, done: int, total: int) -> None:
            if done == 2:
                with filler.open("wb", buffering=0) as file, suppress(OSError):
                    while True:
                        file.write(bytes(512))

        with pytest.raises(OutputError, match="lacks the rows of") as refused:
            run_fleet(plan, jobs=1, report=fill)
        assert (refused.value.code, refused.value.path) == ("disk-full", str(out / "ledger.jsonl"))
        filler.unlink()
        small = made.root / "few.csv"
        small.write_text("\n".join(["name", *list(made.material)[:8]]) + "\n")
        again = prepare(
            made.root / "base.iso", small, str(out), certificates=made.root / "certificates"
        )
        run_fleet(again, resume=True)
        rows = {
            row["output"]
            for row in map(json.loads, (out / "ledger.jsonl").read_text().split("\n")[:-1])
        }
        assert {path.name for path in out.glob("*.iso")} <= rows


def test_a_base_that_is_replaced_while_a_run_waits_or_works_is_told(tmp_path: Path) -> None:
    """Through the command line: the run holds for as long as another one holds the lock."""
    made = park(tmp_path / "park", 2)
    before = hashlib.sha256((made.root / "base.iso").read_bytes()).hexdigest()
    made.out.mkdir(mode=0o700)
    (made.out / ".ngtpatch").mkdir(mode=0o700)
    for change, code in ((same_content_in_another_file, 0), (replaced, 6), (removed, 6)):
        lock, gate = (made.out / ".ngtpatch" / name for name in ("1-of-1.lock", "gate.lock"))
        gate.unlink(missing_ok=True)
        with locked(lock, wait=0, mode=0o600):
            waiting = subprocess.Popen(
                made.arguments("--resume", "--wait", 60, "--json"), env=ENVIRONMENT,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            # It holds the base open when it has planned, and asks for the directory then.
            while not gate.exists():
                assert waiting.poll() is None, waiting.communicate()
                time.sleep(0.02)
            change(made)
        out, _ = waiting.communicate()
        assert waiting.returncode == code, out
        if code:
            assert json.loads(out)["error"]["code"] == "base-changed"
        else:
            assert json.loads(out)["written"] == 2
            assert {row["base_sha256"] for row in made.rows().values()} == {before}
