# SPDX-License-Identifier: Apache-2.0
"""ngtpatch run as a user runs it, in a process of its own, many times over."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.told import printed
from tests.zygote import SOCKET, ask

__all__ = ["put_on_path", "run", "zygote"]

# Variables that Python asks when it starts.
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG")
ROOT = Path(__file__).resolve().parent.parent


@cache
def zygote(*modules: str) -> str:
    """Start a process that commands are forked from, with *modules* in it; return its socket."""
    directory = tempfile.TemporaryDirectory(prefix="zygote")  # removed when this process ends
    atexit.register(directory.cleanup)
    path = f"{directory.name}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.zygote", "--serve", path, *modules],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    return path


def run(
    *arguments: object,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    input: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``ngtpatch``, and return what it printed.

    Args:
        arguments: its words.
        env: its environment; this process's, if none is given.
        cwd: its directory.
        input: what it gets on stdin; without it there is nothing to read.
    """
    words = list(map(str, arguments))
    if any(
        os.environ.get(name) != value and name.startswith(_OF_THE_INTERPRETER)
        for name, value in (env or {}).items()
    ):
        return subprocess.run(
            [sys.executable, "-m", "ngtpatch", *words],
            env=env, cwd=cwd, input=input, capture_output=True, text=True, check=False,
        )  # fmt: skip
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write((input or "").encode())
        stdin.seek(0)
        code = ask(
            zygote(), words, os.environ if env is None else env, str(cwd or Path.cwd()),
            (stdin.fileno(), stdout.fileno(), stderr.fileno()),
        )  # fmt: skip
        for file in (stdout, stderr):
            file.seek(0)
        out, err = (file.read().decode() for file in (stdout, stderr))
    return subprocess.CompletedProcess(["ngtpatch", *words], code, printed(out), err)


def put_on_path(directory: Path, *modules: str) -> dict[str, str]:
    """Make an ``ngtpatch`` in *directory*; return the variables with which shells find it."""
    directory.mkdir(exist_ok=True)
    script = directory / "ngtpatch"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {ROOT}/tests/zygote.py "$@"\n')
    script.chmod(0o755)
    return {SOCKET: zygote(*modules), "PATH": f"{directory}:{os.environ['PATH']}"}
