# SPDX-License-Identifier: Apache-2.0
"""``make zipapp-check``: dist/ngtpatch.pyz with each Python that this machine has.

Those whose libraries are in it make, rebuild and verify a sample, with two processes and with a
home that cannot be written. All others have to say in a sentence what they are too old for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.zipapp import PYTHONS
from tests.interpreters import find

ROOT = Path(__file__).resolve().parent.parent
ZIPAPP = ROOT / "dist/ngtpatch.pyz"
TOO_OLD = ("2.7", "3.6", "3.7", "3.8", "3.9")
VMS = ("vm-1", "vm-2", "vm-3")
# A loop of sample discs stands for a cluster, as in docs/fleet.md.
IDENTITIES = (
    "-q sample -o disc.iso --force --seed {vm}",
    *(
        f"-q extract disc.iso config/{name} --allow-identity -o certificates/{{vm}}/{name}"
        for name in ("ngt_config.json", "client-cert.pem", "client-key.pem")
    ),
)


def main() -> None:
    """Try them all; end with exit code 1 at the first that does not do as told."""
    tried = 0
    for version in (*TOO_OLD, *PYTHONS):
        python = find(version)
        if python is None:
            print(f"{version:5} not on this machine: not tried")
            continue
        with tempfile.TemporaryDirectory() as directory:
            (complains if version in TOO_OLD else works)(python, version, Path(directory))
        tried += 1
    if not tried:
        sys.exit("no Python was found to try it with")


def complains(python: str, version: str, where: Path) -> None:
    """See that a Python that is too old says so."""
    done = _call(python, where, "--version")
    said = (
        f"runs with Python {PYTHONS[0]} to {PYTHONS[-1]}, and this is Python {version} ({python})"
    )
    if done.returncode != 1 or said not in done.stderr or "Traceback" in done.stderr:
        sys.exit(f"{version}: {done.returncode}, {done.stderr}")
    print(f"{version:5} says that it is too old")


def works(python: str, version: str, where: Path) -> None:
    """From nothing to a verified rebuild, a disc for each VM, and no home to unpack to."""
    (where / "vms.csv").write_text("\n".join(("name", *VMS)) + "\n")
    for vm in VMS:
        (where / "certificates" / vm).mkdir(parents=True)
    (where / "os-release").write_text('NAME="Rocky Linux"\nID=rocky\nVERSION_ID=9.6\n')
    for line in (
        *(line.format(vm=vm) for vm in VMS for line in IDENTITIES),
        "sample -o ngt.iso",
        "support ngt.iso --os-release os-release",
        "rebuild ngt.iso -d auto --os-release os-release --strip-identity --provenance -o el.iso",
        "verify el.iso --base ngt.iso -d rocky",
        "inject el.iso --inventory vms.csv --certificates certificates --jobs 2 --output-dir discs",
        "reset el.iso --base ngt.iso -o again.iso",
    ):
        done = _call(python, where, *line.split())
        if done.returncode or "Traceback" in done.stderr:
            sys.exit(f"{version}: ngtpatch {line}: {done.returncode}\n{done.stdout}{done.stderr}")
    if (where / "again.iso").read_bytes() != (where / "ngt.iso").read_bytes():
        sys.exit(f"{version}: what was undone is not what it was made of")
    if len(list((where / "discs").glob("*.iso"))) != len(VMS):
        sys.exit(f"{version}: not one disc for each VM")
    temporary = where / "tmp"
    temporary.mkdir()
    # Nobody may write to /proc, root included.
    done = _call(python, where, "--version", HOME="/proc", TMPDIR=str(temporary))
    if done.returncode or not done.stdout.startswith("ngtpatch ") or list(temporary.iterdir()):
        sys.exit(f"{version}: without a home: {done.returncode}\n{done.stdout}{done.stderr}")
    done = _call(python, where, "--version", SHIV_ROOT="/proc/nowhere")
    if done.returncode != 1 or "SHIV_ROOT=DIR" not in done.stderr or "Traceback" in done.stderr:
        sys.exit(f"{version}: no place to unpack to: {done.returncode}\n{done.stderr}")
    print(f"{version:5} rebuilds, verifies, injects by two processes, undoes; also without a home")


def _call(python: str, where: Path, *words: str, **set_to: str) -> subprocess.CompletedProcess[str]:
    bare = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    (where / "home").mkdir(exist_ok=True)
    return subprocess.run(
        [python, str(ZIPAPP), *words],
        cwd=where, env={**bare, "HOME": str(where / "home"), **set_to},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
