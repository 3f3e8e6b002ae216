# SPDX-License-Identifier: Apache-2.0
"""guest-install.sh as root in a guest of its own, against installers that misbehave.

The installers are stand-ins of a few lines that behave as NGT's are known to; the sample's own,
which imitates whole eras, is in test_guest_scripts.py. No loop device is asked of the machine
that tests: mount is a stand-in that copies a tree.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from ngtpatch.render import render
from tests.render.cell import Cell, Ended, make_cell

NGT = "/usr/local/nutanix"
UNIT = "ngt_guest_agent.service"

STAND_INS = {
    "udevadm": "exit 0",
    "dmidecode": "exit 0",
    "blkid": """
case $1 in
  -L) for disc in /discs/*; do echo "$disc"; exit 0; done ;;
  *) [ "$4" = LABEL=NUTANIX_TOOLS ] && ls -d /discs/* ;;
esac""",
    "lsblk": "exit 0",
    "mount": '[ "$1 $2" = "-o ro" ] && cp -a "/trees/${3##*/}/." "$4" && echo "$4" >/root/mounted',
    "umount": 'find "$1" -mindepth 1 -delete && rm /root/mounted',
    "mountpoint": '[ "$2" = "$(cat /root/mounted 2>/dev/null)" ]',
    "systemctl": """
case $1 in
  is-system-running) cat /root/system-state 2>/dev/null || echo running ;;
  cat) [ -e "/etc/systemd/system/$2" ] ;;
  is-active) [ -e "/etc/systemd/system/$3" ] && [ ! -e /root/inactive ] ;;
esac""",
}

SUCCEEDS = f"""
mkdir -p {NGT}/config /etc/systemd/system
touch /etc/systemd/system/{UNIT} {NGT}/ngt_marker
echo ran >>/root/ran
echo "Using Linux Installer for rocky linux linux distribution."
"""
FAILS_HALF_WAY = f"""
mkdir -p {NGT}/config /etc/systemd/system
touch /etc/systemd/system/{UNIT} {NGT}/ngt_marker
echo ran >>/root/ran
echo "Version 2.0.1 is installed already."
exit 1
"""


@pytest.fixture
def guest(tmp_path: Path) -> Cell:
    cell = make_cell(tmp_path / "guest")
    for name, body in STAND_INS.items():
        cell.stand_in(name, body)
    cell.put("/discs/sr0")
    installer(cell, SUCCEEDS)
    script(cell)
    return cell


def script(cell: Cell, **values: object) -> None:
    values = {"min_free_mb": 1, "service_timeout": 0, **values}
    cell.put("/root/ngt-install", render("guest-install.sh", values), 0o755)


def installer(cell: Cell, body: str, *, tree: str = "/trees/sr0") -> None:
    cell.put(f"{tree}/installer/linux/install_ngt.sh", body)


def install(cell: Cell, *arguments: str, **how: object) -> Ended:
    ended = cell.run("/root/ngt-install", *arguments, **how)  # type: ignore[arg-type]
    # Whatever happened: nothing is mounted, and nothing is left of the work.
    assert not cell.at("/root/mounted").exists()
    assert not list(cell.at("/tmp").glob("tmp.*"))
    assert not list(cell.at("/usr/local").glob(".ngt-install.*"))
    return ended


def runs(cell: Cell) -> int:
    ran = cell.at("/root/ran")
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def test_already_is_said_of_what_has_its_marker_and_its_services(guest: Cell) -> None:
    assert install(guest).code == 0
    again = install(guest)
    assert (again.code, runs(guest)) == (0, 1)
    assert "nothing done" in again.out
    # The installer's own marker will do; without any it cannot be told.
    guest.at(f"{NGT}/.ngt-install").unlink()
    assert install(guest).code == 0
    guest.at(f"{NGT}/ngt_marker").unlink()
    ended = install(guest)
    assert (ended.code, runs(guest)) == (16, 1)
    assert "no ngt_marker" in ended.err
    assert "nothing done" not in ended.out
    assert (install(guest, "--force").code, runs(guest)) == (0, 2)


def test_a_run_after_a_failure_installs_again(guest: Cell) -> None:
    installer(guest, FAILS_HALF_WAY)
    for count in (1, 2):
        ended = install(guest)
        assert (ended.code, runs(guest)) == (14, count)
        assert "uninstall_ngt.py" in ended.err
        assert "already: nothing done" not in ended.out
    installer(guest, SUCCEEDS)
    ended = install(guest)
    assert (ended.code, runs(guest)) == (0, 3)
    assert "the last run did not finish" in ended.out
    assert "nothing done" in install(guest).out


def test_without_systemd_what_was_not_seen_is_said(guest: Cell) -> None:
    guest.put("/root/system-state", "offline\n")
    assert "start with the next boot" in install(guest).out
    installer(guest, f"mkdir -p {NGT}/x; rm /etc/systemd/system/*; echo ran >>/root/ran")
    ended = install(guest, "--force")
    assert (ended.code, runs(guest)) == (0, 2)
    assert "was not seen" in ended.out
    # Nor is it "already" then.
    assert (install(guest).code, runs(guest)) == (0, 3)


def test_a_tree_without_its_service_is_installed_again(guest: Cell) -> None:
    guest.put(f"{NGT}/ngt_marker")
    ended = install(guest)
    assert (ended.code, runs(guest)) == (0, 1)
    assert f"no {UNIT}" in ended.out


def test_a_service_that_stopped_since_is_not_already(guest: Cell) -> None:
    assert install(guest).code == 0
    guest.put("/root/inactive")
    guest.stand_in("getenforce", "echo Enforcing")
    ended = install(guest)
    assert (ended.code, runs(guest)) == (15, 1)
    assert f"journalctl -u {UNIT}" in ended.err
    assert "ausearch" in ended.err


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("exit 0", 14, "there is nothing in /usr/local/nutanix"),
        (f"mkdir -p {NGT}/x; exit 0", 15, f"registered no {UNIT}"),
        (f"{SUCCEEDS}\nexit 3", 14, "exit code 3"),
        ("echo 'Unsupported distribution : '; exit 1", 13, "found no name"),
        ("echo 'Unsupported distribution : rocky \x1b[31mlinux'; exit 1", 13, "rocky ?[31mlinux"),
    ],
)
def test_success_is_what_was_seen(guest: Cell, body: str, code: int, said: str) -> None:
    installer(guest, body)
    ended = install(guest)
    assert ended.code == code
    assert said in ended.err
    assert "done" not in ended.out


def test_a_daemon_that_keeps_the_output_open_holds_nothing_up(guest: Cell) -> None:
    installer(guest, SUCCEEDS + "sleep 20 &\necho $! >/root/daemon\n")
    begun = time.monotonic()
    ended = install(guest, timeout=15)
    pid = int(guest.at("/root/daemon").read_text())
    try:
        os.kill(pid, 0)  # it was let live
    finally:
        os.kill(pid, signal.SIGKILL)
    assert time.monotonic() - begun < 10
    assert ended.code == 0
    assert f"left running: process {pid}" in ended.out
    assert "Using Linux Installer for rocky linux" in ended.out


def test_an_installer_that_asks_gets_no_answer_and_takes_no_script_away(guest: Cell) -> None:
    installer(guest, 'read -r answer || echo "asked in vain"' + SUCCEEDS)
    text = guest.at("/root/ngt-install").read_bytes()
    ended = guest.run("/bin/bash", "-s", input=text + b"\necho never reached\n", timeout=20)
    assert ended.code == 0, ended
    assert "asked in vain" in ended.out


def test_the_installer_s_output_is_shown_as_it_comes_and_whole(guest: Cell) -> None:
    installer(guest, "echo first; sleep 2; for i in $(seq 2000); do echo line $i; done" + SUCCEEDS)
    process = guest.start(["/root/ngt-install"])
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(2)]
    assert process.poll() is None
    rest, _ = process.communicate(timeout=30)
    assert seen[1] == b"first\n"
    assert rest.count(b"line ") == 2000


def disc(cell: Cell, name: str, *, record: bool = False) -> None:
    """A volume as large as it says it is, and perhaps ngtpatch's trailer in its last sector."""
    image = bytearray(40 * 2048)
    image[32848:32852] = (40).to_bytes(4, "little")
    if record:
        image[-2048 : -2048 + 16] = b"NGTPATCH RECORD\0"
    # A drive is often larger than its volume.
    cell.put(f"/discs/{name}", bytes(image) + bytes(4 * 2048))
    installer(cell, SUCCEEDS + f"echo {name} >/root/installed-from\n", tree=f"/trees/{name}")


def test_one_disc_is_wanted_and_several_are_named(guest: Cell) -> None:
    disc(guest, "sr0")
    disc(guest, "sr1", record=True)
    ended = install(guest)
    assert (ended.code, runs(guest)) == (10, 0)
    assert "/discs/sr0, without a build record" in ended.err
    assert "/discs/sr1, with ngtpatch's build record" in ended.err
    assert install(guest, "--disc", "/discs/sr9").code == 10
    ended = install(guest, "--disc")
    assert ended.code == 0
    assert guest.at("/root/installed-from").read_text() == "sr1\n"
    assert "the agent takes its identity from none" in ended.out
    assert install(guest, "--force", "--disc", "sr0", cwd="/discs").code == 0
    assert guest.at("/root/installed-from").read_text() == "sr0\n"
    # Two that were rebuilt: asked for one, it does not choose.
    disc(guest, "sr0", record=True)
    assert install(guest, "--force", "--disc").code == 10
    for name in ("sr0", "sr1"):
        guest.at(f"/discs/{name}").unlink()
    ended = install(guest, "--force")
    assert (ended.code, "no disc is labelled" in ended.err) == (10, True)


def test_a_disc_that_only_lsblk_knows_counts_and_one_with_two_names_is_one(guest: Cell) -> None:
    guest.stand_in("blkid", "echo /discs/sr0; echo /discs/link")
    guest.link("/discs/link", "sr0")
    assert install(guest, "--check").code == 0
    guest.stand_in("lsblk", 'echo "zero NUTANIX_TOOLS"; echo "null NUTANIX_TOOLS 2"; echo sda')
    ended = install(guest, "--check")
    assert ended.code == 10
    assert "/dev/zero" in ended.err
    assert "/dev/null" not in ended.err


@pytest.mark.parametrize("record", [True, False])
def test_the_hint_never_tells_to_rebuild_what_was_rebuilt(guest: Cell, record: bool) -> None:
    disc(guest, "sr0", record=record)
    refuses = "echo 'Unsupported distribution : rocky linux'; exit 1"
    installer(guest, refuses)
    ended = install(guest)
    assert ended.code == 13
    assert ("rebuil" in ended.err) is not record
    assert ("ngtpatch support" in ended.err) is record
    # What a tree was made by cannot be told.
    ended = install(guest, "--source", "/trees/sr0")
    assert (ended.code, "rebuil" in ended.err) == (13, False)


def test_the_record_is_the_one_that_rebuild_writes(guest: Cell, tmp_path: Path) -> None:
    from ngtpatch import rebuild
    from ngtpatch.sample import write_sample

    write_sample(tmp_path / "vendor.iso", era=2)
    rebuild(tmp_path / "vendor.iso", distros=["rocky"], output=tmp_path / "rocky.iso")
    guest.put("/discs/sr0", (tmp_path / "vendor.iso").read_bytes() + bytes(300 * 2048))
    guest.put("/discs/sr1", (tmp_path / "rocky.iso").read_bytes() + bytes(300 * 2048))
    ended = install(guest)
    assert "/discs/sr0, without a build record" in ended.err
    assert "/discs/sr1, with ngtpatch's build record" in ended.err


def test_a_disc_that_is_mounted_already_is_used_and_left_so(guest: Cell) -> None:
    guest.stand_in("mount", "echo 'mount: /dev/sr0 is already mounted or busy.' >&2; exit 32")
    ended = install(guest)
    assert ended.code == 10
    assert "already mounted or busy" in ended.err
    # With a real mount, at a place with blanks, of a device that is there: a tmpfs will do.
    installer(guest, SUCCEEDS, tree="/trees/tmpfs")
    guest.at("/media/a disc").mkdir(parents=True)
    guest.stand_in("blkid", "echo /dev/zero")
    enter = (
        "/bin/mount -t tmpfs /dev/zero '/media/a disc' && cp -a /trees/sr0/. '/media/a disc' &&"
        " /root/ngt-install; echo $?; /bin/mountpoint -q '/media/a disc' && echo still mounted"
    )
    ended = guest.run("/bin/bash", "-c", enter)
    assert ended.out.endswith("0\nstill mounted\n"), ended
    assert "is mounted on /media/a disc already" in ended.out


def test_a_disc_that_stays_busy_keeps_the_exit_code(guest: Cell) -> None:
    guest.stand_in("umount", "echo target is busy >&2; exit 32")
    ended = guest.run("/root/ngt-install")
    assert (ended.code, "target is busy" in ended.err) == (0, True)


@pytest.mark.parametrize("name", ["-rf", "a tree", "$(id)", "tree\nof lines"])
def test_sources_of_any_name(guest: Cell, name: str) -> None:
    installer(guest, SUCCEEDS, tree=f"/root/{name}")
    assert install(guest, "--source", name).code == 0
    assert runs(guest) == 1


def test_usage(guest: Cell) -> None:
    for arguments in (["--nonsense"], ["--source"], ["--python"], ["--source", "x", "--disc"]):
        assert install(guest, *arguments).code == 2
    assert runs(guest) == 0


def test_not_root_is_11_whatever_else_is_wrong(guest: Cell) -> None:
    guest.at("/root").chmod(0o755)
    for arguments in ((), ("--source", "/nowhere"), ("--check",)):
        ended = guest.run(
            "/usr/bin/setpriv", "--reuid=1000", "--clear-groups", "/root/ngt-install", *arguments
        )
        assert (ended.code, "not root" in ended.err) == (11, True)
    assert install(guest, environment={"TMPDIR": "/nowhere"}).code == 11


def test_what_is_no_disc_of_ngt_s_is_12(guest: Cell) -> None:
    for source in ("/nowhere", "/etc"):
        assert install(guest, "--source", source).code == 12
    guest.put("/trees/py/installer/linux/install_ngt.py", "import sys\n")
    ended = install(guest, "--source", "/trees/py", "--python", "./not there")
    assert ended.code == 12
    assert "/root/./not there is not there" in ended.err


def test_a_port_is_asked_directly_and_the_message_says_so(guest: Cell) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        script(guest, check_host="127.0.0.1", check_port=unused.getsockname()[1])
        ended = install(guest, environment={"https_proxy": "http://proxy.example.com:3128"})
        assert ended.code == 11
        assert "not through the proxy" in ended.err
        assert "not through the proxy" not in install(guest).err


def test_a_prefix_with_blanks(guest: Cell) -> None:
    guest.at("/opt/a prefix").mkdir()
    script(guest, prefix="/opt/a prefix", services=[])
    installer(guest, "mkdir -p '/opt/a prefix/nutanix/x'; echo ran >>/root/ran")
    assert (install(guest).code, install(guest).code, runs(guest)) == (0, 0, 1)


IMPORTED = (
    *("ast", "os", "sys", "re", "io", "json", "abc", "codecs", "encodings", "enum", "setuptools"),
    *("site", "sitecustomize", "usercustomize", "platform", "distro", "subprocess", "contextlib"),
)


def test_nothing_of_the_current_directory_runs(guest: Cell) -> None:
    python = "#!/usr/bin/env python3\nimport os, platform, subprocess\n"
    python += "setuptools = '''\nimport setuptools\n'''\n"
    python += f"subprocess.check_call(['sh', '-c', {SUCCEEDS!r}])\n"
    guest.at("/trees/sr0/installer/linux/install_ngt.sh").unlink()
    guest.put("/trees/sr0/installer/linux/install_ngt.py", python)
    for name in IMPORTED:
        guest.put(f"/root/trap/{name}.py", "open('/tmp/canary', 'w')\n")
    for name in ("python3", "blkid", "sh", "bash", "grep", "df", "tail", "find"):
        guest.put(f"/root/trap/{name}", "#!/bin/sh\n: >/tmp/canary\n", 0o755)
    guest.stand_in("python3", 'exec /usr/bin/python3 "$@"')
    ended = install(
        guest,
        cwd="/root/trap",
        path=":./:/stand-ins:/usr/bin:/bin",
        environment={"PYTHONPATH": ".:/root/trap", "PYTHONSTARTUP": "/root/trap/ast.py"},
    )
    assert not guest.at("/tmp/canary").exists()
    assert ended.code in (0, 11), ended  # 11: this machine's Python has no setuptools
    assert ended.code == 11 or runs(guest) == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_it_cleans_up_and_the_next_run_installs(guest: Cell, name: str) -> None:
    installer(guest, f"mkdir -p {NGT}; sleep 30 & echo $! >/root/at-it; wait")
    process = guest.start(["/root/ngt-install"])
    while not guest.at("/root/at-it").exists() or not guest.at("/root/at-it").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    # What was started replaced itself step by step by the script: it has that pid.
    os.kill(process.pid, getattr(signal, name))
    process.communicate(timeout=15)
    assert process.returncode == 130
    assert not lives(int(guest.at("/root/at-it").read_text()))
    assert not guest.at("/root/mounted").exists()
    assert not list(guest.at("/tmp").glob("tmp.*"))
    installer(guest, SUCCEEDS)
    ended = install(guest)
    assert (ended.code, runs(guest)) == (0, 1)


def lives(pid: int) -> bool:
    """Say whether a process is there and no zombie: not every machine's first process reaps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_was_not_foreseen_is_no_success(guest: Cell) -> None:
    guest.stand_in("sed", "exit 9")
    script(guest, min_free_mb=0)
    ended = install(guest)
    assert (ended.code, "not foreseen" in ended.err) == (14, True)


def test_without_a_program_that_sees_discs_none_is_said_to_be_absent(guest: Cell) -> None:
    for name in ("blkid", "lsblk"):
        guest.stand_in(name, "exit 127")
    ended = install(guest)
    assert (ended.code, "cannot be seen" in ended.err) == (11, True)
    assert "no disc is labelled" not in ended.err
    # Either one will do.
    for seeing, blind in (("blkid", "lsblk"), ("lsblk", "blkid")):
        guest.stand_in(seeing, "exit 0")
        guest.stand_in(blind, "exit 127")
        assert install(guest).code == 10


def test_a_module_that_is_called_like_the_marker_is_no_marker(guest: Cell) -> None:
    guest.put(f"{NGT}/bin/ngt_marker.py")
    guest.put(f"{NGT}/bin/ngt_marker.pyc")
    guest.put(f"/etc/systemd/system/{UNIT}")
    ended = install(guest)
    assert (ended.code, "nothing done" in ended.out) == (16, False)


def test_the_end_of_the_installer_s_log_is_shown_and_not_obeyed(guest: Cell) -> None:
    log = "/tmp/ngt_install_log_20210913232117.txt"
    installer(
        guest,
        f"printf 'first\\n\\033[2Jlast' >{log}\n"
        f"echo 'ERROR: Failed to install Nutanix Guest Tools. Check {log}  for logs.'; exit 1",
    )
    ended = install(guest)
    assert ended.code == 14
    assert "first\n?[2Jlast\n" in ended.err


def test_a_daemon_is_named_once_and_a_python_that_is_not_used_is_named(guest: Cell) -> None:
    installer(guest, SUCCEEDS + "sleep 3 &\necho $! >/root/daemon\n")
    ended = install(guest, "--python", "/usr/bin/python3")
    pid = guest.at("/root/daemon").read_text().strip()
    assert ended.code == 0
    assert f"left running: process {pid}\n" in ended.out
    assert "/usr/bin/python3 is not used" in ended.err
