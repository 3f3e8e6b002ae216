# SPDX-License-Identifier: Apache-2.0
"""What is shipped is found: from a wheel that was installed, and from an editable install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import ngtpatch

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
SHOW = (
    "import ngtpatch; from ngtpatch.files.shipped import data_dir; "
    "from ngtpatch.patching.profile import load_profiles; "
    "from ngtpatch.patching.patch import load_patches; "
    "print(ngtpatch.__file__); print(data_dir('patches')); "
    "print(*load_profiles()); print(*(patch.id for patch in load_patches()))"
)


def build(target: str, directory: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", directory],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    (made,) = directory.iterdir()
    return made


def show(**environment: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd="/",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_an_installed_wheel_finds_its_data(wheel: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", tmp_path, wheel], check=True)
    where, patches, *installed = show(PYTHONPATH=str(tmp_path))
    assert Path(where).is_relative_to(tmp_path)
    assert Path(patches).is_relative_to(tmp_path)
    assert installed == show()[2:]
    assert {"rocky", "almalinux"} <= set(installed[0].split())


def test_an_editable_install_finds_its_data() -> None:
    where, patches, *_ = show()
    assert Path(where) == ROOT / "ngtpatch/__init__.py"
    assert Path(patches) == ROOT / "patches"


def test_the_wheel_carries_what_the_tree_has(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for directory in ("patches", "distro_profiles"):
        files = {path.name for path in (ROOT / directory).glob("*.toml")}
        assert files
        assert files <= {name.rsplit("/", 1)[-1] for name in names if f"data/{directory}/" in name}
    assert any(name.startswith("ngtpatch/sample/sources/era2/") for name in names)
    assert not any(name.endswith(".pyc") or "/tests/" in name for name in names)


EXTRAS = ("dask", "s3", "prism", "metrics", "provenance")


def test_the_oldest_releases_that_are_tested_are_those_that_are_allowed() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = pyproject["optional-dependencies"]
    allowed = {
        need.name: str(need.specifier).removeprefix(">=")
        for need in map(
            Requirement,
            [*pyproject["dependencies"], *(need for name in EXTRAS for need in extras[name])],
        )
    }
    lines = (ROOT / "tests/constraints-min.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert allowed.keys() == tested.keys()
    assert {
        name: text for name, text in allowed.items() if Version(text) > Version(tested[name])
    } == {}
    # A bound without its last part ("13") is the first release of it.
    assert {
        name: (text, tested[name])
        for name, text in allowed.items()
        if not tested[name].startswith(text)
    } == {}


def test_the_version_has_a_dated_place_in_the_changelog() -> None:
    found = re.findall(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", CHANGELOG.read_text(), re.M)
    assert found[0][0] == ngtpatch.__version__
    assert date.fromisoformat(found[0][1]) <= date.today() + timedelta(days=1)


def test_the_sdist_holds_sources_and_nothing_else(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    assert {"ngtpatch", "patches", "distro_profiles", "tests", "Makefile"} <= tops
    assert not {".venv", ".demo", ".git", "build", "dist"} & tops
