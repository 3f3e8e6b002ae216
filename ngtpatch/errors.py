# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as one tree of exceptions.

::

    NgtpatchError                1  unexpected: the machine, not the request, is at fault
    ├── UsageError               2  the request contradicts itself or what is on disk
    ├── InputError               3  a file given to us cannot be used
    ├── Refusal                  4  understood, and declined: nothing was written
    ├── VerificationError        5  the result is not what was promised
    ├── BatchError               6  part of a batch failed
    ├── RemoteError              7  another machine failed us
    └── OutputError              8  the output could not be written

The exit code sits on the class, the reason in ``code``: a stable word that
scripts may compare (``not-iso``, ``anchor-missing``, ...). The message says
what was found, the hint what to do next. No message ever holds key material: a private key in
a name or a value that it quotes is hidden when the error is made.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

from ngtpatch.disclosure import redacted

__all__ = [
    "BatchError",
    "InputError",
    "NgtpatchError",
    "OutputError",
    "Refusal",
    "RemoteError",
    "UsageError",
    "VerificationError",
    "changed_meanwhile",
    "of_any",
    "unreadable",
    "unwritable",
]


class NgtpatchError(Exception):
    """Base of every error that ngtpatch raises on purpose.

    Attributes:
        code: stable, lower-case, hyphenated reason.
        message: one sentence: what was found.
        path: the file or entry it is about, where there is one.
        hint: the next step, where there is one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, code: str, message: str, *, path: str | None = None, hint: str | None = None
    ) -> None:
        message = redacted(message)
        path, hint = (None if text is None else redacted(text) for text in (path, hint))
        super().__init__(code, message, path, hint)
        self.code = code
        self.message = message
        self.path = path
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # Failures cross process boundaries in batches; the default would lose the keywords.
        return (_rebuild, (type(self), self.code, self.message, self.path, self.hint))

    def __str__(self) -> str:
        where = "standard input" if self.path == "/dev/stdin" else self.path
        return f"{where}: {self.message}" if where else self.message


def of_any(error: Exception) -> NgtpatchError:
    """Return what a program should say that ends by *error*, whatever that is."""
    if isinstance(error, NgtpatchError):
        return error
    if not isinstance(error, OSError):
        return NgtpatchError(
            "unexpected",
            f"{type(error).__name__}: {error}",
            hint="this is a defect of ngtpatch; -vv shows where, please report it",
        )
    reason = error.strerror or str(error)
    path = error.filename if isinstance(error.filename, str) else None
    # What cannot be read is an InputError where it is read: here it is about writing.
    if error.errno in _UNWRITABLE:
        return unwritable(error, path=path)
    if error.errno == errno.ENAMETOOLONG:
        return UsageError("name-too-long", "is too long for the name of a file", path=path)
    return NgtpatchError("os-error", reason, path=path)


def changed_meanwhile(path: str) -> NgtpatchError:
    """Return what to say of an input that became another while it was worked on."""
    return NgtpatchError(
        "source-changed",
        "was changed while ngtpatch was at work",
        path=path,
        hint="copy it first, if it is still being written, and try again",
    )


def unreadable(error: OSError, *, path: str | None, verb: str = "read") -> InputError:
    """Return what to say of an input that the system refused to read, or to list."""
    hint = None
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "run this as a user who may read it, or let that user copy it"
    elif error.errno in (errno.EIO, errno.ENOMEDIUM):
        hint = "see whether a disc is in the drive, and the system's log (dmesg)"
    message = f"cannot be {verb}: {error.strerror}"
    return InputError("unreadable", message, path=path, hint=hint)


def unwritable(error: OSError, *, path: str | None) -> OutputError:
    """Return what to say of an output at *path* that the system refused to write."""
    code, message, hint = _UNWRITABLE.get(
        error.errno or 0,
        ("not-written", error.strerror or str(error), "see the system's log (dmesg)"),
    )
    what = "could not be written" if path else "the output could not be written"
    return OutputError(code, f"{what}: {message}", path=path, hint=hint)


def _rebuild(
    cls: type[NgtpatchError], code: str, message: str, path: str | None, hint: str | None
) -> NgtpatchError:
    return cls(code, message, path=path, hint=hint)


class UsageError(NgtpatchError):
    """The request contradicts itself or what is on disk (output exists, no such directory)."""

    exit_code = 2


class InputError(NgtpatchError):
    """A file that was given cannot be used: not an ISO, truncated, hostile, not NGT."""

    exit_code = 3


class Refusal(NgtpatchError):
    """The request was understood and is declined, because its effect could not be proven."""

    exit_code = 4


class VerificationError(NgtpatchError):
    """A written or given image is not what its record or its base promise."""

    exit_code = 5


class BatchError(NgtpatchError):
    """Part of a batch failed; the rest is done and the ledger names both."""

    exit_code = 6


class RemoteError(NgtpatchError):
    """A cluster, an object store or a scheduler failed."""

    exit_code = 7


class OutputError(NgtpatchError):
    """The output could not be written: the disk is full, failing, read-only, or not ours to use.

    Attributes:
        CODES: all that ``code`` can be.
    """

    exit_code = 8
    CODES: ClassVar[frozenset[str]] = frozenset(
        {
            "disk-full",
            "half-written",
            "ledger-changed",
            "not-writable",
            "not-written",
            "output-moved",
            "read-only",
        }
    )


_FULL = (
    "disk-full",
    "the file system is full",
    "make room, or name an output on another file system",
)
_FORBIDDEN = (
    "not-writable",
    "this user may not write there",
    "name another output, or run this as a user who may write there",
)
_UNWRITABLE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: ("disk-full", "the quota is used up", _FULL[2]),
    errno.EFBIG: ("disk-full", "the file system takes no file of that size", _FULL[2]),
    errno.EROFS: (
        "read-only",
        "the file system is read-only",
        "name an output on another file system",
    ),
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ENOENT: (
        "not-written",
        "no file can be made there: its directory is gone, or of the system's own making",
        "name another output; in a directory that was deleted, change to another first",
    ),
    errno.EIO: ("not-written", "the disk fails", "see the system's log (dmesg); use another disk"),
}
