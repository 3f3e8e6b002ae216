# SPDX-License-Identifier: Apache-2.0
"""One row of a ledger, as ``ngtpatch schema ledger`` publishes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

__all__ = ["OUTPUT", "LedgerRow"]

OUTPUT = r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,254}"
"""The names that outputs have, and no path to elsewhere; a whole name matches."""


@dataclass(frozen=True)
class _Matching:
    """What pydantic asks for when it writes a schema, without being imported here."""

    pattern: str

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), "pattern": f"^{self.pattern}$"}


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
