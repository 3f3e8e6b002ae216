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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

from ngtpatch.files.wellknown import (
    AUTHORITY_NAME,
    CERTIFICATE_NAME,
    CONFIG_DIRECTORY,
    CONFIG_NAME,
    KEY_NAME,
)
from ngtpatch.identity.config import in_one_case
from ngtpatch.identity.inventory.row import InFolder, RawRow, Row, RowProblem

__all__ = ["folder_records", "join"]

# In a VM's folder, and beside others' files after the VM's name.
_INSIDE = {
    part: (InFolder(name), InFolder(f"{CONFIG_DIRECTORY}/{name}"))
    for part, name in (
        ("config", CONFIG_NAME),
        ("certificate", CERTIFICATE_NAME),
        ("key", KEY_NAME),
        ("authority", AUTHORITY_NAME),
    )
}
_BESIDE = {
    "config": ("-ngt_config.json", ".json"),
    "certificate": ("-client-cert.pem", "-cert.pem", ".cert.pem", ".crt", ".pem"),
    "key": ("-client-key.pem", "-key.pem", ".key.pem", ".key"),
    "authority": ("-ca-cert.pem", "-ca.pem"),
}
_IN_FOLDER = {
    "config": CONFIG_NAME,
    "cert": CERTIFICATE_NAME,
    "key": KEY_NAME,
    "ca": AUTHORITY_NAME,
}
_COLUMNS = {"config": "config", "certificate": "cert", "key": "key", "authority": "ca"}


def join(rows: Iterable[Row], directory: Path) -> tuple[tuple[Row, ...], tuple[RowProblem, ...]]:
    """Complete *rows* with the files of *directory*; what a row names itself comes first.

    A file is looked for by the VM's name (unless another VM has it, too), then its UUID, then its
    ngt_uuid, in whatever case a UUID is written and however accents are put together. Where two of
    them lead to different files that is a problem, not a choice. Nothing is asked of files that are
    not of *rows*: those may be a small share of what is there.
    """
    place, present = str(directory), _SpelledNames(os.listdir(directory))  # noqa: PTH208 - names alone
    shared = f"{place}/{AUTHORITY_NAME}" if present.of(AUTHORITY_NAME) else None
    joined: list[Row] = []
    problems: list[RowProblem] = []
    for row in rows:
        name = None if row.twin else row.name
        stated = (name, row.vm_uuid, row.sets.get("ngt_uuid"))
        keys = dict.fromkeys(_in_one_form(key) for key in stated if key)
        inside = {name: _inside(f"{place}/{name}") for key in keys for name in present.of(key)}
        found: dict[str, str] = {}
        for part, column in _COLUMNS.items():
            if getattr(row, part) is not None:
                continue
            hits: list[tuple[str, str]] = []
            for key in keys:
                for folder in present.of(key):
                    hits += [(folder, name) for name in _INSIDE[part] if name in inside[folder]]
                hits += [
                    ("", file)
                    for end in _BESIDE[part]
                    for file in present.of(key + end)
                    if part == "authority" or not _is_an_authoritys(file)
                ]
            if len(hits) > 1:
                one, other = ("/".join(filter(None, hit)) for hit in hits[:2])
                message = f"{one} and {other} in {directory} both fit"
                problems.append(RowProblem(row.number, column, message))
            elif hits and hits[0][0] == row.name:  # as most are, and then named once for all
                found |= {part: hits[0][1], "folder": f"{place}/{row.name}"}
            elif hits:
                found[part] = "/".join((place, *filter(None, hits[0])))
        if row.authority is None and "authority" not in found and shared is not None:
            found["authority"] = shared
        joined.append(replace(row, **found))  # type: ignore[arg-type]
    return tuple(joined), tuple(problems)


def folder_records(
    directory: Path, *, mine: Callable[[str], bool] | None = None
) -> Iterator[RawRow]:
    """Yield a record for each VM's folder in *directory*, in the order of their names.

    Of those that are not *mine* it is the name alone.
    """
    folders = sorted(p for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))
    for number, folder in enumerate(folders, start=1):
        cells = {"name": folder.name}
        if mine is not None and not mine(folder.name):
            yield RawRow(number, cells)
            continue
        inner = folder / CONFIG_DIRECTORY if (folder / CONFIG_DIRECTORY).is_dir() else folder
        for column, name in _IN_FOLDER.items():
            file = inner / name
            if not file.exists() and name == AUTHORITY_NAME:
                file = directory / name
            if file.exists():
                cells[column] = str(file.relative_to(directory))
        yield RawRow(number, cells)


def _is_an_authoritys(file: str) -> bool:
    """Say so of a name that is also the certificate's of a VM that is called ca, or web-ca."""
    return file == AUTHORITY_NAME or file.endswith(_BESIDE["authority"])


class _SpelledNames:
    """The names in a directory; those that are written in another form by that one, too."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        # Most are in that form, and there may be fifty thousand.
        self._otherwise: dict[str, list[str]] = {}
        for name in self._names:
            if (plain := _in_one_form(name)) != name:
                self._otherwise.setdefault(plain, []).append(name)

    def of(self, name: str) -> list[str]:
        """Return the names there that are *name*, which is in one form."""
        there = [name] if name in self._names else []
        return there + sorted(self._otherwise.get(name, ()))


def _in_one_form(name: str) -> str:
    """Return *name* as it is looked for: some systems write accents in pieces (NFD)."""
    return in_one_case(name if name.isascii() else normalize("NFC", name))


def _inside(folder: str) -> frozenset[str]:
    """Return what is in a VM's folder, and in config/ there; nothing where it is no folder."""
    names: list[str] = []
    with suppress(NotADirectoryError):
        names = os.listdir(folder)  # noqa: PTH208 - fifty thousand folders
        if CONFIG_DIRECTORY in names:
            inner = os.listdir(f"{folder}/{CONFIG_DIRECTORY}")  # noqa: PTH208
            names += [f"{CONFIG_DIRECTORY}/{name}" for name in inner]
    return frozenset(names)
