# SPDX-License-Identifier: Apache-2.0
"""Whether a directory that ``--output-tree`` wrote is what its rebuild says, file by file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.absent import absent
from ngtpatch.files.digest import sha256_of_file, sha256_of_ranges
from ngtpatch.files.json_file import read_json_object
from ngtpatch.files.wellknown import IDENTITY_PATHS
from ngtpatch.flow.rebuild import RebuildResult
from ngtpatch.flow.verification import (
    Accounted,
    Problem,
    Recorded,
    Verification,
    failure,
    without_profile,
)
from ngtpatch.flow.written_image import ChangedEntry

if TYPE_CHECKING:
    from ngtpatch.iso.compare.comparison import Comparison
    from ngtpatch.iso.compare.sides import Side

__all__ = ["read_rebuild", "tree_sides", "verify_tree"]

_MAX_BYTES = 64 << 20
_KINDS = {"added": "added", "removed": "removed"}


def tree_sides(
    tree: str | Path, base: str | Path | None, document: str | Path | None
) -> tuple[Path, Path, Path]:
    """Return the directory, its base and the document of its rebuild.

    Raises:
        UsageError: ``no-base``, ``no-document`` or ``not-a-directory``.
        InputError: ``not-found``.
    """
    if not Path(tree).exists():
        raise absent(tree)
    if not Path(tree).is_dir():
        raise UsageError(
            "not-a-directory", "is not a directory, and only that needs --document",
            path=str(tree), hint="leave --document out: an image has its record inside",
        )  # fmt: skip
    if base is None:
        raise UsageError(
            "no-base", "is a directory, which has no record of what it was made from",
            path=str(tree), hint="name the ISO or the directory with --base",
        )  # fmt: skip
    if document is None:
        raise UsageError(
            "no-document", "is a directory, which has no record of what was done",
            path=str(tree), hint="name what 'rebuild --json --output-tree' printed with --document",
        )  # fmt: skip
    return Path(tree), Path(base), Path(document)


def verify_tree(
    tree: Path,
    base: Path,
    document: Path,
    *,
    profiles: Collection[str],
    accepts: tuple[str, ...] | None,
    refused: tuple[Problem, ...],
) -> Verification:
    """Compare every file of *tree* with *base*, and the others with what *document* says.

    Args:
        tree: the directory.
        base: what it was made from: an image or a directory.
        document: what the rebuild printed.
        profiles: ids of those that are here.
        accepts: what the installer in *tree* accepts.
        refused: what it was asked for and does not accept.

    Raises:
        InputError: one of them cannot be read.
    """
    from ngtpatch.flow.verify_members import archive_of
    from ngtpatch.iso.compare.comparison import compare
    from ngtpatch.iso.compare.sides import open_side

    said = read_rebuild(document)
    entries = said.changed
    changed = {entry.path: entry for entry in entries}
    with open_side(base) as before, open_side(tree) as after:
        found = compare(before, after)
        twice = (entry.path for entry in entries if changed[entry.path] is not entry)
        wrong = (
            *(
                Problem("document-untrue", None, f"the document names {path} twice")
                for path in twice
            ),
            *_wrong(found, changed, before, after),
        )
        problems = (*wrong, *refused)
        failed = failure(problems, str(tree))
        identity = [entry for entry in changed.values() if _is_identity(entry)]
        unseen = [
            f"the content of {entry.path}: it is identity, and no digest of it is kept"
            for entry in identity
            if entry.done != "removed"
        ]
        return Verification(
            image=str(tree),
            base=str(base),
            verdict="not-verified" if wrong else "verified" if changed else "identical",
            ok=failed is None,
            error=failed,
            problems=problems,
            trees=found.trees,
            entries=len(after.entries(after.trees[0])),
            record="absent",
            recorded=tuple(
                _recorded(path, archive_of(path, changed), entry)
                for path, entry in sorted(changed.items())
            ),
            bytes=Accounted(
                ground="files",
                regions=0,
                differing=len(found.differences),
                digest=None,
                unseen=(
                    *unseen,
                    "owners, times, and modes beyond whether a file is executable",
                    *without_profile(said.profiles, profiles, by="document"),
                ),
            ),
            accepts=accepts,
        )


def read_rebuild(document: Path) -> RebuildResult:
    """Return what ``rebuild --json`` printed into a file.

    Raises:
        InputError: ``rebuild-schema``, ``rebuild-value`` or their like: it is something else.
    """
    from pydantic import TypeAdapter, ValidationError

    from ngtpatch.files.validation import unfit

    hint = "'ngtpatch rebuild --json --output-tree DIR' prints it"
    data = read_json_object(
        document, limit=_MAX_BYTES, what="document of a rebuild", code="rebuild-value", hint=hint
    )
    if data.get("schema") != RebuildResult.SCHEMA:
        raise InputError(
            "rebuild-schema", "is not the document of a rebuild", path=str(document), hint=hint
        )
    try:
        return TypeAdapter(RebuildResult).validate_python(data)
    except ValidationError as error:
        raise unfit(
            error, data, what="rebuild", schema=RebuildResult.SCHEMA, source=str(document)
        ) from None


def _recorded(path: str, archive: str | None, entry: ChangedEntry) -> Recorded:
    kind = _KINDS.get(entry.done, "changed")
    if archive is None:
        return Recorded(path, None, kind, _is_identity(entry))
    return Recorded(path.removeprefix(f"{archive}!"), archive, kind, identity=False)


def _is_identity(entry: ChangedEntry) -> bool:
    return (
        entry.path in IDENTITY_PATHS and entry.sha256_before is None and entry.sha256_after is None
    )


def _wrong(
    found: Comparison, changed: dict[str, ChangedEntry], before: Side, after: Side
) -> Iterator[Problem]:
    from ngtpatch.flow.verify_members import archive_of, wrong_members
    from ngtpatch.iso.compare.comparison import REPLACED

    files = {path: entry for path, entry in changed.items() if archive_of(path, changed) is None}
    expected = {
        path: frozenset({entry.done}) if entry.done in _KINDS else REPLACED
        for path, entry in files.items()
    }
    for difference in found.beyond(expected):
        what = ", ".join(difference.what) or difference.kind
        message = f"{difference.path} differs from the base beyond what the document says: {what}"
        yield Problem("changed-outside", None, message)
    differing = {difference.path for difference in found.differences}
    for path, entry in files.items():
        if path not in differing:
            message = f"{path} is as in the base, and the document says it was {entry.done}"
            yield Problem("document-untrue", None, message)
            continue
        if entry.sha256_before is not None:
            yield from _content(path, "before", entry.sha256_before, _digest(before, path))
        if entry.sha256_after is not None:
            yield from _content(path, "after", entry.sha256_after, _digest(after, path))
        elif entry.done != "removed" and path not in IDENTITY_PATHS:
            message = f"the document says nothing of what {path} holds, which is no identity"
            yield Problem("document-untrue", None, message)
        if entry.done == "repacked":
            yield from wrong_members(path, changed, before, after)


def _content(path: str, when: str, wanted: str, found: str) -> Iterator[Problem]:
    if found != wanted:
        message = f"{path} has SHA-256 {found} {when} the rebuild, and the document says {wanted}"
        yield Problem("document-untrue", None, message)


def _digest(side: Side, path: str) -> str:
    """Return what a regular file hashes to; a link, a pipe or a folder is not opened."""
    from ngtpatch.iso.read.host_directory import HostDirectory

    tree = "directory" if isinstance(side, HostDirectory) else side.primary_tree
    entry = side.entries(tree).get(path)
    if entry is None or entry.kind != "file":
        return "none"
    if isinstance(side, HostDirectory):
        return sha256_of_file(side.path / path)
    return sha256_of_ranges(side.source, entry.extents)
