# SPDX-License-Identifier: Apache-2.0
"""The profile file's format, and one clear error for each way to get it wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ngtpatch.errors import InputError
from ngtpatch.patching.toml_file import read_toml

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
    family: Literal["el", "rpm", "other"] = Field(
        description="el: derived from RHEL; rpm: another RPM distribution; other: neither"
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


def read_profile_file(path: Path) -> ProfileFile:
    """Read and validate *path*. Raises InputError, see ngtpatch.patching.profile.load_profile."""
    file = check_profile(read_toml(path, what="profile"), source=str(path))
    if file.id != path.stem:
        raise InputError(
            "profile-id",
            f"id is {file.id!r}, but the file is called {path.name!r}",
            path=str(path),
            hint=f"call it {file.id}.toml",
        )
    return file


def check_profile(data: Mapping[str, Any], *, source: str) -> ProfileFile:
    """Validate *data*, the content of a profile file. Raises InputError, naming *source*."""
    try:
        return ProfileFile.model_validate(data)
    except ValidationError as error:
        raise _explain(source, data, error) from None


# The most telling first: what else is wrong often follows from it.
_CODES = (
    "profile-schema",
    "profile-version-type",
    "profile-unknown-key",
    "profile-missing-key",
    "profile-value",
)


def _explain(source: str, data: Mapping[str, Any], error: ValidationError) -> InputError:
    faults = [_fault(data, one["type"], one["loc"], one["msg"]) for one in error.errors()]
    faults.sort(key=lambda fault: _CODES.index(fault[0]))
    code = faults[0][0]
    hint = "'ngtpatch schema profile' lists the keys and their values"
    if code == "profile-version-type":
        hint = "quote versions: unquoted, 8.10 is the number 8.1"
    return InputError(
        code,
        "; ".join(dict.fromkeys(message for _, message in faults)),
        path=source,
        hint=hint,
    )


def _fault(
    data: Mapping[str, Any], kind: str, location: tuple[int | str, ...], said: str
) -> tuple[str, str]:
    """Return (code, sentence) for one of pydantic's findings."""
    key = _dotted(location)
    found = _at(data, location)
    in_versions = location[:1] == ("versions",)
    if kind == "extra_forbidden":
        if in_versions and isinstance(found, dict):
            # [versions.8.10] is not the table "8.10" but the table "10" in the table "8".
            written = ".".join(str(part) for part in location[1:])
            return "profile-version-type", f'{key}: write [versions."{written}"]'
        return "profile-unknown-key", f"{key}: no such key"
    if kind == "missing":
        return "profile-missing-key", f"{key} is missing"
    if kind == "string_type" and in_versions:
        return "profile-version-type", f"{key}: {found!r} is not a string"
    if kind == "literal_error" and location == ("schema",):
        return "profile-schema", f"schema is {found!r}, and this ngtpatch reads {PROFILE_SCHEMA!r}"
    return "profile-value", f"{key}: {said[:1].lower()}{said[1:]}, found {found!r}"


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":
            quoted = f'"{part}"' if "." in part else part
            text += f".{quoted}" if text else quoted
    return text


def _at(data: Any, location: tuple[int | str, ...]) -> Any:
    for part in location:
        if part == "[key]":
            break
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data
