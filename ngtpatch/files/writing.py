# SPDX-License-Identifier: Apache-2.0
"""What the system says while an output is written, as one of our errors that names the output."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ngtpatch.errors import unwritable

__all__ = ["explained", "require_writable"]


@contextmanager
def explained(path: Path | None) -> Iterator[None]:
    """Turn what the operating system says into an OutputError about *path* (None: a stream).

    BrokenPipeError passes: it means that the reader has gone, which is for the caller to judge.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error, path=str(path or "standard output")) from error


def require_writable(directory: Path, target: Path) -> None:
    """Refuse a *directory* that is not to be written to, before any work is done for *target*.

    Raises:
        OutputError: ``read-only`` or ``not-writable``.
    """
    if os.access(directory, os.W_OK | os.X_OK):
        return
    read_only = os.statvfs(directory).f_flag & os.ST_RDONLY
    number = errno.EROFS if read_only else errno.EACCES
    raise unwritable(OSError(number, os.strerror(number)), path=str(target)) from None
