# SPDX-License-Identifier: Apache-2.0
"""Is it an Enterprise Linux clone? What ID, ID_LIKE and PLATFORM_ID say about that.

``PLATFORM_ID=platform:el9`` is tight: of 82 rebuilds measured 79 have it, and next
to nothing else. ``rhel`` in ID_LIKE is not: it is missing from RHEL and Oracle, and 34
others have it (Fedora desktops, XCP-ng, Amazon Linux 2). It counts only where
PLATFORM_ID cannot be there, on EL7 and older.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ngtpatch.patching.known_names import known_distributions
from ngtpatch.patching.osrelease import OsRelease

__all__ = ["EL_PYTHON", "Kinship", "KinshipKind", "kinship"]

KinshipKind = Literal["el", "rpm", "debian", "suse", "other", "unknown"]

EL_PYTHON = {"6": "2.6", "7": "2.7", "8": "3.6", "9": "3.9", "10": "3.12"}
"""The Python that each major version of Enterprise Linux brings (EL8: platform-python)."""

_EL_PLATFORM = re.compile(r"platform:el([7-9]|[1-9][0-9])")  # TencentOS 3 says el3
_EL = {"rhel", "centos", "ol", "scientific"}
_DEBIAN = {"debian", "ubuntu", "raspbian", "kali", "devuan", "linuxmint"}
_SUSE = {"suse", "opensuse", "sles", "sled", "sles_sap", "opensuse-leap", "opensuse-tumbleweed"}


@dataclass(frozen=True)
class Kinship:
    """What a distribution is.

    Attributes:
        kind: ``el`` a clone of Enterprise Linux, ``rpm`` another RPM distribution,
            ``debian`` and ``suse`` those families, ``other`` known to be none of these,
            ``unknown`` where nothing tells.
        major: the major version of Enterprise Linux it is a clone of; None unless ``el``.
        because: the reason, as one clause.
    """

    kind: KinshipKind
    major: str | None
    because: str


def kinship(release: OsRelease) -> Kinship:
    """Judge *release* by ID, ID_LIKE and PLATFORM_ID, and by what is known of its NAME."""
    known = _known_family(release)
    return (
        _plainly_not(release, known)
        or _by_platform(release)
        or _by_id(release, known)
        or Kinship("unknown", None, "ID, ID_LIKE and PLATFORM_ID do not say what it is")
    )


def _plainly_not(release: OsRelease, known: str | None) -> Kinship | None:
    own = {release.id, *release.id_like}
    if own & _DEBIAN:
        return Kinship("debian", None, _says(release, _DEBIAN))
    if own & _SUSE:
        return Kinship("suse", None, _says(release, _SUSE))
    if known == "other":
        return Kinship("other", None, f"{release.name} is known not to be one")
    if known == "rpm":
        return Kinship("rpm", None, f"{release.name} is known to be a distribution of its own")
    return None


def _by_platform(release: OsRelease) -> Kinship | None:
    if not release.platform_id:
        return None
    platform = _EL_PLATFORM.fullmatch(release.platform_id)
    if platform:
        return Kinship("el", platform[1], f"PLATFORM_ID is {release.platform_id}")
    return Kinship("rpm", None, f"PLATFORM_ID is {release.platform_id}, not platform:elN")


def _by_id(release: OsRelease, known: str | None) -> Kinship | None:
    own = {release.id, *release.id_like}
    major = release.version_id.partition(".")[0]
    if known == "el":
        return Kinship("el", major if major in EL_PYTHON else None, f"{release.name} is known")
    if own & _EL and major in {"6", "7"}:
        said = _says(release, _EL)
        return Kinship("el", major, f"{said}, and version {major} is too old for a PLATFORM_ID")
    if own & (_EL | {"fedora"}):
        said = _says(release, _EL | {"fedora"})
        return Kinship("rpm", None, f"{said}, but there is no PLATFORM_ID")
    return None


def _known_family(release: OsRelease) -> str | None:
    name = release.name.lower()
    return next((one.family for one in known_distributions() if one.name == name), None)


def _says(release: OsRelease, words: set[str]) -> str:
    if release.id in words:
        return f"ID is {release.id}"
    return f"ID_LIKE has {next(word for word in release.id_like if word in words)}"
