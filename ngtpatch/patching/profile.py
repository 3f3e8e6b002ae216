# SPDX-License-Identifier: Apache-2.0
"""What a distribution is, as data: the profiles.

A profile is one TOML file, ``<id>.toml``, in the shipped ``distro_profiles/``
or in a directory of the user's own. It says under which names a distribution
reports itself, which tokens make the installer's chain accept those names, and
which Python each of its releases runs the installer with.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.shipped import data_dir
from ngtpatch.files.toml_file import toml_files
from ngtpatch.interrupts import deferred
from ngtpatch.patching.known_names import Family, known_names
from ngtpatch.patching.needles import check_needles

if TYPE_CHECKING:
    from ngtpatch.patching.profile_file import ProfileFile

__all__ = [
    "KIN",
    "Evidence",
    "Profile",
    "ProfileVersion",
    "Profiles",
    "load_profile",
    "load_profiles",
    "profile_of",
]

KIN: dict[Family, str | None] = {
    "el": "CentOS Linux",
    "rpm": "CentOS Linux",
    "debian": "Ubuntu",
    "suse": "SUSE Linux Enterprise Server",
    "other": None,
}
"""Whom the members of a family are treated like, where a profile does not say."""

Evidence = Literal["os-release", "release-file", "name"]
"""How well a release is known: its os-release was read, only its legacy release file was, or
nothing but the distribution's name is known."""


@dataclass(frozen=True)
class ProfileVersion:
    """One major version of a distribution.

    Attributes:
        version: the major version, as text: ``"8"``.
        python: the Python that the distribution brings, as text: ``"3.6"``.
        releases: VERSION_ID of each release seen; the version itself where none was.
        evidence: how well it is known.
    """

    version: str
    python: str
    releases: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True)
class Profile:
    """A distribution.

    Attributes:
        id: the name to ask for it by, and the file's stem.
        name: the distribution's title, for people.
        family: ``el`` for a rebuild or derivative of RHEL, ``rpm`` for other RPM
            distributions, ``other`` for what is neither.
        names: every NAME (os-release(5)) seen, in its own case.
        needles: the lower-case tokens that go into the installer's chain.
        ids: every ID (os-release(5)) seen; empty where only the name is known.
        versions: by major version, in the file's order.
        kin: the known NAME that it is to be treated like where no branch says which family
            it is for; None where there is none.
        opt_in: what is not proven, for a profile that must be asked for by name.
        source: the file it was read from.
        sha256: of that file's bytes as they were read; None where it was read from none.
    """

    id: str
    name: str
    family: Family
    names: tuple[str, ...]
    needles: tuple[str, ...]
    ids: tuple[str, ...]
    versions: Mapping[str, ProfileVersion] = field(hash=False)
    opt_in: str | None
    source: str
    kin: str | None = "CentOS Linux"
    sha256: str | None = None

    def version(self, version_id: str) -> ProfileVersion | None:
        """Return the version that a VERSION_ID such as ``8.10`` belongs to, or None."""
        for key in (version_id, version_id.partition(".")[0]):
            if key in self.versions:
                return self.versions[key]
        return None


class Profiles(Mapping[str, Profile]):
    """Profiles by id. Looking up an unknown id is a refusal that names the nearest one."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._profiles = {profile.id: profile for profile in profiles}

    def __getitem__(self, key: str) -> Profile:
        try:
            return self._profiles[key]
        except KeyError:
            raise self._unknown(key) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._profiles)

    def __len__(self) -> int:
        return len(self._profiles)

    # Mapping's own would take the refusal for a failure.
    def __contains__(self, key: object) -> bool:
        return key in self._profiles

    def automatic(self) -> tuple[Profile, ...]:
        """Return the profiles that need not be asked for by name."""
        return tuple(profile for profile in self.values() if profile.opt_in is None)

    def _unknown(self, key: str) -> Refusal:
        words: dict[str, str] = {}
        for profile in self._profiles.values():
            # Not its IDs: Springdale says it is rhel, and who asks for rhel does not mean it.
            for word in (profile.id, profile.name, *profile.names):
                words.setdefault(word.lower(), profile.id)
        near = difflib.get_close_matches(key.lower(), words, n=1, cutoff=0.6)
        return Refusal(
            "unknown-profile",
            f"there is no profile {key!r}",
            hint=f"did you mean {words[near[0]]!r} ({self._profiles[words[near[0]]].name})?"
            if near
            else "'ngtpatch profile list' shows them all, 'ngtpatch profile new' makes one",
        )


def load_profile(path: Path | str) -> Profile:
    """Read one profile file.

    Raises:
        InputError: the file cannot be read (``not-found``, ``not-text``, ``not-toml``), or is
            not a profile (``profile-unknown-key``, ``profile-missing-key``,
            ``profile-version-type``, ``profile-value``, ``profile-id``), or its needles are not
            safe (``needle-foreign``, ``needle-case``, ``needle-shape``, ``needle-not-prefix``,
            ``needle-uncovered``).
    """
    # Deferred: pydantic costs a tenth of a second, and not every use reads a profile.
    # With a signal in the middle of that some of its releases panic.
    with deferred():
        from ngtpatch.patching.profile_file import read_profile_file

    file, sha256 = read_profile_file(Path(path))
    return profile_of(file, source=str(path), sha256=sha256)


def profile_of(file: ProfileFile, *, source: str, sha256: str | None = None) -> Profile:
    """Return the profile that a validated file describes; its needles are checked.

    Raises:
        InputError: the needles are not safe; see :func:`load_profile`.
    """
    profile = Profile(
        id=file.id,
        name=file.name,
        family=file.family,
        names=tuple(file.names),
        needles=tuple(file.needles),
        ids=tuple(file.ids),
        versions={
            key: ProfileVersion(
                version=key,
                python=version.python,
                releases=tuple(version.releases) or (key,),
                evidence=version.evidence,
            )
            for key, version in file.versions.items()
        },
        opt_in=file.opt_in,
        source=source,
        kin=file.kin or KIN[file.family],
        sha256=sha256,
    )
    _require_safe_needles(profile)
    _require_known_kin(profile)
    return profile


def load_profiles(directories: Iterable[Path | str] = ()) -> Profiles:
    """Read the shipped profiles, then those in *directories*, of which one may also be a file.

    A later directory's profile replaces an earlier one of the same id, so that a user
    can carry a newer ``rocky.toml``.

    Raises:
        InputError: as :func:`load_profile`, for the first file at fault; also ``not-found``
            and ``not-directory`` for a directory, and ``needle-foreign`` when a needle of the
            user's matches a name that only another profile has.
    """
    found = {profile.id: profile for profile in _read(data_dir("distro_profiles"))}
    own = {profile.id: profile for directory in directories for profile in _read(Path(directory))}
    found.update(own)
    for profile in own.values():
        others = [
            name for other in found.values() if other.id != profile.id for name in other.names
        ]
        _require_safe_needles(profile, others=others)
    return Profiles(found.values())


def _read(directory: Path) -> list[Profile]:
    if directory.is_file() and directory.suffix == ".toml":
        return [load_profile(directory)]
    return [load_profile(path) for path in toml_files(directory, what="profile")]


def _require_known_kin(profile: Profile) -> None:
    if profile.kin is None:
        return
    stock = {known.name: known.stock for known in known_names()}
    if stock.get(profile.kin.lower(), "unsupported") == "unsupported":
        raise InputError(
            "profile-value",
            f"kin: {profile.kin!r} is not a name that NGT is known to accept as shipped",
            path=profile.source,
            hint="name what the distribution is to be treated like, such as 'CentOS Linux'",
        )


def _require_safe_needles(profile: Profile, *, others: Iterable[str] = ()) -> None:
    faults = check_needles(profile.needles, profile.names, others=others)
    if faults:
        raise InputError(
            faults[0].code,
            "needles: " + "; ".join(fault.message for fault in faults),
            path=profile.source,
            hint="use the distribution's full NAME in lower case, or its first words",
        )
