# SPDX-License-Identifier: Apache-2.0
"""What a push has asked for and seen, step by step, so that a killed one is not begun anew.

JSON Lines, mode 0600, no secrets: identifiers, digests, states. A row is appended and synced
before the step that it is about. The last row of a key counts; a torn last line is dropped.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from ngtpatch.disclosure import escaped_json, redacted
from ngtpatch.errors import InputError, NgtpatchError, UsageError
from ngtpatch.files.directories import foresee_directory, make_directory

__all__ = ["PushJournal", "own_journal"]

SCHEMA = "ngtpatch.push-journal/1"
_ELSEWHERE = "push keeps its journal there: set XDG_STATE_HOME to a directory that is yours"


def own_journal(*, dry_run: bool = False) -> PushJournal:
    """Return the user's journal, in the XDG state directory, which a *dry_run* does not make.

    Raises UsageError, OutputError where that cannot be made.
    """
    try:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:  # a container's user, whom nobody has heard of
        raise UsageError(
            "no-such-directory", "this user has no home directory", hint=_ELSEWHERE
        ) from None
    directory = base / "ngtpatch"
    try:
        if dry_run:
            foresee_directory(directory)
        else:
            make_directory(directory, mode=0o700)
    except NgtpatchError as error:
        # No output that another could be named for: it is where this user's programs keep such.
        error.hint = _ELSEWHERE
        raise
    return PushJournal(directory / "push.jsonl")


class PushJournal:
    """Rows by key; a key is one wish: this disc for that VM of that Prism Central."""

    def __init__(self, path: Path) -> None:
        """Read what *path* holds already.

        Raises:
            InputError: ``ledger``: it is no such journal; ``unsafe-ledger``: it is a link, no
                file, or another user's.
        """
        self.path = path
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Any]] = {}
        if os.path.lexists(path):
            with os.fdopen(self._opened(os.O_RDONLY), "rb") as file:
                self._read(file.read())

    def row(self, key: str) -> dict[str, Any]:
        """Return what is known of a wish; empty where nothing is."""
        with self._lock:
            return dict(self._rows.get(key, {}))

    def note(self, key: str, **facts: Any) -> None:
        """Add facts to a wish's row, and sync them to disk."""
        with self._lock:
            row = {**self._rows.get(key, {}), **facts}
            self._rows[key] = row
            shown = {k: redacted(v) if isinstance(v, str) else v for k, v in row.items()}
            line = escaped_json({"schema": SCHEMA, "key": key, **shown}) + "\n"
            descriptor = self._opened(os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    line = "\n" + line  # a torn line stands alone, and is dropped on reading
                os.write(descriptor, line.encode("utf-8"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def disks(self, prefix: str) -> frozenset[str]:
        """Return the discs that wishes whose key begins with *prefix* have put into drives."""
        with self._lock:
            rows = [row for key, row in self._rows.items() if key.startswith(prefix)]
        return frozenset(str(row["disk"]) for row in rows if row.get("disk"))

    def request(self, key: str) -> str:
        """Return the identifier of a wish's request: the same until the wish is fulfilled."""
        known = self.row(key).get("request")
        if isinstance(known, str):
            return known
        made = str(uuid.uuid4())
        self.note(key, request=made)
        return made

    def _opened(self, flags: int) -> int:
        try:
            found = os.open(self.path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if not self.path.is_symlink():
                raise
            raise self._unsafe("is a link") from error
        status = os.fstat(found)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(found)
            raise self._unsafe("is not a file of its own")
        if status.st_uid not in (os.geteuid(), self.path.parent.stat().st_uid):
            os.close(found)
            raise self._unsafe("is another user's")
        return found

    def _unsafe(self, why: str) -> InputError:
        return InputError(
            "unsafe-ledger", f"{why}, and is not used as a journal", path=str(self.path),
            hint="move it away",
        )  # fmt: skip

    def _read(self, data: bytes) -> None:
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            row = None
            with suppress(ValueError):
                row = json.loads(line)
            if isinstance(row, dict) and row.get("schema") == SCHEMA and "key" in row:
                self._rows[str(row["key"])] = {
                    k: v for k, v in row.items() if k not in ("schema", "key")
                }
            elif line.strip() and row is not None:
                raise InputError(
                    "ledger", f"line {number} is not a row of {SCHEMA}", path=str(self.path),
                    hint="move this file away",
                )  # fmt: skip
