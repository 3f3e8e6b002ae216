# SPDX-License-Identifier: Apache-2.0
"""That an open base is still the image whose digest is known, until the last image is made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep, time_ns

from ngtpatch.errors import BatchError, InputError, NgtpatchError, Refusal, UsageError
from ngtpatch.files.digest import sha256_of_source
from ngtpatch.iso.read.bytesource import FileSource, FileState

__all__ = ["BaseWitness", "another", "changed", "read_before", "settled"]

# A clock's tick on Linux is at most 10 ms: what is written later has another time.
_TICK_NS = 50_000_000


class BaseWitness:
    """Looks at the file behind an open base whenever something was made from it.

    While inode, size and both times stand, the file is believed to be unchanged. Once they do not,
    every byte is read again: a base that was only touched or renamed goes on.
    """

    def __init__(self, file: FileSource, sha256: str, state: FileState) -> None:
        """Take the digest of *file*, and the state it had when that was computed."""
        self._file, self._sha256, self._state = file, sha256, state
        self._broken = False
        self._reading = threading.Lock()

    def require_same(self) -> None:
        """Return if the base is what it was. Raises BatchError ``base-changed``."""
        # What is behind a device's node can change without a trace on the node.
        if self._file.is_device or (not self._broken and self._file.state == self._state):
            return
        with self._reading:
            if not self._broken and self._file.state == self._state:
                return
            now = settled(self._file)
            same = not self._broken and now.size == self._file.size
            same = same and sha256_of_source(self._file, self._file.size) == self._sha256
            if not same or self._file.state != now:
                self._broken = True
                raise changed(self._file)
            self._state = now
            self._file.accept_times()


def settled(file: FileSource) -> FileState:
    """Return the state of *file*, when nothing written later can have the same."""
    if abs(time_ns() - file.state.changed_ns) < _TICK_NS:
        sleep(_TICK_NS / 1e9)
    return file.state


def changed(file: FileSource) -> BatchError:
    """Return what is said of a base that changed while it was in use."""
    return BatchError(
        "base-changed", "changed while the run was using it", path=str(file.path),
        hint="run the command again when nobody writes to it; --resume keeps what is right",
    )  # fmt: skip


def another(path: Path, found: str = "") -> BatchError:
    """Return what is said of a base that is not the planned one, for what was *found* instead."""
    why = f": {found}" if found else ""
    return BatchError(
        "base-changed", f"is not the base that this run was planned with{why}", path=str(path),
        hint="run it again, which plans with this one; workers need the same base at this path",
    )  # fmt: skip


@contextmanager
def read_before(path: Path) -> Iterator[None]:
    """Say of whatever keeps the base from being used that it changed: it could be used before.

    Raises:
        BatchError: ``base-changed``.
        InputError: ``unreadable``: nothing is known of its content.
    """
    try:
        yield
    except NgtpatchError as error:
        told = isinstance(error, (InputError, Refusal, UsageError)) and error.code != "unreadable"
        if told or error.code == "source-changed":
            raise another(path, error.message) from error
        raise
