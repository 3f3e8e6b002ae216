# SPDX-License-Identifier: Apache-2.0
"""The end of a run over many VMs: what is in flight is finished, or all of it ends at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ngtpatch import interrupts
from ngtpatch.cli.output import Console

__all__ = ["stopping"]


@contextmanager
def stopping(console: Console, begun: threading.Event | None = None) -> Iterator[threading.Event]:
    """Turn the first signal to end into an event; a later one ends the process as a kill does.

    Threads are at work then, and wait for a store or a cluster that may not answer: an exception
    in this one would be followed by waiting for them, and could leave a lock taken that they need.
    While *begun* is not set nothing is in flight, and the first interrupts at once: another run is
    waited for, or a store.
    """
    stop = threading.Event()

    def handler(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            interrupts.abandon(_abandoned())
        if begun is not None and not begun.is_set():
            raise interrupts.Interrupted
        stop.set()
        with suppress(RuntimeError):  # in the middle of another message
            console.note("finishing what is in flight ...")

    with interrupts.heeded(handler):
        yield stop


def _abandoned() -> bytes:
    # A bar may stand in this line, and keep the cursor hidden.
    line = b"\r\x1b[K\x1b[?25h" if os.isatty(2) else b""
    return line + b"ngtpatch: interrupted at once: what was in flight is not finished\n"
