# SPDX-License-Identifier: Apache-2.0
"""What is asked of a source before anything is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ngtpatch.iso.read.volume import Volume

__all__ = ["faults_of", "require_sound"]

# What an image cannot say of itself: it speaks neither for it nor against it.
_SILENT = frozenset({"no-record", "no-digest"})
_MOST_NAMED = 3


def require_sound(volume: Volume) -> None:
    """Refuse a source whose own record disproves it: what is made of it could not be undone.

    One that has no record is taken as it is: it is the vendor's, or counts as such.

    Raises:
        Refusal: ``source-disproved``.
        InputError: ``unreadable``: a medium fails.
    """
    from ngtpatch.iso.compare.proof import prove
    from ngtpatch.iso.edit.history import disproved

    if volume.record is None:
        return
    for found in prove(volume).contradictions:
        if found.code not in _SILENT:
            raise disproved(volume, found.message)


def faults_of(volume: Volume) -> tuple[str, ...]:
    """Return what verify calls an error of structure, in sentences for who builds on it."""
    from ngtpatch.iso.check import check

    faults = [fault for fault in check(volume) if fault.severity != "warning"]
    if not faults:
        return ()
    named = "; ".join(f"{fault.code}: {fault.message}" for fault in faults[:_MOST_NAMED])
    count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
    more = "" if len(faults) <= _MOST_NAMED else "; ..."
    return (f"the source has {count} of structure, which the output keeps: {named}{more}",)
