# SPDX-License-Identifier: Apache-2.0
"""A program that has imported what ngtpatch needs, and forks for each command that is asked of it.

The command is the real one, in a process of its own, with its own environment, directory and
descriptors; what is saved is half a second of imports, a thousand times over. How ngtpatch starts
from nothing is what tests ask that run ``python -m ngtpatch``.

It listens on a Unix socket. A request is a JSON object (arguments, environment, directory) with
the descriptors of stdin, stdout and stderr; the answers are the command's process id, and its exit
code when it has ended. Run as a program with words, this file is such a request: a stand-in for
``ngtpatch`` in a shell script.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

SOCKET = "ZYGOTE_SOCKET"


def ask(
    path: str, arguments: Sequence[str], environment: Mapping[str, str], directory: str,
    descriptors: tuple[int, int, int] = (0, 1, 2),
    started: Callable[[int], object] = lambda _: None,
) -> int:  # fmt: skip
    """Have the zygote at *path* run a command; return its exit code, negative if it was killed."""
    wish = {
        "arguments": list(arguments), "environment": dict(environment), "directory": directory,
    }  # fmt: skip
    data = json.dumps(wish).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        socket.send_fds(connection, [f"{len(data):10}".encode()], list(descriptors))
        connection.sendall(data)
        with connection.makefile("r") as answers:
            started(int(answers.readline()))
            return int(answers.readline())


def warm(modules: Sequence[str] = ()) -> None:
    """Import what commands need, and *modules*."""
    import gc
    from importlib import import_module

    from ngtpatch.cli.app import COMMANDS

    for module, _ in COMMANDS.values():
        import_module(f"ngtpatch.cli.{module}")
    for module in ("pycdlib", "libcst", "pydantic", "cryptography.x509", *modules):
        import_module(module)
    gc.freeze()


def run_here(wish: Mapping[str, object], descriptors: Sequence[int]) -> int:
    """Run a command in this process, which is its own; return its exit code."""
    import tempfile
    import time

    from ngtpatch.cli import main as ngtpatch

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False, errors=errors, encoding="utf-8")  # noqa: SIM115
        for number, mode, errors in (
            (0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"),
        )
    )  # fmt: skip
    os.environ.clear()
    os.environ.update(wish["environment"])  # type: ignore[call-overload]
    os.chdir(str(wish["directory"]))
    tempfile.tempdir = None
    time.tzset()
    sys.argv = ["ngtpatch", *wish["arguments"]]  # type: ignore[misc]
    try:
        ngtpatch()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # whoever read it has gone
                stream.flush()
    return 0


def _answer(connection: socket.socket) -> None:
    """Run the command that is asked for, and tell its end."""
    import signal

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    header, descriptors, _, _ = socket.recv_fds(connection, 10, 3)
    if not header:
        return
    with connection.makefile("rb") as file:
        wish = json.loads(file.read(int(header)))
    pid = os.fork()
    if pid == 0:
        connection.close()
        code = 1
        try:
            code = run_here(wish, descriptors)
        finally:
            os._exit(code)
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def serve(path: str, modules: Sequence[str]) -> None:
    """Listen on *path* until whoever started this has gone, which ends its stdin."""
    import select
    import signal

    warm(modules)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who answers is never waited for
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    code = 1
                    try:
                        listener.close()
                        _answer(connection)
                        code = 0
                    finally:
                        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2], sys.argv[3:])
    else:
        raise SystemExit(ask(os.environ[SOCKET], sys.argv[1:], os.environ, os.getcwd()))  # noqa: PTH109
