# SPDX-License-Identifier: Apache-2.0
"""Packages are looked into, whatever compressed them, and never offered for a change."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from ngtpatch.archives.members import ArchiveDamaged
from ngtpatch.archives.rewriting import is_rewritable
from ngtpatch.archives.sealed import is_sealed, sealed_members
from tests.archives.builders import LIMIT, opener
from tests.requirements import tool

SOURCE = b"print('agent')\n"


def a_deb(folder: Path, compression: str) -> bytes:
    (folder / "root/DEBIAN").mkdir(parents=True)
    (folder / "root/opt").mkdir()
    (folder / "root/opt/agent.py").write_bytes(SOURCE)
    (folder / "root/DEBIAN/control").write_text(
        "Package: agent\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: none\n"
    )
    command = [tool("dpkg-deb", "dpkg"), f"-Z{compression}", "--build", "root", "agent.deb"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "agent.deb").read_bytes()


def an_rpm(folder: Path, compression: str) -> bytes:
    (folder / "agent.spec").write_text(
        "Name: agent\nVersion: 1\nRelease: 1\nSummary: none\nLicense: none\nBuildArch: noarch\n"
        "%description\nnone\n%install\nmkdir -p %{buildroot}/opt\n"
        f'printf "{SOURCE.decode().rstrip()}\\n" >%{{buildroot}}/opt/agent.py\n%files\n/opt\n'
    )
    command = [tool("rpmbuild", "rpm"), "-bb", "--define", f"_topdir {folder}"]
    command += [
        "--define",
        f"_binary_payload {compression}",
        "--define",
        "__spec_install_post %{nil}",
    ]
    subprocess.run([*command, "agent.spec"], cwd=folder, check=True, capture_output=True)
    return next(folder.glob("RPMS/*/*.rpm")).read_bytes()


@pytest.mark.parametrize("compression", ["gzip", "xz", "none"])
def test_a_debian_package_is_looked_into(tmp_path: Path, compression: str) -> None:
    found = list(sealed_members(opener(a_deb(tmp_path, compression)), "a.deb", limit=LIMIT))
    assert [one.name for one in found] == ["./", "./opt/", "./opt/agent.py"] or [
        one.name for one in found
    ] == [".", "./opt", "./opt/agent.py"]
    assert all("digests of its own" in (one.fixed or "") for one in found)


@pytest.mark.parametrize("compression", ["w9.gzdio", "w7.xzdio", "w9.bzdio"])
def test_an_rpm_package_is_looked_into(tmp_path: Path, compression: str) -> None:
    found = {
        one.name: one.read() if one.regular else None
        for one in sealed_members(opener(an_rpm(tmp_path, compression)), "a.rpm", limit=LIMIT)
    }
    assert found == {"./opt": None, "./opt/agent.py": SOURCE}


def test_what_zstd_packed_is_said_not_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(ArchiveDamaged, match="zstd"):
        list(sealed_members(opener(an_rpm(tmp_path, "w3.zstdio")), "a.rpm", limit=LIMIT))


@pytest.mark.parametrize("name", ["a.deb", "a.rpm"])
def test_a_damaged_package_is_an_error_of_its_own(tmp_path: Path, name: str) -> None:
    data = a_deb(tmp_path, "gzip") if name == "a.deb" else an_rpm(tmp_path, "w9.gzdio")
    for broken in (b"", b"!<arch>\n", data[:200], data[: len(data) // 2], bytes(500)):
        with pytest.raises(ArchiveDamaged):
            list(sealed_members(lambda broken=broken: io.BytesIO(broken), name, limit=LIMIT))  # type: ignore[misc]
    with pytest.raises(ArchiveDamaged):
        list(sealed_members(opener(data), name, limit=10))


def test_no_package_is_written_again() -> None:
    for name in ("a.deb", "a.rpm"):
        assert is_sealed(name)
        assert not is_rewritable(name)
