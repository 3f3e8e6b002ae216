# SPDX-License-Identifier: Apache-2.0
"""Files that are there in full or not at all.

Every file that ngtpatch writes goes through here: a file without a name, fsync, then its
name. Whatever interrupts it, the target is untouched; what :mod:`ngtpatch.files.temporaries`
says of file systems without such files holds, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ngtpatch.errors import UsageError
from ngtpatch.files.absent import nowhere
from ngtpatch.files.apart import require_apart
from ngtpatch.files.temporaries import give_name, named, replacing, sweep, unnamed, unnamed_to
from ngtpatch.files.writing import explained, require_writable

__all__ = ["check_target", "new_file"]


def check_target(target: Path, *, force: bool, source: Path | None = None) -> None:
    """Refuse a target that cannot or must not be written, before any work is done.

    Raises:
        UsageError: code ``no-such-directory``, ``address``, ``is-directory``, ``not-a-file``,
            ``same-file`` (it is *source*, even with *force*) or ``output-exists``.
        OutputError: ``read-only`` or ``not-writable``: the directory.
    """
    if not target.parent.is_dir():
        raise nowhere(target, target.parent)
    require_writable(target.parent, target)
    if not target.exists() and not target.is_symlink():
        return
    require_apart(target, (), discs=[source])
    if target.is_dir():
        raise UsageError(
            "is-directory",
            "is a directory, and a file is written",
            path=str(target),
            hint=f"name a file in it, such as {target / 'ngt.iso'}",
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

    It has no name until then, where the file system can do that; its ``name`` is a path by
    which this process can open it. What a killed run left of *target* is removed.

    Args:
        target: where it will stand.
        force: replace an existing file. Without it, a target that appears meanwhile is kept.
        mode: permission bits; the umask applies, as for any new file.
        durable: fsync the file and its directory before returning.

    Raises:
        UsageError: see :func:`check_target`.
        OutputError: the file system refused; nothing is left behind.
    """
    check_target(target, force=force)
    with explained(target):
        sweep(target)
        descriptor = unnamed(target.parent, mode)
        if descriptor is None:
            with named(target, mode) as (temporary, descriptor):
                with _opened(temporary, os.dup(descriptor)) as file:
                    yield file
                    _flush(file, durable=durable)
                _take_name(temporary, target, force=force)
        else:
            with _opened(unnamed_to(descriptor), descriptor) as file:
                yield file
                _flush(file, durable=durable)
                _first_name(descriptor, target, force=force)
        if durable:
            _name_kept(target, force=force)


def _opened(path: Path, descriptor: int) -> BinaryIO:
    # Under a path, so that file.name tells a reader where to find it meanwhile.
    return open(path, "w+b", opener=lambda *_: descriptor)


def _flush(file: BinaryIO, *, durable: bool) -> None:
    file.flush()
    if durable:
        os.fsync(file.fileno())


def _first_name(descriptor: int, target: Path, *, force: bool) -> None:
    """Give a file that has no name the target's; link() never takes another's."""
    try:
        give_name(descriptor, target)
    except FileExistsError:
        if not force:
            raise _appeared(target) from None
        with replacing(descriptor, target) as temporary:
            temporary.replace(target)


def _take_name(temporary: Path, target: Path, *, force: bool) -> None:
    if force:
        temporary.replace(target)
        return
    try:
        # link() fails where the target exists: two runs cannot overwrite each other.
        target.hardlink_to(temporary)
    except FileExistsError:
        raise _appeared(target) from None
    except OSError:
        # FAT and some network file systems have no hard links.
        check_target(target, force=False)
        temporary.rename(target)


def _appeared(target: Path) -> UsageError:
    return UsageError(
        "output-exists",
        "appeared while it was being written, and was left as it is",
        path=str(target),
        hint="use --force to replace it",
    )


def _name_kept(target: Path, *, force: bool) -> None:
    """Make a name durable. One that the disk refuses goes again, unless it took another's place."""
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not force:
            with suppress(OSError):
                target.unlink()
        raise
    finally:
        os.close(descriptor)
