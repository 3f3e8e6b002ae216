# SPDX-License-Identifier: Apache-2.0
"""Files that are there in full or not at all.

Every file that ngtpatch writes goes through here: a temporary file beside the target,
fsync, then one rename. Whatever interrupts it, the target is untouched and the
temporary file is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ngtpatch.errors import UsageError

__all__ = ["check_target", "new_file"]


def check_target(target: Path, *, force: bool, source: Path | None = None) -> None:
    """Refuse a target that cannot or must not be written, before any work is done.

    Raises:
        UsageError: code ``no-such-directory``, ``not-writable`` (the directory),
            ``not-a-file``, ``same-file`` (it is *source*, even with *force*) or
            ``output-exists``.
    """
    if not target.parent.is_dir():
        raise UsageError(
            "no-such-directory",
            f"the directory {target.parent} does not exist",
            path=str(target),
            hint="create it, or name another output",
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UsageError(
            "not-writable",
            f"the directory {target.parent} may not be written to",
            path=str(target),
            hint="name another output, or run this as who may write there",
        )
    if not target.exists() and not target.is_symlink():
        return
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise UsageError(
            "same-file",
            "is the input itself, which is never overwritten",
            path=str(target),
            hint="name another output",
        )
    if not target.is_file():
        raise UsageError("not-a-file", "exists and is not a regular file", path=str(target))
    if not force:
        raise UsageError(
            "output-exists",
            "exists already",
            path=str(target),
            hint="use --force to replace it",
        )


@contextmanager
def new_file(
    target: Path, *, force: bool = False, mode: int = 0o666, durable: bool = True
) -> Iterator[BinaryIO]:
    """Yield a file that becomes *target* when the block ends without an exception.

    Args:
        target: where it will stand.
        force: replace an existing file. Without it, a target that appears meanwhile is kept.
        mode: permission bits; the umask applies, as for any new file.
        durable: fsync the file and its directory before returning.

    Raises:
        UsageError: see :func:`check_target`.
        OSError: the file system refused (ENOSPC, ...); nothing is left behind.
    """
    check_target(target, force=force)
    temporary = target.with_name(f".{target.name[:200]}.{os.urandom(6).hex()}.tmp")

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | os.O_EXCL | os.O_CLOEXEC, mode)

    try:
        # Opened by its path, so that file.name tells a reader where it stands meanwhile.
        with open(temporary, "w+b", opener=opener) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if force:
            temporary.replace(target)
        else:
            # link() fails where the target exists: two runs cannot overwrite each other.
            _link(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    if durable:
        _sync_directory(target.parent)


def _link(temporary: Path, target: Path) -> None:
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise UsageError(
            "output-exists",
            "appeared while it was being written, and was kept",
            path=str(target),
            hint="use --force to replace it",
        ) from None
    except OSError:
        # FAT and some network file systems have no hard links.
        check_target(target, force=False)
        temporary.rename(target)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
