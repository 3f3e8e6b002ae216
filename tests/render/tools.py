# SPDX-License-Identifier: Apache-2.0
"""Programs that judge what is rendered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import program
from tests.requirements import missing, tool


def python_tool(name: str, package: str) -> str:
    """Return the path of a program that *package* from PyPI puts beside the interpreter."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        missing(name, f"pip install {package}")
    return found


def packer(
    *arguments: str, cwd: Path, input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Packer without its look-up of newer versions."""
    environment = {
        **os.environ,
        "CHECKPOINT_DISABLE": "1",
        "PACKER_NO_COLOR": "1",
        "PACKER_CONFIG_DIR": str(cwd),
    }
    return subprocess.run(
        [tool("packer", "packer"), *arguments],
        cwd=cwd,
        env=environment,
        input=input,
        capture_output=True,
        text=True,
        check=False,
    )


def accepted(*command: str, input: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a judge; return what it printed, and fail with that when it objects."""
    run = subprocess.run(
        command,
        input=input,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    exit_code: int
    stdout: str
    stderr: str


def ngtpatch(*arguments: object, **environment: str) -> Ran:
    """Run the command line as a process of its own, without variables of ours but *environment*."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")}
    run = program.run(*arguments, env={**inherited, "NO_COLOR": "1", **environment})
    assert "Traceback" not in run.stderr, run.stderr
    return Ran(run.returncode, run.stdout, run.stderr)
