# SPDX-License-Identifier: Apache-2.0
"""SHA256SUMS, as ``sha256sum -c`` reads it (GNU coreutils, "md5sum invocation")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ngtpatch.files.atomic import new_file
from ngtpatch.files.bounded import read_small
from ngtpatch.files.locked import locked

__all__ = ["SUMS", "add_sums", "read_sums"]

SUMS = "SHA256SUMS"
_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_MAX_BYTES = 64 << 20


def add_sums(directory: Path, sums: Mapping[str, str | None]) -> Path:
    """Put *sums* (name -> SHA-256; None takes it out) into SHA256SUMS, and keep the others.

    Several builds may end in one directory at once: one after the other writes.
    """
    path = directory / SUMS
    with locked(directory / f".{SUMS}.lock", wait=None):
        merged = {**read_sums(directory), **sums}
        stated = {name: digest for name, digest in merged.items() if digest is not None}
        if not stated:
            path.unlink(missing_ok=True)
            return path
        with new_file(path, force=True) as file:
            for name in sorted(stated):
                file.write(_line(name, stated[name]).encode())
    return path


def read_sums(directory: Path) -> dict[str, str]:
    """Return name -> SHA-256 of the directory's SHA256SUMS; lines of another form are left out."""
    path = directory / SUMS
    if not path.is_file():
        return {}
    text = read_small(path, limit=_MAX_BYTES, what=f"{SUMS} file").decode("utf-8", "replace")
    sums = {}
    for line in text.split("\n"):
        match = _LINE.fullmatch(line)
        if match:
            escaped, digest, name = match.groups()
            sums[_unescape(name) if escaped else name] = digest
    return sums


def _line(name: str, digest: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    # A backslash in front says that the name is escaped.
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n"


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), name)
