# SPDX-License-Identifier: Apache-2.0
"""``make zipapp``: one file that runs with every Python from 3.10 on.

shiv makes the file and unpacks it on the guest; this puts the compiled libraries of several
Pythons side by side into it (their names carry the Python they are for), and a first line of
code that every Python since 2.7 can read in front: it says in one sentence what does not fit.

Libraries are downloaded as wheels for the oldest C library that they are offered for, so that a
file made on a new machine runs on Enterprise Linux 8. ``--wheelhouse DIR`` writes these wheels
for hosts without a network instead.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
# The newest is the newest that every compiled dependency is offered for.
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MACHINE = platform.machine()
# Debian and Enterprise Linux 8 (glibc 2.28) and older; pip takes the newest that it is told of.
PLATFORMS = [
    *(f"manylinux_2_{minor}_{MACHINE}" for minor in range(28, 4, -1)),
    f"manylinux2014_{MACHINE}",
]
EXTRAS = "provenance"
# 1980-01-01, the first time that a zip can hold: the file does not depend on when it was made.
EPOCH = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    """Write dist/ngtpatch.pyz, or a wheelhouse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist/ngtpatch.pyz")
    parser.add_argument("--wheelhouse", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        wheel = build_wheel(work / "wheel")
        if arguments.wheelhouse:
            write_wheelhouse(wheel, arguments.wheelhouse)
        else:
            write_zipapp(wheel, arguments.output, work)


def build_wheel(directory: Path) -> Path:
    """Build ngtpatch's own wheel from this checkout."""
    _run("hatchling", "build", "-t", "wheel", "-d", directory)
    (wheel,) = directory.glob("*.whl")
    return wheel


def write_wheelhouse(wheel: Path, directory: Path) -> None:
    """Write the wheel, and those that it needs, for every Python."""
    directory.mkdir(parents=True, exist_ok=True)
    words = (f"{wheel}[{EXTRAS}]", *_for_some(wheel))
    for python in PYTHONS:
        _run("pip", "download", "-q", "-d", directory, *_for(python), *words)
    print(f"{directory}: {len(list(directory.glob('*.whl')))} wheels")


def write_zipapp(wheel: Path, output: Path, work: Path) -> None:
    """Write one file with the libraries of every Python in it."""
    oldest, *others = PYTHONS
    site = work / "site"
    install = ("pip", "install", "-q", "--no-compile", "--target")
    _run(*install, site, *_for(oldest), f"{wheel}[{EXTRAS}]", *_for_some(wheel))
    # What is pure Python serves all; of the rest each Python gets the same release.
    compiled = [
        f"{one.name}=={one.version}"
        for one in distributions(path=[str(site)])
        if "-none-any" not in (one.read_text("WHEEL") or "")
    ]
    for python in others:
        _run(*install, work / python, *_for(python), "--no-deps", *compiled)
        _merge(work / python, site)
    shutil.rmtree(site / "bin")
    output.parent.mkdir(parents=True, exist_ok=True)
    made = work / "made.pyz"
    _run("shiv", "-c", "ngtpatch", "--reproducible", "--site-packages", site, "-o", made)
    front = (Path(__file__).parent / "zipapp_front.py").read_text()
    front = front.replace("NEWEST = (3, 0)", f"NEWEST = ({PYTHONS[-1].replace('.', ', ')})")
    front = front.replace('MACHINE = ""', f'MACHINE = "{MACHINE}"')
    _replace_front(made, output, front)
    print(f"{output}: {output.stat().st_size:,} bytes, for Python {PYTHONS[0]} to {PYTHONS[-1]}")


def _for_some(wheel: Path) -> list[str]:
    """Return what only some Pythons need: pip asks the one that runs it, not --python-version."""
    (found,) = distributions(path=[str(wheel)])
    needed = [Requirement(line) for line in found.requires or []]
    return [
        f"{one.name}{one.specifier}"
        for one in needed
        if one.marker and "python_version" in str(one.marker)
    ]


def _for(python: str) -> list[str]:
    words = ["--python-version", python, "--only-binary=:all:"]
    return [*words, *(word for name in PLATFORMS for word in ("--platform", name))]


def _merge(alone: Path, site: Path) -> None:
    """Add one Python's libraries; a file that two of them have must be the same in both.

    Of the stable ABI's files (PEP 384) the oldest Python's is kept: newer ones read it.
    """
    for path in sorted(alone.rglob("*")):
        name = path.relative_to(alone)
        if path.is_dir() or name.parts[0] == "bin":  # scripts are not run from here
            continue
        there = site / name
        if there.exists():
            # What is said about a wheel may differ from its sibling's; it is not run.
            kept = name.name.endswith(".abi3.so") or name.parts[0].endswith(".dist-info")
            if kept or there.read_bytes() == path.read_bytes():
                continue
            sys.exit(f"{name} differs between two Pythons: one file cannot serve both")
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)


def _replace_front(made: Path, output: Path, front: str) -> None:
    """Write shiv's file again, with *front* as what Python runs first."""
    with zipfile.ZipFile(made) as old, output.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            for info in sorted(old.infolist(), key=lambda info: info.filename):
                if not info.is_dir():
                    data = front.encode() if info.filename == "__main__.py" else old.read(info)
                    entry = zipfile.ZipInfo(info.filename, EPOCH)
                    entry.external_attr = info.external_attr
                    new.writestr(entry, data, zipfile.ZIP_DEFLATED)
    output.chmod(0o755)


def _run(*words: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        # What pip's configuration says about places it did not find is of no use here.
        said = [line for line in done.stderr.splitlines() if not re.match("WARNING|DEPREC", line)]
        sys.exit("\n".join(said) or done.stdout)


if __name__ == "__main__":
    main()
