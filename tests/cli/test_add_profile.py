# SPDX-License-Identifier: Apache-2.0
"""A contributor's one command, in a copy of the tree: what it writes, the tests accept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ACME = """\
NAME="Acme Enterprise Linux"
ID="acme"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
HOME_URL="https://acme.example/"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy = tmp_path / "tree"
    for name in ("ngtpatch", "distro_profiles", "patches", "docs", "scripts", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree, env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def add(tree: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tree / "os-release").write_text(text)
    return python(tree, "-m", "scripts.add_profile", "os-release")


def assert_accepted(tree: Path) -> None:
    tests = (
        "tests/patching/test_corpus.py",
        "tests/patching/test_known_names.py",
        "tests/cli/test_distributions_page.py::test_the_list_of_profiles_is_the_list_of_profiles",
    )
    ran = python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert ran.returncode == 0, ran.stdout


def test_a_new_distribution_stands_in_all_four_places(tree: Path) -> None:
    added = add(tree, ACME)
    assert added.returncode == 0, added.stderr
    assert [line for line in added.stdout.splitlines() if line.startswith("wrote")] == [
        "wrote  distro_profiles/acme.toml",
        "wrote  tests/distros/acme-9/etc/os-release",
        "wrote  ngtpatch/patching/known_names.csv",
        "wrote  docs/distributions.md",
    ]
    assert "HOME_URL" not in (tree / "tests/distros/acme-9/etc/os-release").read_text()
    assert_accepted(tree)


def test_a_new_release_goes_into_the_profile_that_there_is(tree: Path) -> None:
    rocky = (ROOT / "tests/distros/rocky-10/etc/os-release").read_text()
    newer = rocky.replace('VERSION_ID="10.0"', 'VERSION_ID="10.9"')
    assert newer != rocky
    before = (tree / "distro_profiles/rocky.toml").read_text()
    assert add(tree, newer).returncode == 0
    after = (tree / "distro_profiles/rocky.toml").read_text()
    assert after == before.replace('releases = ["10.0"]', 'releases = ["10.0", "10.9"]')
    assert_accepted(tree)


def test_what_needs_no_profile_changes_nothing(tree: Path) -> None:
    known = (tree / "ngtpatch/patching/known_names.csv").read_bytes()
    added = add(tree, (ROOT / "tests/distros/centos-7/etc/os-release").read_text())
    assert (added.returncode, added.stdout[:13]) == (0, "nothing to do")
    refused = add(tree, (ROOT / "tests/distros/debian-12/etc/os-release").read_text())
    assert refused.returncode == 4
    assert "Traceback" not in refused.stderr
    assert (tree / "ngtpatch/patching/known_names.csv").read_bytes() == known
