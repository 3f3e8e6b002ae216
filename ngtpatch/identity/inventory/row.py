# SPDX-License-Identifier: Apache-2.0
"""One VM of an inventory, validated; and what is wrong with the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ngtpatch.disclosure import redacted
from ngtpatch.errors import InputError, UsageError
from ngtpatch.identity.inventory.cells import Cells

__all__ = [
    "InFolder",
    "InventoryError",
    "RawRow",
    "Row",
    "RowProblem",
    "raw_name",
    "shortened",
    "validate",
]

# Column (lower case, "_" for blanks and hyphens) -> the name we use. Prism says extId, ncli
# VM Id, people say uuid: all are the VM's own UUID, which is not the ngt_uuid.
_ALIASES = {
    "ca_cert": "ca",
    "authority": "ca",
    "certificate": "cert",
    "ext_id": "vm_uuid",
    "extid": "vm_uuid",
    "uuid": "vm_uuid",
    "vm": "name",
    "vm_name": "name",
}
_PartName = Literal["config", "certificate", "key", "authority"]
_PATHS = frozenset(["config", "cert", "key", "ca"])
_TEXTS = ("name", "config", "cert", "key", "ca")
# Column -> the key of ngt_config.json by whose rules it is judged.
_JUDGED = {
    "vm_uuid": "ngt_uuid", "ngt_uuid": "ngt_uuid", "cluster_ip": "cluster_ip", "port": "port",
}  # fmt: skip
_SHOWN_PROBLEMS = 200
_SHOWN_CHARACTERS = 200
# Most rows state none, and there are fifty thousand of them. Rows go to other processes, which a
# read-only view cannot.
_NO_SETS: Mapping[str, str] = {}


@dataclass(frozen=True)
class RowProblem:
    """One thing wrong with one cell.

    Attributes:
        row: where it stands: the line of a text file, the number of a JSON record from 1.
        column: the column, or None when it is the row as a whole.
        message: what was found; a private key in it is hidden.
    """

    row: int
    column: str | None
    message: str

    def __post_init__(self) -> None:
        for name in ("column", "message"):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, redacted(text))

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{where}: {self.message}"


class InventoryError(InputError):
    """Everything that is wrong with an inventory. ``problems`` holds it item by item."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        path: str | None = None,
        hint: str | None = None,
        problems: Sequence[RowProblem] = (),
    ) -> None:
        super().__init__(code, message, path=path, hint=hint)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Sequence[RowProblem], *, path: str) -> InventoryError:
        """Return one error that lists *problems*, in the order of the rows."""
        ordered = sorted(problems, key=lambda p: (p.row, p.column or "", p.message))
        lines = [f"  {problem}" for problem in ordered[:_SHOWN_PROBLEMS]]
        if len(ordered) > _SHOWN_PROBLEMS:
            lines.append(f"  and {len(ordered) - _SHOWN_PROBLEMS} more")
        count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
        return cls(
            "inventory", "\n".join([f"{count} in the inventory", *lines]), path=path,
            hint="nothing was written; correct these and run the command again",
            problems=ordered,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.code, self.message, self.path, self.hint, self.problems))


def _rebuild(
    code: str, message: str, path: str | None, hint: str | None, problems: Sequence[RowProblem]
) -> InventoryError:
    return InventoryError(code, message, path=path, hint=hint, problems=problems)


class InFolder(str):
    """A file's path in its VM's folder, which the row names once for all its files."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One VM.

    Attributes:
        number: where it stands in the inventory, for messages.
        name: the VM's name. Where several have it, each has a *vm_uuid* of its own.
        vm_uuid: the VM's own UUID, where the inventory knows it.
        config: the VM's ngt_config.json, where it has one; a path, as text, since there are
            ten thousand of these. :meth:`file` says where that is.
        certificate: its client-cert.pem, likewise.
        key: its client-key.pem, likewise.
        authority: its cluster's ca-cert.pem, likewise.
        sets: values for ngt_config.json that the row states (ngt_uuid, cluster_ip, port).
        values: every column by its name, for templates.
        twin: another VM of the inventory has the same name.
        folder: of this VM's files; what they are named by where they are :class:`InFolder`.
    """

    number: int
    name: str
    vm_uuid: str | None = None
    config: str | None = None
    certificate: str | None = None
    key: str | None = None
    authority: str | None = None
    sets: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    twin: bool = False
    folder: str | None = None

    @property
    def label(self) -> str:
        """What tells it from the others of its inventory: the name, where that is not enough
        with the UUID."""
        return f"{self.name} ({self.vm_uuid})" if self.twin and self.vm_uuid else self.name

    def file(self, part: _PartName) -> str | None:
        """Return where a part of its material is, as text."""
        file: str | None = getattr(self, part)
        return f"{self.folder}/{file}" if isinstance(file, InFolder) else file

    def path(self, part: _PartName) -> Path | None:
        """Return where a part of its material is."""
        file = self.file(part)
        return None if file is None else Path(file)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it was read: columns to cells, not yet believed."""

    number: int
    cells: Mapping[str, Any]


def validate(
    records: Sequence[RawRow], *, directory: Path
) -> tuple[tuple[Row, ...], tuple[RowProblem, ...]]:
    """Return the rows that are right, and everything that is wrong with the others.

    Args:
        records: as read.
        directory: what relative paths in the cells are relative to.
    """
    rows: list[Row] = []
    problems: list[RowProblem] = []
    uuids: dict[str, int] = {}
    for record in records:
        cells: dict[str, Any] = {}
        for column, cell in record.cells.items():
            name = column_name(column)
            if name in cells:
                problems.append(RowProblem(record.number, name, "two columns have this meaning"))
            cells[name] = cell.strip() if isinstance(cell, str) else cell
        cells = {name: cell for name, cell in cells.items() if cell not in ("", None)}
        wrong = [RowProblem(record.number, *found) for found in _wrong(cells)]
        if wrong:
            problems += wrong
            continue
        row = _row(record.number, cells, directory)
        if row.vm_uuid is not None:
            if row.vm_uuid in uuids:
                message = f"{row.vm_uuid} is also that of row {uuids[row.vm_uuid]}"
                problems.append(RowProblem(record.number, "vm_uuid", message))
            uuids.setdefault(row.vm_uuid, record.number)
        rows.append(row)
    told_apart, more = _told_apart(rows)
    return tuple(told_apart), (*problems, *more)


def _told_apart(rows: Sequence[Row]) -> tuple[Sequence[Row], list[RowProblem]]:
    """Mark the rows that share a name, and find those that nothing tells apart."""
    counts = Counter(row.name for row in rows)
    if len(counts) == len(rows):
        return rows, []
    problems: list[RowProblem] = []
    first: dict[str, Row] = {}
    marked = [replace(row, twin=True) if counts[row.name] > 1 else row for row in rows]
    for row in marked:
        before = first.setdefault(row.name, row)
        if before is not row and None in (row.vm_uuid, before.vm_uuid):
            message = f"{shortened(row.name)!r} is also the name of row {before.number}; "
            message += "a column vm_uuid would tell the two apart"
            problems.append(RowProblem(row.number, "name", message))
        elif row.label != row.name and row.label in counts:
            message = f"{shortened(row.label)!r} is the name of another row"
            problems.append(RowProblem(row.number, "name", message))
    return marked, problems


def raw_name(record: RawRow) -> str:
    """Return the name that a row has before it is validated; an empty text where it has none."""
    column = _column_of_names(tuple(record.cells))
    return "" if column is None else str(record.cells[column]).strip()


@lru_cache(maxsize=1024)
def _column_of_names(columns: tuple[str, ...]) -> str | None:
    return next((column for column in columns if column_name(column) == "name"), None)


@lru_cache(maxsize=4096)
def column_name(column: str) -> str:
    """Return a column's name as templates use it: ``VM Name`` is ``name``."""
    plain = "_".join(column.strip().lower().replace("-", " ").replace(".", " ").split())
    return _ALIASES.get(plain, plain)


def shortened(text: str) -> str:
    """Return *text*, or its beginning where it is too long for a message."""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"


def _wrong(cells: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (column, why) for what is wrong with a row; a name that is a number becomes text."""
    name = cells.get("name")
    if name is None:
        yield "name", "is empty; every VM needs a name"
    elif type(name) is int:  # JSON inventories may say 7 where they mean the name "7"
        cells["name"] = str(name)
    for column in _TEXTS:
        value = cells.get(column)
        if value is not None and not isinstance(value, str) and type(value) is not int:
            yield column, _quoted("expected text", value)
        elif column in _PATHS and value is not None and (why := _no_path(value)):
            yield column, why
    for column, key in _JUDGED.items():
        if column in cells and (why := _as_config_would(key, cells[column])):
            yield column, _quoted(why, cells[column])


def _no_path(value: object) -> str | None:
    """Return why a cell is no path, or None."""
    if not isinstance(value, str):
        return _quoted("expected a path", value)
    if "\0" in value:
        return f"{shortened(value)!r} has a NUL character, and is no path"
    if _expanded(value).startswith("~"):
        return f"{shortened(value)!r} names a user without a home here"
    return None


def _expanded(value: str) -> str:
    return os.path.expanduser(value) if value.startswith("~") else value  # noqa: PTH111


def _quoted(message: str, value: object) -> str:
    shown = repr(value)
    # As in ngt_config.json: a cell can hold a pasted key.
    return f"{message}, found {shown}" if len(shown) <= 60 else message


def _row(number: int, cells: Mapping[str, Any], directory: Path) -> Row:
    def path(column: str) -> str | None:
        value = cells.get(column)
        return None if value is None else str(directory / _expanded(value))

    sets = {key: str(cells[key]) for key in ("ngt_uuid", "cluster_ip", "port") if key in cells}
    vm_uuid: str | None = cells.get("vm_uuid")
    own = {}
    if vm_uuid is not None:
        vm_uuid = own["vm_uuid"] = vm_uuid.lower()
    return Row(
        number, cells["name"], vm_uuid, path("config"), path("cert"), path("key"), path("ca"),
        sets or _NO_SETS, Cells({**cells, **own}),
    )  # fmt: skip


def _as_config_would(key: str, value: object) -> str | None:
    """Return what is expected of a cell, by the rules that ngt_config.json is judged by."""
    from ngtpatch.identity.config import Config, problems

    empty = Config.parse(b"{}")
    with suppress(UsageError):  # what is no number is judged as the text it is
        value = empty.coerced({key: value})[key] if isinstance(value, str) else value
    code = "config-" + key.replace("_", "-")
    for finding in problems(empty.with_values({key: value}), source=""):
        if finding.code == code:
            return "expected " + finding.message.partition("expected ")[2]
    return None
