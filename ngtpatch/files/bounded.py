# SPDX-License-Identifier: Apache-2.0
"""Reading a small file that a user named, with one clear error for each way it cannot be read."""

from __future__ import annotations

from pathlib import Path

from ngtpatch.errors import InputError

__all__ = ["read_small"]


def read_small(path: Path, *, limit: int, what: str = "file", hint: str | None = None) -> bytes:
    """Return the bytes of *path*, which should be a *what* ("report").

    Args:
        path: as the user named it.
        limit: the most that such a file can have, in bytes; hardly more is ever read.
        what: what the file should be, for messages.
        hint: where to get one.

    Raises:
        InputError: ``not-found``, ``is-directory``, ``unreadable``, ``too-large``.
    """

    def unusable(code: str, message: str) -> InputError:
        return InputError(code, message, path=str(path), hint=hint)

    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise unusable("not-found", f"there is no such {what}") from None
    except IsADirectoryError:
        raise unusable("is-directory", f"is a directory: it is no {what}") from None
    except OSError as error:
        raise unusable("unreadable", f"cannot be read: {error.strerror}") from None
    if len(data) > limit:
        most = f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
        raise unusable("too-large", f"is larger than {most}: it is no {what}")
    return data
