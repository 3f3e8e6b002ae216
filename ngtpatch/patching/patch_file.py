# SPDX-License-Identifier: Apache-2.0
"""The patch file's format, and one clear error for each way to get it wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from ngtpatch.errors import InputError
from ngtpatch.files.toml_file import read_toml
from ngtpatch.files.validation import unfit

__all__ = ["PATCH_SCHEMA", "PatchFile", "read_patch_file"]

PATCH_SCHEMA: Literal["ngtpatch.patch/1"] = "ngtpatch.patch/1"

_Text = Annotated[str, StringConstraints(min_length=1)]
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
_Glob = Annotated[str, StringConstraints(min_length=1, max_length=512)]
_MOST_STARS = 4
"""A path that fits none of many stars takes time that grows with each of them."""
_Expression = Annotated[str, StringConstraints(pattern=r"^\{\{.+\}\}$")]


class _PatchTable(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class WhereTable(_PatchTable):
    """``[where]``: the files that the patch is for."""

    paths: list[_Glob] = Field(
        min_length=1, description="globs over the image's paths; ** crosses directories"
    )
    exclude: list[_Glob] = Field(
        default_factory=list, description="globs of files that it is not for all the same"
    )
    required: bool = Field(
        default=False, description="whether an installer without such a file is refused"
    )
    eras: list[Literal[1, 2, 3]] = Field(
        default=[1, 2, 3], min_length=1, description="layouts of the installer"
    )
    ngt_versions: str = Field(default="", description='such as ">=2.0,<4"; empty for all')

    @field_validator("paths", "exclude")
    @classmethod
    def _is_quick(cls, globs: list[str]) -> list[str]:
        for glob in globs:
            if len(re.findall(r"\*{1,2}", glob)) > _MOST_STARS:
                raise ValueError(f"a glob has at most {_MOST_STARS} of * and **")
        return globs

    @field_validator("ngt_versions")
    @classmethod
    def _is_specifier(cls, value: str) -> str:
        if not value:
            return value
        # Deferred: costs a tenth of a second, and few patches ask.
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(value)
        except InvalidSpecifier:
            raise ValueError('not a version range such as ">=2.0,<4"') from None
        return value


class AnchorTable(_PatchTable):
    """``[anchor]``: what must be found in each of those files."""

    branch: _Id = Field(
        default="redhat",
        description="what the branch to extend does; kin: what that of the profile's kin does",
    )
    count: Annotated[int, Field(ge=1, le=99)] | Literal["any"] = Field(
        default=1, description='how many such places there are; "any" includes none'
    )


class ParametersTable(_PatchTable):
    """``[parameters]``: values for the kind, as texts or as expressions over the profile."""

    needles: list[_Text] | _Expression = Field(
        default="{{ profile.needles }}", description="tokens for the chain"
    )


class NamesTable(_PatchTable):
    """``[names]``: the promise that is checked at every application."""

    change: list[_Text] | _Expression = Field(
        default="{{ profile.names }}", description="names that must take the anchor's branch"
    )
    keep: list[_Text] = Field(
        default_factory=list,
        description="names that must decide as before, beside all that are known",
    )


class ExampleProfileTable(_PatchTable):
    """``[examples.profile]``: the distribution of an example."""

    id: _Id = "example"
    names: list[_Text] = Field(min_length=1)
    needles: list[_Text] = Field(min_length=1)
    ids: list[_Text] = Field(default_factory=list)
    python: list[_Text] = Field(default_factory=lambda: ["3.6"], min_length=1)


class ExampleTable(_PatchTable):
    """``[[examples]]``: a file before, and what becomes of it."""

    title: _Text
    profile: ExampleProfileTable
    before: _Text
    after: _Text | None = Field(default=None, description="the file after; itself if unchanged")
    refused: _Id | None = Field(default=None, description="the code of the refusal")

    @model_validator(mode="after")
    def _one_outcome(self) -> ExampleTable:
        if (self.after is None) == (self.refused is None):
            raise ValueError("give either after or refused")
        return self


class PatchFile(_PatchTable):
    """A change to the installer, as ``<id>.toml``."""

    schema_: Literal["ngtpatch.patch/1"] = Field(alias="schema")
    id: _Id = Field(description="the patch's name; the file's stem")
    summary: _Text = Field(description="what it does, in one sentence")
    kind: Literal["kin", "linux-distribution", "loose-version", "recognise"] = Field(
        description="which code does it"
    )
    where: WhereTable
    anchor: AnchorTable = AnchorTable()
    parameters: ParametersTable = ParametersTable()
    names: NamesTable = NamesTable()
    examples: list[ExampleTable] = Field(min_length=1)

    @model_validator(mode="after")
    def _only_a_chain_has_an_anchor(self) -> PatchFile:
        idle = self.model_fields_set & {"anchor", "parameters", "names"}
        if self.kind != "recognise" and idle:
            tables = ", ".join(sorted(idle))
            raise ValueError(f"kind {self.kind!r} has no table {tables}; 'recognise' has")
        return self


def read_patch_file(path: Path) -> tuple[PatchFile, str]:
    """Read and validate *path*; return it and the SHA-256 of its bytes.

    Raises InputError, see ngtpatch.patching.patch.load_patch.
    """
    data, sha256 = read_toml(path, what="patch")
    try:
        file = PatchFile.model_validate(data)
    except ValidationError as error:
        raise unfit(error, data, what="patch", schema=PATCH_SCHEMA, source=str(path)) from None
    if file.id != path.stem:
        raise InputError(
            "patch-id",
            f"id is {file.id!r}, but the file is called {path.name!r}",
            path=str(path),
            hint=f"call it {file.id}.toml",
        )
    return file, sha256
