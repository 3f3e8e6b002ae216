# SPDX-License-Identifier: Apache-2.0
"""A changed file as a unified diff, where both versions are text that may be shown."""

from __future__ import annotations

import difflib
import re

from ngtpatch.iso.compare.comparison import Difference
from ngtpatch.iso.compare.sides import Side
from ngtpatch.iso.read.entry import Entry
from ngtpatch.iso.read.host_directory import HostDirectory

__all__ = ["TEXT_LIMIT", "text_diff", "unified"]

TEXT_LIMIT = 1 << 20
"""Length in bytes up to which a file is diffed; difflib's time is quadratic."""

_LINES_LIMIT = 20_000
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


def unified(before: bytes, after: bytes, path: str) -> str | None:
    """Return the unified diff of two versions of *path*; None where there is none to show.

    None for binary files, for files longer than TEXT_LIMIT, and where either version holds the
    armour of a private key. A key of another form is hidden by whoever shows the diff.
    """
    if max(len(before), len(after)) > TEXT_LIMIT:
        return None
    if any(_CONTROL.search(text) or _PRIVATE_KEY.search(text) for text in (before, after)):
        return None
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > _LINES_LIMIT:
        return None
    shown = []
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"):
        # As diff(1) does it: the last line may have no end, and CR stays visible in the text.
        shown.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(shown)


def text_diff(before: Side, after: Side, difference: Difference) -> str | None:
    """Return the unified diff of a file whose content differs; None as for :func:`unified`.

    An added or removed text file is shown whole. Reads up to TEXT_LIMIT bytes of each side.
    """
    was, now = difference.before, difference.after
    if difference.kind == "changed" and "content" not in difference.what:
        return None
    for entry in (was, now):
        if entry is not None and (entry.kind != "file" or entry.size > TEXT_LIMIT):
            return None
    return unified(_read(before, was), _read(after, now), difference.path)


def _read(side: Side, entry: Entry | None) -> bytes:
    if entry is None:
        return b""
    if isinstance(side, HostDirectory):
        with side.open(entry.path) as stream:
            return stream.read(TEXT_LIMIT + 1)
    parts, left = [], entry.size
    for offset, length in entry.extents:
        parts.append(side.read_at(offset, min(length, left)))
        left -= len(parts[-1])
    return b"".join(parts)


def _lines(text: bytes) -> list[str]:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        decoded = text.decode("latin-1")  # takes every byte, whatever the file's cookie says
    # Split at \n alone: splitlines() would also cut at form feeds and U+2028.
    lines = decoded.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
