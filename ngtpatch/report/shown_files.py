# SPDX-License-Identifier: Apache-2.0
"""The files that differ, each with its diff where that may be shown."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngtpatch.disclosure import redacted
from ngtpatch.files.wellknown import CONFIG_DIRECTORY
from ngtpatch.report.changed_text import ChangedText, changed_text

if TYPE_CHECKING:
    from ngtpatch.flow.diff import Changed, Differences
    from ngtpatch.flow.inspect import Inspection
    from ngtpatch.flow.rebuild import RebuildResult
    from ngtpatch.flow.verification import Verification

__all__ = ["MOST_FILES", "FileShown", "files_of_document", "shown_files", "what_else_differs"]

# Of one file, and of all: the page stays one that a browser opens.
_LINES_OF_A_FILE, _LINES = 2_000, 12_000
MOST_FILES = 5_000


@dataclass(frozen=True)
class FileShown:
    """A file that differs.

    Attributes:
        kind: ``changed``, ``added`` or ``removed``.
        what: the aspects in which it differs.
        text: its diff; None where there is none to show.
        why_not: why there is none.
    """

    path: str
    kind: str
    what: tuple[str, ...]
    sha256_before: str | None = None
    sha256_after: str | None = None
    text: ChangedText | None = None
    why_not: str | None = None


def shown_files(
    found: Differences, image: Inspection, verified: Verification
) -> Iterator[FileShown]:
    """Yield what ``diff`` found, with the digests that the image's record names."""
    digests = _recorded_digests(image)
    identity = {one.path for one in verified.recorded if one.identity and one.within is None}
    left = _LINES
    for change in found.changed:
        text, why_not = _change_text(change, identity, min(left, _LINES_OF_A_FILE))
        left -= _shown_lines(text)
        was, now = digests.get(change.path, (None, None))
        yield FileShown(change.path, "changed", change.what, was, now, text, why_not)
    for kind, paths in (("added", found.added), ("removed", found.removed)):
        for path in paths:
            why_not = "Identity: not shown." if _is_identity(path, identity) else None
            was, now = digests.get(path, (None, None))
            why_not = why_not or f"The whole file was {kind}."
            yield FileShown(path, kind, (), was, now, None, why_not)


def files_of_document(document: RebuildResult) -> Iterator[FileShown]:
    """Yield what a rebuild's document says of the files that it changed."""
    left = _LINES
    for entry in document.changed:
        text: ChangedText | None = None
        why_not: str | None = "Identity: not shown."
        if not _is_identity(entry.path, frozenset()):
            text, why_not = _text_of(entry.diff, min(left, _LINES_OF_A_FILE))
        left -= _shown_lines(text)
        kind = entry.done if entry.done in ("added", "removed") else "changed"
        yield FileShown(
            entry.path, kind, (entry.done,), entry.sha256_before, entry.sha256_after, text, why_not
        )


def _change_text(
    change: Changed, identity: Set[str], most: int
) -> tuple[ChangedText | None, str | None]:
    if _is_identity(change.path, identity):
        return None, "Identity: not shown."
    if "content" not in change.what:
        return None, "Its content is the same."
    return _text_of(change.diff, most)


def _text_of(unified: str | None, most: int) -> tuple[ChangedText | None, str | None]:
    if unified is None:
        return None, "No diff: not text, too long for one, or nothing that may be shown."
    if most <= 0:
        return None, "No diff here: the page would be too long. 'ngtpatch diff' shows it."
    text = changed_text(redacted(unified), most=most)
    return text, None if text else "No diff: what stands in its place is none."


def _is_identity(path: str, identity: Set[str]) -> bool:
    # Whatever case a tree writes it in: nothing of config/ is shown.
    return path in identity or path.casefold().split("/")[0] == CONFIG_DIRECTORY


def _shown_lines(text: ChangedText | None) -> int:
    return sum(len(hunk.lines) for hunk in text.hunks) if text else 0


def _recorded_digests(image: Inspection) -> dict[str, tuple[str | None, str | None]]:
    rows = (image.record or {}).get("changed", ())
    found: dict[str, tuple[str | None, str | None]] = {}
    for row in rows if isinstance(rows, list | tuple) else ():
        name = f"{row['within']}!{row['path']}" if row["within"] else row["path"]
        found[name] = row["sha256_before"], row["sha256_after"]
    return found


def what_else_differs(found: Differences) -> Iterator[str]:
    """Yield what differs beside files: whole trees, the label."""
    for tree in found.trees_added:
        yield f"the whole {tree} tree was added"
    for tree in found.trees_removed:
        yield f"the whole {tree} tree was removed"
    if found.volume_ids is not None:
        before, after = found.volume_ids
        yield f"the volume identifier was {before}, and is {after}"
