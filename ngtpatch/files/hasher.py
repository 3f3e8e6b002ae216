# SPDX-License-Identifier: Apache-2.0
"""SHA-256 beside the reading: hashlib releases the interpreter's lock, so that it takes a core."""

from __future__ import annotations

import hashlib
import threading
from queue import SimpleQueue

__all__ = ["Hasher"]


class Hasher:
    """SHA-256 in a thread of its own, some blocks behind; or nothing at all.

    The thread is reached by SimpleQueue alone, whose every step is one of C: an exception that a
    signal raises in the middle of queue.Queue or of an executor can leave a lock taken, for which
    all would wait.
    """

    def __init__(self, wanted: bool, *, behind: int = 4) -> None:
        self._digest = hashlib.sha256() if wanted else None
        self._blocks: SimpleQueue[bytes | memoryview | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(behind):
            self._room.put(None)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Hasher:
        if self._digest:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.result()

    def update(self, data: bytes | memoryview) -> None:
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
