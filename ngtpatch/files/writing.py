# SPDX-License-Identifier: Apache-2.0
"""What the system says while an output is written, as one of our errors that names the output."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from ngtpatch.errors import OutputError, unwritable

__all__ = ["explained", "require_writable", "scratch_file"]


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


def require_writable(place: Path, target: Path) -> None:
    """Refuse a *place* that is not to be written to, before any work is done for *target*.

    It is the directory of *target*, or the file itself that is written over.

    Raises:
        OutputError: ``read-only`` or ``not-writable``.
    """
    if os.access(place, os.W_OK | os.X_OK if place.is_dir() else os.W_OK):
        return
    read_only = os.statvfs(place).f_flag & os.ST_RDONLY
    number = errno.EROFS if read_only else errno.EACCES
    raise unwritable(OSError(number, os.strerror(number)), path=str(target)) from None


@contextmanager
def scratch_file(directory: Path | None, output: Path | None) -> Iterator[BinaryIO]:
    """Yield a file without a name, for what is needed while *output* is made.

    A run that is killed leaves nothing of it. That it cannot be written is said of *output*; what
    cannot be read meanwhile is not.

    Args:
        directory: on the output's disk; None for the system's for temporary files.
        output: what it is for; None for a stream, of whose scratch the directory is named.
    """
    named = output or directory or Path(tempfile.gettempdir())
    with explained(named), tempfile.TemporaryFile(buffering=0, dir=directory) as nameless:
        file = io.BufferedRandom(_Scratch(os.dup(nameless.fileno()), named))
    try:
        yield cast(BinaryIO, file)
    finally:
        with suppress(OutputError):  # what is not written yet fails once more
            file.close()


class _Scratch(io.FileIO):
    def __init__(self, descriptor: int, output: Path) -> None:
        super().__init__(descriptor, "r+b")
        self._output = output

    def write(self, data: Any, /) -> int:
        with explained(self._output):
            return super().write(data)
