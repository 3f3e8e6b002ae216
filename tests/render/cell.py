# SPDX-License-Identifier: Apache-2.0
"""A guest that is a chroot in a mount namespace of its own, where scripts run as root.

Its /usr/local, /etc, /opt, /var, /tmp and root's home are directories of the test; programs are
the machine's, read-only in effect since only /usr is shared. What a test puts into ``stand_ins``
comes first on PATH. $NGTPATCH_TEST_BASH names another bash to run them with, such as EL7's 4.2.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.requirements import missing, tool

__all__ = ["Cell", "Ended", "make_cell"]

PATH = f"/stand-ins:/usr/bin:/bin:/usr/sbin:/sbin:{sys.base_prefix}/bin"
_BASH = os.environ.get("NGTPATCH_TEST_BASH", "")

# The machine's own directories go into the new root, then the test's over them.
_ENTER = """
root=$1 python=$2 bash=$3 cwd=$4; shift 4
mount --bind "$root" "$root"
for there in usr bin sbin lib lib64; do
  if [ -L "/$there" ]; then ln -sfn "$(readlink "/$there")" "$root/$there"
  elif [ -d "/$there" ]; then mkdir -p "$root/$there"; mount --bind "/$there" "$root/$there"; fi
done
[ -z "$bash" ] || mount --bind "$bash" "$root/usr/bin/bash"
mount --bind "$root/local" "$root/usr/local"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root$python"
mount --bind "$python" "$root$python"
exec chroot "$root" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$cwd" "$@"
"""


@dataclass(frozen=True)
class Ended:
    """How a script ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass
class Cell:
    """The guest's root directory, and what its processes get."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def at(self, inside: str) -> Path:
        """Return where *inside*, a path of the guest, is on this machine."""
        if inside.startswith("/usr/local"):
            return self.root / "local" / inside.removeprefix("/usr/local").lstrip("/")
        return self.root / inside.lstrip("/")

    def put(self, inside: str, content: bytes | str = b"", mode: int = 0o644) -> Path:
        path = self.at(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    def link(self, inside: str, target: str) -> Path:
        path = self.at(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def stand_in(self, name: str, body: str) -> None:
        """Put a program of that name before the machine's own."""
        self.put(f"/stand-ins/{name}", f"#!/bin/bash\n{body}\n", 0o755)

    def start(
        self,
        command: Sequence[str],
        *,
        cwd: str = "/root",
        path: str = PATH,
        environment: Mapping[str, str] | None = None,
        without: str = "",
        stdin: int | None = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start *command* in the guest; *without* names capabilities that it shall not have."""
        unshare = [tool("unshare", "util-linux"), "--mount", "--propagation", "private"]
        enter = ["sh", "-euc", _ENTER, "sh", str(self.root), sys.base_prefix, _BASH, cwd]
        if without:
            dropped = ",".join(f"-{name}" for name in without.split(","))
            command = [
                "/usr/bin/setpriv",
                f"--inh-caps={dropped}",
                f"--bounding-set={dropped}",
                *command,
            ]
        inside = {"PATH": path, "HOME": "/root", **self.environment, **(environment or {})}
        assigned = [f"{name}={value}" for name, value in inside.items()]
        return subprocess.Popen(
            [*unshare, *enter, "/usr/bin/env", "-i", *assigned, *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self,
        *command: str,
        cwd: str = "/root",
        path: str = PATH,
        environment: Mapping[str, str] | None = None,
        without: str = "",
        input: bytes | None = None,
        timeout: float = 60,
    ) -> Ended:
        """Run *command* to its end."""
        process = self.start(
            command,
            cwd=cwd,
            path=path,
            environment=environment,
            without=without,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        )
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            raise
        return Ended(process.returncode, out.decode("utf-8", "replace"), err.decode())

    def everything(self) -> dict[str, bytes]:
        """Return every regular file of the guest, by its path on this machine."""
        places = [self.root / name for name in ("local", "etc", "opt", "var", "tmp", "root")]
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for place in places
            for path in sorted(place.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


def make_cell(root: Path) -> Cell:
    """Make an empty guest at *root*. Only root can enter it."""
    if os.geteuid() != 0:
        missing("root", "run these tests as root: the scripts do")
    for name in ("local", "usr", "etc", "opt", "var", "tmp", "root", "proc", "dev", "stand-ins"):
        (root / name).mkdir(parents=True)
    return Cell(root)
