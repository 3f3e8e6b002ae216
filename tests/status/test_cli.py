# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch status`` as a person and a monitor call it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.render.tools import Ran, ngtpatch
from tests.status.test_status import DB, WEB, record, report


def run(*arguments: object) -> Ran:
    return ngtpatch("status", *arguments)


def test_all_well_is_exit_0(tmp_path: Path) -> None:
    result = run(report(tmp_path, record(WEB, "web")))
    assert result.exit_code == 0
    assert "web" in result.stdout
    assert "nothing" in result.stdout


def test_a_vm_that_needs_something_is_exit_5_with_the_step(tmp_path: Path) -> None:
    text = record(WEB, "web") + "\n" + record(DB, "db[1]", mounted="true", link="false")
    result = run(report(tmp_path, text))
    assert result.exit_code == 5
    assert "db[1]" in result.stdout
    assert "restart the agent in the guest" in result.stdout
    assert "1 of 2 VMs need something done" in result.stderr


def test_json_is_one_document(tmp_path: Path) -> None:
    result = run(report(tmp_path, record(WEB, "web", link="false")), "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 5
    assert document["schema"] == "ngtpatch.status/1"
    assert document["ok"] is False
    [vm] = document["vms"]
    assert (vm["name"], vm["vm_uuid"], vm["link_active"], vm["next_code"]) == (
        "web", WEB, False, "mount",
    )  # fmt: skip


def test_no_report_is_exit_3(tmp_path: Path) -> None:
    result = run(report(tmp_path, "Error: no such VM\n"))
    assert result.exit_code == 3
    assert "it begins: Error: no such VM" in result.stderr


def test_a_terminal_escape_in_a_name_is_not_passed_on(tmp_path: Path) -> None:
    result = run(report(tmp_path, record(WEB, "web\x1b]0;owned\x07")))
    assert "\x1b" not in result.stdout
