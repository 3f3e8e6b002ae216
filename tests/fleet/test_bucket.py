# SPDX-License-Identifier: Apache-2.0
"""A bucket on moto's S3 server, over HTTP."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.files.wellknown import KEY
from ngtpatch.iso.read.volume import Volume
from tests.fleet.park import EXPIRED, FRESH, Park, betrayed, key_windows, park
from tests.fleet.store_proxy import proxied
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store, which all tests here share, one after the other."""
    for module in ("boto3", "moto"):
        if find_spec(module) is None:
            missing(module, "pip install 'ngtpatch[s3]' 'moto[server]'")
    given = os.environ.get("NGTPATCH_TEST_STORE")
    if given:  # make stores: another server's, with its keys
        yield given
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            while True:
                try:
                    urllib.request.urlopen(url, timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None
                    time.sleep(0.05)
            yield url
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    place = urllib.parse.urlsplit(server)
    server = f"{place.scheme}://{place.hostname}:{place.port}"
    settings = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": urllib.parse.unquote(place.username or "test"),
        "AWS_SECRET_ACCESS_KEY": urllib.parse.unquote(place.password or "test"),
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true", "NO_COLOR": "1",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client: Any = __import__("boto3").client("s3", endpoint_url=server)
    if any(bucket["Name"] == "ngt" for bucket in client.list_buckets()["Buckets"]):
        for upload in client.list_multipart_uploads(Bucket="ngt").get("Uploads", ()):
            client.abort_multipart_upload(
                Bucket="ngt", Key=upload["Key"], UploadId=upload["UploadId"]
            )
        for item in client.list_objects_v2(Bucket="ngt").get("Contents", ()):
            client.delete_object(Bucket="ngt", Key=item["Key"])
    else:
        client.create_bucket(Bucket="ngt")
    yield Store(client, {**os.environ, **settings})
    client.close()


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
    written = json.loads(run.stdout)["bytes_written"]
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


def test_objects_with_what_another_vm_is_to_get(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 2)
    assert inject(made, store, "--config-only").returncode == 0
    made.move("vm1", "vm2")
    new = ("--config-only", "--resume", "--json", "--name", "new-{{ name }}.iso")
    [failure] = json.loads(inject(made, store, *new).stdout)["failures"]
    assert failure["name"] == "vm2"
    assert "as vm1.iso (make that one anew, or remove it" in failure["error"]
    # An object that is another by now is not the one that the row tells of.
    store.client.put_object(Bucket="ngt", Key="fleet/vm1.iso", Body=b"another")
    assert inject(made, store, *new).returncode == 0
    made.move("vm2", "vm1", **EXPIRED)
    run = inject(made, store, *new)
    assert run.returncode == 6
    told = {(one["output"], one["other"]) for one in json.loads(run.stdout)["shared"]}
    assert told == {("new-vm1.iso", "new-vm2.iso")}


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


def through(store: Store, url: str) -> Store:
    return Store(store.client, {**store.environment, "AWS_ENDPOINT_URL": url})


def copies(made: Park, store: Store) -> list[str]:
    """The VMs whose object is not what a directory gets."""
    assert made.inject("--resume").returncode == 0
    return [
        name for name in made.material
        if store.get(f"{name}.iso") != (made.out / f"{name}.iso").read_bytes()
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["503, drop, drop-answer", "error-in-200", "drop-in-body"])
def test_a_store_that_fails_now_and_then(tmp_path: Path, store: Store, what: str) -> None:
    """Every fourth request in turn; or the first time that an upload is completed, a part read."""
    made = park(tmp_path / "park", 2, payload=7 * MIB)
    seen: set[str] = set()
    kinds = what.split(", ")

    def fault(verb: str, path: str, count: int) -> str:
        if len(kinds) > 1:
            return kinds[count // 4 % 3] if count % 4 == 3 else "pass"
        first = path not in seen
        chosen = verb == "POST" and "uploadId" in path if what == "error-in-200" else verb == "GET"
        seen.add(path)
        return what if first and chosen else "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], fault) as (url, asked):
        run = inject(made, through(store, url), "--jobs", 2)
        assert run.returncode == 0, run.stderr
        again = inject(made, through(store, url), "--resume", "--digest", "--json")
        assert json.loads(again.stdout)["kept"] == 2, again.stdout + again.stderr
    assert asked
    assert copies(made, store) == []
    assert store.open_uploads() == []


def test_a_store_that_hangs_is_told_after_seconds(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 1)
    with proxied(store.environment["AWS_ENDPOINT_URL"], lambda *_: "hang") as (url, asked):
        begin = time.monotonic()
        run = inject(made, through(store, url), "--store-timeout", 0.3)
        assert (run.returncode, "Traceback" in run.stderr) == (7, False)
        assert "it said nothing for 0.3 seconds" in run.stderr
        assert len(asked) == 3  # as boto3's standard mode does
        assert time.monotonic() - begin < 25


def test_a_second_signal_does_not_wait_for_a_store_that_hangs(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 8)

    def hanging(verb: str, path: str, count: int) -> str:
        return "hang" if verb == "PUT" else "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], hanging) as (url, asked):
        run = subprocess.Popen(
            made.arguments("--output-dir", "s3://ngt/fleet", "--config-only", "--jobs", 2,
                           "--store-timeout", 60),
            stderr=subprocess.PIPE, text=True, env=through(store, url).environment, cwd=made.root,
        )  # fmt: skip
        while not any(one.startswith("PUT") for one in asked):
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGTERM)
        assert run.stderr is not None
        while "finishing what is in flight" not in run.stderr.readline():
            assert run.poll() is None
        time.sleep(2.1)  # what comes just after a signal means the same
        assert run.poll() is None
        begin = time.monotonic()
        run.send_signal(signal.SIGTERM)
        _, errors = run.communicate(timeout=120)
        assert time.monotonic() - begin < 10
    assert run.returncode == 130, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("status", ["404", "409", "412"])
def test_an_object_that_cannot_be_read_back_is_made_anew(
    tmp_path: Path, store: Store, status: str
) -> None:
    """It is gone or another by now; or what it was put together of is, as Swift says by 409."""
    made = park(tmp_path / "park", 2)
    assert inject(made, store, "--config-only").returncode == 0

    def broken(verb: str, path: str, count: int) -> str:
        return status if verb == "GET" and "vm1.iso" in path else "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], broken) as (url, _):
        run = inject(made, through(store, url), "--config-only", "--resume")
    assert run.returncode == 0, run.stderr
    assert "1 written, 1 kept" in run.stdout


@pytest.mark.parametrize("whose", ["base-", "vm1.iso"])
def test_an_upload_that_fails_is_aborted(tmp_path: Path, store: Store, whose: str) -> None:
    made = park(tmp_path / "park", 2, payload=12 * MIB)

    def refused(verb: str, path: str, count: int) -> str:
        part = verb == "PUT" and "partNumber" in path
        return "403" if part and whose in path else "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], refused) as (url, asked):
        run = inject(made, through(store, url))
    assert run.returncode in (6, 7)
    assert "the credentials need s3:PutObject there" in run.stderr
    assert [one for one in asked if one.startswith("POST") and whose in one]
    assert store.open_uploads() == []
    assert inject(made, store, "--resume").returncode == 0
    assert copies(made, store) == []


def test_what_another_machine_uploads_is_not_aborted_while_it_lasts(
    tmp_path: Path, store: Store
) -> None:
    made = park(tmp_path / "park", 2, payload=7 * MIB)
    begun: list[str] = []

    def other(verb: str, path: str, count: int) -> str:
        if verb == "HEAD" and not begun:  # after the first look at what is open
            answer = store.client.create_multipart_upload(Bucket="ngt", Key="fleet/vm2.iso")
            begun.append(answer["UploadId"])
        return "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], other) as (url, _):
        assert inject(made, through(store, url), "--jobs", 1).returncode == 0
    assert begun
    assert store.open_uploads() == ["fleet/vm2.iso"]
    # The next run finds it there when it begins, and still at its end.
    assert inject(made, store, "--resume").returncode == 0
    assert store.open_uploads() == []


def test_no_right_is_used_that_is_not_needed(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 2)
    with proxied(store.environment["AWS_ENDPOINT_URL"], lambda *_: "pass") as (url, asked):
        assert inject(made, through(store, url), "--config-only").returncode == 0
        assert inject(made, through(store, url), "--config-only", "--resume").returncode == 0
    assert not [request for request in asked if "upload" in request]
    assert {request.split()[0] for request in asked} == {"GET", "HEAD", "PUT"}

    def refused(verb: str, path: str, count: int) -> str:
        return "403" if "?uploads" in path and verb == "GET" else "pass"

    made = park(tmp_path / "large", 1, payload=6 * MIB)
    with proxied(store.environment["AWS_ENDPOINT_URL"], refused) as (url, _):
        run = inject(made, through(store, url), "--force")
    assert run.returncode == 7
    assert "s3:ListBucketMultipartUploads" in run.stderr


def test_a_base_of_the_same_bytes_is_used_whatever_its_tag(tmp_path: Path, store: Store) -> None:
    """Where a store's tags are not made of MD5s the object is read."""
    made = park(tmp_path / "park", 1, payload=12 * MIB)
    assert inject(made, store).returncode == 0
    [key] = [key for key in sorted(store.keys()) if "base-" in key]
    put = store.client.put_object(Bucket="ngt", Key=f"fleet/{key}", Body=store.get(key))
    assert inject(made, store, "--force").returncode == 0
    assert store.client.head_object(Bucket="ngt", Key=f"fleet/{key}")["ETag"] == put["ETag"]
    assert copies(made, store) == []


def test_two_machines_on_one_prefix_do_no_harm(tmp_path: Path, store: Store) -> None:
    made = park(tmp_path / "park", 4, payload=7 * MIB)
    runs = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        runs.append(
            subprocess.Popen(
                made.arguments("--output-dir", "s3://ngt/fleet/", "--resume"), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=store.environment,
                cwd=tmp_path / place,
            )
        )  # fmt: skip
    ended = [(*run.communicate(), run.returncode) for run in runs]
    assert [code for *_, code in ended] == [0, 0], ended
    assert copies(made, store) == []
    assert store.open_uploads() == []


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_none(tmp_path: Path, store: Store, endpoint: str) -> None:
    made = park(tmp_path / "park", 1)
    run = inject(made, through(store, endpoint), "--json")
    assert (run.returncode, json.loads(run.stdout)["error"]["code"]) == (2, "s3-url")
    assert "AWS_ENDPOINT_URL" in run.stderr


def test_a_server_of_pages_is_no_store(tmp_path: Path, store: Store) -> None:
    """It answers 200 to whatever is asked, and keeps nothing."""
    made = park(tmp_path / "park", 1)
    for more in ([], ["--resume", "--config-only"]):
        with proxied(store.environment["AWS_ENDPOINT_URL"], lambda *_: "page") as (url, asked):
            run = inject(made, through(store, url), *more)
        assert run.returncode == 7, run.stdout
        assert "is not an object store" in run.stderr
        assert len(asked) == 1

    def taken(verb: str, path: str, count: int) -> str:
        return "page" if verb == "PUT" else "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], taken) as (url, asked):
        run = inject(made, through(store, url), "--config-only")
    assert run.returncode == 6, run.stdout
    assert "was taken and is not there" in run.stderr
    assert store.keys() == set()


def test_a_store_without_a_feature_is_one_message(tmp_path: Path, store: Store) -> None:
    """Uploads in parts cannot be listed; what needs none goes on."""
    made = park(tmp_path / "park", 1, payload=6 * MIB)

    def lacking(verb: str, path: str, count: int) -> str:
        return "501" if "?uploads" in path else "pass"

    with proxied(store.environment["AWS_ENDPOINT_URL"], lacking) as (url, _):
        run = inject(made, through(store, url))
        assert run.returncode == 7
        assert "ListMultipartUploads: NotImplemented" in run.stderr
        assert "--config-only does without" in run.stderr
        assert inject(made, through(store, url), "--config-only").returncode == 0


def test_a_store_that_goes_away_ends_the_run(tmp_path: Path, store: Store) -> None:
    """Not each of the VMs that are left waits for it."""
    made = park(tmp_path / "park", 8)

    def away(verb: str, path: str, count: int) -> str:
        return "pass" if count < 3 else "503"

    with proxied(store.environment["AWS_ENDPOINT_URL"], away) as (url, _):
        there = through(store, url)
        there.environment["AWS_MAX_ATTEMPTS"] = "1"
        run = inject(made, there, "--config-only", "--jobs", 1)
    assert run.returncode == 7, run.stdout
    rows = (made.root / "ledger-ngt-fleet.jsonl").read_text().splitlines()
    assert 1 < len(rows) < 6
    assert json.loads(rows[0])["state"] == "done"
    assert inject(made, store, "--config-only", "--resume").returncode == 0
    assert store.keys() == {f"{name}.iso" for name in made.material}


def test_without_boto3_it_says_what_to_install(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    (tmp_path / "lacking" / "boto3").mkdir(parents=True)
    (tmp_path / "lacking" / "boto3" / "__init__.py").write_text("raise ModuleNotFoundError")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "lacking"), "NO_COLOR": "1"}
    for more in ("--dry-run", "--resume", "--force"):
        run = subprocess.run(
            made.arguments("--output-dir", "s3://ngt/fleet", more),
            capture_output=True, text=True, check=False, env=environment, cwd=made.root,
        )  # fmt: skip
        assert run.returncode == 2
        assert run.stderr.splitlines()[-2:] == [
            "ngtpatch: s3://ngt/fleet: s3:// needs boto3", "  install ngtpatch[s3]",
        ]  # fmt: skip
