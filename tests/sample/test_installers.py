# SPDX-License-Identifier: Apache-2.0
"""The sample's installers, run: they decide, install and fail as the vendor's are known to."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path

import distro
import pytest

from tests.interpreters import interpreter
from tests.sample.conftest import Discs
from tests.sample.guests import DISTROS, Guest

INSTALLER = "installer/linux/install_ngt.py"
SERVICES = {
    "etc/systemd/system/ngt_guest_agent.service",
    "etc/systemd/system/ngt_self_service_restore.service",
}
FAILED = re.compile(
    r"ERROR: Failed to install Nutanix Guest Tools\. "
    r"Check /tmp/ngt_install_log_\d{14}\.txt  for logs\."
)

ACCEPTED = {
    "centos-7": "centos linux",
    "centos-stream-9": "centos stream",
    "opensuse-leap-15.6": "opensuse leap",
    "oracle-9": "oracle linux server",
    "rhel-7": "red hat enterprise linux server",
    "rhel-9": "red hat enterprise linux",
    "ubuntu-22.04": "ubuntu",
}
REFUSED = {
    "almalinux-10-kitten": "almalinux kitten",
    "almalinux-9": "almalinux",
    "debian-12": "debian gnu/linux",
    "eurolinux-7": "eurolinux",
    "fedora-41": "fedora linux",
    "rocky-10": "rocky linux",
    "rocky-9": "rocky linux",
    # The chain says "suse", and SLES calls itself SLES.
    "sles-15.6": "sles",
}
# Python 2.7 reads the release file, which does not call it Linux.
REFUSED_BY_ERA = {1: REFUSED | {"fedora-41": "fedora"}, 2: REFUSED}


def etc(name: str) -> Path:
    return DISTROS / name / "etc"


def guest(name: str, python: str, root: Path | None = None, *, checks: str = "") -> Guest:
    return Guest(etc(name), interpreter(python), root, checks)


@pytest.mark.parametrize("era", [1, 2])
@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_accepts_and_installs(disc: Discs, tmp_path: Path, era: int, name: str) -> None:
    here = guest(name, "2.7" if era == 1 else "3.9", tmp_path / "guest")
    run = here.run(disc(era) / INSTALLER)
    assert run.code == 0, run.lines
    assert run.lines[:2] == (
        f"Platform type is: {platform.machine()}",
        f"Using Linux Installer for {ACCEPTED[name]} linux distribution.",
    )
    top = "usr/local/nutanix" if era == 1 else "usr/local/nutanix/ngt"
    config = json.loads((disc(era) / "config/ngt_config.json").read_bytes())
    installed = tmp_path / "guest" / top / "config"
    assert json.loads((installed / "ngt_config.json").read_bytes()) == config
    for file in ("client-cert.pem", "client-key.pem"):
        assert (installed / file).read_bytes() == (disc(era) / "config" / file).read_bytes()
    assert (installed / "client-key.pem").stat().st_mode & 0o777 == 0o600
    files = here.files()
    assert f"{top}/bin/ngt_guest_agent.py" in files
    assert f"{top}/bin/uninstall_ngt.py" in files
    assert files >= ({"etc/init.d/ngt_guest_agent"} if era == 1 else SERVICES)
    logs = list((tmp_path / "guest/tmp").glob("ngt_install_log_*.txt"))
    assert len(logs) == 1
    assert set(run.lines) <= set(logs[0].read_text().splitlines())


@pytest.mark.parametrize("era", [1, 2])
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refuses_in_the_vendor_s_words(disc: Discs, tmp_path: Path, era: int, name: str) -> None:
    here = guest(name, "2.7" if era == 1 else "3.9", tmp_path / "guest")
    run = here.run(disc(era) / INSTALLER)
    assert run.code == 1
    assert run.lines[:2] == (
        f"Platform type is: {platform.machine()}",
        f"Unsupported distribution : {REFUSED_BY_ERA[era][name]}",
    )
    assert FAILED.fullmatch(run.lines[2])
    assert len(run.lines) == 3
    assert here.files() == set()


@pytest.mark.parametrize("python", ["3.6", "3.9", "3.12", "3.13"])
@pytest.mark.parametrize("name", ["rocky-9", "rocky-10", "almalinux-9", "rhel-10", "ubuntu-24.04"])
def test_era_3_accepts_on_every_python(disc: Discs, tmp_path: Path, name: str, python: str) -> None:
    here = guest(name, python, tmp_path / "guest")
    run = here.run(disc(3) / INSTALLER, "--operation", "install")
    assert run.code == 0, run.lines
    assert here.files() >= SERVICES


def test_era_3_refuses_what_is_not_in_its_chain(disc: Discs, tmp_path: Path) -> None:
    run = guest("scientific-7", "3.9", tmp_path / "guest").run(disc(3) / INSTALLER)
    assert (run.code, run.lines[1]) == (1, "Unsupported distribution : scientific linux")


@pytest.mark.parametrize(("era", "program"), [(2, "setup_python.sh"), (3, "install_ngt.sh")])
def test_the_shell_scripts_run_the_installer(
    disc: Discs, tmp_path: Path, era: int, program: str
) -> None:
    # A PATH of one Python and what a shell script needs.
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").symlink_to(interpreter("3.9"))
    for name in ("dirname", "sh"):
        (tools / name).symlink_to(shutil.which(name) or name)
    here = guest("rhel-9", "3.9", tmp_path / "guest")
    arguments = ("--operation=install",) if era == 3 else ()
    run = here.run(disc(era) / "installer/linux" / program, *arguments, path=str(tools))
    assert run.code == 0, run.lines
    assert here.files() >= SERVICES


@pytest.mark.parametrize("python", ["3.6", "3.9", "3.12"])
def test_era_1_stops_at_its_python_gate(disc: Discs, tmp_path: Path, python: str) -> None:
    run = guest("rhel-9", python, tmp_path / "guest").run(disc(1) / INSTALLER)
    assert run.code == 1
    assert run.lines[0] == "Nutanix Guest Tools can be installed by Python 2.6 or 2.7 only."
    assert FAILED.fullmatch(run.lines[1])


@pytest.mark.parametrize(("python", "works"), [("3.6", True), ("3.12", False), ("3.13", False)])
def test_era_2_needs_distutils(disc: Discs, tmp_path: Path, python: str, works: bool) -> None:
    run = guest("rhel-9", python, tmp_path / "guest").run(disc(2) / INSTALLER)
    assert (run.code == 0) == works, run.lines
    assert works or run.lines[1] == "ModuleNotFoundError: No module named 'distutils'"


def test_nothing_is_installed_where_no_directory_is_named(disc: Discs, tmp_path: Path) -> None:
    for root in (None, Path("/"), tmp_path / ".." / ".." / ".." / ".." / ".." / ".."):
        run = Guest(etc("rhel-9"), sys.executable, root).run(disc(3) / INSTALLER)
        assert run.code == 2
        assert run.lines[1] == (
            "Using Linux Installer for red hat enterprise linux linux distribution."
        )
        assert run.lines[2].startswith("This is a sample")
    assert not Path("/usr/local/nutanix").exists()


@pytest.mark.parametrize(("version", "code"), [("6.4", 0), ("6.3", 1), ("6.10", 0)])
@pytest.mark.parametrize("era", [1, 2])
def test_version_floor(disc: Discs, tmp_path: Path, era: int, version: str, code: int) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/redhat-release").write_text(f"CentOS release {version} (Final)\n")
    python = interpreter("2.7" if era == 1 else "3.6")
    run = Guest(tmp_path / "etc", python, tmp_path / "guest").run(disc(era) / INSTALLER)
    assert run.lines[1] == "Using Linux Installer for centos linux distribution."
    assert run.code == code, run.lines


@pytest.mark.parametrize("era", [1, 2])
def test_tencentos_is_recognised_by_accident(disc: Discs, tmp_path: Path, era: int) -> None:
    """Its name has "centos" in it, and its versions are counted another way."""
    here = guest("tencentos-3.1", "2.7" if era == 1 else "3.9", tmp_path / "guest")
    run = here.run(disc(era) / INSTALLER)
    assert run.lines[1] == "Using Linux Installer for tencentos server linux distribution."
    assert (run.code, run.lines[2]) == (1, "Version 3.1 of this distribution is older than 6.4.")


def installed(disc: Discs, era: int, name: str, root: Path) -> Guest:
    """Return a guest on which a release before the disc's is installed."""
    here = guest(name, "2.7" if era == 1 else "3.9", root)
    assert here.run(disc(era) / INSTALLER).code == 0
    (config,) = root.glob("usr/local/nutanix/**/ngt_config.json")
    config.write_text(json.dumps({"ngt_version": "0.9"}))
    return here


@pytest.mark.parametrize(("era", "kept"), [(1, False), (2, True)])
def test_order_hazard(disc: Discs, tmp_path: Path, era: int, kept: bool) -> None:
    """1.x removes what is installed before it asks whether the guest will do."""
    root = tmp_path / "guest"
    installed(disc, era, "centos-7", root)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/redhat-release").write_text("CentOS release 6.3 (Final)\n")
    python = interpreter("2.7" if era == 1 else "3.9")
    run = Guest(tmp_path / "etc", python, root).run(disc(era) / INSTALLER)
    assert run.code == 1
    assert (root / "usr/local/nutanix").exists() == kept


def test_an_older_release_is_replaced(disc: Discs, tmp_path: Path) -> None:
    here = installed(disc, 1, "centos-7", tmp_path / "guest")
    assert here.run(disc(1) / INSTALLER).code == 0


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("2.0.1", "Version 2.0.1 is installed already."),
        ("2.0.2", "Version 2.0.2 is installed, which is newer than 2.0.1."),
        ("2.0.10", "Version 2.0.10 is installed, which is newer than 2.0.1."),
    ],
)
def test_the_same_and_newer_releases_stay(
    disc: Discs, tmp_path: Path, version: str, line: str
) -> None:
    here = installed(disc, 2, "centos-7", tmp_path / "guest")
    (config,) = (tmp_path / "guest").glob("usr/local/nutanix/**/ngt_config.json")
    config.write_text(json.dumps({"ngt_version": version}))
    run = here.run(disc(2) / INSTALLER)
    assert run.code == 1
    assert line in run.lines


def test_a_configuration_without_a_version_is_refused(disc: Discs, tmp_path: Path) -> None:
    shutil.copytree(disc(2), tmp_path / "disc")
    config = tmp_path / "disc/config/ngt_config.json"
    config.chmod(0o600)
    config.write_text('{"cluster_ip": "192.0.2.10"}')
    run = guest("rhel-9", "3.9", tmp_path / "guest").run(tmp_path / "disc" / INSTALLER)
    assert run.code == 1
    assert "ngt_config.json does not say which version this is." in run.lines


@pytest.mark.parametrize(
    ("check", "line"),
    [("dmidecode", "dmidecode is missing."), ("setuptools", "Python's setuptools are missing.")],
)
def test_demands_on_the_guest_are_made_when_asked_for(
    disc: Discs, tmp_path: Path, check: str, line: str
) -> None:
    here = guest("centos-7", "2.7", tmp_path / "guest", checks=check)
    if check == "setuptools":
        # A module of that name that cannot be imported, beside the installer's own.
        shutil.copytree(disc(1), tmp_path / "disc")
        (tmp_path / "disc/installer/linux/src/setuptools.py").write_text("raise ImportError\n")
        run = here.run(tmp_path / "disc" / INSTALLER)
    else:
        run = here.run(disc(1) / INSTALLER, path=str(tmp_path))
    assert run.code == 1
    assert line in run.lines


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_is_demanded_when_asked_for(disc: Discs, tmp_path: Path) -> None:
    shutil.copytree(disc(2), tmp_path / "disc")
    utils = tmp_path / "disc/installer/linux/src/sample_guest.py"
    utils.write_text(utils.read_text() + "\nos.geteuid = lambda: 1000\n")
    here = guest("rhel-9", "3.9", tmp_path / "guest", checks="root")
    run = here.run(tmp_path / "disc" / INSTALLER)
    assert run.code == 1
    assert "The installer must be run as root." in run.lines


@pytest.mark.parametrize("era", [1, 2])
@pytest.mark.parametrize(
    ("name", "recognised"),
    [("centos-7", True), ("opensuse-leap-15.6", True), ("ubuntu-22.04", True), ("rocky-9", False)],
)
def test_the_uninstaller_removes_the_tree_whatever_it_decides(
    disc: Discs, tmp_path: Path, era: int, name: str, recognised: bool
) -> None:
    root = tmp_path / "guest"
    installed(disc, era, "centos-7", root)
    here = guest(name, "2.7" if era == 1 else "3.9", root)
    (program,) = root.glob("usr/local/nutanix/**/bin/uninstall_ngt.py")
    run = here.run(program)
    assert run.code == 0
    assert run.lines[-1] == "Successfully uninstalled Nutanix Guest Tools."
    skipped = any(line.startswith("Unsupported distribution. Skipping") for line in run.lines)
    assert skipped != recognised
    left = {"etc/init.d/ngt_guest_agent"} if era == 1 else SERVICES
    # What is not recognised stays registered, and points at nothing.
    assert here.files() == (set() if recognised else left)


def test_era_1_s_uninstaller_hides_that_platform_lost_its_function(
    disc: Discs, tmp_path: Path
) -> None:
    root = tmp_path / "guest"
    installed(disc, 1, "centos-7", root)
    run = guest("centos-7", "3.9", root).run(root / "usr/local/nutanix/bin/uninstall_ngt.py")
    assert run.lines == ("Successfully uninstalled Nutanix Guest Tools.",)
    assert guest("centos-7", "3.9", root).files() == {"etc/init.d/ngt_guest_agent"}


def test_era_3_uninstalls_through_its_shell_script(disc: Discs, tmp_path: Path) -> None:
    root = tmp_path / "guest"
    here = guest("rocky-9", "3.9", root)
    assert here.run(disc(3) / INSTALLER).code == 0
    run = here.run(root / "usr/local/nutanix/ngt/bin/uninstall_ngt.sh")
    assert (run.code, here.files()) == (0, set())


@pytest.mark.parametrize(("add", "expected"), [(True, True), (False, False)])
def test_era_1_s_dracut_edit_is_a_silent_no_op_without_its_line(
    disc: Discs, tmp_path: Path, add: bool, expected: bool
) -> None:
    conf = tmp_path / "guest/etc/dracut.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text('add_drivers+=" xfs"\n' if add else "# see dracut.conf.d\n")
    run = guest("centos-7", "2.7", tmp_path / "guest").run(disc(1) / INSTALLER)
    assert run.code == 0
    assert ("virtio_scsi" in conf.read_text()) == expected


def test_the_private_detection_agrees_with_the_distro_package(disc: Discs, tmp_path: Path) -> None:
    program = tmp_path / "ask.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(disc(2) / 'installer/linux/src')!r})\n"
        "import distro; print(*distro.linux_distribution()[:2], sep='|')\n"
    )
    names = sorted(path.name for path in DISTROS.iterdir() if path.is_dir())
    assert names
    for name in names:
        package = distro.LinuxDistribution(
            include_lsb=False, include_uname=False, root_dir=str(DISTROS / name)
        )
        run = Guest(etc(name), sys.executable).run(program)
        assert run.lines == (f"{package.name()}|{package.version()}",), name
