# SPDX-License-Identifier: Apache-2.0
"""``--metrics``: read back by prometheus_client's own parser."""

from __future__ import annotations

import json
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.fleet.park import park
from tests.render.tools import ngtpatch
from tests.status.test_status import DB, WEB, record, report


def series(path: Path) -> dict[tuple[str, str], float]:
    """Return the value of each series by its name and its VM."""
    return {
        (sample.name.removeprefix("ngtpatch_"), sample.labels.get("vm", "")): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_a_name_that_is_no_text_is_written(tmp_path: Path) -> None:
    path, page = tmp_path / "ngt.prom", tmp_path / "page.json"
    tools = {"isEnabled": True, "isReachable": True}
    vms = [{"extId": WEB, "name": "\ud800\n\x1b", "guestTools": tools}]
    page.write_text(json.dumps({"data": vms, "metadata": {"totalAvailableResults": 1}}))
    assert ngtpatch("status", page, "--metrics", path).exit_code == 0
    assert len(series(path)) == 7
    assert "\x1b" not in path.read_text()


def test_what_is_unknown_has_no_series(tmp_path: Path) -> None:
    path = tmp_path / "ngt.prom"
    text = record(WEB, 'a "b"\\c', mounted="true") + "\n" + record(DB, "db", link="")
    ran = ngtpatch("status", report(tmp_path, text), "--metrics", path)
    assert ran.exit_code == 5
    told = series(path)
    assert told["vm_enabled", 'a "b"\\c'] == told["vm_mounted", 'a "b"\\c'] == 1
    assert told["vm_link_active", 'a "b"\\c'] == 1
    assert ("vm_link_active", "db") not in told
    assert (told["vm_ok", "db"], told["status_vms", ""]) == (0, 2)
    assert ("status_complete", "") not in told
    assert not [name for name, _ in told if name == "vm_certificate_days_left"]


def test_a_list_that_is_not_whole_is_a_series(tmp_path: Path) -> None:
    path, page = tmp_path / "ngt.prom", tmp_path / "page.json"
    page.write_text(json.dumps({"data": [], "metadata": {"totalAvailableResults": 3}}))
    vm = {"extId": WEB, "name": "w", "guestTools": {"isEnabled": True, "isReachable": True}}
    page.write_text(json.dumps({"data": [vm], "metadata": {"totalAvailableResults": 3}}))
    assert ngtpatch("status", page, "--metrics", path).exit_code == 5
    told = series(path)
    assert (told["status_complete", ""], told["status_missing", ""]) == (0, 2)


def test_identity_check_tells_days_left(tmp_path: Path) -> None:
    made, path = park(tmp_path / "park", 2), tmp_path / "certificates.prom"
    ran = ngtpatch(
        "identity", "check", made.root / "vms.csv", "--certificates", made.root / "certificates",
        "--metrics", path, "--json",
    )  # fmt: skip
    told = series(path)
    for one in json.loads(ran.stdout)["identities"]:
        assert told["identity_certificate_days_left", one["source"]] == one["days_left"] > 900
    # In the directory of a collector two files may not have the same series.
    other = tmp_path / "status.prom"
    ngtpatch("status", report(tmp_path, record(WEB, "vm1")), "--metrics", other)
    assert not series(path).keys() & series(other).keys()
    wrong = tmp_path / "metrics.txt"
    ran = ngtpatch("status", report(tmp_path, record(WEB, "w")), "--metrics", wrong)
    assert (ran.exit_code, wrong.exists()) == (2, False)
