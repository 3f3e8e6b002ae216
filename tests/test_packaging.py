# SPDX-License-Identifier: Apache-2.0
"""What is shipped is found: from a wheel that was installed, and from an editable install."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
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


def test_the_sdist_holds_sources_and_nothing_else(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}
    assert {"ngtpatch", "patches", "distro_profiles", "tests", "Makefile"} <= tops
    assert not {".venv", ".demo", ".git", "build", "dist"} & tops
