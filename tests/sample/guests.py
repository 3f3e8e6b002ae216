# SPDX-License-Identifier: Apache-2.0
"""A guest for the sample's installers: its /etc, its Python, and a directory that is its /."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.requirements import tool

__all__ = ["DISTROS", "Guest", "Run", "unpack"]

DISTROS = Path(__file__).resolve().parent.parent / "distros"


@dataclass(frozen=True)
class Run:
    """What one of the sample's programs printed, and its exit code."""

    lines: tuple[str, ...]
    code: int


@dataclass(frozen=True)
class Guest:
    """Runs the sample's programs as a guest of one distribution would."""

    etc: Path
    python: str
    root: Path | None = None
    checks: str = ""

    def run(self, program: Path, *arguments: str, path: str | None = None) -> Run:
        """Run a program: a shell script by sh, anything else by the guest's Python."""
        environment = {
            "PATH": os.environ["PATH"] if path is None else path,
            "UNIXCONFDIR": str(self.etc),
            # Where os-release is looked for next: the host's must not answer for the guest.
            "UNIXUSRLIBDIR": str(self.etc / "none"),
            "NGT_SAMPLE_CHECKS": self.checks,
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }
        if self.root is not None:
            environment["NGT_SAMPLE_ROOT"] = str(self.root)
        interpreter = "/bin/sh" if program.suffix == ".sh" else self.python
        run = subprocess.run(
            [interpreter, str(program), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Run(tuple(run.stdout.splitlines()), run.returncode)

    def files(self) -> set[str]:
        """Return the files under the guest's /, but its logs."""
        assert self.root is not None
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {
            path.relative_to(self.root).as_posix() for path in found if path.parent.name != "tmp"
        }


def unpack(image: Path, destination: Path) -> Path:
    """Unpack an image by xorriso, modes included, and return where it is."""
    program = tool("xorriso", "xorriso")
    subprocess.run(
        [program, "-osirrox", "on:auto_chmod_off", "-indev", image, "-extract", "/", destination],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    return destination
