# SPDX-License-Identifier: Apache-2.0
"""Data of a user's own: bounded, tried, and answered where it has no profile."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ngtpatch.errors import InputError, Refusal
from ngtpatch.patching.choice import known_releases
from ngtpatch.patching.examples import load_tried_patches
from ngtpatch.patching.expressions import strings
from ngtpatch.patching.needles import check_needles
from ngtpatch.patching.osrelease import read_os_release
from ngtpatch.patching.patch import load_patch
from ngtpatch.patching.profile import load_profile, load_profiles

PATCH = """schema = "ngtpatch.patch/1"
id = "mine"
summary = "s"
kind = "recognise"
[where]
paths = ["GLOB"]
[parameters]
needles = "{{ EXPRESSION }}"
[[examples]]
title = "one"
profile = { names = ["Rocky Linux"], needles = ["rocky linux"] }
before = "a = 1\\n"
refused = "REFUSED"
"""
PROFILE = """schema = "ngtpatch.profile/1"
id = "mine"
name = "Mine"
family = "FAMILY"
names = ["Mine Linux"]
needles = ["mine linux"]
MORE
[versions.1]
python = "3.6"
"""


def patch_file(
    folder: Path,
    *,
    glob: str = "a.py",
    expression: str = "profile.needles",
    refused: str = "anchor-missing",
) -> Path:
    file = folder / "mine.toml"
    text = PATCH.replace("GLOB", glob).replace("EXPRESSION", expression)
    file.write_text(text.replace("REFUSED", refused))
    return file


@pytest.mark.parametrize(
    "expression",
    ["1//0", "1/0", "1 % 0", "'x' * 9999999999", "10**10**10", "range(10**9)|list",
     "'a'|center(10**9)", "'%999999999d'|format(1)", "cycler", "namespace()", "lipsum(9999)",
     "profile.needles[99]", "profile['__class__']", "'a'.join(['b'])", "x for x in y",
     "(" * 500 + "1" + ")" * 500, "profile.id ~ '" + "a" * 1000 + "'"],
)  # fmt: skip
def test_an_expression_ends_in_its_own_error_and_at_once(expression: str) -> None:
    start = time.monotonic()
    with pytest.raises(InputError) as caught:
        strings("{{ " + expression + " }}", load_profiles()["rocky"], path="p", key="k")
    assert caught.value.code == "patch-expression"
    assert time.monotonic() - start < 5
    assert len(caught.value.message) < 1000


def test_what_an_expression_is_for_still_works() -> None:
    rocky = load_profiles()["rocky"]
    for expression, wanted in (
        ("profile.names | map('lower') | list", ("rocky linux",)),
        ("[profile.id, profile.id ~ ' linux']", ("rocky", "rocky linux")),
        ("profile.needles | sort", ("rocky linux",)),
        ("profile.name.split() | first | lower", ("rocky",)),
    ):
        assert strings("{{ " + expression + " }}", rocky, path="p", key="k") == wanted


def test_a_glob_of_many_stars_is_refused(tmp_path: Path) -> None:
    for glob in ("*" * 200, "a*" * 200, "*/" * 5 + "x.py"):
        with pytest.raises(InputError, match="glob") as caught:
            load_patch(patch_file(tmp_path, glob=glob))
        assert caught.value.code == "patch-value"
    assert load_patch(patch_file(tmp_path, glob="installer/**/*.py")).matches("installer/a/b.py")


def test_a_patch_whose_own_examples_fail_is_not_used(tmp_path: Path) -> None:
    assert len(load_tried_patches([patch_file(tmp_path).parent])) == len(load_tried_patches()) + 1
    with pytest.raises(InputError) as caught:
        load_tried_patches([patch_file(tmp_path, refused="lossy").parent])
    assert caught.value.code == "patch-examples"
    assert "'one'" in caught.value.message


@pytest.mark.parametrize(
    ("needle", "name"),
    [("red ös", "Red ÖS"), ('bob"s linux', 'Bob"s Linux'), ("a\\b linux", "A\\B Linux"),
     ("kelvin", "\u212aelvin"), ("école", "ÉCOLE"), ("Rocky", "Rocky")],
)  # fmt: skip
def test_no_needle_passes_that_a_patch_or_a_python_would_not_match(needle: str, name: str) -> None:
    assert check_needles([needle], [name])


def test_a_profile_has_its_family_s_kin_or_its_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    for family, more, kin in (
        ("el", "", "CentOS Linux"),
        ("rpm", "", "CentOS Linux"),
        ("debian", "", "Ubuntu"),
        ("suse", "", "SUSE Linux Enterprise Server"),
        ("other", "", None),
        ("other", 'kin = "Oracle Linux Server"', "Oracle Linux Server"),
    ):
        file.write_text(PROFILE.replace("FAMILY", family).replace("MORE", more))
        assert load_profile(file).kin == kin
    file.write_text(PROFILE.replace("FAMILY", "el").replace("MORE", 'kin = "Rocky Linux"'))
    with pytest.raises(InputError, match="kin") as caught:
        load_profile(file)
    assert caught.value.code == "profile-value"
    assert {one.kin for one in load_profiles().values()} == {"CentOS Linux"}


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        ("CentOS release 6.10 (Final)", "CentOS", "6.10"),
        ("Scientific Linux release 6.10 (Carbon)", "Scientific Linux", "6.10"),
        (
            "Red Hat Enterprise Linux Server release 5.11 (Tikanga)",
            "Red Hat Enterprise Linux Server",
            "5.11",
        ),
        ("CentOS Linux release 7.9.2009 (Core)", "CentOS Linux", "7.9.2009"),
    ],
)
def test_a_legacy_release_file_is_read_as_python_2_reads_it(
    tmp_path: Path, line: str, name: str, version: str
) -> None:
    file = tmp_path / "redhat-release"
    file.write_text(line + "\n")
    found = read_os_release(file)
    assert (found.name, found.version_id, found.id) == (name, version, "")
    for text in ("just words\n", line + "\n" + line + "\n", "NAME=x release 1\n"):
        file.write_text(text)
        if "=" not in text:
            with pytest.raises(InputError):
                read_os_release(file)


def test_a_typo_suggests_a_name_and_never_another_s_id() -> None:
    profiles = load_profiles()
    with pytest.raises(Refusal) as caught:
        profiles["rockyy"]
    assert "'rocky' (Rocky Linux)" in (caught.value.hint or "")
    with pytest.raises(Refusal) as caught:
        profiles["rhel"]
    assert "springdale" not in (caught.value.hint or "")


def test_names_without_a_profile_are_known_and_others_are_not() -> None:
    profiles = load_profiles()
    names = {one.name for one in known_releases(profiles, "rhel")}
    assert "red hat enterprise linux" in names
    assert not [name for name in names if "springdale" in name]
    assert known_releases(profiles, "rocky") == ()
    assert known_releases(profiles, "auto") == ()
    assert known_releases(profiles, "no such") == ()
