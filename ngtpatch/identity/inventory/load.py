# SPDX-License-Identifier: Apache-2.0
"""Reads an inventory in whatever form it comes, and finds out which form that is."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.identity.inventory.cells import Cells
from ngtpatch.identity.inventory.certificates import folder_records, join
from ngtpatch.identity.inventory.row import (
    InventoryError,
    RawRow,
    Row,
    RowProblem,
    column_name,
    raw_name,
    shortened,
    validate,
)
from ngtpatch.listing import VmListing, is_listing, listing_text, parse_listing

__all__ = ["Inventory", "Share", "load", "load_listing"]

MAX_BYTES = 256 << 20
_SNIFFED = 1024
_SAID_OF = {type(None): "null", bool: "true or false", str: "text", list: "a list"}
# How spreadsheets are told of a delimiter, in a line before the header.
_SEPARATOR = re.compile(r"sep=([,;\t|])\r?\n", re.IGNORECASE)


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
        names: of all VMs.
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
    names: frozenset[str] = frozenset()
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
        listing.form, records, notes=listing.notes, complete=listing.complete,
        sha256=_digest(records),
    )  # fmt: skip
    return _inventory(Path(source), read, Path(), certificates, share)


def _inventory(
    path: Path, read: _Read, directory: Path, certificates: Path | None, share: Share | None
) -> Inventory:
    names = [raw_name(record) for record in read.records]
    records = read.records
    if share is not None and share.others_known:
        told = zip(records, names, strict=True)
        records = [record for record, name in told if share.mine(name)]
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
        others, frozenset(names), len(read.records), read.sha256,
    )  # fmt: skip


def _digest(records: Sequence[RawRow]) -> str:
    cells = [[record.number, *sorted(map(str, record.cells.items()))] for record in records]
    return sha256_of_bytes(json.dumps(cells).encode())


def _records(listing: VmListing) -> list[RawRow]:
    return [RawRow(vm.number, vm.cells) for vm in listing.vms]


def _read_file(path: Path) -> _Read:
    data = read_small(path, limit=MAX_BYTES, what="inventory")
    return replace(_parsed(data, path), sha256=sha256_of_bytes(data))


def _parsed(data: bytes, path: Path) -> _Read:
    told = listing_text(data)
    if is_listing(told):
        return _listing(told, path)
    try:
        # Spreadsheets put a byte order mark before CSV, and export "Unicode text" as UTF-16.
        wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            "inventory-form", f"is not UTF-8 (line {line})", path=str(path),
            hint="save it as UTF-8",
        ) from None  # fmt: skip
    head = text.lstrip()[:1]
    if head == "{" and path.suffix.lower() != ".json":
        return _json_lines(text)
    if head in ("{", "["):
        return _json(text, path)
    return _csv(text, path)


def _listing(text: str, path: Path) -> _Read:
    found = parse_listing(text, path=str(path))
    return _Read(found.form, _records(found), notes=found.notes, complete=found.complete)


class _Members(dict[str, Any]):
    """A JSON object that remembers which of its members were given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counted = Counter(key for key, _ in pairs)
        self._twice = [key for key, count in counted.items() if count > 1]

    def twice(self) -> list[str]:
        """Return their names, as ``member.inner`` where they are in what is inside of it."""
        return [*self._twice, *_twice_inside(self.items())]


def _twice_inside(members: Iterable[tuple[object, object]]) -> list[str]:
    found: list[str] = []
    for key, value in members:
        if isinstance(value, _Members):
            found += (f"{key}.{name}" for name in value.twice())
        elif isinstance(value, list):
            found += (f"{key}.{name}" for name in _twice_inside(enumerate(value, start=1)))
    return found


def _no_finite(value: object, *names: object) -> Iterator[str]:
    """Yield where in a record a number is none that JSON has, as ``member.inner``."""
    if isinstance(value, float) and not math.isfinite(value):
        yield ".".join(map(str, names))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _no_finite(inner, *names, key)
    elif isinstance(value, list):
        for number, inner in enumerate(value, start=1):
            yield from _no_finite(inner, *names, number)


def _sniffed(text: str) -> str:
    """Return what tells the dialect: the first line, or its beginning."""
    return text[:_SNIFFED].partition("\n")[0]


def _filled(cells: list[str], *, least: int = 0) -> list[str]:
    """Return *cells* without the empty ones at the end, but *least* of them at least."""
    end = len(cells)
    while end > least and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _csv(text: str, path: Path) -> _Read:
    told = _SEPARATOR.match(text)
    body = text[told.end() :] if told else text
    try:
        if told:
            dialect: Any = type("Told", (csv.excel,), {"delimiter": told[1]})
        else:
            dialect = csv.Sniffer().sniff(_sniffed(text), delimiters=",;\t")
    except csv.Error:  # one column has no delimiter to find
        dialect = csv.excel
    reader = csv.reader(io.StringIO(body, newline=""), dialect, strict=True)
    records: list[RawRow] = []
    problems: list[RowProblem] = []
    header: list[str] = []
    try:
        for cells in reader:
            number = reader.line_num + (1 if told else 0)
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _filled(cells)
                names = [column_name(column) for column in header]
                twice = [name for name, count in Counter(names).items() if count > 1]
                if twice:
                    raise InputError(
                        "inventory-form", f"two columns mean {shortened(min(twice))!r}",
                        path=str(path),
                    )  # fmt: skip
                if "name" not in names:
                    found = [shortened(column) for column in header[:6]]
                    raise InputError(
                        "inventory-form", f"its first row names no column `name`: {found}",
                        path=str(path), hint="expected columns: name,config,cert,key,ca",
                    )  # fmt: skip
                continue
            if len(cells) > len(header):
                cells = _filled(cells, least=len(header))  # noqa: PLW2901 - columns without a name
            if len(cells) != len(header):
                message = f"has {len(cells)} cells, the header {len(header)}"
                problems.append(RowProblem(number, None, message))
                continue
            records.append(RawRow(number, Cells(dict(zip(header, cells, strict=True)))))
    except csv.Error as error:
        if not header:
            # Python 3.10 refuses NUL here, newer ones read on to a header that names no column.
            raise InputError("inventory-form", f"is not CSV: {error}", path=str(path)) from None
        problems.append(RowProblem(reader.line_num, None, f"is not CSV: {error}"))
    return _Read("csv", records, problems)


def _json(text: str, path: Path) -> _Read:
    try:
        document = json.loads(text, object_pairs_hook=_Members)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            return _json_lines(text)
        raise InputError("inventory-form", f"is not JSON: {error}", path=str(path)) from None
    items = document if isinstance(document, list) else [document]
    return _from_items("json", list(enumerate(items, start=1)))


def _json_lines(text: str) -> _Read:
    items: list[tuple[int, object]] = []
    problems: list[RowProblem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                items.append((number, json.loads(line, object_pairs_hook=_Members)))
            except (ValueError, RecursionError) as error:
                problems.append(RowProblem(number, None, f"is not JSON: {error}"))
    read = _from_items("jsonl", items)
    return _Read("jsonl", read.records, [*problems, *read.problems])


def _from_items(form: str, items: Sequence[tuple[int, object]]) -> _Read:
    infinite = [(n, key) for n, item in items if isinstance(item, dict) for key in _no_finite(item)]
    unfit = {n for n, _ in infinite}
    records = [RawRow(n, item) for n, item in items if isinstance(item, dict) and n not in unfit]
    problems = [
        RowProblem(n, None, f"is {_SAID_OF.get(type(item), 'a number')} in JSON, not an object")
        for n, item in items
        if not isinstance(item, dict)
    ]
    problems += [
        RowProblem(n, key, "is given twice; which one counts is not guessed")
        for n, item in items
        if isinstance(item, _Members)
        for key in item.twice()
    ]
    problems += [
        RowProblem(n, key, "is NaN or infinite, and no number of JSON") for n, key in infinite
    ]
    return _Read(form, records, problems)
