# SPDX-License-Identifier: Apache-2.0
"""ngtpatch forked from this process, which has imported it, and held until strace is attached.

What is saved is a second of imports an attempt; what strace counts are the command's own calls.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.requirements import tool
from tests.zygote import run_here, warm

__all__ = ["Ran", "forked", "traced", "warm"]


@dataclass(frozen=True)
class Ran:
    """What became of a command.

    Attributes:
        code: its exit code; negative if a signal ended it.
        said: what it printed on both streams.
        calls: strace's lines.
    """

    code: int
    said: str
    calls: tuple[str, ...] = ()

    @property
    def injected(self) -> list[str]:
        return [line for line in self.calls if "(INJECTED)" in line]


def forked(
    words: Sequence[object], environment: Mapping[str, str], directory: Path,
    *, meanwhile: Callable[[int], object] = lambda _: None, held: bool = False,
    first: Callable[[], object] = lambda: None,
) -> Ran:  # fmt: skip
    """Run a command in a child.

    Args:
        words: behind ``ngtpatch``.
        environment: all of it.
        directory: where it runs.
        meanwhile: is called with its process id when it has started.
        held: it has stopped itself then, before its first step.
        first: is called in the child before the command.
    """
    with tempfile.TemporaryFile() as output:
        nothing = os.open(os.devnull, os.O_RDONLY)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.setpgid(0, 0)
                if held:
                    os.kill(os.getpid(), signal.SIGSTOP)
                first()
                wish = {
                    "arguments": list(map(str, words)), "environment": dict(environment),
                    "directory": str(directory),
                }  # fmt: skip
                # What the command is given are its three streams alone.
                streams = [os.dup(one) for one in (nothing, output.fileno(), output.fileno())]
                code = run_here(wish, streams)
            finally:
                os._exit(code)
        os.close(nothing)
        if held:
            os.waitpid(pid, os.WUNTRACED)
        meanwhile(pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output.seek(0)
        return Ran(code, output.read().decode(errors="replace"))


def traced(
    words: Sequence[object], environment: Mapping[str, str], directory: Path,
    calls: str, *, inject: str | None = None,
) -> Ran:  # fmt: skip
    """Run a command below strace; *inject* is what ``-e inject=`` takes."""
    with tempfile.TemporaryDirectory(prefix="traced-") as scratch:
        log = Path(scratch, "calls")
        command = [tool("strace", "strace"), "-f", "-qq", "-o", str(log), "-e", f"trace={calls}"]
        command += ["-e", f"inject={inject}"] if inject else []
        watching: list[subprocess.Popen[bytes]] = []

        def attach(pid: int) -> None:
            watcher = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.DEVNULL)
            watching.append(watcher)
            while "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text():
                if watcher.poll() is not None:
                    sys.exit("strace could not attach")
                time.sleep(0.001)
            os.kill(pid, signal.SIGCONT)

        ran = forked(words, environment, directory, meanwhile=attach, held=True)
        watching[0].wait()
        lines = log.read_text(errors="replace").splitlines()
    return Ran(ran.code, ran.said, tuple(lines))
