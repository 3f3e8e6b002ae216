# SPDX-License-Identifier: Apache-2.0
"""A program that has imported what ngtpatch needs here, and forks for each command.

The command is the real one, in a process of its own that can be killed; what is saved is a second
of imports and warming up, some hundred times over. It listens on a Unix socket: a request is a
JSON object (arguments, environment, directory) with the descriptors of stdout and stderr. It
answers with the process's id, and with its exit code when it has ended.

Run as a program with words, it is such a request: a stand-in for ``ngtpatch`` in a shell script.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SOCKET = "NGTPATCH_TEST_ZYGOTE"


def ask(
    path: str, arguments: Sequence[str], environment: Mapping[str, str], directory: str,
    outputs: tuple[int, int], started: Callable[[int], object] = lambda _: None,
) -> int:  # fmt: skip
    """Have the zygote at *path* run a command; return its exit code, negative if it was killed."""
    wish = {
        "arguments": list(arguments), "environment": dict(environment), "directory": directory,
    }  # fmt: skip
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        data = json.dumps(wish).encode()
        socket.send_fds(connection, [f"{len(data):10}".encode()], list(outputs))
        connection.sendall(data)
        with connection.makefile("r") as answers:
            started(int(answers.readline()))
            return int(answers.readline())


def _warm() -> None:
    import boto3
    import ntnx_prism_py_client
    import ntnx_vmm_py_client
    from botocore.config import Config

    import ngtpatch.cli.identity
    import ngtpatch.cli.inject
    import ngtpatch.cli.push
    import ngtpatch.cli.status
    import ngtpatch.fleet.audit
    import ngtpatch.fleet.inject
    import ngtpatch.fleet.tasks
    import ngtpatch.flow.rebuild
    import ngtpatch.prism_central.push_fleet  # noqa: F401

    nobody = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    style = Config(s3={"addressing_style": "path"})
    boto3.client("s3", endpoint_url="https://localhost", config=style, **nobody)
    for sdk in (ntnx_vmm_py_client, ntnx_prism_py_client):
        configuration = sdk.Configuration()
        configuration.host = "localhost"
        sdk.ApiClient(configuration=configuration)


def _command(wish: Mapping[str, object], outputs: Sequence[int]) -> int:
    from ngtpatch.cli import main as ngtpatch

    for number, descriptor in enumerate(outputs, start=1):
        os.dup2(descriptor, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(wish["environment"])  # type: ignore[call-overload]
    os.chdir(str(wish["directory"]))
    sys.argv = ["ngtpatch", *wish["arguments"]]  # type: ignore[misc]
    try:
        ngtpatch()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def serve(path: str) -> None:
    """Listen on *path* until the one who waits on stdout has gone."""
    _warm()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            with connection:
                header, outputs, _, _ = socket.recv_fds(connection, 10, 2)
                if not header:
                    return
                with connection.makefile("rb") as file:
                    wish = json.loads(file.read(int(header)))
                pid = os.fork()
                if pid == 0:
                    listener.close()
                    connection.close()
                    code = 1
                    try:
                        code = _command(wish, outputs)
                    finally:
                        os._exit(code)
                for descriptor in outputs:
                    os.close(descriptor)
                connection.sendall(f"{pid}\n".encode())
                _, status = os.waitpid(pid, 0)
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        raise SystemExit(ask(os.environ[SOCKET], sys.argv[1:], os.environ, str(Path.cwd()), (1, 2)))
