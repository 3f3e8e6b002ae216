# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch.errors import InputError, NgtpatchError, Refusal
from ngtpatch.iso.edit.image_edit import EditPlan, edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.iso.images import IMAGES, Zoo
from tests.iso.layouts import FACTORY, noise
from tests.requirements import tool

EDITABLE = sorted(name for name, image in IMAGES.items() if not image.slow and image.shape is None)

# From the room of one sector upwards, by arithmetic.
SIZES = {
    "empty": 0,
    "one byte": 1,
    "a sector": 2048,
    "a byte over": 2049,
    "as it was": len(FACTORY),
    "fills its room": -(-len(FACTORY) // 2048) * 2048,
    "outgrows its room by a byte": -(-len(FACTORY) // 2048) * 2048 + 1,
    "megabytes": 3_000_001,
}


def holding(volume: Volume, content: bytes) -> str:
    """Return the path of the file with this content: names differ from tree to tree."""
    return next(
        path
        for path, entry in volume.entries(volume.primary_tree).items()
        if entry.kind == "file" and entry.size == len(content) and volume.tree[path] == content
    )


def listing(volume: Volume, tree: str) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path, entry in volume.entries(tree).items():
        content = b"".join(volume.read_at(*extent) for extent in entry.extents)
        digest = hashlib.sha256(content).hexdigest() if entry.kind == "file" else None
        about = (entry.kind, entry.size, entry.mode, entry.uid, entry.gid, entry.mtime)
        found[path] = (*about, entry.target, digest)
    return found


def reopened(plan: EditPlan) -> Volume:
    """Open a plan's result, pycdlib included, without writing it."""
    return Volume(plan.overlay(), plan.volume.path)


@pytest.mark.parametrize("length", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", EDITABLE)
def test_only_the_replaced_file_differs_in_every_tree(zoo: Zoo, name: str, length: int) -> None:
    content = noise(f"{name} {length}", length)
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        plan = edit(volume, replace={path: content})
        after = reopened(plan)
        assert after.tree[path] == content
        assert after.trees == volume.trees
        for tree in volume.trees:
            old, new = listing(volume, tree), listing(after, tree)
            assert old.keys() == new.keys()
            changed = [p for p in old if old[p] != new[p]]
            if tree == volume.primary_tree:
                assert changed == [path]
            assert len(changed) == 1
            (there,) = changed
            was, now = old[there], new[there]
            assert now[-1] == hashlib.sha256(content).hexdigest()
            assert (was[0], *was[2:-1]) == (now[0], *now[2:-1])


@pytest.mark.parametrize("name", EDITABLE)
def test_bytes_outside_the_regions_are_the_vendors(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        plan = edit(volume, replace={holding(volume, FACTORY): noise("more", 50_000)})
        after = bytearray(plan.overlay().read_at(0, plan.size))
        for region in plan.regions:
            after[region.offset : region.end] = region.original or bytes(len(region.new))
        assert after[: volume.size] == zoo[name].read_bytes()
        assert not any(after[volume.size :])


def _xorriso(image: Path, path: str, out: Path) -> bytes:
    subprocess.run(
        [tool("xorriso", "xorriso"), "-osirrox", "on", "-indev", image, "-extract", path, out],
        check=True,
        capture_output=True,
    )
    return out.read_bytes()


def _seven_zip(image: Path, path: str, out: Path) -> bytes:
    command = [tool("7z", "p7zip-full"), "e", "-so", str(image), path]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _bsdtar(image: Path, path: str, out: Path) -> bytes:
    command = [tool("bsdtar", "libarchive-tools"), "-xOf", str(image), path]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _isoinfo(image: Path, path: str, out: Path) -> bytes:
    command = [tool("isoinfo", "genisoimage"), "-R", "-i", str(image), "-x", f"/{path}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize("read", [_xorriso, _seven_zip, _bsdtar, _isoinfo])
@pytest.mark.parametrize("length", [100, 100_000])
@pytest.mark.parametrize("name", ["genisoimage", "xorriso", "udf-bridge"])
def test_other_programs_read_the_new_content(
    zoo: Zoo, tmp_path: Path, name: str, length: int, read: Callable[[Path, str, Path], bytes]
) -> None:
    content = noise("other programs", length)
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        write_file(edit(volume, replace={path: content}).overlay(), tmp_path / "new.iso")
    assert read(tmp_path / "new.iso", path, tmp_path / "extracted") == content


def test_the_same_edit_gives_the_same_bytes(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = set()
    for zone, epoch in (("UTC", "1"), ("Asia/Tokyo", "1700000000")):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        with Volume.open(zoo["genisoimage"]) as volume:
            plan = edit(volume, replace={holding(volume, FACTORY): noise("same", 9000)})
            digests.add((plan.digest, plan.size))
    assert len(digests) == 1


def test_replacing_with_the_same_content_changes_nothing(zoo: Zoo) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        plan = edit(volume, replace={holding(volume, FACTORY): FACTORY})
        assert plan.regions == ()
        assert plan.changes == ()
        assert plan.size == volume.size


def test_slack_of_a_shortened_file_holds_none_of_the_old_bytes(zoo: Zoo) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        path = holding(volume, FACTORY)
        ((offset, _),) = volume.entries("rock_ridge")[path].extents
        overlay = edit(volume, replace={path: b"short"}).overlay()
        assert overlay.read_at(offset, 2048) == b"short" + bytes(2043)


@pytest.mark.parametrize("name", ["zisofs", "hybrid-gpt"])
def test_images_that_are_not_edited_are_refused_with_a_code(zoo: Zoo, name: str) -> None:
    def attempt() -> None:
        with Volume.open(zoo[name]) as volume:
            edit(volume, replace={holding(volume, FACTORY): b""})

    with pytest.raises(NgtpatchError) as refused:
        attempt()
    assert refused.value.code == name
    assert refused.value.exit_code in (3, 4)


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [("installer/nothing", InputError, "not-found"), ("installer/linux", Refusal, "not-a-file")],
)
def test_what_is_no_file_is_not_replaced(
    zoo: Zoo, path: str, error: type[NgtpatchError], code: str
) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        with pytest.raises(error) as refused:
            edit(volume, replace={path: b""})
        assert refused.value.code == code


def test_boot_images_are_left_alone(zoo: Zoo) -> None:
    with Volume.open(zoo["el-torito"]) as volume:
        with pytest.raises(Refusal) as refused:
            edit(volume, replace={"boot.img": b"other"})
        assert refused.value.code == "boot-image"
