# SPDX-License-Identifier: Apache-2.0
"""What is on the disc of each era: which of our own sources stands where, and how."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from importlib.resources import files
from typing import BinaryIO, cast

from ngtpatch.errors import UsageError
from ngtpatch.iso.write.master import DiscDirectory, DiscFile, DiscNode, DiscSymlink
from ngtpatch.sample.credentials import Credentials
from ngtpatch.sample.payload import Payload

__all__ = ["AUTHORITY_ERAS", "PAYLOAD", "RELEASED", "VERSION", "check_era", "disc"]

PAYLOAD = "installer/windows/payload.bin"

# When the files of an era are dated, in UTC. Made up, of about the vendor's years.
RELEASED = {
    1: 1433145600,  # 2015-06-01T08:00:00
    2: 1615791600,  # 2021-03-15T07:00:00
    3: 1714554000,  # 2024-05-01T09:00:00
}
# 2.0.1 is that of the only ngt_config.json that was published. The others are made up.
VERSION = {1: "1.2.0", 2: "2.0.1", 3: "4.1.0"}

# Whose discs carry the certificate of the cluster's authority; of later ones it is not known.
AUTHORITY_ERAS = (1,)

_LINUX = "installer/linux"
_EXECUTABLE = ("install_ngt.py", "setup_python.sh", ".sh", "uninstall_ngt_core.py")
_SHARED = {
    "License.txt": "shared/License.txt",
    "src/sample_guest.py": "shared/sample_guest.py",
}
_INSTALLERS = (
    "install_ngt.py",
    "src/base_installer.py",
    "src/installer_factory.py",
    "src/installer_utils.py",
    "src/redhat_installer.py",
    "src/suse_installer.py",
    "src/ubuntu_installer.py",
)
_UNITS = ("src/distro.py", "src/ngt_guest_agent.service", "src/ngt_self_service_restore.service")
_OWN = {
    1: (*_INSTALLERS, "uninstall_ngt.py", "src/ngt_guest_agent"),
    2: (*_INSTALLERS, *_UNITS, "uninstall_ngt.py", "setup_python.sh"),
    3: (*_INSTALLERS, *_UNITS, "install_ngt.sh", "uninstall_ngt.sh", "uninstall_ngt_core.py"),
}
# What era 3 has unchanged from era 2.
_KEPT = {3: ("src/installer_utils.py", *_UNITS)}

_SETUP_EXE = b"This is a sample made by ngtpatch, not the Windows installer of NGT.\r\n"


def check_era(era: int) -> None:
    """Refuse an era that there is no sample of.

    Raises:
        UsageError: code ``no-such-era``.
    """
    if era not in VERSION:
        raise UsageError("no-such-era", f"there is no era {era}", hint="give 1, 2 or 3")


def disc(
    era: int, credentials: Credentials, *, payload: int, configured: int
) -> tuple[DiscNode, ...]:
    """Return the entries of a sample disc.

    Args:
        era: 1, 2 or 3.
        credentials: of the VM that it is made for.
        payload: size of the Windows half in bytes; 0 leaves it out.
        configured: mtime of config/, in seconds since 1970. Nothing is younger.
    """
    released = min(RELEASED[era], configured)
    return (
        *_config(era, credentials, configured),
        *_installer(era, released),
        *_windows(payload, released),
    )


def _config(era: int, credentials: Credentials, mtime: int) -> Iterator[DiscNode]:
    # Keys, order and form of the published sample; the address is one for documentation.
    config = {
        "cluster_ip": "192.0.2.10",
        "ngt_uuid": str(credentials.ngt_uuid),
        "ngt_version": VERSION[era],
        "port": 2074,
    }
    yield DiscDirectory(path="config", mtime=mtime)
    files = [
        ("ngt_config.json", json.dumps(config).encode()),
        ("client-cert.pem", credentials.certificate),
        ("client-key.pem", credentials.key),
    ]
    if credentials.authority is not None:
        files.append(("ca-cert.pem", credentials.authority))
    for name, content in files:
        yield DiscFile(path=f"config/{name}", content=content, mode=0o600, mtime=mtime)


def _installer(era: int, mtime: int) -> Iterator[DiscNode]:
    for directory in ("installer", _LINUX, f"{_LINUX}/src"):
        yield DiscDirectory(path=directory, mtime=mtime)
    sources = _SHARED | {
        name: f"era{2 if name in _KEPT.get(era, ()) else era}/{_LINUX}/{name}" for name in _OWN[era]
    }
    for name, source in sources.items():
        yield DiscFile(
            path=f"{_LINUX}/{name}",
            content=_source(source),
            mode=0o755 if name.endswith(_EXECUTABLE) else 0o644,
            mtime=mtime,
        )
    yield DiscFile(path=f"{_LINUX}/src/__init__.py", content=b"", mtime=mtime)
    yield DiscFile(
        path=f"{_LINUX}/src/ngt_guest_agent.tar.gz", content=_agent(era, mtime), mtime=mtime
    )
    yield DiscSymlink(path=f"{_LINUX}/LICENSE", target="License.txt", mtime=mtime)


def _windows(payload: int, mtime: int) -> Iterator[DiscNode]:
    # "MZ" and a header of 64 bytes are enough for a file to be taken for a program.
    yield DiscFile(path="setup.exe", content=b"MZ".ljust(64, b"\0") + _SETUP_EXE, mtime=mtime)
    if payload:
        yield DiscDirectory(path="installer/windows", mtime=mtime)
        yield DiscFile(path=PAYLOAD, content=cast(BinaryIO, Payload(payload)), mtime=mtime)


def _agent(era: int, mtime: int) -> bytes:
    """Return the agent's payload, spelt as the vendor's is: members ``./bin/...``, a builder's
    names. Not compressed: what zlib makes of it depends on its build.
    """
    result = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=result, mtime=mtime) as out,
        tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        folder = tarfile.TarInfo("./bin")
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, mtime
        archive.addfile(folder)
        for name, source in _agent_files(era):
            content = _source(source)
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.uname, member.gname = (
                len(content), mtime, "builder", "builder",
            )  # fmt: skip
            member.mode = 0o755 if name.endswith("ngt_guest_agent.py") else 0o644
            archive.addfile(member, io.BytesIO(content))
    return result.getvalue()


def _agent_files(era: int) -> Iterator[tuple[str, str]]:
    """Yield each member's name and the source it is. Era 1's agent is Python 2."""
    folder = "era1/agent" if era == 1 else "shared/agent"
    yield "./License.txt", "shared/License.txt"
    for name in ("agent_log", "iscsi_linux", "mobility_linux", "ngt_guest_agent"):
        # Since it knows Rocky and AlmaLinux, the agent of era 3 does as well: a guess.
        known = era == 3 and name == "mobility_linux"
        yield f"./bin/{name}.py", f"{'era3/agent' if known else folder}/bin/{name}.py"
    yield "./bin/sample_guest.py", "shared/sample_guest.py"
    if era != 1:
        yield "./bin/distro.py", f"era2/{_LINUX}/src/distro.py"


def _source(name: str) -> bytes:
    return files("ngtpatch.sample").joinpath("sources", *name.split("/")).read_bytes()
