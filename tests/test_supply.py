# SPDX-License-Identifier: Apache-2.0
"""What ngtpatch itself is made of: the locks, the audit of them, and two builds of one tree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.audit import judged
from scripts.build_twice import ELSEWHERE, copy_elsewhere
from scripts.locks import DEV, LOCKS, RUN

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LOCKED = {DEV: ("dev", "dist", "docs"), RUN: ("provenance",)}


def releases(lock: Path) -> dict[str, set[str]]:
    """What a lock names: each name with its releases, of which a marker picks one."""
    found: dict[str, set[str]] = {}
    for entry in re.findall(r"^[^\s#].*(?:\n    --hash=.*)*", lock.read_text(), re.MULTILINE):
        need = Requirement(entry.partition(" \\")[0])
        (pin,) = need.specifier
        assert pin.operator == "=="
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"{need} has no digest"
        found.setdefault(canonicalize_name(need.name), set()).add(pin.version)
    return found


def needs(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = list(map(Requirement, project["dependencies"]))
    for extra in extras:
        for need in map(Requirement, project["optional-dependencies"][extra]):
            found += needs(*need.extras) if need.name == "ngtpatch" else [need]
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_what_is_needed_and_tells_no_address(lock: Path) -> None:
    locked = releases(lock)
    for need in needs(*LOCKED[lock]):
        versions = locked[canonicalize_name(need.name)]
        assert all(Version(one) in need.specifier for one in versions), need
    text = lock.read_text()
    assert "://" not in text
    assert not re.search("index-url|find-links|extra-index", text)


def test_what_runs_is_what_is_tested() -> None:
    tested = releases(DEV)
    assert {name: found for name, found in releases(RUN).items() if tested[name] != found} == {}


LOOKED: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
SKIPPED: dict[str, Any] = {"name": "b", "skip_reason": "Dependency not found"}
HIT: dict[str, Any] = {
    "name": "c", "version": "2",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "exceptions", "code", "said"),
    [
        ([LOOKED], {}, 0, "1 releases of locks/ were looked up, 0 names were not; 0 advisories"),
        ([], {}, 3, "0 releases of locks/ were looked up"),
        ([SKIPPED], {}, 3, "NOT LOOKED UP, nothing is known of them: b"),
        ([LOOKED, SKIPPED], {}, 3, "NOT LOOKED UP, nothing is known of them: b"),
        ([LOOKED, HIT, SKIPPED], {}, 1, "c 2: PYSEC-1; mended in 3"),
        ([HIT], {"CVE-1": "it is not called"}, 0, "c 2: PYSEC-1; excepted: it is not called"),
        ([LOOKED], {"CVE-1": "it is not called"}, 0, "CVE-1: no advisory by this id was found"),
    ],
)
def test_the_audit_says_what_it_has_looked_at(
    found: list[dict[str, Any]], exceptions: dict[str, str], code: int, said: str
) -> None:
    ended, told = judged(found, exceptions)
    assert ended == code
    assert any(said in line for line in told)


def test_two_builds_of_one_tree_are_equal(tmp_path: Path) -> None:
    """Elsewhere, at another time, by somebody with another umask, time zone and locale."""
    tree, built = tmp_path / "another name", list[dict[str, bytes]]()
    copy_elsewhere(tree)
    for where, environment in ((ROOT, {}), (tree, ELSEWHERE)):
        directory = tmp_path / f"dist{len(built)}"
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-d", directory],
            cwd=where, env={**os.environ, **environment}, capture_output=True, check=True,
        )  # fmt: skip
        built.append({path.name: path.read_bytes() for path in directory.iterdir()})
    assert [name.rpartition(".")[2] for name in sorted(built[0])] == ["whl", "gz"]
    assert built[0] == built[1]
