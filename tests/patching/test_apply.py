# SPDX-License-Identifier: Apache-2.0
"""Profiles and patches over a tree: exactly the chain's lines change, or nothing does."""

import difflib

import pytest

from ngtpatch.errors import InputError, Refusal
from ngtpatch.installer.recognition import find_sites
from ngtpatch.patching.apply import Patched, apply
from ngtpatch.patching.outcome import Already
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import load_profiles
from tests.installer.texts import FACTORY, ROOT, UNINSTALLER, tree

PROFILES = load_profiles()
PATCHES = load_patches()
FACTORY_PATH = ROOT + "src/installer_factory.py"
UNINSTALLER_PATH = ROOT + "uninstall_ngt.py"


def patched(files: dict[str, bytes], *profiles: str) -> Patched:
    return apply(files, [PROFILES[name] for name in profiles], PATCHES)


def added(result: Patched, path: str) -> list[str]:
    (change,) = [change for change in result.changed if change.path == path]
    lines = list(
        difflib.ndiff(change.before.decode().splitlines(), change.after.decode().splitlines())
    )
    assert not [line for line in lines if line.startswith("- ")]
    return [line[2:] for line in lines if line.startswith("+ ")]


def test_both_places_accept_both_distributions_and_nothing_else_changes() -> None:
    files = tree()
    result = patched(files, "rocky", "almalinux")
    assert [change.path for change in result.changed] == [FACTORY_PATH, UNINSTALLER_PATH]
    assert [change.edits for change in result.changed] == [2, 2]
    assert [change.patches for change in result.changed] == [("factory",), ("uninstaller",)]
    assert result.already == ()
    assert added(result, FACTORY_PATH) == [
        '      "almalinux" in distribution or',
        '      "rocky linux" in distribution or',
    ]
    assert added(result, UNINSTALLER_PATH) == [
        '        "almalinux" in distribution or',
        '        "rocky linux" in distribution or',
    ]


def test_a_second_application_changes_nothing_and_says_so() -> None:
    first = patched(tree(), "rocky")
    again = patched(tree() | {one.path: one.after for one in first.changed}, "rocky")
    assert again.changed == ()
    assert again.already == (
        Already(FACTORY_PATH, "rocky", "redhat"),
        Already(UNINSTALLER_PATH, "rocky", "redhat"),
    )


def test_a_place_that_accepts_already_is_told_beside_one_that_changes() -> None:
    knows = FACTORY.replace('"centos" in', '"rocky linux" in distribution or\n      "centos" in')
    result = patched(tree(factory=knows), "rocky")
    assert [change.path for change in result.changed] == [UNINSTALLER_PATH]
    assert result.already == (Already(FACTORY_PATH, "rocky", "redhat"),)


def test_the_order_of_profiles_makes_no_difference() -> None:
    assert patched(tree(), "rocky", "almalinux") == patched(tree(), "almalinux", "rocky")


def test_the_result_decides_otherwise_for_the_profiles_names_only() -> None:
    files = tree()
    result = patched(files, "rocky", "almalinux")
    before = find_sites(files)
    after = find_sites(files | {one.path: one.after for one in result.changed})
    for name in ("Rocky Linux", "AlmaLinux", "AlmaLinux Kitten"):
        assert [site.decide(name).branch for site in before] == ["unsupported"] * 2
        assert [site.decide(name).branch for site in after] == ["redhat"] * 2
    for name in ("Ubuntu", "Debian GNU/Linux", "Fedora Linux", "CentOS Linux", "SLES", "openSUSE"):
        assert [site.decide(name).branch for site in before] == [
            site.decide(name).branch for site in after
        ]


@pytest.mark.parametrize(
    ("factory", "code", "says"),
    [
        (FACTORY.replace('print("U', "print 'x' 1 (\"U"), "unparsable", "18"),
        ("import distro\nprint(distro.linux_distribution())\n", "anchor-missing", "redhat"),
        (FACTORY + FACTORY, "anchor-ambiguous", '"centos" in distribution'),
        (FACTORY.replace(" or\n", " and\n"), "shape", '"centos" in distribution and'),
        (FACTORY.replace("distro.linux_distribution()[0]", "what()"), "shape", "followed"),
        (b"# coding: klingon\n" + FACTORY.encode(), "unparsable", "klingon"),
        (b"\xff\xfe" + FACTORY.encode("utf-16-le"), "unparsable", "decoded"),
        (FACTORY.replace('"ubuntu"', '"rocky"'), "conflict", "ubuntu"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "text",
)
def test_what_cannot_be_proven_is_refused_and_shown(
    factory: str | bytes, code: str, says: str
) -> None:
    with pytest.raises(Refusal) as caught:
        patched(tree(factory=factory), "rocky")
    assert caught.value.code == code
    assert caught.value.path == FACTORY_PATH
    assert says in caught.value.message
    assert caught.value.hint


def test_one_place_that_cannot_be_patched_spares_the_other() -> None:
    with pytest.raises(Refusal) as caught:
        patched(tree(uninstaller=UNINSTALLER.replace(" or\n", " and\n")), "rocky")
    assert caught.value.path == UNINSTALLER_PATH
    assert "half-patched" in (caught.value.hint or "")


def test_a_tree_without_an_installer_is_bad_input() -> None:
    with pytest.raises(InputError) as caught:
        patched({"setup.exe": b""}, "rocky")
    assert caught.value.code == "no-installer"


def test_an_installer_without_the_factory_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        patched(tree(factory=None), "rocky")
    assert caught.value.code == "anchor-missing"
