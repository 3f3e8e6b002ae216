# SPDX-License-Identifier: Apache-2.0
"""The ledger of a run: JSON Lines, one row per VM, no secrets.

Rows are appended as VMs are done, each in one write, so that a killed run loses at most
the row it was writing; a torn last line is dropped on reading. When a run ends the file
is rewritten with one row per VM, in the inventory's order.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from ngtpatch.disclosure import escaped_json
from ngtpatch.document import document
from ngtpatch.errors import InputError, OutputError, unreadable, unwritable
from ngtpatch.files.atomic import new_file
from ngtpatch.files.json_members import Members
from ngtpatch.files.writing import explained
from ngtpatch.fleet.ledger_document import LedgerRow, is_row
from ngtpatch.fleet.order import Known, VmResult
from ngtpatch.identity.assemble import Marks

__all__ = ["SCHEMA", "Ledger", "rows_but"]

SCHEMA = LedgerRow.SCHEMA
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What open(2) says of a link, a directory, a pipe that nobody reads, a socket.
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
_BEGIN = f'{{"schema": "{SCHEMA}", "name": '.encode()
# A row has a kilobyte; an error in it may quote a few names. More is not ours.
_LONGEST = 64 << 10
_MOST_ROWS = 2_000_000
_BLOCK = 1 << 20
# What a row that is done says, in the order that it is written in; in a text each quote has a
# backslash before it.
_DONE = re.compile(
    rb', "state": "done", "output": ("[^"\\]*"), "vm_uuid": (?:"[^"]*"|null), "size": \d+, '
    rb'"base_sha256": "[^"]*", "regions_sha256": "[^"]*", "sha256": (?:"[^"]*"|null), '
    rb'"ngt_uuid": (?:"([^"\\]*)"|null), "certificate_sha256": (?:"([^"\\]*)"|null)[,}]'
)


class Ledger:
    """One file of rows, held open while a run appends to it.

    Rows are by output: that is what a row vouches for, and two VMs may have one name. In memory is
    where each stands, and no row: there may be fifty thousand.

    Attributes:
        torn: whether the last line has no end: a run was killed while it wrote it, or still runs.
    """

    def __init__(self, path: Path, *, skipped: Callable[[str, Marks], bool] | None = None) -> None:
        """Read what *path* holds already, but for rows of images that are *skipped*.

        That is asked of an output's name and what its image has, by a row that is done.

        Raises:
            InputError: ``ledger``: it is no ledger, one of another format, or absurdly large;
                ``unsafe-ledger``: it is a link, a second name, no file, or another user's than
                its directory; ``unreadable``.
        """
        self.path = path
        # By output: where its row begins; of one that is not in the file yet, the row.
        self._rows: dict[str, int | bytes] = {}
        self._late: list[str] = []
        # How much of the file is rows that were read or written here, and what that is.
        self._sound = 0
        self._content = hashlib.sha256()
        self.torn = False
        self._descriptor = -1
        self._seen: tuple[int, int] | None = None
        self._reader: BinaryIO | None = None
        self._skipped = skipped
        if os.path.lexists(path):
            try:
                self._reader = os.fdopen(self._opened(os.O_RDONLY), "rb")
            except OSError as error:
                raise unreadable(error, path=str(path)) from None
            status = os.fstat(self._reader.fileno())
            self._seen = status.st_dev, status.st_ino
            try:
                self._read(self._reader)
            except InputError:
                self.close()
                raise

    def close(self) -> None:
        """Close what is open."""
        if self._reader is not None:
            self._reader.close()
        if self._descriptor != -1:
            os.close(self._descriptor)
        self._reader, self._descriptor = None, -1

    def __enter__(self) -> Ledger:
        new = os.O_CREAT | os.O_EXCL if self._seen is None else 0
        try:
            self._descriptor = self._opened(os.O_WRONLY | os.O_APPEND | new)
        except (FileExistsError, FileNotFoundError):
            raise self._unsafe("was replaced while it was read") from None
        status = os.fstat(self._descriptor)
        if self._seen not in (None, (status.st_dev, status.st_ino)):
            self.close()
            raise self._unsafe("was replaced while it was read")
        if self._reader is None:
            self._reader = os.fdopen(self._opened(os.O_RDONLY), "rb")
        # A torn last line goes, so that what is appended stands on a line of its own.
        try:
            with explained(self.path):
                os.ftruncate(self._descriptor, self._sound)
        except OutputError:
            self.close()
            raise
        return self

    def _opened(self, flags: int) -> int:
        """Open it, if it is a file of its own that nobody else can have put there.

        What it says is believed, and what is written to it goes nowhere else: others may be able
        to write to the directory.
        """
        try:
            descriptor = os.open(
                self.path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
            raise self._unsafe("is not a file of its own") from None
        status = os.fstat(descriptor)
        why = None
        if not stat.S_ISREG(status.st_mode):
            why = "is not a file of its own"
        elif status.st_nlink > 1:
            why = "is a second name of another file"
        elif status.st_uid not in (os.geteuid(), self.path.parent.stat().st_uid):
            why = "is another user's"
        if why is not None:
            os.close(descriptor)
            raise self._unsafe(why)
        return descriptor

    def _unsafe(self, why: str) -> InputError:
        return InputError(
            "unsafe-ledger", f"{why}, and is not used as a ledger", path=str(self.path),
            hint="name another directory, or move this file away",
        )  # fmt: skip

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def known(self, output: str) -> Known | None:
        """Return what an output's row says is there; None when nothing good is."""
        row = self._row(output)
        if row.get("state") != "done":
            return None
        written, changed = row.get("modified_ns"), row.get("changed_ns")
        times = None if written is None or changed is None else (written, changed)
        return Known(
            row["base_sha256"], row["regions_sha256"], row["size"], row.get("sha256"), times
        )

    def _line(self, output: str) -> bytes:
        """Return an output's row with its end of line."""
        where = self._rows[output]
        if isinstance(where, bytes):
            return where
        assert self._reader is not None  # noqa: S101 - what is in the file was read from it
        self._reader.seek(where)
        return self._reader.readline()

    def _row(self, output: str) -> dict[str, Any]:
        if output not in self._rows:
            return {}
        try:
            return cast(dict[str, Any], json.loads(self._line(output)))
        except ValueError:  # it was a row when it was read
            raise self._changed() from None

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Yield every row, the last one of each output."""
        yield from map(self._row, self._rows)

    def add(self, outcome: VmResult) -> None:
        """Append a VM's row. On a full file system it is kept back and tried again."""
        line = (escaped_json(document(_row(outcome))) + "\n").encode("utf-8")
        self._rows[outcome.output] = line
        self._late.append(outcome.output)
        self._append_late()

    def _append_late(self) -> None:
        try:
            while self._late:
                output = self._late[0]
                data = self._rows[output]
                if isinstance(data, int):  # it came twice
                    self._late.pop(0)
                elif os.write(self._descriptor, data) == len(data):
                    self._rows[output] = self._sound
                    self._sound += len(data)
                    self._content.update(data)
                    self._late.pop(0)
                else:  # the disk is full in the middle of a row: the next write says so
                    os.ftruncate(self._descriptor, self._sound)
        except OSError as error:
            if error.errno not in _FULL:
                raise unwritable(error, path=str(self.path)) from error

    def settle(self, order: Iterable[str]) -> bool:
        """Rewrite the file with one row per output, those of *order* last and in that order.

        Returns whether that was possible: on a full file system the appended file stays.

        Raises:
            OutputError: ``disk-full``: not even all rows could be appended; ``ledger-changed``:
                another program wrote to the file or replaced it; it is left as it is.
        """
        self._require_own_place()
        names = [name for name in order if name in self._rows]
        others: list[str] = []
        if len(names) < len(self._rows):  # most runs leave no row but theirs
            mine = set(names)
            others = [name for name in self._rows if name not in mine]
        try:
            with new_file(self.path, force=True, mode=0o600) as file:
                for name in chain(others, names):
                    file.write(self._line(name))
                self._require_own_content()
        except OutputError as error:
            if error.code != "disk-full":
                raise
            self._append_late()  # there may be room for that
            self._require_own_content()
            if self._late:
                raise OutputError(
                    "disk-full",
                    f"lacks the rows of {len(self._late)} VMs: the file system is full",
                    path=str(self.path), hint="make room, and run the same command with --resume",
                ) from None  # fmt: skip
            return False
        self._late.clear()
        return True

    def _require_own_place(self) -> None:
        """Return if nothing else is in the file's place: that is not written over."""
        assert self._reader is not None  # noqa: S101 - since it is written to
        with suppress(FileNotFoundError):
            if not os.path.samestat(self.path.lstat(), os.fstat(self._reader.fileno())):
                raise self._changed()

    def _require_own_content(self) -> None:
        """Return if the file has what was read and written here, and no more."""
        assert self._reader is not None  # noqa: S101 - since it is written to
        found, offset = hashlib.sha256(), 0
        while block := os.pread(self._reader.fileno(), _BLOCK, offset):
            found.update(block)
            offset += len(block)
        if offset != self._sound or found.digest() != self._content.digest():
            raise self._changed()

    def _changed(self) -> OutputError:
        return OutputError(
            "ledger-changed",
            "another program wrote to it, or replaced it, while the run was using it: what became "
            "of the VMs is not what it says",
            path=str(self.path),
            hint="move this file away, and run the same command with --resume: it reads the images "
            "that are there",
        )

    def _read(self, file: BinaryIO) -> None:
        number = 0
        while line := file.readline(_LONGEST + 1):
            number += 1
            output = None
            if self._skipped is not None and line[-1:] == b"\n":
                image = _image(line)
                if image is not None and self._skipped(*image):
                    self._rows.pop(image[0], None)  # this one is the later
                    self._sound += len(line)
                    continue
            if len(line) <= _LONGEST:
                if not line.endswith(b"\n") and _begins_like_a_row(line):
                    self.torn = True
                    return
                output = _output(line)
            if output is None or number > _MOST_ROWS:
                raise InputError(
                    "ledger", f"line {number} is not a row of {SCHEMA}", path=str(self.path),
                    hint="name another directory, or move this file away",
                )  # fmt: skip
            self._rows[output] = self._sound
            self._sound += len(line)
            self._content.update(line)


def rows_but(path: Path, skipped: Callable[[str, Marks], bool]) -> Iterator[LedgerRow]:
    """Yield the rows of a ledger, but for those of images that are *skipped*.

    The ledgers of fifty thousand VMs hold little else. Raises as :class:`Ledger`.
    """
    with closing(Ledger(path, skipped=skipped)) as ledger:
        yield from map(LedgerRow.of, ledger.rows())


def _image(line: bytes) -> tuple[str, Marks] | None:
    """Return an output and what its image has, by a row that is done and written as ours are."""
    found = _DONE.search(line, len(_BEGIN)) if line.startswith(_BEGIN) else None
    if found is None:
        return None
    try:
        output = found[1][1:-1].decode()
    except UnicodeDecodeError:
        return None
    ngt_uuid, certificate = (None if mark is None else mark.decode() for mark in found.group(2, 3))
    return output, (ngt_uuid, certificate)


def _begins_like_a_row(line: bytes) -> bool:
    """Say whether *line* can be the beginning of a row of ours."""
    return line[: len(_BEGIN)] == _BEGIN[: len(line)]


def _output(line: bytes) -> str | None:
    """Return the output that a whole line is about, if it has the shape that is relied upon."""
    # As they are written here: no mark in front, and no end of line but ours.
    if not (line.startswith(b"{") and line.endswith(b"}\n")):
        return None
    try:
        row = json.loads(line, object_pairs_hook=Members)
    except (ValueError, RecursionError):
        return None
    return row["output"] if is_row(row) and not row.twice else None


def _row(outcome: VmResult) -> Mapping[str, object]:
    row: dict[str, object] = {
        "schema": SCHEMA,
        "name": outcome.name,
        "state": "failed" if outcome.state == "failed" else "done",
        "output": outcome.output,
        "vm_uuid": outcome.vm_uuid,
    }
    if outcome.state == "failed":
        return {**row, "code": outcome.code, "error": outcome.error}
    return {
        **row,
        "size": outcome.size,
        "base_sha256": outcome.base_sha256,
        "regions_sha256": outcome.regions_sha256,
        "sha256": outcome.sha256,
        "ngt_uuid": outcome.ngt_uuid,
        "certificate_sha256": outcome.certificate_sha256,
        "modified_ns": outcome.times[0] if outcome.times else None,
        "changed_ns": outcome.times[1] if outcome.times else None,
        **({"remade": outcome.remade} if outcome.remade else {}),
    }
