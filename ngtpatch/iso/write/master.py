# SPDX-License-Identifier: Apache-2.0
"""A new image from a list of entries, written by pycdlib.

The result depends on the arguments alone: no clock, no time zone, no environment
(:mod:`ngtpatch.iso.write.stamps`).
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pycdlib import PyCdlib
from pycdlib.pycdlibexception import PyCdlibException

from ngtpatch.errors import InputError, UsageError
from ngtpatch.iso.read.entry import TREES
from ngtpatch.iso.write.stamps import Stamp, stamp, stamp_descriptors

__all__ = ["USUAL_TREES", "DiscDirectory", "DiscFile", "DiscSymlink", "master"]

# ECMA-119 7.5.1, 7.6.3: file name and extension together at most 30, a directory 31.
_NAME_LENGTH = 30

USUAL_TREES = ("iso9660", "rock_ridge", "joliet")
"""What is written where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True)
class DiscDirectory:
    """A directory: path relative to the root, permission bits, mtime in seconds since 1970."""

    path: str
    mode: int = 0o755
    mtime: int | None = None


@dataclass(frozen=True, kw_only=True)
class DiscFile:
    """A regular file. *content* is its bytes, or a seekable stream that is read when written."""

    path: str
    content: bytes | BinaryIO
    mode: int = 0o644
    mtime: int | None = None


@dataclass(frozen=True, kw_only=True)
class DiscSymlink:
    """A symbolic link to *target*. Only the Rock Ridge tree has it."""

    path: str
    target: str
    mtime: int | None = None

    mode = 0o777


DiscNode = DiscDirectory | DiscFile | DiscSymlink


def master(
    file: BinaryIO,
    nodes: Iterable[DiscNode],
    *,
    volume_id: str,
    created: int,
    trees: Iterable[str] = USUAL_TREES,
) -> None:
    """Write an image of *nodes*, all owned by root, into *file*.

    Args:
        file: empty, readable and seekable.
        nodes: in any order. Directories that are not named get mode 0755.
        volume_id: of at most 16 characters where there is Joliet, else 32 (ECMA-119 8.4.7).
        created: the volume's dates, and the mtime of what has none; seconds since 1970.
        trees: what to write beside iso9660: any of rock_ridge, joliet, udf.

    Raises:
        UsageError: code ``no-such-tree``, ``duplicate-path`` or ``no-such-date``.
        InputError: code ``unwritable``: the nodes do not fit these trees.
        OSError: the file system refused.
    """
    wanted = frozenset(trees)
    if not wanted <= frozenset(TREES):
        unknown = ", ".join(sorted(wanted - frozenset(TREES)))
        raise UsageError("no-such-tree", f"no such tree: {unknown}", hint=", ".join(TREES))
    plan = _complete(nodes)
    iso = PyCdlib()
    try:
        iso.new(
            interchange_level=3,
            vol_ident=volume_id,
            joliet=3 if "joliet" in wanted else None,
            rock_ridge="1.09" if "rock_ridge" in wanted else None,
            udf="2.60" if "udf" in wanted else None,
        )
        names = _Names()
        for node in plan.values():
            _add(iso, node, names, wanted)
        stamps = {
            node.path: Stamp(created if node.mtime is None else node.mtime, node.mode)
            for node in plan.values()
        }
        stamp(iso, stamps, names.path_of(), default=Stamp(created, 0o755))
        _name_udf_parents(iso)
        iso.write_fp(file, blocksize=1 << 20)
    except PyCdlibException as error:
        raise InputError("unwritable", f"cannot be written as an image: {error}") from error
    finally:
        if iso._initialized:
            iso.close()
    stamp_descriptors(file, created)


def _name_udf_parents(iso: PyCdlib) -> None:
    """Let each directory's parent entry name its parent (ECMA-167 4/14.4.3).

    pycdlib 1.22 gives all of them the root: a reader that climbs by them would get lost.
    """
    if iso.udf_root is None:
        return
    iso.force_consistency()  # extents are assigned here, and stay
    partition = iso.udf_main_descs.partitions[0].part_start_location
    pending = [iso.udf_root]
    while pending:
        directory = pending.pop()
        start = directory.extent_location()
        for identifier in directory.fi_descs.values():
            below = identifier.file_entry
            if identifier.is_parent() or not identifier.is_dir() or below is None:
                continue
            pending.append(below)
            first = next(iter(below.fi_descs.values()))
            first.set_icb(start, start - partition)


def _complete(nodes: Iterable[DiscNode]) -> dict[str, DiscNode]:
    """Return the nodes by path, parents first, with the directories that were not named."""
    named: dict[str, DiscNode] = {}
    for node in nodes:
        if node.path in named:
            raise UsageError("duplicate-path", "is given twice", path=node.path)
        named[node.path] = node
    for path in list(named):
        for parent in _parents(path):
            named.setdefault(parent, DiscDirectory(path=parent))
    return dict(sorted(named.items()))


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    return ("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


class _Names:
    """Paths by the names that plain ISO 9660 allows (ECMA-119 7.5, 7.6), each unique."""

    def __init__(self) -> None:
        self._by_path: dict[str, str] = {"": ""}
        self._taken: set[str] = set()

    def add(self, path: str, *, directory: bool) -> str:
        parent, _, name = path.rpartition("/")
        upper = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper())
        stem, extension = upper, ""
        if not directory and "." in name.lstrip("."):
            dot = name.rindex(".")
            stem, extension = upper[:dot], upper[dot + 1 :][: _NAME_LENGTH // 2]
        number = 0
        while True:
            suffix = str(number) if number else ""
            candidate = stem[: _NAME_LENGTH - len(extension) - len(suffix)] + suffix
            full = f"{self._by_path[parent]}/{candidate}"
            if not directory:
                full += f".{extension};1"
            if full not in self._taken:
                break
            number += 1
        self._taken.add(full)
        self._by_path[path] = full
        return full

    def path_of(self) -> dict[str, str]:
        """Return the paths by their ISO 9660 names."""
        return {name: path for path, name in self._by_path.items()}


def _add(iso: PyCdlib, node: DiscNode, names: _Names, trees: frozenset[str]) -> None:
    where: dict[str, Any] = {
        "iso_path": names.add(node.path, directory=isinstance(node, DiscDirectory))
    }
    if "rock_ridge" in trees:
        where["rr_name"] = node.path.rpartition("/")[2]
    if "joliet" in trees:
        where["joliet_path"] = f"/{node.path}"
    if "udf" in trees:
        where["udf_path"] = f"/{node.path}"
    if isinstance(node, DiscSymlink):
        # As mkisofs does: Joliet has no links, and 7-Zip refuses a UDF volume that has one.
        if "rock_ridge" in trees:
            iso.add_symlink(
                symlink_path=where["iso_path"],
                rr_symlink_name=where["rr_name"],
                rr_path=node.target,
            )
        return
    if "rock_ridge" in trees:
        kind = stat.S_IFDIR if isinstance(node, DiscDirectory) else stat.S_IFREG
        where["file_mode"] = kind | node.mode
    if isinstance(node, DiscDirectory):
        iso.add_directory(**where)
        return
    stream = io.BytesIO(node.content) if isinstance(node.content, bytes) else node.content
    iso.add_fp(stream, stream.seek(0, os.SEEK_END), **where)
