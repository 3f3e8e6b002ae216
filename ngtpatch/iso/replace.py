# SPDX-License-Identifier: Apache-2.0
"""New content for files of an image, in every tree at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ngtpatch.iso.edit import Plan, edit
from ngtpatch.iso.volume import Volume

__all__ = ["replace"]


def replace(
    volume: Volume,
    contents: Mapping[str, bytes],
    *,
    scrub: Collection[str] = frozenset(),
    reserve: Mapping[str, int] | None = None,
) -> Plan:
    """Plan new contents by path: :func:`~ngtpatch.iso.edit.edit` with nothing else changed."""
    return edit(volume, replace=contents, scrub=scrub, reserve=reserve)
