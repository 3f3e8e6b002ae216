# SPDX-License-Identifier: Apache-2.0
"""Stores that others can write to: what is taken is what would be made, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.errors import NgtpatchError, UsageError
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.packer import prepare
from ngtpatch.sample import write_sample
from tests.requirements import missing


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vendor") / "ngt.iso"
    write_sample(path)
    return path


def sha256(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def poison(store: Path, change: Callable[[dict[str, Any]], object] = lambda note: None) -> bytes:
    """Put other bytes in the place of the ISO, with a note that fits them."""
    [image], [note] = store.glob("*.iso"), store.glob(".ngtpatch-*.json")
    content = bytearray(image.read_bytes())
    content[60_000:60_006] = b"poison"
    image.write_bytes(content)
    body = json.loads(note.read_text())
    body["image"].update(sha256=hashlib.sha256(content).hexdigest(), notices=["all is well"])
    change(body)
    note.write_text(json.dumps(body))
    return bytes(content)


@pytest.mark.parametrize("place", ["cache", "output"])
def test_a_planted_entry_is_never_taken(vendor: Path, tmp_path: Path, place: str) -> None:
    cache, out = tmp_path / "cache", tmp_path / "out"
    first = prepare(vendor, distros=["rocky"], output=out, cache_dir=cache)
    poison(cache)
    poison(out)
    where = out if place == "output" else tmp_path / "other"
    again = prepare(vendor, distros=["rocky"], output=where, cache_dir=cache)
    assert again.origin == "built"
    assert again.iso_sha256 == first.iso_sha256 == sha256(again.iso_path)
    assert any("was not reused" in notice for notice in again.notices)
    assert "all is well" not in again.notices
    assert (
        prepare(vendor, distros=["rocky"], output=tmp_path / "c", cache_dir=cache).origin == "cache"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note["image"].update(changed=[]),
        lambda note: note["image"].update(profiles=["almalinux"]),
        lambda note: note["image"].update(carries_identity=True),
        lambda note: note.update(ngt_version="\x1b[31m9.9"),
        lambda note: note["image"].update(notices=["-----BEGIN PRIVATE KEY-----"]),
    ],
)
def test_what_a_note_says_of_the_iso_is_not_repeated(
    vendor: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    cache = tmp_path / "cache"
    first = prepare(vendor, distros=["rocky"], output=tmp_path / "a", cache_dir=cache)
    [note] = cache.glob(".ngtpatch-*.json")
    body = json.loads(note.read_text())
    change(body)
    note.write_text(json.dumps(body))
    other = prepare(vendor, distros=["rocky"], output=tmp_path / "b", cache_dir=cache)
    assert other.iso_sha256 == first.iso_sha256
    told = ("profile", "changed", "carries_identity", "ngt_version", "notices")
    assert [getattr(other, name) for name in told] == [getattr(first, name) for name in told]


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
@pytest.mark.parametrize("which", ["image", "note"])
def test_what_is_no_file_is_named_and_not_read(
    vendor: Path, tmp_path: Path, kind: str, which: str
) -> None:
    cache = tmp_path / "cache"
    prepare(vendor, distros=["rocky"], output=tmp_path / "a", cache_dir=cache)
    [image], [note] = cache.glob("*.iso"), cache.glob(".ngtpatch-*.json")
    victim = {"image": image, "note": note}[which]
    kept = tmp_path / "kept"
    victim.rename(kept)
    before = kept.read_bytes()
    if kind == "link":
        victim.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(victim)
    else:
        victim.mkdir()
    if kind == "directory" or (kind, which) == ("pipe", "note"):
        # It is in the way of the new one.
        with pytest.raises((NgtpatchError, OSError)) as refused:
            prepare(vendor, distros=["rocky"], output=tmp_path / "b", cache_dir=cache)
        assert victim.name in str(refused.value)
        return
    again = prepare(vendor, distros=["rocky"], output=tmp_path / "b", cache_dir=cache)
    assert again.origin == "built"
    assert any("link" in notice or "not a file" in notice for notice in again.notices)
    assert kept.read_bytes() == before


@pytest.mark.parametrize("name", ["link", "second name"])
def test_a_lock_that_leads_elsewhere_is_refused_by_name(
    vendor: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    prepare(vendor, distros=["rocky"], output=out)
    [lock] = out.glob(".ngtpatch-*.lock")
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    lock.unlink()
    if name == "link":
        lock.symlink_to(precious)
    else:
        lock.hardlink_to(precious)
    with pytest.raises(NgtpatchError) as refused:
        prepare(vendor, distros=["rocky"], output=out)
    assert (refused.value.code, refused.value.path) == ("unsafe-lock", str(lock))
    assert precious.read_bytes() == b"precious"


def test_an_output_that_others_could_change_later_is_made_again(
    vendor: Path, tmp_path: Path
) -> None:
    first = prepare(vendor, distros=["rocky"], output=tmp_path)
    (tmp_path / "second").hardlink_to(first.iso_path)
    again = prepare(vendor, distros=["rocky"], output=tmp_path)
    assert again.origin == "built"
    assert any("second name" in notice for notice in again.notices)
    Path(again.iso_path).chmod(0o666)
    again = prepare(vendor, distros=["rocky"], output=tmp_path)
    assert any("everybody" in notice for notice in again.notices)
    assert Path(again.iso_path).stat().st_mode & 0o002 == 0
    if os.geteuid() != 0:
        missing("root", "a second user is needed")
    os.chown(again.iso_path, 65534, 65534)
    again = prepare(vendor, distros=["rocky"], output=tmp_path)
    assert any("another user's" in notice for notice in again.notices)
    assert Path(again.iso_path).stat().st_uid == 0


def test_a_cache_of_a_group_or_of_everybody_goes_on_working(vendor: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for bits in (0o2775, 0o1777):
        cache.chmod(bits)
        prepare(vendor, distros=["rocky"], output=tmp_path / f"a{bits}", cache_dir=cache)
        for path in cache.iterdir():
            if os.geteuid() == 0:  # made by a colleague
                os.chown(path, 65534, 65534)
        taken = prepare(vendor, distros=["rocky"], output=tmp_path / f"b{bits}", cache_dir=cache)
        assert taken.origin == "cache"
        assert Path(taken.iso_path).stat().st_uid == os.geteuid()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 300, "..", "", 5])
def test_a_note_that_names_no_file_is_passed_over(
    vendor: Path, tmp_path: Path, name: object
) -> None:
    out = tmp_path / "out"
    first = prepare(vendor, distros=["rocky"], output=out)
    [note] = out.glob(".ngtpatch-*.json")
    note.write_text(json.dumps({**json.loads(note.read_text()), "name": name}))
    again = prepare(vendor, distros=["rocky"], output=out)
    assert (again.origin, again.iso_sha256) == ("built", first.iso_sha256)
    assert "was not reused" in again.notices[-1]


@pytest.mark.parametrize("kind", ["directory", "link", "pipe"])
def test_what_stands_where_another_build_would_work_is_not_in_the_way(
    vendor: Path, tmp_path: Path, kind: str
) -> None:
    planted, kept = tmp_path / ".ngtpatch-other.part.iso", tmp_path / "kept"
    kept.write_bytes(b"kept")
    if kind == "directory":
        planted.mkdir()
    elif kind == "link":
        planted.symlink_to(kept)
    else:
        os.mkfifo(planted)
    assert prepare(vendor, distros=["rocky"], output=tmp_path).origin == "built"
    assert kept.read_bytes() == b"kept"


@pytest.mark.parametrize("what", ["part", "iso"])
def test_a_directory_in_the_way_is_named(vendor: Path, tmp_path: Path, what: str) -> None:
    first = prepare(vendor, distros=["rocky"], output=tmp_path)
    [lock] = tmp_path.glob(".ngtpatch-*.lock")
    Path(first.iso_path).unlink()
    way = lock.with_suffix(".part.iso") if what == "part" else Path(first.iso_path)
    way.mkdir()
    with pytest.raises(UsageError) as refused:
        prepare(vendor, distros=["rocky"], output=tmp_path)
    assert (refused.value.code, refused.value.path) == ("is-directory", str(way))
    assert not any(path.is_file() for path in tmp_path.glob("*.part.iso"))


def test_another_user_s_note_does_not_give_my_file_away(vendor: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root", "a second user is needed")
    first = prepare(vendor, distros=["rocky"], output=tmp_path / "golden.iso")
    Path(first.iso_path).write_bytes(b"mine")
    [note] = tmp_path.glob(".ngtpatch-*.json")
    os.chown(note, 65534, 65534)
    with pytest.raises(UsageError) as refused:
        prepare(vendor, distros=["almalinux"], output=tmp_path / "golden.iso")
    assert refused.value.code == "output-exists"
    os.chown(first.iso_path, 65534, 65534)  # a colleague's, both
    made = prepare(vendor, distros=["almalinux"], output=tmp_path / "golden.iso")
    assert made.origin == "built"


def test_a_source_that_is_another_when_it_is_rebuilt_is_not_stored_under_the_first_one_s_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "ngt.iso"
    write_sample(source, seed="first")

    def late(*arguments: Any, **options: Any) -> Any:
        write_sample(source, seed="second", force=True)
        return rebuild(*arguments, **options)

    monkeypatch.setattr("ngtpatch.packer.preparing.rebuild", late)
    with pytest.raises(NgtpatchError) as failed:
        prepare(source, distros=["rocky"], output=tmp_path / "out", cache_dir=tmp_path / "cache")
    assert failed.value.code == "source-changed"
    assert [*tmp_path.glob("*/*.iso"), *tmp_path.glob("*/.*.iso")] == []
