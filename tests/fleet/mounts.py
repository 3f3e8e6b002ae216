# SPDX-License-Identifier: Apache-2.0
"""Small file systems of our own, loop-mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.requirements import missing, tool

# The smallest that each mkfs makes.
_MKFS = {
    "ext4": (["mkfs.ext4", "-q", "-m", "0"], "e2fsprogs"),
    "xfs": (["mkfs.xfs", "-q", "-m", "reflink=1"], "xfsprogs"),
    "btrfs": (["mkfs.btrfs", "-q"], "btrfs-progs"),
}


@contextmanager
def mounted(directory: Path, kind: str, size: int) -> Iterator[Path]:
    """Yield the mount point of a new file system of *size* bytes, made below *directory*."""
    if os.geteuid() != 0:
        missing("the right to mount", "run the tests as root")
    (command, *options), package = _MKFS[kind]
    image, point = directory / f"{kind}.img", directory / kind
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run([tool(command, package), *options, str(image)], check=True, capture_output=True)
    point.mkdir()
    mount = ["mount", "-o", "loop", str(image), str(point)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        missing(f"a kernel that mounts {kind} by loop", "load its module")
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)
        image.unlink()
