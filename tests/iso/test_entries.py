# SPDX-License-Identifier: Apache-2.0
"""Files added to images and removed from them."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch.errors import InputError, NgtpatchError, Refusal
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.iso.write.undo import reset
from tests.iso.images import Zoo
from tests.iso.layouts import FACTORY, noise
from tests.iso.test_edit import (
    EDITABLE,
    _bsdtar,
    _isoinfo,
    _seven_zip,
    _xorriso,
    holding,
    listing,
    reopened,
)
from tests.iso.test_record import NOTE, WITH_KEY, windows


def beside(path: str, name: str) -> str:
    return f"{path.rpartition('/')[0]}/{name}".lstrip("/")


def folders(volume: Volume) -> list[str]:
    """Return the root, the deepest directory, the fullest, and the factory's."""
    tree = volume.primary_tree
    paths = ["", *(p for p, e in volume.entries(tree).items() if e.kind == "directory")]
    paths = [path for path in paths if "moved" not in path.lower()]
    deepest = max(paths, key=lambda path: path.count("/"))
    fullest = max(paths, key=lambda path: len(volume.siblings(tree, path)))
    factory = holding(volume, FACTORY).rpartition("/")[0]
    return list(dict.fromkeys(["", deepest, fullest, factory]))


def names(count: int, volume: Volume) -> list[str]:
    upper = volume.primary_tree == "iso9660"
    found = [f"new_{number}.py" for number in range(count)]
    return [name.upper() for name in found] if upper else found


@pytest.mark.parametrize("count", [1, 90])
@pytest.mark.parametrize("name", EDITABLE)
def test_added_files_are_in_every_tree_and_nothing_else_changes(
    zoo: Zoo, name: str, count: int
) -> None:
    with Volume.open(zoo[name]) as volume:
        new = {
            f"{folder}/{base}".lstrip("/"): NewFile(noise(folder + base, 100 + 30 * at), 0o755)
            for folder in folders(volume)
            for at, base in enumerate(names(count, volume))
        }
        after = reopened(edit(volume, add=new))
        for path, file in new.items():
            assert after.tree[path] == file.content
        for tree in volume.trees:
            old, now = listing(volume, tree), listing(after, tree)
            assert {path: now.get(path) for path in old} == old
            added = {path: now[path] for path in now.keys() - old.keys()}
            assert sorted(str(about[-1]) for about in added.values()) == sorted(
                hashlib.sha256(file.content).hexdigest() for file in new.values()
            )
            if tree == volume.primary_tree:
                assert added.keys() == new.keys()
            for about in added.values():
                assert about[0] == "file"
                assert about[2] in (None, 0o755)


@pytest.mark.parametrize("name", EDITABLE)
def test_removed_files_are_gone_from_every_tree_and_nothing_else_changes(
    zoo: Zoo, name: str
) -> None:
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        after = reopened(edit(volume, remove=[path]))
        for tree in volume.trees:
            old, now = listing(volume, tree), listing(after, tree)
            (gone,) = old.keys() - now.keys()
            assert old.pop(gone)[-1] == hashlib.sha256(FACTORY).hexdigest()
            assert now == old
        assert path not in after.tree


@pytest.mark.parametrize("name", EDITABLE)
def test_adding_removing_and_replacing_together_is_undone_byte_for_byte(
    zoo: Zoo, tmp_path: Path, name: str
) -> None:
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        other = next(
            p
            for p in volume.tree
            if p not in (path, "boot.img", "boot.cat") and volume.tree.size(p) > 1000
        )
        (first, second, *more) = names(60, volume)
        plan = edit(
            volume,
            replace={other: b"short"},
            remove={path},
            add={beside(path, base): NewFile(noise(base, 3000)) for base in (first, *more)},
            note=NOTE,
        )
        write_file(plan.overlay(), tmp_path / "new.iso")
    with Volume.open(tmp_path / "new.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
        kinds = {change.path: change.kind for change in volume.record.changes}
        assert kinds[path] == "removed"
        assert kinds[other] == "changed"
        assert kinds[beside(path, first)] == "added"
        # A second edit on top: what was added goes again, and something else comes.
        again = edit(
            volume,
            remove={beside(path, first)},
            add={beside(path, second): NewFile(b"second")},
        )
        write_file(again.overlay(), tmp_path / "again.iso")
    with Volume.open(tmp_path / "again.iso") as volume:
        assert beside(path, first) not in volume.tree
        assert volume.tree[beside(path, second)] == b"second"
        assert isinstance(volume.record, BuildRecord)
        assert beside(path, first) not in {change.path for change in volume.record.changes}
        assert reset(volume, tmp_path / "back.iso").verified
    assert (tmp_path / "back.iso").read_bytes() == zoo[name].read_bytes()


@pytest.mark.parametrize("name", WITH_KEY)
def test_no_window_of_a_removed_key_is_left_anywhere(zoo: Zoo, tmp_path: Path, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        path = next(p for p in volume.tree if p.endswith("client-key.pem"))
        content = volume.tree[path]
        key = windows(content, zoo[name].read_bytes().replace(content, b""))
        write_file(edit(volume, remove={path}, scrub={path}, note=NOTE).overlay(), tmp_path / "n")
    found = (tmp_path / "n").read_bytes()
    assert len(key) > 20
    assert not [window for window in key if window in found]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (name, read)
        for name in ("genisoimage", "xorriso", "udf-bridge", "deep", "pycdlib")
        for read in (_xorriso, _seven_zip, _bsdtar, _isoinfo)
        # isoinfo follows no relocated directory, not even in the image as it was made.
        if (name, read) != ("deep", _isoinfo)
    ],
)
@pytest.mark.parametrize("count", [1, 90])
def test_other_programs_read_the_new_files(
    zoo: Zoo, tmp_path: Path, name: str, count: int, read: Callable[[Path, str, Path], bytes]
) -> None:
    with Volume.open(zoo[name]) as volume:
        folder = folders(volume)[1]
        new = {f"{folder}/{base}": NewFile(noise(base, 5000)) for base in names(count, volume)}
        write_file(edit(volume, add=new).overlay(), tmp_path / "new.iso")
    for path in (min(new), max(new)):
        (tmp_path / "extracted").unlink(missing_ok=True)
        content = read(tmp_path / "new.iso", path, tmp_path / "extracted")
        assert content == new[path].content


@pytest.mark.parametrize("name", ["udf-bridge", "udf-plain", "udf-pycdlib", "deep-udf"])
def test_the_udf_tree_is_sound_for_7_zip(zoo: Zoo, tmp_path: Path, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        new = {
            f"{folder}/{base}".lstrip("/"): NewFile(noise(base, 5000))
            for folder in folders(volume)
            for base in names(90, volume)
        }
        path = holding(volume, FACTORY)
        write_file(edit(volume, add=new, remove={path}).overlay(), tmp_path / "new.iso")
    with Volume.open(tmp_path / "new.iso") as volume:
        command = ["7z", "x", "-tudf", "-y", "-bd", f"-o{tmp_path / 'out'}", "new.iso"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        for there, entry in volume.entries("udf").items():
            if entry.kind == "file":
                content = b"".join(volume.read_at(*extent) for extent in entry.extents)
                assert (tmp_path / "out" / there).read_bytes() == content
        found = sum(1 for one in (tmp_path / "out").rglob("*") if one.is_file())
        assert found == sum(e.kind == "file" for e in volume.entries("udf").values())


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("config/ngt_config.json", Refusal, "already-there"),
        ("config", Refusal, "already-there"),
        ("nowhere/file", InputError, "not-found"),
        ("setup.exe/file", InputError, "not-found"),
        ("config/../file", InputError, "hostile-name"),
        ("config/a\\b", InputError, "hostile-name"),
        ("config/" + "long" * 70, Refusal, "bad-name"),
        ("config/what?", Refusal, "bad-name"),
    ],
)
def test_what_cannot_be_added_is_refused(
    zoo: Zoo, path: str, error: type[NgtpatchError], code: str
) -> None:
    with Volume.open(zoo["udf-bridge"]) as volume:
        with pytest.raises(error) as refused:
            edit(volume, add={path: NewFile(b"")})
        assert refused.value.code == code


def test_a_path_named_twice_is_the_callers_mistake(zoo: Zoo) -> None:
    path = "config/ngt_config.json"
    with Volume.open(zoo["genisoimage"]) as volume:
        with pytest.raises(ValueError, match="both in replace and in remove"):
            edit(volume, replace={path: b""}, remove={path})
        with pytest.raises(ValueError, match="neither replaced nor removed"):
            edit(volume, scrub={path})


@pytest.mark.parametrize(
    "name", ["genisoimage", "xorriso", "udf-bridge", "normalised", "level4", "relaxed-names"]
)
def test_what_is_removed_and_added_again_bears_its_old_names(
    zoo: Zoo, tmp_path: Path, name: str
) -> None:
    with Volume.open(zoo[name]) as volume:
        path = holding(volume, FACTORY)
        write_file(edit(volume, remove={path}).overlay(), tmp_path / "without.iso")
        with Volume.open(tmp_path / "without.iso") as without:
            after = reopened(edit(without, add={path: NewFile(FACTORY)}))
            for tree in volume.trees:
                assert after.entries(tree).keys() == volume.entries(tree).keys()


def test_a_secret_leaves_no_digest_in_the_record(zoo: Zoo) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        new = {"config/key.pem": NewFile(b"key", 0o600, secret=True)}
        plan = edit(volume, add=new, note=NOTE)
        assert [change.sha256_after for change in plan.changes] == [None]
        digest = hashlib.sha256(b"key").hexdigest()
        assert digest.encode() not in plan.overlay().read_at(volume.size, plan.size)


@pytest.mark.parametrize("name", ["xorriso", "pycdlib-rrip112", "hard-links-xorriso"])
def test_new_files_are_no_hard_links_of_each_other(zoo: Zoo, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        new = {f"config/n{at}": NewFile(b"x") for at in range(3)}
        nodes = reopened(edit(volume, add=new)).records["rock_ridge"].nodes
        serials = [nodes[path].rock_ridge.serial for path in new]  # type: ignore[union-attr]
        others = [n.rock_ridge.serial for p, n in nodes.items() if p not in new and n.rock_ridge]
        assert None in serials or (len(set(serials)) == 3 and not set(serials) & set(others))
