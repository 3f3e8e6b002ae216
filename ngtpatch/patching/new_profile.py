# SPDX-License-Identifier: Apache-2.0
"""A profile for a distribution that was never seen, from its os-release alone."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ngtpatch.errors import InputError, Refusal, UsageError
from ngtpatch.patching.choice import find_profile
from ngtpatch.patching.kinship import EL_PYTHON, Kinship, kinship
from ngtpatch.patching.known_names import Family, known_distributions, known_names
from ngtpatch.patching.needles import check_needles
from ngtpatch.patching.osrelease import THIS_HOST, OsRelease
from ngtpatch.patching.profile import KIN, Profile, Profiles, profile_of

__all__ = ["Covered", "NewProfile", "ProfileNew", "covered", "draft_profile"]

_FAMILY: dict[str, Family] = {"el": "el", "rpm": "rpm", "debian": "debian", "suse": "suse"}


@dataclass(frozen=True)
class NewProfile:
    """A new profile.

    Attributes:
        profile: as it will be loaded.
        kinship: what the distribution was judged to be.
        text: the TOML file.
    """

    profile: Profile
    kinship: Kinship
    text: str


@dataclass(frozen=True)
class Covered:
    """Why no new profile is needed.

    Attributes:
        profile: the id of the profile that has the distribution already; None where an
            unpatched installer accepts its name.
        because: one sentence.
    """

    profile: str | None
    because: str


@dataclass(frozen=True)
class ProfileNew:
    """The document of ``ngtpatch profile new``.

    Attributes:
        needed: whether a new profile is needed at all.
        because: why not, or what the distribution was judged to be.
        kind: ``el``, ``rpm``, ``debian``, ``suse``, ``other`` or ``unknown``; None where
            none is needed.
        profile: the new profile; the id of the one that covers it already; None where an
            unpatched installer knows the name.
        output: the file that was written; None for stdout, a dry run, or none needed.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.profile-new/1"

    needed: bool
    because: str
    kind: str | None
    profile: Profile | str | None
    output: str | None

    @classmethod
    def not_needed(cls, known: Covered) -> ProfileNew:
        """Return the document that says why there is none."""
        return cls(False, known.because, None, known.profile, None)

    @classmethod
    def of(cls, draft: NewProfile, output: Path | None) -> ProfileNew:
        """Return the document of a draft that was written to *output*, if to a file at all."""
        kin = draft.kinship
        return cls(
            True, kin.because, kin.kind, draft.profile, None if output is None else str(output)
        )


def covered(os_release: OsRelease, profiles: Profiles) -> Covered | None:
    """Return why *os_release* needs no new profile, or None when it needs one."""
    profile = find_profile(os_release, profiles)
    if profile is not None:
        because = f"the profile {profile.id!r} has NAME {os_release.name!r} already"
        if profile.version(os_release.version_id) is None:
            because += (
                f"; it does not list version {os_release.version_id or '(VERSION_ID is missing)'},"
                " whose hazards are therefore not judged"
            )
        return Covered(profile.id, because)
    name = os_release.name.lower()
    if any(known.name == name and known.stock != "unsupported" for known in known_names()):
        return Covered(None, f"an unpatched installer knows NAME {os_release.name!r} already")
    return None


def draft_profile(
    os_release: OsRelease,
    profiles: Profiles,
    *,
    id: str | None = None,
    needle: str | None = None,
    python: str | None = None,
    accept: str | None = None,
) -> NewProfile:
    """Return a profile for the distribution that *os_release* describes.

    Args:
        os_release: what it says about itself.
        profiles: those there are; their names and ids are taken.
        id: the profile's id; by default from ID, or from NAME where that ID is another's.
        needle: the token for the chain; by default NAME without a version at its end.
        python: the Python it brings (``"3.9"``); needed where it is no EL clone.
        accept: its ID, to confirm that it is meant although it is plainly not
            Enterprise Linux.

    Raises:
        Refusal: ``not-el``.
        InputError: the codes of :func:`ngtpatch.patching.needles.check_needles`; ``profile-id``.
        UsageError: ``python-needed``, ``python-version``, ``profile-id-taken``.
    """
    kin = kinship(os_release)
    _require_meant(os_release, kin, accept)
    needle = needle or _needle(os_release)
    others = [name for profile in profiles.values() for name in profile.names]
    faults = check_needles([needle], [os_release.name], others=others)
    if faults:
        raise InputError(
            faults[0].code,
            "; ".join(fault.message for fault in faults),
            path=os_release.source,
            hint="choose other first words of NAME with 'ngtpatch profile new --needle'",
        )
    data = _data(os_release, kin, id=_id(os_release, profiles, id), needle=needle, python=python)
    # Deferred: pydantic costs a tenth of a second, and kinship alone does not need it.
    from ngtpatch.patching.profile_file import check_profile

    profile = profile_of(check_profile(data, source=os_release.source), source=os_release.source)
    return NewProfile(profile, kin, _toml(data, kin))


def _data(
    os_release: OsRelease,
    kin: Kinship,
    *,
    id: str,
    needle: str,
    python: str | None,
) -> dict[str, Any]:
    version = kin.major or os_release.version_id or "unversioned"
    family = _FAMILY.get(kin.kind, "other")
    data: dict[str, Any] = {
        "schema": "ngtpatch.profile/1",
        "id": id,
        "name": os_release.name,
        "family": family,
        **({"kin": KIN[family]} if KIN[family] else {}),
        "names": [os_release.name],
        "needles": [needle],
    }
    if os_release.id:
        data["ids"] = [os_release.id]
    if kin.kind != "el":
        data["opt_in"] = (
            f"It is not known to be a clone of Enterprise Linux: {kin.because}. "
            "Whether NGT's agent and services work on it is not known."
        )
    data["versions"] = {
        version: {
            "python": _python(os_release, kin, python, version),
            "releases": [os_release.version_id or version],
        }
    }
    return data


def _require_meant(os_release: OsRelease, kin: Kinship, accept: str | None) -> None:
    if kin.kind not in ("debian", "suse", "other") or (accept and accept == os_release.id):
        return
    family = {
        "debian": ("of the Debian family", "it would be treated as Ubuntu is"),
        "suse": ("of the SUSE family", "it would be treated as SUSE Linux Enterprise Server is"),
    }
    other = ("not an RPM distribution", "NGT's Red Hat installer is not made for it")
    what, so = family.get(kin.kind, other)
    raise Refusal(
        "not-el",
        f"{os_release.name} is {what} ({kin.because}); {so}",
        path=os_release.source,
        hint="to make one anyway, confirm its ID: "
        f"ngtpatch profile new{_asked_by(os_release)} --accept {os_release.id or 'ID'}",
    )


def _asked_by(os_release: OsRelease) -> str:
    """Return the option that names an os-release; nothing for this host's own."""
    if os_release.source == THIS_HOST:
        return ""
    named = os_release.source if Path(os_release.source).exists() else "FILE"
    return f" --os-release {shlex.quote(named)}"


def _needle(os_release: OsRelease) -> str:
    """NAME in lower case, without a version at its end (Navy Linux puts it there)."""
    words = os_release.name.lower().split()
    while len(words) > 1 and re.fullmatch(r"v?[0-9][0-9a-z.]*", words[-1]):
        words.pop()
    stable = " ".join(words)
    # Only where NAME itself has single spaces is that still its beginning.
    return stable if os_release.name.lower().startswith(stable) else os_release.name.lower()


def _id(os_release: OsRelease, profiles: Profiles, asked: str | None) -> str:
    if asked is not None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", asked):
            raise InputError(
                "profile-id",
                f"{asked!r} cannot be a profile's id",
                hint="use lower-case letters, digits, '-', '_' and '.', as for ID in os-release(5)",
            )
        return asked
    # Springdale says ID=rhel: another's ID is no name for this one.
    taken = {one.id.lower() for one in known_distributions()} | set(profiles) | {"all", "auto", ""}
    for candidate in (os_release.id, _needle(os_release)):
        slug = re.sub(r"[^a-z0-9._-]+", "-", candidate.lower()).strip("-._")
        if slug and slug not in taken:
            return slug
    raise UsageError(
        "profile-id-taken",
        f"neither ID {os_release.id!r} nor NAME {os_release.name!r} gives a new id",
        path=os_release.source,
        hint="choose one with --id",
    )


def _python(os_release: OsRelease, kin: Kinship, python: str | None, version: str) -> str:
    python = python or EL_PYTHON.get(kin.major or "")
    if python is None:
        raise UsageError(
            "python-needed",
            f"the os-release does not say which Python {os_release.name} {version} brings",
            path=os_release.source,
            hint="give it with --python, such as --python 3.9 (python3 --version on the guest)",
        )
    if not re.fullmatch(r"[23]\.[0-9]{1,2}", python):
        raise UsageError(
            "python-version",
            f"{python!r} is not a Python version such as 3.9",
            hint="give major and minor version",
        )
    return python


def _toml(data: Mapping[str, Any], kin: Kinship) -> str:
    because = kin.because[:1].upper() + kin.because[1:]
    lines = [f"# Made from an os-release by 'ngtpatch profile new'. {because}."]
    lines += [f"{key} = {_value(value)}" for key, value in data.items() if key != "versions"]
    for version, table in data["versions"].items():
        lines += ["", f"[versions.{_value(version)}]"]
        lines += [f"{key} = {_value(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _value(value: str | Sequence[str]) -> str:
    if not isinstance(value, str):
        return f"[{', '.join(_value(one) for one in value)}]"
    # For printable text a JSON string is a TOML basic string.
    return json.dumps(value, ensure_ascii=False)
