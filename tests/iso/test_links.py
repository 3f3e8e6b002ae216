# SPDX-License-Identifier: Apache-2.0
"""Several names for one content: only the name that was asked for changes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from ngtpatch.errors import Refusal
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.iso.images import IMAGES, Zoo
from tests.iso.layouts import noise
from tests.iso.test_edit import (
    EDITABLE,
    _bsdtar,
    _isoinfo,
    _seven_zip,
    _xorriso,
    listing,
    reopened,
)

LINKED = ["hard-links", "hard-links-xorriso", "hard-links-udf"]


def linked(volume: Volume) -> list[str]:
    """Return the names that share one extent."""
    names = defaultdict(list)
    for path, entry in volume.entries(volume.primary_tree).items():
        if entry.kind == "file" and entry.size:
            names[entry.extents].append(path)
    return max(names.values(), key=len)


@pytest.mark.parametrize("length", [0, 5, 100_000])
@pytest.mark.parametrize("name", LINKED)
def test_one_link_changes_and_the_others_keep_their_content(
    zoo: Zoo, tmp_path: Path, name: str, length: int
) -> None:
    with Volume.open(zoo[name]) as volume:
        path, *others = linked(volume)
        assert others
        old = volume.tree[path]
        content = noise("link", length)
        plan = edit(volume, replace={path: content})
        after = reopened(plan)
        for tree in volume.trees:
            was, now = listing(volume, tree), listing(after, tree)
            assert len([p for p in was if was[p] != now[p]]) == 1
        assert after.tree[path] == content
        write_file(plan.overlay(), tmp_path / "new.iso")
    for read in (_xorriso, _seven_zip, _bsdtar, _isoinfo):
        for one, expected in ((path, content), (others[0], old)):
            (tmp_path / "extracted").unlink(missing_ok=True)
            assert read(tmp_path / "new.iso", one, tmp_path / "extracted") == expected


@pytest.mark.parametrize("name", LINKED)
def test_all_links_may_change_apart_from_each_other(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        new = {path: noise(path, 50) for path in linked(volume)}
        after = reopened(edit(volume, replace=new, scrub=new.keys()))
        assert {path: after.tree[path] for path in new} == new


@pytest.mark.parametrize("name", LINKED)
def test_what_another_name_still_shows_cannot_be_scrubbed(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        path, other, *_ = linked(volume)
        for request in ({"replace": {path: b"new"}}, {"remove": {path}}):
            with pytest.raises(Refusal) as refused:
                edit(volume, **request, scrub={path})
            assert refused.value.code == "shared-extent"
            assert refused.value.path == path
        assert other != path


@pytest.mark.parametrize("name", LINKED)
def test_removing_one_link_keeps_the_others(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        path, *others = linked(volume)
        after = reopened(edit(volume, remove={path}))
        assert path not in after.tree
        for other in others:
            assert after.tree[other] == volume.tree[other]


EMPTY = [name for name in EDITABLE if IMAGES[name].trees[0] in ("rock_ridge", "udf")]


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_file_gets_content_of_its_own(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        tree = volume.primary_tree
        empty = [p for p, e in volume.entries(tree).items() if e.kind == "file" and not e.size]
        for path in empty:
            after = reopened(edit(volume, replace={path: b"no longer"}))
            assert after.tree[path] == b"no longer"
            for one in volume.trees:
                was, now = listing(volume, one), listing(after, one)
                assert len([p for p in was if was[p] != now[p]]) == 1
