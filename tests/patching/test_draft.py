# SPDX-License-Identifier: Apache-2.0
"""From a stranger's os-release to a profile."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngtpatch.errors import InputError, NgtpatchError, Refusal, UsageError
from ngtpatch.patching.known_names import known_names
from ngtpatch.patching.new_profile import NewProfile, covered, draft_profile
from ngtpatch.patching.osrelease import OsRelease
from ngtpatch.patching.profile import load_profile, load_profiles

PROFILES = load_profiles()


def release(
    name: str = "Acme Enterprise Linux",
    id: str = "acme",
    like: str = "rhel centos fedora",
    version: str = "9.10",
    platform: str = "platform:el9",
) -> OsRelease:
    return OsRelease(name, id, tuple(like.split()), version, platform, "stranger/os-release")


def written(directory: Path, draft: NewProfile) -> Path:
    path = directory / f"{draft.profile.id}.toml"
    path.write_text(draft.text, encoding="utf-8")
    return path


def test_an_el_clone_needs_nothing_but_its_os_release(tmp_path: Path) -> None:
    draft = draft_profile(release(), PROFILES)
    assert draft.kinship.kind == "el"
    assert "platform:el9" in draft.kinship.because
    profile = load_profile(written(tmp_path, draft))
    assert profile.needles == ("acme enterprise linux",)
    assert profile.opt_in is None
    assert profile.versions["9"].python == "3.9"
    assert profile.versions["9"].releases == ("9.10",)  # text: as a number it would be 9.1
    assert "acme" in load_profiles([tmp_path])


@pytest.mark.parametrize(
    ("platform", "version", "major", "python"),
    [
        ("platform:el8", "8.10", "8", "3.6"),
        ("platform:el10", "10.0", "10", "3.12"),
        ("", "7.9", "7", "2.7"),
        ("platform:el8", "2024.1", "8", "3.6"),
    ],
)
def test_the_python_follows_the_major_version_of_enterprise_linux(
    platform: str, version: str, major: str, python: str
) -> None:
    draft = draft_profile(release(platform=platform, version=version), PROFILES)
    assert draft.profile.versions[major].python == python


def test_a_version_at_the_end_of_name_stays_out_of_the_needle() -> None:
    draft = draft_profile(release(name="Acme Linux 9.10r1"), PROFILES)
    assert draft.profile.needles == ("acme linux",)


def test_an_id_that_is_anothers_is_not_taken() -> None:
    draft = draft_profile(release(name="Summer Linux", id="rhel"), PROFILES)
    assert draft.profile.id == "summer-linux"
    assert draft.profile.ids == ("rhel",)


@pytest.mark.parametrize(
    ("id_", "like", "said"),
    [
        ("acme", "debian", "Debian family (ID_LIKE has debian)"),
        ("debian", "", "Debian family (ID is debian)"),
        ("acme", "ubuntu debian", "Debian family"),
        ("acme", "suse", "SUSE family"),
        ("sles", "", "SUSE family"),
    ],
)
def test_what_is_plainly_no_el_is_refused_unless_told_by_name(
    id_: str, like: str, said: str
) -> None:
    stranger = release(id=id_, like=like, platform="")
    for accept in (None, "other"):
        with pytest.raises(Refusal) as caught:
            draft_profile(stranger, PROFILES, python="3.11", accept=accept)
        assert caught.value.code == "not-el"
        assert said in caught.value.message
        assert f"--accept {id_}" in (caught.value.hint or "")
    draft = draft_profile(stranger, PROFILES, python="3.11", accept=id_)
    assert draft.profile.opt_in is not None
    assert draft.profile.family == ("suse" if "SUSE" in said else "debian")


def test_a_known_stranger_to_rpm_is_refused_without_any_id_like() -> None:
    with pytest.raises(Refusal, match="not an RPM distribution"):
        draft_profile(release("Alpine Linux", "alpine", "", "3.20", ""), PROFILES)


@pytest.mark.parametrize("like", ["", "fedora", "rhel fedora"])
def test_what_is_not_known_to_be_a_clone_is_opt_in_and_needs_its_python(like: str) -> None:
    stranger = release(like=like, platform="", version="4.1")
    with pytest.raises(UsageError) as caught:
        draft_profile(stranger, PROFILES)
    assert caught.value.code == "python-needed"
    draft = draft_profile(stranger, PROFILES, python="3.11")
    assert draft.profile.versions["4.1"].python == "3.11"
    assert draft.profile.opt_in
    assert "not known to be a clone" in draft.profile.opt_in


@pytest.mark.parametrize("python", ["3", "3.9.1", "4.0", "three"])
def test_a_python_is_major_and_minor(python: str) -> None:
    with pytest.raises(UsageError) as caught:
        draft_profile(release(), PROFILES, python=python)
    assert caught.value.code == "python-version"


@pytest.mark.parametrize(
    ("name", "needle", "code"),
    [
        ("Red", None, "needle-foreign"),  # red hat
        ("Linux", None, "needle-foreign"),
        ("Kylin Desk", "kylin", "needle-foreign"),
        ("Acme Enterprise Linux", "enterprise", "needle-not-prefix"),
        ("Acme Enterprise Linux", "Acme", "needle-case"),
        ("Mi", None, "needle-shape"),
    ],
)
def test_a_needle_that_is_not_safe_is_refused(name: str, needle: str | None, code: str) -> None:
    with pytest.raises(InputError) as caught:
        draft_profile(release(name=name), PROFILES, needle=needle)
    assert caught.value.code == code
    assert "--needle" in (caught.value.hint or "")


def test_a_needle_that_takes_another_profiles_name_is_refused(tmp_path: Path) -> None:
    written(tmp_path, draft_profile(release(name="Acme Enterprise Linux"), PROFILES))
    with pytest.raises(InputError) as caught:
        draft_profile(release(name="Acme", id="acme-desk"), load_profiles([tmp_path]))
    assert caught.value.code == "needle-foreign"
    assert "acme enterprise linux" in caught.value.message


@pytest.mark.parametrize("bad", ["../acme", "Acme", "", "a b"])
def test_an_id_is_a_plain_word(bad: str) -> None:
    with pytest.raises(InputError) as caught:
        draft_profile(release(), PROFILES, id=bad)
    assert caught.value.code == "profile-id"


def test_what_is_covered_already_is_said() -> None:
    rocky = covered(release("Rocky Linux", "rocky"), PROFILES)
    assert rocky is not None
    assert rocky.profile == "rocky"
    eleven = covered(release("Rocky Linux", "rocky", version="11.0"), PROFILES)
    assert eleven is not None
    assert "11.0" in eleven.because
    rhel = covered(release("Red Hat Enterprise Linux", "rhel"), PROFILES)
    assert rhel is not None
    assert rhel.profile is None
    assert covered(release(), PROFILES) is None


NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=40
) | st.sampled_from([f"{one.name.title()} Next" for one in known_names()])


@settings(max_examples=150, deadline=None)
@given(
    name=NAMES, id_=st.text("abcXYZ09._- /", max_size=12), version=st.text("0129.rV ", max_size=6)
)
def test_whatever_is_drafted_loads_and_takes_no_other_name(
    tmp_path_factory: pytest.TempPathFactory, name: str, id_: str, version: str
) -> None:
    try:
        draft = draft_profile(release(name=name, id=id_, version=version), PROFILES)
    except NgtpatchError:
        return
    loaded = load_profile(written(tmp_path_factory.mktemp("drafts"), draft))
    assert loaded.names == draft.profile.names == (name,)
    assert loaded.versions == draft.profile.versions
    for known in known_names():
        if known.name != name.lower():
            assert not any(needle in known.name for needle in loaded.needles)
