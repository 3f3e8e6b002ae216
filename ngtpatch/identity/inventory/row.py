# SPDX-License-Identifier: Apache-2.0
"""One VM of an inventory, validated; and what is wrong with the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from ngtpatch.disclosure import redacted
from ngtpatch.errors import InputError, UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["InventoryError", "RawRow", "Row", "RowProblem", "raw_name", "shortened", "validate"]

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
_SHOWN_PROBLEMS = 200
_SHOWN_CHARACTERS = 200
# Most rows state none, and there are fifty thousand of them.
_NO_SETS: Mapping[str, str] = MappingProxyType({})


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


@dataclass(frozen=True, slots=True)
class Row:
    """One VM.

    Attributes:
        number: where it stands in the inventory, for messages.
        name: the VM's name. Where several have it, each has a *vm_uuid* of its own.
        vm_uuid: the VM's own UUID, where the inventory knows it.
        config: the VM's ngt_config.json, where it has one; a path, as text, since there are
            ten thousand of these.
        certificate: its client-cert.pem, likewise.
        key: its client-key.pem, likewise.
        authority: its cluster's ca-cert.pem, likewise.
        sets: values for ngt_config.json that the row states (ngt_uuid, cluster_ip, port).
        values: every column by its name, for templates.
        twin: another VM of the inventory has the same name.
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

    @property
    def label(self) -> str:
        """What tells it from the others of its inventory: the name, where that is not enough
        with the UUID."""
        return f"{self.name} ({self.vm_uuid})" if self.twin else self.name

    def path(self, part: Literal["config", "certificate", "key", "authority"]) -> Path | None:
        """Return where a part of its material is."""
        file: str | None = getattr(self, part)
        return None if file is None else Path(file)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it was read: columns to cells, not yet believed."""

    number: int
    cells: Mapping[str, Any]


def validate(
    records: Sequence[RawRow],
    *,
    directory: Path,
    mine: Callable[[str], bool] | None = None,
) -> tuple[tuple[Row, ...], tuple[RowProblem, ...]]:
    """Return the rows that are right, and everything that is wrong with the others.

    Args:
        records: as read.
        directory: what relative paths in the cells are relative to.
        mine: by its name, whether a row is looked at; None: all are.
    """
    from pydantic import ValidationError

    model = _model()
    rows: list[Row] = []
    problems: list[RowProblem] = []
    uuids: dict[str, int] = {}
    for record in records:
        if mine is not None and not mine(raw_name(record)):
            continue
        cells: dict[str, Any] = {}
        for column, cell in record.cells.items():
            name = column_name(column)
            if name in cells:
                problems.append(RowProblem(record.number, name, "two columns have this meaning"))
            cells[name] = cell.strip() if isinstance(cell, str) else cell
        cells = {name: cell for name, cell in cells.items() if cell not in ("", None)}
        try:
            checked: Any = model.model_validate(cells)
            row = _row(record.number, checked, cells, directory)
        except ValidationError as error:
            problems += [
                RowProblem(record.number, str(e["loc"][0]) if e["loc"] else None, _words(e))
                for e in error.errors()
            ]
            continue
        except _PathError as error:
            problems.append(RowProblem(record.number, error.column, str(error)))
            continue
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
            message = f"{row.name!r} is also the name of row {before.number}; "
            message += "a column vm_uuid would tell the two apart"
            problems.append(RowProblem(row.number, "name", message))
        elif row.twin and row.label in counts:
            message = f"{row.label!r} is the name of another row"
            problems.append(RowProblem(row.number, "name", message))
    return marked, problems


def raw_name(record: RawRow) -> str:
    """Return the name that a row has before it is validated; an empty text where it has none."""
    for column, cell in record.cells.items():
        if column_name(column) == "name":
            return str(cell).strip()
    return ""


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


def _words(error: Any) -> str:
    if error["type"] == "missing":
        return "is empty; every VM needs a name"
    message = str(error["msg"]).removeprefix("Value error, ")
    shown = repr(error["input"])
    # As in ngt_config.json: a cell can hold a pasted key.
    return f"{message}, found {shown}" if len(shown) <= 60 else message


class _PathError(Exception):
    """A cell that should be a path and cannot be one."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def _row(number: int, checked: Any, cells: Mapping[str, Any], directory: Path) -> Row:
    def path(column: str) -> str | None:
        value = getattr(checked, column)
        if value is None:
            return None
        expanded = os.path.expanduser(value) if value.startswith("~") else value  # noqa: PTH111
        if expanded.startswith("~"):
            raise _PathError(column, f"{shortened(value)!r} names a user without a home here")
        if "\0" in expanded:
            raise _PathError(column, f"{shortened(value)!r} has a NUL character, and is no path")
        return str(directory / expanded)

    sets = {key: str(cells[key]) for key in ("ngt_uuid", "cluster_ip", "port") if key in cells}
    vm_uuid = None if checked.vm_uuid is None else checked.vm_uuid.lower()
    own = {} if vm_uuid is None else {"vm_uuid": vm_uuid}
    return Row(
        number, checked.name, vm_uuid, path("config"), path("cert"), path("key"), path("ca"),
        sets or _NO_SETS, {**cells, "name": checked.name, **own},
    )  # fmt: skip


_MODEL: list[type[BaseModel]] = []


def _model() -> type[BaseModel]:
    if _MODEL:
        return _MODEL[0]
    from typing import Annotated

    from pydantic import BaseModel, BeforeValidator, ConfigDict

    def text(value: object) -> object:
        # JSON inventories may say 7 where they mean the name "7".
        return str(value) if type(value) is int else value

    def same_rules(key: str) -> Any:
        return BeforeValidator(lambda value: _as_config_would(key, value))

    class Cells(BaseModel):
        model_config = ConfigDict(extra="allow")
        name: Annotated[str, BeforeValidator(text)]
        vm_uuid: Annotated[str, same_rules("ngt_uuid")] | None = None
        config: str | None = None
        cert: str | None = None
        key: str | None = None
        ca: str | None = None
        ngt_uuid: Annotated[str, same_rules("ngt_uuid")] | None = None
        cluster_ip: Annotated[str, same_rules("cluster_ip")] | None = None
        port: Annotated[int, same_rules("port")] | None = None

    _MODEL.append(Cells)
    return Cells


def _as_config_would(key: str, value: object) -> object:
    """Judge a cell by the rules that ngt_config.json is judged by."""
    from ngtpatch.identity.config import Config, problems

    empty = Config.parse(b"{}")
    with suppress(UsageError):  # what is no number is judged as the text it is
        value = empty.coerced({key: value})[key] if isinstance(value, str) else value
    code = "config-" + key.replace("_", "-")
    for finding in problems(empty.with_values({key: value}), source=""):
        if finding.code == code:
            raise ValueError("expected " + finding.message.partition("expected ")[2])
    return value
