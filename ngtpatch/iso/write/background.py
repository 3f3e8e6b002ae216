# SPDX-License-Identifier: Apache-2.0
"""What goes on beside the copying: the disk is kept busy, in a thread of its own.

It is reached by SimpleQueue alone, for the reason that :class:`ngtpatch.files.hasher.Hasher` has.
"""

from __future__ import annotations

import os
import threading
from queue import Empty, SimpleQueue

__all__ = ["Flusher"]

_FLUSH = 32 << 20
"""Bytes after which the disk is set to work."""


class Flusher:
    """Keeps the disk busy while bytes are hashed; otherwise all would wait for the last fsync."""

    def __init__(self, descriptor: int, *, wanted: bool) -> None:
        self._descriptor = descriptor
        self._wanted = wanted
        self._since = 0
        self._pending = False
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._told: SimpleQueue[OSError | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Flusher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._asked.put(False)
            self._thread.join()
        # An error is told to one fdatasync only: the last fsync would not hear of it.
        self._heard()

    def wrote(self, count: int) -> None:
        """Take note of bytes that were written, and flush them from time to time."""
        self._since += count
        if not self._wanted or self._since < _FLUSH:
            return
        self._heard()
        if self._thread.ident is None:  # most images are too small to need one
            self._thread.start()
        if not self._pending:
            self._pending = True
            self._asked.put(True)
            self._since = 0

    def _heard(self) -> None:
        try:
            error = self._told.get_nowait()
        except Empty:
            return
        self._pending = False
        if error is not None:
            raise error

    def _run(self) -> None:
        while self._asked.get():
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                self._told.put(error)
            else:
                self._told.put(None)
