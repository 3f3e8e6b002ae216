# SPDX-License-Identifier: Apache-2.0
"""The ledger of a run: JSON Lines, one row per VM, no secrets.

Rows are appended as VMs are done, each in one write, so that a killed run loses at most
the row it was writing; a torn last line is dropped on reading. When a run ends the file
is rewritten with one row per VM, in the inventory's order.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ngtpatch.disclosure import escaped_json
from ngtpatch.document import document
from ngtpatch.errors import InputError, OutputError
from ngtpatch.files.atomic import new_file
from ngtpatch.fleet.order import Known, VmResult

__all__ = ["SCHEMA", "Ledger"]

SCHEMA = "ngtpatch.ledger/1"
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What open(2) says of a link, a directory, a pipe that nobody reads, a socket.
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
_BEGIN = f'{{"schema": "{SCHEMA}", "name": '.encode()
# A row has a kilobyte; an error in it may quote a few names. More is not ours.
_LONGEST = 64 << 10
_MOST_ROWS = 2_000_000


class Ledger:
    """One file of rows, held open while a run appends to it.

    Rows are by output: that is what a row vouches for, and two VMs may have one name.
    """

    def __init__(self, path: Path) -> None:
        """Read what *path* holds already.

        Raises:
            InputError: ``ledger``: it is no ledger, one of another format, or absurdly large;
                ``unsafe-ledger``: it is a link, a second name, no file, or another user's than
                its directory.
        """
        self.path = path
        self._rows: dict[str, str] = {}
        self._late: list[str] = []
        self._sound = 0
        self._descriptor = -1
        self._seen: tuple[int, int] | None = None
        if os.path.lexists(path):
            with os.fdopen(self._opened(os.O_RDONLY), "rb") as file:
                status = os.fstat(file.fileno())
                self._seen = status.st_dev, status.st_ino
                self._read(file)

    def __enter__(self) -> Ledger:
        new = os.O_CREAT | os.O_EXCL if self._seen is None else 0
        try:
            self._descriptor = self._opened(os.O_WRONLY | os.O_APPEND | new)
        except (FileExistsError, FileNotFoundError):
            raise self._unsafe("was replaced while it was read") from None
        status = os.fstat(self._descriptor)
        if self._seen not in (None, (status.st_dev, status.st_ino)):
            os.close(self._descriptor)
            raise self._unsafe("was replaced while it was read")
        # A torn last line goes, so that what is appended stands on a line of its own.
        os.ftruncate(self._descriptor, self._sound)
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
        os.close(self._descriptor)

    def known(self, output: str) -> Known | None:
        """Return what an output's row says is there; None when nothing good is."""
        line = self._rows.get(output)
        row = json.loads(line) if line else {}
        if row.get("state") != "done":
            return None
        written, changed = row.get("modified_ns"), row.get("changed_ns")
        times = None if written is None or changed is None else (written, changed)
        return Known(row["base_sha256"], row["regions_sha256"], row["size"], row["sha256"], times)

    def owners(self) -> Iterator[tuple[str, str, str | None, str | None]]:
        """Yield (VM, output, ngt_uuid, certificate's fingerprint) of each row that is done."""
        for line in self._rows.values():
            row = json.loads(line)
            if row["state"] == "done":
                yield (
                    row["name"], row["output"], row.get("ngt_uuid"),
                    row.get("certificate_sha256"),
                )  # fmt: skip

    def add(self, outcome: VmResult) -> None:
        """Append a VM's row. On a full file system it is kept back and tried again."""
        line = escaped_json(document(_row(outcome)))
        self._rows[outcome.output] = line
        self._late.append(line)
        try:
            while self._late:
                data = (self._late[0] + "\n").encode("utf-8")
                if os.write(self._descriptor, data) == len(data):
                    self._sound += len(data)
                    self._late.pop(0)
                else:  # the disk is full in the middle of a row: the next write says so
                    os.ftruncate(self._descriptor, self._sound)
        except OSError as error:
            if error.errno not in _FULL:
                raise

    def settle(self, order: Iterable[str]) -> bool:
        """Rewrite the file with one row per output, those of *order* last and in that order.

        Returns whether that was possible: on a full file system the appended file stays.
        """
        names = [name for name in order if name in self._rows]
        mine = set(names)
        lines = [line for name, line in self._rows.items() if name not in mine]
        lines += [self._rows[name] for name in names]
        try:
            with new_file(self.path, force=True, mode=0o600) as file:
                file.write("".join(line + "\n" for line in lines).encode("utf-8"))
        except OutputError as error:
            if error.code != "disk-full":
                raise
            return False
        return True

    def _read(self, file: BinaryIO) -> None:
        number = 0
        while line := file.readline(_LONGEST + 1):
            number += 1
            output = None
            if len(line) <= _LONGEST:
                if not line.endswith(b"\n") and _begins_like_a_row(line):
                    return  # torn: a run was killed while it wrote it
                output = _output(line)
            if output is None or number > _MOST_ROWS:
                raise InputError(
                    "ledger", f"line {number} is not a row of {SCHEMA}", path=str(self.path),
                    hint="name another directory, or move this file away",
                )  # fmt: skip
            self._sound += len(line)
            self._rows[output] = line[:-1].decode("utf-8")


def _begins_like_a_row(line: bytes) -> bool:
    """Say whether *line* can be the beginning of a row of ours."""
    return line[: len(_BEGIN)] == _BEGIN[: len(line)]


def _output(line: bytes) -> str | None:
    """Return the output that a whole line is about, if it has the shape that is relied upon."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
        return _checked(row)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _checked(row: Any) -> str | None:
    if not isinstance(row, dict) or row.get("schema") != SCHEMA:
        return None
    output, state = row["output"], row["state"]
    if state == "done":
        texts = [row["base_sha256"], row["regions_sha256"]]
        texts += [row.get(key) for key in ("sha256", "ngt_uuid", "certificate_sha256") if row[key]]
        numbers = [row["size"]]
        numbers += [row[key] for key in ("modified_ns", "changed_ns") if row[key] is not None]
        if not all(isinstance(text, str) for text in texts):
            return None
        if not all(type(number) is int for number in numbers):
            return None
    right = isinstance(output, str) and isinstance(row["name"], str)
    return output if right and state in ("done", "failed") else None


def _row(outcome: VmResult) -> Mapping[str, object]:
    row: dict[str, object] = {
        "schema": SCHEMA,
        "name": outcome.name,
        "state": "failed" if outcome.state == "failed" else "done",
        "output": outcome.output,
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
    }
