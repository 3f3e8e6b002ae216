# SPDX-License-Identifier: Apache-2.0
"""Where images are written: the local file system, and xfs and btrfs on loop devices."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["file_systems", "loop_mounted", "type_of"]

_MAKE = {
    "xfs": ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
_SMALLEST = 400 << 20  # xfs takes no less than 300 MB


def type_of(directory: Path) -> str:
    """Return the name of the file system that a directory is on."""
    found = subprocess.run(
        ["stat", "-f", "-c", "%T", directory], capture_output=True, text=True, check=True
    )
    return found.stdout.strip().replace("ext2/ext3", "ext4")


@contextmanager
def loop_mounted(kind: str, size: int, work: Path) -> Iterator[Path]:
    """Make a file system of *size* bytes in a sparse file, and mount it. Root only."""
    image, mounted = work / f"{kind}.img", work / kind
    with image.open("wb") as stream:
        stream.truncate(max(size, _SMALLEST))
    subprocess.run([*_MAKE[kind], image], check=True, capture_output=True)
    mounted.mkdir()
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)
        mounted.rmdir()
        image.unlink()


@contextmanager
def file_systems(work: Path, size: int, *, loops: bool) -> Iterator[dict[str, Path]]:
    """Yield a directory on each file system that can be had, by name."""
    with ExitStack() as stack:
        local = work / "local"
        local.mkdir()
        found = {f"{type_of(work)} (local)": local}
        if loops and os.geteuid() == 0:
            for kind, make in _MAKE.items():
                if shutil.which(make[0]):
                    found[kind] = stack.enter_context(loop_mounted(kind, size, work))
        yield found
