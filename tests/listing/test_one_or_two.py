# SPDX-License-Identifier: Apache-2.0
"""Records of a cluster that may be about one VM or two: read rightly, or named; none is dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.errors import InputError
from ngtpatch.identity.inventory import load
from ngtpatch.listing import read_listing
from tests.render.tools import ngtpatch
from tests.status.test_status import DB, WEB, record


def put(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "listing"
    path.write_text(text)
    return path


def page(*vms: object) -> str:
    return json.dumps({"data": list(vms), "metadata": {"totalAvailableResults": len(vms)}})


def vm(uuid: str, name: object) -> dict[str, Any]:
    return {"extId": uuid, "name": name}


def v3(*vms: tuple[str, str]) -> str:
    entities = [{"metadata": {"uuid": uuid}, "status": {"name": name}} for uuid, name in vms]
    return json.dumps({"entities": entities, "metadata": {"total_matches": len(vms)}})


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (record(WEB, "web") + "\n" + record(WEB, "other"), 9),
        (record(WEB, "web") + record(WEB.upper(), "other"), 8),
        ("VM Name : web\nNGT Enabled : true\n\nVM Name : web\n", 4),
        (page(vm(WEB, "web"), vm(WEB.upper(), "other")), 2),
        (page(vm(WEB, "web"), vm(DB, "db"), vm(WEB, "other")), 3),
        (page({"name": "web"}, {"name": "web"}), 2),
        (v3((WEB, "web"), (WEB, "other")), 2),
        (f'vm_info_vec {{ vm_uuid: "{WEB}" vm_name: "web" }}\n'
         f'vm_info_vec {{ vm_uuid: "{WEB}" vm_name: "other" }}\n', 2),
    ],
    ids=["ncli", "no blank line", "no id", "other case", "v4", "no extId", "v3", "tool"],
)  # fmt: skip
def test_what_may_be_another_vm_is_named_with_its_row(tmp_path: Path, text: str, row: int) -> None:
    path = put(tmp_path, text)
    assert (row, "name") in [(p.row, p.column) for p in load(path).problems]
    ran = ngtpatch("identity", "check", path)
    assert (ran.exit_code, f"row {row}, column name" in ran.stderr) == (3, True)
    # Of states the last word counts, since one may be asked for again; and it is said.
    ran = ngtpatch("status", "--json", path)
    assert any("the later word counts" in note for note in json.loads(ran.stdout)["notes"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (record(WEB, "web") + "    VM Name : other\n", "line 8: `VM Name` stands a second time in"),
        (record(WEB, "web") + "    NGT Enabled : false\n", "line 8: `NGT Enabled` stands a second"),
        ("    NGT Enabled : true\n\n" + record(WEB, "web"), "line 1: a record has neither `VM Id`"),
        (record(WEB, "web") + "\n    VM Id : 0005::\n", "line 9: a record has neither `VM Id`"),
        (f'vm_info_vec {{ vm_uuid: "{WEB}"\nvm_uuid: "{DB}" }}', "line 1: a record has `vm_uu"),
        (f'vm_info_vec {{ vm_uuid: "{WEB}" }}\nvm_info_vec {{ vm_u', "line 2: a record has nei"),
        (page(vm(WEB, "web")).replace("{", f'{{"data": [{{"extId": "{DB}"}}], ', 1),
         "data is given twice"),
        (page(vm(WEB, "web")).replace('"name"', f'"extId": "{DB}", "name"'),
         r"data\.1\.extId is given twice"),
        (page(vm(WEB, "web"), "db"), "record 2 is without the VM's extId"),
        (page(vm(WEB, "web"), None), "record 2 is without the VM's extId"),
        (v3((WEB, "web")).replace("[", "[7, "), "record 1 is without the VM's extId"),
        (page({"extId": 7, "name": "web"}), "'7' in the place of a VM's UUID"),
        (page(vm(WEB, "web")).replace('"web"', '"web", "x": NaN'), r"data\.1\.x is NaN"),
    ],
    ids=range(13),
)  # fmt: skip
def test_what_does_not_say_whom_it_is_about_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    path = put(tmp_path, text)
    for read in (load, read_listing):
        with pytest.raises(InputError, match=says):
            read(path)


def test_a_vm_that_is_told_of_again_is_one(tmp_path: Path) -> None:
    for text in (
        record(WEB, "web", link="false") + record(WEB, "web"),
        page(vm(WEB, "web"), vm(WEB.upper(), "web")),
    ):
        inventory = load(put(tmp_path, text))
        assert ([row.name for row in inventory.rows], inventory.problems) == (["web"], ())


def test_ncli_typed_again_or_in_another_order(tmp_path: Path) -> None:
    text = f"vm name : web\nvm id : x::{WEB}\nvm name : db\u2028 1\nvm id : x::{DB}\n"
    rows = load(put(tmp_path, text)).require().rows
    assert [(row.name, row.vm_uuid) for row in rows] == [("web", WEB), ("db\u2028 1", DB)]


def test_a_uuid_for_a_name_is_no_vms_uuid(tmp_path: Path) -> None:
    rows = load(put(tmp_path, page({"name": WEB}, vm(WEB, "web")))).require().rows
    assert [(row.name, row.vm_uuid) for row in rows] == [(WEB, None), ("web", WEB)]
