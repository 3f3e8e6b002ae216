# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch push``: by the real SDK, boto3 and HTTPS, against the stand-in and moto."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ngtpatch import IdentityRequest, rebuild
from ngtpatch.files.wellknown import KEY
from ngtpatch.sample import write_sample
from tests.fleet.park import Park, betrayed, park
from tests.prism_central.conftest import Central, Library
from tests.prism_central.stand_in import API_KEY, IMAGE, Fault, answers, cut, model, slow

INSERT, EJECT = r"\$actions/insert$", r"\$actions/eject$"


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Two ISOs that may be everybody's: without identity. What else they are, push does not ask."""
    directory = tmp_path_factory.mktemp("shared")
    found = []
    for payload in (0, 4096):
        base, output = directory / f"{payload}.iso", directory / f"{payload}-stripped.iso"
        write_sample(base, payload=payload)
        rebuild(base, distros=(), output=output, identity=IdentityRequest(strip=True))
        found.append(output.read_bytes())
    return found[0], found[1]


@pytest.fixture
def iso(tmp_path: Path, shared: tuple[bytes, bytes]) -> Path:
    path = tmp_path / "ngt-rocky.iso"
    path.write_bytes(shared[0])
    return path


@pytest.fixture
def other(tmp_path: Path, shared: tuple[bytes, bytes]) -> Path:
    path = tmp_path / "other.iso"
    path.write_bytes(shared[1])
    return path


@pytest.fixture
def vm(central: Central) -> str:
    return central.state.add_vm("web-01", drives=2)


def names(central: Central) -> list[str]:
    return [image.name for image in central.state.images.values()]


def test_the_image_alone(central: Central, bucket: Library, iso: Path) -> None:
    ran = central.push(iso, "--json")
    assert ran.exit_code == 0, ran.stderr
    [image] = central.state.images.values()
    told = ran.document
    assert (ran.exit_code, told["action"], told["created"]) == (0, "stored", True)
    assert (image.name, image.type) == (iso.name, "ISO_IMAGE")
    assert image.checksum.hex_digest == hashlib.sha256(iso.read_bytes()).hexdigest()
    assert (told["image_ext_id"], bucket.objects()) == (image.ext_id, [])
    again = central.push(iso, "--json").document
    assert (again["action"], again["created"]) == ("stored", False)
    assert again["image_ext_id"] == image.ext_id
    assert names(central) == [iso.name]


def test_into_a_drive_and_out_again(central: Central, bucket: Library, iso: Path, vm: str) -> None:
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["action"], ran.document["drive"]) == (
        0, "attached", "SATA.0",
    )  # fmt: skip
    assert central.state.discs(vm) == [iso.name]
    assert central.state.images[ran.document["image_ext_id"]].cluster_location_ext_ids
    before = len(central.state.writes())
    assert central.push(iso, "--vm", vm.upper(), "--json").document["action"] == "kept"
    assert len(central.state.writes()) == before
    ran = central.push("--eject", "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["action"]) == (0, "ejected")
    assert central.state.discs(vm) == []
    assert names(central) == [iso.name]
    assert central.push("--eject", "--vm", "web-01", "--json").document["action"] == "nothing"


def test_a_dry_run_changes_nothing(central: Central, bucket: Library, iso: Path, vm: str) -> None:
    ran = central.push(iso, "--vm", "web-01", "-n")
    assert ran.exit_code == 0
    assert "would insert it into SATA.0" in ran.stdout
    assert central.state.writes() == []


def test_what_is_not_called_iso_is_refused_before_anything(central: Central, iso: Path) -> None:
    ran = central.push(iso.rename(iso.with_suffix(".img")), "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (4, "not-iso-name")
    assert central.state.writes() == []


def test_a_disc_that_is_not_seen_in_its_drive_is_no_success(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    def does_nothing(handler: Any) -> bool:
        handler.accepted("vmm.v4.ahv.config.InsertCdRomApiResponse", lambda: None, vm)
        return True

    central.state.faults = [Fault("POST", INSERT, does_nothing, 99)]
    ran = central.push(iso, "--vm", vm, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "not-attached")
    assert central.state.discs(vm) == []


@pytest.mark.parametrize(
    ("method", "path", "kind", "more", "code"),
    [
        ("POST", r"content/images$", "content.CreateImage", [], "image-missing"),
        ("DELETE", "content/images/", "content.DeleteImage", ["--delete-after"], "image-left"),
        ("POST", EJECT, "ahv.config.EjectCdRom", ["--eject"], "not-ejected"),
    ],
)
def test_a_task_that_succeeds_and_does_nothing_is_no_success(
    central: Central, bucket: Library, iso: Path, vm: str,
    method: str, path: str, kind: str, more: list[str], code: str,
) -> None:  # fmt: skip
    def does_nothing(handler: Any) -> bool:
        nobody = "00000000-1111-4222-8333-444444444444"
        handler.accepted(f"vmm.v4.{kind}ApiResponse", lambda: None, nobody, IMAGE)
        return True

    if "--eject" in more:
        assert central.push(iso, "--vm", vm).exit_code == 0
    central.state.faults = [Fault(method, path, does_nothing, 99)]
    words = ["--eject"] if "--eject" in more else [iso, *more]
    ran = central.push(*words, "--vm", vm, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, code), ran.stderr


def test_from_a_url_with_an_api_key(central: Central, iso: Path, other: Path, vm: str) -> None:
    url = "https://mirror.example/ngt.iso"
    central.state.urls[url] = iso.read_bytes()
    key = {"NGTPATCH_PRISM_API_KEY": API_KEY}
    assert central.push(iso, "--vm", "web-01", "--from-url", url, **key).exit_code == 0
    assert central.state.discs(vm) == [iso.name]
    ran = central.push(other, "--json", **key)
    assert (ran.exit_code, ran.document["error"]["code"]) == (2, "needs-password")
    central.state.urls[url] = b"not this ISO"
    ran = central.push(other, "--from-url", url, "--json", **key)
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "task-failed")
    assert "checksum" in ran.stderr
    secret = "https://me:canary@mirror.example/x"
    ran = central.push(other, "--from-url", secret, "--json", **key)
    assert (ran.exit_code, ran.document["error"]["code"]) == (2, "bad-url")
    assert "canary" not in ran.stdout + ran.stderr


def test_another_image_of_the_name_is_not_used(
    central: Central, bucket: Library, iso: Path, other: Path, vm: str
) -> None:
    central.push(iso)
    iso.write_bytes(other.read_bytes())
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (4, "image-exists")
    next(iter(central.state.images.values())).checksum = None
    assert central.push(iso, "--json").document["error"]["code"] == "image-exists"
    assert central.state.discs(vm) == []


def test_only_what_this_push_made_is_deleted(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    ran = central.push(iso, "--vm", "web-01", "--delete-after", "--json")
    assert (ran.document["action"], ran.document["deleted"], names(central)) == (
        "attached", True, [],
    )  # fmt: skip
    central.push("--eject", "--vm", "web-01")
    assert central.state.discs(vm) == []
    central.push(iso)
    ran = central.push(iso, "--vm", "web-01", "--delete-after", "--json")
    assert (ran.document["deleted"], names(central)) == (False, [iso.name])
    assert "is not deleted" in ran.stderr


@pytest.mark.parametrize("second", ["cluster's", "ours"])
def test_two_ngt_discs_are_refused(
    central: Central, bucket: Library, iso: Path, other: Path, vm: str, second: str
) -> None:
    if second == "ours":
        central.push(other, "--vm", "web-01")
    else:
        central.state.put_disc(vm, 0)
    there = central.state.discs(vm)
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (4, "tools-disc")
    assert central.state.discs(vm) == there
    assert iso.name not in names(central)
    ran = central.push(iso, "--vm", "web-01", "--replace", "--json")
    assert (ran.exit_code, central.state.discs(vm)) == (0, [iso.name])


def test_no_empty_drive_is_said_before_anything_is_uploaded(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    central.state.put_disc(vm, 0, kind="OTHER")
    central.state.put_disc(vm, 1, kind="GUEST_CUSTOMIZATION")
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (4, "no-empty-drive")
    bare = central.state.add_vm("bare", drives=0)
    ran = central.push(iso, "--vm", bare, "--json")
    assert "has no CD-ROM" in ran.document["error"]["message"]
    assert central.state.writes() == []
    ran = central.push("--eject", "--vm", "web-01", "--json")
    assert ran.document["action"] == "nothing"
    assert len(ran.document["notes"]) == 2


@pytest.mark.parametrize(
    ("named", "code"), [("nobody", "no-such-vm"), ("twin", "vm-ambiguous"), ("o'hara", None)]
)
def test_a_vm_is_one_vm(
    central: Central, bucket: Library, iso: Path, named: str, code: str | None
) -> None:
    for name in ("twin", "twin", "o'hara"):
        central.state.add_vm(name)
    ran = central.push(iso, "--vm", named, "--json")
    assert (ran.exit_code, ran.document.get("error", {}).get("code")) == (4 if code else 0, code)
    if code:
        assert central.state.writes() == []


def test_a_vm_changed_between_reading_and_writing(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    def meanwhile(_: Any) -> bool:
        central.state.put_disc(vm, 0, kind="OTHER")
        return False

    central.state.faults = [Fault("POST", INSERT, meanwhile)]
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["drive"]) == (0, "SATA.1")
    assert central.state.discs(vm) == ["OTHER", iso.name]
    assert "looking again" in ran.stderr


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", INSERT, answers(429, Retry_After="1")),
        Fault("POST", INSERT, cut),
        Fault("POST", r"content/images$", answers(503)),
        Fault("POST", r"content/images$", cut),
        Fault("GET", r"config/tasks/", answers(500)),
        Fault("GET", r"config/tasks/", cut),
        Fault("S3 PUT", "", answers(503)),
        Fault("POST", INSERT, slow(1.5)),
    ],
    ids=lambda fault: f"{fault.method} {fault.path}",
)
def test_what_passes_leaves_one_image_and_one_disc(
    central: Central, bucket: Library, iso: Path, vm: str, fault: Fault
) -> None:
    fault.times = 1
    central.state.faults = [fault]
    ran = central.push(iso, "--vm", "web-01", "--timeout", 1)
    assert ran.exit_code == 0, ran.stderr
    assert (names(central), central.state.discs(vm)) == ([iso.name], [iso.name])


def test_a_task_that_fails_or_vanishes(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    central.state.fail_next = ["no space \x1b[31mleft"]
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "task-failed")
    assert "no space" in ran.stderr
    assert "\x1b" not in ran.stderr
    assert central.state.discs(vm) == []

    def vanish(_: Any) -> bool:
        central.state.tasks.clear()
        return False

    central.state.faults = [Fault("GET", "config/tasks/", vanish)]
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "task-vanished")
    central.state.polls = 99
    ran = central.push(iso, "--vm", "web-01", "--wait", 1, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "task-lost")
    central.state.polls = 1
    for work in central.state.tasks.values():
        work.polls = 1
    assert central.push(iso, "--vm", "web-01").exit_code == 0
    assert (names(central), central.state.discs(vm)) == ([iso.name], [iso.name])


def test_an_insertion_that_failed_is_tried_once_more(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    central.push(iso)
    central.state.fail_next = ["busy"]
    assert central.push(iso, "--vm", "web-01").exit_code == 0
    assert central.state.discs(vm) == [iso.name]
    central.push("--eject", "--vm", "web-01")
    central.state.fail_next = ["busy", "busy"]
    assert central.push(iso, "--vm", "web-01").exit_code == 7
    assert central.push(iso, "--vm", "web-01").exit_code == 0


def test_what_prism_central_does_not_say_is_said(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    central.state.tells_sources = False
    ran = central.push(iso, "--vm", "web-01", "--json")
    assert (ran.exit_code, ran.document["action"]) == (0, "attached")
    assert "does not say which image" in ran.stderr + " ".join(ran.document["notes"])
    assert central.push(iso, "--vm", "web-01", "--json").document["action"] == "kept"
    assert central.push("--eject", "--vm", "web-01", "--json").document["action"] == "ejected"
    assert central.state.discs(vm) == []


def test_the_stand_in_refuses_what_prism_central_would(central: Central, vm: str) -> None:
    from tests.prism_central.stand_in import BadRequestError, parsed

    kind = "vmm.v4.ahv.config.CdRomInsertParams"
    with pytest.raises(BadRequestError, match="unknown fields"):
        parsed({"backingInfo": {}, "isoPath": "x"}, kind)
    with pytest.raises(BadRequestError, match="objectType"):
        parsed({"backingInfo": {"dataSource": {"reference": {"imageExtId": vm}}}}, kind)
    assert model(kind).attribute_map["backing_info"] == "backingInfo"


# identity ------------------------------------------------------------------------------------


@pytest.fixture
def made(central: Central, tmp_path: Path) -> Park:
    """Two VMs, each with an image of its own from inject, and a base."""
    made = park(tmp_path / "park", 2)
    assert made.inject().returncode == 0
    for name in made.material:
        central.state.add_vm(name)
    return made


def uuid_of(central: Central, name: str) -> str:
    return next(key for key, vm in central.state.vms.items() if vm.name == name)


def test_identity_goes_to_its_vm_alone_and_out_of_the_library(
    central: Central, bucket: Library, made: Park
) -> None:
    iso, ledger = made.out / "vm1.iso", made.out / "ledger.jsonl"
    refused: dict[str, list[object]] = {
        "identity-shared": [iso],
        "identity-unmapped": [iso, "--vm", "vm1"],
        "other-vm": [iso, "--vm", "vm2", "--ledger", ledger],
    }
    for code, words in refused.items():
        ran = central.push(*words, "--json")
        assert (ran.exit_code, ran.document["error"]["code"]) == (4, code)
    url = "https://mirror.example/vm1.iso"
    ran = central.push(iso, "--vm", "vm1", "--ledger", ledger, "--from-url", url, "--json")
    assert ran.document["error"]["code"] == "identity-shared"
    assert central.state.writes() == []
    ran = central.push(iso, "--vm", "vm1", "--ledger", ledger, "--json")
    assert (ran.exit_code, ran.document["action"], ran.document["deleted"]) == (
        0, "attached", True,
    )  # fmt: skip
    assert central.state.discs(uuid_of(central, "vm1")) == ["vm1.iso"]
    assert (names(central), bucket.objects()) == ([], [])
    assert central.push(iso, "--vm", "vm1", "--ledger", ledger, "--json").document["action"] == (
        "kept"
    )
    assert (names(central), bucket.objects()) == ([], [])
    ran = central.push("--eject", "--vm", "vm1", "--json")
    assert ran.document["action"] == "ejected"
    key = made.material["vm1"]["config/client-key.pem"]
    for path in central.directory.joinpath("state").rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o777 == 0o600
            assert not betrayed(key, path.read_bytes())


def test_an_inventory_may_name_the_vm_by_its_uuid(
    central: Central, bucket: Library, made: Park, tmp_path: Path
) -> None:
    vm1, vm2 = (uuid_of(central, name) for name in ("vm1", "vm2"))
    iso = made.out / "vm1.iso"
    for vm_uuid, code in ((vm2, "other-vm"), (vm1, None)):
        inventory = made.root / "mine.csv"
        inventory.write_text(
            f"name,vm_uuid,config\nanything,{vm_uuid},certificates/vm1/ngt_config.json\n"
        )
        ran = central.push(iso, "--vm", "vm1", "--inventory", inventory, "--json")
        assert ran.document.get("error", {}).get("code") == code
    assert central.state.discs(vm1) == ["vm1.iso"]


def test_a_push_that_fails_leaves_no_identity(
    central: Central, bucket: Library, made: Park
) -> None:
    central.state.faults = [Fault("POST", INSERT, answers(403), 9)]
    arguments = [made.out / "vm1.iso", "--vm", "vm1", "--ledger", made.out / "ledger.jsonl"]
    ran = central.push(*arguments, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "forbidden")
    assert (names(central), bucket.objects()) == ([], [])
    central.state.faults = [
        Fault("POST", INSERT, answers(403), 9), Fault("DELETE", "content/images", answers(403), 9),
    ]  # fmt: skip
    ran = central.push(*arguments, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "identity-left")
    central.state.faults = []
    assert central.push(*arguments).exit_code == 0
    assert (names(central), bucket.objects()) == ([], [])


LARGE = "NGTPATCH_TEST_PUSHED" in os.environ  # make pushes
KILLS = [("identity", "after")]
if LARGE:
    KILLS += [("identity", "before"), ("shared", "after"), ("shared", "before")]


@pytest.mark.parametrize(("what", "when"), KILLS)
def test_killed_at_every_change_the_same_command_ends_well(
    central: Central, bucket: Library, made: Park, iso: Path, what: str, when: str
) -> None:
    """SIGKILL when the n-th change is asked for, or when it was done and is not yet answered."""
    if what == "shared":
        arguments: list[object] = [iso, "--vm", "vm1"]
        left = [iso.name]
    else:
        arguments = [made.out / "vm1.iso", "--vm", "vm1", "--ledger", made.out / "ledger.jsonl"]
        left = []
    vm1, disc = uuid_of(central, "vm1"), Path(str(arguments[0])).name
    central.state.polls = 0
    killed = 0
    while True:
        central.state.log.clear()
        central.state.kill_at = (killed + 1, when)
        ran = central.push(*arguments)
        central.state.kill_at = None
        if ran.exit_code == 0:
            break
        assert ran.exit_code == -9
        killed += 1
        assert central.push(*arguments).exit_code == 0
        assert central.state.discs(vm1) == [disc], f"change {killed}"
        assert names(central) == left, f"change {killed}"
        assert bucket.objects() == [] or what == "shared"
        # As if nothing had been.
        central.push("--eject", "--vm", "vm1")
        central.state.images.clear()
        assert central.state.discs(vm1) == []
    assert killed == (4 if what == "shared" else 6)


# a fleet -------------------------------------------------------------------------------------


def test_a_vm_that_has_no_image_is_a_row(central: Central, bucket: Library, tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    made.give("vm1", {**made.material["vm1"], KEY: made.material["vm2"][KEY]})
    assert made.inject().returncode == 6
    for name in made.material:
        central.state.add_vm(name)
    ran = central.push("--ledger", made.out / "ledger.jsonl", "--json")
    assert (ran.exit_code, ran.document["done"], ran.document["failed"]) == (6, 1, 1)
    [failed] = [vm for vm in ran.document["vms"] if vm["action"] == "failed"]
    assert (failed["name"], failed["code"]) == ("vm1", "no-image")


def test_a_fleet_is_resumable_and_one_failure_is_a_row(
    central: Central, bucket: Library, tmp_path: Path
) -> None:
    size = int(os.environ.get("NGTPATCH_TEST_PUSHED", "24"))  # make pushes: 200
    made = park(tmp_path / "park", size)
    assert made.inject().returncode == 0
    central.state.polls = 0
    for name in made.material:
        if name != "vm7":
            central.state.add_vm(name)
    ledger = made.out / "ledger.jsonl"

    begun = []

    def end(handler: Any) -> bool:
        begun.append(1)
        if len(begun) == size // 2:
            central.state.kill_at = (handler.change, "after")
        return False

    central.state.faults = [Fault("POST", INSERT, end, 999)]
    ran = central.push("--ledger", ledger, "-j", 4)
    assert ran.exit_code == -9
    central.state.kill_at = None
    ran = central.push("--ledger", ledger, "-j", 4, "--json")
    told = ran.document
    assert (ran.exit_code, told["total"], told["failed"]) == (6, size, 1)
    # Of those whose insertion was asked for, the four in flight were not written down.
    assert size // 2 - 4 <= told["skipped"] < size // 2
    assert told["done"] + told["skipped"] == size - 1
    [failed] = [vm for vm in told["vms"] if vm["action"] == "failed"]
    assert (failed["name"], failed["code"]) == ("vm7", "no-such-vm")
    assert (names(central), bucket.objects()) == ([], [])
    for vm in central.state.vms.values():
        assert central.state.discs(vm.ext_id) == [f"{vm.name}.iso"]
    central.state.add_vm("vm7")
    ran = central.push("--ledger", ledger, "--json")
    assert (ran.exit_code, ran.document["done"], ran.document["skipped"]) == (0, 1, size - 1)
    rows = [json.loads(line) for line in (made.out / "push.jsonl").read_text().splitlines()]
    assert {row["key"] for row in rows if row.get("state") == "done"} == set(made.material)
    for name, material in made.material.items():
        assert not betrayed(
            material["config/client-key.pem"], (made.out / "push.jsonl").read_bytes()
        ), name


def test_a_second_signal_does_not_wait_for_a_cluster_that_hangs(
    central: Central, bucket: Library, tmp_path: Path
) -> None:
    made = park(tmp_path / "park", 6)
    assert made.inject().returncode == 0
    for name in made.material:
        central.state.add_vm(name)
    second = []

    def end(handler: Any) -> bool:
        os.kill(central.state.client, signal.SIGTERM)
        time.sleep(2.2)  # what comes just after a signal means the same
        second.append(time.monotonic())
        os.kill(central.state.client, signal.SIGTERM)
        while Path(f"/proc/{central.state.client}").exists() and time.monotonic() < second[0] + 20:
            time.sleep(0.05)
        return cut(handler)

    ledger = made.out / "ledger.jsonl"
    central.state.faults = [Fault("POST", INSERT, end, 1)]
    ran = central.push("--ledger", ledger, "-j", 2)
    assert ran.exit_code == 130
    assert time.monotonic() - second[0] < 10
    assert "interrupted at once: what was in flight is not finished" in ran.stderr
    ran = central.push("--ledger", ledger, "--json")
    assert (ran.exit_code, ran.document["done"] + ran.document["skipped"]) == (0, 6)
    assert (names(central), bucket.objects()) == ([], [])
    for vm in central.state.vms.values():
        assert central.state.discs(vm.ext_id) == [f"{vm.name}.iso"]
