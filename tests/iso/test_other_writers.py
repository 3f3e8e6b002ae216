# SPDX-License-Identifier: Apache-2.0
"""Shapes that other programs write, beside the zoo's: isoinfo and bsdtar say who is right."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ngtpatch.errors import InputError, Refusal
from ngtpatch.iso.check import check, introduced
from ngtpatch.iso.compare.comparison import compare
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.iso.write.undo import reset
from tests.iso.images import VOLUME_ID, genisoimage, then, xorriso
from tests.iso.layouts import FACTORY_PATH, ngt_tree
from tests.iso.readers import Listing, readers_of
from tests.iso.test_hostile import dots, image, record
from tests.requirements import tool

SECTOR = 2048
ADDED = "installer/linux/src/added.py"
REMOVED = "installer/linux/License.txt"


def stems(root: Path) -> None:
    """A directory and a file that share the eight characters of level 1."""
    (root / "ngt_guest_lib").mkdir()
    (root / "ngt_guest_lib/inside").write_text("in the directory\n")
    (root / "ngt_guest_agent").write_text("the file\n")


def japanese(root: Path) -> None:
    (root / "日本語.txt").write_text("a name of three characters\n")


def bsdtar(source: Path, made: Path) -> None:
    program = tool("bsdtar", "libarchive-tools")
    options = ("--format=iso9660", "--options", f"volume-id={VOLUME_ID}")
    subprocess.run([program, "-c", *options, "-f", made, "-C", source, "."], check=True)


def directories(data: bytes, descriptor: int) -> Iterator[tuple[int, int, int]]:
    """Yield (offset of a record, first sector, length) of each directory of a tree."""
    pending, seen = [descriptor * SECTOR + 156], set()
    while pending:
        at = pending.pop()
        first, length = struct.unpack_from("<I4xI", data, at + 2)
        yield at, first, length
        if first in seen:
            continue
        seen.add(first)
        offset = first * SECTOR
        while offset < first * SECTOR + length:
            if not data[offset]:
                offset = (offset // SECTOR + 1) * SECTOR
                continue
            if data[offset + 25] & 2:
                pending.append(offset)
            offset += data[offset]


def exact_lengths(made: Path) -> None:
    """Let every directory's length end with its last record, as one Windows program does."""
    data = bytearray(made.read_bytes())
    kinds = {sector: data[sector * SECTOR] for sector in range(16, 20)}
    for descriptor in (sector for sector, kind in kinds.items() if kind in (1, 2)):
        for at, first, length in list(directories(bytes(data), descriptor)):
            used = len(bytes(data[first * SECTOR : first * SECTOR + length]).rstrip(b"\0"))
            # A record may end in zeros of its own: its length says where it ends.
            offset = last = 0
            while offset < used:
                step = data[first * SECTOR + offset]
                if not step:
                    offset = (offset // SECTOR + 1) * SECTOR
                    continue
                offset += step
                last = offset
            data[at + 10 : at + 18] = struct.pack("<I", last) + struct.pack(">I", last)
    made.write_bytes(data)


@dataclass(frozen=True)
class Shape:
    """How an image is made, and what its plainest tree lists beside the usual."""

    master: Callable[[Path, Path], None]
    more: Callable[[Path], None] | None = None
    lists: tuple[str, ...] = ()


SHAPES = {
    "stems-genisoimage": Shape(
        genisoimage("-R", "-J"), stems, ("NGT_GUES", "NGT_GUES.", "NGT_GUES/INSIDE")
    ),
    "stems-xorriso": Shape(
        xorriso("-R", "-J"), stems, ("NGT_GUES", "NGT_GUES.", "NGT_GUES/INSIDE")
    ),
    "stems-plain": Shape(genisoimage("-iso-level", "1"), stems, ("NGT_GUES", "NGT_GUES.")),
    "exact-lengths": Shape(then(genisoimage("-R", "-J"), exact_lengths)),
    "exact-lengths-plain": Shape(then(genisoimage(), exact_lengths)),
    "level4-utf8": Shape(genisoimage("-iso-level", "4", "-R", "-J"), japanese, ("日本語.txt",)),
    "bsdtar": Shape(bsdtar),
}


def made(name: str, directory: Path) -> Path:
    source, out = directory / "tree", directory / f"{name}.iso"
    source.mkdir()
    ngt_tree(source)
    more = SHAPES[name].more
    if more is not None:
        more(source)
    SHAPES[name].master(source, out)
    return out


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", SHAPES)
def test_it_opens_is_edited_and_reset_and_others_see_the_wanted_entries_change(
    tmp_path: Path, name: str
) -> None:
    base, out, back = made(name, tmp_path), tmp_path / "out.iso", tmp_path / "back.iso"
    with Volume.open(base) as volume:
        assert volume.doubt is None
        assert set(SHAPES[name].lists) <= volume.entries("iso9660").keys()
        plain = volume.primary_tree == "iso9660"
        factory, gone, new = (
            ("INSTALLE/LINUX/SRC/INSTALLE.PY", "INSTALLE/LINUX/LICENSE.TXT", "ADDED.PY")
            if plain
            else (FACTORY_PATH, REMOVED, ADDED)
        )
        if plain:  # eight characters leave several files one name: it is found by its content
            text = b"# Which installer serves"
            factory = next(p for p in volume.tree if volume.tree[p].startswith(text))
        plan = edit(
            volume,
            replace={factory: b"replaced\n" * 900},
            remove={gone},
            add={new: NewFile(b"added\n")},
            note=Note({}),
        )
        write_file(plan.overlay(), out, durable=False)
        with Volume.open(out) as result:
            told = compare(volume, result)
            seen = {(d.path, d.kind) for d in told.differences if d.tree == told.primary}
            assert seen == {(new, "added"), (gone, "removed"), (factory, "changed")}
            assert introduced(check(result), check(volume)) == ()
            reset(result, back)
    assert sha256(back) == sha256(base)
    judges = [one for one in readers_of(("rock_ridge", "joliet")) if _judge(one.name)]
    if plain:
        judges = [one for one in readers_of(("iso9660",)) if one.name.startswith("isoinfo")]
    assert judges
    for reader in judges:
        before, after = reader.listing(base), reader.listing(out)
        assert (after.keys() - before.keys(), before.keys() - after.keys()) == ({new}, {gone})
        assert _differing(before, after) == {factory}, reader.name


def test_apple_s_extensions_are_no_fault(tmp_path: Path) -> None:
    source, out = tmp_path / "tree", tmp_path / "apple.iso"
    source.mkdir()
    ngt_tree(source)
    genisoimage("-R", "-J", "-apple")(source, out)
    assert b"AA\x0e\x02" in out.read_bytes()
    assert [fault.message for fault in check(Volume.open(out)) if fault.severity == "error"] == []


def _judge(name: str) -> bool:
    return name.startswith(("isoinfo", "bsdtar"))


def _differing(before: Listing, after: Listing) -> set[str]:
    return {path for path in before.keys() & after.keys() if before[path] != after[path]}


def test_a_directory_of_exact_length_grows_in_its_sector_and_beyond(tmp_path: Path) -> None:
    base, out = made("exact-lengths", tmp_path), tmp_path / "out.iso"
    isoinfo = next(one for one in readers_of(("rock_ridge",)) if one.name == "isoinfo-R")
    before = isoinfo.listing(base)
    with Volume.open(base) as volume:
        for count in (1, 60):
            new = {f"config/new{n:02}.pem": NewFile(b"new\n") for n in range(count)}
            write_file(edit(volume, add=new, note=Note({})).overlay(), out, durable=False)
            assert isoinfo.listing(out).keys() - before.keys() == new.keys()
            with Volume.open(out) as result:
                assert introduced(check(result), check(volume)) == ()
            out.unlink()


@pytest.mark.parametrize("name", ["stems-xorriso", "exact-lengths"])
def test_every_tree_agrees_with_isoinfo(tmp_path: Path, name: str) -> None:
    base = made(name, tmp_path)
    options = {"isoinfo": "iso9660", "isoinfo-R": "rock_ridge", "isoinfo-J": "joliet"}
    with Volume.open(base) as volume:
        for reader in readers_of(volume.trees):
            if reader.name not in options:
                continue
            theirs = reader.listing(base)
            ours = volume.entries(reader.tree)
            # isoinfo's own names lose the dot that tells the file from the directory.
            same = {path.removesuffix(".") for path in ours}
            assert same == theirs.keys()


FURTHER = {
    "HFS+": xorriso("-R", "-J", "-hfsplus"),
    "HFS": genisoimage("-R", "-J", "-hfs"),
    "a further ISO 9660 volume in partition 1": xorriso("-R", "-J", "-partition_offset", "16"),
}


@pytest.mark.parametrize("name", FURTHER)
def test_a_second_file_system_over_the_same_files_is_refused(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "tree", tmp_path / "out.iso"
    source.mkdir()
    ngt_tree(source)
    FURTHER[name](source, out)
    with Volume.open(out) as volume:
        assert volume.descriptors.system_area.others[0] == name
        with pytest.raises(Refusal, match=re.escape(name)) as refused:
            edit(volume, replace={FACTORY_PATH: b"new"})
        assert refused.value.code == "unknown-tree"
        assert "directory" in (refused.value.hint or "")
        assert edit(volume, note=Note({})).regions == (), "nothing to change is nothing to refuse"


@pytest.mark.parametrize("block", [512, SECTOR])
def test_a_guid_table_stands_in_the_second_block_of_a_disk_or_of_a_cd(
    tmp_path: Path, block: int
) -> None:
    data = bytearray(made("stems-genisoimage", tmp_path).read_bytes())
    data[block : block + 8] = b"EFI PART"
    volume = Volume(MemorySource(bytes(data)), Path("gpt.iso"))
    with pytest.raises(Refusal) as refused:
        edit(volume, replace={FACTORY_PATH: b"new"})
    assert refused.value.code == "hybrid-gpt"


def test_what_lies_inside_is_not_said_to_lie_outside() -> None:
    below = [record(b"\0", 63, 68, 2), record(b"\1", 20, SECTOR, 2)]
    root = dots(20)
    inside = image({20: [*root, record(b"A", 63, 68, 2)], 63: below})
    volume = Volume(MemorySource(inside), Path("inside"), second_opinion=False)
    assert list(volume.entries("iso9660")) == ["A"]
    outside = image({20: [*root, record(b"A", 63, 2049, 2)]})
    with pytest.raises(InputError, match="behind the image's end"):
        Volume(MemorySource(outside), Path("outside"))


# Limits ---------------------------------------------------------------------------------------


def test_limits_are_of_each_tree_and_say_the_number_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "tree", tmp_path / "out.iso"
    source.mkdir()
    ngt_tree(source)
    genisoimage("-R", "-J", "-udf")(source, out)
    with Volume.open(out) as volume:
        most = max(len(volume.entries(tree)) for tree in volume.trees)
        assert sum(len(volume.entries(tree)) for tree in volume.trees) > 3 * most
    monkeypatch.setattr("ngtpatch.iso.read.entry.MOST_ENTRIES", most)
    Volume.open(out).close()
    monkeypatch.setattr("ngtpatch.iso.read.entry.MOST_ENTRIES", most - 1)
    with pytest.raises(InputError, match=rf"tree holds {most:,} entries .* {most - 1:,}") as found:
        Volume.open(out)
    assert "name that directory" in (found.value.hint or "")


# The second opinion ---------------------------------------------------------------------------


def named_twice(base: Path) -> None:
    """Let a Joliet directory's second record be named as its first: pycdlib refuses that."""
    data = bytearray(base.read_bytes())
    sector = next(s for s in range(16, 20) if data[s * SECTOR] == 2)
    _, first, _ = list(directories(bytes(data), sector))[1]
    second = first * SECTOR + data[first * SECTOR]
    assert data[second + 33] == 1
    data[second + 33] = 0
    base.write_bytes(data)


def test_pycdlib_alone_refuses_no_reading_and_stops_every_edit(tmp_path: Path) -> None:
    base = made("stems-genisoimage", tmp_path)
    named_twice(base)
    # isoinfo and bsdtar read it as ever, and they are the judges.
    with Volume.open(base) as volume:
        for reader in readers_of(("rock_ridge", "joliet")):
            if _judge(reader.name):
                assert reader.listing(base).keys() == volume.entries(reader.tree).keys()
        assert volume.doubt
        with pytest.raises(Refusal, match=re.escape(volume.doubt)) as refused:
            edit(volume, replace={FACTORY_PATH: b"new"})
        assert refused.value.code == "second-opinion"
        assert "directory" in (refused.value.hint or "")


def test_what_pycdlib_refuses_and_the_structure_check_too_is_not_read() -> None:
    listed = image({20: [*dots(20), record(b"A", 21, SECTOR, 2)], 21: [record(b"\0", 21, 100, 2)]})
    with pytest.raises(InputError, match=r"pycdlib .* contradicts itself") as refused:
        Volume(MemorySource(listed), Path("listed.iso"))
    assert refused.value.code == "unsupported"


def test_pycdlib_s_log_stays_off_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import ngtpatch.iso.read.volume, logging; logging.getLogger('pycdlib').warning('x')"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr().err == ""
