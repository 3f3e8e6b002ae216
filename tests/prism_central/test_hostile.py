# SPDX-License-Identifier: Apache-2.0
"""What a cluster, a network or somebody else may do to ``--prism``, and what is never shown."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.prism_central.conftest import CANARIES, Central, Library
from tests.prism_central.stand_in import API_KEY, PASSWORD, USER, Fault, answers, wire
from tests.prism_central.test_push import (
    INSERT,
    LARGE,
    iso,
    made,
    names,
    other,
    shared,
    uuid_of,
    vm,
)
from tests.prism_central.test_status import LIST, WELL, fill

__all__ = ["iso", "made", "other", "shared", "vm"]  # fixtures

EVERY = "."
KEYLESS = {"NGTPATCH_PRISM_USERNAME": "", "NGTPATCH_PRISM_PASSWORD": ""}


STATUSES = [400, 412, 429]
if LARGE:
    STATUSES += [401, 403, 404, 409, 422, 500, 502, 503, 504]


def saying(status: int, body: bytes, kind: str = "application/json") -> Any:
    """Return an act that answers with these very bytes."""

    def act(handler: Any) -> bool:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return act


# what answers ----------------------------------------------------------------------------------

NONSENSE = {
    "a page": (b"<html>log in</html>", "text/html"),
    "empty": (b"", "application/json"),
    "null": (b"null", "application/json"),
    "a list": (b"[1, 2]", "application/json"),
    "no data": (b"{}", "application/json"),
    "data of another kind": (b'{"data": 7}', "application/json"),
    "deep": (b"[" * 100_000, "application/json"),
    "torn": (b'{"data": [{"extId": "', "application/json"),
}


@pytest.mark.parametrize(
    ("command", "what"),
    [*(("status", what) for what in NONSENSE),
     *(("push", what) for what in (NONSENSE if LARGE else ["data of another kind"]))],
)  # fmt: skip
def test_what_is_no_answer_of_prism_is_one_error(
    central: Central, iso: Path, vm: str, what: str, command: str
) -> None:
    body, kind = NONSENSE[what]
    central.state.faults = [Fault("GET", EVERY, saying(200, body, kind), 99)]
    words: list[object] = ["status"] if command == "status" else ["push", iso, "--vm", vm]
    ran = central.run(*words, "--json", "-vv")
    told = ran.document["error"]
    assert (ran.exit_code, told["path"]) in ((7, central.host), (3, central.host)), ran.stderr
    assert told["code"] != "unexpected"
    assert central.state.writes() == []


def test_what_is_no_prism_central_is_said_so(central: Central, iso: Path, vm: str) -> None:
    central.state.faults = [Fault("GET", EVERY, saying(200, b"{}"), 99)]
    ran = central.push(iso, "--vm", vm, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "not-prism")


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_answer_shows_no_secret_and_changes_nothing_twice(
    central: Central, bucket: Library, iso: Path, vm: str, status: int
) -> None:
    said = f"{PASSWORD} \x1b[31m".replace(PASSWORD, "no") + "x" * 5000
    headers = {"Retry_After": "0"} if status in (429, 503) else {}
    central.state.faults = [Fault("POST", INSERT, answers(status, said, **headers), 99)]
    ran = central.push(iso, "--vm", vm, "--json", "-vv")
    assert ran.exit_code == 7
    assert ran.document["error"]["code"] != "unexpected"
    assert len(ran.stderr) < 6000
    assert "\x1b" not in ran.stderr
    assert names(central) == [iso.name]
    central.state.faults = []
    assert central.push(iso, "--vm", vm).exit_code == 0
    assert (names(central), central.state.discs(vm)) == ([iso.name], [iso.name])


def test_a_status_of_a_task_that_is_not_known_is_not_a_failure(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    asked = []

    def odd(_: Any) -> bool:
        asked.append(1)
        for work in central.state.tasks.values():
            if len(asked) < 3:
                work.task._Task__status = "$UNKNOWN"
                work.polls = 1
            elif work.task.status == "$UNKNOWN":
                work.task.status = "RUNNING"
        return False

    central.state.faults = [Fault("GET", "config/tasks/", odd, 99)]
    ran = central.push(iso, "--json")
    assert (ran.exit_code, names(central)) == (0, [iso.name])


# lists -----------------------------------------------------------------------------------------


def paged(central: Central, change: Any) -> None:
    """Let *change* turn the answer of each list of VMs into another."""

    def act(handler: Any) -> bool:
        plain = handler.answer

        def answer(status: int, body: Any, headers: Any = None) -> None:
            plain(status, change(handler, body), headers)
            del handler.answer

        handler.answer = answer
        return False

    central.state.faults = [Fault("GET", LIST, act, 99)]


def test_pages_that_repeat_have_an_end(central: Central) -> None:
    fill(central, 150)
    first: list[Any] = []

    def repeat(_: Any, body: Any) -> Any:
        first[:] = first or body["data"]
        return {**body, "data": first}

    paged(central, repeat)
    ran = central.run("status", "--json")
    told = ran.document
    assert (ran.exit_code, told["complete"], told["missing"]) == (5, False, 50)
    paged(central, lambda _, body: {**body, "data": first, "metadata": {}})
    ran = central.run("status", "--json")
    assert ran.document["complete"] is not True


def test_pages_that_are_smaller_than_asked_for_are_all_read(central: Central) -> None:
    fill(central, 130)

    def small(handler: Any, body: Any) -> Any:
        page = int(re.search(r"page=(\d+)", handler.path)[1])  # type: ignore[index]
        vms = list(central.state.vms.values())[page * 40 : (page + 1) * 40]
        data = wire(vms)
        if "select" in handler.path:
            data = [{"extId": one["extId"]} for one in data]
        return {**body, "data": data}

    paged(central, small)
    ran = central.run("status", "--json")
    assert (ran.exit_code, ran.document["complete"], len(ran.document["vms"])) == (0, True, 130)


HOSTILE = [
    "a&b#c%41+d",
    'it\'s "x"',
    "ü \u202e\u2066",
    "x\x1b[31m\nVM Id : 1",
    "../../etc",
    "--json",
]


def test_a_vm_is_found_by_a_hostile_name_and_told_of_in_one_line(
    central: Central, bucket: Library, iso: Path
) -> None:
    central.state.polls = 0
    keys = {name: central.state.add_vm(name, tools=WELL) for name in HOSTILE}
    shown = [central.run("status").stdout]
    for number, (name, key) in enumerate(keys.items(), start=1):
        ran = central.push(iso, f"--vm={name}")
        assert ran.exit_code == 0, ran.stderr
        assert central.state.discs(key) == [iso.name]
        assert sum(bool(central.state.discs(other)) for other in keys.values()) == number
        shown += [ran.stdout, ran.stderr]
    for text in shown:
        assert not set(text) & set("\x1b\u202e\u2066")
        assert "\nVM Id" not in text
    told = central.run("status", "--json").document["vms"]
    assert [vm["name"] for vm in told] == HOSTILE


IMAGES = ["it's & #1 ü.iso", "a b%2F..%2f.iso", "\udcff.iso", "x" * 250 + ".iso"]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_of_a_hostile_name_is_one_image_or_one_error(
    central: Central, bucket: Library, iso: Path, name: str
) -> None:
    path = iso.with_name(name)
    shutil.copy(iso, path)
    ran = central.push(path, "--json")
    if ran.exit_code:
        assert ran.document["error"]["code"] != "unexpected", ran.stderr
        assert (names(central), central.state.writes()) == ([], [])
    else:
        assert names(central) == [name]
        assert central.push(path, "--json").document["created"] is False
    assert bucket.objects() == []


# drives ----------------------------------------------------------------------------------------


def test_a_disc_whose_image_is_gone_is_still_an_ngt_disc(
    central: Central, bucket: Library, iso: Path, other: Path, vm: str
) -> None:
    assert central.push(iso, "--vm", vm, "--delete-after").exit_code == 0
    ran = central.push(other, "--vm", vm, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (4, "tools-disc")
    # Elsewhere nothing is known of it, and that is said.
    ran = central.push(other, "--vm", vm, "--json", XDG_STATE_HOME=str(iso.parent / "elsewhere"))
    assert (ran.exit_code, ran.document["drive"]) == (0, "SATA.1")
    assert [note for note in ran.document["notes"] if note.startswith("SATA.0 holds a disc")]


def test_another_disc_in_the_drive_of_an_earlier_push_is_not_its_own(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    central.state.tells_sources = False
    assert central.push(iso, "--vm", vm).exit_code == 0
    assert central.push("--eject", "--vm", vm, "--json").document["action"] == "ejected"
    central.state.put_disc(vm, 0, kind="OTHER")
    ran = central.push(iso, "--vm", vm, "--json")
    assert (ran.exit_code, ran.document["action"], ran.document["drive"]) == (
        0, "attached", "SATA.1",
    )  # fmt: skip
    assert central.state.discs(vm) == ["OTHER", iso.name]


def test_replace_takes_both_of_two_ngt_discs(
    central: Central, bucket: Library, iso: Path, other: Path, vm: str
) -> None:
    central.push(other, "--vm", vm)
    central.state.put_disc(vm, 1)
    assert len(central.state.discs(vm)) == 2
    ran = central.push(iso, "--vm", vm, "--replace", "--json")
    assert (ran.exit_code, central.state.discs(vm)) == (0, [iso.name])


def test_delete_after_has_a_drive(central: Central, iso: Path) -> None:
    ran = central.push(iso, "--delete-after", "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (2, "usage")
    assert central.state.log == []


# identity --------------------------------------------------------------------------------------


def test_an_image_with_identity_that_stays_or_may_come_is_said(
    central: Central, bucket: Library, made: Any
) -> None:
    arguments = [made.out / "vm1.iso", "--vm", "vm1", "--ledger", made.out / "ledger.jsonl"]
    # Attached, and not to be deleted.
    central.state.faults = [Fault("DELETE", "content/images", answers(403), 99)]
    ran = central.push(*arguments, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "identity-left")
    assert central.state.discs(uuid_of(central, "vm1")) == ["vm1.iso"]
    central.state.faults = []
    assert central.push(*arguments, "--json").document["deleted"] is True
    assert (names(central), bucket.objects()) == ([], [])
    # The upload stays.
    central.push("--eject", "--vm", "vm1")
    central.state.faults = [Fault("S3 DELETE", "", answers(403), 99)]
    ran = central.push(*arguments, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "identity-left")
    # Asked for, and nobody says what became of it.
    central.state.faults, central.state.polls = [], 99
    central.state.images.clear()
    ran = central.push(*arguments, "--wait", 1, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "identity-left")
    assert "not there yet" in ran.stderr
    central.state.polls = 0
    for work in central.state.tasks.values():
        work.polls = 0
    assert central.push(*arguments).exit_code == 0
    assert (names(central), bucket.objects()) == ([], [])


# secrets ---------------------------------------------------------------------------------------


def family(pid: int) -> list[Path]:
    """Return the /proc of a process and of all that it has started; of no other process."""
    found = [Path(f"/proc/{pid}")]
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in thread.read_text().split():
            found += family(int(child))
    return found


def test_no_secret_is_an_argument_or_in_an_environment(
    central: Central, bucket: Library, iso: Path, vm: str, tmp_path: Path
) -> None:
    """At each request, push and whatever it has started are looked at as `ps` would.

    The secret comes by a file here: who sets it in the environment has put it there himself.
    """
    file, temporary = tmp_path / "credentials", tmp_path / "tmp"
    temporary.mkdir()
    file.touch(mode=0o600)
    file.write_text(f"username = {USER}\npassword = {PASSWORD}\n")
    seen: dict[str, bytes] = {"cmdline": b"", "environ": b""}

    def look(_: Any) -> bool:
        for process in family(central.state.client):
            for name in seen:
                seen[name] += process.joinpath(name).read_bytes()
        return False

    central.state.faults = [
        Fault(verb, "", look, 99) for verb in ("GET", "POST", "S3 PUT", "S3 DELETE")
    ]
    words = ["push", iso, "--vm", vm, "--credentials", file]
    # By an interpreter of its own: what a forked one shows in /proc is its parent's.
    ran = central.fresh(*words, **KEYLESS, TMPDIR=str(temporary))
    assert ran.exit_code == 0, ran.stderr
    assert str(file).encode() in seen["cmdline"]
    assert f"TMPDIR={temporary}".encode() in seen["environ"]
    for canary in CANARIES:
        assert not [name for name, data in seen.items() if canary.encode() in data]
        for path in tmp_path.rglob("*"):
            if path.is_file() and path != file:
                assert canary.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("key", "code"), [(f"{API_KEY}\r", None), (f"{API_KEY}\n\nx", 2), (f"{API_KEY}ü", 2)]
)
def test_an_api_key_that_no_header_can_hold(central: Central, key: str, code: int | None) -> None:
    fill(central, 1)
    ran = central.run("status", "-vv", **KEYLESS, NGTPATCH_PRISM_API_KEY=key)
    assert ran.exit_code == (code or 0)


@pytest.mark.parametrize("password", ["pä€\U0001f511", "with:colon", "x\ny", " "])
def test_a_password_of_any_letters_is_refused_by_prism_alone(
    central: Central, iso: Path, password: str
) -> None:
    ran = central.run("status", "-vv", "--json", NGTPATCH_PRISM_PASSWORD=password)
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "unauthorised")
    assert password == " " or password not in ran.stdout + ran.stderr


def test_the_user_s_aws_configuration_is_not_meant(
    central: Central, bucket: Library, iso: Path, tmp_path: Path
) -> None:
    config = tmp_path / "aws"
    config.write_text(
        "[profile x]\nendpoint_url = https://localhost:1\ns3 =\n  use_dualstack = true\n"
    )
    aws = {
        "AWS_PROFILE": "gone", "AWS_CONFIG_FILE": str(config), "AWS_SESSION_TOKEN": "x",
        "AWS_ENDPOINT_URL": "https://localhost:1", "AWS_REGION": "eu-1", "AWS_CA_BUNDLE": "/gone",
    }  # fmt: skip
    ran = central.push(iso, "--json", **aws)
    assert (ran.exit_code, names(central)) == (0, [iso.name]), ran.stderr


KEYRING = """\
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        return {answer}
    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
"""


def test_the_password_comes_from_a_keyring(central: Central, tmp_path: Path) -> None:
    """By the package itself, with its own null and fail back ends, and with one of ours."""
    fill(central, 1)
    (tmp_path / "own_ring.py").write_text(
        KEYRING.format(answer=f"{PASSWORD!r} if service == 'ngtpatch:{central.host}'"
                       f" and username == {USER!r} else None")
    )  # fmt: skip
    (tmp_path / "broken_ring.py").write_text(KEYRING.format(answer=f"1 / 0 if {PASSWORD!r} else 0"))
    rings = {
        "own_ring.Keyring": 0, "broken_ring.Keyring": 2, "keyring.backends.null.Keyring": 2,
        "keyring.backends.fail.Keyring": 2, "gone.Keyring": 2,
    }  # fmt: skip
    environment = {"NGTPATCH_PRISM_PASSWORD": "", "PYTHONPATH": str(tmp_path)}
    for ring, code in rings.items():
        ran = central.fresh("status", "--json", **environment, PYTHON_KEYRING_BACKEND=ring)
        assert (ran.exit_code, ran.document.get("error", {}).get("code")) == (
            code, "no-credentials" if code else None,
        ), (ring, ran.stderr)  # fmt: skip


def test_a_state_directory_that_cannot_be_written_is_one_error(
    central: Central, iso: Path, vm: str
) -> None:
    ran = central.push(iso, "--vm", vm, "--json", XDG_STATE_HOME="/proc/none")
    assert (ran.exit_code, ran.document["error"]["code"]) == (8, "not-written")
    assert "set XDG_STATE_HOME to a directory that is yours" in ran.stderr
    assert central.state.writes() == []


# the upload ------------------------------------------------------------------------------------


def test_an_upload_above_64_mib_goes_in_parts(
    central: Central, bucket: Library, iso: Path, vm: str
) -> None:
    with iso.open("r+b") as file:
        file.truncate((64 << 20) + 5 * 2048)
    central.state.faults = [Fault("S3 PUT", "", answers(503))]  # one part is sent again
    ran = central.push(iso, "--vm", vm, "--json")
    assert ran.exit_code == 0, ran.stderr
    [image] = central.state.images.values()
    assert image.size_bytes == (64 << 20) + 5 * 2048
    assert image.checksum.hex_digest == hashlib.sha256(iso.read_bytes()).hexdigest()
    verbs = [verb for verb, _ in central.state.log if verb.startswith("S3")]
    assert verbs.count("S3 POST") == 2  # begun and completed
    assert verbs.count("S3 PUT") == 3
    assert bucket.objects() == []
    assert json.loads(ran.stdout)["created"] is True


@pytest.mark.parametrize("status", [403, 413])
def test_an_upload_that_is_refused_makes_no_image(
    central: Central, bucket: Library, iso: Path, vm: str, status: int
) -> None:
    central.state.faults = [Fault("S3 PUT", "", answers(status), 99)]
    ran = central.push(iso, "--vm", vm, "--json")
    assert (ran.exit_code, ran.document["error"]["code"]) == (7, "upload"), ran.stderr
    assert (names(central), bucket.objects(), central.state.discs(vm)) == ([], [], [])
