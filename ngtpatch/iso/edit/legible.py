# SPDX-License-Identifier: Apache-2.0
"""A record is what its own reader takes: asked of it before anything is written, and after.

An image with a record that cannot be read is worse than one without: nothing of it can be
verified, and nothing undone.
"""

from __future__ import annotations

from pathlib import Path

from ngtpatch.errors import VerificationError
from ngtpatch.iso.read.build_record import BuildRecord, DamagedRecord, read_record
from ngtpatch.iso.read.bytesource import ByteSource

__all__ = ["require_legible"]


def require_legible(record: BuildRecord, image: ByteSource, *, path: Path) -> None:
    """Read *record* back from *image*, which *path* names in a message.

    Raises:
        VerificationError: ``read-back``: it is not there, or says another thing.
    """
    found = read_record(image, record.volume_end)
    if isinstance(found, BuildRecord) and _meaning(found) == _meaning(record):
        return
    why = found.reason if isinstance(found, DamagedRecord) else "it says another thing than planned"
    raise VerificationError(
        "read-back", f"would have a record that cannot be read back: {why}",
        path=str(path), hint="nothing was kept; please report this",
    )  # fmt: skip


def _meaning(record: BuildRecord) -> object:
    """Return what undoing and telling depend on; its digests are the seal's affair."""
    places = record.offset, record.end, record.vendor_size, record.written_sha256
    return places, record.changes, record.ranges, record.scrubbed, record.rooms, record.undo
