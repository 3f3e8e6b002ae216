# SPDX-License-Identifier: Apache-2.0
"""What a kill or a failing call leaves: nothing wrong. make faults tries every call, 300 kills."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fleet.faults import clear, faulted, problem, reference
from tests.fleet.park import ENVIRONMENT, Park, park
from tests.requirements import tool

ROOT = Path(__file__).resolve().parents[2]


def test_runs_killed_at_random_moments() -> None:
    count = os.environ.get("NGTPATCH_TEST_KILLS", "30")
    command = [sys.executable, "-m", "tests.fleet.kills", "--count", count]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{count} times killed and completed" in run.stdout
    assert "SIGKILL: -9" in run.stdout
    assert "SIGHUP: " in run.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Park, dict[str, str]]:
    result = park(tmp_path_factory.mktemp("faults") / "park", 2)
    return result, reference(result)


@pytest.mark.parametrize(
    ("call", "error", "number"),
    [("pwrite64", "ENOSPC", 3), ("fsync", "EIO", 1), ("linkat", "EIO", 1), ("write", "ENOSPC", 1)],
)
def test_a_call_that_fails(
    made: tuple[Park, dict[str, str]], call: str, error: str, number: int
) -> None:
    there, right = made
    failed, code, said = faulted(there, tool("strace", "strace"), call, error, number)
    assert failed
    assert problem(there, right, code, said) is None
    clear(there)
