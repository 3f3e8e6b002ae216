# SPDX-License-Identifier: Apache-2.0
"""What goes on beside the copying: digests are taken, and the disk is kept busy.

hashlib and fdatasync release the interpreter's lock: a thread for each is a core for each.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Flusher", "Hasher"]

_FLUSH = 32 << 20
"""Bytes after which the disk is set to work."""


class Flusher:
    """Keeps the disk busy while bytes are hashed; otherwise all would wait for the last fsync."""

    def __init__(self, descriptor: int, *, wanted: bool) -> None:
        self._descriptor = descriptor
        self._wanted = wanted
        self._since = 0
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None

    def __enter__(self) -> Flusher:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        # An error is told to one fdatasync only: the last fsync would not hear of it.
        if self._pending:
            self._pending.result()

    def wrote(self, count: int) -> None:
        """Take note of bytes that were written, and flush them from time to time."""
        self._since += count
        if not self._wanted or self._since < _FLUSH:
            return
        if self._pending is None or self._pending.done():
            if self._pending:
                self._pending.result()
            self._pending = self._thread.submit(os.fdatasync, self._descriptor)
            self._since = 0


class Hasher:
    """SHA-256 in a thread of its own, a few blocks behind; or nothing at all."""

    def __init__(self, wanted: bool) -> None:
        self._digest = hashlib.sha256() if wanted else None
        self._blocks: queue.Queue[bytes | None] = queue.Queue(4)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Hasher:
        if self._digest:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.result()

    def update(self, data: bytes) -> None:
        """Hash *data* some time soon."""
        if self._digest and data:
            self._blocks.put(data)

    def result(self) -> str | None:
        """Return the digest, hexadecimal; None if none was wanted."""
        if not self._digest:
            return None
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()
        return self._digest.hexdigest()

    def _run(self) -> None:
        assert self._digest  # noqa: S101
        while (data := self._blocks.get()) is not None:
            self._digest.update(data)
