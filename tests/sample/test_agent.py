# SPDX-License-Identifier: Apache-2.0
"""The agents of the samples, run by the guests' Pythons: before a rebuild and after."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch import rebuild
from ngtpatch.sample import write_sample
from tests.interpreters import interpreter
from tests.sample.guests import DISTROS, unpack

AGENT = "installer/linux/src/ngt_guest_agent.tar.gz"
# By era: the Pythons that run its agent. Era 1's looks for a Python 2 alone.
PYTHONS = {1: ("2.7",), 2: ("3.6", "3.12"), 3: ("3.9",)}
RUNS = [(era, python) for era, pythons in PYTHONS.items() for python in pythons]
MODULES = "virtio_scsi.ko\nvirtio_pci.ko\nvmw_pvscsi.ko\nmptspi.ko\n"
YES = ("KVM mobility drivers: yes", "ESX mobility drivers: yes")
NO = ("KVM mobility drivers: no", "ESX mobility drivers: no")

Unpacked = Callable[[int, bool], Path]


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    folder = tmp_path_factory.mktemp("agents")

    @functools.cache
    def unpacked(era: int, patched: bool) -> Path:
        base, image = folder / f"base{era}.iso", folder / f"{era}-{patched}.iso"
        if not base.exists():
            write_sample(base, era=era, seed="agents")
        if patched:
            rebuild(base, distros=["rocky", "almalinux"], output=image)
        disc = unpack(image if patched else base, folder / f"disc{era}-{patched}")
        target = folder / f"agent{era}-{patched}"
        target.mkdir()
        subprocess.run(["tar", "-xzf", disc / AGENT, "-C", target], check=True)
        return target

    return unpacked


def report(agent: Path, python: str, distro: str, root: Path) -> tuple[str, ...]:
    for name in ("initramfs-1.img", "initrd.img-1"):
        (root / "boot").mkdir(parents=True, exist_ok=True)
        (root / "boot" / name).write_text(MODULES)
    etc = DISTROS / distro / "etc"
    environment = {
        "PATH": os.environ["PATH"], "UNIXCONFDIR": str(etc), "UNIXUSRLIBDIR": str(etc / "none"),
        "NGT_SAMPLE_ROOT": str(root), "NGT_SAMPLE_KERNEL": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    ran = subprocess.run(
        [interpreter(python), agent / "bin/ngt_guest_agent.py"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(ran.stdout.splitlines())


@pytest.mark.parametrize(("era", "python"), RUNS)
def test_rocky_and_almalinux_report_what_centos_does_after_a_rebuild(
    agents: Unpacked, tmp_path: Path, era: int, python: str
) -> None:
    centos = "centos-7" if era == 1 else "centos-stream-9"
    expected = report(agents(era, False), python, centos, tmp_path)
    assert expected[:2] == YES
    for distro in ("rocky-8", "rocky-9", "almalinux-9"):
        before = report(agents(era, False), python, distro, tmp_path)
        assert before[:2] == (YES if era == 3 else NO)
        assert report(agents(era, True), python, distro, tmp_path) == expected


@pytest.mark.parametrize(("era", "python"), RUNS)
def test_every_other_distribution_reports_as_before(
    agents: Unpacked, tmp_path: Path, era: int, python: str
) -> None:
    for distro in ("centos-7", "rhel-9", "oracle-8", "ubuntu-22.04", "debian-12", "sles-15.6",
                   "fedora-40", "amazon-2", "kylin-V10", "opensuse-leap-15.6"):  # fmt: skip
        before = report(agents(era, False), python, distro, tmp_path)
        assert report(agents(era, True), python, distro, tmp_path) == before


def test_what_centos_does_not_get_rocky_does_not_get_either(
    agents: Unpacked, tmp_path: Path
) -> None:
    for era, python in RUNS:
        after = agents(era, True)
        line = "In-guest iSCSI is reconfigured: "
        assert report(after, python, "rocky-9", tmp_path)[2] == line + "no"
        if era > 1:
            assert report(after, python, "rhel-9", tmp_path)[2] == line + "yes"


def test_the_patched_agent_of_era_1_compiles_on_the_pythons_that_it_may_meet(
    agents: Unpacked,
) -> None:
    check = "import sys; [compile(open(p).read(), p, 'exec') for p in sys.argv[1:]]"
    files = sorted((agents(1, True) / "bin").glob("*.py"))
    assert len(files) == 5
    subprocess.run([interpreter("2.7"), "-c", check, *files], check=True)
    changed = [
        file.name
        for file in files
        if file.read_bytes() != (agents(1, False) / "bin" / file.name).read_bytes()
    ]
    assert changed == ["mobility_linux.py"]
    for file in files:
        assert file.stat().st_mtime == (agents(1, False) / "bin" / file.name).stat().st_mtime
