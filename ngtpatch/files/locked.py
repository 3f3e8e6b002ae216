# SPDX-License-Identifier: Apache-2.0
"""Locks between processes, in directories that others may write to as well.

flock(2) on an empty file. The package filelock is not used: up to 4.0 it truncates what a second
name leads to, and from 4.3 on it refuses a lock that a colleague made in a directory of their
group (both read in its source and seen).
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from ngtpatch.errors import UsageError
from ngtpatch.files.writing import explained

__all__ = ["StillHeldError", "locked"]

_POLL = 0.05
"""Seconds between two attempts."""


class StillHeldError(Exception):
    """Another process held the lock all the while."""


@contextmanager
def locked(
    path: Path, *, wait: float | None, mode: int | None = None, stop: threading.Event | None = None
) -> Iterator[None]:
    """Hold the lock file at *path* alone, among all processes and threads, while the block runs.

    A lock is an empty file of its own: a link, or a second name of something else, is refused
    before anything is locked, and nothing is ever written to it.

    Args:
        path: the lock file; created where there is none, never removed.
        wait: seconds to wait for another holder; None waits for ever.
        mode: permission bits of a new one; by default those who may write to the directory may
            lock it.
        stop: when set, nothing is waited for any more.

    Raises:
        StillHeldError: another process held it all the while, or until *stop*.
        UsageError: ``unsafe-lock``: it is a link, is no file, or another user's that cannot be
            opened.
    """
    deadline = None if wait is None else monotonic() + wait
    descriptor = _opened(path, mode)
    try:
        while not _taken(descriptor):
            if deadline is not None and monotonic() >= deadline:
                raise StillHeldError
            if stop is not None and stop.is_set():
                raise StillHeldError
            sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: Path, mode: int | None) -> int:
    """Return the descriptor of a lock file, created if need be."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Not created where it exists: the kernel refuses O_CREAT on another's file in a
        # directory such as /tmp (fs.protected_regular).
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        wanted = _shared(path.parent) if mode is None else mode
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, wanted)
        except FileExistsError:  # another process was faster
            return _opened(path, mode)
        with explained(path):
            os.fchmod(descriptor, wanted)  # whatever the umask: a group shares its directory
    except OSError as error:
        found = "is a link" if path.is_symlink() else f"cannot be opened ({error.strerror})"
        raise _unsafe(path, found) from None
    status = os.fstat(descriptor)
    why: str | None = None
    if not stat.S_ISREG(status.st_mode):
        why = "is not a file"
    elif status.st_nlink > 1:
        why = "is a second name of another file"
    elif status.st_size:
        why = "is not empty, as a lock is"
    if why is not None:
        os.close(descriptor)
        raise _unsafe(path, why)
    return descriptor


def _shared(directory: Path) -> int:
    return 0o600 | (directory.stat().st_mode & 0o066)


def _unsafe(path: Path, why: str) -> UsageError:
    return UsageError(
        "unsafe-lock", f"{why}, and is not used as a lock", path=str(path),
        hint="remove it, or name another directory",
    )  # fmt: skip
