# SPDX-License-Identifier: Apache-2.0
"""A private key is never shown, whatever field it was put into; nor is anything unescaped."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448

from ngtpatch.disclosure import holds_private_key, printable, redacted, stream_holds_private_key
from ngtpatch.document import document
from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.identity.inventory import InventoryError, RowProblem
from ngtpatch.sample import write_sample
from tests.identity.material import certificate, key_pem, private_key

KEYS = [
    private_key("rsa1024"), private_key("rsa2048"), private_key("p256"), private_key("p384"),
    private_key("ed25519"), ec.generate_private_key(ec.SECP521R1()), dsa.generate_private_key(2048),
    ed448.Ed448PrivateKey.generate(),
]  # fmt: skip
PEM = key_pem(KEYS[1]).decode()
ESCAPE = "\x1b]0;owned\x07\x1b[31m\u202e\u009b"


def forms(key: Any) -> list[tuple[bool, bytes]]:
    """Every form in which a key is written: (whether armoured, bytes)."""
    found = []
    for encoding in (s.Encoding.PEM, s.Encoding.DER):
        for form in (s.PrivateFormat.PKCS8, s.PrivateFormat.TraditionalOpenSSL):
            for lock in (s.NoEncryption(), s.BestAvailableEncryption(b"password")):
                try:
                    data = key.private_bytes(encoding, form, lock)
                except (TypeError, ValueError):
                    continue  # there is no such form of this kind
                found.append((encoding is s.Encoding.PEM, data))
    return found


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_a_key_is_found_in_each_form_and_its_public_half_is_none(key: Any) -> None:
    written = forms(key)
    assert len(written) >= 4
    for armoured, data in written:
        stream = io.BytesIO(bytes(1_048_000) + data + bytes(5000))  # across a block's end
        assert stream_holds_private_key(stream)
        if armoured:
            assert holds_private_key(data.decode().encode("utf-16"))
            assert holds_private_key(json.dumps({"a": data.decode()}).encode())
            assert holds_private_key(data.replace(b"\n", b" "))
            if b"Proc-Type" not in data:  # its headers end with their lines
                assert holds_private_key(data.replace(b"\n", b""))
    public = key.public_key()
    for encoding in (s.Encoding.PEM, s.Encoding.DER):
        data = public.public_bytes(encoding, s.PublicFormat.SubjectPublicKeyInfo)
        assert not holds_private_key(data)
        assert redacted(data.decode("latin-1")) == data.decode("latin-1")


def test_openssh_and_pkcs12_are_keys_and_a_certificate_is_none() -> None:
    key = private_key("rsa2048")
    from cryptography.hazmat.primitives.serialization import pkcs12

    ssh = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.OpenSSH, s.NoEncryption())
    pfx = pkcs12.serialize_key_and_certificates(
        b"vm", key, None, None, s.BestAvailableEncryption(b"password")
    )
    assert holds_private_key(ssh)
    assert holds_private_key(pfx)
    pem = certificate(key).public_bytes(s.Encoding.PEM)
    assert not holds_private_key(pem)
    assert redacted(pem.decode()) == pem.decode()


def test_what_only_speaks_of_keys_is_left_as_it_is() -> None:
    for text in (
        "grep -e '-----BEGIN PRIVATE KEY-----' \"$file\"",
        "if text.startswith('-----BEGIN RSA PRIVATE KEY-----'):\n    return load(text)\n",
        "-----END PRIVATE KEY-----",
        "0123456789abcdef" * 4,
    ):
        assert redacted(text) == text
        assert not holds_private_key(text.encode())


MANGLED: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "CRLF": lambda pem: pem.replace("\n", "\r\n"),
    "one line": lambda pem: pem.replace("\n", " "),
    "no line ends": lambda pem: pem.replace("\n", ""),
    "JSON": lambda pem: json.dumps([pem]),
    "repr": repr,
    "repr of bytes": lambda pem: repr(pem.encode()),
    "indented": lambda pem: pem.replace("\n", "\n    "),
    "a diff": lambda pem: "".join(f"+{line}\n" for line in pem.splitlines()),
    "cut off behind": lambda pem: pem[:400],
    "cut off before": lambda pem: pem[-400:],
    "without armour": lambda pem: "".join(pem.splitlines()[1:-1]),
    "in a path": lambda pem: str(Path("/srv/vms") / pem),
}  # fmt: skip


@pytest.mark.parametrize("way", MANGLED)
def test_a_key_is_hidden_however_it_was_mangled(way: str) -> None:
    for key in KEYS:
        pem = key_pem(key).decode()
        mangled = f"before {MANGLED[way](pem)} after"
        for shown in (redacted(mangled), printable(mangled)):
            assert "private key, not shown" in shown
            assert shown.startswith("before ")
            for line in pem.splitlines()[1:-1]:
                assert line[:24] not in shown
                assert line[-24:] not in shown


def test_redaction_takes_no_longer_than_reading() -> None:
    started = time.process_time()
    for text in (
        "A" * 2_000_000,
        "BEGIN PRIVATE KEY-----" * 20_000,
        "END PRIVATE KEY" * 20_000,
        "MIICabcIBADA" * 100_000,
        "BEGIN PRIVATE KEY A: " * 20_000,
    ):
        redacted(text)
    assert time.process_time() - started < 5


def test_errors_and_documents_hide_a_key() -> None:
    error = InputError("x", f"no {PEM}", path=f"/a/{PEM}", hint=PEM)
    assert secrets_in(str(error) + repr(error) + str(error.hint) + str(error.args)) == []
    shown = json.dumps(document({PEM: (PEM, Path(PEM), {PEM}), "n": 1}))
    assert secrets_in(shown) == []
    assert '"n": 1' in shown
    assert isinstance(error, NgtpatchError)


def secrets_in(text: str) -> list[str]:
    return [line for line in PEM.splitlines()[1:-1] if line[:20] in text or line[-20:] in text]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("place")
    write_sample(home / "base.iso")
    (home / "pem").write_text(PEM)
    (home / "empty").mkdir()
    row = f'"{PEM}"'
    for column in ("name", "config", "cert", "key", "ngt_uuid", "cluster_ip", "port", "note"):
        cells = {"name": "web", column: row}
        (home / f"{column}.csv").write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    (home / "loose.csv").write_text(f"name,key\n{PEM}\n")
    (home / "vms.json").write_text(json.dumps([{"name": "web", "key": PEM}]))
    (home / "vms.jsonl").write_text(json.dumps({"name": PEM}) + "\n")
    (home / "values.json").write_text(json.dumps({"label": PEM}))
    (home / "template.sh").write_text(f"#!/bin/sh\ncat <<'END'\n{PEM}END\n")
    (home / "plain.sh").write_text("#!/bin/sh\necho {{ text | sh }}\n")
    (home / "os-release").write_text(f'NAME="{PEM}"\nID=x\n')
    (home / "profile.toml").write_text(f'id = "{json.dumps(PEM)[1:-1]}"\n')
    (home / "vms.csv").write_text("name\nweb\n")
    (home / "ncli.txt").write_text(f"    VM Id : {PEM}\n    VM Name : {PEM}\n")
    return home


INVENTORIES = ("name", "config", "cert", "key", "ngt_uuid", "cluster_ip", "port", "note", "loose")


def commands(home: Path) -> list[list[str]]:
    inject = ["inject", "base.iso", "--output-dir", str(home / "out")]
    return [
        *([*inject, "--inventory", f"{column}.csv"] for column in INVENTORIES),
        [*inject, "--inventory", "vms.json"],
        [*inject, "--inventory", "vms.jsonl"],
        [*inject, "--inventory", "vms.csv", "--set", f"note={PEM}"],
        [*inject, "--inventory", "vms.csv", "--set", PEM],
        [*inject, "--inventory", "vms.csv", "--name", PEM],
        [*inject, "--inventory", "vms.csv", "--config-template", "pem"],
        [*inject, "--inventory", PEM],
        ["identity", "check", "name.csv"],
        ["identity", "show", PEM],
        ["status", "ncli.txt"],
        ["render", "template.sh"],
        ["render", "plain.sh", "--set", f"text={PEM}"],
        ["render", "guest-install.sh", "--values", "values.json"],
        ["render", "guest-install.sh", "--set", f"label={PEM}"],
        ["render", PEM],
        ["rebuild", "base.iso", "-d", PEM, "-o", "x.iso"],
        ["rebuild", "base.iso", "-d", "rocky", "-o", PEM],
        ["rebuild", "base.iso", "-d", "rocky", "--set", f"a={PEM}", "-o", "x.iso"],
        ["rebuild", PEM, "-d", "rocky", "-o", "x.iso"],
        ["rebuild", "base.iso", "-d", "auto", "--os-release", "os-release", "-o", "x.iso"],
        ["profile", "new", "--os-release", "os-release", "-o", "-"],
        ["profile", "show", "x", "--profiles", "profile.toml"],
        ["extract", "base.iso", PEM],
        ["packer", "prepare", "base.iso", "-d", PEM],
        ["packer", "verify", "pem"],
        ["patch", "show", PEM],
        ["ls", "base.iso", PEM],
        ["ls", f"--{PEM}"],
        [PEM],
    ]  # fmt: skip


def test_no_command_shows_a_key_put_into_any_field(place: Path) -> None:
    """In one process each, with and without --json; nor is one left in a ledger."""
    from ngtpatch.cli.app import app
    from tests.told import InProcess

    before = Path.cwd()
    os.chdir(place)
    try:
        for command in commands(place):
            for arguments in (command, [*command, "--json"]):
                ran = InProcess().invoke(app, arguments, prog_name="ngtpatch")
                assert ran.exit_code != 1, (arguments, ran.output)
                assert secrets_in(ran.output) == [], arguments
                assert secrets_in(ran.output.replace("\\n", "\n")) == [], arguments
    finally:
        os.chdir(before)
    for path in place.rglob("*"):
        if path.is_file() and path.parent != place:
            assert secrets_in(path.read_text("latin-1")) == [], path
    shutil.rmtree(place / "out", ignore_errors=True)


def in_a_terminal(*arguments: str, cwd: Path) -> str:
    """What a command writes to a terminal, stdout and stderr."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ngtpatch", *arguments],
        stdin=follower, stdout=follower, stderr=follower, cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", "TERM": "dumb"},
    )  # fmt: skip
    os.close(follower)
    seen = b""
    while True:
        try:
            block = os.read(leader, 1 << 16)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(leader)
    process.wait()
    return seen.decode("utf-8", "replace")


def test_a_terminal_gets_no_escape_sequence_of_somebody_else(place: Path) -> None:
    (place / "hostile.csv").write_text(f"name,port\n{ESCAPE}ngtpatch: verified,{ESCAPE}\n")
    (place / "hostile.json").write_text(json.dumps([{"name": f"a{ESCAPE}\nngtpatch: verified"}]))
    (place / "hostile.sh").write_text(f"echo {ESCAPE}\n")
    tree = place / "tree"
    (tree / "config").mkdir(parents=True)
    (tree / f"a{ESCAPE}\nngtpatch: verified").write_text(ESCAPE)
    inject = ("inject", "base.iso", "--output-dir", str(place / "out2"), "--inventory")
    for arguments in (
        (*inject, "hostile.csv"),
        (*inject, "hostile.json"),
        (*inject, "hostile.json", "--dry-run"),
        ("identity", "check", "hostile.json"),
        ("ls", "tree"),
        ("diff", "tree", "empty"),
        ("render", "hostile.sh"),
        ("extract", "tree", f"a{ESCAPE}\nngtpatch: verified"),
        ("rebuild", f"{ESCAPE}\nngtpatch: verified", "-d", "x", "-o", "y"),
        ("rebuild", "base.iso", "-d", f"{ESCAPE}\nngtpatch: verified", "-o", "y"),
        (f"{ESCAPE}\nngtpatch: verified",),
    ):
        seen = in_a_terminal(*arguments, cwd=place)
        assert "x1b" in seen or "u202e" in seen or arguments[:1] == ("diff",), (arguments, seen)
        foreign = [c for c in seen if not c.isprintable() and c not in "\r\n\t"]
        assert foreign == [], (arguments, seen)
        assert not any(line.startswith("ngtpatch: verified") for line in seen.splitlines())


SHORT = key_pem(private_key("ed25519")).decode().replace("\n", " ").replace("/", "")
"""A key that would do for a file's name: it has no slash and is short enough."""


@pytest.mark.parametrize("pem", [PEM, SHORT], ids=["a path", "a name"])
def test_no_file_or_directory_is_named_after_a_key(
    place: Path, tmp_path: Path, pem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ngtpatch.cli.app import app
    from tests.told import InProcess

    monkeypatch.chdir(tmp_path)
    base, inventory = str(place / "base.iso"), str(place / "vms.csv")
    prepare = ["packer", "prepare", base, "-d", "rocky"]
    hook = {"NGTPATCH_ISO": base, "NGTPATCH_DISTRO": "rocky", "NGTPATCH_OUTPUT": "."}
    inject = ["inject", base, "--inventory", inventory]
    material = tmp_path / "keyed.csv"
    material.write_text(f'name,note\nweb,"{pem.strip()}"\n')
    refused: list[tuple[list[str], dict[str, str]]] = [
        (["rebuild", base, "-d", "rocky", "-o", pem], {}),
        (["rebuild", base, "-d", "rocky"], {"NGTPATCH_REBUILD_OUTPUT": pem}),
        (["rebuild", base, "-d", "rocky", "--output-tree", pem], {}),
        (["extract", base, "config/ngt_config.json", "-o", pem], {}),
        ([*prepare, "-o", pem], {}),
        ([*prepare, "--cache-dir", pem], {}),
        ([*prepare, "--variables", pem], {}),
        (prepare, {"NGTPATCH_CACHE_DIR": pem}),
        ([*inject, "--output-dir", pem], {}),
        ([*inject, "--output-dir", "out", "--name", pem], {}),
        (["inject", base, "--inventory", "keyed.csv", "--output-dir", "o",
          "--name", "{{ note }}"], {}),
        *((["packer", "hook"], {**hook, name: pem}) for name in (*hook, "NGTPATCH_RESULT")),
    ]  # fmt: skip
    for arguments, more in refused:
        ran = InProcess().invoke(app, arguments, env=more, prog_name="ngtpatch")
        assert ran.exit_code in (2, 3), (arguments, ran.output)
        assert [path.name for path in tmp_path.iterdir()] == ["keyed.csv"], arguments


def test_an_inventorys_problems_hide_a_key_item_by_item() -> None:
    problem = RowProblem(1, PEM, f"there is no file {PEM}")
    error = InventoryError.of([problem], path="vms.csv")
    assert secrets_in(repr(error.problems) + str(problem)) == []
