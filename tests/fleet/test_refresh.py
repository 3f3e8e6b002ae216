# SPDX-License-Identifier: Apache-2.0
"""New certificates for images that have old ones."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY
from ngtpatch.iso.read.volume import Volume
from tests.fleet.park import FRESH, Park, key_windows, park
from tests.identity import material as m


def renewed(made: Park, name: str, number: int, kind: str) -> bytes:
    """Give a VM a new key and certificate for its old configuration; return the old key."""
    old = made.material[name]
    files = {**m.files(number, kind=kind, **FRESH), CONFIG: old[CONFIG]}
    made.give(name, files)
    return old[KEY]


@pytest.mark.parametrize("kind", ["p256", "rsa4096"])
@pytest.mark.parametrize("where", ["same", "other"])
def test_a_directory_of_images_is_refreshed_image_by_image(
    tmp_path: Path, kind: str, where: str
) -> None:
    made = park(tmp_path / "park", 3, kind="rsa2048")
    assert made.inject().returncode == 0
    old = {name: renewed(made, name, 100 + n, kind) for n, name in enumerate(made.material)}
    if where == "other":
        made.out.rename(made.root / "old")
        (made.root / "base.iso").unlink()
        (made.root / "old").rename(made.root / "base.iso")
        run = made.inject()
    else:
        (made.root / "base.iso").unlink()
        (made.root / "base.iso").symlink_to(made.out)
        assert made.inject().returncode == 2
        run = made.inject("--force")
    assert run.returncode == 0, run.stderr
    assert "3 written" in run.stdout
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()
    for name, key in old.items():
        image = (made.out / f"{name}.iso").read_bytes()
        assert not [w for w in key_windows(key) if w in image]
    if where == "same":
        assert "3 kept" in made.inject("--force").stdout


def test_a_refreshed_image_is_kept_only_where_it_is_this_users_alone(tmp_path: Path) -> None:
    """It is its own base and its bytes are right: still others may read it, or write to it."""
    made = park(tmp_path / "park", 4)
    assert made.inject().returncode == 0
    (made.root / "base.iso").unlink()
    (made.root / "base.iso").symlink_to(made.out)
    assert "4 kept" in made.inject("--force").stdout
    for how in ("--force", "--resume"):
        (made.out / "vm1.iso").chmod(0o644)
        (tmp_path / f"second{how}").hardlink_to(made.out / "vm2.iso")
        others = os.geteuid() == 0
        if others:
            os.chown(made.out / "vm3.iso", 65534, 65534)
        run = made.inject(how)
        assert f"{2 + others} written, {2 - others} kept" in run.stdout, run.stderr
        assert made.wrong() == []
        for name in made.material:
            status = (made.out / f"{name}.iso").stat()
            assert (status.st_uid, status.st_nlink) == (os.geteuid(), 1)
        assert made.rows()["vm1"]["remade"] == "it was no file of mode 0600"
        assert made.rows()["vm2"]["remade"] == "it had a second name"
    assert "4 kept" in made.inject("--force").stdout


def test_a_certificate_alone_keeps_key_and_configuration(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    assert made.inject().returncode == 0
    (made.out / "vm1.iso").replace(made.root / "base.iso")
    (made.out / "ledger.jsonl").unlink()
    new = m.pem(m.certificate(m.private_key("p256", 1), name="renewed", **FRESH))
    folder = made.root / "certificates/vm1"
    (folder / "client-cert.pem").write_bytes(new)
    (folder / "client-key.pem").unlink()
    (folder / "ngt_config.json").unlink()
    # Whose disc the base is, the row has to say: a base's identity is nobody else's.
    assert made.inject().returncode == 6
    assert made.rows()["vm1"]["code"] == "base-identity"
    uuid = json.loads(made.material["vm1"][CONFIG])["ngt_uuid"]
    (made.root / "vms.csv").write_text(f"name,ngt_uuid\nvm1,{uuid}\n")
    assert made.inject("--resume").returncode == 0
    made.material["vm1"][CERTIFICATE] = new
    assert made.wrong() == []


def test_another_vms_material_does_not_refresh(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    assert made.inject().returncode == 0
    (made.root / "base.iso").unlink()
    (made.root / "base.iso").symlink_to(made.out)
    before = (made.out / "vm1.iso").read_bytes()
    other = m.private_key("p256", 77)
    (made.root / "certificates/vm1/client-cert.pem").write_bytes(
        m.pem(m.certificate(other, **FRESH))
    )
    run = made.inject("--force")
    assert run.returncode == 6
    assert made.rows()["vm1"]["code"] == "key-mismatch"
    assert (made.out / "vm1.iso").read_bytes() == before


def test_the_installers_version_survives_a_refresh(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    newer = json.loads(made.material["vm1"][CONFIG]) | {"ngt_version": "9.9", "later": [1.50]}
    made.give("vm1", {**made.material["vm1"], CONFIG: json.dumps(newer).encode()})
    run = made.inject()
    assert "ngt_version stays 2.0.1; the given file says 9.9" in run.stderr
    with Volume.open(made.out / "vm1.iso") as volume:
        values = json.loads(volume.tree[CONFIG])
    assert values == newer | {"ngt_version": "2.0.1"}
    assert list(values) == list(newer)


def test_check_finds_what_is_on_the_made_images(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    assert made.inject().returncode == 0
    run = made.ngtpatch("--json", "identity", "check", made.out)
    assert (run.returncode, json.loads(run.stdout)["findings"]) == (0, [])
    (made.out / "vm2.iso").chmod(0o644)
    (made.out / "clone.iso").write_bytes((made.out / "vm1.iso").read_bytes())
    (made.out / "clone.iso").chmod(0o600)
    (made.out / "broken.iso").write_bytes(b"no image")
    run = made.ngtpatch("--json", "identity", "check", made.out)
    assert run.returncode == 5
    found = {(Path(f["source"]).name, f["code"]) for f in json.loads(run.stdout)["findings"]}
    assert found == {
        ("vm2.iso", "mode"), ("broken.iso", "not-iso"),
        ("vm1.iso", "duplicate-uuid"), ("clone.iso", "duplicate-uuid"),
        ("vm1.iso", "duplicate-certificate"), ("clone.iso", "duplicate-certificate"),
    }  # fmt: skip


def test_a_stripped_image_is_nobodys_and_makes_anybodys(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    assert made.inject().returncode == 0
    key = made.material["vm1"][KEY]
    shared = made.root / "shared.iso"
    run = made.ngtpatch("identity", "strip", made.out / "vm1.iso", "-o", shared)
    assert run.returncode == 0, run.stderr
    with Volume.open(shared) as volume:
        assert json.loads(volume.tree[CONFIG]) == {"ngt_version": "2.0.1"}
        assert not {CERTIFICATE, KEY} & set(volume.tree)
    image = shared.read_bytes()
    assert not [w for w in key_windows(key) if w in image]
    assert json.loads(made.material["vm1"][CONFIG])["ngt_uuid"].encode() not in image
    shared.replace(made.root / "base.iso")
    assert made.inject("--force").returncode == 0
    assert made.wrong() == []


def test_killed_while_it_refreshes_in_place_it_leaves_no_key(tmp_path: Path) -> None:
    """On a file system that has no files without a name, as NFS."""
    made = park(tmp_path / "park", 1, payload=24 << 20)
    assert made.inject().returncode == 0
    renewed(made, "vm1", 100, "p256")
    (made.root / "base.iso").unlink()
    (made.root / "base.iso").symlink_to(made.out)
    run = "import os; del os.O_TMPFILE; from ngtpatch.cli import main; main()"
    line = [sys.executable, "-c", run, *made.arguments("--force")[3:]]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(made.out.glob(".*.tmp")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert list(made.out.glob(".*.tmp"))
    assert subprocess.run(line, capture_output=True, check=False).returncode == 0
    assert made.wrong() == []
    assert made.listing() == made.expected_listing()
