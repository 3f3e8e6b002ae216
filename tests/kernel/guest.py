# SPDX-License-Identifier: Apache-2.0
"""The first process of the User Mode Linux guest: mounts images and lists what Linux sees.

Runs with the host's Python from the host's root directory (hostfs, read-only) and
needs nothing else. Argument: a directory of the host with ``jobs.json``, where
``seen.json`` is left. The machine is powered off at the end, whatever happened.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import stat
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

# Image views: file system type and mount options (Documentation/filesystems/isofs.rst).
VIEWS = {
    "rock_ridge": ("iso9660", "nojoliet"),
    "joliet": ("iso9660", "norock,iocharset=utf8"),
    "iso9660": ("iso9660", "norock,nojoliet"),
    "udf": ("udf", "iocharset=utf8"),
}
MODULES = ("drivers/cdrom/cdrom", "lib/crc-itu-t", "fs/nls/nls_utf8", "drivers/block/loop")
FILE_SYSTEMS = ("fs/isofs/isofs", "fs/udf/udf")

MS_RDONLY, LOOP_SET_FD, LOOP_CLR_FD, POWER_OFF = 1, 0x4C00, 0x4C01, 0x4321FEDC
SYS_FINIT_MODULE = 313

libc = ctypes.CDLL(None, use_errno=True)


def succeeded(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), flags, options.encode())
    succeeded(libc.mount(*arguments), f"mount -t {kind} -o {options} {source}")


def load(name: str) -> None:
    release = os.uname().release
    descriptor = os.open(f"/usr/lib/uml/modules/{release}/kernel/{name}.ko", os.O_RDONLY)
    succeeded(libc.syscall(SYS_FINIT_MODULE, descriptor, b"", 0), name)
    os.close(descriptor)


def listing(root: Path) -> dict[str, Any]:
    return {path.relative_to(root).as_posix(): describe(path) for path in walk(root)}


def walk(root: Path) -> Iterator[Path]:
    for folder, directories, files in os.walk(root, onerror=fail):
        for name in directories + files:
            yield Path(folder, name)


def describe(path: Path) -> dict[str, Any]:
    status = path.lstat()
    entry: dict[str, Any] = {
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mtime": int(status.st_mtime),
    }
    if stat.S_ISLNK(status.st_mode):
        return entry | {"kind": "symlink", "target": str(path.readlink())}
    if stat.S_ISDIR(status.st_mode):
        return entry | {"kind": "directory"}
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return entry | {"kind": "file", "size": status.st_size, "sha256": digest.hexdigest()}


def fail(error: OSError) -> NoReturn:
    raise error


def look(image: str, view: str) -> dict[str, Any]:
    kind, options = VIEWS[view]
    device, file = os.open("/dev/loop0", os.O_RDWR), os.open(image, os.O_RDONLY)
    try:
        fcntl.ioctl(device, LOOP_SET_FD, file)
        mount("/dev/loop0", "/run/image", kind, MS_RDONLY, options)
        try:
            return listing(Path("/run/image"))
        finally:
            succeeded(libc.umount2(b"/run/image", 0), "umount")
    finally:
        fcntl.ioctl(device, LOOP_CLR_FD, 0)
        os.close(file)
        os.close(device)


def main(directory: str) -> None:
    mount("none", "/run", "tmpfs")
    Path("/run/image").mkdir()
    work = Path("/run/work")
    work.mkdir()
    mount("none", str(work), "hostfs", 0, directory)
    for module in MODULES + FILE_SYSTEMS:
        load(module)
    seen: dict[str, dict[str, Any]] = {}
    for image, views in json.loads((work / "jobs.json").read_text()).items():
        for view in views:
            try:
                found = look(str(work / image), view)
            except OSError as error:
                found = {"error": str(error)}
            seen.setdefault(image, {})[view] = found
    (work / "seen.part").write_text(json.dumps(seen))
    (work / "seen.part").rename(work / "seen.json")


try:
    main(sys.argv[1])
except BaseException:
    traceback.print_exc()
finally:
    sys.stdout.flush()
    os.sync()
    libc.reboot(POWER_OFF)
