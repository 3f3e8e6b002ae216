# SPDX-License-Identifier: Apache-2.0
"""The structural check: silent on healthy images, and it finds every fault put into one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ngtpatch.iso.check import Fault, check, introduced
from ngtpatch.iso.read.bytesource import FileSource, MemorySource
from ngtpatch.iso.read.volume import Volume
from tests.iso.images import IMAGES, Zoo
from tests.iso.layouts import FACTORY_PATH

SECTOR = 2048

KNOWN = {
    # pycdlib lets every nested UDF directory name the root as its parent.
    "udf-pycdlib": {("dot-dot", "warning")},
}


@pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if not image.slow])
def test_a_healthy_image_has_no_findings(zoo: Zoo, name: str) -> None:
    source = FileSource(zoo[name])
    found = check(source)
    source.close()
    assert {(one.code, one.severity) for one in found} == KNOWN.get(name, set()), found


def number(data: bytes | bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def both(value: int) -> bytes:
    return struct.pack("<I", value) + struct.pack(">I", value)


class Faulty:
    """An image's bytes, and where things stand in it."""

    def __init__(self, path: Path) -> None:
        self.data = bytearray(path.read_bytes())
        with Volume.open(path) as volume:
            self.records: dict[tuple[str, str], list[int]] = {
                (tree, entry): [record.offset for record in node.records]
                for tree, records in volume.records.items()
                for entry, node in records.nodes.items()
            }
            self.udf = {
                entry: node.file_entry.offset
                for entry, node in (volume.udf.nodes if volume.udf else {}).items()
            }
            self.entries = {tree: volume.entries(tree) for tree in volume.trees}

    def record(self, tree: str, path: str) -> int:
        return self.records[tree, path][0]

    def descriptor(self, kind: int) -> int:
        sector = 16
        while self.data[sector * SECTOR] != kind:
            sector += 1
        return sector * SECTOR

    def directory(self, tree: str, path: str) -> int:
        return number(self.data, self.record(tree, path) + 2) * SECTOR

    def put(self, at: int, new: bytes | bytearray) -> None:
        assert self.data[at : at + len(new)] != new, "no fault was put in"
        self.data[at : at + len(new)] = new

    def retag(self, at: int) -> None:
        """Make a UDF descriptor's tag right again after a fault within: that fault is meant."""
        length = struct.unpack_from("<H", self.data, at + 10)[0]
        crc = _crc(bytes(self.data[at + 16 : at + 16 + length]))
        self.data[at + 8 : at + 10] = struct.pack("<H", crc)
        self.data[at + 4] = 0
        self.data[at + 4] = sum(self.data[at : at + 16]) & 0xFF

    def codes(self) -> set[str]:
        return {one.code for one in check(MemorySource(bytes(self.data)))}


def _crc(data: bytes) -> int:
    """CRC of ECMA-167 7.2.6, bit by bit: not the way that the check computes it."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


SOURCE = "installer/linux/src"


def lost_terminator(image: Faulty) -> None:
    image.put(image.descriptor(255), b"\x03")


def truncated(image: Faulty) -> None:
    del image.data[len(image.data) // 2 :]


def descriptor_sizes_differ(image: Faulty) -> None:
    at = image.descriptor(2) + 80
    image.put(at, both(number(image.data, at) - 1))


def table_row_moved(image: Faulty) -> None:
    table = number(image.data, image.descriptor(1) + 140) * SECTOR
    image.put(table + 2, struct.pack("<I", number(image.data, table + 2) + 1))


def big_endian_table_row_moved(image: Faulty) -> None:
    (table,) = struct.unpack_from(">I", image.data, image.descriptor(1) + 148)
    image.put(table * SECTOR + 2, struct.pack(">I", 77))


def table_name_changed(image: Faulty) -> None:
    table = number(image.data, image.descriptor(1) + 140) * SECTOR
    image.put(table + 10 + 8, b"Q")


def table_parent_changed(image: Faulty) -> None:
    table = number(image.data, image.descriptor(1) + 140) * SECTOR
    image.put(table + 10 + 6, b"\x02\x00")


def table_too_short(image: Faulty) -> None:
    at = image.descriptor(1) + 132
    image.put(at, both(number(image.data, at) - 2))


def file_outside(image: Faulty) -> None:
    for tree in ("rock_ridge", "joliet"):
        image.put(image.record(tree, FACTORY_PATH) + 2, both(len(image.data) // SECTOR))


def file_longer_in_one_tree(image: Faulty) -> None:
    at = image.record("joliet", FACTORY_PATH) + 10
    image.put(at, both(number(image.data, at) + 1))


def file_moved_in_one_tree(image: Faulty) -> None:
    target = number(image.data, image.record("joliet", "setup.exe") + 2)
    image.put(image.record("joliet", FACTORY_PATH) + 2, both(target))


def file_over_directory(image: Faulty) -> None:
    target = number(image.data, image.record("rock_ridge", SOURCE) + 2)
    for tree in ("rock_ridge", "joliet"):
        image.put(image.record(tree, FACTORY_PATH) + 2, both(target))


def files_overlap(image: Faulty) -> None:
    for tree in ("rock_ridge", "joliet"):
        at = image.record(tree, "config/client-cert.pem")
        image.put(at + 10, both(number(image.data, at + 10) + SECTOR))


def own_record_moved(image: Faulty) -> None:
    image.put(image.directory("rock_ridge", SOURCE) + 2, both(20))


def own_record_shorter(image: Faulty) -> None:
    image.put(image.directory("rock_ridge", SOURCE) + 10, both(4096))


def parent_record_moved(image: Faulty) -> None:
    start = image.directory("rock_ridge", SOURCE)
    image.put(start + image.data[start] + 2, both(20))


def directory_in_itself(image: Faulty) -> None:
    root = number(image.data, image.descriptor(1) + 158)
    image.put(image.record("rock_ridge", SOURCE) + 2, both(root))


def record_too_short(image: Faulty) -> None:
    image.put(image.record("rock_ridge", FACTORY_PATH), b"\x20")


def listed_twice(image: Faulty) -> None:
    one, other = (image.record("joliet", f"config/client-{n}.pem") for n in ("cert", "key"))
    length = image.data[one]
    image.data[other : other + image.data[other]] = bytes(image.data[other])
    image.put(other, image.data[one : one + length])


def bad_date(image: Faulty) -> None:
    image.put(image.record("rock_ridge", FACTORY_PATH) + 19, b"\x0d")


def interleaved(image: Faulty) -> None:
    image.put(image.record("rock_ridge", FACTORY_PATH) + 26, b"\x01\x01")


def flagged_associated(image: Faulty) -> None:
    at = image.record("rock_ridge", FACTORY_PATH) + 25
    image.put(at, bytes([image.data[at] | 0x04]))


def is_directory_by_half(image: Faulty) -> None:
    at = image.record("rock_ridge", "empty")
    image.put(at + image.data.index(b"PX", at) - at + 4, both(0o100644))


def extent_continues_nowhere(image: Faulty) -> None:
    at = image.record("rock_ridge", FACTORY_PATH) + 25
    image.put(at, bytes([image.data[at] | 0x80]))


def system_use_entry_too_long(image: Faulty) -> None:
    at = image.record("rock_ridge", FACTORY_PATH)
    image.put(image.data.index(b"TF", at) + 2, b"\xf0")


def times_do_not_fill(image: Faulty) -> None:
    at = image.data.index(b"TF", image.record("rock_ridge", FACTORY_PATH))
    image.put(at + 4, bytes([image.data[at + 4] ^ 1]))


def system_use_version(image: Faulty) -> None:
    at = image.data.index(b"NM", image.record("rock_ridge", FACTORY_PATH))
    image.put(at + 3, b"\x07")


ISO_FAULTS: dict[Callable[[Faulty], None], str] = {
    lost_terminator: "no-terminator",
    truncated: "truncated",
    descriptor_sizes_differ: "space-sizes",
    table_row_moved: "path-table",
    big_endian_table_row_moved: "path-table",
    table_name_changed: "path-table",
    table_parent_changed: "path-table",
    table_too_short: "path-table",
    file_outside: "outside",
    file_longer_in_one_tree: "trees-disagree",
    file_moved_in_one_tree: "trees-disagree",
    file_over_directory: "overlap",
    files_overlap: "overlap",
    own_record_moved: "dot",
    own_record_shorter: "dot",
    parent_record_moved: "dot-dot",
    directory_in_itself: "loop",
    record_too_short: "record",
    listed_twice: "duplicate",
    bad_date: "date",
    interleaved: "interleaved",
    flagged_associated: "associated",
    is_directory_by_half: "kind",
    extent_continues_nowhere: "extents",
    system_use_entry_too_long: "susp",
    times_do_not_fill: "susp",
    system_use_version: "susp",
}


@pytest.mark.parametrize("fault", ISO_FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", ["genisoimage", "xorriso", "udf-bridge"])
def test_a_fault_is_found(zoo: Zoo, name: str, fault: Callable[[Faulty], None]) -> None:
    image = Faulty(zoo[name])
    fault(image)
    assert ISO_FAULTS[fault] in image.codes()


def record_over_sector(image: Faulty) -> None:
    start = image.directory("joliet", SOURCE)
    last = max(
        at
        for (tree, _), (at, *_) in image.records.items()
        if tree == "joliet" and start <= at < start + SECTOR
    )
    left = start + SECTOR - last
    assert left < 255, "the directory does not fill its sector"
    image.put(last, bytes([left + 1]))


def relocated_to_nowhere(image: Faulty) -> None:
    at = image.data.index(b"CL\x0c\x01")
    image.put(at + 4, both(17))


def continuation_outside(image: Faulty) -> None:
    at = image.data.index(b"CE\x1c\x01", image.record("rock_ridge", SOURCE))
    image.put(at + 4, both(len(image.data)))


def continuation_in_itself(image: Faulty) -> None:
    at = image.data.index(b"CE\x1c\x01", image.record("rock_ridge", SOURCE))
    image.put(at + 4, both(at // SECTOR) + both(at % SECTOR) + both(28))


def link_does_not_fill(image: Faulty) -> None:
    at = image.data.index(b"SL", image.record("rock_ridge", "installer/linux/install"))
    image.put(at + 6, bytes([image.data[at + 6] - 1]))


@pytest.mark.parametrize(
    ("name", "fault", "code"),
    [
        ("wide", record_over_sector, "record"),
        ("deep", relocated_to_nowhere, "relocation"),
        ("long-names", continuation_outside, "susp"),
        ("long-names", continuation_in_itself, "susp"),
        ("genisoimage", link_does_not_fill, "susp"),
    ],
)
def test_a_fault_of_a_special_shape_is_found(
    zoo: Zoo, name: str, fault: Callable[[Faulty], None], code: str
) -> None:
    image = Faulty(zoo[name])
    fault(image)
    assert code in image.codes()


def anchor_gone(image: Faulty) -> None:
    image.put(256 * SECTOR, bytes(SECTOR))


def sequence(image: Faulty, tag: int, at: int = 16) -> int:
    """Find a descriptor in the main (at=16) or reserve (24) sequence."""
    start = number(image.data, 256 * SECTOR + at + 4) * SECTOR
    while struct.unpack_from("<H", image.data, start)[0] != tag:
        start += SECTOR
    return start


def partition_shorter_in_one_sequence(image: Faulty) -> None:
    at = sequence(image, 5, 24)
    image.put(at + 192, struct.pack("<I", number(image.data, at + 192) - 1))
    image.retag(at)


def partition_too_short(image: Faulty) -> None:
    for start in (16, 24):
        at = sequence(image, 5, start)
        image.put(at + 192, struct.pack("<I", 30))
        image.retag(at)


def partition_too_long(image: Faulty) -> None:
    for start in (16, 24):
        at = sequence(image, 5, start)
        image.put(at + 192, struct.pack("<I", len(image.data) // SECTOR))
        image.retag(at)


def integrity(image: Faulty) -> int:
    return number(image.data, sequence(image, 6) + 436) * SECTOR


def integrity_size(image: Faulty) -> None:
    at = integrity(image)
    image.put(at + 84, struct.pack("<I", number(image.data, at + 84) + 1))
    image.retag(at)


def volume_left_open(image: Faulty) -> None:
    at = integrity(image)
    image.put(at + 28, struct.pack("<I", 0))
    image.retag(at)


def entry_longer(image: Faulty) -> None:
    at = image.udf[FACTORY_PATH]
    image.put(at + 56, struct.pack("<Q", number(image.data, at + 56) + 1))
    image.retag(at)


def entry_blocks(image: Faulty) -> None:
    at = image.udf[FACTORY_PATH]
    image.put(at + 64, struct.pack("<Q", 99))
    image.retag(at)


def entry_moved(image: Faulty) -> None:
    at = image.udf[FACTORY_PATH]
    begin = at + 176 + number(image.data, at + 168)
    image.put(begin + 4, struct.pack("<I", number(image.data, begin + 4) + 1))
    image.retag(at)


def entry_outside(image: Faulty) -> None:
    at = image.udf[FACTORY_PATH]
    begin = at + 176 + number(image.data, at + 168)
    image.put(begin + 4, struct.pack("<I", 1 << 20))
    image.retag(at)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (anchor_gone, "udf-anchor"),
        (partition_shorter_in_one_sequence, "udf-sequences"),
        (partition_too_short, "udf-partition"),
        (partition_too_long, "udf-partition"),
        (integrity_size, "udf-integrity"),
        (volume_left_open, "udf-integrity"),
        (entry_longer, "udf-entry"),
        (entry_blocks, "udf-entry"),
        (entry_moved, "trees-disagree"),
        (entry_outside, "udf-partition"),
    ],
)
def test_a_fault_of_udf_is_found(zoo: Zoo, fault: Callable[[Faulty], None], code: str) -> None:
    image = Faulty(zoo["udf-bridge"])
    fault(image)
    assert code in image.codes()


@cache
def both_endian_fields(path: Path) -> tuple[int, ...]:
    """Where every 32-bit number in both byte orders stands: descriptors and all records."""
    image = Faulty(path)
    found = [image.descriptor(kind) + at for kind in (1, 2) for at in (80, 132, 158, 166)]
    for offsets in image.records.values():
        found += [offset + at for offset in offsets for at in (2, 10)]
    at = -1
    while (at := image.data.find(b"PX\x24\x01", at + 1)) >= 0:
        found += range(at + 4, at + 36, 8)
    return tuple(found)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_half_of_any_number_in_both_orders(zoo: Zoo, data: st.DataObject) -> None:
    path = zoo["deep"]
    at = data.draw(st.sampled_from(both_endian_fields(path))) + data.draw(st.integers(0, 7))
    image = bytearray(path.read_bytes())
    image[at] ^= data.draw(st.integers(1, 255))
    assert "byte-orders" in {one.code for one in check(MemorySource(bytes(image)))}


@cache
def tagged_bytes(path: Path) -> tuple[range, ...]:
    """What the tags of UDF descriptors protect: themselves, and what their CRC is over."""
    image = Faulty(path)
    starts = [256 * SECTOR, integrity(image), *image.udf.values()]
    starts += [sequence(image, tag, at) for tag in (1, 5, 6) for at in (16, 24)]
    lengths = (struct.unpack_from("<H", image.data, start + 10)[0] for start in starts)
    return tuple(range(a, a + 16 + n) for a, n in zip(starts, lengths, strict=True))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_byte_under_a_udf_tag(zoo: Zoo, data: st.DataObject) -> None:
    path = zoo["udf-bridge"]
    protected = data.draw(st.sampled_from(tagged_bytes(path)))
    at = data.draw(st.sampled_from(protected))
    image = bytearray(path.read_bytes())
    image[at] ^= data.draw(st.integers(1, 255))
    codes = {one.code for one in check(MemorySource(bytes(image)))}
    assert codes & {"udf-tag", "udf-anchor", "udf-volume"}


def contents(image: Faulty) -> Iterator[tuple[int, int]]:
    for entries in image.entries.values():
        for entry in entries.values():
            if entry.kind == "file":
                yield from entry.extents


def test_contents_are_not_looked_at(zoo: Zoo) -> None:
    image = Faulty(zoo["udf-bridge"])
    before = zlib.crc32(image.data)
    for start, length in contents(image):
        image.data[start : start + length] = bytes(length)
    assert zlib.crc32(image.data) != before
    assert image.codes() == set()


def test_noise_ends_with_findings_and_no_exception() -> None:
    for image in (b"", bytes(100), bytes(40 * SECTOR), b"\1CD001\1".ljust(SECTOR, b"\0") * 20):
        found = check(MemorySource(image))
        assert found
        assert all(isinstance(one, Fault) for one in found)


def test_a_vendor_s_own_faults_are_told_from_new_ones(zoo: Zoo) -> None:
    image = Faulty(zoo["genisoimage"])
    bad_date(image)
    before = check(MemorySource(bytes(image.data)))
    file_longer_in_one_tree(image)
    after = check(MemorySource(bytes(image.data)))
    assert [one.code for one in before] == ["date"]
    assert {one.code for one in after} == {"date", "overlap", "trees-disagree"}
    assert {one.code for one in introduced(after, before)} == {"overlap", "trees-disagree"}
