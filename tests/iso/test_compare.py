# SPDX-License-Identifier: Apache-2.0
"""Comparing images and trees: what is reported is what was done, no more and no less."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.iso.compare.comparison import Comparison, Difference, compare
from ngtpatch.iso.compare.textdiff import TEXT_LIMIT, text_diff, unified
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.bytesource import FileSource
from ngtpatch.iso.read.host_directory import HostDirectory
from ngtpatch.iso.read.regions import Overlay, Region
from ngtpatch.iso.read.volume import Volume
from tests.iso.images import VOLUME_ID, Zoo, genisoimage
from tests.iso.layouts import FACTORY, FACTORY_PATH, ngt_tree
from tests.requirements import tool

SETUP = "setup.exe"


@contextmanager
def overlaid(image: Path, *regions: Region) -> Iterator[tuple[Volume, Volume]]:
    """Open an image, and the same with regions over it."""
    with Volume.open(image) as base:
        yield base, Volume(Overlay(FileSource(image), regions), image, second_opinion=False)


def flip(volume: Volume, offset: int, new: bytes) -> Region:
    return Region(offset, volume.read_at(offset, len(new)), new)


@pytest.mark.parametrize("name", ["genisoimage", "udf-bridge", "level1", "joliet-only", "deep"])
def test_an_image_is_the_same_as_itself(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as one, Volume.open(zoo[name]) as other:
        result = compare(one, other)
    assert result.same
    assert result.trees == tuple(
        tree for tree in ("rock_ridge", "joliet", "udf", "iso9660") if tree in one.trees
    )


def test_one_changed_byte_is_seen_in_every_tree_at_its_file_alone(zoo: Zoo) -> None:
    image = zoo["udf-bridge"]
    with Volume.open(image) as volume:
        ((start, length),) = volume.entries("rock_ridge")[SETUP].extents
        for at in (start, start + length // 2, start + length - 1):
            new = bytes([volume.read_at(at, 1)[0] ^ 1])
            with overlaid(image, flip(volume, at, new)) as (before, after):
                result = compare(before, after)
            assert [(d.tree, d.known_as, d.what) for d in result.differences] == [
                ("rock_ridge", SETUP, ("content",)),
                ("joliet", SETUP, ("content",)),
                ("udf", SETUP, ("content",)),
                ("iso9660", SETUP, ("content",)),
            ]
            assert result.beyond({SETUP: {"content"}}) == ()
            assert len(result.beyond({SETUP: {"size"}})) == 4
            assert len(result.beyond({"another": {"content"}})) == 4


def test_bytes_behind_a_file_are_not_its_content(zoo: Zoo) -> None:
    image = zoo["genisoimage"]
    with Volume.open(image) as volume:
        ((start, length),) = volume.entries("rock_ridge")[SETUP].extents
        with overlaid(image, flip(volume, start + length, b"\xff")) as (before, after):
            assert compare(before, after).same


def test_only_the_ranges_that_can_differ_are_read(zoo: Zoo) -> None:
    image = zoo["genisoimage"]
    with Volume.open(image) as volume:
        ((start, _),) = volume.entries("rock_ridge")[SETUP].extents
        ((other, _),) = volume.entries("rock_ridge")[FACTORY_PATH].extents
        regions = [flip(volume, at, b"\x00\x01") for at in (start, other)]
    with overlaid(image, *regions) as (before, after):
        told = compare(before, after, within=[(other, 2)])
        untold = compare(before, after)
    assert [d.path for d in of_kind(told, "changed")] == [FACTORY_PATH]
    assert {d.path for d in of_kind(untold, "changed")} == {FACTORY_PATH, SETUP}


def remastered(tmp_path: Path, *options: str, edit: str = "") -> Path:
    """Master the tree of the zoo's first image once more, after running *edit* in it."""
    source = tmp_path / "tree"
    source.mkdir()
    ngt_tree(source)
    if edit:
        subprocess.run(["sh", "-ec", edit], cwd=source, check=True)
    image = tmp_path / "other.iso"
    genisoimage(*(options or ("-R", "-J")))(source, image)
    return image


def of_kind(found: Comparison, kind: str | None = None) -> list[Difference]:
    """Return the differences of the primary tree, or those of one kind."""
    return [
        one for one in found.differences
        if one.tree == found.primary and kind in (None, one.kind)
    ]  # fmt: skip


def differ(zoo: Zoo, image: Path, name: str = "genisoimage") -> Comparison:
    with Volume.open(zoo[name]) as before, Volume.open(image) as after:
        return compare(before, after)


@pytest.mark.parametrize(
    ("edit", "path", "what"),
    [
        ("chmod 600 setup.exe", SETUP, ("mode",)),
        ("touch -d 2016-03-04T05:06:07Z setup.exe", SETUP, ("mtime",)),
        ("ln -sfn elsewhere installer/linux/install", "installer/linux/install", ("target",)),
        ("truncate -s -1 setup.exe", SETUP, ("content", "size")),
    ],
)
def test_each_aspect_is_told_apart(
    zoo: Zoo, tmp_path: Path, edit: str, path: str, what: tuple[str, ...]
) -> None:
    # Times of what was touched and of its directory follow from the edit: put back but for -d.
    keep = "" if "touch" in edit else f"; touch -h -d @$T {path}"
    folder = str(Path(path).parent)
    script = f"T=$(stat -c %Y {path}); D=$(stat -c %Y {folder}); O=$(stat -c %u:%g {path}); {edit}"
    script += f"; chown -h $O {path}{keep}; touch -d @$D {folder}"
    result = differ(zoo, remastered(tmp_path, edit=script))
    assert [(d.path, d.kind, d.what) for d in of_kind(result)] == [(path, "changed", what)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_changed_owner_is_an_owner(zoo: Zoo, tmp_path: Path) -> None:
    image = remastered(tmp_path, edit="chown 0:0 setup.exe")
    result = differ(zoo, image)
    assert [(d.path, d.what) for d in result.differences] == [(SETUP, ("owner",))]


def test_a_file_that_became_a_directory(zoo: Zoo, tmp_path: Path) -> None:
    result = differ(zoo, remastered(tmp_path, edit="rm setup.exe; mkdir setup.exe"))
    changed = of_kind(result, "changed")
    assert any("kind" in one.what for one in changed)
    assert {one.path for one in changed} == {SETUP}


def test_added_and_removed_entries_and_trees(zoo: Zoo, tmp_path: Path) -> None:
    edit = "T=$(stat -c %Y config); rm config/client-cert.pem; echo new > config/extra.json; "
    image = remastered(tmp_path, "-R", edit=f"{edit} touch -d @$T config")
    result = differ(zoo, image)
    assert [(d.path, d.kind) for d in of_kind(result)] == [
        ("config/client-cert.pem", "removed"),
        ("config/extra.json", "added"),
    ]
    assert result.trees_removed == ("joliet",)
    assert result.trees_added == ()
    assert not result.same
    with Volume.open(zoo["genisoimage"]) as before, Volume.open(image) as after:
        back = compare(after, before)
    assert back.trees_added == ("joliet",)
    assert [(d.path, d.kind) for d in of_kind(back)] == [
        ("config/client-cert.pem", "added"),
        ("config/extra.json", "removed"),
    ]


def test_the_label_is_compared(zoo: Zoo, tmp_path: Path) -> None:
    image = remastered(tmp_path, "-R", "-J", "-V", "OTHER")
    assert differ(zoo, image).volume_ids == (VOLUME_ID, "OTHER")


def test_an_edit_that_reached_one_tree_alone_is_seen(zoo: Zoo) -> None:
    image = zoo["genisoimage"]
    with Volume.open(image) as volume:
        node = volume.records["joliet"].nodes[SETUP]
        at = node.records[0].offset + 10
        size = volume.read_at(at, 8)
        smaller = int.from_bytes(size[:4], "little") - 1
        new = smaller.to_bytes(4, "little") + smaller.to_bytes(4, "big")
        with overlaid(image, Region(at, size, new)) as (before, after):
            result = compare(before, after)
    assert [(d.tree, d.what) for d in result.differences] == [("joliet", ("content", "size"))]
    assert of_kind(result) == []
    assert not result.same


def test_names_of_other_trees_are_found_by_what_they_hold(zoo: Zoo) -> None:
    image = zoo["rock-ridge-only"]
    with Volume.open(image) as volume:
        ((start, _),) = volume.entries("rock_ridge")[FACTORY_PATH].extents
        with overlaid(image, flip(volume, start, b"!")) as (before, after):
            plain = [d for d in compare(before, after).differences if d.tree == "iso9660"]
    assert [d.known_as for d in plain] == [FACTORY_PATH]
    assert plain[0].path != FACTORY_PATH


def test_an_image_and_the_tree_it_was_made_of(zoo: Zoo, tmp_path: Path) -> None:
    program = tool("xorriso", "xorriso")
    out = tmp_path / "out"
    subprocess.run(
        [program, "-osirrox", "on", "-indev", zoo["genisoimage"], "-extract", "/", out],
        capture_output=True,
        check=True,
    )
    with Volume.open(zoo["genisoimage"]) as volume:
        assert compare(volume, HostDirectory(out)).same
        (out / SETUP).chmod(0o600)
        (out / FACTORY_PATH).chmod(0o600)  # who unpacks may do so with another umask
        (out / "config/ngt_config.json").write_text("{}")
        result = compare(volume, HostDirectory(out))
        assert {d.path: d.what for d in result.differences} == {
            SETUP: ("mode",),
            "config/ngt_config.json": ("content", "size"),
        }
        assert result.trees == ("rock_ridge",)
        back = compare(HostDirectory(out), volume)
        assert {d.path: d.what for d in back.differences} == {
            d.path: d.what for d in result.differences
        }


def test_two_directories(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").write_bytes(b"x" * 3_000_000)
        (tmp_path / name / "file").write_bytes(b"x" * 3_000_000 + name.encode())
    (tmp_path / "b/only").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="not a directory"):
        HostDirectory(tmp_path / "a/file")
    one, other = (HostDirectory(tmp_path / name) for name in ("a", "b"))
    result = compare(one, other)
    assert [(d.path, d.kind, d.what) for d in result.differences] == [
        ("file", "changed", ("content",)),
        ("only", "added", ()),
    ]


def test_a_text_file_is_shown_as_a_unified_diff(zoo: Zoo) -> None:
    image = zoo["genisoimage"]
    with Volume.open(image) as volume:
        ((start, _),) = volume.entries("rock_ridge")[FACTORY_PATH].extents
        with overlaid(image, flip(volume, start + 2, b"w")) as (before, after):
            (change,) = of_kind(compare(before, after), "changed")
            shown = text_diff(before, after, change)
    assert shown is not None
    first = FACTORY.decode().splitlines()[0]
    assert shown.startswith(
        f"--- a/{FACTORY_PATH}\n+++ b/{FACTORY_PATH}\n@@ -1,4 +1,4 @@\n-{first}\n"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_diff_applies_with_patch(tmp_path: Path, encoding: str) -> None:
    before = "one\r\ntwo \xe9\x0c\nthree".encode(encoding)
    after = "one\r\nTWO \xe9\x0c\nthree\nfour\n".encode(encoding)
    shown = unified(before, after, "f")
    assert shown is not None
    (tmp_path / "f").write_bytes(before)
    subprocess.run(
        [tool("patch", "patch"), "--binary", "-p1"],
        input=shown.encode(encoding),
        cwd=tmp_path,
        check=True,
    )
    assert (tmp_path / "f").read_bytes() == after


@pytest.mark.parametrize(
    "unfit",
    [
        b"\x00binary",
        b"escape \x1b[31m",
        b"x" * (TEXT_LIMIT + 1),
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIstandin\n",
        b"-----BEGIN PRIVATE KEY-----\nMIIstandin\n",
    ],
)
def test_what_is_no_text_or_a_key_is_not_shown(unfit: bytes) -> None:
    assert unified(unfit, b"plain\n", "f") is None
    assert unified(b"plain\n", unfit, "f") is None
    assert unified(b"plain\n", b"other\n", "f") is not None


@pytest.mark.parametrize("name", ["genisoimage", "udf-bridge", "deep", "pycdlib"])
def test_an_entry_without_content_is_known_by_its_record(zoo: Zoo, name: str) -> None:
    """An added or removed empty file has no extents to be followed by."""
    new, gone = "config/nothing.txt", "installer/linux/src/marker"
    with Volume.open(zoo[name]) as volume:
        overlay = edit(volume, add={new: NewFile(b"")}, remove={gone}).overlay()
        result = compare(volume, Volume(overlay, zoo[name]))
    assert result.beyond({new: {"added"}, gone: {"removed"}}) == ()
    assert {d.tree for d in result.differences} == set(volume.trees)
    assert len(result.differences) == 2 * len(volume.trees)
