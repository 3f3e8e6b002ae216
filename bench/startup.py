# SPDX-License-Identifier: Apache-2.0
"""What a command costs before it has done much: CPU seconds of whole processes on a small disc.

    python -m bench.startup [--runs 7]

ngtpatch's dry runs, what of them is imports, and xorriso's whole run, which puts the same files
into the same disc. The runs alternate, and the least of each counts; a busy machine slows all of
them, so that each is told against Python's own start, too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from bench.measure import compiled_once
from ngtpatch.sample import write_sample
from tests.identity import material as m

PYTHON = "python -c pass"


def cpu_seconds(command: list[str], directory: Path) -> float:
    """Run a command to its end; return the CPU time that it took, children included."""
    with (directory / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: {(directory / 'output').read_text()[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def commands(directory: Path) -> dict[str, list[str]]:
    """Return what is measured, by what it is called."""
    base, inventory, vm = directory / "base.iso", directory / "vms.csv", directory / "ids" / "vm1"
    write_sample(base)
    inventory.write_text("name\nvm1\n")
    vm.mkdir(parents=True)
    begin = datetime.now(timezone.utc) - timedelta(days=1)
    for path, data in m.files(1, kind="rsa2048", begin=begin).items():
        (vm / Path(path).name).write_bytes(data)
        (vm / Path(path).name).chmod(0o600)
    ngtpatch = [sys.executable, "-m", "ngtpatch"]
    inject = [
        "inject", str(base), "--inventory", str(inventory), "--certificates", str(vm.parent),
        "--output-dir", str(directory / "out"), "--dry-run",
    ]  # fmt: skip
    imports = "import ngtpatch.cli.inject, ngtpatch.fleet.inject, cryptography.x509"
    xorriso = [
        "-indev", str(base), "-outdev", "xorriso.iso", "-joliet", "on",
        "-update_r", str(vm), "/config", "-commit_eject", "all",
    ]  # fmt: skip
    return {
        PYTHON: [sys.executable, "-c", "pass"],
        "ngtpatch --version": [*ngtpatch, "--version"],
        "imports of ngtpatch inject": [sys.executable, "-c", imports],
        "ngtpatch inject --dry-run, 1 VM": [*ngtpatch, *inject],
        "ngtpatch inspect": [*ngtpatch, "inspect", str(base)],
        "ngtpatch rebuild --dry-run, 1 distribution": [
            *ngtpatch,
            "rebuild",
            str(base),
            "-d",
            "rocky",
            "--dry-run",
        ],
        "xorriso -update_r, the whole run": [
            "sh",
            "-c",
            'rm -f xorriso.iso; exec xorriso "$@"',
            "sh",
            *xorriso,
        ],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        compiled_once(Path(name))
        measured = commands(Path(name))
        for command in measured.values():  # compiles
            cpu_seconds(command, Path(name))
        seconds = dict.fromkeys(measured, float("inf"))
        for _ in range(asked.runs):
            for what, command in measured.items():
                seconds[what] = min(seconds[what], cpu_seconds(command, Path(name)))
    print(f"## Start-up on a small disc: CPU seconds, least of {asked.runs}\n")
    print("| | seconds | times Python's |\n|---|---:|---:|")
    for what, least in seconds.items():
        print(f"| {what} | {least:.2f} | {least / seconds[PYTHON]:.0f} |")


if __name__ == "__main__":
    main()
