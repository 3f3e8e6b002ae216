# SPDX-License-Identifier: Apache-2.0
"""The samples' installers, run on the guests' own Pythons: what is computed is what happens.

Every profile and version that a fixture exists for, as shipped and as patched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from ngtpatch.installer.hazards import find_hazards
from ngtpatch.installer.recognition import find_sites
from ngtpatch.iso.read.volume import Volume
from ngtpatch.patching.apply import apply
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from ngtpatch.sample import write_sample
from tests.interpreters import interpreter
from tests.sample.guests import DISTROS, Guest, Run

PROFILES = load_profiles()
PATCHES = load_patches()
FACTORY = "installer/linux/src/installer_factory.py"
INSTALLER = "installer/linux/install_ngt.py"
UNINSTALLER = "installer/linux/uninstall_ngt.py"

# Pythons that nobody installs any more, or not yet, and the nearest that has the same removals.
STAND_INS = {"2.4": "2.7", "2.6": "2.7", "3.14": "3.13"}

CASES = [
    (profile.id, version.version, era)
    for profile in PROFILES.values()
    for version in profile.versions.values()
    # Others than Enterprise Linux are opt-in: the era that everything is known of is enough.
    for era in ((1, 2, 3) if profile.family == "el" else (2,))
    if (DISTROS / f"{profile.id}-{version.version}").is_dir()
    # platform and distro read different versions out of "release 7 SP1".
    if (profile.id, era) != ("asianux", 1)
]

Files = dict[str, bytes]
Samples = Callable[[int], Files]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    @cache
    def sample(era: int) -> Files:
        image = write_sample(tmp_path_factory.mktemp("sample") / "ngt.iso", era=era).output
        with Volume.open(image) as volume:
            return dict(volume.tree)

    return sample


def lay_out(files: Files, directory: Path) -> Path:
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return directory


def patched(files: Files, profile: str) -> Files:
    result = apply(files, [PROFILES[profile]], PATCHES)
    return files | {change.path: change.after for change in result.changed}


def python_of(profile: str, version: str) -> str:
    python = PROFILES[profile].versions[version].python
    return STAND_INS.get(python, python)


def guest(profile: str, version: str, root: Path) -> Guest:
    return Guest(
        DISTROS / f"{profile}-{version}" / "etc", interpreter(python_of(profile, version)), root
    )


def stopped(files: Files, profile: str, version: str) -> set[str]:
    """Return the codes of the hazards that should end the installation."""
    known = PROFILES[profile].versions[version]
    return {
        hazard.code
        for hazard in find_hazards(files)
        if hazard.stops
        and hazard.concerns(python=python_of(profile, version), release=known.releases[-1])
    }


def chosen(run: Run) -> tuple[str, bool] | None:
    """Return the name that the installer printed, and whether it accepted it."""
    for line in run.lines:
        if found := re.fullmatch(r"Unsupported distribution : (.*)", line):
            return found.group(1), False
        if found := re.fullmatch(r"Using Linux Installer for (.*) linux distribution\.", line):
            return found.group(1), True
    return None


@pytest.mark.parametrize(
    ("profile", "version", "era"), CASES, ids=[f"{one[0]}-{one[1]}-era{one[2]}" for one in CASES]
)
def test_an_installer_does_what_was_computed(
    samples: Samples, profile: str, version: str, era: int, tmp_path: Path
) -> None:
    shipped = samples(era)
    for name, files in (("shipped", shipped), ("patched", patched(shipped, profile))):
        root = tmp_path / name / "root"
        run = guest(profile, version, root).run(lay_out(files, tmp_path / name) / INSTALLER)
        expected_stop = stopped(files, profile, version)
        decided = chosen(run)
        if decided is None:
            assert expected_stop & {"python-gate", "linux-distribution"}, run.lines
            accepted = False
        else:
            reported, accepted = decided
            (site,) = [site for site in find_sites(files) if site.path == FACTORY]
            assert accepted == (site.decide(reported).branch == "redhat"), run.lines
            assert accepted or name == "shipped", run.lines
        assert (run.code == 0) == (accepted and not expected_stop), (expected_stop, run.lines)


PICK = """
import sys
sys.path.insert(0, {src!r})
import sample_guest
sample_guest.point_platform_at_the_guest()
import installer_factory
installer = installer_factory.get_linux_installer()()
installer.do_validate()
print("validated")
"""


@pytest.mark.parametrize(
    ("profile", "version", "python", "shipped"),
    [
        ("scientific", "7", "2.7", "Unsupported distribution : scientific linux"),
        ("rocky", "8", "3.6", "Unsupported distribution : rocky linux"),
        ("rocky", "9", "3.9", "no attribute 'linux_distribution'"),
        ("almalinux", "10", "3.12", "No module named 'distutils'"),
        ("rocky", "10", "3.13", "No module named 'distutils'"),
    ],
)
def test_behind_its_gate_era_1_works_on_every_python_it_is_patched_for(
    samples: Samples, profile: str, version: str, python: str, shipped: str, tmp_path: Path
) -> None:
    """The gate stays; what the patches promise of factory and installer is tried behind it."""
    etc = DISTROS / f"{profile}-{version}" / "etc"
    files = samples(1)
    if python in ("3.12", "3.13"):
        # The first thing that is missing hides the second.
        only = [patch for patch in PATCHES if patch.id != "distutils"]
        result = apply(files, [PROFILES[profile]], only)
        files = files | {change.path: change.after for change in result.changed}
    ends = []
    for name, content in (("shipped", files), ("patched", patched(files, profile))):
        disc = lay_out(content, tmp_path / name)
        program = disc / "pick.py"
        program.write_text(PICK.format(src=str(disc / "installer/linux/src")))
        run = Guest(etc, interpreter(python), tmp_path / "root").run(program)
        ends.append((run.code, run.lines))
    assert ends[0][0] == 1
    assert shipped in "\n".join(ends[0][1])
    assert ends[1][0] == 0, ends[1]
    assert ends[1][1][-1] == "validated"


@pytest.mark.parametrize("era", [1, 2])
@pytest.mark.parametrize(
    ("profile", "version"),
    [("scientific", "7"), ("rocky", "8"), ("rocky", "9"), ("rocky", "10")],
    ids=["2.7", "3.6", "3.9", "3.12"],
)
def test_the_uninstaller_takes_the_service_away(
    samples: Samples, era: int, profile: str, version: str, tmp_path: Path
) -> None:
    left = []
    for name, files in (("shipped", samples(era)), ("patched", patched(samples(era), profile))):
        root = tmp_path / name / "root"
        services = [root / "etc/init.d/ngt_guest_agent"]
        services += [root / "etc/systemd/system/ngt_guest_agent.service"]
        for service in services:
            service.parent.mkdir(parents=True)
            service.touch()
        disc = lay_out(files, tmp_path / name)
        run = guest(profile, version, root).run(disc / UNINSTALLER)
        assert run.code == 0
        left.append(sum(service.exists() for service in services))
    assert left == [2, 1]
