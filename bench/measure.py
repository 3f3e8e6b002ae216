# SPDX-License-Identifier: Apache-2.0
"""One command, measured from outside: time, peak memory, bytes that reached the device."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

__all__ = ["Sample", "Series", "compiled_once", "device_bytes", "run"]


@dataclass(frozen=True)
class Sample:
    """One run.

    Attributes:
        seconds: from start to exit, by the wall clock.
        rss: peak resident memory of the largest process, in bytes.
        written: bytes written to the device below, as the kernel counts them.
        output: what it printed.
    """

    seconds: float
    rss: int
    written: int
    output: str


@dataclass
class Series:
    """All runs of one command."""

    samples: list[Sample]

    @property
    def seconds(self) -> float:
        return median(sample.seconds for sample in self.samples)

    @property
    def rss(self) -> int:
        return max(sample.rss for sample in self.samples)

    @property
    def written(self) -> float:
        return median(sample.written for sample in self.samples)

    @property
    def printed(self) -> float:
        """The median of the last number that each run printed."""
        return median(float(sample.output.split()[-1]) for sample in self.samples)


def device_bytes(path: Path) -> int:
    """Return how many bytes were written to the device that *path* lives on, ever."""
    device = path.stat().st_dev
    counters = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    if not counters.exists():
        # btrfs has devices of its own making: ask which one is mounted there.
        found = subprocess.run(
            ["findmnt", "-n", "-o", "SOURCE", "-T", path],
            capture_output=True,
            text=True,
            check=True,
        )
        counters = Path(f"/sys/class/block/{Path(found.stdout.strip()).name}/stat")
    return int(counters.read_text().split()[6]) * 512 if counters.exists() else 0


def compiled_once(directory: Path) -> None:
    """Let programs that are started from now on keep their compiled modules, in *directory*.

    As an installed package has them. Where the environment forbids it (PYTHONDONTWRITEBYTECODE, as
    in many containers) each start compiles a hundred modules.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "compiled")


def run(command: list[str], *, directory: Path) -> Sample:
    """Run a command that writes below *directory*, and measure it."""
    os.sync()
    before = device_bytes(directory)
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        # wait4 and not wait: it says how much memory that very process needed.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exits {process.returncode}: {text[-800:]}")
    os.sync()
    return Sample(seconds, usage.ru_maxrss << 10, device_bytes(directory) - before, text)
