# SPDX-License-Identifier: Apache-2.0
"""What there is to say about an image beside its structure: nothing of it makes it unsound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngtpatch.flow.readiness import disc_hazards
from ngtpatch.flow.stale import partition_notice, stale_digests, stale_notice
from ngtpatch.installer.layout import ROOT
from ngtpatch.iso.read.build_record import BuildRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ngtpatch.iso.read.volume import Volume

__all__ = ["REMARKS", "Remark", "remarks"]

REMARKS = frozenset(
    {"label", "no-config", "stale-digests", "partition-end", "second-opinion", "unknown-tree"}
)


@dataclass(frozen=True)
class Remark:
    """A sentence about an image.

    Attributes:
        code: one of *REMARKS*.
        text: what was found, and what follows from it.
        counts: whether an edit has left a part of the image behind.
    """

    code: str
    text: str
    counts: bool = False


def remarks(image: Volume) -> Iterator[Remark]:
    """Yield what a person should know about an image, as it stands."""
    for hazard in disc_hazards(image.tree, image):
        # A configuration is missed where there is an installer to miss it.
        if hazard.code != "no-config" or any(path.startswith(ROOT) for path in image.tree):
            yield Remark(hazard.code, hazard.text)
    if image.doubt is not None:
        yield Remark(
            "second-opinion",
            f"pycdlib cannot open it ({image.doubt}); the structure check finds no error",
        )
    record = image.record
    changed = {one.path for one in record.changes} if isinstance(record, BuildRecord) else set()
    others = image.descriptors.system_area.others
    if others:
        yield Remark(
            "unknown-tree",
            f"{' and '.join(others)} over the same files: "
            + ("left as before the edit" if changed else "not looked into"),
            counts=bool(changed),
        )
    stale = stale_notice(stale_digests(image, changed))
    if stale is not None:
        yield Remark("stale-digests", stale)
    partition = partition_notice(image)
    if partition is not None:
        yield Remark("partition-end", partition)
