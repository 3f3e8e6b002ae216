# SPDX-License-Identifier: Apache-2.0
"""Where outputs go, by the way it is written: a directory, or ``s3://bucket/prefix``."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ngtpatch.fleet.base import Base
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.fleet.order import DirectoryMark, Held, Known, Settings, Unfit
from ngtpatch.fleet.output_directory import OutputDirectory
from ngtpatch.fleet.parts import MINIMUM
from ngtpatch.identity.assemble import Marks
from ngtpatch.iso.edit.image_edit import EditPlan
from ngtpatch.iso.write.sinks import Written

__all__ = ["Destination", "open_destination"]

# The most that four files of identity and the image's record add to it, and more.
_GROWTH = 4 << 20


class Destination(Protocol):
    """A place for outputs. Whatever is written there is there in full or not at all."""

    def held(
        self, shard: tuple[int, int], *, wait: float = 0, stop: threading.Event | None = None
    ) -> AbstractContextManager[None]:
        """Hold it for one run. Raises UsageError ``busy``; StillHeldError where *stop* was set."""

    def require_held(self) -> None:
        """Return if what is written goes to the place that is held. Raises OutputError."""

    def mark(self) -> DirectoryMark | None:
        """Return which place is held; None where it cannot become another."""

    def join(self, held: DirectoryMark | None) -> None:
        """Write to the place that a run holds, and to no other. Raises OutputError."""

    def leave(self) -> None:
        """Close what :meth:`join` opened."""

    def foresee(self) -> None:
        """Refuse a place where a run could not be held, and make nothing. Raises UsageError."""

    def ledger(self, shard: tuple[int, int]) -> Path:
        """Return where the run's ledger is."""

    def ledgers(self) -> list[Path]:
        """Return the ledgers of all runs that are known to have written there."""

    def existing(self, outputs: Iterable[str]) -> list[str]:
        """Return those of *outputs* that are there."""

    def marks(self, row: LedgerRow) -> Marks | None:
        """Return what no two VMs share of the image that is there, about which *row* is.

        None where that is not the row's image, and what it is is not looked at.
        """

    def reach(self) -> None:
        """Return if it can be reached. Raises RemoteError."""

    def sweep(self, outputs: Iterable[str]) -> int:
        """Remove what killed runs left of *outputs*; return how many pieces that was."""

    def prepare(self, base: Base) -> None:
        """Do what is done once for all outputs."""

    def holds(
        self, output: str, base: Base, plan: EditPlan, known: Known | None, *, digest: bool
    ) -> Held | Unfit | None:
        """Return what is there if it is the one that *plan* would make, or why it is not kept.

        None where nothing is there, or where it is not known why.

        Args:
            digest: read and hash the whole of it.
        """

    def times(self, output: str) -> tuple[int, int] | None:
        """Return when an output that is there was written to and changed, as its ledger says."""

    def is_base(self, output: str, plan: EditPlan) -> bool:
        """Say whether the output is the very file that *plan* starts from."""

    def unfit(self, output: str) -> Unfit | None:
        """Return why an output that is there is not kept whatever its bytes are."""

    def write(
        self, output: str, base: Base, plan: EditPlan, *, digest: bool, replace: bool
    ) -> Written:
        """Make one output."""


def open_destination(settings: Settings) -> Destination:
    """Return the destination that *settings* name. Raises UsageError ``s3-url``, ``extra``."""
    if settings.destination.startswith("s3:"):
        from ngtpatch.fleet.bucket import Bucket

        return Bucket(
            settings.destination, timeout=settings.store_timeout, in_parts=_in_parts(settings)
        )
    return OutputDirectory(Path(settings.destination))


def _in_parts(settings: Settings) -> bool:
    """Say whether an output can be so large that a store puts it together of parts."""
    if settings.config_only:
        return False
    state = settings.base_state
    return state is None or state.size + _GROWTH > MINIMUM
