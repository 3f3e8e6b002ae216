# SPDX-License-Identifier: Apache-2.0
"""Reading a small file that a user named, with one clear error for each way it cannot be read."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

from ngtpatch.disclosure import holds_private_key
from ngtpatch.errors import InputError, unreadable
from ngtpatch.files.absent import meant

__all__ = ["STDIN", "read_small", "read_small_and_mode"]

STDIN = Path("/dev/stdin")
"""What stands for standard input where a small file is asked for."""

# A pipe gives its bytes once, and some files are read where they are checked and where they are
# used. Path, device and inode -> what came out of it.
_piped: dict[tuple[str, int, int], bytes] = {}
_reading_a_pipe = threading.Lock()


def read_small(
    path: Path,
    *,
    limit: int,
    what: str = "file",
    hint: str | None = None,
    code: str | None = None,
    may_hold_key: bool = False,
) -> bytes:
    """Return the bytes of *path*, which should be a *what* ("report").

    What is read from such a file may be quoted in messages and documents. So a private key in
    it is refused here, whatever field it stands in, unless a key is what is looked for.

    Args:
        path: as the user named it.
        limit: the most that such a file can have, in bytes; hardly more is ever read.
        what: what the file should be, for messages.
        hint: where to get one.
        code: the code of every error, where none of those below would say enough.
        may_hold_key: whether a private key is expected in it.

    Raises:
        InputError: ``not-found``, ``is-directory``, ``unreadable``, ``too-large``; ``secret``:
            it holds a private key.
    """
    data = read_small_and_mode(path, limit=limit, what=what, hint=hint, code=code)[0]
    if not may_hold_key and holds_private_key(data):
        raise InputError(
            "secret", f"holds a private key, which no {what} may", path=str(path),
            hint="keep the key in a file of its own that only you may read, and name its path",
        )  # fmt: skip
    return data


def read_small_and_mode(
    path: str | Path,
    *,
    limit: int,
    what: str = "file",
    hint: str | None = None,
    code: str | None = None,
) -> tuple[bytes, int]:
    """Return the bytes of *path* and its permission bits; see :func:`read_small`.

    A pipe is read to its end the first time, and known from then on.
    """

    one = f"an {what}" if what[:1] in "aeio" else f"a {what}"

    def unusable(own_code: str, message: str) -> InputError:
        near = meant(path) if own_code == "not-found" else None
        return InputError(code or own_code, message, path=str(path), hint=near or hint)

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no Path for each of fifty thousand
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                data = file.read(limit + 1)
            else:
                with _reading_a_pipe:
                    pipe = (str(path), status.st_dev, status.st_ino)
                    data = _piped.get(pipe) or file.read(limit + 1)
                    _piped[pipe] = data
    except FileNotFoundError:
        raise unusable("not-found", f"there is no such {what}") from None
    except IsADirectoryError:
        raise unusable("is-directory", f"is a directory: {one} was expected") from None
    except OSError as error:
        refused = unreadable(error, path=str(path))
        refused.code, refused.hint = code or refused.code, refused.hint or hint
        raise refused from None
    if len(data) > limit:
        most = f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
        raise unusable("too-large", f"is larger than {most}, the most that {one} may have")
    return data, stat.S_IMODE(status.st_mode)
