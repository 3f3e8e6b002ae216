# SPDX-License-Identifier: Apache-2.0
"""One truth about three VMs, in every form in which people hold it.

The v4 forms are made by the official SDK's own models: what its client sends and its
``to_dict()`` writes, not what we believe that it does.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.identity.inventory import load
from ngtpatch.listing import Reported, VmListing, read_listing, read_listings
from tests.render.tools import ngtpatch
from tests.status.test_status import DB, WEB, record

OLD = "4f10def8-c3c5-4757-b46e-5708f2ece29c"
# web works, db has its disc in and does not answer, old has no NGT.
TRUTH = {WEB: (True, False, True), DB: (True, True, False), OLD: (False, None, None)}
NAMES = {WEB: "web-01", DB: "db-01", OLD: "old-01"}


def said(listing: VmListing) -> dict[str | None, tuple[bool | None, ...]]:
    return {vm.vm_uuid: (vm.enabled, vm.mounted, vm.link_active) for vm in listing.vms}


def sdk_answer(*, total: int = 3, link: str | None = None) -> Any:
    from ntnx_vmm_py_client.models.common.v1.response.ApiLink import ApiLink
    from ntnx_vmm_py_client.models.common.v1.response.ApiResponseMetadata import ApiResponseMetadata
    from ntnx_vmm_py_client.models.vmm.v4.ahv.config.GuestTools import GuestTools
    from ntnx_vmm_py_client.models.vmm.v4.ahv.config.Vm import Vm

    vms = []
    for uuid, (enabled, mounted, reachable) in TRUTH.items():
        tools = GuestTools(
            is_enabled=enabled, is_iso_inserted=mounted, is_reachable=reachable,
            is_installed=True, version="4.1", available_version="4.2",
        ) if enabled else None  # fmt: skip
        vms.append(Vm(ext_id=uuid.upper(), name=NAMES[uuid], guest_tools=tools))
    links = [ApiLink(rel="next", href=link)] if link else None
    return vms, ApiResponseMetadata(total_available_results=total, links=links)


def wire(**options: Any) -> dict[str, Any]:
    from ntnx_vmm_py_client import ApiClient

    vms, metadata = sdk_answer(**options)
    clean = ApiClient()._ApiClient__sanitize_for_serialization
    return {"data": clean(vms), "metadata": clean(metadata)}


def to_dict(**options: Any) -> dict[str, Any]:
    vms, metadata = sdk_answer(**options)
    return {"data": [vm.to_dict() for vm in vms], "metadata": metadata.to_dict()}


def ansible(**options: Any) -> dict[str, Any]:
    vms, metadata = sdk_answer(**options)
    return {
        "changed": False,
        "response": [vm.to_dict() for vm in vms],
        "total_available_results": metadata.total_available_results,
    }


def v3() -> dict[str, Any]:
    entities = []
    for uuid, (enabled, mounted, reachable) in TRUTH.items():
        resources: dict[str, Any] = {"memory_size_mib": 4096, "num_sockets": 1}
        if enabled:
            resources["guest_tools"] = {"nutanix_guest_tools": {
                "state": "ENABLED", "ngt_state": "INSTALLED", "version": "4.1",
                "available_version": "4.2", "is_reachable": reachable,
                "iso_mount_state": "MOUNTED" if mounted else "UNMOUNTED"}}  # fmt: skip
        entities.append({
            "metadata": {"uuid": uuid, "kind": "vm"},
            "status": {"name": NAMES[uuid], "resources": resources},
        })  # fmt: skip
    return {"metadata": {"total_matches": 3, "length": 3, "offset": 0}, "entities": entities}


def v1() -> dict[str, Any]:
    entities = []
    for uuid, (enabled, mounted, link) in TRUTH.items():
        tools = None
        if enabled:
            tools = {"enabled": True, "toolsMounted": mounted, "communicationLinkActive": link,
                     "vmUuid": uuid, "installedVersion": "4.1"}  # fmt: skip
        entities.append({"vmName": NAMES[uuid], "uuid": uuid, "nutanixGuestTools": tools})
    return {"metadata": {"totalEntities": 3, "grandTotalEntities": 3}, "entities": entities}


def ncli() -> str:
    word = {True: "true", False: "false", None: "false"}
    return "\n".join(
        record(uuid, NAMES[uuid], enabled=word[e], mounted=word[m], link=word[link])
        for uuid, (e, m, link) in TRUTH.items()
    )


FORMS = {
    "v4 wire": lambda: json.dumps(wire()),
    "SDK to_dict": lambda: json.dumps(to_dict()),
    "ansible": lambda: json.dumps(ansible()),
    "ansible's terminal": lambda: "localhost | SUCCESS => " + json.dumps(ansible(), indent=4),
    "ansible loop": lambda: json.dumps({"results": [ansible()], "changed": False}),
    "v3": lambda: json.dumps(v3()),
    "v1": lambda: json.dumps(v1()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same_of_every_vm(tmp_path: Path, form: str) -> None:
    path = tmp_path / "vms.json"
    path.write_text(FORMS[form]())
    listing = read_listing(path)
    assert said(listing) == TRUTH
    assert (listing.complete, listing.total, listing.missing) == (True, 3, 0)
    assert [(r.name, r.vm_uuid and r.vm_uuid.lower()) for r in load(path).require().rows] == [
        (NAMES[uuid], uuid) for uuid in TRUTH
    ]


def test_ncli_does_not_say_how_many_there_are(tmp_path: Path) -> None:
    path = tmp_path / "ngt.txt"
    path.write_text(ncli())
    listing = read_listing(path)
    assert said(listing)[WEB] == TRUTH[WEB]
    assert (listing.complete, listing.total) == (None, None)


HREF = "https://pc:9440/api/vmm/v4.3/ahv/config/vms?$page={}&$limit=50"


def page(first: int, last: int, *, total: int = 120, number: int | None = None) -> dict[str, Any]:
    tools = {"isEnabled": True, "isInstalled": True, "isReachable": True, "isIsoInserted": False}
    data = [
        {"extId": f"00000000-0000-4000-8000-{n:012}", "name": f"vm{n:03}", "guestTools": tools}
        for n in range(first, last)
    ]
    links = []
    if number is not None:
        links = [{"rel": "self", "href": HREF.format(number)}]
        if last < total:
            links.append({"rel": "next", "href": HREF.format(number + 1)})
    return {"data": data, "metadata": {"totalAvailableResults": total, "links": links}}


def status(*arguments: object) -> tuple[int, dict[str, Any], str]:
    ran = ngtpatch("status", "--json", *arguments)
    return ran.exit_code, json.loads(ran.stdout), ran.stderr


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("how", ["files", "lines", "concatenated", "list"])
def test_pages_are_joined_however_they_lie(tmp_path: Path, how: str, linked: bool) -> None:
    cuts = [(0, 50), (50, 100), (100, 120)]
    pages = [page(*cut, number=n if linked else None) for n, cut in enumerate(cuts)]

    def files(some: list[dict[str, Any]]) -> list[Path]:
        if how == "files":
            texts = [json.dumps(one) for one in some]
        else:
            texts = {
                "lines": ["\n".join(map(json.dumps, some))],
                "concatenated": ["".join(json.dumps(one, indent=1) for one in some)],
                "list": [json.dumps(some)],
            }[how]
        paths = [tmp_path / f"{n}.json" for n in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return paths

    code, told, _ = status(*files(pages))
    assert (code, told["ok"], told["complete"], len(told["vms"])) == (0, True, True, 120)
    code, told, stderr = status(*files([pages[0], pages[2]]))
    assert (code, told["ok"], told["complete"]) == (5, False, False)
    assert (told["total"], told["missing"]) == (120, 50)
    assert "70 of 120" in stderr


def test_a_page_of_a_cluster_is_not_ok_as_an_inventory_either(tmp_path: Path) -> None:
    part, whole = tmp_path / "part.json", tmp_path / "whole.json"
    part.write_text(json.dumps(page(0, 50)))
    whole.write_text(json.dumps(page(0, 50, total=50)))
    code, told, stderr = status(whole, "--inventory", part)
    assert (code, told["complete"]) == (5, False)
    assert "50 of 120" in stderr
    ran = ngtpatch("identity", "check", part, "--json")
    codes = [finding["code"] for finding in json.loads(ran.stdout)["findings"]]
    assert (ran.exit_code, codes.count("incomplete-list")) == (5, 1)


def test_two_clusters_do_not_complete_each_other(tmp_path: Path) -> None:
    first, second = page(0, 100), page(500, 530, total=30)
    path = tmp_path / "both.jsonl"
    path.write_text(json.dumps(first) + "\n" + json.dumps(second))
    listing = read_listing(path)
    assert (listing.complete, listing.missing, len(listing.vms)) == (False, 20, 130)


def test_a_vm_told_of_twice_counts_once(tmp_path: Path) -> None:
    # A VM created meanwhile moved the others: page 2 begins with the last of page 1.
    path = tmp_path / "moved.jsonl"
    path.write_text("\n".join(map(json.dumps, [page(0, 50), page(49, 119)])))
    assert (read_listing(path).complete, read_listing(path).missing) == (False, 1)


def test_a_next_page_without_a_total_is_missed(tmp_path: Path) -> None:
    first = page(0, 50, number=0)
    del first["metadata"]["totalAvailableResults"]
    path = tmp_path / "first.json"
    path.write_text(json.dumps(first))
    code, told, stderr = status(path)
    assert (code, told["complete"], told["total"]) == (5, False, None)
    assert "more follow" in stderr


SELECTED = HREF.format(0) + "&$select={}"


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ({"data": [{"extId": WEB, "name": "w"}], "metadata": {"totalAvailableResults": 1}},
         ["ask-again"]),
        ({"data": [{"extId": WEB, "name": "w", "memorySizeBytes": 1, "powerState": "ON"}],
          "metadata": {"links": [{"rel": "self", "href": SELECTED.format("name,powerState")}]}},
         ["ask-again"]),
        ({"data": [{"extId": WEB, "name": "w"}],
          "metadata": {"links": [{"rel": "self", "href": SELECTED.format("name,guestTools")}]}},
         ["enable"]),
        ({"data": [{"extId": WEB, "name": "w"}],
          "metadata": {"links": [{"rel": "self", "href": HREF.format(0)}]}}, ["enable"]),
        ({"data": [{"ext_id": WEB, "name": "w", "guest_tools": None}], "metadata": {}},
         ["ask-again"]),
        ({"data": [{"extId": WEB, "name": "w", "generationUuid": OLD, "biosUuid": OLD}],
          "metadata": {}}, ["enable"]),
        ({"entities": [{"status": {"name": "w"}, "metadata": {"uuid": WEB}}],
          "metadata": {"total_matches": 1}}, ["ask-again"]),
        ({"entities": [{"vmName": "w", "uuid": WEB}], "metadata": {"totalEntities": 1}},
         ["ask-again"]),
        ({"data": [{"extId": WEB, "name": "w",
                    "guestTools": {"isEnabled": True, "isInstalled": True}}], "metadata": {}},
         ["ask-again"]),
    ],
    ids=["two fields", "selected others", "selected it", "asked whole", "to_dict of a few",
         "whole VM", "v3 without resources", "v1 without tools", "link unknown"],
)  # fmt: skip
def test_not_asked_is_not_disabled_and_unknown_is_not_down(
    tmp_path: Path, answer: dict[str, Any], codes: list[str]
) -> None:
    path = tmp_path / "vms.json"
    path.write_text(json.dumps(answer))
    code, told, _ = status(path)
    assert (code, [vm["next_code"] for vm in told["vms"]]) == (5, codes)


CLI = """\
I20261126 10:00:00 noise before
vm_info_vec {{
  vm_uuid: "{web}"
  vm_name: "web \\"01\\""
  ngt_uuid: "d4de685b-791a-4fbc-b916-6d5008bcbe2d"
  guest_tools_enabled: true
  tools_mounted: false
  communication_link_active: true
  capabilities {{ vss_snapshot: true file_level_restore: false }}
  vm_info {{
    ngt_version: "4.1"
    is_installation_complete: true
    network_interfaces_info {{ interface: "}} {{" }}
    client_cert_expiry_date: 1800000000
  }}
}}
vm_info_vec {{ vm_uuid: "{db}" vm_name: "db" guest_tools_enabled: true
"""


def test_the_tool_of_the_cvm_tells_when_a_certificate_ends(tmp_path: Path) -> None:
    path = tmp_path / "nutanix_guest_tools_cli.txt"
    path.write_text(CLI.format(web=WEB, db=DB))
    web, db = read_listing(path).vms
    assert web == Reported(
        WEB, 'web "01"', True, False, True, True, "4.1",
        not_after=datetime(2027, 1, 15, 8, tzinfo=timezone.utc),
    )  # fmt: skip
    assert (db.enabled, db.link_active, db.not_after) == (True, None, None)
    ncli = tmp_path / "ncli.txt"
    ncli.write_text(record(WEB, "web-01", link="false"))
    [joined, _] = read_listings([path, ncli]).vms
    assert (joined.link_active, joined.not_after is not None) == (False, True)


@pytest.mark.parametrize("date", ["0", "1800000000000000", "-5", "soon", '"1e9"', "99999999999"])
def test_a_date_that_is_none_is_unknown(tmp_path: Path, date: str) -> None:
    path = tmp_path / "cli.txt"
    path.write_text(CLI.format(web=WEB, db=DB).replace("1800000000", date))
    assert read_listing(path).vms[0].not_after is None


def test_versions_are_shown_and_compared_with_a_disc(tmp_path: Path) -> None:
    path, disc = tmp_path / "vms.json", tmp_path / "ngt.iso"
    path.write_text(json.dumps(wire()))
    assert ngtpatch("sample", "-o", disc, "--payload", "64K").exit_code == 0
    version = json.loads(ngtpatch("inspect", disc, "--json").stdout)["ngt"]["version"]
    _, told, _ = status(path, "--disc", disc)
    assert told["disc_version"] == version
    web, _, old = told["vms"]
    assert (web["version"], web["available"]) == ("4.1", "4.2")
    assert (version, web["disc"]) == ("2.0.1", "older")
    assert (old["version"], old["disc"]) == (None, "unknown")
    shown = ngtpatch("status", path, "--disc", disc).stdout
    assert "4.2 available" in shown
