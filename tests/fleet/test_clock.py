# SPDX-License-Identifier: Apache-2.0
"""A clock that is set back, forth, or in the middle of a run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.kills import digests
from tests.fleet.park import ENVIRONMENT, Park, park

# What Python runs before everything else. The system's clock is everybody's, and stays.
SHIFTED = """
import datetime, itertools, os, time

asked, real, real_ns, true = itertools.count(), time.time, time.time_ns, datetime.datetime
# From the Nth time on that somebody asks.
late = lambda: int(os.environ["SHIFT"]) if next(asked) >= int(os.environ["FROM"]) else 0
time.time = lambda: real() + late()
time.time_ns = lambda: real_ns() + late() * 10**9


class Shifted(true):
    @classmethod
    def now(cls, tz=None):
        return true.now(tz) + datetime.timedelta(seconds=late())


datetime.datetime = Shifted
"""
HOUR, DAY = 3600, 86400


def run(made: Park, shift: int, *more: str, asked: int = 0) -> tuple[int, dict[str, Any]]:
    (made.root / "python").mkdir(exist_ok=True)
    (made.root / "python" / "sitecustomize.py").write_text(SHIFTED)
    environment = {
        **ENVIRONMENT, "PYTHONPATH": str(made.root / "python"), "SHIFT": str(shift),
        "FROM": str(asked),
    }  # fmt: skip
    ran = subprocess.run(
        made.arguments("--config-only", "--json", *more),
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr
    return ran.returncode, json.loads(ran.stdout)


@pytest.mark.parametrize("shift", [-12 * HOUR, 400 * DAY])
def test_a_clock_that_is_set_between_a_run_and_its_resumption(tmp_path: Path, shift: int) -> None:
    made = park(tmp_path / "park", 3)
    for first, second in ((0, shift), (shift, 0)):
        assert run(made, first, "--force")[0] == 0
        right = digests(made.out)
        (made.out / "vm2.iso").unlink()
        code, told = run(made, second, "--resume")
        assert (code, told["written"], told["kept"]) == (0, 1, 2)
        assert digests(made.out) == right
        assert made.wrong() == []


@pytest.mark.parametrize("asked", [0, 1, 2, 3])
def test_a_clock_that_goes_back_before_the_certificates(tmp_path: Path, asked: int) -> None:
    """Whose is not valid yet is a failed row, whenever that happens; the rest is made."""
    made = park(tmp_path / "park", 3)
    code, told = run(made, -30 * DAY, asked=asked)
    assert (code, told["failed"] > 0) == (6, True)
    assert {one["code"] for one in told["failures"]} == {"not-yet-valid"}
    there = {path.stem for path in made.out.glob("*.iso")}
    assert len(there) == told["written"] == 3 - told["failed"]
    assert all(map(made.right, there))
    assert run(made, 0, "--resume")[0] == 0
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()


def test_files_of_another_clock(tmp_path: Path) -> None:
    """Times before 1970 and after 2090, of all that a run looks at."""
    made = park(tmp_path / "park", 2)
    assert run(made, 0)[0] == 0
    right = digests(made.out)
    for moment in (-5_000_000_000, 0, 4_000_000_000_000_000_000):
        for path in (made.root / "base.iso", *made.out.iterdir()):
            os.utime(path, ns=(moment, moment))
        code, told = run(made, 0, "--resume")
        assert (code, told["kept"]) == (0, 2)
        assert digests(made.out) == right
