# SPDX-License-Identifier: Apache-2.0
"""An edit of an image, planned in memory as regions over the vendor's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from ngtpatch.errors import Refusal
from ngtpatch.iso.draft import Draft
from ngtpatch.iso.growth import close_volume
from ngtpatch.iso.placement import Placement
from ngtpatch.iso.regions import Overlay, Region, Seal, regions_digest
from ngtpatch.iso.targets import Target, find_target
from ngtpatch.iso.volume import Volume

__all__ = ["Change", "Plan", "edit"]


@dataclass(frozen=True, slots=True)
class Change:
    """One file whose content the plan changes.

    Attributes:
        path: in the most expressive tree.
        sha256_before: of the old content; None for an added file, and where it is scrubbed.
        sha256_after: of the new content; None for a removed file, and where it is scrubbed.
        scrubbed: whether the old content is overwritten wherever it stood.
    """

    path: str
    sha256_before: str | None
    sha256_after: str | None
    scrubbed: bool = False


@dataclass(frozen=True)
class Plan:
    """What an edit makes of an image. Nothing is written yet.

    Attributes:
        volume: what was edited.
        regions: over the volume's bytes, in order.
        size: of the result, in bytes.
        changes: file by file, by path.
        seal: makes the region that needs the base's digest; see :meth:`Overlay.sealed`.
    """

    volume: Volume
    regions: tuple[Region, ...]
    size: int
    changes: tuple[Change, ...]
    seal: Seal | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the regions: with the base's digest it identifies the result."""
        return regions_digest(self.regions, self.size)

    def overlay(self) -> Overlay:
        """Return the result, as bytes to be read or written."""
        return Overlay(self.volume.source, self.regions, size=self.size, seal=self.seal)


def edit(
    volume: Volume,
    *,
    replace: Mapping[str, bytes] | None = None,
    scrub: Collection[str] = frozenset(),
    reserve: Mapping[str, int] | None = None,
) -> Plan:
    """Plan new contents for files, in all trees at once.

    Modes, owners and times stay as the vendor recorded them; no date of the volume
    changes, so the same edit always gives the same bytes.

    Args:
        volume: the image.
        replace: new content by path in the most expressive tree.
        scrub: paths of *replace* whose old content is overwritten wherever it stood.
        reserve: room in bytes that a path's extent shall have at least.

    Raises:
        InputError: ``not-found``.
        Refusal: the image or an entry has a shape that is not edited; see
            :func:`~ngtpatch.iso.targets.find_target` and :class:`Placement`.
    """
    contents, reserve = dict(replace or {}), dict(reserve or {})
    _refuse_image(volume)
    targets = {path: find_target(volume, path) for path in sorted({*contents, *reserve})}
    for path in reserve:
        contents.setdefault(path, _content(volume, targets[path]))
    draft = Draft(volume.source, volume.size)
    end = draft.end
    placement = Placement(volume, draft, owners=_owners(targets.values()), rooms={})
    for path in sorted(scrub):
        placement.scrub(targets[path])
    changes = []
    for path, target in targets.items():
        old, new = _content(volume, target), contents[path]
        hidden = path in scrub
        if old != new or hidden or path in reserve:
            placement.put(target, new, reserve=reserve.get(path, 0))
        if old != new:
            before, after = (None, None) if hidden else (_sha256(old), _sha256(new))
            changes.append(Change(path, before, after, hidden))
    if draft.end != end:
        close_volume(volume, draft)
        size = draft.end
    else:
        size = volume.size
    return Plan(volume, draft.regions(), size, tuple(changes))


def _refuse_image(volume: Volume) -> None:
    if volume.descriptors.has_gpt:
        raise Refusal(
            "hybrid-gpt",
            "is a hybrid with a GUID partition table, which an edit would make wrong",
            path=str(volume.path),
        )
    known = {tree.descriptor.root.extent for tree in volume.records.values()}
    for descriptor in volume.descriptors.all:
        if descriptor.root.extent not in known:
            raise Refusal(
                "unknown-tree",
                "has a further directory tree, which an edit would leave behind",
                path=str(volume.path),
            )


def _owners(targets: Collection[Target]) -> frozenset[int]:
    found = set()
    for target in targets:
        found |= {node.records[0].offset for node in target.records.values()}
        if target.udf:
            found.add(target.udf.file_entry.offset)
    return frozenset(found)


def _content(volume: Volume, target: Target) -> bytes:
    return b"".join(volume.read_at(offset, length) for offset, length in target.entry.extents)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
