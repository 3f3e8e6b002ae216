# SPDX-License-Identifier: Apache-2.0
"""What ngtpatch is measured against: each makes a changed copy of an image its own way."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote

__all__ = ["BASELINE", "HASHED", "IMAGE_WORK", "PEERS", "Peer", "available"]

TARGET = "installer/linux/src/installer_factory.py"
BASELINE = "cp + fsync"
HASHED = "cp + fsync + sha256sum"
IMAGE_WORK = "ngtpatch, image work alone"

Peer = Callable[[Path, Path], list[str]]


def _shell(script: str) -> Peer:
    def command(source: Path, output: Path) -> list[str]:
        names = {
            "source": quote(str(source)),
            "output": quote(str(output)),
            "scratch": quote(f"{output}.tree"),
            "target": TARGET,
            "python": quote(sys.executable),
        }
        return ["sh", "-ec", script.format(**names)]

    return command


def _ngtpatch(*options: str) -> Peer:
    def command(source: Path, output: Path) -> list[str]:
        start = [sys.executable, "-m", "ngtpatch", "rebuild", str(source), "--distro", "rocky"]
        return [*start, "--distro", "almalinux", "-o", str(output), *options]

    return command


PEERS: Mapping[str, Peer] = {
    # sync FILE is fsync of that file; --reflink=never: what a file system without it does.
    BASELINE: _shell("cp --reflink=never {source} {output}; sync {output}"),
    HASHED: _shell("cp --reflink=never {source} {output}; sync {output}; sha256sum {output}"),
    "cp --reflink + fsync": _shell("cp --reflink=always {source} {output}; sync {output}"),
    "pycdlib, full write": _shell("{python} -m bench.remaster {source} {output}; sync {output}"),
    "xorriso -update": _shell(
        "echo '# changed' >{scratch}; xorriso -indev {source} -outdev {output} -joliet on "
        "-boot_image any keep -update {scratch} /{target} -commit >/dev/null 2>&1; "
        "sync {output}; rm {scratch}"
    ),
    "extract + genisoimage": _shell(
        "mkdir {scratch}; bsdtar -xf {source} -C {scratch}; chmod -R u+w {scratch}; "
        "echo '# changed' >>{scratch}/{target}; "
        "genisoimage -quiet -R -J -V NUTANIX_TOOLS -o {output} {scratch} 2>/dev/null; "
        "sync {output}; rm -r {scratch}"
    ),
    "ngtpatch rebuild": _ngtpatch(),
    "ngtpatch rebuild --no-digest": _ngtpatch("--no-digest"),
    IMAGE_WORK: _shell("{python} -m bench.image_work {source} {output}"),
}

_NEEDS = {
    "xorriso -update": ("xorriso",),
    "extract + genisoimage": ("bsdtar", "genisoimage"),
}


def available(*, reflink: bool) -> dict[str, Peer]:
    """Return the peers whose programs are here and that the file system can serve."""
    return {
        name: peer
        for name, peer in PEERS.items()
        if all(shutil.which(program) for program in _NEEDS.get(name, ()))
        and (reflink or "--reflink" not in name)
    }
