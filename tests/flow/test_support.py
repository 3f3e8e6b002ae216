# SPDX-License-Identifier: Apache-2.0
"""support's table, checked against really running the installers it speaks of."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ngtpatch.errors import InputError, Refusal, UsageError
from ngtpatch.flow.opened import open_source
from ngtpatch.flow.support import support, try_profile
from ngtpatch.flow.verdicts import DistroSupport
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.patching.apply import apply
from ngtpatch.patching.known_names import known_names
from ngtpatch.patching.patch import load_patches
from ngtpatch.patching.profile import Profile, ProfileVersion, load_profile, load_profiles
from ngtpatch.sample import write_sample
from tests.interpreters import interpreter
from tests.sample.guests import DISTROS, Guest

ERAS = (1, 2, 3)
PROFILES = load_profiles()
INSTALLER = "installer/linux/install_ngt.py"
# The build machine's interpreters; what a guest with 2.4, 2.6 or 3.14 does is not run here.
PYTHONS = {"2.7", *(f"3.{minor}" for minor in range(6, 14))}


def versions() -> Iterator[tuple[Profile, ProfileVersion]]:
    """Yield what can be run: of distributions that are not EL one version for each Python."""
    for profile in PROFILES.values():
        run = [
            version
            for version in profile.versions.values()
            if version.evidence != "name" and version.python in PYTHONS
        ]
        if profile.family != "el":
            run = list({version.python: version for version in run}.values())
        yield from ((profile, version) for version in run)


# Where what a guest reports depends on who asks, the table has the worse of both.
WORSE = {
    ("asianux", 1): "its release is 7 to Python's platform, and 1 to the distro package",
}


def name_of(value: object) -> str:
    return value.id if isinstance(value, Profile) else getattr(value, "version", str(value))


def os_release(directory: str) -> Path:
    return DISTROS / directory / "etc" / "os-release"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    directory = tmp_path_factory.mktemp("images")

    @cache
    def written(era: int) -> Path:
        return write_sample(directory / f"era{era}.iso", era=era).output

    return written


@pytest.fixture(scope="module")
def disc(
    image: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, str | None], Path]:
    """An era's tree, unpacked: as shipped, or patched for one profile."""

    @cache
    def unpacked(era: int, profile: str | None) -> Path:
        root = tmp_path_factory.mktemp(f"era{era}-{profile}")
        with open_source(image(era)) as source:
            files = dict(source.tree)
            if profile is not None:
                patched = apply(source.tree, [PROFILES[profile]], load_patches())
                files.update((file.path, file.after) for file in patched.changed)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        return root

    return unpacked


@pytest.fixture(scope="module")
def table(image: Callable[[int], Path]) -> Callable[[int], dict[tuple[str, str], DistroSupport]]:
    @cache
    def rows(era: int) -> dict[tuple[str, str], DistroSupport]:
        found = support(image(era))
        assert found.era == era
        return {(row.profile or "", row.version): row for row in found.distros}

    return rows


def chosen(row: DistroSupport, state: str) -> str:
    [factory] = [site for site in row.sites if site.path.endswith("installer_factory.py")]
    branch: str = getattr(factory, state)
    return branch


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("profile", "version"), list(versions()), ids=name_of)
def test_the_table_says_what_the_installers_do(
    era: int,
    profile: Profile,
    version: ProfileVersion,
    disc: Callable[[int, str | None], Path],
    table: Callable[[int], dict[tuple[str, str], DistroSupport]],
    tmp_path: Path,
) -> None:
    row = table(era)[profile.id, version.version]
    etc = DISTROS / f"{profile.id}-{version.version}" / "etc"
    python = interpreter(version.python)

    shipped = Guest(etc, python, tmp_path / "shipped").run(disc(era, None) / INSTALLER)
    refused = any(line.startswith("Unsupported distribution : ") for line in shipped.lines)
    if refused:
        assert chosen(row, "shipped") == "unsupported"
    if row.verdict == "recognised" and row.runs:
        assert shipped.code == 0, shipped.lines

    guest = Guest(etc, python, tmp_path / "patched")
    patched = guest.run(disc(era, profile.id) / INSTALLER)
    assert not any(line.startswith("Unsupported") for line in patched.lines)
    if (profile.id, era) in WORSE:
        assert (patched.code, row.runs) == (0, False)
        return
    assert (patched.code == 0) is row.runs, (patched.lines, row.hazards)
    if row.runs:
        assert chosen(row, "patched") == "redhat"
        said = [line for line in patched.lines if line.startswith("Using Linux Installer for ")]
        assert re.fullmatch(r"Using Linux Installer for .+ linux distribution\.", said[0])
        assert guest.files()
    else:
        assert any(hazard.stops and hazard.mended_by is None for hazard in row.hazards)


CONTROLS = {
    "rhel-9": "redhat",
    "centos-stream-9": "redhat",
    "oracle-9": "redhat",
    "tencentos-3.1": "redhat",
    "ubuntu-22.04": "ubuntu",
    "ubuntu-kylin-22.04": "ubuntu",
    "opensuse-leap-15.6": "suse",
    "debian-12": "unsupported",
    "sles-15.6": "unsupported",
    "xcp-ng-8.2": "unsupported",
}


@pytest.mark.parametrize("directory", sorted(CONTROLS))
@pytest.mark.parametrize("era", [1, 2])
def test_controls_decide_as_they_do_when_run(
    era: int,
    directory: str,
    image: Callable[[int], Path],
    disc: Callable[[int, str | None], Path],
    tmp_path: Path,
) -> None:
    [row] = support(image(era), os_release=os_release(directory)).distros
    assert chosen(row, "shipped") == CONTROLS[directory]
    python = interpreter("2.7" if era == 1 else "3.9")
    # Patched for a stranger: a control must not notice.
    for profile in (None, "rocky"):
        etc = os_release(directory).parent
        run = Guest(etc, python, tmp_path / str(profile)).run(disc(era, profile) / INSTALLER)
        refused = any(line.startswith("Unsupported distribution") for line in run.lines)
        assert refused == (CONTROLS[directory] == "unsupported")


def test_an_iso_that_recognises_says_so(image: Callable[[int], Path]) -> None:
    found = support(image(3), distros=["rocky", "almalinux"])
    assert {row.verdict for row in found.distros} == {"recognised"}
    assert found.supported


def test_what_is_asked_for_comes_in_that_order(image: Callable[[int], Path]) -> None:
    found = support(image(2), distros=["rocky", "almalinux"], os_release=os_release("debian-12"))
    assert [row.profile for row in found.distros] == ["rocky"] * 3 + ["almalinux"] * 3 + [None]
    assert not found.supported
    assert found.distros[-1].refused is not None
    assert found.distros[-1].refused.code == "not-el"
    assert found.distros[-1].python is None
    assert found.distros[-1].runs is None


def test_auto_is_the_os_release(image: Callable[[int], Path]) -> None:
    found = support(image(2), distros=["auto"], os_release=os_release("rocky-9"))
    assert [(row.profile, row.version) for row in found.distros] == [("rocky", "9.5")]
    with pytest.raises(UsageError):
        support(image(2), distros=["auto"])


def test_an_os_release_without_a_profile_is_answered(
    image: Callable[[int], Path], tmp_path: Path
) -> None:
    stranger = tmp_path / "os-release"
    stranger.write_text(
        'NAME="Acme Enterprise Linux"\nID=acme\nVERSION_ID="9.1"\nPLATFORM_ID="platform:el9"\n'
    )
    [row] = support(image(2), os_release=stranger).distros
    assert (row.profile, row.name, row.version) == (None, "Acme Enterprise Linux", "9.1")
    assert (row.verdict, row.python, row.runs) == ("patchable", "3.9", True)
    installer = [site.patched for site in row.sites if "!" not in site.path]
    assert installer == ["redhat", "redhat"]
    agent = {site.patched for site in row.sites if "mobility_linux.py" in site.path}
    assert agent == {"redhat"}


def test_a_directory_is_as_good_as_an_iso(
    image: Callable[[int], Path], disc: Callable[[int, str | None], Path]
) -> None:
    assert support(disc(2, None)).distros == support(image(2)).distros


def test_an_unknown_profile_and_a_disc_without_installer(
    image: Callable[[int], Path], tmp_path: Path
) -> None:
    with pytest.raises(Refusal, match="rocki"):
        support(image(2), distros=["rocki"])
    with pytest.raises(InputError) as caught:
        support(tmp_path)
    assert caught.value.code == "no-installer"


def test_a_factory_that_no_patch_fits_is_refused_with_its_code(
    disc: Callable[[int, str | None], Path], tmp_path: Path
) -> None:
    src = tmp_path / "installer/linux/src"
    src.mkdir(parents=True)
    factory = (disc(1, None) / "installer/linux/src/installer_factory.py").read_text()
    assert factory.count(" or\n") >= 2
    (src / "installer_factory.py").write_text(factory.replace(" or\n", " and\n"))
    (src.parent / "install_ngt.py").write_text("pass\n")
    [row] = [one for one in support(tmp_path, distros=["rocky"]).distros if one.version == "8"]
    assert row.verdict == "refused"
    assert row.refused is not None
    assert row.refused.path
    assert all(site.patched == site.shipped for site in row.sites)


# profile test -----------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
def test_a_profile_is_proven_on_an_iso(era: int, image: Callable[[int], Path]) -> None:
    trial = try_profile(PROFILES["scientific"], image(era))
    assert trial.passed
    assert trial.names_changed == ()
    assert trial.names_kept == len(known_names()) - 1


def test_a_profile_that_claims_a_refused_name_of_its_own_only(
    image: Callable[[int], Path], tmp_path: Path
) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(
        'schema = "ngtpatch.profile/1"\nid = "acme"\nname = "Acme"\nfamily = "el"\n'
        'names = ["Acme Linux 9", "Acme Linux"]\nneedles = ["acme linux"]\n'
        '[versions.9]\npython = "3.9"\n'
    )
    trial = try_profile(load_profile(path), image(2))
    assert trial.passed
    assert trial.names_kept == len(known_names())


def test_what_a_payload_decides_is_shown_and_does_not_decide_here(tmp_path: Path) -> None:
    chain = (
        b'import distro\nname = distro.linux_distribution()[0].lower()\nif "centos" in name:\n'
        b"  from redhat_installer import RedhatInstaller\nelse:\n  raise SystemExit(1)\n"
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("agent/pick.py")
        member.size = len(chain)
        archive.addfile(member, io.BytesIO(chain))
    agent = "installer/linux/src/ngt_guest_agent.tar.gz"
    write_sample(tmp_path / "base.iso", era=2)
    with Volume.open(tmp_path / "base.iso") as volume:
        plan = edit(volume, replace={agent: packed.getvalue()})
        write_file(plan.overlay(), tmp_path / "packed.iso")
    for row in support(tmp_path / "packed.iso", distros=["rocky"]).distros:
        decided = {site.path: (site.shipped, site.patched) for site in row.sites}
        assert decided[f"{agent}!agent/pick.py"] == ("unsupported", "redhat")
        assert row.verdict == "patchable"
