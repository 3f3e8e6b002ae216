# SPDX-License-Identifier: Apache-2.0
"""What goes on beside the copying: digests are taken, and the disk is kept busy.

hashlib and fdatasync release the interpreter's lock: a thread for each is a core for each. They are
reached by SimpleQueue alone, whose every step is one of C: an exception that a signal raises in
the middle of queue.Queue or of an executor can leave a lock taken, for which all would wait.
"""

from __future__ import annotations

import hashlib
import os
import threading
from queue import Empty, SimpleQueue

__all__ = ["Flusher", "Hasher"]

_FLUSH = 32 << 20
"""Bytes after which the disk is set to work."""
_BLOCKS = 4
"""How many blocks may wait to be hashed."""


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
        if self._wanted:
            self._thread.start()
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


class Hasher:
    """SHA-256 in a thread of its own, a few blocks behind; or nothing at all."""

    def __init__(self, wanted: bool) -> None:
        self._digest = hashlib.sha256() if wanted else None
        self._blocks: SimpleQueue[bytes | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(_BLOCKS):
            self._room.put(None)
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
            self._room.get()
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
            self._room.put(None)
