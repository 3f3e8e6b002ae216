# SPDX-License-Identifier: Apache-2.0
"""tests/distros/: each directory is one distribution, its name is the test's name."""

from pathlib import Path

import pytest

from ngtpatch.patching.choice import find_profile, match_profile
from ngtpatch.patching.kinship import kinship
from ngtpatch.patching.known_names import KnownDistribution, known_distributions
from ngtpatch.patching.osrelease import OsRelease, read_os_release
from ngtpatch.patching.profile import Profile, load_profiles

DISTROS = Path(__file__).parent.parent / "distros"
PROFILES = load_profiles()
ALL = sorted(path.parent.name for path in DISTROS.glob("*/etc"))
WITH_NAME = [
    name
    for name in sorted(path.parent.parent.name for path in DISTROS.glob("*/etc/os-release"))
    if name != "eurolinux-7"  # its vendor's os-release has no NAME
]
CONTROLS = ("rhel", "centos", "oracle", "tencentos", "ubuntu", "opensuse", "sles", "debian", "xcp")


def of_profile(directory: str) -> Profile | None:
    ids = [one for one in PROFILES if directory == one or directory.startswith(f"{one}-")]
    return PROFILES[max(ids, key=len)] if ids else None


def os_release(directory: str) -> OsRelease:
    return read_os_release(DISTROS / directory / "etc" / "os-release")


@pytest.mark.parametrize("directory", WITH_NAME)
def test_an_os_release_finds_its_own_profile_and_version(directory: str) -> None:
    release = os_release(directory)
    expected = of_profile(directory)
    if expected is None:
        assert directory.startswith(CONTROLS), "a directory without a profile is a control"
        assert find_profile(release, PROFILES) is None
        return
    assert find_profile(release, PROFILES) is expected
    assert release.name in expected.names
    assert release.id in expected.ids
    version = expected.version(release.version_id)
    assert version is not None
    assert release.version_id in version.releases
    assert directory.removeprefix(f"{expected.id}-").split("-")[0] == version.version


@pytest.mark.parametrize("directory", WITH_NAME)
def test_kinship_says_what_the_profile_says(directory: str) -> None:
    expected = of_profile(directory)
    judged = kinship(os_release(directory))
    assert judged.because
    if expected is not None:
        assert judged.kind == expected.family
        if judged.kind == "el":
            assert judged.major in expected.versions
    else:
        kinds = {"ubuntu": "debian", "debian": "debian", "opensuse": "suse", "sles": "suse"}
        kinds |= {"tencentos": "rpm", "xcp": "rpm"}
        assert judged.kind == kinds.get(directory.partition("-")[0], "el")


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.id)
def test_every_version_whose_files_were_read_has_a_directory(profile: Profile) -> None:
    for version in profile.versions.values():
        directory = f"{profile.id}-{version.version}"
        assert (directory in ALL) == (version.evidence != "name")
        if version.evidence == "os-release":
            assert (DISTROS / directory / "etc" / "os-release").is_file()
        if version.evidence == "release-file":
            assert list((DISTROS / directory / "etc").glob("*-release"))


# The whole table of what is known ---------------------------------------------------

WITH_ID = [row for row in known_distributions() if row.id]


def as_os_release(row: KnownDistribution, *, name: str | None = None) -> OsRelease:
    return OsRelease(
        name or row.name, row.id, row.id_like, (*row.versions, "")[0], row.platform_id, "table"
    )


@pytest.mark.parametrize("row", WITH_ID, ids=lambda row: f"{row.name} {row.platform_id}".strip())
def test_a_stranger_with_the_same_keys_is_judged_without_its_name(row: KnownDistribution) -> None:
    """Kinship from ID, ID_LIKE and PLATFORM_ID alone: no foreigner may pass for EL unnoticed."""
    kind = kinship(as_os_release(row, name="Never Seen Before")).kind
    if row.family == "other":
        assert kind != "el", row
    elif row.family == "rpm":
        # These carry EL's own marks: platform:el7, platform:el8, or version 7 and ID_LIKE rhel.
        marked = row.id in {"xenenterprise", "tencentos", "redos", "anolis"}
        assert kind != "el" or marked, row
    elif row.platform_id.startswith("platform:el"):
        assert kind == "el"


EXCEPTIONS = {
    "xcp-ng": "a hypervisor's control domain, not a guest",
    "xenserver": "a hypervisor's control domain, not a guest",
    "bluefin": "image-based: its /usr cannot be written",
    "aurora": "image-based: its /usr cannot be written",
    "bazzite": "image-based: its /usr cannot be written",
    "common base linux mariner": "made for one vendor's own cloud",
    "microsoft azure linux": "made for one vendor's own cloud",
    "ultramarine linux": "a desktop whose releases follow Fedora's under other platform names",
}


def test_every_rpm_distribution_that_is_refused_has_a_profile_or_a_reason() -> None:
    refused = {
        row.name
        for row in known_distributions()
        if row.family in ("el", "rpm") and row.stock == "unsupported"
    }
    covered = {name.lower(): profile for profile in PROFILES.values() for name in profile.names}
    assert refused - set(covered) == set(EXCEPTIONS)
    for row in known_distributions():
        if row.name in covered:
            assert covered[row.name].family == row.family, row
            assert (covered[row.name].opt_in is None) == (row.family == "el")


def test_names_and_releases_of_the_profiles_stand_in_the_table() -> None:
    by_name = {row.name for row in known_distributions()}
    inferred = {"asianux server"}  # what Python's platform module makes of the release file
    for profile in PROFILES.values():
        assert {name.lower() for name in profile.names} - by_name <= inferred, profile.id
        rows = [
            row
            for row in known_distributions()
            if row.name in {name.lower() for name in profile.names}
        ]
        seen = {version for row in rows for version in row.versions}
        for version in profile.versions.values():
            if version.evidence == "os-release":
                assert set(version.releases) <= seen, (profile.id, version)


def test_auto_never_picks_an_opt_in_profile() -> None:
    from ngtpatch.errors import Refusal

    with pytest.raises(Refusal) as caught:
        match_profile(os_release("amazon-2023"), PROFILES)
    assert caught.value.code == "opt-in"
    assert "--distro amazon" in (caught.value.hint or "")
    assert match_profile(os_release("rocky-9"), PROFILES).id == "rocky"
