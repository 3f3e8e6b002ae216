# SPDX-License-Identifier: Apache-2.0
"""How far a pass over many bytes has come, for whoever watches in this thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Watcher", "progressed", "watched"]

Watcher = Callable[[str, int, int], object]
"""Called with what is done ("searched"), and how many bytes of how many have passed."""

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Call *watcher* while the block runs, for what happens in this thread."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def progressed(what: str, done: int, total: int) -> None:
    """Say that *done* of *total* bytes were *what*; nothing happens where nobody watches."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(what, done, total)
