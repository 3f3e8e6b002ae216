# SPDX-License-Identifier: Apache-2.0
"""The sample as an image: what other programs read in it, and what it depends on."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ngtpatch.errors import UsageError
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests.interpreters import interpreter
from tests.iso.readers import agree, by_ngtpatch, readers_of
from tests.requirements import tool

PUBLISHED = re.compile(
    r'\{"cluster_ip": "[\d.]+", "ngt_uuid": "[0-9a-f-]{36}", '
    r'"ngt_version": "[\d.]+", "port": 2074\}'
)
EXECUTABLE = {
    1: {"install_ngt.py", "uninstall_ngt.py"},
    2: {"install_ngt.py", "setup_python.sh", "uninstall_ngt.py"},
    3: {"install_ngt.py", "install_ngt.sh", "uninstall_ngt.sh", "uninstall_ngt_core.py"},
}


@pytest.mark.parametrize("udf", [False, True], ids=["iso", "udf"])
@pytest.mark.parametrize("era", [1, 2, 3])
def test_every_reader_sees_the_same(tmp_path: Path, era: int, udf: bool) -> None:
    sample = write_sample(tmp_path / "s.iso", era=era, udf=udf, payload=3 * 2048 + 1)
    with Volume.open(sample.output) as volume:
        assert volume.trees == sample.trees
        for reader in readers_of(volume.trees):
            theirs = reader.listing(sample.output)
            assert len(theirs) > 20
            assert agree(by_ngtpatch(volume, reader.tree), theirs) == [], reader.name


@pytest.mark.parametrize("era", [1, 2, 3])
def test_what_is_on_the_disc(tmp_path: Path, era: int) -> None:
    sample = write_sample(tmp_path / "s.iso", era=era, payload=100_000)
    with Volume.open(sample.output) as volume:
        assert volume.volume_id == "NUTANIX_TOOLS"
        entries = volume.entries("rock_ridge")
        assert {"setup.exe", "installer/linux/src/installer_factory.py"} < entries.keys()
        assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
        link = entries["installer/linux/LICENSE"]
        assert (link.kind, link.target) == ("symlink", "License.txt")
        assert entries["installer/linux/src/__init__.py"].size == 0
        executable = {
            entry.path.rpartition("/")[2]
            for entry in entries.values()
            if entry.kind == "file" and entry.mode is not None and entry.mode & 0o111
        }
        assert executable == EXECUTABLE[era]
        for name in ("ngt_config.json", "client-cert.pem", "client-key.pem"):
            mode = entries[f"config/{name}"].mode
            assert mode is not None
            assert stat.S_IMODE(mode) == 0o600
        assert PUBLISHED.fullmatch(volume.tree["config/ngt_config.json"].decode())
        assert volume.tree["setup.exe"].startswith(b"MZ")
        # Links are what neither Joliet nor 7-Zip's UDF can take.
        assert "installer/linux/LICENSE" not in volume.entries("joliet")


def test_the_identity_is_real_and_valid_for_1000_days(tmp_path: Path) -> None:
    one, other = (write_sample(tmp_path / f"{n}.iso") for n in "ab")
    assert one.ngt_uuid != other.ngt_uuid
    with Volume.open(one.output) as volume:
        certificate = x509.load_pem_x509_certificate(volume.tree["config/client-cert.pem"])
        key = serialization.load_pem_private_key(volume.tree["config/client-key.pem"], None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.public_key() == certificate.public_key()
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime == timedelta(days=1000)
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.rfc4514_string() == f"CN={one.ngt_uuid}"


def test_the_image_is_for_its_owner_alone(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "s.iso")
    assert stat.S_IMODE(sample.output.stat().st_mode) == 0o600
    assert sample.size == sample.output.stat().st_size


SCRIPT = """
import sys
from pathlib import Path
from ngtpatch.sample import write_sample
write_sample(Path(sys.argv[1]), era=int(sys.argv[2]), udf=True, payload=5000, seed="a seed")
"""


@pytest.mark.parametrize("era", [1, 2, 3])
def test_same_seed_and_date_same_bytes(tmp_path: Path, era: int) -> None:
    images: list[bytes] = []
    for zone, locale in (("UTC", "C"), ("Asia/Kathmandu", "C.UTF-8")):
        image = tmp_path / f"{len(images)}.iso"
        environment = {
            **os.environ,
            "TZ": zone,
            "LC_ALL": locale,
            "SOURCE_DATE_EPOCH": "1700000000",
            "PYTHONHASHSEED": str(len(images)),
        }
        subprocess.run([sys.executable, "-c", SCRIPT, image, str(era)], env=environment, check=True)
        images.append(image.read_bytes())
    assert images[0] == images[1]


def test_without_a_seed_only_the_identity_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    listings = []
    for name in "ab":
        with Volume.open(write_sample(tmp_path / f"{name}.iso").output) as volume:
            listings.append(by_ngtpatch(volume, "rock_ridge"))
            assert b"2023111422132000\0" in volume.read_at(16 * 2048 + 813, 34)
    differing = {line.split(":")[0] for line in agree(*listings)}
    # ngt_config.json is the same in length; certificates and keys may differ there too.
    assert differing == {
        f"config/{n}" for n in ("ngt_config.json", "client-cert.pem", "client-key.pem")
    }


def test_dates_are_old_and_fixed_without_source_date_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    with Volume.open(write_sample(tmp_path / "s.iso", era=2).output) as volume:
        for tree in volume.trees:
            dates = {entry.mtime for entry in volume.entries(tree).values()}
            assert all(date is not None and date.startswith("2021-0") for date in dates)
            assert len(dates) == 2


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 5 << 20])
def test_the_payload_is_incompressible_and_always_the_same(tmp_path: Path, size: int) -> None:
    found = []
    for name in "ab":
        sample = write_sample(tmp_path / f"{name}.iso", payload=size)
        assert sample.payload == size
        with Volume.open(sample.output) as volume:
            found.append(volume.tree.open("installer/windows/payload.bin").read() if size else b"")
            assert size or "installer/windows" not in volume.entries("rock_ridge")
    assert found[0] == found[1]
    assert len(found[0]) == size
    assert len(zlib.compress(found[0])) >= size


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"era": 4}, "no-such-era"),
        ({"payload": -1}, "bad-size"),
        ({"payload": 1 << 50}, "bad-size"),
    ],
)
def test_bad_requests_leave_nothing(tmp_path: Path, arguments: dict[str, int], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path / "s.iso", **arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["yesterday", "-1", "1e9", "99999999999999"])
def test_a_bad_source_date_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        write_sample(tmp_path / "s.iso")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    target = tmp_path / "s.iso"
    target.write_bytes(b"precious")
    with pytest.raises(UsageError) as caught:
        write_sample(target)
    assert caught.value.code == "output-exists"
    assert target.read_bytes() == b"precious"
    assert write_sample(target, force=True).size == target.stat().st_size


def test_the_sources_on_the_disc_are_python_2_and_3() -> None:
    sources = Path(write_sample.__code__.co_filename).parent / "sources"
    programs = sorted(sources.rglob("*.py"))
    # The agent of era 1 runs on a Python 2 alone, like the one that it stands for.
    old = sorted((sources / "era1/agent").rglob("*.py"))
    assert len(programs) > 20
    assert len(old) == 4
    for program in programs:
        if program not in old:
            compile(program.read_bytes(), str(program), "exec")
    check = "import sys; [compile(open(p).read(), p, 'exec') for p in sys.argv[1:]]"
    subprocess.run([interpreter("2.7"), "-c", check, *old], check=True)
    for program in old:
        if program.name != "iscsi_linux.py":
            with pytest.raises(SyntaxError):
                compile(program.read_bytes(), str(program), "exec")


def test_the_shell_scripts_are_sound() -> None:
    sources = Path(write_sample.__code__.co_filename).parent / "sources"
    scripts = [*sorted(sources.rglob("*.sh")), sources / "era1/installer/linux/src/ngt_guest_agent"]
    assert len(scripts) == 4
    subprocess.run([tool("shellcheck", "shellcheck"), *scripts], check=True)
