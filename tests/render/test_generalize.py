# SPDX-License-Identifier: Apache-2.0
"""guest-generalize.sh as root in a guest of its own: what is found, what goes, what is said.

Every canary is a real key. After a success none of its body is anywhere that was searched.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from ngtpatch.render import render
from tests.identity.material import certificate, key_pem, private_key
from tests.render.cell import Cell, Ended, make_cell

UUID = "d4de685b-791a-4fbc-b916-6d5008bcbe2d"
CONFIG = {"cluster_ip": "192.0.2.7", "ngt_uuid": UUID, "ngt_version": "2.0.1", "port": 2074}
HERE = "/usr/local/nutanix/ngt/config"
KEY = key_pem(private_key("p256", 1))
OTHER_KEY = key_pem(private_key("p256", 2))
CERTIFICATE = certificate(private_key("p256", 1)).public_bytes(serialization.Encoding.PEM)
AUTHORITY = certificate(private_key("p256", 3)).public_bytes(serialization.Encoding.PEM)
FOUR = {
    "ngt_config.json": json.dumps(CONFIG).encode(),
    "client-cert.pem": CERTIFICATE,
    "client-key.pem": KEY,
    "ca-cert.pem": AUTHORITY,
}


def fill(cell: Cell, directory: str, *names: str) -> None:
    for name in names or FOUR:
        cell.put(f"{directory}/{name}", FOUR[name], 0o600 if "key" in name else 0o640)


@pytest.fixture
def guest(tmp_path: Path) -> Cell:
    cell = make_cell(tmp_path / "guest")
    cell.put(
        "/usr/local/nutanix/ngt/bin/agent.py",
        'config["ngt_uuid"]  # "-----BEGIN RSA PRIVATE KEY-----"\n',
    )
    cell.put("/usr/local/nutanix/ngt/python36/certifi/cacert.pem", AUTHORITY)
    cell.stand_in("systemctl", 'echo "$*" >>/tmp/systemctl')
    cell.put("/root/ngt-generalize", render("guest-generalize.sh"), 0o755)
    return cell


def generalize(cell: Cell, *arguments: str, **how: object) -> Ended:
    return cell.run("/root/ngt-generalize", *arguments, **how)  # type: ignore[arg-type]


def body(pem: bytes) -> bytes:
    return max(pem.splitlines(), key=len)


def holds(cell: Cell, secret: bytes) -> list[str]:
    return [name for name, content in cell.everything().items() if secret in content]


def gone(cell: Cell) -> bool:
    secrets = [body(KEY), body(CERTIFICATE), UUID.encode()]
    return not [name for secret in secrets for name in holds(cell, secret)]


def test_all_four_files_go_and_what_stays_keeps_its_owner_and_mode(guest: Cell) -> None:
    fill(guest, HERE)
    config = guest.at(f"{HERE}/ngt_config.json")
    os.chown(config, 123, 456)
    before = {
        name: content for name, content in guest.everything().items() if "config/" not in name
    }
    checked = generalize(guest, "--check")
    assert checked.code == 1
    for name in FOUR:
        assert f"{HERE}/{name}" in checked.out
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert gone(guest)
    assert list(guest.at(HERE).iterdir()) == [config]
    kept = {name: value for name, value in CONFIG.items() if name != "ngt_uuid"}
    assert list(json.loads(config.read_text()).items()) == list(kept.items())
    status = config.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (123, 456, 0o640)
    before.pop("tmp/systemctl", None)
    assert before.items() <= guest.everything().items()
    assert "no identity in /usr/local/nutanix" in ended.out
    assert generalize(guest, "--check").code == generalize(guest).code == 0


@pytest.mark.parametrize(
    "name",
    [
        f"{HERE}/client-key.pem.bak",
        f"{HERE}/client-key.pem.rpmsave",
        f"{HERE}/client-key.pem.new",
        f"{HERE}/.client-key.pem.swp",
        f"{HERE}/-rf",
        f"{HERE}/a name\nwith a line break",
        f"{HERE}/\x1b[31mred",
        f"{HERE}/\x9b31mred\u202eder\u2066",
        f"{HERE}/schl\u00fcssel",
        "/usr/local/nutanix/readme.txt",
        "/usr/local/nutanix.old/config/client-key.pem",
        "/usr/local/share/backup/odd",
    ],
)
def test_a_key_is_found_under_any_name(guest: Cell, name: str) -> None:
    fill(guest, HERE)
    guest.put(name, KEY)
    checked = generalize(guest, "--check")
    assert checked.code == 1
    assert re.sub("[\x00-\x1f\x80-\x9f\u202e\u2066]", "?", name) in checked.out
    assert all(line.isprintable() for line in checked.out.splitlines())
    assert generalize(guest).code == 0
    assert gone(guest)
    assert not guest.at(name).exists()


@pytest.mark.parametrize(
    "content",
    [
        KEY.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + KEY,
        b"notes\n" + KEY + b"\0\0\0",
        KEY[:120],
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nc2hvcnQ=\n-----END OPENSSH PRIVATE KEY-----\n",
        key_pem(private_key("p256", 1), password=b"secret"),
        json.dumps({"key": KEY.decode()}).encode(),
    ],
    ids=["crlf", "bom", "binary", "cut-off", "short", "encrypted", "in-json"],
)
def test_a_key_is_found_by_its_content_alone(guest: Cell, content: bytes) -> None:
    guest.put("/usr/local/nutanix/ngt/lib/data.bin", content)
    assert generalize(guest, "--check").code == 1
    assert generalize(guest).code == 0
    assert not guest.at("/usr/local/nutanix/ngt/lib/data.bin").exists()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(CONFIG),
        json.dumps(CONFIG, indent=2).replace(": ", "\n:\n"),
        f"ngt_uuid = {UUID}\n",
    ],
)
def test_a_copy_of_the_configuration_is_found_by_its_content(guest: Cell, content: str) -> None:
    guest.put("/usr/local/nutanix/ngt/old", content)
    assert generalize(guest, "--check").code == 1
    assert generalize(guest).code == 0
    assert gone(guest)


@pytest.mark.parametrize(
    "spelt",
    [
        '{"ngt\\u005fuuid": "x", "ngt_version": "2.0.1"}',
        '{"ngt_uuid": "not a uuid", "ngt_version": "2.0.1"}',
        '{"system_uuid": "x", "ngt_version": "2.0.1"}',
        '{"modify_guest_vm_configuration": {}, "ngt_version": "2.0.1"}',
    ],
)
def test_a_configuration_is_read_as_json(guest: Cell, spelt: str) -> None:
    config = guest.put(f"{HERE}/ngt_config.json", spelt)
    assert generalize(guest, "--check").code == 1
    assert generalize(guest).code == 0
    assert json.loads(config.read_text()) == {"ngt_version": "2.0.1"}


def test_a_moved_tree_is_generalized_where_it_is(guest: Cell) -> None:
    guest.at("/usr/local/nutanix").rename(guest.at("/opt/nutanix"))
    guest.link("/usr/local/nutanix", "../../opt/nutanix")
    fill(guest, "/opt/nutanix/ngt/config")
    guest.put("/opt/nutanix/ngt/config/client-key.pem.bak", KEY)
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert gone(guest)
    assert sorted(path.name for path in guest.at("/opt/nutanix/ngt/config").iterdir()) == [
        "ngt_config.json"
    ]
    assert "/opt/nutanix" in ended.out


def test_a_moved_directory_and_a_moved_file_are_followed(guest: Cell) -> None:
    fill(guest, "/var/ngt", "ngt_config.json", "client-cert.pem", "ca-cert.pem")
    guest.put("/opt/secret", KEY)
    guest.link("/var/ngt/client-key.pem", "/opt/secret")
    guest.link(HERE, "/var/ngt")
    guest.link("/usr/local/nutanix/again", "ngt")
    assert generalize(guest, "--check").code == 1
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert gone(guest)
    assert not guest.at("/var/ngt/client-key.pem").is_symlink()
    assert generalize(guest).code == 0


@pytest.mark.parametrize("target", ["/etc/ssh", "/etc/pki"])
def test_a_link_to_another_s_directory_loses_nothing(guest: Cell, target: str) -> None:
    fill(guest, HERE)
    guest.put("/etc/ssh/ssh_host_ecdsa_key", OTHER_KEY, 0o600)
    guest.put("/etc/pki/tls/private/localhost.key", OTHER_KEY, 0o600)
    guest.put(
        "/etc/pki/tls/certs/localhost.crt",
        certificate(private_key("p256", 2)).public_bytes(serialization.Encoding.PEM),
    )
    guest.put("/etc/pki/ca-trust/ca-cert.pem", AUTHORITY)
    before = {n: c for n, c in guest.everything().items() if n.startswith("etc/")}
    guest.link("/usr/local/nutanix/link", target)
    ended = generalize(guest)
    assert ended.code == 15
    assert f"{target}/" in ended.err
    assert "no identity" not in ended.out
    assert before.items() <= guest.everything().items()
    assert not holds(guest, body(KEY))
    # Told that they are not NGT's, the second run ends well.
    assert generalize(guest, "--keep", target).code == 0
    assert before.items() <= guest.everything().items()
    assert gone(guest)


def test_a_link_and_a_hard_link_to_another_s_key_lose_nothing(guest: Cell) -> None:
    fill(guest, HERE, "ngt_config.json", "client-cert.pem")
    host = guest.put("/etc/ssh/ssh_host_ecdsa_key", OTHER_KEY, 0o600)
    guest.link(f"{HERE}/client-key.pem", "/etc/ssh/ssh_host_ecdsa_key")
    ended = generalize(guest)
    assert ended.code == 15
    assert "/etc/ssh/ssh_host_ecdsa_key" in ended.err
    assert host.read_bytes() == OTHER_KEY
    guest.at(f"{HERE}/client-key.pem").unlink()
    os.link(host, guest.at(f"{HERE}/client-key.pem"))
    ended = generalize(guest)
    assert (ended.code, host.read_bytes()) == (15, OTHER_KEY)
    assert f"{HERE}/client-key.pem" in ended.err


def test_a_neighbour_that_only_begins_like_ngt_is_not_ngt_s(guest: Cell) -> None:
    fill(guest, HERE)
    theirs = guest.put("/usr/local/nutanix-exporter/tls.key", OTHER_KEY)
    ended = generalize(guest)
    assert (ended.code, theirs.read_bytes()) == (15, OTHER_KEY)
    assert "/usr/local/nutanix-exporter/tls.key" in ended.err


def test_certificates_elsewhere_are_left_and_named(guest: Cell) -> None:
    fill(guest, HERE, "ngt_config.json", "client-key.pem")
    guest.put("/etc/pki/vm.pem", CERTIFICATE)
    guest.put("/etc/pki/root.pem", AUTHORITY)
    guest.link(f"{HERE}/client-cert.pem", "/etc/pki/vm.pem")
    guest.link(f"{HERE}/ca-cert.pem", "/etc/pki/root.pem")
    assert f"{HERE}/ca-cert.pem" in generalize(guest, "--check").out
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert "left /etc/pki/vm.pem" in ended.out
    assert guest.at("/etc/pki/vm.pem").exists()
    assert [path.name for path in guest.at(HERE).iterdir()] == ["ngt_config.json"]


@pytest.mark.parametrize("path", ["/stand-ins:/usr/bin:/bin", "/stand-ins:/only"])
def test_a_key_elsewhere_goes_only_with_a_proof(guest: Cell, path: str) -> None:
    # By openssl, and by Python where there is none.
    bare_path(guest, "python3" if path.endswith("only") else "")
    fill(guest, HERE, "ngt_config.json", "client-cert.pem")
    guest.put("/opt/a", KEY)
    guest.put("/opt/b", OTHER_KEY)
    guest.link("/usr/local/nutanix/a", "/opt/a")
    guest.link("/usr/local/nutanix/b", "/opt/b")
    ended = generalize(guest, path=path)
    assert ended.code == 15
    assert not guest.at("/opt/a").exists()
    assert guest.at("/opt/b").read_bytes() == OTHER_KEY
    assert "/opt/b" in ended.err
    assert "/opt/a" not in ended.err


def bare_path(cell: Cell, *programs: str) -> None:
    """Give the guest a directory /only with what the script documents that it needs."""
    needed = "bash find grep sed shred rm mktemp sync"
    for name in (*needed.split(), *filter(None, programs)):
        cell.link(f"/only/{name}", f"/usr/bin/{name}")


def test_files_are_removed_without_any_python(guest: Cell) -> None:
    bare_path(guest)
    fill(guest, HERE)
    guest.link("/usr/local/nutanix/dir", "ngt/config")
    ended = generalize(guest, path="/stand-ins:/only")
    assert ended.code == 11
    assert "no Python here" in ended.err
    assert not holds(guest, body(KEY))
    assert json.loads(guest.at(f"{HERE}/ngt_config.json").read_text()) == CONFIG
    guest.at(f"{HERE}/ngt_config.json").unlink()
    assert generalize(guest, path="/stand-ins:/only").code == 0
    assert gone(guest)


def test_what_leads_nowhere_or_cannot_be_read_is_never_none(guest: Cell) -> None:
    link = guest.link("/usr/local/nutanix/ngt/gone", "/mnt/not-there")
    for arguments in ((), ("--check",)):
        ended = generalize(guest, *arguments)
        assert ended.code == 13
        assert "leads nowhere" in ended.err
        assert "no identity" not in ended.out
    link.unlink()
    link.symlink_to("loop")
    guest.link("/usr/local/nutanix/ngt/loop", "gone")
    assert generalize(guest).code == 13
    link.unlink()
    link.symlink_to("/")
    ended = generalize(guest)
    assert (ended.code, "which is not searched" in ended.err) == (13, True)


@pytest.mark.parametrize("what", ["directory", "file", "named"])
def test_without_the_right_to_read_it_is_an_error(guest: Cell, what: str) -> None:
    fill(guest, HERE, "ngt_config.json")
    if what == "directory":
        closed = guest.at("/usr/local/nutanix/closed")
        closed.mkdir()
    else:
        closed = guest.put(
            f"/usr/local/nutanix/{'client-key.pem' if what == 'named' else 'x'}", KEY
        )
    os.chown(closed, 1000, 1000)
    closed.chmod(0)
    ended = generalize(guest, "--check", without="dac_override,dac_read_search")
    assert ended.code == 13
    assert str(closed.name) in ended.err


def test_a_pipe_of_that_name_does_not_hold_the_search_up(guest: Cell) -> None:
    guest.at(HERE).mkdir()
    os.mkfifo(guest.at(f"{HERE}/client-key.pem"))
    ended = generalize(guest, timeout=20)
    assert (ended.code, "not a regular file" in ended.err) == (13, True)


def test_not_root_no_prefix_no_place_to_work_and_usage(guest: Cell) -> None:
    fill(guest, HERE)
    ended = guest.run("/usr/bin/setpriv", "--reuid=1000", "--clear-groups", "/bin/bash", "-c",
                      render("guest-generalize.sh"), "x", "--check", cwd="/")  # fmt: skip
    assert (ended.code, "not root" in ended.err) == (11, True)
    guest.put("/root/elsewhere", render("guest-generalize.sh", {"prefix": "/nowhere"}), 0o755)
    ended = guest.run("/root/elsewhere", "--check")
    assert (ended.code, "nothing was searched" in ended.err) == (12, True)
    assert generalize(guest, environment={"TMPDIR": "/nowhere"}).code == 11
    for arguments in (("--nonsense",), ("--keep",), ("--keep", "/nowhere")):
        assert generalize(guest, *arguments).code == 2
    assert holds(guest, body(KEY))


def test_without_a_tree_it_is_said_that_there_is_none(guest: Cell) -> None:
    for path in sorted(guest.at("/usr/local/nutanix").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    guest.at("/usr/local/nutanix").rmdir()
    ended = generalize(guest)
    assert ended.code == 0
    assert "there is no /usr/local/nutanix" in ended.out
    guest.put("/usr/local/share/odd", KEY)
    ended = generalize(guest, "--check")
    assert (ended.code, "/usr/local/share/odd" in ended.err) == (15, True)


def test_what_cannot_be_removed_is_14_and_the_certificates_stay_for_the_next_run(
    guest: Cell,
) -> None:
    fill(guest, HERE)
    guest.stand_in("shred", "exit 1")
    ended = generalize(guest)
    assert ended.code == 14
    assert ended.err.count("could not be removed: do not capture this VM") == 1
    assert guest.at(f"{HERE}/client-cert.pem").exists()
    guest.at("/stand-ins/shred").unlink()
    assert generalize(guest).code == 0
    assert gone(guest)


def test_an_agent_that_writes_it_back_or_does_not_stop_is_14(guest: Cell) -> None:
    fill(guest, HERE)
    guest.stand_in("sync", f"cp /root/client-key.pem {HERE}/")
    guest.put("/root/client-key.pem", KEY)
    ended = generalize(guest)
    assert (ended.code, "came back" in ended.err) == (14, True)
    guest.at("/stand-ins/sync").unlink()
    guest.stand_in("systemctl", '[ "$1" = is-active ]')
    ended = generalize(guest)
    assert (ended.code, "cannot be stopped" in ended.err) == (14, True)


def test_the_uuid_in_a_log_goes_and_elsewhere_is_named_while_it_is_known(guest: Cell) -> None:
    fill(guest, HERE)
    guest.put("/usr/local/nutanix/ngt/logs/agent.log", f"I am {UUID.upper()}\n")
    state = guest.put("/usr/local/nutanix/ngt/state.db", b"\0" + UUID.encode())
    for _ in range(2):
        ended = generalize(guest)
        assert ended.code == 15
        assert "state.db" in ended.err
    assert not holds(guest, UUID.upper().encode())
    state.unlink()
    assert generalize(guest).code == 0
    assert gone(guest)


def test_a_configuration_that_is_no_json_is_kept_and_never_none(guest: Cell) -> None:
    config = guest.put(f"{HERE}/ngt_config.json", '{"ngt_version"')
    assert generalize(guest, "--check").code == 13
    config.write_text('{"ngt_uuid": "cut off')
    assert generalize(guest, "--check").code == 1
    assert generalize(guest).code == 14
    assert config.read_text() == '{"ngt_uuid": "cut off'


@pytest.mark.parametrize("interpreter", ["python3"])
def test_nothing_of_the_current_directory_runs(guest: Cell, interpreter: str) -> None:
    fill(guest, HERE)
    for name in ("json", "collections", "os", "sys", "ssl", "encodings", "site", "sitecustomize"):
        guest.put(f"/root/trap/{name}.py", "open('/tmp/canary', 'w')\n")
    for name in (interpreter, "find", "grep", "shred", "openssl"):
        guest.put(f"/root/trap/{name}", "#!/bin/sh\n: >/tmp/canary\n", 0o755)
    guest.put("/opt/a", KEY)
    guest.link("/usr/local/nutanix/a", "/opt/a")
    ended = generalize(
        guest,
        cwd="/root/trap",
        path=":.:/stand-ins:/usr/bin:/bin",
        environment={"PYTHONPATH": "/root/trap", "CDPATH": "/root/trap"},
    )
    assert ended.code == 0, ended
    assert not guest.at("/tmp/canary").exists()
    assert gone(guest)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_it_can_be_interrupted_and_run_again(guest: Cell, name: str) -> None:
    fill(guest, HERE)
    # Overwriting takes its time, at whichever file the signal comes.
    guest.stand_in("shred", 'touch /tmp/at-it; sleep 1; exec /usr/bin/shred "$@"')
    process = guest.start(["/root/ngt-generalize"])
    while not guest.at("/tmp/at-it").exists():
        time.sleep(0.02)
        assert process.poll() is None
    # The whole session gets it, as from a terminal.
    os.killpg(process.pid, getattr(signal, name))
    process.communicate(timeout=20)
    assert process.returncode == (-9 if name == "SIGKILL" else 130)
    guest.at("/stand-ins/shred").unlink()
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert gone(guest)
    config = guest.at(f"{HERE}/ngt_config.json")
    assert json.loads(config.read_text())["ngt_version"] == "2.0.1"
    left = [path.name for path in guest.at("/tmp").iterdir() if path.name.startswith("tmp.")]
    assert left == [] or name == "SIGKILL"


def test_a_run_that_was_killed_in_the_middle_of_an_edit_is_finished(guest: Cell) -> None:
    fill(guest, HERE)
    for ending in ("new", "old"):
        guest.put(f"{HERE}/.ngt_config.json.ngt-generalize-{ending}", FOUR["ngt_config.json"])
    assert generalize(guest).code == 0
    assert gone(guest)
    assert [path.name for path in guest.at(HERE).iterdir()] == ["ngt_config.json"]


def pem_of(seed: int) -> bytes:
    return certificate(private_key("p256", seed)).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("directory", ["/usr/local/mysql/data", "/var/lib/mysql"])
def test_another_s_pair_of_the_same_names_loses_nothing(guest: Cell, directory: str) -> None:
    # MySQL makes both files in its data directory.
    fill(guest, HERE)
    for name, content in {"client-cert.pem": pem_of(2), "client-key.pem": OTHER_KEY}.items():
        guest.put(f"{directory}/{name}", content)
    guest.put("/etc/pki/mysql.pem", pem_of(2))
    guest.link(f"{directory}/client-cert.pem.link", "/etc/pki/mysql.pem")
    guest.link("/usr/local/nutanix/data", directory)
    ended = generalize(guest)
    assert (ended.code, f"{directory}/client-key.pem" in ended.err) == (15, True)
    assert generalize(guest, "--keep", directory).code == 0
    assert guest.at(f"{directory}/client-key.pem").read_bytes() == OTHER_KEY
    assert guest.at(f"{directory}/client-cert.pem.link").is_symlink()
    assert f"left {directory}/client-cert.pem" in generalize(guest, "--keep", directory).out
    assert gone(guest)


@pytest.mark.parametrize(
    "content", [b"\0" * 512 + KEY + b"\0precious", KEY + OTHER_KEY], ids=["archive", "two keys"]
)
def test_a_file_that_holds_more_than_ngt_s_key_is_named_and_kept(
    guest: Cell, content: bytes
) -> None:
    fill(guest, HERE)
    kept = guest.put("/usr/local/share/kept", content)
    assert generalize(guest).code == 15
    # Its key is NGT's: nobody can say that it is not.
    assert generalize(guest, "--keep", "/usr/local/share").code == 15
    assert kept.read_bytes() == content


def test_what_has_another_name_and_is_no_key_keeps_its_content_there(guest: Cell) -> None:
    fill(guest, HERE)
    anchor = guest.put("/etc/pki/ca-trust/anchor.pem", AUTHORITY)
    guest.at(f"{HERE}/ca-cert.pem").unlink()
    os.link(anchor, guest.at(f"{HERE}/ca-cert.pem"))
    assert generalize(guest).code == 0
    assert anchor.read_bytes() == AUTHORITY
    assert not guest.at(f"{HERE}/ca-cert.pem").exists()


def test_a_run_that_was_killed_between_link_and_rename_is_finished(guest: Cell) -> None:
    fill(guest, HERE)
    config = guest.at(f"{HERE}/ngt_config.json")
    # As the edit leaves it there: two names of one file, and the new one not yet in place.
    os.link(config, config.parent / ".ngt_config.json.ngt-generalize-old")
    guest.put(f"{HERE}/.ngt_config.json.ngt-generalize-new", '{"ngt_ver')
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert json.loads(config.read_text())["ngt_version"] == "2.0.1"
    assert [path.name for path in guest.at(HERE).iterdir()] == ["ngt_config.json"]


def test_what_a_killed_edit_left_beside_a_linked_configuration_is_found(guest: Cell) -> None:
    guest.put("/var/lib/ngt/settings", '{"ngt_version": "2", "system_uuid": "x"}')
    guest.link(f"{HERE}/ngt_config.json", "/var/lib/ngt/settings")
    guest.put("/var/lib/ngt/.ngt_config.json.ngt-generalize-old", FOUR["ngt_config.json"])
    assert generalize(guest, "--check").code == 1
    assert generalize(guest).code == 0
    assert gone(guest)
    assert json.loads(guest.at("/var/lib/ngt/settings").read_text()) == {"ngt_version": "2"}


@pytest.mark.parametrize(
    "spelt",
    [
        '{"vm": {"ngt_uuid": "%s"}, "ngt_version": "2"}',
        '[{"ngt_uuid": "%s", "ngt_version": "2"}]',
        '{"vm": {"ngt_uuid": "%s"}, "vm": {}, "ngt_version": "2"}',
        '\ufeff{"name": "caf\u00e9", "ngt_uuid": "%s", "ngt_version": "2"}',
    ],
)
def test_identity_at_any_depth_of_the_configuration_goes(guest: Cell, spelt: str) -> None:
    # As Python 3.6 reads, which EL8 has: not UTF-8 by itself in the C locale.
    guest.stand_in("python3", 'exec /usr/bin/python3 -X utf8=0 "$@"')
    config = guest.put(f"{HERE}/ngt_config.json", spelt % UUID)
    assert generalize(guest, "--check").code == 1
    ended = generalize(guest)
    assert ended.code == 0, ended
    assert gone(guest)
    assert '"ngt_version": "2"' in config.read_text()
    config.write_text('{"ngt_version": "2", "name": "caf\u00e9"}')
    assert generalize(guest, "--check").code == 0


def test_a_configuration_that_says_it_twice_is_not_called_clean(guest: Cell) -> None:
    text = json.dumps({**CONFIG, "directory": f"/.ngt/{UUID.upper()}"})
    config = guest.put(f"{HERE}/ngt_config.json", text)
    ended = generalize(guest)
    assert (ended.code, config.read_text()) == (14, text)
    assert "under another name" in ended.err
    assert "Traceback" not in ended.err


def test_a_copy_of_the_configuration_is_judged_as_the_configuration(guest: Cell) -> None:
    guest.put(f"{HERE}/ngt_config.json.rpmsave", json.dumps({"system_uuid": UUID}))
    assert generalize(guest, "--check").code == 1
    assert generalize(guest).code == 0
    assert gone(guest)


def test_another_s_list_of_vms_is_named_and_not_edited(guest: Cell) -> None:
    fill(guest, HERE, "client-key.pem")
    text = json.dumps({"vms": [{"name": "a", "ngt_uuid": UUID}]}, indent=1)
    vms = guest.put("/usr/local/share/vms.json", text)
    ended = generalize(guest)
    assert (ended.code, "/usr/local/share/vms.json" in ended.err) == (15, True)
    assert "took ngt_uuid out" not in ended.out
    assert generalize(guest, "--keep", "/usr/local/share").code == 0
    assert vms.read_text() == text


def test_every_value_is_looked_for_in_logs(guest: Cell) -> None:
    second = "11111111-2222-3333-4444-555555555555"
    guest.put("/usr/local/nutanix/old", f"ngt_uuid: {UUID}\nngt_uuid: {second}\n")
    guest.put("/usr/local/nutanix/agent.log", f"was {second}")
    assert generalize(guest).code == 0
    assert not holds(guest, second.encode())


def test_the_installation_s_logs_are_looked_at_and_go_at_each_run(guest: Cell) -> None:
    fill(guest, HERE, "ngt_config.json")
    log = guest.put("/tmp/ngt_install_log_20210913232117.txt", f"I am {UUID}\n")
    victim = guest.put("/etc/victim", f'"ngt_uuid": "{UUID}"')
    guest.link("/tmp/ngt_install_log_1.txt", "/etc/victim")
    assert str(log.name) in generalize(guest, "--check").out
    assert generalize(guest).code == 0
    assert not list(guest.at("/tmp").glob("ngt_install*"))
    # A run that was killed after the edit: nothing but the log is left, and no value to know it by.
    guest.put("/tmp/ngt_install_log_20210913232117.txt", f"I am {UUID}\n")
    assert generalize(guest).code == 0
    assert not list(guest.at("/tmp").glob("ngt_install*"))
    assert UUID in victim.read_text()


def test_a_link_to_a_certificate_of_its_usual_name_is_identity(guest: Cell) -> None:
    guest.put("/etc/pki/client-cert.pem", CERTIFICATE)
    link = guest.link(f"{HERE}/client-cert.pem", "/etc/pki/client-cert.pem")
    ended = generalize(guest, "--check")
    assert (ended.code, f"{HERE}/client-cert.pem" in ended.out) == (1, True)
    assert generalize(guest).code == 0
    assert not link.is_symlink()


def test_keep_runs_nothing_of_the_current_directory_and_is_never_empty(guest: Cell) -> None:
    guest.put("/root/trap/find", "#!/bin/sh\n: >/tmp/canary\n", 0o755)
    guest.link("/root/trap/link", "find")
    how = {"cwd": "/root/trap", "path": ".:/stand-ins:/usr/bin:/bin"}
    assert generalize(guest, "--check", "--keep", "link", **how).code == 0
    assert not guest.at("/tmp/canary").exists()
    guest.put("/usr/local/share/key", OTHER_KEY)
    assert generalize(guest, "--keep", "", cwd="/usr/local").code == 2


def test_keep_counts_for_keys_that_only_their_name_shows(guest: Cell) -> None:
    guest.put("/usr/local/share/client-key.der", b"\x30\x81\x87")
    assert generalize(guest).code == 15
    assert generalize(guest, "--keep", "/usr/local/share").code == 0


@pytest.mark.parametrize("search", ["-exec", "client-key", "-type l"])
def test_a_search_that_was_killed_is_not_complete(guest: Cell, search: str) -> None:
    guest.stand_in(
        "find", f'case "$*" in *"{search}"*) kill -9 $$ ;; esac; exec /usr/bin/find "$@"'
    )
    ended = generalize(guest, "--check")
    assert (ended.code, "find ended" in ended.err) == (13, True)
    assert "no identity in" not in ended.out


def test_a_program_that_knows_the_marker_and_a_long_path_stays(guest: Cell) -> None:
    program = guest.put(
        "/usr/local/nutanix/ngt/bin/loader.py",
        'if "-----BEGIN RSA PRIVATE KEY-----" in text:\n'
        '    run("/usr/local/nutanix/ngt/python36/bin/python3")\n',
    )
    assert generalize(guest).code == 0
    assert program.exists()
    indented = b"key: |\n" + b"".join(b"        " + line for line in KEY.splitlines(True))
    source = b"KEY = (\n" + b"".join(b'    "%s\\n"\n' % line for line in KEY.splitlines()) + b")"
    for content in (indented, source):
        guest.put("/usr/local/nutanix/ngt/lib/odd", content)
        assert generalize(guest).code == 0
        assert not guest.at("/usr/local/nutanix/ngt/lib/odd").exists()


def test_without_a_tree_the_rest_is_edited_on_any_bash(guest: Cell) -> None:
    guest.at("/usr/local/nutanix").rename(guest.at("/opt/elsewhere"))
    config = guest.put("/usr/local/share/ngt_config.json", FOUR["ngt_config.json"])
    assert generalize(guest).code == 0
    assert "ngt_uuid" not in config.read_text()
