# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.regions import (
    Overlay,
    Region,
    Seal,
    difference,
    flatten,
    merge_ranges,
    regions_digest,
)
from tests.iso.algebra import invert, whole


@st.composite
def edits(draw: st.DrawFn, base: bytes | None = None) -> tuple[bytes, bytes, Overlay]:
    """A base, the expected result, and the overlay that should give it."""
    if base is None:
        base = draw(st.binary(max_size=64))
    size = draw(st.integers(0, 96))
    expected = bytearray(base[:size]) + bytes(max(size - len(base), 0))
    regions, at = [], 0
    for _ in range(draw(st.integers(0, 4))):
        at += draw(st.integers(0, 12))
        new = draw(st.binary(min_size=1, max_size=12))[: max(size - at, 0)]
        if at < len(base):
            new = new[: len(base) - at]
        if not new:
            break
        regions.append(Region(at, base[at : at + len(new)], new))
        expected[at : at + len(new)] = new
        at += len(new)
    return base, bytes(expected), Overlay(MemorySource(base), regions, size=size)


@given(edits(), st.integers(0, 120), st.integers(0, 120))
def test_any_range_of_an_overlay_reads_as_the_edited_bytes(
    edit: tuple[bytes, bytes, Overlay], offset: int, length: int
) -> None:
    _, expected, overlay = edit
    assert overlay.read_at(offset, length) == expected[offset : offset + length]


@given(edits(), st.integers(1, 40))
def test_chunks_are_the_whole_result(edit: tuple[bytes, bytes, Overlay], block: int) -> None:
    _, expected, overlay = edit
    assert whole(overlay, block) == expected
    assert overlay.size == len(expected)


@given(edits())
def test_undoing_an_edit_gives_the_base(edit: tuple[bytes, bytes, Overlay]) -> None:
    base, _, overlay = edit
    if overlay.size >= len(base):  # what was cut off is not in the regions
        assert whole(invert(overlay)) == base


@given(st.data())
def test_an_edit_of_an_edit_flattens_to_one_over_the_base(data: st.DataObject) -> None:
    base, middle, lower = data.draw(edits())
    _, expected, over = data.draw(edits(base=middle))
    flat = flatten(Overlay(lower, over.regions, size=over.size))
    assert whole(flat) == expected
    assert flat.base.read_at(0, 1000) == base
    for region in flat.regions:
        assert region.original in (b"", base[region.offset : region.end])


@given(
    st.binary(max_size=80),
    st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30))),
)
def test_difference_finds_what_differs_in_the_ranges(
    before: bytes, after: bytes, ranges: list[tuple[int, int]]
) -> None:
    regions = difference(MemorySource(before), MemorySource(after), ranges)
    covered = {at for offset, length in ranges for at in range(offset, offset + length)}
    result = bytearray(before) + bytes(max(len(after) - len(before), 0))
    for region in regions:
        assert region.new != region.original
        assert covered >= set(range(region.offset, region.end))
        result[region.offset : region.end] = region.new
    for at in covered:
        if at < len(after):
            assert result[at] == after[at]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20))))
def test_merged_ranges_cover_the_same_bytes_apart_from_each_other(
    ranges: list[tuple[int, int]],
) -> None:
    merged = merge_ranges(ranges)
    before = {at for offset, length in ranges for at in range(offset, offset + length)}
    after = [at for offset, length in merged for at in range(offset, offset + length)]
    assert len(after) == len(set(after))
    assert set(after) == before
    assert all(a[0] + a[1] < b[0] for a, b in itertools.pairwise(merged))


@pytest.mark.parametrize(
    "regions",
    [
        [Region(0, b"ab", b"xy"), Region(1, b"b", b"z")],
        [Region(3, b"de", b"xy")],  # reaches behind a base of four bytes
        [Region(2, b"", b"x")],  # appended in the middle
    ],
)
def test_regions_that_do_not_fit_are_refused(regions: list[Region]) -> None:
    with pytest.raises(ValueError, match=r"overlap|does not fit"):
        Overlay(MemorySource(b"abcd"), regions)


def test_a_region_is_as_long_as_what_it_replaces() -> None:
    with pytest.raises(ValueError, match="as long"):
        Region(0, b"abc", b"ab")


def test_a_late_region_is_made_from_the_bases_digest() -> None:
    overlay = Overlay(
        MemorySource(b"base"),
        [Region(4, b"", bytes(8))],
        seal=Seal((), lambda digests: Region(4, b"", digests[0][:8].encode())),
    )
    assert overlay.sealed(["0123456789"]).read_at(0, 99) == b"base01234567"
    assert overlay.read_at(4, 8) == bytes(8)


def test_the_regions_digest_tells_place_content_and_size_apart() -> None:
    one = regions_digest([Region(0, b"a", b"b")], 4)
    others = [
        regions_digest([Region(1, b"a", b"b")], 4),
        regions_digest([Region(0, b"a", b"c")], 4),
        regions_digest([Region(0, b"a", b"b")], 5),
        regions_digest([], 4),
    ]
    assert one not in others
    assert len(set(others)) == 4
