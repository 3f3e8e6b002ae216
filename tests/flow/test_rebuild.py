# SPDX-License-Identifier: Apache-2.0
"""From an ISO whose installer refuses to one whose installer accepts, end to end."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ngtpatch
from ngtpatch.errors import InputError, NgtpatchError, VerificationError
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.sample import write_sample
from tests.flow.conftest import DISTROS, Pairs, run
from tests.interpreters import interpreter
from tests.iso.readers import readers_of
from tests.sample.guests import DISTROS as GUESTS
from tests.sample.guests import Guest, Run, unpack

FACTORY = "installer/linux/src/installer_factory.py"
REDHAT = "installer/linux/src/redhat_installer.py"
UNINSTALLER = "installer/linux/uninstall_ngt.py"

# Operands, and what the Pythons of newer releases lack: era 1 asks platform in all three files,
# and both eras compare versions by distutils in one.
AGENT = "installer/linux/src/ngt_guest_agent.tar.gz"
# Four places in the agent, for two names; the archive itself is no edit.
IN_ARCHIVE = {AGENT: 0, f"{AGENT}!./bin/mobility_linux.py": 8}
EDITS = {
    1: {FACTORY: 3, REDHAT: 2, UNINSTALLER: 3, **IN_ARCHIVE},
    2: {FACTORY: 2, REDHAT: 1, UNINSTALLER: 2, **IN_ARCHIVE},
}

# Guest -> the name its installer prints, and whether the vendor's accepts it.
DECISIONS = {
    "rocky-9": ("rocky linux", False),
    "almalinux-9": ("almalinux", False),
    "almalinux-10-kitten": ("almalinux kitten", False),
    "ubuntu-22.04": ("ubuntu", True),
    "opensuse-leap-15.6": ("opensuse leap", True),
    "rhel-9": ("red hat enterprise linux", True),
    "centos-stream-9": ("centos stream", True),
    "oracle-9": ("oracle linux server", True),
    "debian-12": ("debian gnu/linux", False),
    "fedora-41": ("fedora linux", False),
}
WANTED = ("rocky-9", "almalinux-9", "almalinux-10-kitten")


def install(disc: Path, guest: str, root: Path) -> Run:
    here = Guest(GUESTS / guest / "etc", interpreter("3.9"), root)
    return here.run(disc / "installer/linux/install_ngt.py")


@pytest.fixture(scope="module")
def discs(pairs: Pairs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The base and the output, unpacked by xorriso."""
    pair, directory = pairs(2), tmp_path_factory.mktemp("discs")
    return unpack(pair.base, directory / "base"), unpack(pair.output, directory / "out")


@pytest.mark.parametrize("guest", DECISIONS)
def test_the_installer_decides(discs: tuple[Path, Path], guest: str, tmp_path: Path) -> None:
    name, shipped = DECISIONS[guest]
    before, after = (install(disc, guest, tmp_path / disc.name) for disc in discs)
    assert before.code == (0 if shipped else 1)
    assert after.code == (0 if shipped or guest in WANTED else 1)
    accepted = f"Using Linux Installer for {name} linux distribution."
    refused = f"Unsupported distribution : {name}"
    assert (accepted if shipped else refused) in before.lines
    assert (accepted if after.code == 0 else refused) in after.lines
    installed = tmp_path / "out/usr/local/nutanix/ngt"
    assert installed.is_dir() == (after.code == 0)


@pytest.mark.parametrize("era", [1, 2])
def test_every_other_entry_is_the_same_for_every_reader(pairs: Pairs, era: int) -> None:
    pair = pairs(era)
    assert {entry.path: entry.edits for entry in pair.result.changed} == EDITS[era]
    readers = readers_of(("rock_ridge", "joliet", "iso9660"))
    assert {reader.name.split("-")[0] for reader in readers} >= {
        "xorriso",
        "isoinfo",
        "7z",
        "bsdtar",
    }
    for reader in readers:
        before, after = reader.listing(pair.base), reader.listing(pair.output)
        assert before.keys() == after.keys(), reader.name
        differing = {path for path in before if before[path] != after[path]}
        on_disc = [path for path in EDITS[era] if "!" not in path]
        assert len(differing) == len(on_disc), (reader.name, differing)
        for path in differing:
            assert path.upper().split(";")[0].endswith((".PY", ".GZ")), (reader.name, path)
            one, other = before[path], after[path]
            kept = ("kind", "mode", "uid", "gid", "mtime", "target")
            assert all(getattr(one, name) == getattr(other, name) for name in kept), reader.name


def test_the_result_is_what_is_on_disk(pairs: Pairs) -> None:
    pair = pairs(2)
    data = pair.output.read_bytes()
    assert pair.result.sha256 == hashlib.sha256(data).hexdigest()
    assert pair.result.size == len(data)
    assert pair.result.volume_id == "NUTANIX_TOOLS"
    assert pair.result.profiles == DISTROS
    # The vendor's dates are kept, and nothing of ours is stamped with the clock.
    again = pair.output.with_name("again.iso")
    assert ngtpatch.rebuild(pair.base, distros=DISTROS, output=again).sha256 == pair.result.sha256
    again.unlink()


@pytest.mark.parametrize("era", [1, 2])
def test_a_second_run_says_that_nothing_is_needed(pairs: Pairs, era: int, tmp_path: Path) -> None:
    ran = run("rebuild", pairs(era).output, "-d", "rocky", "-d", "almalinux", "-o", tmp_path / "o")
    assert ran.code == 0, ran.err
    assert "nothing needed" in ran.out
    assert (tmp_path / "o").read_bytes() == pairs(era).output.read_bytes()


def test_json_is_one_document_with_the_agreed_keys(pairs: Pairs, tmp_path: Path) -> None:
    output = tmp_path / "o.iso"
    ran = run("rebuild", pairs(2).base, "-d", "rocky", "-o", output, "--json")
    document = ran.document
    assert ran.code == 0
    assert document["schema"] == "ngtpatch.rebuild/1"
    assert document["output"] == str(output)
    assert document["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert document["profiles"] == ["rocky"]
    assert document["method"] == "regions"
    assert document["already"] == []
    assert document["bytes_written"] > 0
    assert {entry["path"] for entry in document["changed"]} == set(EDITS[2])
    for entry in document["changed"]:
        assert entry["edits"] == {FACTORY: 1, REDHAT: 1, UNINSTALLER: 1, AGENT: 0}.get(
            entry["path"], 4
        )
        assert len(entry["sha256_before"]) == len(entry["sha256_after"]) == 64


def test_a_dry_run_prints_the_plan_and_writes_nothing(pairs: Pairs, tmp_path: Path) -> None:
    ran = run("rebuild", pairs(2).base, "-d", "rocky", "-o", "o.iso", "-n", cwd=tmp_path)
    assert ran.code == 0
    assert '+      "rocky linux" in distribution or' in ran.out
    assert list(tmp_path.iterdir()) == []


def test_a_stream_has_the_bytes_of_the_file(pairs: Pairs, tmp_path: Path) -> None:
    target = tmp_path / "streamed.iso"
    with target.open("wb") as stream:
        ngtpatch.rebuild(pairs(2).base, distros=DISTROS, output=stream)
    assert target.read_bytes() == pairs(2).output.read_bytes()


def test_in_place_gives_the_same_bytes_and_can_be_undone(pairs: Pairs, tmp_path: Path) -> None:
    pair, image = pairs(2), tmp_path / "image.iso"
    image.write_bytes(pair.base.read_bytes())
    ran = run("--json", "rebuild", image, "-d", "rocky", "-d", "almalinux", "--in-place")
    assert ran.code == 0, ran.err
    assert ran.document["output"] == str(image)
    assert ran.document["sha256"] == pair.result.sha256
    assert image.read_bytes() == pair.output.read_bytes()
    assert ngtpatch.reset(image, tmp_path / "again.iso").verified


def test_a_tree_to_install_from_without_an_image(pairs: Pairs, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    ran = run("--json", "rebuild", pairs(2).base, "-d", "rocky", "--output-tree", tree)
    assert ran.code == 0, ran.err
    assert ran.document["output"] == str(tree)
    assert install(tree, "rocky-9", tmp_path / "guest").code == 0
    assert (tree / "installer/linux/install_ngt.py").stat().st_mode & 0o777 == 0o755
    assert (tree / "config/client-key.pem").stat().st_mode & 0o777 == 0o600
    assert ngtpatch.diff(pairs(2).base, tree).changed != ()


def test_a_directory_becomes_an_image(
    pairs: Pairs, discs: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "out.iso"
    ran = run("--json", "rebuild", discs[0], "-d", "rocky", "-d", "almalinux", "-o", output)
    assert ran.code == 0, ran.err
    assert ran.document["method"] == "master"
    assert ran.document["volume_id"] == "NUTANIX_TOOLS"
    assert ngtpatch.verify(output).ok
    assert install(unpack(output, tmp_path / "disc"), "almalinux-9", tmp_path / "guest").code == 0
    # Nothing else differs from the image that was unpacked, whatever way it came.
    assert ngtpatch.diff(discs[1], output).same
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_output_keeps_what_identity_there_is_to_its_owner(pairs: Pairs) -> None:
    pair = pairs(2)
    assert pair.result.carries_identity
    assert pair.output.stat().st_mode & 0o777 == 0o600
    assert any("identity" in notice for notice in pair.result.notices)


def test_in_place_too_and_only_where_something_is_written(pairs: Pairs, tmp_path: Path) -> None:
    image = tmp_path / "image.iso"
    image.write_bytes(pairs(2).base.read_bytes())
    for distros, mode in ((("centos",), 0o664), (("rocky",), 0o600)):
        image.chmod(0o664)
        ngtpatch.rebuild(image, distros=distros, in_place=True)
        assert image.stat().st_mode & 0o777 == mode
    image.chmod(0o664)
    ngtpatch.rebuild(image, identity=IdentityRequest(strip=True), in_place=True)
    assert image.stat().st_mode & 0o777 == 0o664


def test_already_recognised_is_an_answer(tmp_path: Path) -> None:
    base, output = tmp_path / "base.iso", tmp_path / "out.iso"
    write_sample(base, era=3)
    result = ngtpatch.rebuild(base, distros=["rocky"], output=output)
    assert result.changed == ()
    assert {place.branch for place in result.already} == {"redhat"}
    assert output.read_bytes() == base.read_bytes()


@pytest.mark.parametrize("era", [1, 2])
def test_verify_accepts_what_rebuild_wrote_and_nothing_else(
    pairs: Pairs, era: int, tmp_path: Path
) -> None:
    pair = pairs(era)
    found = run("verify", pair.output, "--base", pair.base, "--json")
    assert found.code == 0, found.out
    assert found.document["ok"] is True
    tampered = tmp_path / "tampered.iso"
    data = bytearray(pair.output.read_bytes())
    at = data.index(b"MZ")
    data[at + 3] ^= 1
    tampered.write_bytes(data)
    ran = run("verify", tampered, "--base", pair.base)
    assert ran.code == 5
    assert f"1 byte in 1 place, the first at byte {at + 3:,}, in setup.exe" in ran.out
    assert ran.out.endswith("NOT verified\n")


@pytest.mark.parametrize(
    ("found", "change"),
    [
        ("wrong-digest", lambda base, output: output.replace(b"MZ", b"mz", 1)),
        ("bytes-behind", lambda base, output: output + bytes(4096) + b"x"),
        ("no-record", lambda base, output: base),
    ],
    ids=["changed", "appended", "vendor's"],
)
def test_without_a_base_every_byte_is_accounted_for(
    pairs: Pairs, tmp_path: Path, found: str, change: Callable[[bytes, bytes], bytes]
) -> None:
    pair, image = pairs(2), tmp_path / "image.iso"
    image.write_bytes(change(pair.base.read_bytes(), pair.output.read_bytes()))
    ran = run("verify", image, "--json")
    assert (ran.code, ran.document["verdict"]) == (5, "not-verified")
    assert ran.document["error"]["code"] == found


def test_verify_asks_the_image_what_it_accepts(pairs: Pairs) -> None:
    pair = pairs(2)
    asked = [run("verify", pair.output, "--base", pair.base, "-d", one) for one in ("rocky", "uos")]
    assert [ran.code for ran in asked] == [0, 5]
    assert asked[0].out.endswith("verified\n")
    assert "not-accepted: " in asked[1].out
    assert "NOT accepted: verified" in asked[1].out


def test_what_did_not_reach_the_disk_as_planned_gets_no_name(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that keeps another letter than it was given."""
    keep = os.pwrite

    def lying(descriptor: int, data: bytes, offset: int) -> int:
        return keep(descriptor, bytes(data).replace(b'"rocky linux"', b'"rocky linus"'), offset)

    monkeypatch.setattr(os, "pwrite", lying)
    with pytest.raises(VerificationError) as wrong:
        ngtpatch.rebuild(pairs(2).base, distros=["rocky"], output=tmp_path / "out.iso")
    assert wrong.value.code == "read-back"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("era", [1, 2])
def test_reset_gives_the_vendor_s_bytes(pairs: Pairs, era: int, tmp_path: Path) -> None:
    pair = pairs(era)
    ran = run("--json", "reset", pair.output, "-o", tmp_path / "again.iso")
    assert ran.code == 0, ran.err
    assert ran.document["verified"] is True
    assert (tmp_path / "again.iso").read_bytes() == pair.base.read_bytes()


def test_rebuilds_compose_and_undo_as_one(pairs: Pairs, tmp_path: Path) -> None:
    pair, second, again = pairs(2), tmp_path / "second.iso", tmp_path / "again.iso"
    result = ngtpatch.rebuild(pair.output, distros=["eurolinux"], output=second)
    assert result.composed_with == DISTROS
    record = ngtpatch.inspect(second).record
    assert record is not None
    assert record["profiles"] == [*DISTROS, "eurolinux"]
    assert ngtpatch.verify(second, base=pair.base).ok
    assert ngtpatch.reset(second, again).verified
    assert again.read_bytes() == pair.base.read_bytes()


def test_reset_refuses_what_it_cannot_undo(pairs: Pairs, tmp_path: Path) -> None:
    pair, target = pairs(2), tmp_path / "again.iso"
    assert run("reset", pair.base, "-o", target).code == 3
    changed = bytearray(pair.output.read_bytes())
    changed[changed.index(b'"rocky linux"') + 1] ^= 1
    (tmp_path / "changed.iso").write_bytes(changed)
    ran = run("--json", "reset", tmp_path / "changed.iso", "-o", target)
    assert (ran.code, ran.document["error"]["code"]) == (5, "changed-since")
    assert not target.exists()


def test_in_place_finds_no_fault_that_its_own_writing_would_be(tmp_path: Path) -> None:
    image = tmp_path / "NGT.iso"
    write_sample(image)
    done = ngtpatch.rebuild(
        image, distros=["rocky"], in_place=True, identity=IdentityRequest(strip=True)
    )
    assert not [notice for notice in done.notices if "fault" in notice]


def test_reset_takes_the_directory_that_was_rebuilt_as_a_base(tmp_path: Path) -> None:
    image, tree, made = tmp_path / "NGT.iso", tmp_path / "tree", tmp_path / "made.iso"
    write_sample(image)
    ngtpatch.rebuild(image, distros=["rocky"], output_tree=tree)
    ngtpatch.rebuild(tree, distros=["almalinux"], output=made, identity=IdentityRequest(strip=True))
    assert ngtpatch.reset(made, tmp_path / "back.iso", base=tree).verified
    # It is the image that a rebuild makes of the directory.
    assert ngtpatch.verify(tmp_path / "back.iso", base=tree).verdict == "identical"


def test_reset_refuses_another_base_where_the_record_names_no_digest(tmp_path: Path) -> None:
    image, other = tmp_path / "NGT.iso", tmp_path / "other.iso"
    made, back = tmp_path / "made.iso", tmp_path / "back.iso"
    write_sample(image)
    data = bytearray(image.read_bytes())
    data[100] ^= 1
    other.write_bytes(data)
    strip = IdentityRequest(strip=True)
    ngtpatch.rebuild(image, distros=["rocky"], output=made, identity=strip, digest=False)
    with pytest.raises(InputError) as refused:
        ngtpatch.reset(made, back, base=other)
    assert refused.value.code == "wrong-base"
    assert not back.exists()
    ngtpatch.reset(made, back, base=image)
    assert back.read_bytes() == image.read_bytes()


def test_a_tree_of_a_source_that_was_cut_meanwhile_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "ngt.iso"
    write_sample(source, payload=1 << 20)
    real = shutil.copyfileobj

    def late(*arguments: Any) -> None:
        real(*arguments)
        os.truncate(source, source.stat().st_size // 2)

    monkeypatch.setattr("ngtpatch.iso.write.unpack.shutil.copyfileobj", late)
    with pytest.raises(NgtpatchError) as failed:
        ngtpatch.rebuild(source, identity=IdentityRequest(sets={"port": "2075"}),
                         output_tree=tmp_path / "tree")  # fmt: skip
    assert failed.value.code == "source-changed"
    assert list(tmp_path.iterdir()) == [source]
