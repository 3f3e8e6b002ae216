# SPDX-License-Identifier: Apache-2.0
"""Whether an archive of a directory has the members that its rebuild says, and no other change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ngtpatch.archives.differences import differences
from ngtpatch.archives.members import ArchiveDamaged, shown_name
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.flow.verification import Problem
from ngtpatch.installer.payloads import MAX_UNPACKED, MEMBER

if TYPE_CHECKING:
    from ngtpatch.flow.written_image import ChangedEntry
    from ngtpatch.iso.compare.sides import Side

__all__ = ["archive_of", "wrong_members"]

_LARGEST_MEMBER = 64 << 20


def archive_of(path: str, changed: Mapping[str, ChangedEntry]) -> str | None:
    """Return the archive written again that holds the member *path*; None for a file."""
    archive, mark, _ = path.partition(MEMBER)
    return archive if mark and archive in changed and path not in archive else None


def wrong_members(
    archive: str, changed: Mapping[str, ChangedEntry], before: Side, after: Side
) -> Iterator[Problem]:
    """Yield where the members of *archive* differ otherwise than the entries of *changed* say.

    Args:
        archive: its path, a regular file on both sides.
        changed: what the document says, by path.
        before: the base.
        after: the directory.
    """
    from ngtpatch.iso.compare.sides import opener
    from ngtpatch.iso.read.host_directory import HostDirectory

    opened = []
    for side in (before, after):
        tree = "directory" if isinstance(side, HostDirectory) else side.primary_tree
        there = side.entries(tree).get(archive)
        if there is None or there.kind != "file":
            return  # said already: it is not the file that the document says
        opened.append(opener(side, there))
    named = {path for path in changed if archive_of(path, changed) == archive}
    try:
        found = differences(
            opened[0], opened[1], archive, limit=MAX_UNPACKED, largest=_LARGEST_MEMBER
        )
    except ArchiveDamaged as error:
        yield Problem("document-untrue", None, f"{archive} cannot be read: {error}")
        return
    differing = {f"{archive}{MEMBER}{shown_name(one.name)}": one for one in found}
    for path in sorted(differing.keys() - named):
        message = f"{path} differs from the base, and the document does not say so"
        yield Problem("changed-outside", None, message)
    for path in sorted(named):
        entry, one = changed[path], differing.get(path)
        if one is None:
            message = f"{path} is as in the base, and the document says it was {entry.done}"
            yield Problem("document-untrue", None, message)
            continue
        for when, content, wanted in (
            ("before", one.before, entry.sha256_before),
            ("after", one.after, entry.sha256_after),
        ):
            is_digest = None if content is None else sha256_of_bytes(content)
            if is_digest != wanted:
                message = (
                    f"{path} has SHA-256 {is_digest or 'none'} {when} the rebuild, and the document"
                    f" says {wanted or 'none'}"
                )
                yield Problem("document-untrue", None, message)
