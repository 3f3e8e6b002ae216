# SPDX-License-Identifier: Apache-2.0
"""What of the installer is not looked into, one sentence a file.

Whoever says what decides on a disc says this, too: nothing is known of what is in there.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from ngtpatch.archives.members import shown_name
from ngtpatch.installer.compiled import is_cached, source_of
from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.payloads import (
    MEMBER,
    PACKED_BEHIND,
    PayloadArchive,
    has_packed_behind,
    head_of,
    is_archive,
)

__all__ = ["unseen"]

_HEAD = 1 << 18
_PACKED = (
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"BZh", "compressed by bzip2"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf\x27\x1c", "compressed by 7z"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"PK\x03\x04", "a zip archive that is not named .zip"),
)
_SHOWN = 3


def unseen(tree: Mapping[str, bytes], payloads: Sequence[PayloadArchive]) -> tuple[str, ...]:
    """Return a sentence for each file of the installer of which something was not looked into.

    Args:
        tree: the files.
        payloads: the archives that were looked into, with all their scripts.
    """
    found = [
        f"{path}: not looked into: {what}"
        for path in sorted(tree)
        if path.startswith(ROOT) and not is_archive(path) and (what := _packed(tree, path))
    ]
    for payload in payloads:
        found += [f"{payload.path}: {what}" for what in _within(payload)]
    return tuple(found)


def _packed(tree: Mapping[str, bytes], path: str) -> str | None:
    """Return what hides the content of a file, or None."""
    head = head_of(tree, path, 8)
    for magic, what in _PACKED:
        if head.startswith(magic):
            return f"it is {what}"
    if head.startswith(b"#!") and has_packed_behind(head_of(tree, path, _HEAD)):
        return f"it is {PACKED_BEHIND}"
    return None


def _within(payload: PayloadArchive) -> Iterator[str]:
    if payload.unread is not None:
        yield f"not all of it was looked into: {payload.unread}"
    names = {posixpath.normpath(name) for name in payload.names}
    lone = [
        name
        for name in payload.names
        if not is_cached(name)
        and (source := source_of(posixpath.normpath(name))) is not None
        and source not in names
    ]
    if lone:
        yield f"compiled without a source, and not looked into: {_listed(lone)}"
    programs = [
        script.path.partition(MEMBER)[2]
        for script in payload.scripts
        if not script.path.endswith(".py") and Machine.asks_for_distribution(script.data)
    ]
    if programs:
        yield (
            "shell scripts and programs without .py are not patched; these name or ask for"
            f" distributions: {_listed(programs)}"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(shown_name, names[:_SHOWN])) + more
