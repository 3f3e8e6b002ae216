# SPDX-License-Identifier: Apache-2.0
"""What an ISO is made from and by, as it was read: what provenance states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ngtpatch.patching.patch import Patch
    from ngtpatch.patching.profile import Profile

__all__ = ["Material", "deciding"]


@dataclass(frozen=True)
class Material:
    """Something that the ISO was made from or by.

    Attributes:
        kind: ``iso``, ``profile`` or ``patch``.
        name: the file's name, without its directory: where it lay is nobody's business.
        sha256: of its bytes.
    """

    kind: str
    name: str
    sha256: str


def deciding(profiles: Iterable[Profile], patches: Iterable[Patch]) -> tuple[Material, ...]:
    """Return the files of the profiles and of all patches, by the bytes that were read of them.

    Whoever reads them again may read what somebody wrote meanwhile.
    """
    read: list[tuple[str, str, str | None]] = [
        *(("profile", one.source, one.sha256) for one in profiles),
        *(("patch", one.source, one.sha256) for one in patches),
    ]
    return tuple(
        Material(kind, Path(source).name, sha256) for kind, source, sha256 in read if sha256
    )
