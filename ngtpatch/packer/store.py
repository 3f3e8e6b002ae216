# SPDX-License-Identifier: Apache-2.0
"""A directory of built ISOs that many processes may use at once: outputs and cache alike.

Beside each ISO stands a note, ``.ngtpatch-<key>.json``, that says what it was made from. Others
may be able to write here: a note only leads to a file, and whoever takes the file proves it by
its content (:mod:`ngtpatch.packer.preparing`). Nothing is read or locked through a link.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import time
from typing import BinaryIO

from ngtpatch.document import document
from ngtpatch.errors import NgtpatchError, UsageError, unwritable
from ngtpatch.files.atomic import new_file
from ngtpatch.files.directories import foresee_directory, make_directory
from ngtpatch.files.locked import StillHeldError, locked
from ngtpatch.files.temporaries import TEMPORARY, remove_abandoned
from ngtpatch.flow.written_image import ChangedEntry, WrittenImage
from ngtpatch.patching.doubts import Doubt

__all__ = ["Candidate", "Store", "StoredDisc"]

FORMAT = "ngtpatch.packer-entry/1"
MAX_NOTE = 16 << 20
LOCK_TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class StoredDisc:
    """A built ISO.

    Attributes:
        key: what it was made from, as a digest.
        name: its file name.
        ngt_version: the NGT on it; None where it is not known.
        image: what is known of it, its digest in any case.
    """

    key: str
    name: str
    ngt_version: str | None
    image: WrittenImage


@dataclass(frozen=True)
class Candidate:
    """What a note says, and the open file that it leads to: neither is believed yet."""

    entry: StoredDisc
    file: BinaryIO


class Store:
    """Built ISOs in one directory."""

    def __init__(self, directory: Path, *, max_age: timedelta | None = None) -> None:
        """Take a directory that is there or can be made; nothing is made.

        Raises:
            UsageError: ``not-a-directory``, ``address``.
            OutputError: ``read-only``, ``not-writable``.
        """
        self.directory = directory
        self._max_age = max_age
        foresee_directory(directory)

    def make(self) -> None:
        """Make the directory where it is missing. Raises UsageError, OutputError."""
        make_directory(self.directory)

    def path(self, entry: StoredDisc) -> Path:
        """Return where *entry*'s ISO is."""
        return self.directory / entry.name

    def scratch(self, name: str) -> Path:
        """Return where the holder of lock *name* makes an ISO that is then given its name."""
        return self.directory / f".ngtpatch-{name}.part.iso"

    def sweep(self) -> None:
        """Remove what killed builds left: what they made, which may hold a key, and pieces."""
        for scratch in self.directory.glob(".ngtpatch-*.part.iso"):
            name = scratch.name.removeprefix(".ngtpatch-").removesuffix(".part.iso")
            # What another user put there in its place is not ours to remove, nor in the way.
            with suppress(NgtpatchError, OSError), self.lock(name, wait=timedelta()):
                scratch.unlink(missing_ok=True)
        for path in self.directory.glob(".*.tmp"):
            found = TEMPORARY.fullmatch(path.name)
            if found and found["stem"].startswith(".ngtpatch-"):
                remove_abandoned(path)

    @contextmanager
    def lock(self, name: str, *, wait: timedelta = LOCK_TIMEOUT) -> Iterator[None]:
        """Hold *name* alone, among all processes, while the block runs.

        Raises:
            NgtpatchError: ``locked``: another process held it all the while; or as
                :func:`~ngtpatch.files.locked.locked`.
        """
        path = self.directory / f".ngtpatch-{name}.lock"
        try:
            with locked(path, wait=wait.total_seconds()):
                yield
        except StillHeldError:
            raise NgtpatchError(
                "locked", "has been locked by another build for an hour", path=str(path),
                hint="wait for that build to end; if none is running, remove the file",
            ) from None  # fmt: skip

    def find(
        self, key: str, name: str | None = None, *, own: bool = False
    ) -> tuple[Candidate | None, str | None]:
        """Return what is said to be the entry for *key*, or why it cannot be used.

        Args:
            key: what it was made from.
            name: the file name that it must have, where that is not the store's to choose.
            own: nobody else may be able to change the file later: it is used where it is.
        """
        try:
            with _plain(self._note(key), "its note") as file:
                age = time() - os.fstat(file.fileno()).st_mtime
                entry = _parsed(file.read(MAX_NOTE + 1))
            if name is not None and entry.name != name:
                return None, None
            self._require_current(entry, key, age=age)
            return Candidate(entry, self._opened(entry, own=own)), None
        except FileNotFoundError:
            return None, None
        except _UnusableError as reason:
            return None, str(reason)

    def _require_current(self, entry: StoredDisc, key: str, *, age: float) -> None:
        if entry.key != key:
            raise _UnusableError("its note is about something else")
        if self._max_age is not None and age > self._max_age.total_seconds():
            raise _UnusableError(f"it has expired, being {int(age // 86400)} days old")

    def _opened(self, entry: StoredDisc, *, own: bool) -> BinaryIO:
        try:
            file = _plain(self.path(entry), entry.name)
        except FileNotFoundError:
            raise _UnusableError(f"{entry.name} is gone") from None
        status = os.fstat(file.fileno())
        why = None
        if own and status.st_uid != os.geteuid():
            why = "is another user's"
        elif own and status.st_nlink > 1:
            why = "has a second name"
        elif own and status.st_mode & stat.S_IWOTH:
            why = "may be written to by everybody"
        elif status.st_size != entry.image.size:
            why = "is damaged"
        if why is not None:
            file.close()
            raise _UnusableError(f"{entry.name} {why}")
        return file

    def require_no_directory(self, name: str) -> None:
        """Refuse a name that a directory has. Raises UsageError ``is-directory``."""
        if (self.directory / name).is_dir():
            raise _in_the_way(self.directory / name)

    def require_own(self, name: str) -> None:
        """Refuse to write over a file that no note knows.

        Raises:
            UsageError: ``output-exists``.
        """
        target = self.directory / name
        try:
            owner = target.lstat().st_uid
        except FileNotFoundError:
            return
        for note in self.directory.glob(".ngtpatch-*.json"):
            with suppress(FileNotFoundError, _UnusableError), _plain(note, "its note") as file:
                # Who made the file wrote the note: another user's gives nobody's file away.
                if os.fstat(file.fileno()).st_uid != owner:
                    continue
                if _parsed(file.read(MAX_NOTE + 1)).name == name:
                    return
        raise UsageError(
            "output-exists", "exists already, and ngtpatch did not build it",
            path=str(target), hint="use --force to replace it, or name another output",
        )  # fmt: skip

    def take(self, made: Path, entry: StoredDisc) -> None:
        """Give an ISO that was made here its name, and write its note.

        Raises:
            NgtpatchError: ``not-permitted``: another user's file has the name.
            UsageError: ``is-directory``: a directory has.
        """
        try:
            made.replace(self.path(entry))
            self.note(entry)
        except PermissionError:
            raise NgtpatchError(
                "not-permitted", "is another user's here, and cannot be replaced",
                path=str(self.path(entry)), hint="remove it, or name another directory",
            ) from None  # fmt: skip
        except IsADirectoryError as error:
            raise _in_the_way(error.filename2) from None
        except OSError as error:
            raise unwritable(error, path=str(self.path(entry))) from error

    def note(self, entry: StoredDisc) -> None:
        """Write the note of an ISO that is in the directory."""
        body = {"schema": FORMAT, **document(entry)}
        with new_file(self._note(entry.key), force=True) as file:
            file.write(json.dumps(body, indent=1).encode())

    def _note(self, key: str) -> Path:
        return self.directory / f".ngtpatch-{key[:32]}.json"


def _in_the_way(directory: str | Path) -> UsageError:
    return UsageError(
        "is-directory", "is a directory, and a file is written", path=str(directory),
        hint="remove it, or name another directory",
    )  # fmt: skip


class _UnusableError(Exception):
    """Why an entry cannot be used, in words that follow its name."""


def _plain(path: Path, called: str) -> BinaryIO:
    """Open a file that is one: no link, and nothing that a reader would wait for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = "is a link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise _UnusableError(f"{called} {why}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _UnusableError(f"{called} is not a file")
    return os.fdopen(descriptor, "rb")


def _parsed(note: bytes) -> StoredDisc:
    try:
        body = json.loads(note)
        if body.pop("schema") != FORMAT:
            raise _UnusableError("its note is of another format")
        image = body.pop("image")
        image["changed"] = tuple(ChangedEntry(**changed) for changed in image["changed"])
        image["unproven"] = tuple(Doubt(**doubt) for doubt in image["unproven"])
        for key in ("notices", "profiles"):
            image[key] = tuple(image[key])
        entry = StoredDisc(**body, image=WrittenImage(**image))
        # A note is a file like any other: its name must not lead out of the directory, and be one
        # that a file can have.
        if Path(entry.name).name != entry.name or b"\0" in os.fsencode(entry.name):
            raise _UnusableError("its note is damaged")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _UnusableError("its note is damaged") from None
    return entry
