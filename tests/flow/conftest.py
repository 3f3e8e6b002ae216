# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import ngtpatch
from ngtpatch.sample import write_sample
from tests import program

DISTROS = ("rocky", "almalinux")


@dataclass(frozen=True)
class Ran:
    """A finished ngtpatch process."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed on stdout, which --json promises to be one document."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Pair:
    """A sample and what rebuild made of it."""

    base: Path
    output: Path
    result: ngtpatch.RebuildResult


def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Ran:
    """Run ngtpatch as a user would, as a process of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NGTPATCH_")}
    finished = program.run(*arguments, cwd=cwd, env={**kept, **environment})
    assert "Traceback" not in finished.stderr, finished.stderr
    return Ran(finished.returncode, finished.stdout, finished.stderr)


Pairs = Callable[[int], Pair]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Each era's sample, and its rebuild for Rocky Linux and AlmaLinux."""

    @cache
    def made(era: int) -> Pair:
        directory = tmp_path_factory.mktemp(f"pair{era}")
        base, output = directory / "base.iso", directory / "out.iso"
        write_sample(base, era=era)
        result = ngtpatch.rebuild(base, distros=DISTROS, output=output)
        return Pair(base, output, result)

    return made
