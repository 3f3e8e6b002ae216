# SPDX-License-Identifier: Apache-2.0
"""One row of a ledger, as ``ngtpatch schema ledger`` publishes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

__all__ = ["OUTPUT", "LedgerRow", "is_row"]

OUTPUT = r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,254}"
"""The names that outputs have, and no path to elsewhere; a whole name matches."""


@dataclass(frozen=True)
class _Matching:
    """What pydantic asks for when it writes a schema, without being imported here."""

    pattern: str

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), "pattern": f"^{self.pattern}$"}


# What --resume and who compares images rely on.
_OF_AN_IMAGE = {"size": int, "base_sha256": str, "regions_sha256": str}
_WORDS = {int: "integer", str: "string"}


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """What became of one VM: a line of the ledger.

    Attributes:
        name: the VM.
        state: ``done``, with what identifies the output; or ``failed``, with *code* and *error*.
        output: the file's name in the destination; one row for each.
        vm_uuid: the VM's own UUID, where the inventory knows it.
        code: why it failed, as a stable word.
        error: why it failed, in a sentence.
        size: of the output, in bytes.
        base_sha256: of what the regions lie over.
        regions_sha256: of the regions; both together identify the output's bytes.
        sha256: of the whole output, with ``--digest``.
        ngt_uuid: of its configuration.
        certificate_sha256: fingerprint of its certificate.
        modified_ns: when the file was written to (mtime), in nanoseconds of the Unix epoch.
        changed_ns: when the file was changed (ctime), likewise.
        remade: why what was there was made anew by ``--resume``; only in the row of such an image.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.ledger/1"
    RULES: ClassVar[Mapping[str, Any]] = {
        "if": {"properties": {"state": {"const": "done"}}},
        "then": {
            "properties": {name: {"type": _WORDS[kind]} for name, kind in _OF_AN_IMAGE.items()},
            "required": [*_OF_AN_IMAGE],
        },
    }

    name: str
    state: Literal["done", "failed"]
    output: Annotated[str, _Matching(OUTPUT)]
    vm_uuid: str | None = None
    code: str | None = None
    error: str | None = None
    size: int | None = None
    base_sha256: str | None = None
    regions_sha256: str | None = None
    sha256: str | None = None
    ngt_uuid: str | None = None
    certificate_sha256: str | None = None
    modified_ns: int | None = None
    changed_ns: int | None = None
    remade: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> LedgerRow:
        """Return a row for which :func:`is_row` holds."""
        return cls(**{name: row[name] for name in _NAMES if name in row})


_NAMES = tuple(field.name for field in fields(LedgerRow))
# Annotations are texts here: "int | None" is what may be left out, or null.
_OPTIONAL = {
    field.name: int if field.type == "int | None" else str
    for field in fields(LedgerRow)
    if str(field.type).endswith(" | None")
}


def is_row(row: object) -> bool:
    """Say whether what a line holds is a row, as its schema says: for all who read a ledger."""
    if not isinstance(row, dict) or row.get("schema") != LedgerRow.SCHEMA:
        return False
    name, output, state = row.get("name"), row.get("output"), row.get("state")
    if not (isinstance(name, str) and isinstance(output, str) and state in ("done", "failed")):
        return False
    for key, kind in _OPTIONAL.items():
        # type(): True is an int to isinstance().
        if row.get(key) is not None and type(row[key]) is not kind:
            return False
    if state == "done" and any(row.get(key) is None for key in _OF_AN_IMAGE):
        return False
    return re.fullmatch(OUTPUT, output) is not None
