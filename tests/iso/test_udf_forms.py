# SPDX-License-Identifier: Apache-2.0
"""UDF as other writers record it: long allocation descriptors, embedded content, Extended
File Entries, hard links. No mastering tool at hand writes these beside ISO 9660, so finished
images are rewritten, and 7-Zip must agree that they are well-formed.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.iso.check import check
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.ecma167 import FileEntry, retag
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.iso.write.undo import reset
from tests.iso.images import Zoo
from tests.iso.layouts import FACTORY_PATH, noise
from tests.iso.test_edit import listing, reopened
from tests.iso.test_record import windows
from tests.requirements import tool

SECTOR = 2048
KEY = "config/client-key.pem"


def with_area(entry: FileEntry, flags: int, area: bytes, *, recorded: int | None = None) -> bytes:
    """Return a file entry's block with other allocation descriptors."""
    start, _ = entry.area
    raw = bytearray(entry.raw.ljust(SECTOR, b"\0"))
    raw[start:] = area.ljust(SECTOR - start, b"\0")
    struct.pack_into("<H", raw, 34, struct.unpack_from("<H", raw, 34)[0] & ~7 | flags)
    struct.pack_into("<I", raw, 212 if entry.extended else 172, len(area))
    if recorded is not None:
        struct.pack_into("<Q", raw, 72 if entry.extended else 64, recorded)
    return retag(bytes(raw), crc_length=start + len(area) - 16)


def long_ad(entry: FileEntry, content: bytes) -> bytes:
    area = b"".join(
        struct.pack("<IIHHI", one.length, one.block, 0, 0, 0) for one in entry.allocations
    )
    return with_area(entry, 1, area)


def embedded(entry: FileEntry, content: bytes) -> bytes:
    if len(content) > 1500:
        return entry.raw.ljust(SECTOR, b"\0")
    return with_area(entry, 3, content, recorded=0)


def extended(entry: FileEntry, content: bytes) -> bytes:
    """Return the Extended File Entry (4/14.17) that says the same."""
    if entry.extended:
        return entry.raw.ljust(SECTOR, b"\0")
    old, (start, length) = entry.raw, entry.area
    head = struct.pack("<H", 266) + old[2:64] + old[56:64] + old[64:72]  # tag to blocks recorded
    times = old[72:96] + old[84:96] + old[96:108]  # access, modification, creation, attribute
    rest = old[108:112] + bytes(4) + old[112:128] + bytes(16) + old[128:168]
    new = head + times + rest + struct.pack("<II", 0, length) + old[start : start + length]
    assert len(head + times + rest) == 208
    return retag(new.ljust(SECTOR, b"\0"), crc_length=216 + length - 16)


FORMS: dict[str, Callable[[FileEntry, bytes], bytes]] = {
    "long_ad": long_ad,
    "embedded": embedded,
    "extended": extended,
}


@pytest.fixture(params=["udf-bridge", "udf-plain", "udf-pycdlib"])
def source(request: pytest.FixtureRequest, zoo: Zoo) -> Path:
    return zoo[request.param]


@pytest.fixture(params=FORMS)
def image(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Path:
    """An image whose file entries, directories' included, are all of one form."""
    rewrite = FORMS[request.param]
    data = bytearray(source.read_bytes())
    with Volume.open(source) as volume:
        assert volume.udf is not None
        for node in volume.udf.nodes.values():
            entry = node.file_entry
            if request.param == "embedded" and node.entry.kind == "directory":
                continue  # its identifiers' tags would have to move with them
            content = b"".join(volume.read_at(*extent) for extent in node.entry.extents)
            data[entry.offset : entry.offset + SECTOR] = rewrite(entry, content)
            if request.param == "embedded" and len(content) <= 1500 and len(volume.trees) == 1:
                data[node.entry.extents[0][0] :][: len(content)] = bytes(len(content))
    path = tmp_path / "source.iso"
    path.write_bytes(data)
    seven_zip_agrees(path, tmp_path / "before")
    return path


def seven_zip_agrees(image: Path, out: Path) -> None:
    command = [tool("7z", "p7zip-full"), "x", "-tudf", "-y", "-bd", f"-o{out}", str(image)]
    subprocess.run(command, check=True, capture_output=True)
    with Volume.open(image) as volume:
        for path, entry in volume.entries("udf").items():
            if entry.kind == "file":
                content = b"".join(volume.read_at(*extent) for extent in entry.extents)
                assert (out / path).read_bytes() == content, path


def in_udf(volume: Volume, name: str) -> str:
    return next(path for path in volume.tree if path.casefold().endswith(name.casefold()))


@pytest.mark.parametrize("length", [0, 10, 1500, 2048, 60_000])
def test_content_is_replaced_in_every_form(image: Path, tmp_path: Path, length: int) -> None:
    with Volume.open(image) as volume:
        before = check(volume)
        for name in (KEY, FACTORY_PATH):
            path = in_udf(volume, name)
            content = noise(f"{name}{length}", length)
            plan = edit(volume, replace={path: content}, note=Note({}))
            after = reopened(plan)
            for tree in volume.trees:
                was, now = listing(volume, tree), listing(after, tree)
                assert len([p for p in was if was[p] != now[p]]) == 1
            assert after.tree[path] == content
            assert set(check(plan.overlay())) <= set(before)
            write_file(plan.overlay(), tmp_path / "new.iso", force=True)
            seven_zip_agrees(tmp_path / "new.iso", tmp_path / f"out{len(name)}")
            with Volume.open(tmp_path / "new.iso") as new:
                assert reset(new, tmp_path / "back.iso", force=True).verified
            assert (tmp_path / "back.iso").read_bytes() == image.read_bytes()


def test_a_scrubbed_key_is_gone_in_every_form(image: Path) -> None:
    with Volume.open(image) as volume:
        path = in_udf(volume, KEY)
        old = volume.tree[path]
        key = windows(old, image.read_bytes().replace(old, b""))
        for request in ({"replace": {path: b"new"}}, {"remove": {path}}):
            plan = edit(volume, **request, scrub={path}, note=Note({}))
            found = plan.overlay().read_at(0, plan.size)
            assert len(key) > 20
            assert not [window for window in key if window in found]


def test_files_are_added_and_removed_in_every_form(image: Path, tmp_path: Path) -> None:
    with Volume.open(image) as volume:
        folder = in_udf(volume, FACTORY_PATH).rpartition("/")[0]
        new = {f"{folder}/new{n}.py": NewFile(noise(str(n), 100 * n)) for n in range(60)}
        plan = edit(volume, add=new, remove={in_udf(volume, KEY)})
        assert set(check(plan.overlay())) <= set(check(volume))
        write_file(plan.overlay(), tmp_path / "new.iso")
    seven_zip_agrees(tmp_path / "new.iso", tmp_path / "out")
    with Volume.open(tmp_path / "new.iso") as volume:
        for path, file in new.items():
            assert volume.tree[path] == file.content


def test_two_names_for_one_file_entry_are_not_told_apart(zoo: Zoo, tmp_path: Path) -> None:
    data = bytearray(zoo["udf-bridge"].read_bytes())
    with Volume.open(zoo["udf-bridge"]) as volume:
        assert volume.udf is not None
        folder = volume.udf.directories["config"]
        offset = volume.udf.nodes["config"].entry.extents[0][0]
        blocks = {one.name: one.block for one in folder.identifiers}
        for one in folder.identifiers:
            if one.name == "client-cert.pem":
                raw = bytearray(one.raw)
                struct.pack_into("<I", raw, 24, blocks["client-key.pem"])
                data[offset : offset + len(raw)] = retag(bytes(raw))
            offset += len(one.raw)
    (tmp_path / "linked.iso").write_bytes(data)
    with Volume.open(tmp_path / "linked.iso") as volume, pytest.raises(Refusal) as refused:
        edit(volume, replace={KEY: b"new"})
    assert refused.value.code == "hard-link"


def test_7_zip_reads_what_is_left_when_the_last_file_goes_or_is_shortened(
    zoo: Zoo, tmp_path: Path
) -> None:
    """It looks for an anchor behind the last file that there is, over zeros alone."""
    base, out, back = (tmp_path / name for name in ("base.iso", "out.iso", "back.iso"))
    with Volume.open(zoo["udf-bridge"]) as volume:
        order = sorted(volume.tree, key=lambda path: volume.entries("udf")[path].extents)
        *_, before, last = [path for path in order if volume.tree[path]]
        # Of more than one sector each, and nothing behind them but zeros and the anchor.
        long = {before: noise(before, 20_000), last: noise(last, 20_000)}
        write_file(edit(volume, replace=long, scrub={before, last}).overlay(), base)
    changes: list[tuple[set[str], dict[str, bytes]]] = [
        ({last}, {}),
        ({before, last}, {}),
        (set(), {last: b"x"}),
        (set(), {last: b""}),
        ({last}, {before: b"x"}),
    ]
    with Volume.open(base) as volume:
        for remove, replace in changes:
            plan = edit(volume, remove=remove, replace=replace, note=Note({}))
            write_file(plan.overlay(), out, force=True, durable=False)
            command = [tool("7z", "p7zip-full"), "t", "-tudf", str(out)]
            answer = subprocess.run(command, capture_output=True, check=False)
            assert answer.returncode == 0, (remove, replace)
            with Volume.open(out) as result:
                reset(result, back, force=True)
            assert back.read_bytes() == base.read_bytes()
