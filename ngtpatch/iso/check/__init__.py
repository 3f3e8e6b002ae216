# SPDX-License-Identifier: Apache-2.0
"""Structural verification: a second reading of an image's raw bytes.

Nothing here is shared with the code that reads and edits images, so that a
mistake there is not repeated. What is checked: the descriptor set; both byte
orders; path tables against the tree; directories, their own and their parents'
records; SUSP areas; UDF tags, sequences, partition and integrity; every extent
inside the volume; no overlap but shared files; trees agreeing on contents.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from ngtpatch.iso.check.agreement import check_agreement, check_overlaps
from ngtpatch.iso.check.checked_descriptors import check_descriptors, check_path_tables
from ngtpatch.iso.check.checked_records import CheckedTree, check_records
from ngtpatch.iso.check.checked_udf import check_udf, has_udf
from ngtpatch.iso.check.faults import SECTOR, Fault, Image, Range, Report, TooMuch
from ngtpatch.iso.read.bytesource import ByteSource

__all__ = ["Fault", "check", "introduced"]


def check(source: ByteSource) -> tuple[Fault, ...]:
    """Check an image; an empty result means that it agrees with itself.

    Reads directories and descriptors, never contents. Whatever the image holds,
    this returns: after 200 findings or 256 MiB of structures it stops, and says so.

    Args:
        source: the image: a Volume, an Overlay, or any other source of bytes.

    Raises:
        InputError: ``unreadable``: the medium fails.
    """
    report = Report()
    with suppress(TooMuch):
        _check(Image(source, report), report)
    return tuple(report.findings)


def introduced(after: Iterable[Fault], before: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return what an edited image has to answer for: findings that its base did not have.

    A vendor's image may have faults of its own, which an edit keeps. They are told
    apart by code and message; where they stand may have changed.
    """
    known = {(one.code, one.message) for one in before}
    return tuple(one for one in after if (one.code, one.message) not in known)


def _check(image: Image, report: Report) -> None:
    descriptors, behind = check_descriptors(image)
    ranges = [Range(0, behind * SECTOR, "the volume descriptors")]
    trees: dict[str, CheckedTree] = {}
    for descriptor in descriptors:
        tree = check_records(image, descriptor)
        trees.setdefault(descriptor.tree, tree)
        directories = {f.extent: (f.name, f.parent) for f in tree.folders.values()}
        ranges += check_path_tables(image, descriptor, directories)
        ranges += tree.ranges
    names = {name: tree.names for name, tree in trees.items()}
    primary = trees.get("iso9660")
    if primary is not None and has_udf(image, behind):
        udf = check_udf(image, primary.descriptor.space)
        ranges += udf.ranges
        names["udf"] = udf.names
    check_overlaps(report, ranges)
    check_agreement(report, names)
