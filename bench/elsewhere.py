# SPDX-License-Identifier: Apache-2.0
"""What a VM costs where another does the work, or keeps it: a Dask cluster, an object store.

    python -m bench.elsewhere [--vms 500]

Both are on this machine, by loopback: a scheduler with one worker of two threads, and moto's S3
server, in memory. So their own CPU time is not ngtpatch's, and is not in its column. The same
VMs into a directory, without either, stand beside; the full images have 64 MB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.fleet import MIB, _identities
from bench.measure import compiled_once
from ngtpatch.sample import write_sample

_SECONDS = 60


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--vms", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        root = Path(name)
        compiled_once(root)
        write_sample(root / "base.iso", payload=64 * MIB)
        inventory = _identities(root, asked.vms, [asked.vms])[asked.vms]
        scheduler = stack.enter_context(_dask(root))
        stack.enter_context(_bucket(root))
        print(f"## {asked.vms} VMs elsewhere: milliseconds per VM\n")
        print("| | time | CPU of ngtpatch inject |\n|---|---:|---:|")
        for kind, more in (("config-only", ["--config-only"]), ("full", [])):
            for title, where in (
                ("a directory", ["--output-dir", str(root / "out")]),
                ("a directory, by Dask", ["--output-dir", str(root / "out"), *scheduler]),
                ("an object store", ["--output-dir", "s3://bench/out", "--force"]),
            ):
                seconds, cpu = _inject(root, inventory, *where, *more)
                print(
                    f"| {kind}, {title} | {seconds / asked.vms * 1000:.1f} "
                    f"| {cpu / asked.vms * 1000:.1f} |",
                    flush=True,
                )
                shutil.rmtree(root / "out", ignore_errors=True)


def _inject(root: Path, inventory: Path, *more: str) -> tuple[float, float]:
    """Run ngtpatch inject to its end; return seconds of wall clock and of its CPU time."""
    command = [
        sys.executable, "-m", "ngtpatch", "-q", "inject", str(root / "base.iso"), "--inventory",
        str(inventory), "--certificates", str(root / "certificates"), *more,
    ]  # fmt: skip
    with (root / "output").open("w") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=root, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: {(root / 'output').read_text()[-2000:]}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime


@contextmanager
def _started(root: Path, name: str, command: list[str]) -> Iterator[None]:
    with (root / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()


@contextmanager
def _dask(root: Path) -> Iterator[list[str]]:
    """Run a scheduler and a worker; yield the options that name them."""
    port = _free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    worker = ["distributed.cli.dask_worker", address, "--nworkers", "1", "--nthreads", "2"]
    with _started(root, "scheduler", [sys.executable, "-m", *scheduler, "--no-dashboard"]):
        _await(port)
        with _started(root, "worker", [sys.executable, "-m", *worker, "--no-dashboard"]):
            client_type: Any = import_module("distributed").Client
            with client_type(address) as client:
                client.wait_for_workers(1, _SECONDS)
            yield ["--scheduler", address]


@contextmanager
def _bucket(root: Path) -> Iterator[None]:
    """Run a store with a bucket, which boto3 finds by the environment."""
    port = _free_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    server = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _started(root, "store", server):
        _await(port)
        import boto3

        boto3.client("s3").create_bucket(Bucket="bench")
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(port: int) -> None:
    for _ in range(_SECONDS * 10):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing answers on port {port}")


if __name__ == "__main__":
    main()
