# SPDX-License-Identifier: Apache-2.0
"""What is known of every byte of an image, and what that rests on.

Three questions, and no byte is left out of all of them. Does what the record says was written
stand there? Is the rest the vendor's: the same as the base's bytes, or, once the originals are
back in their places, of the digest that the record names? And does anything stand behind?

Everybody who says "verified" asks here: verify, packer verify, provenance, rebuild and inject.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ngtpatch.errors import NgtpatchError
from ngtpatch.files.digest import sha256_of_ranges, sha256_of_source
from ngtpatch.iso.compare.byte_difference import (
    ByteDifference,
    byte_difference,
    count_differing,
)
from ngtpatch.iso.compare.comparison import REPLACED, compare
from ngtpatch.iso.read.build_record import BuildRecord, Change, DamagedRecord, mask
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.regions import Overlay
from ngtpatch.iso.read.volume import Volume

__all__ = ["NO_RECORD", "Contradiction", "Proof", "prove"]

NO_RECORD = "no record: not written by ngtpatch, or grown or damaged since"
_BLOCK = 1 << 20

Ground = Literal["base", "digest", "nothing"]


@dataclass(frozen=True)
class Contradiction:
    """Why an image is not proven.

    Attributes:
        code: stable word.
        offset: of the first byte it is about; None where there is none.
        message: what was found, in a sentence.
    """

    code: str
    offset: int | None
    message: str


@dataclass(frozen=True)
class Proof:
    """What is known of an image's bytes.

    Attributes:
        identical: it is the base, byte for byte.
        ground: what the bytes outside the regions were held against: ``base``, ``digest`` (the
            one that the record names), or ``nothing``.
        regions: how many ranges the record tells of, with what was appended.
        differing: how many bytes in them are not the vendor's; where identity was scrubbed and
            no base is there, all of a range are counted.
        digest: the SHA-256 that the undone image had, or was looked for.
        contradictions: what is wrong, or not provable; empty where every byte is proven.
        unseen: what was not looked at, in sentences.
    """

    identical: bool
    ground: Ground
    regions: int
    differing: int
    digest: str | None
    contradictions: tuple[Contradiction, ...]
    unseen: tuple[str, ...]

    @property
    def proven(self) -> bool:
        """Whether every byte is accounted for."""
        return not self.contradictions


def prove(volume: Volume, base: Volume | None = None) -> Proof:
    """Account for every byte of an image.

    Args:
        volume: the image.
        base: what it was made from; without it, the digest in its record is looked for.

    Raises:
        InputError: ``unreadable``: a medium fails.
    """
    if base is not None and not byte_difference(volume.source, base.source, first_only=True):
        return Proof(True, "base", 0, 0, None, (), tuple(_unseen_anyway(volume)))
    record = volume.record
    if not isinstance(record, BuildRecord):
        return _without_record(volume, base, record)
    found = [*_written(volume, record), *_behind(volume, record), *_contents(volume, record)]
    unseen = list(_unseen_anyway(volume))
    digest = record.masked_sha256 if record.scrubbed else record.vendor_sha256
    ground: Ground = "nothing"
    if base is not None:
        ground = "base"
        found += _against_base(volume, record, base)
        if record.scrubbed:
            unseen.append("what the base holds where identity was scrubbed")
        if record.vendor_sha256 is not None:
            unseen.append("the digest that the record names: the base itself was compared")
    elif digest is None:
        found.append(_unnamed(record))
    else:
        ground = "digest"
        found += _against_digest(volume, record, digest)
    if not found:
        found += _entries(volume, record, base, unseen)
    if any(change.within for change in record.changes):
        unseen.append("what the record says of files inside archives")
    return Proof(
        identical=False,
        ground=ground,
        regions=len(record.ranges) + len(record.scrubbed) + 1,
        differing=_differing(volume, record, base),
        digest=record.vendor_sha256 if base is not None else digest,
        contradictions=tuple(found),
        unseen=tuple(unseen),
    )


def _without_record(volume: Volume, base: Volume | None, record: DamagedRecord | None) -> Proof:
    if record is None:
        found = [Contradiction("no-record", None, NO_RECORD)]
    else:
        message = f"its record cannot be trusted: {record.reason}"
        found = [Contradiction("record-damaged", None, message)]
    differing = 0
    if base is not None:
        difference = byte_difference(volume.source, base.source)
        differing = difference.count
        found.append(
            Contradiction("differs", difference.first, f"it differs from the base: {difference}")
        )
    return Proof(
        identical=False,
        ground="nothing" if base is None else "base",
        regions=0,
        differing=differing,
        digest=None,
        contradictions=tuple(found),
        unseen=tuple(_unseen_anyway(volume)),
    )


def _written(volume: Volume, record: BuildRecord) -> Iterator[Contradiction]:
    if not record.intact(volume.source, volume.pieces):
        first = min((offset for offset, _ in record.written), default=None)
        yield Contradiction(
            "changed-since",
            None,
            f"was changed after its record was written: of {len(record.written)} ranges from byte "
            f"{first:,} on, what stands there does not have the digest in the record",
        )


def _behind(volume: Volume, record: BuildRecord) -> Iterator[Contradiction]:
    for offset in range(record.volume_end, volume.size, _BLOCK):
        data = volume.source.read_at(offset, min(_BLOCK, volume.size - offset))
        if any(data):
            at = offset + len(data) - len(data.lstrip(b"\0"))
            yield Contradiction(
                "bytes-behind",
                at,
                f"something that the record does not know stands behind its end, at byte {at:,}",
            )
            return


def _contents(volume: Volume, record: BuildRecord) -> Iterator[Contradiction]:
    """Hold the files against what the record says of them."""
    listing = volume.entries(volume.primary_tree)
    for change in record.changes:
        if change.within is not None:
            continue
        entry = listing.get(change.path)
        if change.sha256_after is None:
            gone = change.kind == "removed"
            if gone == (entry is not None) and change.kind in ("added", "changed", "removed"):
                yield _untrue(change, "it is there" if gone else "it is not there")
        elif entry is None or entry.kind != "file":
            yield _untrue(change, "there is no such file")
        elif (found := sha256_of_ranges(volume.source, entry.extents)) != change.sha256_after:
            yield _untrue(change, f"its content has SHA-256 {found}")


def _contents_before(vendor: Volume, record: BuildRecord) -> Iterator[Contradiction]:
    """Hold the vendor's files against what the record says of them."""
    listing = vendor.entries(vendor.primary_tree)
    for change in record.changes:
        if change.within is not None or change.sha256_before is None:
            continue
        entry = listing.get(change.path)
        found = "no such file is there"
        if entry is not None and entry.kind == "file":
            sha256 = sha256_of_ranges(vendor.source, entry.extents)
            if sha256 == change.sha256_before:
                continue
            found = f"its content there has SHA-256 {sha256}"
        yield Contradiction(
            "record-untrue",
            None,
            f"the record says what {change.path} was in the vendor's image, and {found}",
        )


def _untrue(change: Change, found: str) -> Contradiction:
    return Contradiction(
        "record-untrue",
        None,
        f"the record says that {change.path} was {change.kind}, and {found}",
    )


def _entries(
    volume: Volume, record: BuildRecord, base: Volume | None, unseen: list[str]
) -> Iterator[Contradiction]:
    """Compare the listings: what differs has to be what the record says, and nothing else.

    The bytes are proven by now. A record could still hide a file in its regions.
    """
    if base is None:
        try:
            base = Volume(record.vendor(volume.source), volume.path, second_opinion=False)
        except NgtpatchError as error:
            if record.scrubbed:
                unseen.append("the vendor's listing, since a part of it was scrubbed")
            else:
                message = f"undone, it would be no image that can be read: {error.message}"
                yield Contradiction("record-untrue", None, message)
            return
    yield from _contents_before(base, record)
    expected = {
        change.path: REPLACED if change.kind == "changed" else frozenset({change.kind})
        for change in record.changes
        if change.within is None  # the archive itself is a change of its own
    }
    found = compare(base, volume, within=record.written)
    for difference in found.beyond(expected):
        what = ", ".join(difference.what) or difference.kind
        yield Contradiction(
            "unrecorded",
            None,
            f"{difference.path} in the {difference.tree} tree is not the vendor's ({what}), and "
            "the record does not say so",
        )
    if found.trees_added or found.trees_removed or found.volume_ids:
        message = "the trees or the label are not the vendor's, and the record does not say so"
        yield Contradiction("unrecorded", None, message)


def _against_base(volume: Volume, record: BuildRecord, base: Volume) -> Iterator[Contradiction]:
    """Compare what is the vendor's, with the originals back in their places."""
    theirs: ByteSource = base.source
    fits = base.size == record.vendor_size
    if record.scrubbed and fits:
        theirs = mask(Overlay(base.source), record.scrubbed)
    view = record.masked(volume.source)
    difference = byte_difference(view, theirs)
    if not difference:
        return
    named = record.masked_sha256 if record.scrubbed else record.vendor_sha256
    if named is not None and sha256_of_source(view, view.size) == named:
        yield _wrong_base(record, base)
        return
    found = None if record.vendor_sha256 is None else sha256_of_source(base.source, base.size)
    if not fits or (found is not None and found != record.vendor_sha256):
        yield _wrong_base(record, base, found)
        if named is None:
            return  # whether this image was changed, too, only the right base can tell
    yield _outside(volume, difference, certain=found is not None)


def _wrong_base(record: BuildRecord, base: Volume, found: str | None = None) -> Contradiction:
    found = found or sha256_of_source(base.source, base.size)
    wanted = f"the one with SHA-256 {record.vendor_sha256}" if record.vendor_sha256 else "one"
    return Contradiction(
        "wrong-base",
        None,
        f"the base is not the image that its record is about: {wanted} and {record.vendor_size:,} "
        f"bytes is looked for, and this has {found} and {base.size:,}",
    )


def _outside(volume: Volume, difference: ByteDifference, *, certain: bool) -> Contradiction:
    assert difference.first is not None  # noqa: S101 - there is a difference
    where = _what_is_at(volume, difference.first)
    doubt = "" if certain else "; or the base is another: the record names no digest to tell by"
    return Contradiction(
        "changed-outside",
        difference.first,
        f"differs from the base outside the recorded regions: {difference}{where}{doubt}",
    )


def _what_is_at(volume: Volume, offset: int) -> str:
    for path, entry in volume.entries(volume.primary_tree).items():
        if entry.kind == "file" and any(at <= offset < at + size for at, size in entry.extents):
            return f", in {path}"
    uses = volume.usage.of(offset, 1)
    if not uses:
        return ", where no file and no structure is"
    return f", in {uses[0].what}" if not uses[0].content else f", behind the end of {uses[0].what}"


def _against_digest(volume: Volume, record: BuildRecord, named: str) -> Iterator[Contradiction]:
    """Undo in memory what was done, and hold the result against the record's digest."""
    view = record.masked(volume.source)
    found = sha256_of_source(view, view.size)
    if found != named:
        without = " with the scrubbed ranges zeroed" if record.scrubbed else ""
        yield Contradiction(
            "wrong-digest",
            None,
            f"undone, the vendor's image{without} would have SHA-256 {found}, and its record "
            f"names {named}",
        )


def _unnamed(record: BuildRecord) -> Contradiction:
    return Contradiction(
        "no-digest",
        None,
        "nothing proven outside the regions: its record names no digest of the vendor's image"
        + (" without what was scrubbed" if record.vendor_sha256 else ""),
    )


def _differing(volume: Volume, record: BuildRecord, base: Volume | None) -> int:
    """Return how many bytes are not the vendor's, of those that the record tells of."""
    count, at = record.volume_end - record.vendor_size, 0
    for offset, length in record.ranges:
        original = record.originals[at : at + length]
        count += count_differing(original, volume.source.read_at(offset, length))
        at += length
    for offset, length in record.scrubbed:
        if base is None or base.size != record.vendor_size:
            count += length
        else:
            here, there = (one.read_at(offset, length) for one in (volume.source, base.source))
            count += count_differing(here, there)
    return count


def _unseen_anyway(volume: Volume) -> Iterator[str]:
    record = volume.record
    end = record.volume_end if isinstance(record, BuildRecord) else volume.size
    if volume.size > end:
        yield f"who added what stands behind the end, from byte {end:,} to {volume.size:,}"
    if volume.is_on_device:
        yield "what the medium holds behind the volume"
