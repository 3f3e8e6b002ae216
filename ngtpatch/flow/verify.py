# SPDX-License-Identifier: Apache-2.0
"""Whether an image is sound, and differs from its base exactly as recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ngtpatch.iso.compare.comparison import Comparison
    from ngtpatch.iso.read.bytesource import ByteSource
    from ngtpatch.iso.read.volume import Volume

__all__ = ["Deviation", "Problem", "Verification", "verify"]

# What may differ about an entry whose content was replaced. Mode, owner and times stay.
REPLACED = frozenset({"content", "size"})


@dataclass(frozen=True)
class Problem:
    """A fault in the image's structure.

    Attributes:
        code: stable word.
        offset: where in the image, in bytes; None where it has no place.
        message: what was found.
        counts: whether it makes the image unsound. A quirk that readers put up with does
            not, nor does a fault that the vendor's image has as well.
    """

    code: str
    offset: int | None
    message: str
    counts: bool = True


@dataclass(frozen=True)
class Deviation:
    """An entry that differs from the base in one tree.

    Attributes:
        tree: the tree it was seen in.
        path: its name in that tree.
        what: the aspects that differ, or ``added`` or ``removed``.
        expected: whether the record accounts for it.
    """

    tree: str
    path: str
    what: tuple[str, ...]
    expected: bool


@dataclass(frozen=True)
class Verification:
    """The document of ``ngtpatch verify``.

    Attributes:
        image: as it was named.
        base: as it was named; None when there was none to compare with.
        trees: the trees that were compared, or that the image has.
        entries: how many entries they hold in all.
        problems: faults of structure.
        deviations: entries that differ from the base.
        record: ``valid``, ``absent`` or why it is not trusted.
        ok: nothing is wrong and every deviation is accounted for.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.verify/1"

    image: str
    base: str | None
    trees: tuple[str, ...]
    entries: int
    problems: tuple[Problem, ...]
    deviations: tuple[Deviation, ...]
    record: str
    ok: bool


def verify(image: str | Path, *, base: str | Path | None = None) -> Verification:
    """Check *image*, and that it differs from *base* only in what its record says.

    A false ``ok`` is a result, not an exception.

    Raises:
        InputError: one of them cannot be read at all.
    """
    from ngtpatch.iso.compare.comparison import compare
    from ngtpatch.iso.read.volume import Volume

    with ExitStack() as stack:
        volume = stack.enter_context(Volume.open(image))
        original = None if base is None else stack.enter_context(Volume.open(base))
        problems = (*_problems(volume, original), *_remarks(volume))
        record, accounted = _record(volume)
        deviations: tuple[Deviation, ...] = ()
        if original is not None:
            problems += _foreign_base(volume, original)
            deviations = deviations_from(compare(original, volume), accounted)
        return Verification(
            image=str(image),
            base=None if base is None else str(base),
            trees=volume.trees,
            entries=sum(len(volume.entries(tree)) for tree in volume.trees),
            problems=problems,
            deviations=deviations,
            record=record,
            ok=not any(problem.counts for problem in problems)
            and record in ("valid", "absent")
            and all(deviation.expected for deviation in deviations),
        )


def _problems(volume: Volume, original: Volume | None) -> tuple[Problem, ...]:
    """Return the faults of structure, with whether the vendor's image has them, too."""
    from ngtpatch.iso.check import check, introduced
    from ngtpatch.iso.read.build_record import BuildRecord

    findings = check(volume)
    vendor: ByteSource | None = original
    if vendor is None and isinstance(volume.record, BuildRecord):
        vendor = volume.record.vendor(volume)
    new = findings if vendor is None else introduced(findings, check(vendor))
    return tuple(
        Problem(f.code, f.offset, f.message, counts=f.severity != "warning" and f in new)
        for f in findings
    )


def _remarks(volume: Volume) -> tuple[Problem, ...]:
    from ngtpatch.flow.remarks import remarks

    return tuple(Problem(one.code, None, one.text, counts=one.counts) for one in remarks(volume))


def deviations_from(
    comparison: Comparison, accounted: Mapping[str, frozenset[str]]
) -> tuple[Deviation, ...]:
    """Return what *comparison* found, each with whether *accounted* (path -> aspects) covers it."""
    beyond = set(map(id, comparison.beyond(accounted)))
    found = [
        Deviation(
            tree=difference.tree,
            path=difference.path,
            what=difference.what or (difference.kind,),
            expected=id(difference) not in beyond,
        )
        for difference in comparison.differences
    ]
    found += [Deviation(tree, "", ("added",), False) for tree in comparison.trees_added]
    found += [Deviation(tree, "", ("removed",), False) for tree in comparison.trees_removed]
    if comparison.volume_ids is not None:
        found.append(Deviation("", "", ("volume identifier",), False))
    return tuple(found)


def _record(volume: Volume) -> tuple[str, dict[str, frozenset[str]]]:
    """Return how far the record can be trusted, and what it accounts for."""
    from ngtpatch.iso.read.build_record import BuildRecord

    record = volume.record
    if record is None:
        return "absent", {}
    if not isinstance(record, BuildRecord):
        return f"damaged: {record.reason}", {}
    if not record.intact(volume.source, volume.pieces):
        return "broken: the image was changed after it was written", {}
    return "valid", {
        change.path: REPLACED if change.kind == "changed" else frozenset({change.kind})
        for change in record.changes
    }


def _foreign_base(volume: Volume, original: Volume) -> tuple[Problem, ...]:
    """Return a problem where the record names another image than the given base."""
    from ngtpatch.files.digest import sha256_of_source
    from ngtpatch.iso.read.build_record import BuildRecord

    record = volume.record
    if not isinstance(record, BuildRecord) or record.vendor_sha256 is None:
        return ()
    found = sha256_of_source(original.source, original.size)
    if found == record.vendor_sha256:
        return ()
    message = f"it was made from the image {record.vendor_sha256}, and the base is {found}"
    return (Problem("other-base", None, message),)
