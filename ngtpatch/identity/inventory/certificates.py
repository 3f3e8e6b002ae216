# SPDX-License-Identifier: Apache-2.0
"""A directory of certificates, joined with VMs by name or UUID.

Per VM either a folder with the names that an image has, or files that begin with the
VM's name or UUID::

    web-01/client-cert.pem   web-01/client-key.pem   web-01/ngt_config.json
    web-01-cert.pem          web-01-key.pem          web-01.json
    web-01.crt               web-01.key

and the authority of each VM's cluster beside them, or one for all at the top::

    web-01/ca-cert.pem       web-01-ca-cert.pem
    ca-cert.pem
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ngtpatch.files.wellknown import (
    AUTHORITY_NAME,
    CERTIFICATE_NAME,
    CONFIG_DIRECTORY,
    CONFIG_NAME,
    KEY_NAME,
)
from ngtpatch.identity.inventory.row import RawRow, Row, RowProblem

__all__ = ["folder_records", "join"]

_NAMES = {
    "config": ("{}/ngt_config.json", "{}/config/ngt_config.json", "{}-ngt_config.json", "{}.json"),
    "certificate": (
        "{}/client-cert.pem", "{}/config/client-cert.pem", "{}-client-cert.pem", "{}-cert.pem",
        "{}.cert.pem", "{}.crt", "{}.pem",
    ),
    "key": (
        "{}/client-key.pem", "{}/config/client-key.pem", "{}-client-key.pem", "{}-key.pem",
        "{}.key.pem", "{}.key",
    ),
    "authority": ("{}/ca-cert.pem", "{}/config/ca-cert.pem", "{}-ca-cert.pem", "{}-ca.pem"),
}  # fmt: skip
_IN_FOLDER = {
    "config": CONFIG_NAME,
    "cert": CERTIFICATE_NAME,
    "key": KEY_NAME,
    "ca": AUTHORITY_NAME,
}
_COLUMNS = {"config": "config", "certificate": "cert", "key": "key", "authority": "ca"}


def join(rows: Iterable[Row], directory: Path) -> tuple[tuple[Row, ...], tuple[RowProblem, ...]]:
    """Complete *rows* with the files of *directory*; what a row names itself comes first.

    A file is looked for by the VM's name, then its UUID, then its ngt_uuid. Where two of
    them lead to different files that is a problem, not a choice.
    """
    present = _listing(directory)
    joined: list[Row] = []
    problems: list[RowProblem] = []
    for row in rows:
        found: dict[str, str] = {}
        keys = dict.fromkeys(k for k in (row.name, row.vm_uuid, row.sets.get("ngt_uuid")) if k)
        for part, patterns in _NAMES.items():
            if getattr(row, part) is not None:
                continue
            hits = [p.format(k) for k in keys for p in patterns if p.format(k) in present]
            if len(hits) > 1:
                message = f"{hits[0]} and {hits[1]} in {directory} both fit"
                problems.append(RowProblem(row.number, _COLUMNS[part], message))
            elif hits:
                found[part] = str(directory / hits[0])
        if row.authority is None and "authority" not in found and AUTHORITY_NAME in present:
            found["authority"] = str(directory / AUTHORITY_NAME)
        joined.append(replace(row, **found))  # type: ignore[arg-type]
    return tuple(joined), tuple(problems)


def folder_records(directory: Path) -> Iterator[RawRow]:
    """Yield a record for each VM's folder in *directory*, in the order of their names."""
    folders = sorted(p for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))
    for number, folder in enumerate(folders, start=1):
        cells = {"name": folder.name}
        inner = folder / CONFIG_DIRECTORY if (folder / CONFIG_DIRECTORY).is_dir() else folder
        for column, name in _IN_FOLDER.items():
            file = inner / name
            if not file.exists() and name == AUTHORITY_NAME:
                file = directory / name
            if file.exists():
                cells[column] = str(file.relative_to(directory))
        yield RawRow(number, cells)


def _listing(directory: Path) -> frozenset[str]:
    """List once what would otherwise be asked for 17 times per VM."""
    return frozenset(_below(directory, "", depth=2))


def _below(directory: Path | str, prefix: str, *, depth: int) -> Iterator[str]:
    with os.scandir(directory) as found:
        for item in found:
            yield prefix + item.name
            # VMs' folders, and config/ in them.
            deeper = depth == 2 or (depth == 1 and item.name == CONFIG_DIRECTORY)
            if deeper and item.is_dir():
                yield from _below(item.path, f"{prefix}{item.name}/", depth=depth - 1)
