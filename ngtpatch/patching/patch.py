# SPDX-License-Identifier: Apache-2.0
"""What can be changed in the installer, as data: the patches.

A patch is one TOML file, ``<id>.toml``, in the shipped ``patches/`` or in a
directory of the user's own. It names a *kind* from a closed set and gives it
parameters; the code of the kinds is ngtpatch's (:mod:`ngtpatch.patching.codemods`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ngtpatch.errors import InputError
from ngtpatch.files.shipped import data_dir
from ngtpatch.files.toml_file import toml_files
from ngtpatch.interrupts import deferred
from ngtpatch.patching.expressions import strings
from ngtpatch.patching.profile import Profile, ProfileVersion

__all__ = ["KIN_BRANCH", "Example", "Patch", "PatchKind", "load_patch", "load_patches"]

KIN_BRANCH = "kin"
"""Stands for the branch that the profile's kin takes."""

PatchKind = Literal["kin", "linux-distribution", "loose-version", "recognise"]


@dataclass(frozen=True)
class Example:
    """A file before a patch, and what must become of it.

    Attributes:
        title: what it shows.
        profile: the distribution that it is patched for.
        before: the file's text.
        after: its text afterwards; None where the patch must refuse.
        refused: the code of that refusal; None where it must not.
    """

    title: str
    profile: Profile
    before: str
    after: str | None
    refused: str | None


@dataclass(frozen=True)
class Patch:
    """One kind of change, for some files.

    Attributes:
        id: its name, and the file's stem.
        summary: what it does, in one sentence.
        kind: which code does it.
        paths: globs over the image's paths; ``**`` crosses directories.
        exclude: globs of files that it is not for all the same.
        required: whether an installer without such a file is refused.
        eras: the layouts that it is for.
        ngt_versions: a version range such as ``>=2.0,<4``; empty for all.
        branch: what the branch to extend does.
        count: how many such places each file has; None for any number.
        keep: names that must decide as before, beside all that are known.
        examples: what it does, as files.
        source: the file it was read from.
        sha256: of that file's bytes as they were read.
    """

    id: str
    summary: str
    kind: PatchKind
    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    required: bool
    eras: tuple[int, ...]
    ngt_versions: str
    branch: str
    count: int | None
    needles: str | tuple[str, ...]
    change: str | tuple[str, ...]
    keep: tuple[str, ...]
    examples: tuple[Example, ...]
    source: str
    sha256: str

    def matches(self, path: str) -> bool:
        """Tell whether *path*, relative to the image's root, is one that it is for."""
        return _any_matches(self.paths, path) and not _any_matches(self.exclude, path)

    def needles_for(self, profile: Profile) -> tuple[str, ...]:
        """Return the tokens for the chain that *profile* gives."""
        return self._strings("parameters.needles", self.needles, profile)

    def names_for(self, profile: Profile) -> tuple[str, ...]:
        """Return the names that must take the anchor's branch for *profile*."""
        return self._strings("names.change", self.change, profile)

    def _strings(self, key: str, value: str | tuple[str, ...], profile: Profile) -> tuple[str, ...]:
        if not isinstance(value, str):
            return value
        return strings(value, profile, path=self.source, key=key)


def _any_matches(globs: Sequence[str], path: str) -> bool:
    return any(re.fullmatch(_regex(glob), path) for glob in globs)


@functools.lru_cache(maxsize=256)
def _regex(glob: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(wild.get(part) or re.escape(part) for part in parts)


def load_patch(path: Path | str) -> Patch:
    """Read one patch file.

    Raises:
        InputError: the file cannot be read (``not-found``, ``unreadable``, ``not-text``,
            ``not-toml``) or is not a patch (``patch-schema``, ``patch-unknown-key``,
            ``patch-missing-key``, ``patch-value``, ``patch-id``).
    """
    # Deferred: pydantic costs a tenth of a second, and not every use reads a patch.
    # With a signal in the middle of that some of its releases panic.
    with deferred():
        from ngtpatch.patching.patch_file import ExampleTable, read_patch_file

    file, sha256 = read_patch_file(Path(path))

    def example(table: ExampleTable) -> Example:
        profile = Profile(
            id=table.profile.id,
            name=table.profile.names[0],
            family="el",
            names=tuple(table.profile.names),
            needles=tuple(table.profile.needles),
            ids=tuple(table.profile.ids),
            versions=_versions(table.profile.python),
            opt_in=None,
            source=str(path),
        )
        return Example(table.title, profile, table.before, table.after, table.refused)

    return Patch(
        id=file.id,
        summary=file.summary,
        kind=file.kind,
        paths=tuple(file.where.paths),
        exclude=tuple(file.where.exclude),
        required=file.where.required,
        eras=tuple(file.where.eras),
        ngt_versions=file.where.ngt_versions,
        branch=file.anchor.branch,
        count=None if file.anchor.count == "any" else file.anchor.count,
        needles=_parameter(file.parameters.needles),
        change=_parameter(file.names.change),
        keep=tuple(file.names.keep),
        examples=tuple(example(table) for table in file.examples),
        source=str(path),
        sha256=sha256,
    )


def _parameter(value: str | Sequence[str]) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(value)


def _versions(pythons: Sequence[str]) -> Mapping[str, ProfileVersion]:
    return {
        str(number): ProfileVersion(str(number), python, (str(number),), "name")
        for number, python in enumerate(pythons, 1)
    }


def load_patches(directories: Iterable[Path | str] = ()) -> tuple[Patch, ...]:
    """Read the shipped patches, then those in *directories*; sorted by id.

    A later directory's patch replaces an earlier one of the same id.

    Raises:
        InputError: as :func:`load_patch`, for the first file at fault; also ``not-found``
            and ``not-directory`` for a directory.
    """
    found: dict[str, Patch] = {}
    for directory in (data_dir("patches"), *directories):
        for path in toml_files(Path(directory), what="patch"):
            patch = load_patch(path)
            found[patch.id] = patch
    if not found:
        raise InputError("not-found", "there is no patch file", path=str(data_dir("patches")))
    return tuple(found[name] for name in sorted(found))
