# SPDX-License-Identifier: Apache-2.0
"""An edit of an image, planned in memory as regions over the vendor's bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.digest import sha256_of_bytes, sha256_of_ranges, sha256_of_source
from ngtpatch.iso.edit.base_digests import BaseDigests
from ngtpatch.iso.edit.draft import Draft
from ngtpatch.iso.edit.entries import Entries
from ngtpatch.iso.edit.growth import append_anchor, record_end
from ngtpatch.iso.edit.history import History
from ngtpatch.iso.edit.legible import require_legible
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.edit.placement import Content, Placement
from ngtpatch.iso.edit.targets import Target, find_target
from ngtpatch.iso.read.build_record import BuildRecord, Change, mask
from ngtpatch.iso.read.ecma119 import SECTOR
from ngtpatch.iso.read.regions import (
    Overlay,
    Region,
    Seal,
    isolate,
    merge_ranges,
    regions_digest,
    without,
)
from ngtpatch.iso.read.volume import Volume

__all__ = ["EditPlan", "Note", "edit", "refuse_image"]


_THE_DIRECTORY_WAY = "unpack or mount it, and name the directory: a new image is made of it"


@dataclass(frozen=True)
class Note:
    """What the record shall say beside what the edit itself knows.

    Attributes:
        about: JSON: profiles, patches with their digests, versions. No secrets.
        digests: of the volume, for many images that are made of it, or for one whose record
            replaces another. Without them the sink that writes the image computes what the
            record of a vendor's image needs on the way, if it computes digests at all.
        within: what changes in archives that are replaced, member by member.
    """

    about: Mapping[str, Any]
    digests: BaseDigests | None = None
    within: Sequence[Change] = ()


@dataclass(frozen=True)
class EditPlan:
    """What an edit makes of an image. Nothing is written yet.

    Attributes:
        volume: what was edited.
        regions: over the volume's bytes, in order.
        size: of the result, in bytes.
        changes: file by file, by path: against the vendor's image where the volume has
            a record, else against the volume.
        record: what the image will say about itself; None without a note.
        seal: makes the region that needs the base's digest; see :meth:`Overlay.sealed`.
    """

    volume: Volume
    regions: tuple[Region, ...]
    size: int
    changes: tuple[Change, ...]
    record: BuildRecord | None = None
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
    replace: Mapping[str, Content] | None = None,
    add: Mapping[str, NewFile] | None = None,
    remove: Collection[str] = frozenset(),
    scrub: Collection[str] = frozenset(),
    reserve: Mapping[str, int] | None = None,
    wipe: Collection[tuple[int, int]] = (),
    forget: Collection[tuple[int, int]] = (),
    note: Note | None = None,
) -> EditPlan:
    """Plan new contents for files, new files and removed ones, in all trees at once.

    Modes, owners and times of what is there stay as the vendor recorded them; no date of
    the volume changes, so the same edit always gives the same bytes. A volume that has a
    record already gets a new one in its place, about everything that differs from the vendor's.

    Args:
        volume: the image.
        replace: new content by path in the most expressive tree; see :meth:`Placement.put`.
        add: files that are not there yet, in directories that are.
        remove: paths of files.
        scrub: paths of *replace* and *remove* whose old content is overwritten wherever
            it stood.
        reserve: room in bytes that a path's extent shall have at least.
        wipe: ranges (offset, length) of nobody's bytes that are overwritten as well, and
            cannot be had back; see :class:`~ngtpatch.iso.read.ownership.Ownership`.
        forget: ranges of the vendor's image whose bytes the record is not to keep, though
            something else stands there by now.
        note: what the record says; without one, only an image that has a record gets one.

    Raises:
        InputError: ``not-found``, or ``hostile``: another file lies over what is edited.
        VerificationError: the record that it would have cannot be read back.
        Refusal: the image or an entry has a shape that is not edited; see
            :func:`~ngtpatch.iso.edit.targets.find_target`, :class:`Placement` and :class:`Entries`.
    """
    contents, added, reserve = dict(replace or {}), dict(add or {}), dict(reserve or {})
    if contents or added or reserve or remove:
        refuse_image(volume)
    kept = sorted({*contents, *reserve} - added.keys())
    targets = {path: find_target(volume, path) for path in kept}
    removed = {path: find_target(volume, path) for path in sorted(remove)}
    _refuse_contradictions({"replace": contents, "add": added, "remove": removed}, scrub)
    history = History.of(volume)
    draft = Draft(volume.source, history.end)
    start = draft.end
    owners = _owners([*targets.values(), *removed.values()])
    placement = Placement(volume, draft, owners=owners, rooms=dict(history.rooms))
    for path in sorted(scrub):
        target = targets.get(path) or removed[path]
        placement.scrub(target)
        for offset, length in history.earlier_extents(path):
            placement.scrub_range(target, offset, length)
    placement.wipe(wipe)
    placement.scrubbed += forget
    changes = []
    for path, target in targets.items():
        new: Content = contents[path] if path in contents else volume.tree[path]
        change = Change(path, _digest(volume, target), _digest_of(new), path in scrub)
        differs = change.sha256_before != change.sha256_after
        if differs or path in scrub or path in reserve:
            placement.put(target, new, reserve=reserve.get(path, 0))
        if differs:
            changes.append(change)
    for path, target in removed.items():
        changes.append(Change(path, _digest(volume, target), None, path in scrub, "removed"))
    for path, file in sorted(added.items()):
        after = None if file.secret else sha256_of_bytes(file.content)
        changes.append(Change(path, None, after, kind="added"))
    if added or removed:
        entries = Entries(volume, draft, placement)
        entries.change(added, list(removed.values()), reserve=reserve)
    if not any(file.content for file in added.values()):  # new content is the last there is
        placement.blank_behind_last(targets.values(), removed.values())
    changes = [change.without_secrets() for change in changes]
    changes += note.within if note else ()
    # Of what is wiped the caller knows that it is nobody's, to the byte.
    _refuse_overlaps(volume, without(draft.written, merge_ranges(wipe)), owners)
    if draft.written and (note is not None or history.record is not None):
        return _recorded(volume, draft, history, placement, changes, note)
    return _unrecorded(volume, draft, start, changes)


def _refuse_overlaps(
    volume: Volume, written: Iterable[tuple[int, int]], owners: Collection[int]
) -> None:
    """Refuse an image in which what is edited is a part of another file's content as well."""
    for offset, length in written:
        for use in volume.usage.of(offset, length):
            if use.content and use.owner not in owners:
                raise InputError(
                    "hostile",
                    f"{use.what} lies over what would be edited at byte {offset:,}",
                    path=str(volume.path),
                    hint="'ngtpatch verify' shows what else is wrong with it",
                )


def _unrecorded(volume: Volume, draft: Draft, start: int, changes: Sequence[Change]) -> EditPlan:
    """Make the plan of an image that says nothing about itself."""
    size = volume.size
    if draft.end != start:
        append_anchor(volume, draft)
        record_end(volume, draft)
        size = draft.end
    return EditPlan(volume, draft.regions(), size, tuple(changes))


def _refuse_contradictions(parts: Mapping[str, Collection[str]], scrub: Collection[str]) -> None:
    """Refuse a request that names a path twice: that is a mistake of the caller's."""
    named: dict[str, str] = {}
    for part, paths in parts.items():
        for path in paths:
            if path in named:
                raise ValueError(f"{path} is to be both in {named[path]} and in {part}")
            named[path] = part
    for path in scrub:
        if named.get(path) not in ("replace", "remove"):
            raise ValueError(f"{path} is to be scrubbed, and neither replaced nor removed")


def _recorded(
    volume: Volume,
    draft: Draft,
    history: History,
    placement: Placement,
    changes: Sequence[Change],
    note: Note | None,
) -> EditPlan:
    """Append the record, and make the plan."""
    if note is None:
        note = Note(history.record.about if history.record else {})
    # 7-Zip looks for an anchor right behind the last file; what follows it is free.
    append_anchor(volume, draft)
    record_end(volume, draft)  # a first time, so that the record undoes these fields as well
    record = history.new_record(draft, note.about, changes, placement)
    if note.digests is not None:
        record = note.digests.named(record, history.record)
    draft.append(record.payload())
    draft.append(bytes(SECTOR))
    append_anchor(volume, draft)
    record_end(volume, draft)
    record = record.noting(draft, volume.pieces, draft.touched())
    draft.write(record.end - SECTOR, record.trailer())
    regions = isolate(draft.regions(), record.end - SECTOR, SECTOR)
    seal = None
    if note.digests is None and history.record is None:
        views = [Overlay(volume.source)]
        if record.scrubbed:
            views.append(mask(views[0], record.scrubbed))
        seal = Seal(tuple(views), record.sealed)
    plan = EditPlan(volume, regions, draft.end, record.changes, record, seal)
    require_legible(record, plan.overlay(), path=volume.path)
    return plan


def refuse_image(volume: Volume) -> None:
    """Raise Refusal where an image is not edited, whatever is asked for.

    Its code is ``second-opinion``, ``hybrid-gpt`` or ``unknown-tree``.
    """
    if volume.doubt is not None:
        raise Refusal(
            "second-opinion",
            f"is not edited, since pycdlib cannot open it: {volume.doubt}",
            path=str(volume.path),
            hint=_THE_DIRECTORY_WAY,
        )
    if volume.descriptors.system_area.has_gpt:
        raise Refusal(
            "hybrid-gpt",
            "is a hybrid with a GUID partition table, which an edit would invalidate",
            path=str(volume.path),
            hint=_THE_DIRECTORY_WAY,
        )
    others = volume.descriptors.system_area.others
    if others:
        raise Refusal(
            "unknown-tree",
            f"has {' and '.join(others)} over the same files, which an edit would leave unchanged",
            path=str(volume.path),
            hint=_THE_DIRECTORY_WAY,
        )
    known = {tree.descriptor.root.extent for tree in volume.records.values()}
    for descriptor in volume.descriptors.all:
        if descriptor.root.extent not in known:
            raise Refusal(
                "unknown-tree",
                "has a further directory tree, which an edit would leave unchanged",
                path=str(volume.path),
                hint=_THE_DIRECTORY_WAY,
            )


def _owners(targets: Collection[Target]) -> frozenset[int]:
    found = set()
    for target in targets:
        found |= {node.records[0].offset for node in target.records.values()}
        if target.udf:
            found.add(target.udf.file_entry.offset)
    return frozenset(found)


def _digest_of(content: Content) -> str:
    if isinstance(content, bytes):
        return sha256_of_bytes(content)
    return sha256_of_source(content, content.size)


def _digest(volume: Volume, target: Target) -> str:
    return sha256_of_ranges(volume, target.entry.extents)
