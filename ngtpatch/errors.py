# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as one tree of exceptions.

::

    NgtpatchError                1  unexpected: the machine, not the request, is at fault
    ├── UsageError               2  the request contradicts itself or what is on disk
    ├── InputError               3  a file given to us cannot be used
    ├── Refusal                  4  understood, and declined: nothing was written
    ├── VerificationError        5  the result is not what was promised
    ├── BatchError               6  part of a batch failed
    └── RemoteError              7  another machine failed us

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
    "Refusal",
    "RemoteError",
    "UsageError",
    "VerificationError",
    "of_any",
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
        return f"{self.path}: {self.message}" if self.path else self.message


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
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NgtpatchError(
            "disk-full", reason, path=path, hint="free some space and run the command again"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "name another place, or run the command as a user who has the permission"
        return NgtpatchError("not-permitted", reason, path=path, hint=hint)
    if error.errno == errno.ENAMETOOLONG:
        return UsageError("name-too-long", "is no name that a file can have", path=path)
    return NgtpatchError("os-error", reason, path=path)


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
