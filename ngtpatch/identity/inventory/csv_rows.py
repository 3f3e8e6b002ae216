# SPDX-License-Identifier: Apache-2.0
"""The rows of an inventory in CSV, as spreadsheets and people write it."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.identity.inventory.cells import Cells
from ngtpatch.identity.inventory.row import RawRow, RowProblem, column_name, shortened

__all__ = ["csv_rows", "is_table"]

# How spreadsheets are told of a delimiter, in a line before the header.
_SEPARATOR = re.compile(r"sep=([,;\t|])\r?\n", re.IGNORECASE)
_DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1 << 20


class _Dialect(csv.excel):
    """RFC 4180, and blanks behind a delimiter are no part of a cell.

    How quotes are doubled is not told by a header without any, and so not guessed from it.
    """

    skipinitialspace = True
    strict = True


def is_table(text: str) -> bool:
    """Say whether the first row of *text* names a column ``name``."""
    return _SEPARATOR.match(text) is not None or _delimiter(text) is not None


def csv_rows(text: str, path: Path) -> tuple[list[RawRow], list[RowProblem]]:
    """Return the rows of *text*, and what is wrong with others.

    Raises:
        InputError: ``inventory-form``: the header cannot be used.
    """
    told = _SEPARATOR.match(text)
    body = text[told.end() :] if told else text
    delimiter = told[1] if told else _delimiter(body) or ","
    reader = csv.reader(io.StringIO(body, newline=""), _Dialect, delimiter=delimiter)
    records: list[RawRow] = []
    problems: list[RowProblem] = []
    header: list[str] = []
    number = first = 2 if told else 1  # a cell may go over several lines: a row is where it begins
    try:
        for cells in reader:
            begin, number = number, reader.line_num + first
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _header(cells, path)
                continue
            if len(cells) > len(header):
                cells = _filled(cells, least=len(header))  # noqa: PLW2901 - columns without a name
            if len(cells) != len(header):
                message = f"has {len(cells)} cells, the header {len(header)}"
                problems.append(RowProblem(begin, None, message))
                continue
            records.append(RawRow(begin, Cells(dict(zip(header, cells, strict=True)))))
    except csv.Error as error:
        if not header:
            # Python 3.10 refuses NUL here, newer ones read on to a header that names no column.
            raise InputError("inventory-form", f"is not CSV: {error}", path=str(path)) from None
        why = f"is not CSV: {error}"
        if "end of data" in str(error):
            why = "has a quotation mark that is never closed; nothing behind it was read"
        problems.append(RowProblem(number, None, why))
    return records, problems


def _delimiter(text: str) -> str | None:
    """Return what has a column ``name`` in the first row stand by itself; None if nothing does."""
    head = text[:_LONGEST_HEADER]
    for delimiter in _DELIMITERS:
        try:
            rows = csv.reader(io.StringIO(head, newline=""), _Dialect, delimiter=delimiter)
            cells = next(row for row in rows if any(map(str.strip, row)))
        except (csv.Error, StopIteration):
            continue
        if "name" in map(column_name, cells) and (len(cells) > 1 or delimiter == ","):
            return delimiter
    return None


def _header(cells: list[str], path: Path) -> list[str]:
    header = _filled(cells)
    names = [column_name(column) for column in header]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        shown = f"mean {shortened(min(twice))!r}" if min(twice) else "have no name"
        raise InputError("inventory-form", f"two columns {shown}", path=str(path))
    if "name" not in names:
        found = [shortened(column) for column in header[:6]]
        hint = "expected columns: name,config,cert,key,ca"
        if any("\0" in column for column in header):
            hint = "it looks like UTF-16 or UTF-32 without its mark: save it as CSV, UTF-8"
        raise InputError(
            "inventory-form", f"its first row names no column `name`: {found}",
            path=str(path), hint=hint,
        )  # fmt: skip
    return header


def _filled(cells: list[str], *, least: int = 0) -> list[str]:
    """Return *cells* without the empty ones at the end, but *least* of them at least."""
    end = len(cells)
    while end > least and not cells[end - 1].strip():
        end -= 1
    return cells[:end]
