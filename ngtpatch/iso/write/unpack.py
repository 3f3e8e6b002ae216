# SPDX-License-Identifier: Apache-2.0
"""An image's files as a directory, for those who install from one."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.directories import foresee_directory, make_directory
from ngtpatch.files.temporaries import (
    abandoned,
    lock,
    name_stem,
    named_directory,
    remove_abandoned,
    sweep,
)
from ngtpatch.files.writing import explained, require_writable
from ngtpatch.iso.read.entry import Entry, check_name
from ngtpatch.iso.read.link_target import link_problem
from ngtpatch.iso.read.volume import Volume

__all__ = ["WrittenTree", "check_destination", "write_tree"]

_MOST_TIMES = 4
"""How many times its own size an image may unpack to: hard links make it more than once."""


@dataclass(frozen=True, slots=True)
class WrittenTree:
    """What was unpacked.

    Attributes:
        files: how many regular files.
        size: their bytes.
    """

    files: int
    size: int


def write_tree(
    volume: Volume,
    destination: Path,
    *,
    private: Collection[str] = (),
    force: bool = False,
    check: Callable[[], None] | None = None,
) -> WrittenTree:
    """Unpack the most expressive tree into a new directory: there in full or not at all.

    Permission bits are the image's, without set-user-ID and the like and what the umask takes
    away, and the owner may always enter and write directories; where the tree records none,
    files get 0644. Owners and times are those of the unpacking.

    Args:
        volume: the image; of a plan, ``Volume(plan.overlay(), ...)``.
        destination: a directory that does not exist yet, or is empty; those above it are made.
        private: paths that only the owner may read (0600), and nobody may execute.
        force: replace a directory that is not empty, as a whole.
        check: called when all is unpacked; the directory gets its name only when this returns.

    Raises:
        InputError: ``hostile-name``: a name, or the target of a symbolic link, leads out of
            the directory; ``hostile``: it unpacks to absurdly more than the image holds.
        UsageError: ``output-exists``, ``address`` or ``not-a-directory``.
        OutputError: the file system refused. Nothing is left behind.
    """
    _recover(destination)
    check_destination(destination, force=force)
    entries = volume.entries(volume.primary_tree)
    _check_entries(volume, entries)
    make_directory(destination.parent)
    with explained(destination), named_directory(destination) as temporary:
        written = _unpack(volume, temporary, entries.values(), frozenset(private))
        if check is not None:
            check()
        _take_name(temporary, destination, force=force)
    return written


def check_destination(destination: Path, *, force: bool) -> None:
    """Refuse a directory that cannot or must not be made, before any work is done.

    Raises UsageError as :func:`write_tree`.
    """
    if destination.is_dir():  # it goes under another name, or gives its own away
        require_writable(destination.parent, destination)
    if destination.is_symlink() or (destination.exists() and not destination.is_dir()):
        raise UsageError("not-a-directory", "exists and is not a directory", path=str(destination))
    foresee_directory(destination)
    if destination.exists() and any(destination.iterdir()) and not force:
        raise UsageError(
            "output-exists",
            "exists already and is not empty",
            path=str(destination),
            hint="use --force to replace it",
        )


def _check_entries(volume: Volume, entries: Mapping[str, Entry]) -> None:
    total = sum(entry.size for entry in entries.values())
    if total > _MOST_TIMES * volume.size:
        raise InputError("hostile", f"would unpack to {total:,} bytes", path=str(volume.path))
    for entry in entries.values():
        for name in entry.path.split("/"):
            check_name(name)
        if entry.kind == "symlink":
            _check_link(entries, entry)


def _check_link(entries: Mapping[str, Entry], entry: Entry) -> None:
    """Refuse a link that leads out of the tree, by way of other links, too."""
    problem = link_problem(entries, entry)
    if problem is not None:
        raise InputError(
            "hostile-name",
            f"holds the symbolic link {entry.path!a}, which {problem}",
            hint="unpack the image by other means, if this is meant",
        )


def _unpack(
    volume: Volume, root: Path, entries: Collection[Entry], private: frozenset[str]
) -> WrittenTree:
    tree = volume.tree
    allowed = _umasked(root)
    files = size = 0
    directories = sorted((e for e in entries if e.kind == "directory"), key=lambda e: e.path)
    for entry in directories:
        (root / entry.path).mkdir(mode=0o700)
    # Keys come last: the longer a run takes, the likelier it is killed.
    for entry in sorted(entries, key=lambda entry: entry.path in private):
        if entry.kind != "file":
            continue
        mode = 0o644 if entry.mode is None else entry.mode & 0o777
        # O_EXCL: nothing that was unpacked before is written through.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # The umask applies. A mode without write permission is no hindrance to this descriptor.
        own = 0o600 if entry.path in private else mode
        descriptor = os.open(root / entry.path, flags, own)
        with tree.open(entry.path) as source, os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        files, size = files + 1, size + entry.size
    # Last, so that no file is written through a link.
    for entry in entries:
        if entry.kind == "symlink":
            (root / entry.path).symlink_to(entry.target or "")
    for entry in reversed(directories):
        mode = 0o755 if entry.mode is None else entry.mode & 0o777
        (root / entry.path).chmod((mode & allowed) | 0o700)
    return WrittenTree(files, size)


def _umasked(directory: Path) -> int:
    """Return what the umask leaves of 0777: of a new directory, since asking is setting it."""
    probe = directory / f".{secrets.token_hex(6)}"
    probe.mkdir(mode=0o777)
    try:
        return probe.stat().st_mode & 0o777
    finally:
        probe.rmdir()


def _take_name(temporary: Path, destination: Path, *, force: bool) -> None:
    """Give the new directory its name, if nobody has taken that meanwhile.

    What had it before goes only once that has worked.
    """
    temporary.chmod(0o755 & _umasked(temporary) | 0o700)
    try:
        if force and destination.exists() and any(destination.iterdir()):
            _replace(destination, temporary)
        else:
            temporary.rename(destination)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise
        raise UsageError(
            "output-exists", "was made by somebody else meanwhile", path=str(destination),
            hint="look at it; --force replaces it",
        ) from None  # fmt: skip


def _replace(destination: Path, temporary: Path) -> None:
    old = _old(destination)
    held = lock(destination)
    try:
        destination.rename(old)
        try:
            temporary.rename(destination)
        except BaseException:
            old.rename(destination)
            raise
        shutil.rmtree(old)
    finally:
        os.close(held)


def _recover(destination: Path) -> None:
    """Remove what killed runs left; one killed while it took the name gives back the old tree."""
    if not destination.parent.is_dir():
        return
    sweep(destination)
    old = _old(destination)
    if destination.exists():
        remove_abandoned(old)
        return
    with abandoned(old) as found:
        if found:
            old.rename(destination)


def _old(destination: Path) -> Path:
    return destination.with_name(f".{name_stem(destination.name)}.old")
