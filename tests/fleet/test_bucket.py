# SPDX-License-Identifier: Apache-2.0
"""A bucket on moto's S3 server, over HTTP."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.files.wellknown import KEY
from ngtpatch.iso.read.volume import Volume
from tests.fleet.park import FRESH, Park, betrayed, key_windows, park
from tests.identity import material as m
from tests.requirements import missing

MIB = 1 << 20


@dataclass
class Store:
    client: Any
    environment: dict[str, str]

    def keys(self) -> set[str]:
        listing = self.client.list_objects_v2(Bucket="ngt", Prefix="fleet/")
        return {item["Key"].removeprefix("fleet/") for item in listing.get("Contents", ())}

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket="ngt", Key=f"fleet/{key}")["Body"].read())

    def open_uploads(self) -> list[str]:
        uploads = self.client.list_multipart_uploads(Bucket="ngt").get("Uploads", ())
        return [upload["Key"] for upload in uploads]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for module in ("boto3", "moto"):
        if find_spec(module) is None:
            missing(module, "pip install 'ngtpatch[s3]' 'moto[server]'")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true", "NO_COLOR": "1",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    log = (tmp_path / "moto.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.05)
        client: Any = __import__("boto3").client("s3", endpoint_url=url)
        client.create_bucket(Bucket="ngt")
        yield Store(client, {**os.environ, **settings})
        client.close()
    finally:
        server.kill()
        server.wait()
        log.close()


def inject(made: Park, store: Store, *more: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        made.arguments("--output-dir", "s3://ngt/fleet/", *more),
        capture_output=True, text=True, check=False, env=store.environment, cwd=made.root,
    )  # fmt: skip


def test_objects_equal_what_a_directory_gets(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 5, payload=24 * MIB, kind="rsa2048")
    made.give("vm5", m.files(5, kind="rsa4096", **FRESH))
    run = inject(made, store, "--json")
    assert run.returncode == 0, run.stderr
    assert made.inject("--digest").returncode == 0
    assert made.wrong() == []
    local = {name: row["sha256"] for name, row in made.rows().items()}
    remote = {n: hashlib.sha256(store.get(f"{n}.iso")).hexdigest() for n in made.material}
    assert remote == local
    base = hashlib.sha256((made.root / "base.iso").read_bytes()).hexdigest()
    bases = {f".ngtpatch/base-{base}.iso"}
    assert store.keys() == {f"{n}.iso" for n in made.material} | bases
    # Each was put together there: a window or two went over the wire, not the image.
    written = __import__("json").loads(run.stdout)["bytes_written"]
    assert written < 5 * 16 * MIB
    with Volume.open(made.root / "base.iso") as volume:
        old = volume.tree[KEY]
    shared = store.get(bases.pop())
    assert not [window for window in key_windows(old) if window in shared]
    ledger = (made.root / "ledger-ngt-fleet.jsonl").read_bytes()
    for files in made.material.values():
        assert not betrayed(files[KEY], ledger + run.stdout.encode() + run.stderr.encode())


def test_config_only_objects(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 3)
    assert inject(made, store, "--config-only").returncode == 0
    assert made.inject("--config-only").returncode == 0
    assert store.keys() == {f"{n}.iso" for n in made.material}
    for name in made.material:
        assert store.get(f"{name}.iso") == (made.out / f"{name}.iso").read_bytes()


def test_resume_asks_the_store(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 4, payload=6 * MIB)
    assert inject(made, store).returncode == 0
    assert inject(made, store).returncode == 2
    (made.root / "ledger-ngt-fleet.jsonl").unlink()
    store.client.delete_object(Bucket="ngt", Key="fleet/vm2.iso")
    made.give("vm3", m.files(3, **FRESH))
    assert "2 written, 2 kept" in inject(made, store, "--resume").stdout
    assert made.inject().returncode == 0
    for name in made.material:
        assert store.get(f"{name}.iso") == (made.out / f"{name}.iso").read_bytes()


def test_a_base_that_somebody_planted_is_never_copied(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 2, payload=12 * MIB)
    assert inject(made, store).returncode == 0
    [key] = [key for key in sorted(store.keys()) if "base-" in key]
    good = store.get(key)
    planted = bytearray(good)
    planted[9 * MIB : 9 * MIB + 6] = b"poison"
    store.client.put_object(Bucket="ngt", Key=f"fleet/{key}", Body=bytes(planted))
    assert inject(made, store, "--force").returncode == 0
    assert store.get(key) == good
    assert made.inject().returncode == 0
    for name in made.material:
        assert store.get(f"{name}.iso") == (made.out / f"{name}.iso").read_bytes()


def test_killed_and_resumed_on_a_store(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 12, payload=12 * MIB)
    run = subprocess.Popen(
        made.arguments("--output-dir", "s3://ngt/fleet", "--jobs", "2"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=store.environment, cwd=made.root,
    )  # fmt: skip
    while len(store.keys()) < 4 and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert inject(made, store, "--resume").returncode == 0
    assert made.inject().returncode == 0
    for name in made.material:
        assert store.get(f"{name}.iso") == (made.out / f"{name}.iso").read_bytes()
    assert store.open_uploads() == []


def test_a_store_that_refuses_is_one_message(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 1)
    run = subprocess.run(
        made.arguments("--output-dir", "s3://absent/fleet"),
        capture_output=True, text=True, check=False, env=store.environment, cwd=made.root,
    )  # fmt: skip
    assert run.returncode == 7
    assert "NoSuchBucket" in run.stderr
    assert "Traceback" not in run.stderr
    down = {**store.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    run = subprocess.run(
        made.arguments("--output-dir", "s3://ngt/fleet"),
        capture_output=True, text=True, check=False, env=down, cwd=made.root,
    )  # fmt: skip
    assert run.returncode == 7
    assert "AWS_ENDPOINT_URL" in run.stderr
    assert made.inject("--output-dir", "s3:/wrong").returncode == 2
