# SPDX-License-Identifier: Apache-2.0
"""The guest's scripts, run for real on a directory that plays the guest.

Real: bash, the scripts, the sample's disc and its installer, files and permissions. Faked,
as programs on PATH: blkid, mount and umount (no loop device and no isofs is asked of the machine
that tests: the disc is unpacked by bsdtar instead), systemctl and udevadm.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ngtpatch.render import render
from ngtpatch.sample import write_sample
from tests.requirements import tool

DISTROS = Path(__file__).resolve().parent.parent / "distros"
# All that the scripts may need of a guest, so that nothing else is on its PATH.
NEEDED = [
    *(
        "awk",
        "bash",
        "cat",
        "chmod",
        "df",
        "dirname",
        "find",
        "grep",
        "ls",
        "mkdir",
        "mktemp",
        "mv",
    ),
    *("rm", "rmdir", "sed", "sh", "shred", "sleep", "sync", "tail", "tee", "timeout"),
]

FAKES = {
    "blkid": '[ "$1" = -L ] && [ "$2" = "$(cat "$GUEST/label")" ] && echo "$GUEST/disc.iso"',
    "mount": '[ "$1 $2" = "-o ro" ] && bsdtar -xf "$3" -C "$4" && echo "$4" >"$GUEST/mounted"',
    "umount": '[ "$1" = "$(cat "$GUEST/mounted")" ] && find "$1" -mindepth 1 -delete && '
    'rm "$GUEST/mounted"',
    "mountpoint": '[ "$1" = -q ] && [ "$2" = "$(cat "$GUEST/mounted" 2>/dev/null)" ]',
    "udevadm": "exit 0",
    "systemctl": """
echo "$*" >>"$GUEST/systemctl.log"
case $1 in
  is-system-running) cat "$GUEST/system-state" ;;
  cat) [ -f "$NGT_SAMPLE_ROOT/etc/systemd/system/$2" ] ;;
  is-active) grep -qx "$3" "$GUEST/active" ;;
esac""",
}


@dataclass
class Guest:
    """A directory that plays a guest."""

    home: Path
    distro: str = "centos-8"
    parameters: dict[str, object] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.home / "root"

    @property
    def ngt(self) -> Path:
        return self.root / "usr/local/nutanix"

    def program(self, name: str, body: str) -> None:
        path = self.home / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def run(self, template: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        values = {"prefix": str(self.root / "usr/local"), "min_free_mb": 1, **self.parameters}
        if template == "guest-generalize.sh":
            values = {"prefix": values["prefix"]}
        script = self.home / template
        script.write_text(render(template, values))
        return subprocess.run(
            ["bash", script, *arguments],
            env={
                "PATH": str(self.home / "bin"),
                "GUEST": str(self.home),
                "NGT_SAMPLE_ROOT": str(self.root),
                "UNIXCONFDIR": str(DISTROS / self.distro / "etc"),
                "TMPDIR": str(self.home / "tmp"),
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def install(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        result = self.run("guest-install.sh", *arguments)
        # Whatever happened, the disc is unmounted and nothing is left in /tmp.
        assert not (self.home / "mounted").exists()
        assert list((self.home / "tmp").iterdir()) == []
        return result


def guest(home: Path, *, era: int = 2) -> Guest:
    (home / "bin").mkdir(parents=True)
    (home / "tmp").mkdir()
    for name in NEEDED:
        (home / "bin" / name).symlink_to(tool(name, "coreutils"))
    (home / "bin/bsdtar").symlink_to(tool("bsdtar", "libarchive-tools"))
    made = Guest(home)
    for name, body in FAKES.items():
        made.program(name, body)
    made.program("dmidecode", "exit 0")
    made.program("python3", f'exec {sys.executable} "$@"')
    made.root.joinpath("usr/local").mkdir(parents=True)
    (home / "label").write_text("NUTANIX_TOOLS")
    (home / "system-state").write_text("running\n")
    (home / "active").write_text("ngt_guest_agent.service\nngt_self_service_restore.service\n")
    write_sample(home / "disc.iso", era=era)
    return made


@pytest.fixture
def centos(tmp_path: Path) -> Guest:
    if os.geteuid() != 0:
        pytest.skip("the script installs as root only")
    return guest(tmp_path / "guest")


def test_it_installs_from_the_disc_with_the_label(centos: Guest) -> None:
    result = centos.install()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Using Linux Installer for centos linux linux distribution." in result.stdout
    assert "ngt_guest_agent.service is active" in result.stdout
    assert "ngt_self_service_restore.service is active" in result.stdout
    assert result.stdout.endswith("ngt-install: done: installed as for centos linux\n")
    assert (centos.ngt / "ngt/config/ngt_config.json").is_file()


def test_era_3_is_started_by_its_script(tmp_path: Path) -> None:
    rocky = guest(tmp_path / "guest", era=3)
    rocky.distro = "rocky-9"
    result = rocky.install()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "install_ngt.sh --operation=install" in result.stdout


def test_a_second_run_does_nothing_and_says_so(centos: Guest) -> None:
    assert centos.install().returncode == 0
    before = sorted(path.stat().st_mtime_ns for path in centos.ngt.rglob("*"))
    result = centos.install()
    assert result.returncode == 0
    assert "nothing done" in result.stdout
    assert sorted(path.stat().st_mtime_ns for path in centos.ngt.rglob("*")) == before


def test_an_unsupported_distribution_is_exit_13_with_the_next_step(centos: Guest) -> None:
    centos.distro = "rocky-9"
    result = centos.install()
    assert result.returncode == 13
    assert "does not know this distribution: rocky linux" in result.stderr
    assert "ngtpatch rebuild" in result.stderr


def test_a_disc_that_cannot_be_mounted_or_unmounted_keeps_the_exit_code(centos: Guest) -> None:
    centos.program("mount", "exit 32")
    result = centos.install()
    assert result.returncode == 10
    assert "cannot be mounted" in result.stderr
    centos.program("mount", FAKES["mount"])
    centos.program("umount", "echo target is busy >&2; exit 32")
    result = centos.run("guest-install.sh")
    assert result.returncode == 0
    assert "target is busy" in result.stderr


def test_no_disc_is_exit_10(centos: Guest) -> None:
    (centos.home / "label").write_text("OTHER")
    result = centos.install()
    assert result.returncode == 10
    assert "no disc is labelled NUTANIX_TOOLS" in result.stderr


def test_a_mounted_or_unpacked_tree_serves_as_well(centos: Guest, tmp_path: Path) -> None:
    tree = tmp_path / "a tree"
    tree.mkdir()
    subprocess.run(
        [tool("bsdtar", "libarchive-tools"), "-xf", centos.home / "disc.iso", "-C", tree],
        check=True,
    )
    (centos.home / "label").write_text("OTHER")
    assert centos.install("--source", str(tree)).returncode == 0


def test_check_changes_nothing(centos: Guest) -> None:
    result = centos.install("--check")
    assert result.returncode == 0
    assert "ready: python3" in result.stdout
    assert not centos.ngt.exists()


def test_everything_that_is_wrong_with_the_guest_is_said_at_once(centos: Guest) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        centos.parameters = {
            "min_free_mb": 10**9,
            "check_host": "127.0.0.1",
            "check_port": unused.getsockname()[1],
            "prefix": "/proc",
        }
        (centos.home / "bin/dmidecode").unlink()
        result = centos.install()
    assert result.returncode == 11
    for problem in (
        "/proc cannot be written to, or is mounted noexec",
        "1000000000 are wanted",
        "the package dmidecode",
        "does not answer on TCP",
    ):
        assert problem in result.stderr
    assert not centos.ngt.exists()


def test_a_port_that_answers_is_no_problem(centos: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        centos.parameters = {"check_host": "127.0.0.1", "check_port": server.getsockname()[1]}
        assert centos.install("--check").returncode == 0


def test_era_1_wants_setuptools_of_the_python_that_runs_it(tmp_path: Path) -> None:
    old = guest(tmp_path / "guest", era=1)
    bare = 'case "$*" in *"import setuptools"*) exit 1 ;; esac\n'
    old.program("python3", f'{bare}exec {sys.executable} "$@"')
    result = old.install("--check")
    assert result.returncode == 11
    assert "imports setuptools, which python3 lacks" in result.stderr


def test_an_interpreter_that_cannot_read_the_installer_is_passed_over(centos: Guest) -> None:
    centos.program("python3", "exit 1")
    centos.program("python2", f'exec {sys.executable} "$@"')
    assert "ready: python2" in centos.install("--check").stdout


def test_without_any_python_the_disc_s_own_is_set_up(centos: Guest) -> None:
    centos.program("python3", "exit 1")
    assert "setup_python.sh" in centos.install("--check").stdout


def test_without_any_python_nor_a_script_that_brings_one_it_is_exit_12(tmp_path: Path) -> None:
    old = guest(tmp_path / "guest", era=1)
    old.program("python3", "exit 1")
    result = old.install()
    assert result.returncode == 12
    assert "no Python here can run" in result.stderr


def test_a_disc_that_is_not_ngt_s_is_exit_12(centos: Guest, tmp_path: Path) -> None:
    result = centos.install("--source", str(tmp_path))
    assert result.returncode == 12
    assert "is it an NGT disc?" in result.stderr


def test_a_failure_is_exit_14_with_the_end_of_the_installer_s_log(
    centos: Guest, tmp_path: Path
) -> None:
    log = tmp_path / "ngt_install_log_20210913232117.txt"
    log.write_text("".join(f"line {n}\n" for n in range(40)))
    tree = tmp_path / "tree/installer/linux"
    tree.mkdir(parents=True)
    (tree / "install_ngt.sh").write_text(
        f"echo 'ERROR: Failed to install Nutanix Guest Tools. Check {log}  for logs.'\nexit 0\n"
    )
    result = centos.install("--source", str(tmp_path / "tree"))
    assert result.returncode == 14
    assert "line 39" in result.stderr
    assert "line 19" not in result.stderr


def test_a_service_that_does_not_start_is_exit_15(centos: Guest) -> None:
    (centos.home / "active").write_text("")
    centos.parameters = {"service_timeout": 0}
    result = centos.install()
    assert result.returncode == 15
    assert "journalctl -u ngt_guest_agent.service" in result.stderr


def test_without_systemd_nothing_is_waited_for(centos: Guest) -> None:
    (centos.home / "system-state").write_text("offline\n")
    (centos.home / "active").write_text("")
    result = centos.install()
    assert result.returncode == 0
    assert "start with the next boot" in result.stdout


def test_no_services_means_no_waiting(centos: Guest) -> None:
    (centos.home / "active").write_text("")
    centos.parameters = {"services": []}
    assert centos.install().returncode == 0


@pytest.mark.parametrize("argument", ["--nonsense", "--source"])
def test_a_wrong_argument_is_exit_2(centos: Guest, argument: str) -> None:
    assert centos.install(argument).returncode == 2


def windows_of(secret: bytes, length: int = 16) -> set[bytes]:
    return {secret[n : n + length] for n in range(len(secret) - length)}


def test_generalizing_leaves_no_identity_and_keeps_the_agent(centos: Guest) -> None:
    assert centos.install().returncode == 0
    config = centos.ngt / "ngt/config"
    key = (config / "client-key.pem").read_bytes()
    kept = {
        path: path.read_bytes()
        for path in centos.ngt.rglob("*")
        if path.is_file() and path.parent != config
    }
    before = json.loads((config / "ngt_config.json").read_text())
    mode = (config / "ngt_config.json").stat().st_mode
    assert centos.run("guest-generalize.sh", "--check").returncode == 1

    result = centos.run("guest-generalize.sh")
    assert result.returncode == 0, result.stderr
    after = json.loads((config / "ngt_config.json").read_text())
    assert before.pop("ngt_uuid")
    assert list(after.items()) == list(before.items())
    assert (config / "ngt_config.json").stat().st_mode == mode
    assert sorted(path.name for path in config.iterdir()) == ["ngt_config.json"]
    assert {path: path.read_bytes() for path in kept} == kept
    stopped = (centos.home / "systemctl.log").read_text()
    assert "stop ngt_guest_agent.service" in stopped
    # Line breaks aside, a PEM's lines are the secret.
    everything = b"".join(path.read_bytes() for path in centos.root.rglob("*") if path.is_file())
    body = b"".join(key.splitlines()[1:-1])
    assert not any(window in everything for window in windows_of(body))

    again = centos.run("guest-generalize.sh")
    assert (again.returncode, centos.run("guest-generalize.sh", "--check").returncode) == (0, 0)
    assert "no identity" in again.stdout


def test_generalizing_without_ngt_is_nothing_to_do(centos: Guest) -> None:
    assert centos.run("guest-generalize.sh").returncode == 0


def test_a_key_that_cannot_be_erased_stops_the_capture(centos: Guest) -> None:
    assert centos.install().returncode == 0
    centos.program("shred", "exit 1")
    result = centos.run("guest-generalize.sh")
    assert result.returncode == 14
    assert "do not capture this VM" in result.stderr


def test_a_config_that_cannot_be_edited_is_kept_and_stops_the_capture(centos: Guest) -> None:
    assert centos.install().returncode == 0
    config = centos.ngt / "ngt/config/ngt_config.json"
    config.write_text('{"ngt_uuid": "cut off')
    result = centos.run("guest-generalize.sh")
    assert result.returncode == 14
    assert config.read_text() == '{"ngt_uuid": "cut off'
