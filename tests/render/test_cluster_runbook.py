# SPDX-License-Identifier: Apache-2.0
"""cluster-runbook.sh on a CVM of its own, whose tools keep a state and misbehave as told.

The stand-ins answer as nutanix_guest_tools_cli and ncli are known to: a page of log, then
``result_vec: k...`` on the last line; records of ``label : value``. How a failing tool exits
is not known, so both are tried.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ngtpatch.render import render
from tests.render.cell import Cell, Ended, make_cell

VMS = ["20edafba-0644-4e57-a3cf-4abef2f69a5f", "C8A9E9D2-c47e-4772-9947-4505b4287078"]
FIRST, SECOND = VMS

# /root/behave holds lines of: step, VM, what it does.
TOOL = """
echo "$*" >>/root/log
how=$(sed -n "s/^$1 $2 //p" /root/behave)
echo "2020-12-12 09:00:59,358Z:24911(0x7fa2):ZOO_INFO@log_env@960: kNotFound in the noise"
case $how in
  asks) read -r answer; echo "read: $answer" >>/root/stdin ;;
  slow) sleep 2 ;;
  hangs) sleep 60 ;;
  exits) echo "Connection refused"; exit 3 ;;
  silent) exit 0 ;;
  k*) echo "result_vec: $how"; exit 0 ;;
  both*) echo "result_vec: kNoError result_vec: kNotAuthorized"; exit 0 ;;
esac
if [ "$how" != lies ]; then
  case $1 in
    delete*) rm -f "/root/entity-$2" "/root/disc-$2" ;;
    create*) touch "/root/entity-$2" ;;
    mount*) touch "/root/disc-$2" ;;
  esac
fi
[ "$1" = mount_guest_tools ] || echo "result_vec: kNoError"
"""
NCLI = """
vm=${3#vm-id=}
how=$(sed -n "s/^ncli-$2 $vm //p" /root/behave)
echo "ncli $*" >>/root/log
case $how in
  refuses) echo "Error: not now"; exit 1 ;;
  empty) exit 0 ;;
  other) vm=00000000-0000-4000-8000-000000000000 ;;
esac
show() {
  [ -e "/root/disc-$1" ] && mounted=true || mounted=false
  name=$(printf 'b\\303\\274ro\\033[2J: \\302\\2332J \\342\\200\\256x')
  printf '    %-26s: %s\\n' "VM Id" "0005::$(echo "$1" | tr A-Z a-z)" "VM Name" "$name" \
    "NGT Enabled" true "Tools ISO Mounted" "$mounted" "Communication Link Active" false
}
case $2 in
  list) [ "$how" != "" ] || for entity in /root/entity-*; do show "${entity#/root/entity-}"; done ;;
  get) [ "$how" = other ] && touch "/root/entity-$vm"
    [ -e "/root/entity-$vm" ] && show "$vm" || echo "Error: no Guest Tools for $vm" ;;
  unmount) [ "$how" = lies ] || rm -f "/root/disc-$vm" ;;
esac
"""


@pytest.fixture
def cvm(tmp_path: Path) -> Cell:
    cell = make_cell(tmp_path / "cvm")
    cell.stand_in("nutanix_guest_tools_cli", TOOL)
    cell.stand_in("ncli", NCLI)
    behave(cell)
    for vm in VMS:
        cell.put(f"/root/entity-{vm}")
    script(cell)
    return cell


def behave(cell: Cell, *lines: str) -> None:
    cell.put("/root/behave", "".join(f"{line}\n" for line in lines))


def script(cell: Cell, **values: object) -> str:
    values = {"vms": VMS, "method": "recreate", "wait": 0, "step_timeout": 3, **values}
    text = render("cluster-runbook.sh", values)
    cell.put("/root/runbook.sh", text, 0o755)
    return text


def runbook(cell: Cell, *arguments: str) -> Ended:
    return cell.run("/root/runbook.sh", *arguments)


def steps(cell: Cell) -> list[str]:
    """Return what was changed, in order; what only asks is left out."""
    log = cell.at("/root/log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if not line.startswith(("ncli ngt get", "ncli ngt list"))]


def done(vm: str, method: str) -> list[str]:
    renewal = {"refresh": ["refresh"], "recreate": ["delete", "create"]}[method]
    return [f"{step}_vm_tools_entity {vm}" for step in renewal] + [f"mount_guest_tools {vm}"]


def test_it_does_nothing_until_told(cvm: Cell) -> None:
    ended = runbook(cvm)
    assert ended.code == 0
    assert ended.out.count("delete_vm_tools_entity") == 2
    assert not cvm.at("/root/log").exists()


@pytest.mark.parametrize("method", ["refresh", "recreate"])
def test_it_renews_mounts_and_looks(cvm: Cell, method: str) -> None:
    script(cvm, method=method)
    ended = runbook(cvm, "--yes")
    assert ended.code == 0, ended
    assert steps(cvm) == done(FIRST, method) + done(SECOND, method)
    assert ended.out.count("Tools ISO Mounted         : true") == 2
    assert all(line.isprintable() for line in ended.out.splitlines())
    assert "b\u00fcro?[2J" in ended.out


def test_a_disc_that_was_there_before_is_ejected_first(cvm: Cell) -> None:
    script(cvm, method="refresh")
    cvm.put(f"/root/disc-{FIRST}")
    assert runbook(cvm, "--yes").code == 0
    assert steps(cvm)[0] == f"ncli ngt unmount vm-id={FIRST}"
    # One that stays is no success, though it is mounted at the end.
    behave(cvm, f"ncli-unmount {SECOND} lies")
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert f"failed: {SECOND}\n" in ended.err
    assert f"  ncli ngt unmount vm-id={SECOND}\n" in ended.err
    assert steps(cvm)[-1] == f"ncli ngt unmount vm-id={SECOND}"


@pytest.mark.parametrize(
    ("step", "how", "said"),
    [
        ("refresh_vm_tools_entity", "kNotFound", "result_vec: kNotFound"),
        ("refresh_vm_tools_entity", "both", "kNotAuthorized"),
        ("refresh_vm_tools_entity", "exits", "Connection refused"),
        ("refresh_vm_tools_entity", "silent", "ZOO_INFO"),
        ("refresh_vm_tools_entity", "hangs", "no answer within 3 seconds"),
        ("mount_guest_tools", "kInvalidCdrom", "kInvalidCdrom"),
        ("mount_guest_tools", "exits", "Connection refused"),
        ("mount_guest_tools", "lies", "no disc that was not there before"),
        ("ncli-get", "refuses", "Error: not now"),
        ("ncli-get", "other", "answered about another VM"),
    ],
)
def test_every_failure_is_shown_and_mended_and_the_next_vm_is_done(
    cvm: Cell, step: str, how: str, said: str
) -> None:
    script(cvm, method="refresh")
    behave(cvm, f"{step} {FIRST} {how}")
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert f"failed: {FIRST}\n" in ended.err
    assert said in ended.err
    program = "ncli ngt get vm-id=" if step == "ncli-get" else f"nutanix_guest_tools_cli {step} "
    assert f"  {program}{FIRST}\n" in ended.err
    assert steps(cvm)[-2:] == done(SECOND, "refresh")
    if step == "ncli-get":
        assert steps(cvm) == done(SECOND, "refresh")


@pytest.mark.parametrize("how", ["kNotAuthorized", "exits", "lies"])
def test_a_vm_that_lost_its_entity_is_named_and_the_next_run_repairs_it(
    cvm: Cell, how: str
) -> None:
    behave(cvm, f"create_vm_tools_entity {FIRST} {how}")
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert f"failed: {FIRST}\n" in ended.err
    assert f"  nutanix_guest_tools_cli create_vm_tools_entity {FIRST}\n" in ended.err
    assert f"  nutanix_guest_tools_cli mount_guest_tools {FIRST}\n" in ended.err
    assert f"mount_guest_tools {FIRST}" not in steps(cvm)
    assert steps(cvm)[-3:] == done(SECOND, "recreate")
    behave(cvm)
    cvm.at("/root/log").unlink()
    ended = runbook(cvm, "--yes")
    assert ended.code == 0, ended
    assert steps(cvm)[:2] == done(FIRST, "recreate")[1:]
    assert "a run may have stopped here" in ended.out


def test_a_deletion_that_changed_nothing_is_not_believed(cvm: Cell) -> None:
    behave(
        cvm, f"delete_vm_tools_entity {FIRST} lies", f"delete_vm_tools_entity {SECOND} kNotFound"
    )
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert "ncli still shows the entity" in ended.err
    assert f"failed: {FIRST} {SECOND}\n" in ended.err
    assert not [step for step in steps(cvm) if "create" in step]


def test_a_refresh_without_an_entity_is_no_success(cvm: Cell) -> None:
    script(cvm, method="refresh")
    cvm.at(f"/root/entity-{FIRST}").unlink()
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert f"  nutanix_guest_tools_cli create_vm_tools_entity {FIRST}\n" in ended.err
    # Where the list does not answer either, that there is none is not concluded.
    script(cvm)
    behave(cvm, "ncli-list  refuses")
    cvm.stand_in("ncli", NCLI.replace("vm=${3#vm-id=}", "vm=${3-}; vm=${vm#vm-id=}"))
    ended = runbook(cvm, "--yes")
    assert "ncli does not say how it is now" in ended.err
    assert f"create_vm_tools_entity {FIRST}" not in steps(cvm)


def test_a_slow_cluster_is_waited_for(cvm: Cell) -> None:
    script(cvm, method="refresh", vms=[FIRST], wait=10)
    behave(cvm, f"refresh_vm_tools_entity {FIRST} slow", f"mount_guest_tools {FIRST} later")
    later = (
        '[ "$how" != later ] || { (sleep 3; touch "/root/disc-$2") >/dev/null 2>&1 & exit 0; }\n'
    )
    cvm.stand_in("nutanix_guest_tools_cli", TOOL.replace("case $how", f"{later}case $how", 1))
    ended = runbook(cvm, "--yes")
    assert ended.code == 0, ended


def test_from_a_pipe_no_tool_eats_the_rest(cvm: Cell) -> None:
    behave(cvm, f"delete_vm_tools_entity {FIRST} asks", f"mount_guest_tools {SECOND} asks")
    text = script(cvm)
    ended = cvm.run("/bin/bash", "-s", "--", "--yes", input=text.encode())
    assert ended.code == 0, ended
    assert steps(cvm) == done(FIRST, "recreate") + done(SECOND, "recreate")
    assert cvm.at("/root/stdin").read_text() == "read: \n" * 2


def test_check_only_asks(cvm: Cell) -> None:
    assert runbook(cvm, "--check").code == 0
    behave(cvm, f"ncli-get {FIRST} empty", f"ncli-get {SECOND} other")
    ended = runbook(cvm, "--check")
    assert ended.code == 1
    assert f"failed: {FIRST} {SECOND}\n" in ended.err
    assert steps(cvm) == []


def test_away_from_a_cvm_it_is_11_and_usage_is_2(cvm: Cell) -> None:
    assert runbook(cvm, "--nonsense").code == 2
    cvm.at("/stand-ins/ncli").unlink()
    ended = runbook(cvm, "--yes")
    assert (ended.code, steps(cvm)) == (11, [])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_it_names_what_is_open(cvm: Cell, name: str) -> None:
    behave(cvm, f"create_vm_tools_entity {FIRST} hangs")
    process = cvm.start(["/root/runbook.sh", "--yes"])
    while f"create_vm_tools_entity {FIRST}" not in steps(cvm):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, getattr(signal, name))
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"nutanix_guest_tools_cli create_vm_tools_entity {FIRST}" in err.decode()
    behave(cvm)
    assert runbook(cvm, "--yes").code == 0


# ncli answers nothing but this from the delete on until the entity is created.
DOWN = """
if grep -q delete_vm /root/log && ! grep -q create_vm /root/log; then
  echo "Error: Could not connect to the server"; exit %d
fi
"""


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize("how", ["lies", "kNotAuthorized", "exits"])
def test_an_ncli_that_fails_shows_no_entity_gone(cvm: Cell, how: str, status: int) -> None:
    script(cvm, vms=[FIRST])
    cvm.stand_in("ncli", DOWN % status + NCLI)
    behave(cvm, f"delete_vm_tools_entity {FIRST} {how}")
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert steps(cvm) == [f"delete_vm_tools_entity {FIRST}"]
    assert "lost its NGT entity" not in ended.err
    for step in (f"create_vm_tools_entity {FIRST}", f"mount_guest_tools {FIRST}"):
        assert f"  nutanix_guest_tools_cli {step}\n" in ended.err


@pytest.mark.parametrize("method", ["refresh", "recreate"])
def test_a_list_that_is_an_error_is_not_a_list_without_the_vm(cvm: Cell, method: str) -> None:
    script(cvm, vms=[FIRST], method=method)
    cvm.stand_in("ncli", 'echo "Error: Could not connect to the server"')
    ended = runbook(cvm, "--yes")
    assert (ended.code, steps(cvm)) == (1, [])
    assert "no NGT entity" not in ended.out + ended.err
    assert "nothing was done" in ended.err


def test_a_disc_that_came_while_nobody_looked_is_not_the_step_s(cvm: Cell) -> None:
    script(cvm, vms=[FIRST], method="refresh")
    cvm.stand_in(
        "ncli", f"grep -q refresh /root/log && touch /root/disc-{FIRST} && exit 1\n" + NCLI
    )
    ended = runbook(cvm, "--yes")
    assert ended.code == 1
    assert steps(cvm) == [f"refresh_vm_tools_entity {FIRST}"]
    assert f"  nutanix_guest_tools_cli mount_guest_tools {FIRST}\n" in ended.err


@pytest.mark.parametrize(
    "arguments", [("--yes", "--check"), ("--check", "--yes"), ("--yes", "--no"), ("", "--yes")]
)
def test_arguments_that_contradict_do_nothing(cvm: Cell, arguments: tuple[str, ...]) -> None:
    assert (runbook(cvm, *arguments).code, steps(cvm)) == (2, [])
