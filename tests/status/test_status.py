# SPDX-License-Identifier: Apache-2.0
"""The state of VMs, from reports as they come: whole, cut, coloured, re-typed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ngtpatch.errors import InputError
from ngtpatch.listing import Reported, read_listing
from ngtpatch.status import read_status
from ngtpatch.status.advice import STEPS, advise
from tests.identity.material import LIFETIME, NOW, certificate, private_key

CLUSTER = "00056d28-59d3-7bbc-0000-000000014005"
WEB, DB = "20edafba-0644-4e57-a3cf-4abef2f69a5f", "c8a9e9d2-c47e-4772-9947-4505b4287078"


def record(
    uuid: str, name: str, *, enabled: str = "true", mounted: str = "false", link: str = "true"
) -> str:
    """One record as ncli prints it: four blanks, the label in 26 columns."""
    rows = {
        "VM Id": f"{CLUSTER}::{uuid}",
        "VM Name": name,
        "NGT Enabled": enabled,
        "Tools ISO Mounted": mounted,
        "Vss Snapshot": "true",
        "File Level Restore": "false",
        "Communication Link Active": link,
    }
    return "".join(f"    {label:<26}: {value}\n" for label, value in rows.items())


def report(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "report"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# The four occasions on which ncli's output was published, in shape.
PUBLISHED = {
    "list by name at the prompt": (
        "ncli\n\n<ncli> ngt list vm-names=RockyLinuxVM\n\n"
        + record(DB, "RockyLinuxVM", link="true \u2605")
        + "\n<ncli> \n",
        [("RockyLinuxVM", True, False, True)],
    ),
    "get after a renewal": (
        f"$ ncli ngt get vm-id={WEB}\n"
        + record(WEB, "Windows Server 2016 Template", mounted="true"),
        [("Windows Server 2016 Template", True, True, True)],
    ),
    "two gets in a row": (
        f"$ ncli ngt get vm-id={WEB}\n" + record(WEB, "NGT-Windows Server 2019-Clone01")
        + f"$ ncli ngt get vm-id={DB}\n" + record(DB, "NGT-Windows Server 2019-Clone02"),
        [("NGT-Windows Server 2019-Clone01", True, False, True),
         ("NGT-Windows Server 2019-Clone02", True, False, True)],
    ),
    "list with a quoted name": (
        '<ncli> ngt list vm-names="NGT-Windows Server 2019"\n'
        + record(WEB, "NGT-Windows Server 2019").rstrip("\n") + " \n",
        [("NGT-Windows Server 2019", True, False, True)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_shapes_are_read(tmp_path: Path, name: str) -> None:
    text, expected = PUBLISHED[name]
    vms = read_listing(report(tmp_path, text)).vms
    assert [(vm.name, vm.enabled, vm.mounted, vm.link_active) for vm in vms] == expected
    assert {vm.vm_uuid for vm in vms} <= {WEB, DB}


TWO = record(WEB, "web: a::b") + "\n" + record(DB, "データベース", enabled="false", link="false")


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        TWO.replace("\n\n", "\n"),
        TWO.replace("\n", "\r\n"),
        "\n".join(line.strip() for line in TWO.splitlines()),
        TWO.replace("true", "\x1b[32mtrue\x1b[0m"),
        "2020-12-12 09:00:59,358Z:24911(0x7fa2):ZOO_INFO@log_env@960: noise\n" + TWO,
        TWO.replace(WEB, WEB.upper()),
        TWO.replace("true", "True").replace("false", "False"),
        "\ufeff" + TWO,
        TWO.encode("utf-16"),
        TWO + TWO,
    ],
    ids=["plain", "no blank line", "CRLF", "indentation lost", "coloured", "log noise",
         "upper case", "capitals", "BOM", "UTF-16", "twice"],
)  # fmt: skip
def test_awkward_text_is_read(tmp_path: Path, text: str | bytes) -> None:
    web, database = read_listing(report(tmp_path, text)).vms
    assert web == Reported(WEB, "web: a::b", True, False, True)
    assert database == Reported(DB, "データベース", False, False, False)


def test_what_is_cut_off_is_unknown_and_not_guessed(tmp_path: Path) -> None:
    cut = record(WEB, "web").split("    Tools ISO")[0] + "\n" + record(DB, "db", link="")
    web, database = read_listing(report(tmp_path, cut)).vms
    assert (web.enabled, web.mounted, web.link_active) == (True, None, None)
    assert database.link_active is None


def guest_tools(**values: object) -> dict[str, object]:
    return {"$objectType": "vmm.v4.ahv.config.GuestTools", "capabilities": [], **values}


VMS = [
    {"extId": WEB, "name": "web", "guestTools": guest_tools(
        isEnabled=True, isIsoInserted=False, isReachable=True, isInstalled=True, version="4.1")},
    {"extId": DB, "name": "db", "guestTools": None},
]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"data": VMS, "metadata": {"totalAvailableResults": 2}}),
        json.dumps(VMS),
        "\n".join(json.dumps({"data": vm}) for vm in VMS),
        "\n".join(json.dumps(vm) for vm in VMS),
        json.dumps([{"data": [VMS[0]]}, {"data": [VMS[1]]}]),
    ],
    ids=["page", "list", "single answers", "lines", "list of pages"],
)
def test_prism_s_json_is_read(tmp_path: Path, text: str) -> None:
    assert read_listing(report(tmp_path, text)).vms == (
        Reported(WEB, "web", True, False, True, True, "4.1"),
        Reported(DB, "db", False, None, None),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty: it reports no VM"),
        ("Error: VM with id x not found\n", "begins: Error: VM with id x"),
        ("{", "is not JSON"),
        ('{"data": {"isEnabled": true, "isReachable": true}}', "without the VM's extId"),
        ('{"entities": []}', "reports no VM"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_report_is_refused_with_what_to_give(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_listing(report(tmp_path, text))
    assert caught.value.hint is not None
    assert "ncli ngt list" in caught.value.hint


def inventory(tmp_path: Path, rows: dict[str, tuple[str, int]]) -> Path:
    """Write a CSV of name -> (VM UUID, days that the certificate has left)."""
    lines = ["name,vm_uuid,cert"]
    for name, (uuid, days) in rows.items():
        folder = tmp_path / name
        folder.mkdir()
        end = NOW + timedelta(days=days)
        issued = certificate(private_key("p256"), begin=end - LIFETIME, end=end)
        (folder / "client-cert.pem").write_bytes(issued.public_bytes(Encoding.PEM))
        lines.append(f"{name},{uuid},{name}/client-cert.pem")
    path = tmp_path / "vms.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_inventory_adds_certificates_and_vms_that_the_cluster_lacks(tmp_path: Path) -> None:
    path = report(tmp_path, record(WEB.upper(), "renamed") + "\n" + record(DB, "db"))
    lost = "4f10def8-c3c5-4757-b46e-5708f2ece29c"
    listed = inventory(tmp_path, {"web": (WEB, 30), "lost": (lost, 500), "db": ("", 400)})
    status = read_status([path], inventory=listed, now=NOW)
    assert [(vm.name, vm.vm_uuid, vm.days_left, vm.next_code, vm.ok) for vm in status.vms] == [
        ("renamed", WEB, 30, "renew", False),
        ("db", DB, 400, "ok", True),
        ("lost", lost, 500, "find-vm", False),
    ]
    assert not status.ok
    assert read_status([path], inventory=listed, now=NOW, warn_days=29).vms[0].ok


def test_a_vm_that_may_be_on_another_page_is_not_said_to_be_lost(tmp_path: Path) -> None:
    page = tmp_path / "page.json"
    page.write_text(json.dumps({
        "data": [{"extId": WEB, "name": "web", "guestTools": {"isEnabled": True}}],
        "metadata": {"totalAvailableResults": 2},
    }))  # fmt: skip
    listed = inventory(tmp_path, {"web": (WEB, 500), "db": (DB, 500)})
    found = read_status([page], inventory=listed, now=NOW)
    assert found.complete is False
    (lost,) = (vm for vm in found.vms if vm.name == "db")
    assert (lost.next_code, lost.ok) == ("list-all", False)
    assert "deleted" not in lost.next_step


def test_a_later_report_overrides_an_earlier(tmp_path: Path) -> None:
    first = report(tmp_path, record(WEB, "web", link="false"))
    second = tmp_path / "second"
    second.write_text(record(WEB, "web"))
    assert read_status([first]).ok is False
    assert read_status([first, second]).ok is True


@pytest.mark.parametrize(
    ("vm", "days", "code"),
    [
        (Reported(WEB, "w", True, False, True), None, "ok"),
        (Reported(WEB, "w", True, False, True), 91, "ok"),
        (Reported(WEB, "w", True, False, True), 90, "renew"),
        (Reported(WEB, "w", True, False, True), 0, "renew"),
        (Reported(WEB, "w", True, False, True), -1, "renew-expired"),
        (Reported(WEB, "w", True, True, True), 500, "eject"),
        (Reported(WEB, "w", True, True, False), 500, "restart-agent"),
        (Reported(WEB, "w", True, False, False), 500, "mount"),
        (Reported(WEB, "w", True, False, False), -5, "renew-expired"),
        (Reported(WEB, "w", True, False, False, installed=False), 500, "install"),
        (Reported(WEB, "w", False, False, False), -5, "enable"),
        (Reported(WEB, "w", None, None, None), None, "ask-again"),
        (None, 500, "find-vm"),
    ],
)
def test_the_next_step_is_the_one_that_waits_for_nothing(
    vm: Reported | None, days: int | None, code: str
) -> None:
    advice = advise(vm, days_left=days, warn_days=90)
    assert advice.code == code
    assert advice.well == (code in {"ok", "eject"})
    assert "{" not in advice.step
    assert advice.step.split(":")[0].split(" ")[0] == STEPS[code].split(":")[0].split(" ")[0]


def test_one_day_is_singular() -> None:
    advice = advise(Reported(WEB, "w", True, False, True), days_left=1, warn_days=90)
    assert "ends in 1 day:" in advice.step
