# SPDX-License-Identifier: Apache-2.0
"""What only the whole inventory shows, computed once for shards that read their own files alone.

``inject -n --whole FILE`` reads every VM's configuration and certificate and writes down who shares
an ngt_uuid, a certificate or a key with whom. A shard that is given FILE reads its own VMs' files,
and finds by a fingerprint of each whether that is still what was looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ngtpatch.disclosure import escaped_json
from ngtpatch.document import document
from ngtpatch.errors import InputError
from ngtpatch.files.atomic import new_file
from ngtpatch.files.json_file import read_json_object

__all__ = [
    "AS_COMPUTED",
    "STALE",
    "Whole",
    "fingerprint",
    "read_whole",
    "require_of",
    "write_whole",
]

_LIMIT = 256 << 20
_HINT = "'ngtpatch inject -n --whole FILE' with the same inventory and templates writes it"
STALE = (
    "whole-stale",
    "its configuration or certificate is not the one that --whole FILE was computed of, so that "
    "nothing is known of another VM that shares it: compute the file again",
)
AS_COMPUTED = " (as of --whole FILE; where that was put right since, compute the file again)"


@dataclass(frozen=True)
class Whole:
    """The document that ``ngtpatch inject -n --whole FILE`` writes.

    Attributes:
        inventory_sha256: of the inventory that was read.
        templates_sha256: of what names and values are made by, besides the inventory.
        total: VMs in the inventory.
        refused: by a row's number, why its VM is not made: a code and a sentence.
        fingerprints: by a row's number, of its VM's ngt_uuid and certificate.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.inject-whole/1"

    inventory_sha256: str
    templates_sha256: str
    total: int
    refused: Mapping[str, tuple[str, str]]
    fingerprints: Mapping[str, str]


def fingerprint(ngt_uuid: str | None, certificate_sha256: str | None) -> str:
    """Return what tells a VM's material from another: 64 bits in hexadecimal."""
    return hashlib.sha256(f"{ngt_uuid} {certificate_sha256}".encode()).hexdigest()[:16]


def write_whole(path: Path, whole: Whole, *, force: bool) -> None:
    """Write *whole* to *path*. Raises UsageError ``output-exists``; OutputError."""
    with new_file(path, force=force) as file:
        file.write(escaped_json(document(whole)).encode() + b"\n")


def read_whole(path: Path) -> Whole:
    """Read what :func:`write_whole` wrote. Raises InputError ``whole``."""
    read = read_json_object(path, limit=_LIMIT, what="file of --whole", code="whole", hint=_HINT)
    if read.get("schema") != Whole.SCHEMA or not _fits(read):
        raise InputError("whole", f"is not an {Whole.SCHEMA} document", path=str(path), hint=_HINT)
    refused = {number: (code, message) for number, (code, message) in read["refused"].items()}
    return Whole(
        read["inventory_sha256"], read["templates_sha256"], read["total"], refused,
        read["fingerprints"],
    )  # fmt: skip


def require_of(whole: Whole, *, inventory: str, templates: str, path: Path) -> None:
    """Return if *whole* is of this inventory. Raises InputError ``whole``."""
    for what, stated, found in (
        ("inventory", whole.inventory_sha256, inventory),
        ("--name, --set or --config-template", whole.templates_sha256, templates),
    ):
        if stated != found:
            raise InputError("whole", f"is of another {what}", path=str(path), hint=_HINT)


def _fits(read: Mapping[str, Any]) -> bool:
    texts = (read.get("inventory_sha256"), read.get("templates_sha256"))
    refused, fingerprints = read.get("refused"), read.get("fingerprints")
    return (
        all(isinstance(text, str) for text in texts)
        and type(read.get("total")) is int
        and isinstance(refused, dict)
        and all(
            isinstance(why, list) and len(why) == 2 and all(isinstance(text, str) for text in why)
            for why in refused.values()
        )
        and isinstance(fingerprints, dict)
        and all(isinstance(text, str) for text in fingerprints.values())
    )
