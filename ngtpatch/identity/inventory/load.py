# SPDX-License-Identifier: Apache-2.0
"""Reads an inventory in whatever form it comes, and finds out which form that is."""

from __future__ import annotations

import codecs
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.files.json_members import Members, doubtful
from ngtpatch.identity.inventory.certificates import folder_records, join
from ngtpatch.identity.inventory.csv_rows import csv_rows, is_table
from ngtpatch.identity.inventory.row import (
    InventoryError,
    RawRow,
    Row,
    RowProblem,
    raw_name,
    shortened,
    validate,
)
from ngtpatch.listing import VmListing, is_listing, parse_listing, without_colours

__all__ = ["Inventory", "Share", "load", "load_listing"]

MAX_BYTES = 256 << 20
_SAID_OF = {type(None): "null", bool: "true or false", str: "text", list: "a list"}


@dataclass(frozen=True)
class Share:
    """A part of an inventory: whose files are looked for.

    Attributes:
        mine: by its name, whether a VM is in it.
        others_known: somebody has looked at the whole inventory before; of the others only the
            names are read.
    """

    mine: Callable[[str], bool]
    others_known: bool = False


@dataclass(frozen=True)
class Inventory:
    """VMs in the order of their source.

    Attributes:
        path: where it was read from.
        form: ``csv``, ``json``, ``jsonl``, ``folders``, ``ncli`` or ``prism``.
        rows: the VMs; of a share, those that are in it.
        problems: what is wrong with it; :meth:`require` turns that into an error.
        notes: what its reader should know, such as a list that is incomplete.
        complete: False where a cluster's list is known not to be whole; None where nobody says.
        others: the VMs that are not in the share, as far as the inventory's own text tells;
            empty where they are known.
        total: how many VMs that is.
        sha256: of what was read.
    """

    path: Path
    form: str
    rows: tuple[Row, ...]
    problems: tuple[RowProblem, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool | None = None
    others: tuple[Row, ...] = ()
    total: int = 0
    sha256: str = ""

    def require(self) -> Inventory:
        """Return itself. Raises InventoryError, with every problem, when there is one."""
        if self.problems:
            raise InventoryError.of(self.problems, path=str(self.path))
        return self

    def missing_files(self) -> tuple[RowProblem, ...]:
        """Return a problem for every file that one of :attr:`rows` names and that is not there."""
        return tuple(
            RowProblem(row.number, column, f"there is no file {shortened(path)}")
            for row in self.rows
            for column, path in (
                ("config", row.file("config")),
                ("cert", row.file("certificate")),
                ("key", row.file("key")),
                ("ca", row.file("authority")),
            )
            if path is not None and not os.path.isfile(path)  # noqa: PTH113 - a Path for each
        )


@dataclass(frozen=True)
class _Read:
    form: str
    records: Sequence[RawRow]
    problems: Sequence[RowProblem] = ()
    notes: Sequence[str] = ()
    complete: bool | None = None
    sha256: str = ""


def load(path: Path, *, certificates: Path | None = None, share: Share | None = None) -> Inventory:
    """Read the inventory at *path*.

    Args:
        path: a CSV, JSON, JSON Lines or ``ncli ngt list`` text file, a Prism VM list, or a
            directory with a folder per VM.
        certificates: a directory of certificates to complete the rows from.
        share: whose rows are wanted; None: all.

    Raises:
        InputError: ``not-found``, ``inventory-form``: nothing that is understood. What is
            wrong with single rows is in ``problems``.
    """
    if certificates is not None and not certificates.is_dir():
        raise InputError("not-found", "there is no such directory", path=str(certificates))
    if path.is_dir():
        records = list(folder_records(path, mine=None if share is None else share.mine))
        names = "\n".join(str(record.cells["name"]) for record in records)
        # Of files that are another share's nothing is asked, not even if they are there.
        read = _Read("folders", records, sha256=sha256_of_bytes(names.encode(errors="replace")))
        directory = path
    else:
        read = _read_file(path)
        # What comes by a pipe lies in no directory: its paths are relative to the current one.
        directory = path.parent if path.is_file() else Path()
    if not read.records and not read.problems:
        raise InputError("inventory-form", "contains no VM", path=str(path))
    return _inventory(path, read, directory, certificates, share)


def load_listing(
    listing: VmListing,
    *,
    source: str,
    certificates: Path | None = None,
    share: Share | None = None,
) -> Inventory:
    """Return the inventory of the VMs of *listing*, which *source* gave; see :func:`load`."""
    if certificates is not None and not certificates.is_dir():
        raise InputError("not-found", "there is no such directory", path=str(certificates))
    records = _records(listing)
    read = _Read(
        listing.form, records, _clashes(listing), listing.notes, listing.complete,
        _digest(records),
    )  # fmt: skip
    return _inventory(Path(source), read, Path(), certificates, share)


def _inventory(
    path: Path, read: _Read, directory: Path, certificates: Path | None, share: Share | None
) -> Inventory:
    records = read.records
    if share is not None and share.others_known:
        records = [record for record in records if share.mine(raw_name(record))]
    rows, problems = validate(records, directory=directory)
    others: tuple[Row, ...] = ()
    if share is not None and not share.others_known:
        others = tuple(row for row in rows if not share.mine(row.name))
        rows = tuple(row for row in rows if share.mine(row.name))
    if certificates is not None:
        rows, more = join(rows, certificates)
        problems = (*problems, *more)
    return Inventory(
        path, read.form, rows, (*read.problems, *problems), tuple(read.notes), read.complete,
        others, len(read.records), read.sha256,
    )  # fmt: skip


def _digest(records: Sequence[RawRow]) -> str:
    cells = [[record.number, *sorted(map(str, record.cells.items()))] for record in records]
    return sha256_of_bytes(json.dumps(cells).encode())


def _records(listing: VmListing) -> list[RawRow]:
    return [RawRow(vm.number, vm.cells) for vm in listing.vms]


def _clashes(listing: VmListing) -> list[RowProblem]:
    return [RowProblem(one.later.number, one.column, one.message) for one in listing.clashes]


def _read_file(path: Path) -> _Read:
    data = read_small(path, limit=MAX_BYTES, what="inventory")
    return replace(_parsed(data, path), sha256=sha256_of_bytes(data))


def _parsed(data: bytes, path: Path) -> _Read:
    text = _text(data, path)
    if is_table(text):  # also one with a listing in a cell
        return _Read("csv", *csv_rows(text, path))
    told = without_colours(text)
    if is_listing(told):
        return _listing(told, path)
    head = text.lstrip()[:1]
    if head == "{" and path.suffix.lower() != ".json":
        return _json_lines(text)
    if head in ("{", "["):
        return _json(text, path)
    return _Read("csv", *csv_rows(text, path))


def _text(data: bytes, path: Path) -> str:
    # Spreadsheets put a byte order mark before CSV, and export "Unicode text" as UTF-16.
    wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding, shown = ("utf-16", "UTF-16") if wide else ("utf-8-sig", "UTF-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise InputError(
            "inventory-form", f"is not {shown} (line {line})", path=str(path),
            hint="save it as UTF-8",
        ) from None  # fmt: skip


def _listing(text: str, path: Path) -> _Read:
    found = parse_listing(text, path=str(path))
    return _Read(found.form, _records(found), _clashes(found), found.notes, found.complete)


def _json(text: str, path: Path) -> _Read:
    try:
        document = json.loads(text, object_pairs_hook=Members)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            return _json_lines(text)
        raise InputError("inventory-form", f"is not JSON: {error}", path=str(path)) from None
    items = document if isinstance(document, list) else [document]
    return _from_items("json", list(enumerate(items, start=1)))


def _json_lines(text: str) -> _Read:
    items: list[tuple[int, object]] = []
    problems: list[RowProblem] = []
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip():
            try:
                items.append((number, json.loads(line, object_pairs_hook=Members)))
            except (ValueError, RecursionError) as error:
                problems.append(RowProblem(number, None, f"is not JSON: {error}"))
    read = _from_items("jsonl", items)
    return _Read("jsonl", read.records, [*problems, *read.problems])


def _from_items(form: str, items: Sequence[tuple[int, object]]) -> _Read:
    objects = [(n, item) for n, item in items if isinstance(item, dict)]
    doubts = [RowProblem(n, *doubt) for n, item in objects for doubt in doubtful(item)]
    unfit = {problem.row for problem in doubts}
    records = [RawRow(n, item) for n, item in objects if n not in unfit]
    problems = [
        RowProblem(n, None, f"is {_SAID_OF.get(type(item), 'a number')} in JSON, not an object")
        for n, item in items
        if not isinstance(item, dict)
    ]
    return _Read(form, records, [*problems, *doubts])
