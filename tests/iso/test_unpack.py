# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from ngtpatch.errors import InputError, NgtpatchError, UsageError
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.host_directory import HostDirectory
from ngtpatch.iso.read.link_target import link_problem
from ngtpatch.iso.read.regions import Overlay
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.unpack import write_tree
from ngtpatch.sample import write_sample
from tests.iso.images import Zoo
from tests.iso.layouts import FACTORY_PATH
from tests.iso.test_edit import EDITABLE
from tests.requirements import tool

KEY = "config/client-key.pem"


def seen(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("symlink", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory",)
        else:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = ("file", stat.S_IMODE(status.st_mode), digest)
    return found


ABSOLUTE_LINK = [name for name in EDITABLE if name.startswith("long-names")]


@pytest.mark.parametrize("name", ABSOLUTE_LINK)
def test_an_absolute_link_is_not_unpacked(zoo: Zoo, tmp_path: Path, name: str) -> None:
    with Volume.open(zoo[name]) as volume, pytest.raises(InputError) as refused:
        write_tree(volume, tmp_path / "tree")
    assert refused.value.code == "hostile-name"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(set(EDITABLE) - set(ABSOLUTE_LINK)))
def test_the_tree_is_the_image(zoo: Zoo, tmp_path: Path, name: str) -> None:
    with Volume.open(zoo[name]) as volume:
        written = write_tree(volume, tmp_path / "tree")
        found = seen(tmp_path / "tree")
        entries = volume.entries(volume.primary_tree)
        assert found.keys() == entries.keys()
        assert written.files == len(volume.tree)
        for path, entry in entries.items():
            kind, *rest = found[path]
            assert kind == entry.kind
            if kind == "file":
                content = volume.tree[path]
                assert rest[0] == (0o644 if entry.mode is None else entry.mode)
                assert rest[1] == hashlib.sha256(content).hexdigest()
            elif kind == "symlink":
                assert rest[0] == entry.target


def test_another_program_unpacks_the_same(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    command = [tool("bsdtar", "libarchive-tools"), "-xpf", str(zoo["genisoimage"])]
    subprocess.run([*command, "-C", str(tmp_path / "theirs")], check=True)
    with Volume.open(zoo["genisoimage"]) as volume:
        write_tree(volume, tmp_path / "ours")
    assert seen(tmp_path / "ours") == seen(tmp_path / "theirs")


def test_a_plans_result_is_unpacked_and_keys_are_private(zoo: Zoo, tmp_path: Path) -> None:
    with Volume.open(zoo["udf-bridge"]) as volume:
        plan = edit(volume, replace={FACTORY_PATH: b"patched"})
        result = Volume(plan.overlay(), volume.path, second_opinion=False)
        write_tree(result, tmp_path / "tree", private={KEY, "config/client-cert.pem"})
    assert (tmp_path / "tree" / FACTORY_PATH).read_bytes() == b"patched"
    for path in (KEY, "config/client-cert.pem"):
        assert stat.S_IMODE((tmp_path / "tree" / path).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("target", "code"),
    [("full", "output-exists"), ("file", "not-a-directory"), ("file/in", "not-a-directory")],
)
def test_destinations_that_cannot_be_written(
    zoo: Zoo, tmp_path: Path, target: str, code: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/kept").write_text("kept")
    (tmp_path / "file").write_text("kept")
    before = seen(tmp_path)
    with Volume.open(zoo["flat"]) as volume, pytest.raises(UsageError) as refused:
        write_tree(volume, tmp_path / target)
    assert refused.value.code == code
    assert seen(tmp_path) == before


def test_force_replaces_a_directory_as_a_whole(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/old").write_text("old")
    (tmp_path / "empty").mkdir()
    with Volume.open(zoo["flat"]) as volume:
        write_tree(volume, tmp_path / "full", force=True)
        write_tree(volume, tmp_path / "empty")
        assert seen(tmp_path / "full").keys() == volume.entries("rock_ridge").keys()
    assert seen(tmp_path / "full") == seen(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_directory_that_appears_meanwhile_is_kept(zoo: Zoo, tmp_path: Path, kind: str) -> None:
    tree = tmp_path / "tree"

    def others() -> None:
        (tmp_path / "theirs").write_text("kept")
        if kind == "directory":
            tree.mkdir(exist_ok=True)
        (tmp_path / "theirs").rename(tree / "kept" if kind == "directory" else tree)

    with Volume.open(zoo["flat"]) as volume:
        with pytest.raises(UsageError) as refused:
            write_tree(volume, tree, check=others)
        assert (refused.value.code, refused.value.path) == ("output-exists", str(tree))
        kept = tree / "kept" if kind == "directory" else tree
        assert kept.read_text() == "kept"
        assert list(tmp_path.iterdir()) == [tree]
        if kind == "directory":
            write_tree(volume, tree, check=others, force=True)
            assert not kept.exists()


@pytest.mark.parametrize("nth", [1, 3])
def test_nothing_is_left_when_unpacking_fails(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    calls = 0
    really = shutil.copyfileobj

    def failing(source: BinaryIO, target: BinaryIO, length: int) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(28, "No space left on device")
        really(source, target, length)

    monkeypatch.setattr(shutil, "copyfileobj", failing)
    with Volume.open(zoo["flat"]) as volume, pytest.raises(NgtpatchError) as failed:
        write_tree(volume, tmp_path / "tree")
    assert failed.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


def altered(image: Path, old: bytes, new: bytes) -> Overlay:
    """Return the image with every occurrence of *old*, of equal length, replaced."""
    data = image.read_bytes()
    assert len(old) == len(new)
    assert old in data
    return Overlay(MemorySource(data.replace(old, new)))


NAMES = [
    b"../../../../evil.py",
    b"/etc/cron.d/evil.py",
    b"a\\b\\c\\d\\e\\f\\evil.py",
    b"x\0" * 9 + b"y",
    b"a\x1b[31m\x07" + b"b" * 11,
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_that_lead_elsewhere_are_refused(zoo: Zoo, tmp_path: Path, name: bytes) -> None:
    old = b"installer_factory.py"[: len(name)]
    with pytest.raises(InputError) as refused:
        Volume(
            altered(zoo["rock-ridge-only"], old, name.ljust(len(old), b"x")),
            tmp_path / "hostile.iso",
            second_opinion=False,
        )
    assert refused.value.code == "hostile-name"
    assert "\x1b" not in str(refused.value)


def test_a_link_that_leads_out_is_refused_before_anything_is_written(
    zoo: Zoo, tmp_path: Path
) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        entries = volume.entries("rock_ridge").values()
        link = next(entry for entry in entries if entry.kind == "symlink")
        target = (link.target or "").encode()
        # As an SL component record: flags, length, text.
        old = bytes([0, len(target)]) + target
    evil = bytes([0, len(target)]) + b"../../../../../etc/passwd".ljust(len(target), b"x")
    volume = Volume(
        altered(zoo["genisoimage"], old, evil[: len(old)]), tmp_path / "x", second_opinion=False
    )
    with pytest.raises(InputError) as refused:
        write_tree(volume, tmp_path / "tree")
    assert refused.value.code == "hostile-name"
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    ("links", "out"),
    [
        ({"a": "b/c"}, False),
        ({"a": ".."}, True),
        ({"d/a": "../x"}, False),
        ({"d/a": "../../x"}, True),
        # Counted, `s/../..` stays inside; through s, which leads to the root's d, it does not.
        ({"d/e/s": "../..", "d/e/a": "s/.."}, True),
        ({"d/s": "..", "d/a": "s/../x"}, True),
        ({"s": "d/e", "a": "s/../../x"}, False),
        ({"s": "d/e", "a": "s/../../../x"}, True),
        ({"a": "s", "s": "/etc/passwd"}, True),
        ({"a": "b", "b": "a"}, True),
        ({"a": "a"}, True),
        ({"a": "nothing/there/../x"}, False),
        ({"a": ""}, True),
    ],
)
def test_a_link_is_followed_component_by_component(
    tmp_path: Path, links: dict[str, str], out: bool
) -> None:
    """Against what the operating system says of the same links."""
    root = tmp_path / "in" / "tree"
    (root / "d" / "e").mkdir(parents=True)
    for path, target in links.items():
        if target:
            (root / path).symlink_to(target)
    entries = dict(HostDirectory(root).entries())
    if "" in links.values():
        entries["a"] = replace(entries["d"], path="a", kind="symlink", target="")
    problems = [link_problem(entries, e) for e in entries.values() if e.kind == "symlink"]
    assert any(problems) == out
    if "" not in links.values() and "circle" not in str(problems):
        followed = [(root / path).resolve().is_relative_to(root) for path in links]
        assert all(followed) == (not out)


def test_the_umask_applies(tmp_path: Path) -> None:
    write_sample(tmp_path / "base.iso", era=2)
    before = os.umask(0o027)
    try:
        with Volume.open(tmp_path / "base.iso") as volume:
            write_tree(volume, tmp_path / "tree", private=["config/client-key.pem"])
    finally:
        os.umask(before)
    modes = {p.relative_to(tmp_path / "tree"): p.lstat().st_mode & 0o777
             for p in (tmp_path / "tree").rglob("*") if not p.is_symlink()}  # fmt: skip
    assert modes[Path("config/client-key.pem")] == 0o600
    assert modes[Path("installer/linux/install_ngt.py")] == 0o750
    assert modes[Path("setup.exe")] == 0o640
    assert modes[Path("installer")] == 0o750
    assert all(mode & 0o027 == 0 for mode in modes.values())
