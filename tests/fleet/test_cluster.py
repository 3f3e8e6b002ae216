# SPDX-License-Identifier: Apache-2.0
"""A Dask scheduler and two workers, each a process of its own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from ngtpatch.errors import NgtpatchError, RemoteError, UsageError
from tests.fleet.park import ENVIRONMENT, Park, betrayed, park
from tests.requirements import missing
from tests.told import printed

# What a curious administrator would see of the tasks, asked for while they are there.
TASKS = """
import pickle, sys, time
from distributed import Client
from distributed.protocol import dumps

def specs(dask_scheduler):
    return [(repr(t.key), pickle.dumps(t.run_spec)) for t in dask_scheduler.tasks.values()]

with Client(sys.argv[1], set_as_default=False) as client:
    seen = {}
    while len(seen) < 3:
        for key, spec in client.run_on_scheduler(specs):
            seen[key] = spec
    sys.stdout.buffer.write(b"".join(seen.values()))
"""


@dataclass
class Dask:
    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: list["subprocess.Popen[bytes]"]
    logs: list[Path]


@contextmanager
def started(command: list[str], log: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=file, stderr=file,
            env={**ENVIRONMENT, **variables},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def dask(root: Path, **variables: str) -> Iterator[Dask]:
    if find_spec("distributed") is None:
        missing("Dask", "pip install 'ngtpatch[dask]'")
    known = root / "scheduler.json"
    logs = [root / f"{name}.log" for name in ("scheduler", "one", "two")]
    scheduler = [
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(known),
    ]  # fmt: skip
    worker = [
        "distributed.cli.dask_worker", "--scheduler-file", str(known), "--no-nanny",
        "--no-dashboard", "--nthreads", "1", "--local-directory", str(root / "scratch"),
    ]  # fmt: skip
    with started(scheduler, logs[0], **variables) as leader:
        while not known.exists() or not known.read_text().endswith("}"):
            time.sleep(0.05)
        with started(worker, logs[1]) as one, started(worker, logs[2]) as two:
            yield Dask(json.loads(known.read_text())["address"], leader, [one, two], logs)


def two_workers(made: Park, cluster: Dask) -> None:
    """Wait until both workers have registered."""
    script = (
        "import sys; from distributed import Client; Client(sys.argv[1]).wait_for_workers(2, 60)"
    )
    subprocess.run([sys.executable, "-c", script, cluster.address], check=True, env=ENVIRONMENT)


def test_a_cluster_makes_the_fleet_though_a_worker_is_killed(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 40, payload=1 << 20, kind="rsa2048")
    with dask(tmp_path) as cluster:
        two_workers(made, cluster)
        run = subprocess.Popen(
            made.arguments("--scheduler", cluster.address, "--jobs", 8, "-v"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        spy = subprocess.run(
            [sys.executable, "-c", TASKS, cluster.address],
            capture_output=True, check=False, timeout=60, env=ENVIRONMENT,
        )  # fmt: skip
        cluster.workers[0].send_signal(signal.SIGKILL)
        out, err = run.communicate()
        said = out + err
        assert run.returncode == 0, said
        assert "Traceback" not in said
        graph = spy.stdout
        logs = b"".join(log.read_bytes() for log in cluster.logs)
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()
    assert {row["state"] for row in made.rows().values()} == {"done"}
    # The graph was seen: it names what is to be made.
    assert b"vm1" in graph
    for files in made.material.values():
        key = files["config/client-key.pem"]
        for text in (graph, logs, said.encode(), (made.out / "ledger.jsonl").read_bytes()):
            assert not betrayed(key, text)
    assert "40 kept" in made.inject("--resume").stdout


def under_way(made: Park, cluster: Dask) -> subprocess.Popen[str]:
    """Start a run on two workers; return it when the first images are there."""
    two_workers(made, cluster)
    run = subprocess.Popen(
        made.arguments("--scheduler", cluster.address, "--jobs", 2, "--json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    while len(list(made.out.glob("*.iso"))) < 4 and run.poll() is None:
        time.sleep(0.01)
    return run


def test_a_scheduler_that_dies_is_one_message(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 60, payload=1 << 20)
    with dask(tmp_path) as cluster:
        run = under_way(made, cluster)
        cluster.scheduler.send_signal(signal.SIGKILL)
        out, err = run.communicate(timeout=120)
    assert (run.returncode, json.loads(printed(out))["error"]["code"]) == (7, "executor"), out + err
    assert "Traceback" not in err
    assert len(err.splitlines()) < 16
    for name in {path.stem for path in made.out.glob("*.iso")}:
        assert made.right(name)
    assert made.inject("--resume").returncode == 0
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()


def test_a_cluster_without_workers_is_not_waited_for(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 60, payload=1 << 20)
    with dask(tmp_path) as cluster:
        run = under_way(made, cluster)
        for worker in cluster.workers:
            worker.send_signal(signal.SIGKILL)
        out, err = run.communicate(timeout=120)
    assert (run.returncode, json.loads(printed(out))["error"]["code"]) == (7, "executor"), out + err
    assert "has no workers any more" in err
    assert "Traceback" not in err
    assert made.inject("--resume").returncode == 0
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()


def test_a_vm_whose_workers_die_is_a_row(tmp_path: Path) -> None:
    """A scheduler that takes the first death for the VM's fault; the worker never began."""
    made = park(tmp_path / "park", 6)
    with dask(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as cluster:
        two_workers(made, cluster)
        cluster.workers[0].send_signal(signal.SIGSTOP)
        run = subprocess.Popen(
            made.arguments("--scheduler", cluster.address, "--jobs", 2, "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        while not list(made.out.glob("*.iso")) and run.poll() is None:  # the other has begun
            time.sleep(0.01)
        cluster.workers[0].send_signal(signal.SIGKILL)
        out, err = run.communicate(timeout=120)
    codes = [row.get("code") for row in made.rows().values()]
    assert (run.returncode, set(codes)) == (6, {None, "worker-lost"}), out + err
    assert {one["code"] for one in json.loads(out)["failures"]} == {"worker-lost"}
    assert made.inject("--resume").returncode == 0
    assert made.wrong() == []


def test_a_worker_with_another_base_refuses(tmp_path: Path) -> None:
    """On each machine the path may lead to another file: the digest decides."""
    from dataclasses import replace

    from ngtpatch.fleet.inject import prepare
    from ngtpatch.fleet.workshop import close, make

    made = park(tmp_path / "park", 1)
    plan = prepare(
        made.root / "base.iso", made.root / "vms.csv", str(made.out),
        certificates=made.root / "certificates", remote=True,
    )  # fmt: skip
    other = replace(plan.settings, base_sha256="0" * 64)
    outcome = make(other, plan.orders[0])
    close()
    assert (outcome.state, outcome.code) == ("failed", "base-changed")


@pytest.mark.parametrize(
    ("address", "code"), [("tcp://127.0.0.1:9", RemoteError), ("nonsense", UsageError)]
)
def test_nobody_answers(
    address: str, code: type[NgtpatchError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ngtpatch.fleet.cluster._CONNECT_SECONDS", 1)
    from ngtpatch.fleet.cluster import cluster

    if find_spec("distributed") is None:
        missing("Dask", "pip install 'ngtpatch[dask]'")
    with pytest.raises(code) as caught, cluster(address):
        pass
    assert caught.value.exit_code == (7 if code is RemoteError else 2)
