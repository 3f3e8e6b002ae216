# SPDX-License-Identifier: Apache-2.0
"""Large files of the installer, and scripts inside its archives, read within bounds.

An agent's payload can be hundreds of megabytes and is not ours to trust: it is
never held in memory, and after :data:`MAX_UNPACKED` bytes the search ends. An archive
inside an archive is looked into one level deep.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from ngtpatch.archives.members import ArchiveDamaged, Member, shown_name, unfit_name
from ngtpatch.archives.rewriting import is_rewritable, members
from ngtpatch.archives.sealed import is_sealed, sealed_members
from ngtpatch.files.tree import FileTree

__all__ = [
    "MAX_UNPACKED",
    "MEMBER",
    "PACKED_BEHIND",
    "PayloadArchive",
    "Script",
    "SearchEnded",
    "has_packed_behind",
    "head_of",
    "is_archive",
    "opener",
    "read_payload",
    "scripts",
    "size_of",
    "split_member",
]

#: Bytes of unpacked archive that are looked through; reading them takes a few seconds.
MAX_UNPACKED = 1 << 30

#: Stands between an archive's path and that of the script in it.
MEMBER = "!"

#: What a script is that unpacks what follows it, as makeself writes them.
PACKED_BEHIND = "a script with something packed behind it"

_SCRIPTS = (".py", ".sh")
# What Python imports from is a zip archive, too.
_NESTED = (".egg", ".whl", ".pyz")
_PACKED = {
    ".xz": "xz", ".txz": "xz", ".lzma": "lzma", ".bz2": "bzip2", ".tbz": "bzip2",
    ".tbz2": "bzip2", ".zst": "zstd", ".7z": "7z",
}  # fmt: skip
_PROGRAM = re.compile(rb"#!\s*\S*?(?:env\s+)?\S*(?:python|sh\b)")
_LARGEST_NESTED = 16 << 20
_HEAD = 1 << 18
_SHOWN = 3
_MOST_SOURCES = 32 << 20


class SearchEnded(Exception):
    """An archive could not be looked through to its end. The text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(shown_name(text))


@dataclass(frozen=True)
class Script:
    """One script in an archive.

    Attributes:
        path: ``archive.tar.gz!member``; with a second ``!`` in an archive's archive. What is not
            UTF-8 in it is escaped: such a member is never changed.
        data: its content.
        fixed: why it cannot be changed; None where it can.
    """

    path: str
    data: bytes
    fixed: str | None = None


@dataclass(frozen=True)
class PayloadArchive:
    """An archive of the installer, looked through once.

    Attributes:
        path: in the tree.
        names: of its members, in its order.
        fixed: those that cannot be taken out with a digest of what they were, with the reason.
        scripts: those with a word that was asked for, and small enough to be one.
        unread: why a part of it was not looked into, if one was not; None otherwise.
    """

    path: str
    names: tuple[str, ...]
    scripts: tuple[Script, ...] = field(repr=False)
    unread: str | None
    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)


def split_member(path: str) -> tuple[str, str]:
    """Return the archive and the member of ``archive.tar.gz!member``."""
    archive, _, member = path.partition(MEMBER)
    return archive, member


def is_archive(path: str) -> bool:
    """Tell by its name whether a file is an archive that :func:`scripts` reads."""
    return is_rewritable(path) or is_sealed(path)


def read_payload(
    tree: Mapping[str, bytes],
    path: str,
    *,
    largest: int,
    wanted: Callable[[bytes], bool],
    limit: int = MAX_UNPACKED,
) -> PayloadArchive:
    """Look through the archive at *path*. What cannot be read is said, never raised.

    Args:
        tree: the files.
        path: the archive's.
        largest: bytes; larger members are passed over.
        wanted: which scripts to keep, by content.
        limit: bytes of unpacked archive to read at most.
    """
    listed: dict[str, str | None] = {}
    kept: list[Script] = []
    unread, held = None, 0
    try:
        for one in _scripts(tree, path, largest, limit, listed):
            if not wanted(one.data):
                continue
            held += len(one.data)
            if held > _MOST_SOURCES:
                unread = f"it holds more than {_MOST_SOURCES >> 20} MiB of scripts"
                break
            kept.append(one)
    except SearchEnded as end:
        unread = str(end)
    fixed = {name: reason for name, reason in listed.items() if reason is not None}
    return PayloadArchive(path, tuple(listed), tuple(kept), unread, fixed)


def scripts(
    tree: Mapping[str, bytes], path: str, *, largest: int, limit: int = MAX_UNPACKED
) -> Iterator[Script]:
    """Yield the Python and shell scripts in the archive at *path*, in its order.

    Args:
        tree: the files.
        path: the archive's.
        largest: bytes; larger members are passed over.
        limit: bytes of unpacked archive to read at most.

    Raises:
        SearchEnded: the archive is damaged, or longer than *limit*.
    """
    return _scripts(tree, path, largest, limit, {})


def _scripts(
    tree: Mapping[str, bytes],
    path: str,
    largest: int,
    limit: int,
    listed: dict[str, str | None],
) -> Iterator[Script]:
    """Yield the scripts; all members go to *listed*, with the reason why one cannot be removed."""
    sealed = "it is inside a package that is not written again" if is_sealed(path) else None
    beyond: list[str] = []
    try:
        for member in _members(opener(tree, path), path, limit):
            listed[member.name] = unfit_name(member.name) or (
                None if member.regular else "it is not a file"
            )
            if not member.regular:
                if member.fixed == "it is encrypted":
                    beyond.append(f"{member.name} is encrypted")
            elif _may_be_script(member.name) and member.size <= largest:
                if _is_script(member.name, data := member.read()):
                    name = path + MEMBER + shown_name(member.name)
                    yield Script(name, data, sealed or member.fixed)
                    if has_packed_behind(data):
                        beyond.append(f"{member.name} is {PACKED_BEHIND}")
            elif (packer := _packer(member.name)) is not None:
                beyond.append(f"{member.name} is compressed by {packer}")
            elif is_archive(member.name) or member.name.endswith(_NESTED):
                yield from _within(path, member, largest, beyond)
            elif (hidden := _hidden(member)) is not None:
                beyond.append(f"{member.name} is {hidden}")
    except ArchiveDamaged as error:
        raise SearchEnded(str(error)) from None
    if beyond:
        more = f"; and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
        raise SearchEnded("; ".join(beyond[:_SHOWN]) + more)


def _within(path: str, member: Member, largest: int, beyond: list[str]) -> Iterator[Script]:
    """Yield the scripts of an archive in an archive; what was not seen goes to *beyond*."""
    if member.size > _LARGEST_NESTED:
        beyond.append(f"{member.name}, an archive itself, is too large to be looked into")
        return
    data = member.read()
    name = "nested.zip" if member.name.endswith(_NESTED) else member.name
    try:
        for inner in _members(lambda: io.BytesIO(data), name, MAX_UNPACKED):
            if not inner.regular:
                continue
            if _may_be_script(inner.name) and inner.size <= largest:
                if _is_script(inner.name, content := inner.read()):
                    if has_packed_behind(content):
                        beyond.append(f"{member.name} holds {inner.name}, {PACKED_BEHIND}")
                    yield Script(
                        shown_name(f"{path}{MEMBER}{member.name}{MEMBER}{inner.name}"),
                        content,
                        "it is inside an archive's archive, which is not written again",
                    )
            elif (packer := _packer(inner.name)) is not None:
                beyond.append(f"{member.name} holds {inner.name}, compressed by {packer}")
            elif is_archive(inner.name) or inner.name.endswith(_NESTED):
                beyond.append(f"{member.name} holds a further archive, {inner.name}")
            elif (hidden := _hidden(inner)) is not None:
                beyond.append(f"{member.name} holds {inner.name}, {hidden}")
    except ArchiveDamaged as error:
        beyond.append(f"{member.name}: {error}")


def _may_be_script(name: str) -> bool:
    return name.endswith(_SCRIPTS) or "." not in posixpath.basename(name)


def _is_script(name: str, data: bytes) -> bool:
    """Tell whether a member is a script, by its name or its first line."""
    return name.endswith(_SCRIPTS) or _PROGRAM.match(data) is not None


def has_packed_behind(data: bytes) -> bool:
    """Tell whether a file starts as a script and has what is no text behind that."""
    return _PROGRAM.match(data) is not None and b"\0" in data[:_HEAD]


def _hidden(member: Member) -> str | None:
    """Return what a member that was not read is, where scripts may be in it; None for others."""
    head = member.head(b"#!", _HEAD)
    if has_packed_behind(head):
        return PACKED_BEHIND
    if _may_be_script(member.name) and (member.name.endswith(_SCRIPTS) or _PROGRAM.match(head)):
        return "a script that is too large to be looked into"
    return None


def _packer(name: str) -> str | None:
    return _PACKED.get(posixpath.splitext(name)[1])


def _members(opened: Callable[[], BinaryIO], path: str, limit: int) -> Iterator[Member]:
    if is_sealed(path):
        return sealed_members(opened, path, limit=limit)
    return members(opened, path, limit=limit)


def size_of(tree: Mapping[str, bytes], path: str) -> int:
    """Return a file's length in bytes, without reading it where that can be helped."""
    return tree.size(path) if isinstance(tree, FileTree) else len(tree[path])


def head_of(tree: Mapping[str, bytes], path: str, length: int) -> bytes:
    """Return the first *length* bytes of a file of any size."""
    with opener(tree, path)() as stream:
        return stream.read(length)


def opener(tree: Mapping[str, bytes], path: str) -> Callable[[], BinaryIO]:
    """Return what opens a file of any size, as often as it is called."""
    if isinstance(tree, FileTree):
        return lambda: tree.open(path)
    return lambda: io.BytesIO(tree[path])
