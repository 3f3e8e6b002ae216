# SPDX-License-Identifier: Apache-2.0
"""OpenStack Swift as the store of the tests: an object store in production use, and not moto.

    make stores, or: python -m tests.fleet.swift_store --bin DIR [PYTEST-ARGUMENT ...]

DIR holds Swift's programs. Its four servers run in a scratch directory, on loopback alone, with one
device and one copy of everything; then the tests of stores run against its S3 interface.
"""

from __future__ import annotations

import argparse
import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The account and its user, which are the access key together, and the secret.
ACCESS, SECRET = "test%3Atester", "testing"
SECONDS = 60

_COMMON = """\
[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = fleet
[storage-policy:0]
name = one
default = yes
"""

_SERVER = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {root}
devices = {root}/devices
mount_check = false
workers = 0
user = {user}
[pipeline:main]
pipeline = {pipeline}
[app:{app}]
use = egg:swift#{kind}
"""

# Without memcached: what it would keep is asked for each time.
_FILTERS = """\
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
_PIPELINE = "catch_errors cache listing_formats s3api tempauth bulk slo dlo proxy-server"


@contextmanager
def swift(programs: Path, root: Path) -> Iterator[str]:
    """Run Swift in *root*; yield its address, with the keys in it."""
    (root / "devices" / "one").mkdir(parents=True)
    (root / "swift.conf").write_text(_COMMON)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for kind in ("account", "container", "object", "proxy"):
            port = _free_port()
            pipeline, more = (_PIPELINE, _FILTERS) if kind == "proxy" else (f"{kind}-server", "")
            (root / f"{kind}.conf").write_text(
                _SERVER.format(
                    port=port, root=root, kind=kind, app=f"{kind}-server", pipeline=pipeline,
                    user=pwd.getpwuid(os.geteuid()).pw_name,
                )
                + more
            )  # fmt: skip
            if kind != "proxy":
                _ring(programs, root, kind, port)
            with (root / f"{kind}.log").open("wb") as log:
                command = [str(programs / f"swift-{kind}-server"), f"{root}/{kind}.conf", "-v"]
                servers.append(subprocess.Popen(command, stdout=log, stderr=log))
        _await(port, servers, root)
        yield f"http://{ACCESS}:{SECRET}@127.0.0.1:{port}"
    finally:
        for server in servers:
            server.kill()
            server.wait()


def _ring(programs: Path, root: Path, kind: str, port: int) -> None:
    """Say where the server of a kind is: 16 partitions, one copy, one device."""
    builder = [str(programs / "swift-ring-builder"), str(root / f"{kind}.builder")]
    for arguments in (
        ["create", "4", "1", "0"], ["add", f"r1z1-127.0.0.1:{port}/one", "1"], ["rebalance", "1"],
    ):  # fmt: skip
        subprocess.run([*builder, *arguments], check=True, stdout=subprocess.DEVNULL)


def _await(port: int, servers: list[subprocess.Popen[bytes]], root: Path) -> None:
    for _ in range(SECONDS * 10):
        for server in servers:
            if server.poll() is not None:
                logs = "".join(path.read_text() for path in sorted(root.glob("*.log")))
                sys.exit(f"a server of Swift's ended: {logs[-2000:]}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"Swift does not answer within {SECONDS} seconds")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Start it, test, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bin", type=Path, required=True, help="where Swift's programs are")
    wanted, more = parser.parse_known_args()
    tests = [sys.executable, "-m", "pytest", "-q", "tests/fleet/test_bucket.py", *more]
    with (
        tempfile.TemporaryDirectory(prefix="swift-") as scratch,
        swift(wanted.bin.resolve(), Path(scratch)) as url,
    ):
        environment = {**os.environ, "NGTPATCH_TEST_STORE": url}
        run = subprocess.run(tests, cwd=ROOT, env=environment, check=False)
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
