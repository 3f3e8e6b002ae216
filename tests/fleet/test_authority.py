# SPDX-License-Identifier: Apache-2.0
"""The fourth file: a cluster's authority, on each disc that needs it, and the agent takes them.

The agent is a stand-in (see guest_agent.py): it judges by what is known of the real one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import ngtpatch
from ngtpatch.errors import InputError, Refusal
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.opened import open_source
from ngtpatch.sample import write_sample
from tests.fleet.guest_agent import Guest, installed
from tests.fleet.park import FRESH, TODAY, Park
from tests.identity import material as m
from tests.requirements import tool

AUTHORITY = "config/ca-cert.pem"
CONFIG, CERTIFICATE, KEY = (
    f"config/{name}" for name in ("ngt_config.json", "client-cert.pem", "client-key.pem")
)
OLD = TODAY - timedelta(days=10)


@pytest.fixture(autouse=True)
def _programs() -> None:
    tool("xorriso", "xorriso")
    tool("openssl", "openssl")


def issued(number: int, cluster: str = "cluster", **options: Any) -> dict[str, bytes]:
    """One VM's four files, as its cluster issues them."""
    authority, key = m.cluster(cluster, OLD)
    files = m.files(number, issuer=(authority, key), **{**FRESH, **options})
    config = m.config(number, ngt_version="1.2.0")
    return {**files, CONFIG: config, AUTHORITY: m.pem(authority)}


def park(root: Path, count: int = 2, *, base: str = "stripped", era: int = 1) -> Park:
    """VMs of one cluster; the base is a vendor's disc of *era*, stripped or as it came."""
    root.mkdir()
    write_sample(root / "vendor.iso", era=era)
    if base == "stripped":
        wish = IdentityRequest(strip=True)
        ngtpatch.rebuild(root / "vendor.iso", output=root / "base.iso", identity=wish)
    else:
        shutil.copy(root / "vendor.iso", root / "base.iso")
    made = Park(root, {})
    for number in range(1, count + 1):
        made.give(f"vm{number}", issued(number))
    (root / "vms.csv").write_text("\n".join(["name", *made.material]) + "\n")
    return made


def codes(made: Park) -> dict[str, str | None]:
    return {name: row.get("code") for name, row in made.rows().items()}


@pytest.mark.parametrize("config_only", [False, True])
@pytest.mark.parametrize("base", ["stripped", "vendor"])
def test_the_agent_takes_each_disc_that_inject_writes(
    tmp_path: Path, base: str, config_only: bool
) -> None:
    made = park(tmp_path / "park", base=base)
    run = made.inject(*(["--config-only"] if config_only else []))
    assert run.returncode == 0, run.stderr
    for number, name in enumerate(made.material, start=1):
        disc = made.out / f"{name}.iso"
        guest = installed(tmp_path / name, disc)
        assert guest.connects(), guest.log
        assert guest.start(disc), guest.log
        assert guest.ejected
        values = json.loads((guest.config / "ngt_config.json").read_text())
        assert values["ngt_uuid"] == json.loads(m.config(number))["ngt_uuid"]
        with open_source(disc) as source:
            assert source.volume is not None
            assert source.volume.entries("rock_ridge")[KEY].mode == 0o600
            for path, data in made.material[name].items():
                if path != CONFIG:
                    assert source.tree[path] == data


def test_a_clone_gets_its_own_identity_from_a_config_only_disc(tmp_path: Path) -> None:
    made = park(tmp_path / "park")
    assert made.inject("--config-only").returncode == 0
    guest = installed(tmp_path / "guest", made.root / "vendor.iso")
    before = (guest.config / "client-key.pem").read_bytes()
    assert guest.start(made.out / "vm2.iso"), guest.log
    assert (guest.config / "client-key.pem").read_bytes() != before
    assert guest.ejected
    # Two discs with the label: neither is taken.
    assert guest.start(made.out / "vm1.iso", made.root / "vendor.iso")
    assert guest.log == ["2 discs are labelled NUTANIX_TOOLS"]


def _without(made: Park, name: str, change: Any) -> Path:
    """Return vm1's disc after *change* of its files, written by another program."""
    tree = made.root / f"tree-{name}"
    ngtpatch.rebuild(
        made.out / "vm1.iso", output_tree=tree, identity=IdentityRequest(sets={"port": "2074"})
    )
    change(tree)
    disc = made.root / f"{name}.iso"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "NUTANIX_TOOLS", "-o", disc,
         tree],
        check=True, capture_output=True,
    )  # fmt: skip
    return disc


def _drop(key: str) -> Any:
    def change(tree: Path) -> None:
        values = json.loads((tree / CONFIG).read_text())
        del values[key]
        (tree / CONFIG).write_text(json.dumps(values))

    return change


def test_the_stand_in_refuses_what_the_agent_does(tmp_path: Path) -> None:
    """Cases that must fail: a stand-in that takes everything proves nothing."""
    made = park(tmp_path / "park", 1)
    assert made.inject().returncode == 0
    foreign = m.cluster("another cluster", OLD)[0]
    cases = {
        "no-authority": lambda tree: (tree / AUTHORITY).unlink(),
        "no-key": lambda tree: (tree / KEY).unlink(),
        "other-authority": lambda tree: (tree / AUTHORITY).write_bytes(m.pem(foreign)),
        "other-key": lambda tree: (tree / KEY).write_bytes(m.files(9)[KEY]),
        "cr-lines": lambda tree: (tree / CERTIFICATE).write_bytes(
            (tree / CERTIFICATE).read_bytes().replace(b"\n", b"\r")
        ),
        **{f"no-{key}": _drop(key) for key in ("cluster_ip", "ngt_uuid", "port")},
    }
    for name, change in cases.items():
        guest = Guest(tmp_path / name)
        guest.config.mkdir()
        assert not guest.start(_without(made, name, change)), name
    guest = installed(tmp_path / "stays", made.out / "vm1.iso")
    guest.start(_without(made, "no-version", _drop("ngt_version")))
    assert not guest.ejected


def test_a_certificate_of_another_cluster_is_refused(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    foreign = m.pem(m.cluster("another cluster", OLD)[0])
    made.give("vm2", {**made.material["vm2"], AUTHORITY: foreign})
    made.give("vm3", {**made.material["vm3"], AUTHORITY: made.material["vm3"][CERTIFICATE]})
    assert made.inject().returncode == 6
    assert codes(made) == {"vm1": None, "vm2": "chain", "vm3": "chain"}
    assert "ca-cert.pem" in made.rows()["vm2"]["error"]


def test_where_the_vendors_disc_had_one_a_row_without_is_refused(tmp_path: Path) -> None:
    made = park(tmp_path / "park")
    (made.root / "certificates/vm1/ca-cert.pem").unlink()
    assert made.inject().returncode == 6
    assert codes(made) == {"vm1": "missing", "vm2": None}
    error = made.rows()["vm1"]["error"]
    assert "column `ca`" in error
    assert "--ca-cert" in error
    # A config-only disc may go without: the guest keeps its own.
    run = made.inject("--config-only", "--force")
    assert run.returncode == 0, run.stderr
    assert "ca-cert.pem is missing" in run.stderr
    with open_source(made.out / "vm1.iso") as one, open_source(made.out / "vm2.iso") as two:
        assert AUTHORITY not in one.tree
        assert two.tree[AUTHORITY] == made.material["vm2"][AUTHORITY]
    guest = installed(tmp_path / "guest", made.out / "vm2.iso")
    assert guest.start(made.out / "vm1.iso"), guest.log
    assert guest.ejected


@pytest.mark.parametrize("era", [2, 3])
def test_where_the_vendors_disc_had_none_none_is_asked_for(tmp_path: Path, era: int) -> None:
    made = park(tmp_path / "park", 1, era=era)
    (made.root / "certificates/vm1/ca-cert.pem").unlink()
    run = made.inject()
    assert run.returncode == 0, run.stderr
    with open_source(made.out / "vm1.iso") as source:
        assert AUTHORITY not in source.tree
    # Given, it is put on, and checked like any other.
    made.give("vm1", issued(1))
    assert made.inject("--resume").returncode == 0
    with open_source(made.out / "vm1.iso") as source:
        assert source.tree[AUTHORITY] == made.material["vm1"][AUTHORITY]


def test_it_comes_by_column_by_directory_by_option_and_from_a_disc(tmp_path: Path) -> None:
    made = park(tmp_path / "park")
    folder = made.root / "certificates"
    pem = made.material["vm1"][AUTHORITY]
    for name in made.material:
        (folder / name / "ca-cert.pem").unlink()
    (folder / "ca-cert.pem").write_bytes(pem)  # one for all
    assert made.inject().returncode == 0
    (folder / "ca-cert.pem").rename(made.root / "cluster.pem")
    (made.root / "vms.csv").write_text("name,ca\nvm1,cluster.pem\nvm2,cluster.pem\n")
    assert made.inject("--force").returncode == 0
    (made.root / "vms.csv").write_text("name\nvm1\nvm2\n")
    assert made.inject("--force").returncode == 6
    assert made.inject("--force", "--ca-cert", made.root / "cluster.pem").returncode == 0
    (made.out / "vm2.iso").rename(made.root / "a-disc.iso")
    assert made.inject("--force", "--ca-cert", made.root / "a-disc.iso").returncode == 0
    assert made.wrong() == []
    run = made.inject("--force", "--ca-cert", made.root / "base.iso")
    assert run.returncode == 3
    assert "without config/ca-cert.pem" in run.stderr


def test_strip_removes_it_and_may_put_one_on_which_is_no_identity(tmp_path: Path) -> None:
    base, shared, again = (tmp_path / name for name in ("base.iso", "shared.iso", "again.iso"))
    write_sample(base, era=1)
    ngtpatch.rebuild(base, output=shared, identity=IdentityRequest(strip=True))
    with open_source(base) as source:
        vendors = source.tree[AUTHORITY]
    with open_source(shared) as source:
        assert AUTHORITY not in source.tree
    assert vendors[100:200] not in shared.read_bytes()
    ca = m.pem(m.cluster("cluster", OLD)[0])
    (tmp_path / "ca.pem").write_bytes(ca)
    wish = IdentityRequest(strip=True, authority=tmp_path / "ca.pem")
    for source_disc in (base, shared):
        result = ngtpatch.rebuild(source_disc, output=again, identity=wish, force=True)
        assert not result.carries_identity
        found = ngtpatch.inspect(again).identity
        assert not found.present
        assert found.authority is not None
        assert found.authority.subject == "CN=cluster"
    # From that one no row needs its own.
    made = park(tmp_path / "park")
    for name in made.material:
        (made.root / "certificates" / name / "ca-cert.pem").unlink()
    again.replace(made.root / "base.iso")
    assert made.inject().returncode == 0
    assert made.wrong() == []
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    with pytest.raises(InputError):
        ngtpatch.rebuild(base, output=again, force=True,
                         identity=IdentityRequest(strip=True, authority=bad))  # fmt: skip


def test_reserved_room_is_for_all_four(tmp_path: Path) -> None:
    made = park(tmp_path / "park")
    wish = IdentityRequest(strip=True, reserve=8192)
    room = made.root / "base.iso"
    ngtpatch.rebuild(made.root / "vendor.iso", output=room, identity=wish, force=True)
    assert made.inject().returncode == 0
    assert made.wrong() == []
    assert {(made.out / f"{n}.iso").stat().st_size for n in made.material} == {room.stat().st_size}
    # Of a disc that had none there is no empty file: the guest would copy it over its own.
    write_sample(tmp_path / "later.iso", era=2)
    ngtpatch.rebuild(tmp_path / "later.iso", output=tmp_path / "l.iso", identity=wish)
    with open_source(tmp_path / "l.iso") as source:
        assert AUTHORITY not in source.tree


def test_rebuild_takes_four_files_and_refuses_three(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    folder = made.root / "certificates/vm1"
    given: dict[str, Any] = {
        "config": folder / "ngt_config.json", "certificate": folder / "client-cert.pem",
        "key": folder / "client-key.pem",
    }  # fmt: skip
    with pytest.raises(Refusal) as caught:
        ngtpatch.rebuild(made.root / "base.iso", output=tmp_path / "o.iso",
                         identity=IdentityRequest(**given))  # fmt: skip
    assert caught.value.code == "missing"
    assert "--ca-cert" in (caught.value.hint or "")
    run = made.ngtpatch(
        "rebuild", made.root / "base.iso", "--config", given["config"], "--cert",
        given["certificate"], "--key", given["key"], "--ca-cert", folder / "ca-cert.pem",
        "-o", tmp_path / "o.iso",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    guest = installed(tmp_path / "guest", tmp_path / "o.iso")
    assert guest.connects()


def test_check_and_show_speak_of_it(tmp_path: Path) -> None:
    made = park(tmp_path / "park")
    assert made.inject().returncode == 0
    run = made.ngtpatch("--json", "identity", "check", made.out)
    assert (run.returncode, json.loads(run.stdout)["findings"]) == (0, [])
    shown = json.loads(made.ngtpatch("--json", "identity", "show", made.out / "vm1.iso").stdout)
    assert shown["identities"][0]["identity"]["authority"]["subject"] == "CN=cluster"
    foreign = m.pem(m.cluster("another cluster", OLD)[0])
    made.give("vm2", {**made.material["vm2"], AUTHORITY: foreign})
    run = made.ngtpatch(
        "--json", "identity", "check", made.root / "vms.csv", "--certificates",
        made.root / "certificates",
    )  # fmt: skip
    assert run.returncode == 5
    found = {(f["source"], f["code"]) for f in json.loads(run.stdout)["findings"]}
    assert found == {("vm2", "chain")}


def test_a_bases_identity_goes_to_nobody_who_does_not_say_so(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3, base="vendor")
    with open_source(made.root / "base.iso") as source:
        uuid = json.loads(source.tree[CONFIG])["ngt_uuid"]
    for name in ("vm1", "vm2"):
        shutil.rmtree(made.root / "certificates" / name)
    (made.root / "vms.csv").write_text(f"name,ngt_uuid\nvm1,\nvm2,{uuid}\nvm3,\n")
    assert made.inject().returncode == 6
    assert codes(made) == {"vm1": "base-identity", "vm2": None, "vm3": None}
    assert "columns config, cert and key" in made.rows()["vm1"]["error"]
    with open_source(made.out / "vm2.iso") as source:
        assert json.loads(source.tree[CONFIG])["ngt_uuid"] == uuid
    # A certificate and key of its own do not make the base's configuration its own.
    (made.root / "certificates/vm3/ngt_config.json").unlink()
    assert made.inject("--force").returncode == 6
    assert codes(made)["vm3"] == "base-identity"


def test_a_one_time_order_is_not_carried_on(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    order = {"configuration_uuid": "x", "iscsi_configuration": {"reconfigure_targets": "true"}}
    values = {**json.loads(made.material["vm1"][CONFIG]), "modify_guest_vm_configuration": order}
    made.give("vm1", {**made.material["vm1"], CONFIG: json.dumps(values).encode()})
    assert made.inject().returncode == 0
    own = made.out / "vm1.iso"
    # Its own, given with it, is there; on the next disc that is made of this one it is not.
    with open_source(own) as source:
        assert "modify_guest_vm_configuration" in json.loads(source.tree[CONFIG])
    shutil.rmtree(made.root / "certificates/vm1")
    (made.root / "certificates/vm1").mkdir()
    (made.root / "vms.csv").write_text(f"name,ngt_uuid\nvm1,{values['ngt_uuid']}\n")
    own.replace(made.root / "base.iso")
    run = made.inject("--resume")
    assert run.returncode == 0, run.stderr
    assert "one-time order" in run.stderr
    with open_source(made.out / "vm1.iso") as source:
        left = json.loads(source.tree[CONFIG])
    assert left == {k: v for k, v in values.items() if k != "modify_guest_vm_configuration"}
    strip = IdentityRequest(strip=True)
    ngtpatch.rebuild(made.root / "base.iso", output=tmp_path / "s.iso", identity=strip)
    assert b"configuration_uuid" not in (tmp_path / "s.iso").read_bytes()


def test_another_inventory_into_the_same_directory_shares_nothing(tmp_path: Path) -> None:
    made = park(tmp_path / "park")
    assert made.inject().returncode == 0
    (made.root / "certificates/vm1").rename(made.root / "certificates/renamed")
    (made.root / "vms.csv").write_text("name\nrenamed\n")
    run = made.inject("--resume")
    assert run.returncode == 6
    assert made.rows()["renamed"]["code"] in ("duplicate-uuid", "duplicate-certificate")
    assert "vm1" in made.rows()["renamed"]["error"]
    # Once that image is gone, so is the reason.
    (made.out / "vm1.iso").unlink()
    assert made.inject("--resume").returncode == 0


def test_vms_that_are_called_as_an_authoritys_file_is(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 4)
    place = made.root / "certificates"
    names = {"vm1": "ca", "vm2": "web-ca", "vm3": "web", "vm4": "alpaca"}
    for before, name in names.items():
        (place / before).rename(place / name)
        made.material[name] = made.material.pop(before)
    (place / "ca/ca-cert.pem").rename(place / "ca-cert.pem")
    (place / "web/ca-cert.pem").rename(place / "web-ca-cert.pem")
    (place / "alpaca/client-cert.pem").rename(place / "alpaca-cert.pem")
    for name, end in (("ngt_config.json", "json"), ("client-cert.pem", "crt"),
                      ("client-key.pem", "key")):  # fmt: skip
        (place / "web-ca" / name).rename(place / f"web-ca.{end}")
    (made.root / "vms.csv").write_text("name\nca\nweb-ca\nweb\nalpaca\n")
    run = made.inject()
    assert run.returncode == 0, run.stderr
    assert made.wrong() == []
