# SPDX-License-Identifier: Apache-2.0
"""The end of a run over many VMs: what is in flight is finished, or all of it ends at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ngtpatch import interrupts
from ngtpatch.cli.output import Console

__all__ = ["stopping"]


@contextmanager
def stopping(console: Console, begun: threading.Event | None = None) -> Iterator[threading.Event]:
    """Turn the first signal to end into an event; a later one interrupts at once.

    So does the first while *begun* is not set: nothing is in flight then. Another run is waited
    for, or a store that does not answer.
    """
    stop = threading.Event()

    def handler(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set() or (begun is not None and not begun.is_set()):
            raise interrupts.Interrupted
        stop.set()
        with suppress(RuntimeError):  # in the middle of another message
            console.note("finishing what is in flight ...")

    with interrupts.heeded(handler):
        yield stop
