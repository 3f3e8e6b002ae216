# SPDX-License-Identifier: Apache-2.0
"""Names that exist only while something is being written, and what a killed run left of them.

A file that is being written has no name at all where the file system can do that (O_TMPFILE:
ext4, xfs, btrfs, tmpfs): a killed run leaves nothing. Elsewhere, for directories, and for the
instant in which a whole file replaces another, it is called ``.<name>.<12 hexadecimal
digits>.tmp``, beside its target, and is locked (flock) by its writer. Who finds one that nobody
has locked has found what a killed run left, and removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "TEMPORARY",
    "abandoned",
    "give_name",
    "lock",
    "name_stem",
    "named",
    "named_directory",
    "remove_abandoned",
    "replacing",
    "sweep",
    "unnamed",
    "unnamed_to",
]

TEMPORARY = re.compile(r"\.(?P<stem>.*)\.[0-9a-f]{12}\.tmp", re.DOTALL)
"""The names that are given here; ``stem`` is :func:`name_stem` of the target's name."""

_STEM_BYTES = 200
_SWEPT = 4
"""How many of a target's names are looked at behind the last that is taken: only runs side by side
take more than the first, or one that finds names taken by another user."""
_MOST = 10_000

# What open(2) says where O_TMPFILE is not to be had; EISDIR where the kernel has not heard of it.
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)


def name_stem(name: str) -> str:
    """Return as much of a file's *name* as leaves room for the rest within 255 bytes."""
    return os.fsdecode(os.fsencode(name)[:_STEM_BYTES])


def sweep(target: Path) -> None:
    """Remove what killed runs left of *target*."""
    number, end = 0, _SWEPT
    while number < min(end, _MOST):
        path = _name(target, number)
        number += 1
        if not remove_abandoned(path) and os.path.lexists(path):
            end = number + _SWEPT


def remove_abandoned(path: Path) -> bool:
    """Remove a temporary file or directory that no live run has locked, if there is one."""
    with abandoned(path) as found:
        if found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


@contextmanager
def abandoned(path: Path) -> Iterator[bool]:
    """Yield whether *path* is a killed run's, and keep others from thinking so meanwhile.

    What is another user's, a link, or neither file nor directory is not.
    """
    descriptor = _open_own(path)
    if descriptor is None:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # a live run's, or on a file system without locks
            yield False
        else:
            yield _is_called(descriptor, path)
    finally:
        os.close(descriptor)


def lock(path: Path) -> int:
    """Return a descriptor of a directory of our own, locked as long as it is open."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    _lock(descriptor)
    return descriptor


def unnamed(directory: Path, mode: int) -> int | None:
    """Return the descriptor of a new file in *directory* that has no name.

    None where the file system has no such files, or where /proc, by which one would get its
    name, is not mounted. Raises OSError for any other reason.
    """
    flag: int | None = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return None
    try:
        descriptor = os.open(directory, os.O_RDWR | os.O_CLOEXEC | flag, mode)
    except OSError as error:
        if error.errno in _NO_TMPFILE:
            return None
        raise
    if not unnamed_to(descriptor).exists():
        os.close(descriptor)
        return None
    return descriptor


def unnamed_to(descriptor: int) -> Path:
    """Return a path by which this process can open a file that may have no name."""
    return Path(f"/proc/self/fd/{descriptor}")


def give_name(descriptor: int, path: Path) -> None:
    """Give a file of :func:`unnamed` its name. Raises FileExistsError where that is taken."""
    # With a directory's descriptor os.link() is linkat(2), which follows the link in /proc.
    directory = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(str(descriptor), path, src_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(directory)


@contextmanager
def named(target: Path, mode: int) -> Iterator[tuple[Path, int]]:
    """Yield name and descriptor of a new, locked file beside *target*.

    Afterwards the name is gone, unless the file was given another.
    """

    def create(path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, mode)

    with _claimed(target, create) as (path, descriptor):
        yield path, descriptor


@contextmanager
def replacing(descriptor: int, target: Path) -> Iterator[Path]:
    """Yield a name beside *target* for a file of :func:`unnamed`, to be renamed to it."""

    def create(path: Path) -> int:
        give_name(descriptor, path)
        return os.dup(descriptor)

    with _claimed(target, create) as (path, _):
        yield path


@contextmanager
def named_directory(target: Path) -> Iterator[Path]:
    """Yield a new, locked directory beside *target* that only its owner may enter (0700).

    Afterwards it is gone with all that is in it, unless it was given another name.
    """

    def create(path: Path) -> int:
        path.mkdir(mode=0o700)
        return lock(path)

    with _claimed(target, create) as (path, _):
        yield path


@contextmanager
def _claimed(target: Path, create: Callable[[Path], int]) -> Iterator[tuple[Path, int]]:
    """Yield the first free name of *target*'s, and what *create* opened there, locked."""
    path, descriptor = _claim(target, create)
    try:
        yield path, descriptor
    finally:
        with suppress(FileNotFoundError):
            if _is_called(descriptor, path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        os.close(descriptor)


def _claim(target: Path, create: Callable[[Path], int]) -> tuple[Path, int]:
    for number in range(_MOST):
        path = _name(target, number)
        try:
            descriptor = create(path)
        except FileExistsError:
            continue
        if _lock(descriptor) and _is_called(descriptor, path):
            return path, descriptor
        # Somebody swept it between its creation and the lock, or is about to.
        os.close(descriptor)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _open_own(path: Path) -> int | None:
    """Open a file or directory that is the user's own; None where there is none."""
    try:
        status = path.lstat()
        if status.st_uid != os.geteuid():
            return None
        if stat.S_ISDIR(status.st_mode):
            flags = os.O_RDONLY | os.O_DIRECTORY
        elif stat.S_ISREG(status.st_mode):
            flags = os.O_RDWR  # NFS locks what is open for writing
        else:
            return None
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # where there are no locks nobody takes it for abandoned, either
    return True


def _is_called(descriptor: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _name(target: Path, number: int) -> Path:
    return target.with_name(f".{name_stem(target.name)}.{number:012x}.tmp")
