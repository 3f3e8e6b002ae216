# SPDX-License-Identifier: Apache-2.0
"""Where a symbolic link of a tree leads, component by component, as a kernel would follow it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ngtpatch.iso.read.entry import Entry

__all__ = ["link_problem"]

_MOST_LINKS = 40
"""As many as Linux follows in one path (MAXSYMLINKS)."""


def link_problem(entries: Mapping[str, Entry], link: Entry) -> str | None:
    """Return why *link* is not to be followed in the tree *entries*, as a clause, or None.

    Counting its ``..`` is not enough: behind a component that is a link itself, ``..`` is
    another directory than the one before. A link to what is not there leads nowhere, and
    does no harm.
    """
    at = link.path.split("/")[:-1]
    parts = _parts(link.target or "")
    followed = 0
    if parts is None:
        return "leads out of the tree"
    while parts:
        part = parts.popleft()
        if part == "..":
            if not at:
                return "leads out of the tree"
            at.pop()
            continue
        at.append(part)
        found = entries.get("/".join(at))
        if found is not None and found.kind == "symlink":
            followed += 1
            more = _parts(found.target or "")
            if more is None:
                return "leads out of the tree"
            if followed > _MOST_LINKS:
                return "leads in a circle"
            at.pop()
            parts.extendleft(reversed(more))
    return None


def _parts(target: str) -> deque[str] | None:
    """Return a target's components; None where it is absolute or none at all."""
    if not target or target.startswith("/") or "\\" in target or "\0" in target:
        return None
    return deque(part for part in target.split("/") if part not in ("", "."))
