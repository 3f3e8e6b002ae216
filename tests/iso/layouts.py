# SPDX-License-Identifier: Apache-2.0
"""The trees that the zoo's images are made of, and edits of finished images.

Everything here is our own text and noise from a hash: no vendor file.
"""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.requirements import tool

__all__ = [
    "FACTORY",
    "FACTORY_PATH",
    "append_trailing",
    "deep_tree",
    "dig_holes",
    "hard_links",
    "long_links",
    "long_names",
    "ngt_tree",
    "noise",
    "oversized",
    "plain_file_tree",
    "unsort_directory",
    "wide_tree",
]

FACTORY_PATH = "installer/linux/src/installer_factory.py"
FACTORY = (
    "# Which installer serves this distribution.\n"
    + "".join(
        f"# {number:03} a line that only takes room in this stand-in\n" for number in range(60)
    )
    + "def get_linux_installer():\n    return None\n"
).encode()

_OLD = 1_421_020_800  # 2015-01-12: the times on a disc are the vendor's, not today's
_SECTOR = 2048


def noise(seed: str, length: int) -> bytes:
    """Return bytes that do not compress and are the same every time."""
    return hashlib.shake_128(seed.encode()).digest(length)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def _settle(root: Path) -> None:
    """Give everything an old time and, where allowed, owners of its own."""
    everything = sorted([root, *root.rglob("*")], reverse=True)
    for number, path in enumerate(everything):
        if os.geteuid() == 0:
            # 500 and 600 stand for the vendor's build account.
            os.chown(path, 500 + number % 2, 600 + number % 3, follow_symlinks=False)
        moment = _OLD + 3600 * (number % 1000)
        os.utime(path, (moment, moment), follow_symlinks=False)


def _base(root: Path) -> None:
    config = b'{"cluster_ip": "192.0.2.10", "ngt_uuid": "' + b"0" * 36 + b'", '
    config += b'"ngt_version": "2.0.1", "port": 2074}'
    _write(root / "config/ngt_config.json", config)
    for part, lines in (("cert", 18), ("key", 26)):
        # Not PEM, and not a key: text of the length of one.
        body = "".join(f"stand-in {part} line {n:02} " + "x" * 40 + "\n" for n in range(lines))
        _write(root / f"config/client-{part}.pem", body.encode(), 0o600 if part == "key" else 0o644)
    linux = root / "installer/linux"
    _write(linux / "install_ngt.py", b"#!/usr/bin/env python\n" + b"pass\n" * 300, 0o755)
    _write(linux / "uninstall_ngt.py", b"#!/usr/bin/env python\n" + b"pass\n" * 700, 0o755)
    _write(linux / "License.txt", b"Our own licence text, in place of another's.\r\n" * 20)
    _write(root / FACTORY_PATH, FACTORY)
    for name in ("base", "redhat", "ubuntu", "suse"):
        _write(linux / f"src/{name}_installer.py", f"NAME = '{name}'\n".encode() * 150)
    _write(linux / "src/ngt_guest_agent.tar.gz", noise("agent", 70_001))
    # Edges of the sector: full to the last byte, one byte over, nothing at all.
    _write(linux / "src/exact.bin", noise("exact", 2 * _SECTOR))
    _write(linux / "src/over.bin", noise("over", 2 * _SECTOR + 1))
    _write(linux / "src/__init__.py", b"")
    _write(linux / "src/marker", b"")
    _write(root / "setup.exe", noise("setup", 150_000), 0o755)
    (linux / "install").symlink_to("install_ngt.py")
    (root / "empty").mkdir()


def ngt_tree(root: Path) -> None:
    """What an NGT disc holds, with stand-ins."""
    _base(root)
    _settle(root)


def deep_tree(root: Path) -> None:
    """Twelve levels: more than the eight of ECMA-119 6.8.2.1, so directories are relocated."""
    _base(root)
    folder = root / "installer"
    for level in range(3, 13):
        folder /= f"level{level:02}"
        _write(folder / "here.txt", f"level {level}\n".encode())
    _settle(root)


def wide_tree(count: int) -> Callable[[Path], None]:
    """A directory of *count* files, so that its records fill several sectors."""

    def layout(root: Path) -> None:
        _base(root)
        for number in range(count):
            name = f"locale-{number:05}-{'abcdefgh'[: number % 8]}.txt"
            _write(root / "installer/linux/src" / name, f"{number}\n".encode())
        _settle(root)

    return layout


def long_names(root: Path) -> None:
    """Names and link targets that do not fit a directory record: continuation areas."""
    _base(root)
    source = root / "installer/linux/src"
    for number in range(12):
        _write(source / f"{number:02}-{'a-rather-long-name-' * 9}.py", f"{number}\n".encode())
    (source / "link").symlink_to(f"../component-{'y' * 90}/component-{'z' * 70}")
    (source / f"{'long-link-' * 20}").symlink_to("/an/absolute/target/with spaces in it")
    _settle(root)


def long_links(root: Path) -> None:
    """Link targets that need several SL entries (RRIP 4.1.3.1)."""
    _base(root)
    for number in range(3):
        target = "/".join(["..", *[f"component-{n:03}-{'y' * 90}" for n in range(4 + number)]])
        (root / f"installer/linux/src/link-{number}").symlink_to(target)
    _settle(root)


def hard_links(root: Path) -> None:
    """Two names for one file, in two directories."""
    _base(root)
    os.link(root / FACTORY_PATH, root / "installer/linux/factory_again.py")
    os.link(root / "config/client-cert.pem", root / "config/copy-of-cert.pem")
    _settle(root)


def plain_file_tree(root: Path) -> None:
    """Nothing but files in the root directory."""
    for number in range(5):
        _write(root / f"file{number}.txt", f"content of {number}\n".encode() * 50 * number)
    _write(root / "factory.py", FACTORY)
    _settle(root)


def oversized(root: Path) -> None:
    """A sparse file of 4.5 GB: more than one extent can hold."""
    _base(root)
    with (root / "payload.bin").open("wb") as stream:
        stream.write(b"first")
        stream.truncate(4_500_000_000)
        stream.seek(-4, os.SEEK_END)
        stream.write(b"last")
    _settle(root)


def dig_holes(image: Path) -> None:
    """Give the disk back what an image holds in zeros."""
    subprocess.run([tool("fallocate", "util-linux"), "--dig-holes", image], check=True)


def append_trailing(image: Path) -> None:
    """Put bytes behind the volume, as signing and burning tools do."""
    with image.open("ab") as stream:
        stream.write(b"behind the volume\n" * 1000)


def unsort_directory(image: Path) -> None:
    """Turn around the order of records in each tree's directory of the factory.

    ECMA-119 9.3 wants them sorted; images exist where they are not.
    """
    data = bytearray(image.read_bytes())
    for descriptor in _roots(data):
        _unsort(data, descriptor)
    image.write_bytes(data)


def _roots(data: bytearray) -> list[int]:
    found, sector = [], 16
    while data[sector * _SECTOR] != 255:
        if data[sector * _SECTOR] in (1, 2):
            found.append(sector * _SECTOR + 156)
        sector += 1
    return found


def _unsort(data: bytearray, record: int) -> None:
    extent, length = (struct.unpack_from("<I", data, record + at)[0] for at in (2, 10))
    start, end = extent * _SECTOR, extent * _SECTOR + length
    files, at = [], start
    while at < end and data[at]:
        size = data[at]
        one = bytes(data[at : at + size])
        is_dot = one[32] == 1 and one[33] < 2
        if one[25] & 2 and not is_dot:
            _unsort(data, at)
        elif not is_dot:
            files.append((at, one))
        at += size
    first, total = (files[0][0], sum(len(one) for _, one in files)) if files else (0, 0)
    # Only where files stand together and in one sector: else records would cross it.
    if len(files) > 2 and files[-1][0] + len(files[-1][1]) == first + total <= start + _SECTOR:
        data[first : first + total] = b"".join(one for _, one in reversed(files))
