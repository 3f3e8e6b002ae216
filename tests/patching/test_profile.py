# SPDX-License-Identifier: Apache-2.0
"""Profiles: what is read, and every way to be refused at load."""

import pickle
from pathlib import Path

import pytest

from ngtpatch.errors import InputError, Refusal
from ngtpatch.patching.choice import choose_profiles
from ngtpatch.patching.known_names import known_names
from ngtpatch.patching.needles import foreign_names
from ngtpatch.patching.profile import Profile, load_profile, load_profiles

GOOD = """\
schema = "ngtpatch.profile/1"
id = "acme"
name = "Acme Enterprise Linux"
family = "el"
names = ["Acme Enterprise Linux"]
needles = ["acme enterprise linux"]
ids = ["acme"]

[versions.9]
python = "3.9"
releases = ["9.10"]
"""


def write(directory: Path, text: str, name: str = "acme.toml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_profile(path)
    assert caught.value.path == str(path)
    return caught.value


def test_a_profile_says_names_needles_and_python_per_version(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, GOOD))
    assert (profile.id, profile.names, profile.needles) == (
        "acme",
        ("Acme Enterprise Linux",),
        ("acme enterprise linux",),
    )
    assert profile.versions["9"].python == "3.9"
    assert profile.versions["9"].releases == ("9.10",)
    assert profile.opt_in is None


def test_a_release_belongs_to_its_major_version(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, GOOD))
    assert profile.version("9.10") is profile.versions["9"]
    assert profile.version("9") is profile.versions["9"]
    assert profile.version("90.1") is None


def test_profiles_hash_and_cross_process_boundaries(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, GOOD))
    assert pickle.loads(pickle.dumps(profile)) == profile  # noqa: S301
    assert len({profile, load_profile(tmp_path / "acme.toml")}) == 1


BAD = {
    "unknown key": ('ids = ["acme"]', 'colour = "blue"', "profile-unknown-key", "colour"),
    "unknown key of a version": (
        'releases = ["9.10"]',
        'kernel = "5.14"',
        "profile-unknown-key",
        "versions.9.kernel",
    ),
    "missing key": ('family = "el"\n', "", "profile-missing-key", "family"),
    "release as a number": ('["9.10"]', "[9.10]", "profile-version-type", "versions.9.releases[0]"),
    "python as a number": ('"3.9"', "3.9", "profile-version-type", "versions.9.python"),
    "python with a patch level": ('"3.9"', '"3.9.18"', "profile-value", "versions.9.python"),
    "version not quoted": (
        "[versions.9]",
        "[versions.9.10]",
        "profile-version-type",
        '[versions."9.10"]',
    ),
    "no versions": (GOOD[GOOD.index("[versions") :], "", "profile-missing-key", "versions"),
    "unknown family": ('"el"', '"bsd"', "profile-value", "family"),
    "name is a number": ('name = "Acme Enterprise Linux"', "name = 9", "profile-value", "name"),
    "no names": ('names = ["Acme Enterprise Linux"]', "names = []", "profile-value", "names"),
    "no needles": ('["acme enterprise linux"]', "[]", "profile-value", "needles"),
    "schema of tomorrow": ("profile/1", "profile/2", "profile-schema", "ngtpatch.profile/2"),
    "id is not the file's name": ('id = "acme"', 'id = "acne"', "profile-id", "acne"),
    "id would be a path": ('id = "acme"', 'id = "../acme"', "profile-value", "id"),
    "upper-case needle": ('["acme e', '["Acme e', "needle-case", "Acme"),
    "short needle": ('["acme enterprise linux"]', '["ac"]', "needle-shape", "'ac'"),
    "padded needle": ('["acme e', '[" acme e', "needle-shape", "acme"),
    "needle with a newline": ('linux"]', 'linux\\n"]', "needle-shape", "acme"),
    "half a word": ('["acme enterprise linux"]', '["acme ent"]', "needle-not-prefix", "acme ent"),
    "not from the start": ('["acme e', '["e', "needle-not-prefix", "enterprise linux"),
    "not from any name": ('["acme enterprise linux"]', '["rhel"]', "needle-not-prefix", "rhel"),
    "a name without needle": (
        'names = ["Acme Enterprise Linux"]',
        'names = ["Acme Enterprise Linux", "Zenith"]',
        "needle-uncovered",
        "Zenith",
    ),
    "not TOML": ('family = "el"', "family = el", "not-toml", "line 4"),
}


@pytest.mark.parametrize(("old", "new", "code", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_profile_is_refused_naming_file_and_key(
    tmp_path: Path, old: str, new: str, code: str, said: str
) -> None:
    assert old in GOOD
    error = refused(write(tmp_path, GOOD.replace(old, new, 1)))
    assert error.code == code
    assert error.exit_code == 3
    assert said in error.message
    assert "\n" not in error.message


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('family = "el"', 'family = "bsd"\ncolour = "blue"')
    error = refused(write(tmp_path, text))
    assert "family" in error.message
    assert "colour" in error.message
    assert error.code == "profile-unknown-key"


def test_a_file_that_is_no_text_or_absent(tmp_path: Path) -> None:
    binary = tmp_path / "acme.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert refused(binary).code == "not-text"
    assert refused(tmp_path / "none.toml").code == "not-found"
    directory = tmp_path / "dir.toml"
    directory.mkdir()
    assert refused(directory).code == "is-directory"


@pytest.mark.parametrize(
    ("name", "needle", "foreign"),
    [
        ("Kylin Server", "kylin", "ubuntu kylin"),
        ("Linux Acme", "linux", "rocky linux"),
        ("Red Star", "red", "red hat enterprise linux"),
    ],
)
def test_a_needle_that_matches_a_foreign_name_is_refused(
    tmp_path: Path, name: str, needle: str, foreign: str
) -> None:
    text = GOOD.replace('names = ["Acme Enterprise Linux"]', f'names = ["{name}"]')
    error = refused(write(tmp_path, text.replace('"acme enterprise linux"', f'"{needle}"')))
    assert error.code == "needle-foreign"
    assert repr(foreign) in error.message
    assert repr(needle) in error.message


def test_no_profile_takes_a_name_from_another_branch(tmp_path: Path) -> None:
    text = GOOD.replace('names = ["Acme Enterprise Linux"]', 'names = ["Ubuntu"]')
    error = refused(write(tmp_path, text.replace('"acme enterprise linux"', '"ubuntu"')))
    assert error.code == "needle-foreign"


# The shipped ones and the user's own ------------------------------------------------


def test_users_profiles_come_after_the_shipped_ones(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    profiles = load_profiles([tmp_path])
    assert list(profiles)[-1] == "acme"
    assert list(profiles)[:-1] == list(load_profiles())


def test_a_users_file_replaces_the_shipped_profile_of_its_id(tmp_path: Path) -> None:
    text = GOOD.replace("acme enterprise linux", "rocky linux").replace(
        "Acme Enterprise Linux", "Rocky Linux"
    )
    own = write(tmp_path, text.replace('"acme"', '"rocky"'), "rocky.toml")
    assert load_profiles([tmp_path])["rocky"].source == str(own)


def test_profiles_do_not_swallow_one_another(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    wide = GOOD.replace('id = "acme"', 'id = "acme-desk"').replace(
        '["acme enterprise linux"]', '["acme"]'
    )
    wide = wide.replace('["Acme Enterprise Linux"]', '["Acme"]')
    path = write(tmp_path, wide, "acme-desk.toml")
    with pytest.raises(InputError) as caught:
        load_profiles([tmp_path])
    assert (caught.value.code, caught.value.path) == ("needle-foreign", str(path))
    assert "acme enterprise linux" in caught.value.message


def test_one_file_may_be_given_for_a_directory(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert "acme" in load_profiles([write(tmp_path, GOOD)])


def test_a_directory_of_profiles_must_be_one(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, "acme.txt")
    for bad, code in ((path, "not-directory"), (tmp_path / "none", "not-found")):
        with pytest.raises(InputError) as caught:
            load_profiles([bad])
        assert (caught.value.code, caught.value.path) == (code, str(bad))


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("rocy", "rocky"),
        ("Rocky Linux", "rocky"),
        ("alma", "almalinux"),
        ("AlmaLinux", "almalinux"),
    ],
)
def test_an_unknown_profile_is_refused_with_the_nearest_name(asked: str, nearest: str) -> None:
    with pytest.raises(Refusal) as caught:
        load_profiles()[asked]
    assert caught.value.code == "unknown-profile"
    assert repr(nearest) in (caught.value.hint or "")


def test_a_wholly_unknown_profile_points_to_the_list() -> None:
    with pytest.raises(Refusal, match="zzzzzz") as caught:
        choose_profiles(load_profiles(), ["rocky", "zzzzzz"])
    assert "profile list" in (caught.value.hint or "")


def test_asking_twice_is_asking_once() -> None:
    assert [one.id for one in choose_profiles(load_profiles(), ["rocky", "rocky"])] == ["rocky"]


# The whole table of known names -----------------------------------------------------

SHIPPED = list(load_profiles().values())


@pytest.mark.parametrize("profile", SHIPPED, ids=lambda profile: profile.id)
def test_needles_match_every_name_of_their_own_and_no_other_known_name(profile: Profile) -> None:
    own = {name.lower() for name in profile.names}
    for name in own:
        assert any(needle in name for needle in profile.needles)
    for known in known_names():
        if known.name not in own:
            assert not any(needle in known.name for needle in profile.needles), known.name


def test_the_known_names_hold_what_the_must_not_change_check_needs() -> None:
    stock = {known.name: known.stock for known in known_names()}
    assert stock["red hat enterprise linux"] == "redhat"
    assert stock["tencentos server"] == "redhat"  # by accident: "centos" is in it
    assert stock["ubuntu kylin"] == "ubuntu"
    assert stock["opensuse leap"] == "suse"
    assert stock["sles"] == "unsupported"  # no "suse" in it
    assert stock["debian gnu/linux"] == "unsupported"
    assert len(stock) == len(known_names()) > 100


def test_foreign_names_beside_ones_own() -> None:
    assert foreign_names("almalinux", ["AlmaLinux", "AlmaLinux Kitten"]) == ()
    assert foreign_names("almalinux", ["AlmaLinux"]) == ("almalinux kitten",)
    assert foreign_names("ubuntu", ["Ubuntu"]) == ("ubuntu", "ubuntu kylin")
