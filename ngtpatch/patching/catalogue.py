# SPDX-License-Identifier: Apache-2.0
"""The documents of ``ngtpatch patch`` and ``ngtpatch profile`` about what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngtpatch.patching.patch import Patch
from ngtpatch.patching.places import SHAPES
from ngtpatch.patching.profile import Profile

__all__ = ["PatchFacts", "PatchList", "PatchShown", "ProfileList", "ProfileShown"]


@dataclass(frozen=True)
class PatchFacts:
    """One patch: what it changes, where, and the shapes of what it can extend."""

    id: str
    summary: str
    kind: str
    paths: tuple[str, ...]
    eras: tuple[int, ...]
    ngt_versions: str
    shapes: tuple[str, ...]
    examples: tuple[str, ...]
    source: str

    @classmethod
    def of(cls, patch: Patch) -> PatchFacts:
        """Return what is told of *patch*."""
        return cls(
            id=patch.id,
            summary=patch.summary,
            kind=patch.kind,
            paths=patch.paths,
            eras=patch.eras,
            ngt_versions=patch.ngt_versions,
            shapes=tuple(SHAPES.values()) if patch.kind == "recognise" else (),
            examples=tuple(example.title for example in patch.examples),
            source=patch.source,
        )


@dataclass(frozen=True)
class PatchList:
    """The document of ``ngtpatch patch list``."""

    SCHEMA: ClassVar[str] = "ngtpatch.patch-list/1"

    patches: tuple[PatchFacts, ...]


@dataclass(frozen=True)
class PatchShown:
    """The document of ``ngtpatch patch show``."""

    SCHEMA: ClassVar[str] = "ngtpatch.patch-show/1"

    patch: PatchFacts


@dataclass(frozen=True)
class ProfileList:
    """The document of ``ngtpatch profile list``."""

    SCHEMA: ClassVar[str] = "ngtpatch.profile-list/1"

    profiles: tuple[Profile, ...]


@dataclass(frozen=True)
class ProfileShown:
    """The document of ``ngtpatch profile show``."""

    SCHEMA: ClassVar[str] = "ngtpatch.profile-show/1"

    profile: Profile
