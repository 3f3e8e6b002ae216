# SPDX-License-Identifier: Apache-2.0
"""Content that is not in memory: in new sectors, and what it replaces stays where it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ngtpatch.iso.edit.image_edit import EditPlan, Note, edit
from ngtpatch.iso.read.build_record import BuildRecord, Change
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.regions import BLOCK, SourcedRegion
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.iso.algebra import whole
from tests.iso.images import Zoo
from tests.iso.layouts import FACTORY, noise
from tests.iso.test_edit import EDITABLE, holding, listing, reopened

SIZES = (2049, 3 * BLOCK + 12_345)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def applied(plan: EditPlan) -> bytes:
    return whole(plan.overlay())


@pytest.mark.parametrize("length", SIZES)
@pytest.mark.parametrize("name", EDITABLE)
def test_it_is_read_as_content_in_memory_would_be(zoo: Zoo, name: str, length: int) -> None:
    content = noise("a", length)
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        before = {tree: listing(volume, tree) for tree in volume.trees}
        old = [
            (at, volume.read_at(at, size))
            for at, size in volume.entries(volume.primary_tree)[path].extents
        ]
        plan = edit(volume, replace={path: MemorySource(content)}, note=Note({}))
        after = reopened(plan)
        assert after.tree[path] == content
        for tree, entries in before.items():
            found = listing(after, tree)
            assert found.keys() == entries.keys()
            changed = [one for one in entries if entries[one] != found[one]]
            assert len(changed) == 1
        # The vendor's bytes are where they were, nobody's now.
        assert all(after.read_at(at, len(data)) == data for at, data in old)


def test_the_undo_needs_no_copy_and_a_second_edit_composes(zoo: Zoo, tmp_path: Path) -> None:
    name = EDITABLE[0]
    vendor = zoo[name].read_bytes()
    first, second = tmp_path / "first.iso", tmp_path / "second.iso"
    content, other = noise("a", 2 * BLOCK + 7), noise("b", BLOCK + 99)
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        inner = Change("./a.py", sha256(b"1"), sha256(b"2"), within=path)
        plan = edit(volume, replace={path: MemorySource(content)}, note=Note({}, within=[inner]))
        assert sum(isinstance(region, SourcedRegion) for region in plan.regions) == 2
        write_file(plan.overlay(), first)
        assert first.read_bytes()[: plan.record.offset] == applied(plan)[: plan.record.offset]  # type: ignore[union-attr]
    for image, wanted in ((first, content), (second, other)):
        if image is second:
            with Volume.open(first) as volume:
                again = edit(volume, replace={path: MemorySource(other)}, note=Note({}))
                write_file(again.overlay(), second)
        with Volume.open(image) as volume:
            record = volume.record
            assert isinstance(record, BuildRecord)
            assert record.intact(volume.source)
            assert inner in record.changes
            assert volume.tree[path] == wanted
            assert len(record.undo) < 4096
            assert whole(record.vendor(volume.source)) == vendor


def test_what_has_become_shorter_is_an_error() -> None:
    source = MemorySource(b"1234")
    with pytest.raises(ValueError, match="shorter"):
        _ = SourcedRegion(0, source, 2, 4).new
    for offset, length in ((-1, 1), (0, 0), (0, BLOCK + 1)):
        with pytest.raises(ValueError, match="a region"):
            SourcedRegion(offset, source, 0, length)
