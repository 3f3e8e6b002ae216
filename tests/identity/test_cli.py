# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch identity`` as a shell meets it."""

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests import program
from tests.identity import material as m
from tests.interpreters import interpreter

# The command judges by the clock: the material must be of today.
TODAY = datetime.now(timezone.utc)
FRESH: dict[str, Any] = {"begin": TODAY - timedelta(days=10)}
AGED: dict[str, Any] = {"begin": TODAY - timedelta(days=950)}
DEAD: dict[str, Any] = {"begin": TODAY - timedelta(days=1001)}


def ngtpatch(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return program.run(*arguments, env={**os.environ, "NO_COLOR": "1"})


def folder(directory: Path, number: int, name: str | None = None, **options: Any) -> Path:
    target = directory / (name or f"vm{number}")
    target.mkdir(parents=True)
    for path, data in m.files(number, **options).items():
        file = target / Path(path).name
        file.write_bytes(data)
        file.chmod(0o600)
    return target


def test_show_says_everything_but_the_key(tmp_path: Path) -> None:
    target = folder(tmp_path, 1, kind="rsa2048", **FRESH)
    key = (target / "client-key.pem").read_text()
    plain, document = (
        ngtpatch("identity", "show", target),
        ngtpatch("--json", "identity", "show", target),
    )
    assert (plain.returncode, document.returncode) == (0, 0)
    for output in (plain.stdout, plain.stderr, document.stdout, document.stderr):
        assert not any(line in output for line in key.splitlines())
    (shown,) = json.loads(document.stdout)["identities"]
    assert shown["identity"]["config"] == json.loads(m.config(1))
    assert shown["identity"]["key"] == {
        "key_type": "RSA", "key_bits": 2048, "matches_certificate": True,
    }  # fmt: skip
    for value in ("192.168.7.7", "RSA 2048", f"CN={m.FIRST}", "not shown"):
        assert value in plain.stdout


def test_check_is_silent_success_for_monitoring(tmp_path: Path) -> None:
    folder(tmp_path, 1, **FRESH)
    folder(tmp_path, 2, **FRESH)
    run = ngtpatch("identity", "check", tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "2 checked: 2 ok, 0 with warnings, 0 with errors" in run.stdout


def test_check_finds_every_kind_at_once(tmp_path: Path) -> None:
    folder(tmp_path, 1, **FRESH)
    folder(tmp_path, 2, **AGED)
    folder(tmp_path, 3, **DEAD)
    folder(tmp_path, 1, name="clone", **FRESH)
    (folder(tmp_path, 5, **FRESH) / "client-key.pem").chmod(0o644)
    (folder(tmp_path, 6, **FRESH) / "client-cert.pem").unlink()
    (folder(tmp_path, 7, **FRESH) / "client-key.pem").write_bytes(
        m.files(1)["config/client-key.pem"]
    )
    run = ngtpatch("--json", "identity", "check", tmp_path)
    assert run.returncode == 5
    document = json.loads(run.stdout)
    found = {(Path(f["source"]).name, f["code"]) for f in document["findings"]}
    assert found == {
        ("vm2", "expiring"), ("vm3", "expired"), ("vm1", "duplicate-uuid"),
        ("clone", "duplicate-uuid"), ("vm5", "mode"), ("vm6", "missing"), ("vm7", "key-mismatch"),
    }  # fmt: skip
    days = {Path(i["source"]).name: i["days_left"] for i in document["identities"]}
    assert (days["vm2"], days["vm3"]) == (49, -2)
    assert ngtpatch("identity", "check", tmp_path / "vm2").returncode == 5
    assert ngtpatch("identity", "check", "--warn-days", 30, tmp_path / "vm2").returncode == 0


def test_check_an_inventory(tmp_path: Path) -> None:
    for number in (1, 2):
        folder(tmp_path / "ids", number, **FRESH)
    (tmp_path / "vms.csv").write_text(
        f"name,vm_uuid,ngt_uuid\n"
        f"vm1,{'0' * 8}-1111-2222-3333-{'4' * 12},\n"
        f"vm2,,\n"
        f"vm3,,d4de685b-791a-4fbc-b916-000000000001\n"
    )
    run = ngtpatch(
        "--json", "identity", "check", tmp_path / "vms.csv", "--certificates", tmp_path / "ids"
    )
    assert run.returncode == 5
    found = {(f["source"], f["code"]) for f in json.loads(run.stdout)["findings"]}
    assert found == {
        ("vm3", "missing"), ("vm1", "duplicate-uuid"), ("vm3", "duplicate-uuid"),
    }  # fmt: skip


def test_a_ca_must_have_issued_them(tmp_path: Path) -> None:
    root_key = m.private_key("p256", 501)
    root = m.certificate(root_key, name="root", authority=True, **FRESH)
    (tmp_path / "ca.pem").write_bytes(m.pem(root))
    folder(tmp_path / "a", 1, issuer=(root, root_key), **FRESH)
    folder(tmp_path / "b", 2, **FRESH)
    assert (
        ngtpatch("identity", "check", "--ca", tmp_path / "ca.pem", tmp_path / "a").returncode == 0
    )
    run = ngtpatch("identity", "check", "--ca", tmp_path / "ca.pem", tmp_path / "b")
    assert run.returncode == 5
    assert "chain" in run.stdout


def test_the_plan_is_a_runbook_in_order_of_urgency(tmp_path: Path) -> None:
    uuid = "00000000-1111-2222-3333-444444444444"
    folder(tmp_path / "ids", 1, **FRESH)
    folder(tmp_path / "ids", 2, **AGED)
    folder(tmp_path / "ids", 3, **DEAD)
    (tmp_path / "vms.csv").write_text(f"name,vm_uuid\nvm1,\nvm2,{uuid}\nvm3,\n")
    given = (tmp_path / "vms.csv", "--certificates", tmp_path / "ids")
    run = ngtpatch("identity", "check", *given, "--plan")
    assert run.returncode == 5
    headings = [line for line in run.stdout.splitlines() if line.startswith("## ")]
    assert headings == ["## vm3", "## vm2"]
    assert f"refresh_vm_tools_entity {uuid}" in run.stdout
    assert "its VM UUID is not in the inventory" in run.stdout
    ngtpatch("identity", "check", *given, "--plan", "--method", "recreate", "-o", tmp_path / "r.md")
    steps = (tmp_path / "r.md").read_text()
    assert steps.index(f"delete_vm_tools_entity {uuid}") < steps.index(
        f"create_vm_tools_entity {uuid}"
    )
    (tmp_path / "own.j2").write_text("{% for vm in vms %}{{ vm.name }}={{ method }}\n{% endfor %}")
    own = ngtpatch("identity", "check", *given, "--plan", "--template", tmp_path / "own.j2")
    assert own.stdout == "vm3=refresh\nvm2=refresh\n"


def test_a_plan_does_not_hide_what_no_certificate_mends(tmp_path: Path) -> None:
    """A disc that could not be read is none of which it is known that it needs nothing."""
    discs = tmp_path / "discs"
    folder(discs, 1, **FRESH)
    (discs / "vm2.iso").write_bytes(b"no image")
    run = ngtpatch("identity", "check", discs, "--plan")
    assert run.returncode == 5
    assert "vm2.iso: not-iso" in run.stderr


def test_a_directory_s_images_are_known_by_content_and_what_is_passed_over_is_named(
    tmp_path: Path,
) -> None:
    discs, end = tmp_path / "discs", {**os.environ, "SOURCE_DATE_EPOCH": "1400000000"}
    folder(discs, 1, **FRESH)
    for name in ("vm2.img", "vm3", "deeper/vm4.iso"):
        (discs / name).parent.mkdir(exist_ok=True)
        assert program.run("sample", "-o", discs / name, "--seed", name, env=end).returncode == 0
    (discs / "ledger.jsonl").write_text("")
    run = ngtpatch("identity", "check", discs, "--json")
    found = [(Path(one["source"]).name, one["code"]) for one in json.loads(run.stdout)["findings"]]
    assert ("vm2.img", "expired") in found
    assert ("vm3", "expired") in found
    assert ("discs", "not-looked-at") in found
    (discs / "vm2.img").unlink()
    (discs / "vm3").unlink()
    run = ngtpatch("identity", "check", discs)
    assert run.returncode == 0
    assert "not looked at: deeper" in run.stderr
    (discs / "vm5.iso").symlink_to("gone.iso")
    run = ngtpatch("identity", "check", discs)
    assert run.returncode == 5
    assert "2 checked: 1 ok, 0 with warnings, 1 with errors" in run.stdout


def test_bad_input_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text("name,port\nvm1,x\nvm1,y\n")
    for arguments, code, what in (
        (("check", tmp_path / "none"), 3, "no such file"),
        (("check", tmp_path), 3, "holds neither"),
        (("check", tmp_path / "vms.csv"), 3, "row 3, column port"),
        (("check", tmp_path / "vms.csv", "-o", "x"), 2, "--plan"),
        (("show",), 2, "TARGET"),
    ):
        run = ngtpatch("identity", *arguments)
        assert (run.returncode, run.stdout) == (code, "")
        assert what in run.stderr
        assert "Traceback" not in run.stderr


def test_the_documents_fit_their_schemas(tmp_path: Path) -> None:
    target = folder(tmp_path, 2, **AGED)
    for name in ("show", "check"):
        document = json.loads(ngtpatch("--json", "identity", name, target).stdout)
        schema = json.loads(ngtpatch("schema", f"identity-{name}").stdout)
        assert document["schema"] == schema["properties"]["schema"]["const"]
        assert set(document) == set(schema["properties"])


def test_line_ends_of_windows_are_kept_and_no_finding(tmp_path: Path) -> None:
    """They are PEM, and OpenSSL reads them, also that of the oldest guests' Python."""
    vm, out = folder(tmp_path, 1, **FRESH), tmp_path / "out.iso"
    for file in vm.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert ngtpatch("sample", "-o", tmp_path / "ngt.iso").returncode == 0
    files = ("--config", vm / "ngt_config.json", "--cert", vm / "client-cert.pem")
    rebuilt = ngtpatch(
        "rebuild", tmp_path / "ngt.iso", *files, "--key", vm / "client-key.pem", "-o", out
    )
    assert (rebuilt.returncode, rebuilt.stderr) == (0, "")
    read = []
    for name in ("client-cert.pem", "client-key.pem"):
        read.append(tmp_path / name)
        words = ("extract", out, f"config/{name}", "--allow-identity", "-o", read[-1])
        assert ngtpatch(*words).returncode == 0
        assert read[-1].read_bytes() == (vm / name).read_bytes()
    checked = ngtpatch("identity", "check", vm)
    assert (checked.returncode, checked.stderr) == (0, "")
    load = "import ssl, sys; ssl.SSLContext(ssl.PROTOCOL_TLS).load_cert_chain(*sys.argv[1:])"
    for version in ("2.7", "3.6"):
        subprocess.run([interpreter(version), "-c", load, *map(str, read)], check=True)
