# SPDX-License-Identifier: Apache-2.0
"""Every image of the zoo, edited in every way, as every other program reads it.

For each case: one entry differs, in every tree, and nothing of it but its content;
the structure is sound; pycdlib's own re-mastering says the same; and the way back
leads to the vendor's bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace as altered
from functools import cache
from pathlib import Path

import pycdlib
import pytest

from ngtpatch.errors import NgtpatchError, Refusal
from ngtpatch.iso.check import check, introduced
from ngtpatch.iso.compare.comparison import Difference, compare
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import stream, write_file
from ngtpatch.iso.write.undo import reset
from tests.iso.algebra import invert, whole
from tests.iso.cases import CASES
from tests.iso.images import IMAGES, Zoo
from tests.iso.layouts import FACTORY, noise
from tests.iso.readers import (
    BsdTarStream,
    IsoInfo,
    IsoInfoCdio,
    Listing,
    Reader,
    agree,
    by_ngtpatch,
    readers_of,
)
from tests.requirements import tool

ROOM = -(-len(FACTORY) // 2048) * 2048
EDITS = {
    "empties": b"",
    "shrinks": FACTORY[:10],
    "same length": FACTORY[::-1],
    "fills the room": noise("fills", ROOM),
    "a byte too many": noise("exceeds", ROOM + 1),
    "megabytes more": noise("grows", 3_000_001),
}

EDITABLE = [name for name, image in IMAGES.items() if image.shape is None and not image.slow]

UNREADABLE = {
    ("pycdlib-rrip112", "bsdtar-rock_ridge"): "takes all files with serial number 0 for one",
    ("deep", "bsdtar-joliet"): "ends with an error on directories that are out of order",
    ("deep-udf", "bsdtar-joliet"): "ends with an error on directories that are out of order",
    ("long-names", "iso-info-rock_ridge"): "cuts names that continue in another area",
    ("long-names-udf", "iso-info-rock_ridge"): "cuts names that continue in another area",
    ("long-names-xorriso", "iso-info-rock_ridge"): "crashes on continuation areas",
    ("long-links-xorriso", "iso-info-rock_ridge"): "crashes on continuation areas",
}
"""What a reader cannot read in an image, edited or not."""

CONTRADICTS = {
    ("deep", "isoinfo-R"): "does not follow relocated directories",
    ("deep-xorriso", "isoinfo-R"): "does not follow relocated directories",
    ("deep-udf", "isoinfo-R"): "does not follow relocated directories",
    ("deep", "iso-info-rock_ridge"): "does not follow relocated directories",
    ("deep-xorriso", "iso-info-rock_ridge"): "does not follow relocated directories",
    ("deep-udf", "iso-info-rock_ridge"): "does not follow relocated directories",
    ("deep", "bsdtar-rock_ridge"): "shows the directory of relocated directories",
    ("deep-udf", "bsdtar-rock_ridge"): "shows the directory of relocated directories",
    ("long-names-xorriso", "bsdtar-joliet"): "cuts names at 64 characters",
    ("long-links-xorriso", "bsdtar-rock_ridge"): "joins the parts of a long target wrongly",
}
"""Where a reader sees an image in a way of its own; before and after must still agree."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def listed(image: Path, reader: Reader) -> Listing:
    return reader.listing(image)


def readers(name: str) -> Iterator[Reader]:
    for reader in readers_of(IMAGES[name].trees):
        if (name, reader.name) not in UNREADABLE:
            yield reader


def factory_in(volume: Volume) -> str:
    """Find the file to be edited: plain names differ from image to image."""
    tree = volume.tree
    return min(p for p in tree if tree.size(p) == len(FACTORY) and tree[p] == FACTORY)


def only_one_differs(before: Listing, after: Listing, content: bytes, basename: str) -> list[str]:
    """Return what is wrong about two listings, if one file may differ, and only in content."""
    wrong = [f"{path} came or went" for path in sorted(before.keys() ^ after.keys())]
    differing = [p for p in before.keys() & after.keys() if before[p] != after[p]]
    for path in differing:
        if before[path].sha256 != sha256(FACTORY):
            wrong.append(f"{path} was {before[path]}, is {after[path]}")
        elif after[path] != altered(before[path], size=len(content), sha256=sha256(content)):
            wrong.append(f"{path} is {after[path]}")
    named = [p for p in differing if p.rpartition("/")[2].casefold() == basename.casefold()]
    if len(differing) != 1:
        wrong.append(f"{len(differing)} entries differ: {sorted(differing)[:5]}")
    elif any(p.rpartition("/")[2].casefold() == basename.casefold() for p in before) and not named:
        wrong.append(f"{differing[0]} changed in the place of {basename}")
    return wrong


@pytest.mark.parametrize("name", EDITABLE)
def test_ngtpatch_reads_what_the_others_read(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        assert set(volume.trees) == set(IMAGES[name].trees)
        for reader in readers(name):
            if (name, reader.name) not in CONTRADICTS:
                assert agree(by_ngtpatch(volume, reader.tree), listed(zoo[name], reader)) == []
            CASES["image x reader"] += 1


@pytest.mark.parametrize("change", EDITS)
@pytest.mark.parametrize("name", EDITABLE)
def test_one_file_differs_for_every_reader(
    zoo: Zoo, tmp_path: Path, name: str, change: str
) -> None:
    content, image, out = EDITS[change], zoo[name], tmp_path / "out.iso"
    with Volume.open(image) as volume:
        path = factory_in(volume)
        plan = edit(volume, replace={path: content})
        written = write_file(plan.overlay(), out, durable=False)
        assert written.sha256 == sha256(out.read_bytes())
        streamed = io.BytesIO()
        assert stream(plan.overlay(), streamed).sha256 == written.sha256
        back = whole(invert(plan.overlay()))
        assert sha256(back) == sha256(image.read_bytes())
        if not name.startswith("hard-links"):  # there the other names keep the old content
            assert (written.size > volume.size) == (len(content) > ROOM)
        with Volume.open(out) as result:
            told = compare(volume, result)
            assert {d.known_as for d in told.differences} <= {path}
            assert told.beyond({path: {"content", "size"}}) == ()
            assert introduced(check(result), check(volume)) == ()
            basename = path.rpartition("/")[2]
            for reader in readers(name):
                before, after = listed(image, reader), reader.listing(out)
                wrong = only_one_differs(before, after, content, basename)
                assert not wrong, f"{reader.name}: {wrong}"
                if (name, reader.name) not in CONTRADICTS:
                    assert agree(by_ngtpatch(result, reader.tree), after) == []
                CASES["image x edit x reader"] += 1
    CASES["image x edit"] += 1


def _both_empty(difference: Difference) -> bool:
    sides = (difference.before, difference.after)
    return all(entry is not None and entry.size == 0 for entry in sides)


PATH_KEYWORDS = {
    "rock_ridge": "rr_path",
    "joliet": "joliet_path",
    "udf": "udf_path",
    "iso9660": "iso_path",
}

REMASTERING_FAILS = {
    "hard-links": "pycdlib changes every name of the file",
    "hard-links-udf": "pycdlib changes every name of the file",
    "hard-links-xorriso": "pycdlib changes every name of the file",
    "hybrid-mbr": "pycdlib writes a boot catalogue of its own",
    "unsorted": "pycdlib loses a file of an unsorted directory",
}


@pytest.mark.parametrize("change", ["empties", "shrinks", "a byte too many", "megabytes more"])
@pytest.mark.parametrize("name", [n for n in EDITABLE if n not in REMASTERING_FAILS])
def test_remastering_by_pycdlib_gives_the_same_trees(
    zoo: Zoo, tmp_path: Path, name: str, change: str
) -> None:
    if change == "empties" and "udf" in IMAGES[name].trees:
        return  # pycdlib writes a file entry of zeros for a file that became empty
    content, out, other = EDITS[change], tmp_path / "out.iso", tmp_path / "other.iso"
    with Volume.open(zoo[name]) as volume:
        path = factory_in(volume)
        write_file(edit(volume, replace={path: content}).overlay(), out, durable=False)
        keyword, where = PATH_KEYWORDS[volume.primary_tree], f"/{path}"
        if keyword == "iso_path":
            (record,) = volume.records["iso9660"].nodes[path].records
            where += ";1" if b";" in record.raw[33 : record.name_end] else ""
        partition = volume.udf.partition_length if volume.udf else 0
    iso = pycdlib.PyCdlib()
    iso.open(str(zoo[name]))
    try:
        iso.update_file_contents_fp(io.BytesIO(content), len(content), **{keyword: where})
        iso.write(str(other), blocksize=1 << 20)
    finally:
        iso.close()
    if partition:
        # pycdlib's image ends before its UDF partition does.
        os.truncate(other, other.stat().st_size + 400 * 2048)
    with Volume.open(out) as ours, Volume.open(other) as theirs:
        told = compare(ours, theirs).differences
    # In UDF, pycdlib takes all empty files for one, and gives them one time.
    assert [d for d in told if not (d.tree == "udf" and _both_empty(d))] == []
    CASES["image x edit, against pycdlib"] += 1


def everything_in(volume: Volume) -> dict[str, bytes]:
    """Return the content of each regular file that can be edited."""
    contents = {p: volume.tree[p] for p in volume.tree if not p.startswith("boot")}
    # Names differ from tree to tree there, and so which empty file is which cannot be told.
    guessed = volume.primary_tree == "joliet" and "udf" in volume.trees
    return {p: old for p, old in contents.items() if old or not guessed}


@pytest.mark.parametrize("name", EDITABLE)
def test_every_file_at_once(zoo: Zoo, tmp_path: Path, name: str) -> None:
    """Each file of an image gets content that another sector more is needed for."""
    out = tmp_path / "out.iso"
    with Volume.open(zoo[name]) as volume:
        contents = {p: old[::-1] + noise(p, 2048) for p, old in everything_in(volume).items()}
        write_file(edit(volume, replace=contents).overlay(), out, durable=False)
        with Volume.open(out) as result:
            assert everything_in(result) == contents
            told = compare(volume, result)
            assert {d.known_as for d in told.differences} == contents.keys()
            assert told.beyond({p: {"content", "size"} for p in contents}) == ()
            assert introduced(check(result), check(volume)) == ()
            for reader in readers(name):
                if (name, reader.name) not in CONTRADICTS:
                    wrong = agree(by_ngtpatch(result, reader.tree), reader.listing(out))
                    assert not wrong, f"{reader.name}: {wrong}"
                CASES["image with every file edited x reader"] += 1


@pytest.mark.parametrize("name", ["genisoimage", "xorriso", "udf-bridge", "joliet-only", "level1"])
def test_each_file_alone(zoo: Zoo, name: str) -> None:
    """The empty ones, those that fill their last sector, those that do not: no other follows."""
    with Volume.open(zoo[name]) as volume:
        for path, old in everything_in(volume).items():
            for content in (old[:-1] if old else b"1", old + b"+", noise(path, len(old) + 5000)):
                overlay = edit(volume, replace={path: content}).overlay()
                result = Volume(overlay, zoo[name], second_opinion=False)
                told = compare(volume, result)
                assert {d.known_as for d in told.differences if d.tree == told.primary} == {path}
                assert len(told.differences) == len(told.trees), told.differences
                assert all(set(d.what) <= {"content", "size"} for d in told.differences)
                assert check(overlay) == check(volume)
                CASES["image x file x edit"] += 1


@pytest.mark.parametrize(
    ("name", "target", "code"),
    [
        ("hybrid-gpt", None, "hybrid-gpt"),
        ("zisofs", None, "zisofs"),
        ("el-torito", "boot.img", "boot-image"),
        ("hybrid-mbr", "boot.img", "boot-image"),
        ("udf-pycdlib", "installer/linux/src/marker", "ambiguous-link"),
        ("genisoimage", "installer/linux/install", "not-a-file"),
        ("genisoimage", "installer/linux", "not-a-file"),
        ("genisoimage", "installer/linux/absent", "not-found"),
    ],
)
def test_shapes_that_are_refused(zoo: Zoo, name: str, target: str | None, code: str) -> None:
    with pytest.raises(NgtpatchError) as refused, Volume.open(zoo[name]) as volume:
        edit(volume, replace={target or factory_in(volume): b"new"})
    assert refused.value.code == code
    assert refused.value.exit_code in (3, 4)
    assert refused.value.message
    CASES["image refused"] += 1


def test_one_of_two_links_is_edited_alone(zoo: Zoo) -> None:
    for name in ("hard-links", "hard-links-xorriso", "hard-links-udf"):
        with Volume.open(zoo[name]) as volume:
            for path in ("config/client-cert.pem", "config/copy-of-cert.pem"):
                overlay = edit(volume, replace={path: b"new"}).overlay()
                result = Volume(overlay, zoo[name])
                told = compare(volume, result)
                seen = {(d.tree, d.known_as) for d in told.differences}
                assert {one for one in seen if one[0] == "rock_ridge"} == {("rock_ridge", path)}
                assert {d.path for d in told.differences if d.tree == "joliet"} == {path}
                assert check(overlay) == ()
            with pytest.raises(Refusal, match="in the same place"):
                edit(volume, replace={path: b"new"}, scrub={path})


@pytest.mark.parametrize("name", EDITABLE)
def test_files_come_and_go_for_every_reader_and_reset_undoes_it(
    zoo: Zoo, tmp_path: Path, name: str
) -> None:
    """One file is added, one removed, one replaced; nothing else moves, and all of it is undone."""
    image, out, back = zoo[name], tmp_path / "out.iso", tmp_path / "back.iso"
    added, replaced = noise("added", 3000), EDITS["a byte too many"]
    with Volume.open(image) as volume:
        factory = factory_in(volume)
        folder, _, last = factory.rpartition("/")
        # License.txt of the basic tree, file4.txt of the flat one: under any name.
        gone = next(p for p in volume.tree if volume.tree.size(p) in (920, 2600))
        size_of_gone = volume.tree.size(gone)
        # In the image's own manner: ISO 9660 by itself has no lower case.
        own = "ADDED.PY" if last.isupper() else "added.py"
        new = f"{folder}/{own}".lstrip("/")
        plan = edit(
            volume,
            replace={factory: replaced},
            add={new: NewFile(added, mode=0o755)},
            remove={gone},
            note=Note({"ngtpatch": name}),
        )
        written = write_file(plan.overlay(), out, durable=False)
        with Volume.open(out) as result:
            assert result.tree[new] == added
            told = compare(volume, result)
            seen = {(d.path, d.kind) for d in told.differences if d.tree == told.primary}
            assert seen == {(new, "added"), (gone, "removed"), (factory, "changed")}
            assert introduced(check(result), check(volume)) == ()
            reset(result, back)
        assert sha256(back.read_bytes()) == sha256(image.read_bytes())
        assert written.base_sha256 == sha256(image.read_bytes())
        with Volume.open(out) as result:
            for reader in readers(name):
                before, after = listed(image, reader), reader.listing(out)
                came, went = after.keys() - before.keys(), before.keys() - after.keys()
                assert [after[p].sha256 for p in came] == [sha256(added)], reader.name
                assert [before[p].size for p in went] == [size_of_gone], reader.name
                same = before.keys() & after.keys()
                assert len([p for p in same if before[p] != after[p]]) == 1, reader.name
                if (name, reader.name) not in CONTRADICTS:
                    assert agree(by_ngtpatch(result, reader.tree), after) == [], reader.name
                CASES["image with added and removed x reader"] += 1
    CASES["image reset"] += 1


slow = pytest.mark.skipif(
    not (os.environ.get("NGTPATCH_TEST_SLOW") or os.environ.get("NGTPATCH_TEST_REQUIRE")),
    reason="takes a minute and 5 GB of disk: set NGTPATCH_TEST_SLOW=1",
)


@slow
def test_a_directory_of_sixteen_thousand_files(zoo: Zoo, tmp_path: Path) -> None:
    image, out, content = zoo["huge-directory"], tmp_path / "out.iso", EDITS["a byte too many"]
    with Volume.open(image) as volume:
        path = factory_in(volume)
        write_file(edit(volume, replace={path: content}).overlay(), out, durable=False)
        with Volume.open(out) as result:
            assert {d.known_as for d in compare(volume, result).differences} == {path}
            assert check(volume) == check(result) == ()
    for reader in readers("huge-directory"):
        if isinstance(reader, IsoInfo | IsoInfoCdio | BsdTarStream):  # the others take minutes
            before, after = listed(image, reader), reader.listing(out)
            assert len(before) > 16_000
            assert only_one_differs(before, after, content, "installer_factory.py") == []
            CASES["image of 16,000 files x reader"] += 1


def streamed(program: str, image: Path, path: str) -> str:
    """Return the digest of a file that 7-Zip reads, without unpacking gigabytes."""
    digest = hashlib.sha256()
    command = [program, "x", "-tiso", "-so", str(image), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while block := process.stdout.read(1 << 20):
            digest.update(block)
    assert process.returncode == 0
    return digest.hexdigest()


@slow
def test_an_image_of_four_and_a_half_gigabytes(zoo: Zoo, tmp_path: Path) -> None:
    """The file of two extents is refused, every other one is edited, and memory stays flat."""
    image, out = zoo["multi-extent"], tmp_path / "out.iso"
    with Volume.open(image) as volume:
        assert check(volume) == ()
        with pytest.raises(Refusal) as refused:
            edit(volume, replace={"payload.bin": b""})
        assert refused.value.code == "multi-extent"
        plan = edit(volume, replace={factory_in(volume): EDITS["a byte too many"]})
        tracemalloc.start()
        write_file(plan.overlay(), out, durable=False, digest=False)
        within = [(region.offset, len(region.new)) for region in plan.regions]
        with Volume.open(out) as result:
            told = compare(volume, result, within=within)  # 7-Zip reads the payload below
            assert check(result) == ()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50 << 20
        assert {d.known_as for d in told.differences} == {factory_in(volume)}
        assert out.stat().st_blocks * 512 < 50 << 20, "the holes were filled"
    program = tool("7z", "p7zip-full")
    payload = ["sha256sum", str(zoo.source("multi-extent") / "payload.bin")]
    told_of = subprocess.run(payload, capture_output=True, text=True, check=True)
    for path, digest in (
        ("payload.bin", told_of.stdout.split()[0]),
        ("installer/linux/src/installer_factory.py", sha256(EDITS["a byte too many"])),
    ):
        assert streamed(program, out, path) == digest
    CASES["image of 4.5 GB"] += 1
