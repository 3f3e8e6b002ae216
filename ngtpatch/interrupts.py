# SPDX-License-Identifier: Apache-2.0
"""SIGHUP, SIGINT and SIGTERM end a program in the same, clean way: exit code 130.

One that was ignored when the program began (nohup, a shell's background job) stays ignored.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

__all__ = [
    "EXIT_CODE",
    "Interrupted",
    "abandon",
    "deferred",
    "exit_at_once",
    "heed",
    "heeded",
    "is_interrupt",
    "told_by",
]

EXIT_CODE = 130
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_SAME = 2.0
"""Seconds within which a second signal means the same as the first: a terminal that is closed and
a service that is stopped send two."""

Handler = Callable[[int, "FrameType | None"], object]


class Interrupted(BaseException):
    """The process was told to end. Like KeyboardInterrupt, no ``except Exception`` stops it."""


def told_by(error: BaseException) -> bool:
    """Tell whether *error* is what became of an Interrupted.

    Before Python 3.12 whatever ends ``__set_name__``, as while a module is imported, becomes the
    cause of a RuntimeError.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Interrupted):
        cause = cause.__cause__
    return cause is not None


def heed(handler: Handler | None = None) -> dict[signal.Signals, Any]:
    """Call *handler* for the three signals, by default one that raises Interrupted.

    In another thread than the main one nothing is changed: only that one handles signals.

    Returns:
        What handled them before.
    """
    # Cleaning up must not be interrupted by the request that it follows.
    chosen = _once(handler or _interrupt)
    if sys.unraisablehook is not _lost:
        _others.append(sys.unraisablehook)
        sys.unraisablehook = _lost
    before: dict[signal.Signals, Any] = {}
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            continue
        try:
            before[number] = signal.signal(number, chosen)
        except ValueError:  # another thread
            break
    return before


@contextmanager
def heeded(handler: Handler | None = None) -> Iterator[None]:
    """Do as :func:`heed` while the block runs."""
    told = sys.unraisablehook
    before = heed(handler)
    try:
        yield
    finally:
        sys.unraisablehook = told
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def deferred() -> Iterator[None]:
    """Let the signals wait until the block has ended, and then come."""
    came: list[int] = []
    with heeded(lambda number, _: came.append(number)):
        yield
    for number in came[:1]:
        os.kill(os.getpid(), number)


def is_interrupt(error: BaseException | None) -> bool:
    """Tell whether *error* is a signal, or was raised of one: Python wraps what ends a class."""
    while error is not None and not isinstance(error, Interrupted):
        error = error.__cause__
    return error is not None


def abandon(message: bytes) -> NoReturn:
    """End the process now and wait for nobody, as a kill does; *message* goes to stderr."""
    with suppress(OSError):
        os.write(2, message)
    os._exit(EXIT_CODE)


def exit_at_once() -> None:
    """From now on a signal ends the process without another word: its work is done.

    When only the interpreter's own end is left, a signal changes nothing any more: by then
    Python has taken its handlers away, and the exit code would be the signal's.
    """
    heed(lambda *_: os._exit(EXIT_CODE))
    atexit.register(_ignore)


def _ignore() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _once(handler: Handler) -> Handler:
    """Return *handler*, deaf to what comes just after a signal and means the same."""
    last = -_SAME

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, monotonic()
        if last - before >= _SAME:
            handler(number, frame)

    return heard


_others: list[Callable[[sys.UnraisableHookArgs], object]] = []
"""What told of exceptions that nobody catches before this module did; the newest is last."""


def _lost(unraisable: sys.UnraisableHookArgs) -> None:
    """Have a signal come again that came while an object was being deleted.

    What is raised there goes to nobody: the program would go on, and Python print where it was.
    """
    if not isinstance(unraisable.exc_value, Interrupted):
        _others[-1](unraisable)
        return
    numbers = [one for one in _SIGNALS if callable(signal.getsignal(one))]
    for number in numbers[:1]:
        again = threading.Timer(_SAME + 0.1, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted
