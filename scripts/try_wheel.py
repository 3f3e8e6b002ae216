# SPDX-License-Identifier: Apache-2.0
"""``make dist``: the wheel on its own, manual pages too, and the demonstration without the tree.

What it runs with is what locks/run.txt names, file by file; the SBOM beside the wheel lists what
was installed for that.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the demonstration needs beside ngtpatch: itself, and the guests' os-release files.
TAKEN = ("scripts/demo.py", "tests/distros")
LOCK = ROOT / "locks/run.txt"


def main() -> None:
    """Install the wheel that is named, and run the demonstration with it."""
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as directory:
        away = Path(directory)
        venv.create(away / "venv", with_pip=False)
        python = away / "venv/bin/python"
        pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
        locked = ("--require-hashes", "--only-binary", ":all:", "-r", LOCK)
        _run(*pip, "install", "-qq", *locked, cwd=away)
        _run(*pip, "install", "-qq", "--no-deps", "--no-index", wheel, cwd=away)
        _run(*pip, "check", cwd=away)
        for name in TAKEN:
            (away / name).parent.mkdir(parents=True, exist_ok=True)
            take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            take(ROOT / name, away / name)
        where = _run(python, "-c", "import ngtpatch; print(ngtpatch.__file__)", cwd=away).strip()
        if not Path(where).is_relative_to(away / "venv"):
            sys.exit(f"ngtpatch was imported from {where}, not from the wheel")
        page = away / "venv/share/man/man1/ngtpatch-rebuild.1"
        if "ngtpatch rebuild" not in page.read_text():
            sys.exit("the wheel brings no manual page of ngtpatch rebuild")
        told = _run(python, away / "scripts/demo.py", away / "demo", cwd=away)
        if "Using Linux Installer for almalinux linux distribution." not in told:
            sys.exit(f"the demonstration was not told to its end:\n{told}")
        sbom = wheel.with_name(f"{wheel.name}.cdx.json")
        count = write_sbom(wheel, python, sbom)
    print(f"{wheel.name}: installed on its own, the demonstration goes as told")
    print(f"{sbom.name}: {count} components")


def write_sbom(wheel: Path, python: Path, sbom: Path) -> int:
    """Write what *python* has installed as a CycloneDX document about *wheel*; return how much."""
    made = _run(
        sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible",
        "--pyproject", ROOT / "pyproject.toml", python, cwd=ROOT,
    )  # fmt: skip
    document = json.loads(made)
    # pyproject.toml leaves the version to the build.
    document["metadata"]["component"] |= {
        "version": wheel.name.split("-")[1],
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }
    sbom.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    return len(document["components"])


def _run(*words: str | Path, cwd: Path) -> str:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=outside, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
