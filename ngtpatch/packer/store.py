# SPDX-License-Identifier: Apache-2.0
"""A directory of built ISOs that many processes may use at once: outputs and cache alike.

Beside each ISO stands a note, ``.ngtpatch-<key>.json``, that says what it was made from
and what it must hash to. An ISO is reused only when its note is ours, its key is the one
asked for, it is not too old, and its bytes still have that hash; otherwise it is made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import time

from ngtpatch.document import document
from ngtpatch.errors import InputError, NgtpatchError, UsageError
from ngtpatch.files.atomic import new_file
from ngtpatch.files.bounded import read_small
from ngtpatch.files.digest import sha256_of_file
from ngtpatch.files.temporaries import TEMPORARY, remove_abandoned
from ngtpatch.flow.written_image import ChangedEntry, WrittenImage

__all__ = ["Store", "StoredDisc"]

FORMAT = "ngtpatch.packer-entry/1"
MAX_NOTE = 16 << 20
LOCK_TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class StoredDisc:
    """A built ISO.

    Attributes:
        key: what it was made from, as a digest.
        name: its file name.
        ngt_version: the NGT on it; None where it is not told.
        image: what is known of it, its digest in any case.
    """

    key: str
    name: str
    ngt_version: str | None
    image: WrittenImage


class Store:
    """Built ISOs in one directory."""

    def __init__(self, directory: Path, *, max_age: timedelta | None = None) -> None:
        self.directory = directory
        self._max_age = max_age
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(
                "not-a-directory", "is not a directory", path=str(directory),
                hint="name a directory, or a file that ends in .iso",
            ) from None  # fmt: skip

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
            with suppress(NgtpatchError), self.lock(name, wait=timedelta()):
                scratch.unlink(missing_ok=True)
        for path in self.directory.glob(".*.tmp"):
            found = TEMPORARY.fullmatch(path.name)
            if found and found["stem"].startswith(".ngtpatch-"):
                remove_abandoned(path)

    @contextmanager
    def lock(self, name: str, *, wait: timedelta = LOCK_TIMEOUT) -> Iterator[None]:
        """Hold *name* alone, among all processes, while the block runs.

        Raises:
            NgtpatchError: ``locked``: another process held it all the while.
        """
        from filelock import FileLock, Timeout

        path = self.directory / f".ngtpatch-{name}.lock"
        try:
            with FileLock(path, timeout=wait.total_seconds()):
                yield
        except Timeout:
            raise NgtpatchError(
                "locked", "has been locked by another build for an hour", path=str(path),
                hint="end that build, or remove the file when there is none",
            ) from None  # fmt: skip

    def find(self, key: str, name: str | None = None) -> tuple[StoredDisc | None, str | None]:
        """Return the sound entry for *key*, or why one that is there cannot be used.

        Args:
            key: what it was made from.
            name: the file name that it must have, where that is not the store's to choose.
        """
        note = self._note(key)
        try:
            entry = _read(note)
            if name is not None and entry.name != name:
                return None, None
            self._require_sound(entry, key, age=time() - note.stat().st_mtime)
        except FileNotFoundError:
            return None, None
        except _UnusableError as reason:
            return None, str(reason)
        return entry, None

    def _require_sound(self, entry: StoredDisc, key: str, *, age: float) -> None:
        if entry.key != key:
            raise _UnusableError("its note is about something else")
        if self._max_age is not None and age > self._max_age.total_seconds():
            raise _UnusableError(f"it has expired, being {int(age // 86400)} days old")
        file = self.path(entry)
        if not file.is_file():
            raise _UnusableError(f"{entry.name} is gone")
        if file.stat().st_size != entry.image.size or sha256_of_file(file) != entry.image.sha256:
            raise _UnusableError(f"{entry.name} is damaged")

    def require_own(self, name: str) -> None:
        """Refuse to write over a file that no note knows.

        Raises:
            UsageError: ``output-exists``.
        """
        if not (self.directory / name).exists():
            return
        for note in self.directory.glob(".ngtpatch-*.json"):
            with suppress(FileNotFoundError, _UnusableError):
                if _read(note).name == name:
                    return
        raise UsageError(
            "output-exists", "exists already, and no build of ngtpatch's made it",
            path=str(self.directory / name), hint="remove it, or name another output",
        )  # fmt: skip

    def note(self, entry: StoredDisc) -> None:
        """Write the note of an ISO that is in the directory."""
        body = {"schema": FORMAT, **document(entry)}
        with new_file(self._note(entry.key), force=True) as file:
            file.write(json.dumps(body, indent=1).encode())

    def _note(self, key: str) -> Path:
        return self.directory / f".ngtpatch-{key[:32]}.json"


class _UnusableError(Exception):
    """Why an entry cannot be used, in words that follow its name."""


def _read(note: Path) -> StoredDisc:
    try:
        body = json.loads(read_small(note, limit=MAX_NOTE, what="note"))
        if body.pop("schema") != FORMAT:
            raise _UnusableError("its note is of another format")
        image = body.pop("image")
        image["changed"] = tuple(ChangedEntry(**changed) for changed in image["changed"])
        for key in ("notices", "profiles"):
            image[key] = tuple(image[key])
        entry = StoredDisc(**body, image=WrittenImage(**image))
    except InputError as error:
        if error.code == "not-found":
            raise FileNotFoundError(str(note)) from None
        raise _UnusableError("its note is damaged") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _UnusableError("its note is damaged") from None
    # A note is a file like any other: its name must not lead out of the directory.
    if Path(entry.name).name != entry.name:
        raise _UnusableError("its note is damaged")
    return entry
