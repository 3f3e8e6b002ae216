# SPDX-License-Identifier: Apache-2.0
"""The profile file's format, and one clear error for each way to get it wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ngtpatch.errors import InputError
from ngtpatch.files.toml_file import read_toml
from ngtpatch.files.validation import unfit

__all__ = ["PROFILE_SCHEMA", "ProfileFile", "VersionTable", "check_profile", "read_profile_file"]

PROFILE_SCHEMA: Literal["ngtpatch.profile/1"] = "ngtpatch.profile/1"

_Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S(.*\S)?$")]
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]  # os-release(5), ID=
_Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~-]*$")]
_Python = Annotated[str, StringConstraints(pattern=r"^[23]\.[0-9]{1,2}$")]


class _ProfileTable(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class VersionTable(_ProfileTable):
    """``[versions."8"]``: one major version."""

    python: _Python = Field(description='the Python it brings, as text: "3.6"')
    releases: list[_Version] = Field(
        default_factory=list, description='VERSION_ID of each release seen, as text: "8.10"'
    )
    evidence: Literal["os-release", "release-file", "name"] = Field(
        default="os-release",
        description="what was read of it: its os-release, its legacy release file, only its name",
    )


class ProfileFile(_ProfileTable):
    """A distribution, as ``<id>.toml``."""

    schema_: Literal["ngtpatch.profile/1"] = Field(alias="schema")
    id: _Id = Field(description="the name to ask for it by; the file's stem")
    name: _Text = Field(description="the distribution's title")
    family: Literal["el", "rpm", "debian", "suse", "other"] = Field(
        description="el: derived from RHEL; rpm: another RPM distribution; debian and suse:"
        " theirs; other: none of these"
    )
    kin: _Text | None = Field(
        default=None,
        description="the NAME of a distribution that NGT accepts as shipped, and that this one"
        ' is to be treated like; by default that of the family, such as "CentOS Linux"',
    )
    names: list[_Text] = Field(min_length=1, description="every NAME of os-release(5) seen")
    needles: list[str] = Field(
        min_length=1, description="lower-case tokens for the installer's chain"
    )
    ids: list[_Text] = Field(default_factory=list, description="every ID of os-release(5) seen")
    opt_in: _Text | None = Field(
        default=None, description="what is not proven; such a profile must be asked for by name"
    )
    versions: dict[_Version, VersionTable] = Field(min_length=1)


def read_profile_file(path: Path) -> tuple[ProfileFile, str]:
    """Read and validate *path*; return it and the SHA-256 of its bytes.

    Raises InputError, see ngtpatch.patching.profile.load_profile.
    """
    data, sha256 = read_toml(path, what="profile")
    file = check_profile(data, source=str(path))
    if file.id != path.stem:
        raise InputError(
            "profile-id",
            f"id is {file.id!r}, but the file is called {path.name!r}",
            path=str(path),
            hint=f"call it {file.id}.toml",
        )
    return file, sha256


def check_profile(data: Mapping[str, Any], *, source: str) -> ProfileFile:
    """Validate *data*, the content of a profile file. Raises InputError, naming *source*."""
    try:
        return ProfileFile.model_validate(data)
    except ValidationError as error:
        raise unfit(
            error,
            data,
            what="profile",
            schema=PROFILE_SCHEMA,
            source=source,
            special=_version_fault,
            hints={"profile-version-type": "quote versions: unquoted, 8.10 is the number 8.1"},
        ) from None


def _version_fault(
    kind: str, location: tuple[int | str, ...], key: str, found: Any
) -> tuple[str, str] | None:
    """Return the fault of a version that is not written as text."""
    if location[:1] != ("versions",):
        return None
    if kind == "extra_forbidden" and isinstance(found, dict):
        # [versions.8.10] is not the table "8.10" but the table "10" in the table "8".
        written = ".".join(str(part) for part in location[1:])
        return "profile-version-type", f'{key}: write [versions."{written}"]'
    if kind == "string_type":
        return "profile-version-type", f"{key}: {found!r} is not a string"
    return None
