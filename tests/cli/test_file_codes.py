# SPDX-License-Identifier: Apache-2.0
"""The error codes of small files: profiles, patches, os-release, templates, what is one VM's.

Each is raised as a script gets it, through the command line.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY
from tests import program
from tests.identity import material as m
from tests.iso.test_foreign_files import FOREIGN
from tests.patching.test_patch_files import MINIMAL
from tests.patching.test_profile import GOOD
from tests.render.test_render import HEADER

LINUX = "installer/linux"


def error(*words: object, cwd: Path | None = None) -> tuple[int, str]:
    """Return exit code and error code of a command."""
    ran = program.run("--json", *words, cwd=cwd)
    assert "Traceback" not in ran.stderr
    return ran.returncode, json.loads(ran.stdout)["error"]["code"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "ngt.iso"
    assert program.run("-q", "sample", "-o", path).returncode == 0
    return path


PATCHES = [
    ('id = "mine"', 'id = "other"', "patch-id"),
    ("patch/1", "patch/2", "patch-schema"),
    ('schema = "ngtpatch.patch/1"\n', "", "patch-missing-key"),
    ("[where]", "colour = 1\n[where]", "patch-unknown-key"),
    ('["a.py"]', "[]", "patch-value"),
    ('"anchor-missing"', '"lossy"', "patch-examples"),
]


@pytest.mark.parametrize(("old", "new", "code"), PATCHES)
def test_a_patch(tmp_path: Path, sample: Path, old: str, new: str, code: str) -> None:
    """Its own directory is named as that of a rebuild is: there its examples are run."""
    (tmp_path / "mine.toml").write_text(MINIMAL.replace(old, new))
    words = ("rebuild", sample, "-d", "rocky", "-n", "--patches", tmp_path)
    assert error(*words) == (3, code)


def test_a_patch_whose_expression_fits_its_example_alone(tmp_path: Path, sample: Path) -> None:
    text = MINIMAL.replace('["X"]', '["X", "xxx"]').replace("a.py", f"{LINUX}/install_ngt.py")
    text = text.replace("[where]", '[parameters]\nneedles = "{{ profile.names[1] }}"\n[where]')
    (tmp_path / "mine.toml").write_text(text)
    assert program.run("patch", "test", tmp_path / "mine.toml").returncode == 0
    words = ("rebuild", sample, "-d", "rocky", "-n", "--patches", tmp_path)
    assert error(*words) == (3, "patch-expression")


VERSIONS = GOOD[GOOD.index("[versions") :]
PROFILES = [
    ("profile/1", "profile/2", "profile-schema"),
    ('ids = ["acme"]', 'colour = "blue"', "profile-unknown-key"),
    (VERSIONS, "", "profile-missing-key"),
    ('"el"', '"bsd"', "profile-value"),
    ('"3.9"', "3.9", "profile-version-type"),
    ('id = "acme"', 'id = "acne"', "profile-id"),
    ('["acme e', '["Acme e', "needle-case"),
    ('["acme enterprise linux"]', '["ac"]', "needle-shape"),
    ('["acme enterprise linux"]', '["rhel"]', "needle-not-prefix"),
    ('["Acme Enterprise Linux"]', '["Acme Enterprise Linux", "Zenith"]', "needle-uncovered"),
    ("acme enterprise linux", "acme \udcff", "not-text"),
]


@pytest.mark.parametrize(("old", "new", "code"), PROFILES)
def test_a_profile(tmp_path: Path, old: str, new: str, code: str) -> None:
    text = GOOD.replace(old, new)
    (tmp_path / "acme.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert error("profile", "list", "--profiles", tmp_path) == (3, code)


def test_a_profile_whose_needle_takes_another_s_name(tmp_path: Path) -> None:
    text = GOOD.replace("Acme Enterprise Linux", "Ubuntu").replace(
        "acme enterprise linux", "ubuntu"
    )
    (tmp_path / "acme.toml").write_text(text)
    assert error("profile", "list", "--profiles", tmp_path) == (3, "needle-foreign")
    (tmp_path / "file").touch()
    assert error("profile", "list", "--profiles", tmp_path / "file") == (3, "not-directory")


ACME = 'NAME="Acme Linux"\nID=acme\nVERSION_ID=9\nID_LIKE="rhel fedora"\n'


@pytest.mark.parametrize(
    ("text", "more", "code"),
    [
        ("ID=acme\n", "", "os-release-name"),
        ("<html></html>\n", "", "not-os-release"),
        ("x" * (1 << 21), "", "too-large"),
        (ACME.replace("rhel fedora", "debian"), "--python 3.9", "not-el"),
        (ACME.replace("VERSION_ID=9\n", ""), "", "python-needed"),
        (ACME, "--python three", "python-version"),
    ],
)
def test_an_os_release(tmp_path: Path, text: str, more: str, code: str) -> None:
    (tmp_path / "os-release").write_text(text)
    words = ("profile", "new", "--os-release", "os-release", *more.split(), "-o", "x.toml")
    assert error(*words, cwd=tmp_path)[1] == code
    assert not (tmp_path / "x.toml").exists()


TEMPLATES = [
    ("a\n{{ absent | sh }}\n", "", "template-undefined"),
    ("a\n{{ word }}\n", "", "template-unquoted"),
    ("{{ {'k': 1} | sh }}\n", "", "template-value"),
    ("c {% nonsense %}\n", "", "template-syntax"),
    ("a\n{% include 'nowhere.sh' %}\n", "", "template-missing"),
    ("{{ (1 / 0) | sh }}\n", "", "template-failed"),
    ("{{ word | sh }}\n", "--set tims=1", "unknown-parameter"),
    ("{{ word | sh }}\n", "--set times=three", "parameter-type"),
    ("{{ word | sh }}\n", "--values values", "values"),
]


@pytest.mark.parametrize(("text", "more", "code"), TEMPLATES)
def test_a_template(tmp_path: Path, text: str, more: str, code: str) -> None:
    (tmp_path / "own.sh").write_text(HEADER + text)
    (tmp_path / "values").write_text("no table")
    words = ("render", "./own.sh", "--set", "word=w", *more.split(), "-o", "x")
    exit_code, found = error(*words, cwd=tmp_path)
    assert (found, exit_code in (2, 3)) == (code, True)
    assert not (tmp_path / "x").exists()


def test_a_template_s_header(tmp_path: Path) -> None:
    (tmp_path / "own.sh").write_text("{#\nsummary = 1\n#}\n")
    assert error("render", "./own.sh", cwd=tmp_path) == (3, "template-header")
    assert error("render", "guest-instal.sh", cwd=tmp_path) == (2, "no-such-template")


# What is one VM's ---------------------------------------------------------------------------------


def found(*words: object, cwd: Path) -> set[str]:
    """Return the codes of what ``identity check`` finds."""
    ran = program.run("--json", "identity", "check", *words, cwd=cwd)
    assert ran.returncode == 5, ran.stderr
    return {one["code"] for one in json.loads(ran.stdout)["findings"]}


def placed(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for path, data in files.items():
        (folder / Path(path).name).write_bytes(data)
    return folder


def certified(**options: Any) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda _: m.files(1, **options)


def with_(path: str, data: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {**files, path: data}


LONG_AGO = m.NOW - timedelta(days=4000)
IDENTITIES: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "config-json": with_(CONFIG, b"{"),
    "certificate-pem": with_(CERTIFICATE, b"-----BEGIN CERTIFICATE-----\nAAAA\n"),
    "key-pem": with_(KEY, b"nonsense"),
    "key-encrypted": with_(KEY, m.key_pem(m.private_key("p256", 1), password=b"secret")),
    "key-mismatch": with_(KEY, m.key_pem(m.private_key("p256", 99))),
    "missing": lambda files: {CONFIG: files[CONFIG]},
    "expired": certified(begin=LONG_AGO, end=LONG_AGO + timedelta(days=1000)),
    "not-yet-valid": certified(begin=m.NOW + timedelta(days=20_000),
                               end=m.NOW + timedelta(days=21_000)),
    "weak-key": certified(kind="rsa1024"),
    "pem-lines": lambda files: {
        path: data if path == CONFIG else data.replace(b"\n", b"\r") for path, data in files.items()
    },
    "key-in-certificate": lambda files: {**files, CERTIFICATE: files[CERTIFICATE] + files[KEY]},
}  # fmt: skip


@pytest.mark.parametrize("code", IDENTITIES)
def test_identity_check(tmp_path: Path, code: str) -> None:
    placed(tmp_path / "vm1", IDENTITIES[code](m.files(1)))
    assert code in found("vm1", cwd=tmp_path)


def test_identity_check_of_two(tmp_path: Path) -> None:
    files = m.files(1)
    for name, config in (("vm1", files[CONFIG]), ("vm2", files[CONFIG]), ("vm3", m.config(3))):
        placed(tmp_path / name, {**files, CONFIG: config})
    assert "duplicate-uuid" in found("vm1", "vm2", cwd=tmp_path)
    assert "duplicate-certificate" in found("vm1", "vm3", cwd=tmp_path)
    another = m.pem(m.certificate(m.private_key("p256", 1)))
    placed(tmp_path / "vm4", {**files, CONFIG: m.config(4), CERTIFICATE: another})
    of_two = found("vm1", "vm4", cwd=tmp_path)
    assert ("duplicate-key" in of_two, "duplicate-certificate" in of_two) == (True, False)
    (tmp_path / "ca.pem").write_bytes(m.pem(m.cluster("another")[0]))
    assert "chain" in found("vm1", "--ca", "ca.pem", cwd=tmp_path)


def test_what_is_injected(tmp_path: Path, sample: Path) -> None:
    placed(tmp_path / "vm1", m.files(1))
    placed(tmp_path / "vm2", m.files(2))
    words = ["rebuild", sample, "-o", "x.iso"]
    key = ("--key", "vm1/client-key.pem", "--cert", "vm1/client-cert.pem")
    assert error(*words, "--config", "vm2/ngt_config.json", cwd=tmp_path) == (4, "mixed-identity")
    assert error(*words, *key[2:], cwd=tmp_path) == (4, "key-mismatch")
    both = ("--strip-identity", "--set", "port=1")
    assert error(*words, *both, cwd=tmp_path) == (2, "strip-and-inject")
    for value, code in (("port", "set"), ("port=many", "set-type")):
        assert error(*words, "--set", value, cwd=tmp_path)[1] == code
    assert not (tmp_path / "x.iso").exists()


def test_a_configuration_without_a_version_is_not_left_alone_on_a_disc(
    tmp_path: Path, sample: Path
) -> None:
    tree = tmp_path / "tree"
    assert program.run("rebuild", sample, "-d", "rocky", "--output-tree", tree).returncode == 0
    (tree / CONFIG).write_text('{"ngt_uuid": "x"}')
    assert error("identity", "strip", tree, "-o", tmp_path / "x.iso") == (4, "ngt-version")
    assert not (tmp_path / "x.iso").exists()


@pytest.mark.parametrize(
    ("content", "more", "code"),
    [
        ("uuid\n1\n", "", "inventory-form"),
        ("name\nvm1\n", "--set x={{", "template"),
    ],
)
def test_an_inventory(tmp_path: Path, sample: Path, content: str, more: str, code: str) -> None:
    (tmp_path / "vms.csv").write_text(content)
    words = ("inject", sample, "--inventory", "vms.csv", "--output-dir", "out", *more.split())
    assert error(*words, cwd=tmp_path)[1] == code
    assert not (tmp_path / "out").exists()


# What is named as an ISO --------------------------------------------------------------------------


def zipped(data: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("ngt.iso", data)
    return made.getvalue()


ISOS: dict[str, Callable[[bytes], bytes]] = {
    "not-iso": lambda _: b"<html>",
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": lambda _: b"\x28\xb5\x2f\xfd" + bytes(1 << 16),
    "zip": zipped,
    "7z": lambda _: b"7z\xbc\xaf\x27\x1c" + bytes(1 << 16),
    "truncated": lambda data: data[: len(data) // 2],
}


@pytest.mark.parametrize("code", [*ISOS, "qcow2", "raw-sectors"])
def test_what_is_no_iso(tmp_path: Path, sample: Path, code: str) -> None:
    made = tmp_path / "other.iso"
    if code in ISOS:
        made.write_bytes(ISOS[code](sample.read_bytes()))
    else:
        FOREIGN[code][0](sample, made)
    assert error("inspect", made) == (3, code)
