# SPDX-License-Identifier: Apache-2.0
"""A new image from entries, read back by everybody and independent of the clock."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ngtpatch.errors import NgtpatchError
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.master import DiscDirectory, DiscFile, DiscNode, DiscSymlink, master
from tests.iso.readers import agree, by_ngtpatch, readers_of

CREATED = 1_600_000_000
ALL = ("iso9660", "rock_ridge", "joliet", "udf")
SETS = [ALL, ALL[:3], ALL[:2], ("iso9660", "joliet"), ("iso9660", "udf"), ("iso9660",)]

NODES: tuple[DiscNode, ...] = (
    DiscDirectory(path="config", mode=0o700, mtime=1_500_000_000),
    DiscFile(path="config/key.pem", content=b"k" * 2048, mode=0o600, mtime=1_400_000_000),
    DiscFile(path="config/empty", content=b""),
    DiscFile(path="deep/er/and/deeper/still/a file of a longer name.tar.gz", content=b"x" * 4097),
    DiscFile(path="deep/er/and/deeper/still/a file of a longer name.tar.bz", content=b"y"),
    DiscSymlink(path="link", target="deep/er", mtime=1_450_000_000),
    DiscFile(path="streamed", content=io.BytesIO(b"s" * 3000), mode=0o755),
)


def written(path: Path, nodes: tuple[DiscNode, ...], trees: tuple[str, ...] = ALL) -> Path:
    with path.open("w+b") as file:
        master(file, nodes, volume_id="A_VOLUME", created=CREATED, trees=trees)
    return path


@pytest.mark.parametrize("trees", SETS, ids="+".join)
def test_every_reader_sees_the_same(tmp_path: Path, trees: tuple[str, ...]) -> None:
    image = written(tmp_path / "i.iso", NODES, trees)
    with Volume.open(image) as volume:
        assert volume.volume_id == "A_VOLUME"
        assert volume.trees == trees
        for reader in readers_of(trees):
            assert agree(by_ngtpatch(volume, reader.tree), reader.listing(image)) == [], reader.name


def test_attributes(tmp_path: Path) -> None:
    with Volume.open(written(tmp_path / "i.iso", NODES)) as volume:
        for tree in ("rock_ridge", "udf"):
            entries = volume.entries(tree)
            assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
            modes = {path: entries[path].mode for path in ("config", "config/key.pem", "streamed")}
            assert {path: (mode or 0) & 0o7777 for path, mode in modes.items()} == {
                "config": 0o700,
                "config/key.pem": 0o600,
                "streamed": 0o755,
            }
            dates = {path: entries[path].mtime for path in (*modes, "deep/er")}
            assert {path: (date or "")[:19] for path, date in dates.items()} == {
                "config": "2017-07-14T02:40:00",
                "config/key.pem": "2014-05-13T16:53:20",
                "streamed": "2020-09-13T12:26:40",
                "deep/er": "2020-09-13T12:26:40",
            }
        assert volume.entries("rock_ridge")["link"].target == "deep/er"
        assert "link" not in volume.entries("joliet")


@pytest.fixture
def zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("trees", SETS, ids="+".join)
@pytest.mark.usefixtures("zone")
def test_no_clock_and_no_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trees: tuple[str, ...]
) -> None:
    first = written(tmp_path / "a.iso", NODES, trees).read_bytes()
    os.environ["TZ"] = "Asia/Kathmandu"
    time.tzset()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1e8)
    assert written(tmp_path / "b.iso", NODES[::-1], trees).read_bytes() == first


@pytest.mark.parametrize(
    ("nodes", "code"),
    [
        (
            (DiscFile(path="a", content=b""), DiscFile(path="a", content=b"")),
            "duplicate-path",
        ),
        ((DiscFile(path="a", content=b"", mtime=-1),), "no-such-date"),
        ((DiscFile(path="a", content=b"", mtime=6_000_000_000),), "no-such-date"),
        ((DiscFile(path="a", content=b"", mtime=1 << 80),), "no-such-date"),
        ((DiscFile(path="a/" + "n" * 300, content=b""),), "unwritable"),
        (
            (DiscFile(path="a", content=b""), DiscFile(path="a/b", content=b"")),
            "unwritable",
        ),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, nodes: tuple[DiscNode, ...], code: str) -> None:
    with pytest.raises(NgtpatchError) as caught:
        written(tmp_path / "i.iso", nodes)
    assert caught.value.code == code


@pytest.mark.parametrize("volume_id", ["A" * 33, "é" * 17])
def test_a_label_that_does_not_fit(tmp_path: Path, volume_id: str) -> None:
    with (tmp_path / "i.iso").open("w+b") as file, pytest.raises(NgtpatchError) as caught:
        master(file, NODES, volume_id=volume_id, created=CREATED)
    assert caught.value.code == "unwritable"


def test_a_tree_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(NgtpatchError) as caught:
        written(tmp_path / "i.iso", NODES, ("iso9660", "hfs"))
    assert caught.value.code == "no-such-tree"


NAME = st.text("abcABC019 ._-+~é日", min_size=1, max_size=40).filter(
    lambda name: name.strip(". ") == name
)
CONTENT = st.sampled_from((b"", b"1", b"2" * 2047, b"3" * 2048, b"4" * 2049))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.tuples(NAME, NAME), CONTENT, max_size=30))
def test_any_names_come_back(tmp_path: Path, files: dict[tuple[str, str], bytes]) -> None:
    """Names collide when they are shortened to ISO 9660's; no file is lost by it."""
    wanted = {"/".join(parts): content for parts, content in files.items()}
    nodes = tuple(DiscFile(path=path, content=content) for path, content in wanted.items())
    with Volume.open(written(tmp_path / "i.iso", nodes)) as volume:
        for tree in ("rock_ridge", "joliet", "udf"):
            entries = volume.entries(tree)
            assert {path for path, entry in entries.items() if entry.kind == "file"} == set(wanted)
        assert {path: volume.tree[path] for path in volume.tree} == wanted
        assert sum(e.kind == "file" for e in volume.entries("iso9660").values()) == len(wanted)
