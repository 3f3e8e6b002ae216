# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch status --prism``, by the real SDK over real HTTPS, against the stand-in."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from tests.fleet.park import park
from tests.prism_central.conftest import Central
from tests.prism_central.stand_in import API_KEY, PASSWORD, USER, Fault, answers, cut, slow

WELL = {"is_enabled": True, "is_installed": True, "is_reachable": True, "is_iso_inserted": False,
        "version": "4.1", "available_version": "4.2"}  # fmt: skip
LIST = r"/ahv/config/vms$"


def fill(central: Central, count: int) -> None:
    for number in range(count):
        central.state.add_vm(f"vm{number:03}", tools=WELL)


def test_all_pages_are_asked_for(central: Central) -> None:
    fill(central, 250)
    ran = central.run("status", "--json")
    told = ran.document
    assert (ran.exit_code, told["ok"], told["complete"]) == (0, True, True)
    assert (told["total"], len({vm["vm_uuid"] for vm in told["vms"]})) == (250, 250)
    assert (told["vms"][0]["version"], told["vms"][0]["available"]) == ("4.1", "4.2")
    assert ran.stderr == ""
    assert [method for method, _ in central.state.log] == ["OPTIONS", *6 * ["GET"]]


def test_a_vm_without_guest_tools_is_not_enabled(central: Central) -> None:
    central.state.add_vm("bare")
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["vms"][0]["next_code"]) == (5, "enable")


def test_a_list_that_changes_while_it_is_read_is_read_again(central: Central) -> None:
    fill(central, 150)

    asked = []

    def vanish(_: object) -> bool:  # before page 2 the first VM goes: one is passed over
        asked.append(1)
        if len(asked) == 2:
            del central.state.vms[next(iter(central.state.vms))]
            central.state.add_vm("late", tools=WELL)
        return False

    central.state.faults = [Fault("GET", LIST, vanish, 9)]
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["complete"], len(ran.document["vms"])) == (0, True, 150)
    assert "changed while it was read" in ran.stderr


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault("GET", LIST, answers(429, Retry_After="1"), 2), "answers 429"),
        (Fault("GET", LIST, answers(503), 1), "answers 503"),
        (Fault("GET", LIST, answers(500), 1), "answers 500"),
        (Fault("GET", LIST, cut, 1), "trying again"),
        (Fault("GET", LIST, slow(3), 1), "does not answer in time"),
    ],
    ids=["429", "503", "500", "cut", "slow"],
)
def test_what_passes_is_waited_for_and_told(central: Central, fault: Fault, says: str) -> None:
    fill(central, 2)
    central.state.faults = [fault]
    ran = central.run("status", "--timeout", 1)
    assert ran.exit_code == 0
    assert says in ran.stderr
    assert "trying again in" in ran.stderr


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Fault("GET", LIST, answers(401), 9), "unauthorised", "user and password"),
        (Fault("GET", LIST, answers(403, "no role"), 9), "forbidden", "no role"),
        (Fault("GET", LIST, answers(404), 9), "gone", "v4.2"),
        (Fault("GET", LIST, answers(429, Retry_After="3600"), 9), "busy", "later"),
        (Fault("GET", LIST, answers(400, "bad \x1b[31m"), 9), "prism", "bad"),
    ],
    ids=["401", "403", "404", "429", "400"],
)
def test_what_does_not_pass_is_one_error_and_exit_7(
    central: Central, fault: Fault, code: str, says: str
) -> None:
    fill(central, 1)
    central.state.faults = [fault]
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, code)
    assert ran.document["error"]["path"] == central.host
    assert says in ran.stderr
    assert "\x1b" not in ran.stderr


def test_a_redirect_is_not_followed_and_gets_no_key(central: Central) -> None:
    fill(central, 1)
    elsewhere = f"https://{central.host}/elsewhere"
    central.state.faults = [Fault("GET", LIST, answers(302, Location=elsewhere), 9)]
    ran = central.run("status", "--json", NGTPATCH_PRISM_API_KEY=API_KEY)
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "redirect")
    assert ("GET", "/elsewhere") not in central.state.log


def test_tls_is_verified(central: Central, tmp_path: Path) -> None:
    fill(central, 1)
    assert central.run("status").exit_code == 0
    asked = len(central.state.log)
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    central.authority = other
    assert central.run("status", "--json").document["error"]["code"] == "tls-ca"
    central.authority = Path(certifi.where())
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "tls")
    assert "--tls-ca" in ran.stderr
    assert len(central.state.log) == asked


def test_credentials_come_from_a_file_of_ones_own(central: Central, tmp_path: Path) -> None:
    fill(central, 1)
    file = tmp_path / "credentials"
    file.write_text(f"# mine\nusername = {USER}\npassword = {PASSWORD}\n")
    empty = {"NGTPATCH_PRISM_USERNAME": "", "NGTPATCH_PRISM_PASSWORD": ""}
    file.chmod(0o644)
    ran = central.run("status", "--credentials", file, "--json", **empty)
    assert (ran.exit_code, ran.document["error"]["code"]) == (3, "exposed")
    file.chmod(0o600)
    assert central.run("status", "--credentials", file, **empty).exit_code == 0
    file.write_text(PASSWORD)
    ran = central.run("status", "--credentials", file, "--json", **empty)
    assert (ran.exit_code, ran.document["error"]["code"]) == (3, "credentials")
    ran = central.run("status", "--json", **empty)
    assert (ran.exit_code, ran.document["error"]["code"]) == (2, "no-credentials")
    assert central.run("status", **empty, NUTANIX_API_KEY=API_KEY).exit_code == 0


@pytest.mark.parametrize("host", ["https://pc", "admin:secret@pc", "pc:99999", "pc/api"])
def test_a_host_is_a_host(central: Central, host: str) -> None:
    central.server.host = host
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (2, "bad-host")
    assert "secret" not in ran.stderr


def test_a_list_that_never_rests_is_not_whole(central: Central) -> None:
    fill(central, 150)

    def churn(_: object) -> bool:
        del central.state.vms[next(iter(central.state.vms))]
        central.state.add_vm("late", tools=WELL)
        return False

    central.state.faults = [Fault("GET", LIST, churn, 99)]
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["complete"], ran.document["ok"]) == (5, False, False)
    assert ran.document["missing"] > 0
    assert "passed over" in ran.stderr


def test_an_empty_list_is_not_all_well(central: Central) -> None:
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (3, "report")
    assert "role" in ran.stderr


def test_inject_takes_its_vms_from_prism(central: Central, tmp_path: Path) -> None:
    for name in ("vm1", "vm2", "vm3"):
        central.state.add_vm(name, tools=WELL)
    made = park(tmp_path / "park", 3)
    ran = central.run(
        "inject", made.root / "base.iso", "--certificates", made.root / "certificates",
        "--output-dir", made.out, "--json",
    )  # fmt: skip
    assert (ran.exit_code, ran.document["written"], ran.document["complete"]) == (0, 3, True)
    assert made.wrong() == []


def test_identity_check_takes_its_vms_from_prism(central: Central, tmp_path: Path) -> None:
    hostile = "../vm1\x1b[31m\n## x"
    for name in ("vm1", "vm2", "bare", "twin", "twin", hostile):
        central.state.add_vm(name, tools=WELL)
    made = park(tmp_path / "park", 2)
    metrics = tmp_path / "identity.prom"
    words = ["identity", "check", "--certificates", made.root / "certificates"]
    ran = central.run(*words, "--metrics", metrics, "--json")
    told = ran.document
    assert (ran.exit_code, told["ok"], told["complete"]) == (5, False, True)
    found = {(finding["source"], finding["code"]) for finding in told["findings"]}
    twins = {key for key, vm in central.state.vms.items() if vm.name == "twin"}
    assert found >= {("bare", "missing"), (hostile, "missing")}
    assert twins == {vm["vm_uuid"] for vm in told["identities"] if vm["source"].startswith("twin")}
    assert not {code for name, code in found if name in ("vm1", "vm2")} - {"untied"}
    uuids = [vm["vm_uuid"] for vm in told["identities"] if vm["source"].startswith("vm")]
    assert uuids == [key for key, vm in central.state.vms.items() if vm.name in ("vm1", "vm2")]
    assert "ngtpatch_identity_check_complete 1.0" in metrics.read_text()
    shown = central.run(*words)
    assert "\x1b" not in shown.stdout + shown.stderr
    assert "\n## x" not in shown.stdout
    assert [name for name, _ in central.state.log if name == "GET"]


def test_identity_check_of_a_list_that_is_not_whole(central: Central, tmp_path: Path) -> None:
    fill(central, 150)

    def churn(_: object) -> bool:
        del central.state.vms[next(iter(central.state.vms))]
        central.state.add_vm("late", tools=WELL)
        return False

    central.state.faults = [Fault("GET", LIST, churn, 99)]
    ran = central.run("identity", "check", "--certificates", tmp_path, "--json")
    assert (ran.exit_code, ran.document["complete"]) == (5, False)
    assert "incomplete-list" in {finding["code"] for finding in ran.document["findings"]}


def test_identity_check_has_no_certificates_of_prism(central: Central) -> None:
    ran = central.run("identity", "check", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (2, "usage")
    assert "--certificates" in ran.stderr
    assert central.state.log == []
