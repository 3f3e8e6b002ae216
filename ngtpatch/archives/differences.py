# SPDX-License-Identifier: Apache-2.0
"""What differs between two versions of an archive, member by member."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ngtpatch.archives.rewriting import Opened, members

__all__ = ["MemberDifference", "differences"]


@dataclass(frozen=True)
class MemberDifference:
    """A member that is not the same in both.

    Attributes:
        name: the member's.
        kind: ``added``, ``removed`` or ``changed``.
        what: with ``changed``, of ``content`` and ``metadata``.
        before: its content; None where it is not there, is no file or is larger than asked for.
        after: likewise.
    """

    name: str
    kind: str
    what: tuple[str, ...] = ()
    before: bytes | None = field(default=None, repr=False)
    after: bytes | None = field(default=None, repr=False)


_Facts = tuple[Any, bytes]


def differences(
    before: Opened, after: Opened, name: str, *, limit: int, largest: int
) -> tuple[MemberDifference, ...]:
    """Compare two archives of one kind. A member that is there twice counts as its last.

    Args:
        before: opens the first.
        after: opens the second.
        name: tells their kind.
        limit: bytes of unpacked archive to read at most.
        largest: bytes of a content to return at most.

    Raises:
        ArchiveDamaged: one cannot be read to its end.
    """
    old, new = (_listing(opened, name, limit) for opened in (before, after))
    changed = {one for one in old.keys() & new.keys() if old[one] != new[one]}
    wanted = changed | (old.keys() ^ new.keys())
    was = _contents(before, name, wanted, limit, largest)
    now = _contents(after, name, wanted, limit, largest)
    found = []
    for one in sorted(wanted):
        kind = "changed" if one in changed else "added" if one in new else "removed"
        what: tuple[str, ...] = ()
        if kind == "changed":
            pairs = zip(("metadata", "content"), old[one], new[one], strict=True)
            what = tuple(sorted(aspect for aspect, a, b in pairs if a != b))
        found.append(MemberDifference(one, kind, what, was.get(one), now.get(one)))
    return tuple(found)


def _listing(opened: Opened, name: str, limit: int) -> dict[str, _Facts]:
    return {one.name: (one.about, one.digest()) for one in members(opened, name, limit=limit)}


def _contents(
    opened: Opened, name: str, wanted: Collection[str], limit: int, largest: int
) -> dict[str, bytes]:
    if not wanted:
        return {}
    return {
        one.name: one.read()
        for one in members(opened, name, limit=limit)
        if one.name in wanted and one.regular and one.size <= largest
    }
