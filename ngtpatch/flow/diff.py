# SPDX-License-Identifier: Apache-2.0
"""What differs between two images, or an image and an unpacked tree."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ngtpatch.archives.differences import MemberDifference
    from ngtpatch.iso.compare.comparison import Comparison, Difference
    from ngtpatch.iso.compare.sides import Side

__all__ = ["Changed", "Differences", "diff"]


_Inner = list[tuple["Difference", "MemberDifference"]]


@dataclass(frozen=True)
class Changed:
    """An entry that both sides have and that is not the same.

    Attributes:
        path: its name in the most expressive tree that both sides have; ``archive!member``
            in an archive.
        what: the aspects that differ: ``content``, ``size``, ``mode``, ``owner``, ``mtime``,
            ``kind``, ``target``; in an archive ``content`` and ``metadata``.
        trees: the trees in which it differs.
        diff: unified diff of its text; None for binary content and for private keys.
    """

    path: str
    what: tuple[str, ...]
    trees: tuple[str, ...]
    diff: str | None


@dataclass(frozen=True)
class Differences:
    """The document of ``ngtpatch diff``.

    Attributes:
        a: the first side, as it was named.
        b: the second side.
        trees: the trees that were compared.
        trees_added: trees that B alone has.
        trees_removed: trees that A alone has.
        volume_ids: both volume identifiers where they differ.
        added: paths that B alone has.
        removed: paths that A alone has.
        changed: entries that differ.
        same: nothing differs at all.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.diff/1"

    a: str
    b: str
    trees: tuple[str, ...]
    trees_added: tuple[str, ...]
    trees_removed: tuple[str, ...]
    volume_ids: tuple[str, str] | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Changed, ...]
    same: bool


def diff(a: str | Path, b: str | Path, *, text: bool = True) -> Differences:
    """Compare *a* with *b*; each an ISO, a block device or a directory.

    Args:
        a: the first side.
        b: the second side.
        text: whether to make unified diffs of changed text.

    Raises:
        InputError: a side cannot be read.
    """
    from ngtpatch.iso.compare.comparison import compare
    from ngtpatch.iso.compare.sides import open_side

    with ExitStack() as stack:
        before, after = stack.enter_context(open_side(a)), stack.enter_context(open_side(b))
        found = compare(before, after)
        inner = [
            (difference, member)
            for difference in _archives(found)
            for member in _members(before, after, difference)
        ]
        return Differences(
            a=str(a),
            b=str(b),
            trees=found.trees,
            trees_added=found.trees_added,
            trees_removed=found.trees_removed,
            volume_ids=found.volume_ids,
            added=_paths(found, inner, "added"),
            removed=_paths(found, inner, "removed"),
            changed=(
                *_changed(before, after, found, text=text),
                *_changed_members(found, inner, text=text),
            ),
            same=found.same,
        )


def _name(difference: Difference) -> str:
    return difference.known_as or difference.path


def _archives(found: Comparison) -> list[Difference]:
    """Return the archives whose content differs, each in one tree."""
    from ngtpatch.archives.rewriting import is_rewritable

    by_name = {
        _name(one): one
        for one in reversed(found.differences)
        if one.kind == "changed" and "content" in one.what and is_rewritable(_name(one))
    }
    return list(by_name.values())


def _members(before: Side, after: Side, difference: Difference) -> tuple[MemberDifference, ...]:
    """Return what differs in an archive; nothing where one side is not a sound archive."""
    from ngtpatch.archives.differences import differences
    from ngtpatch.archives.members import ArchiveDamaged
    from ngtpatch.installer.payloads import MAX_UNPACKED
    from ngtpatch.iso.compare.sides import opener
    from ngtpatch.iso.compare.textdiff import TEXT_LIMIT

    if difference.before is None or difference.after is None:
        return ()
    try:
        return differences(
            opener(before, difference.before),
            opener(after, difference.after),
            _name(difference),
            limit=MAX_UNPACKED,
            largest=TEXT_LIMIT,
        )
    except ArchiveDamaged:
        return ()


def _member_name(difference: Difference, member: MemberDifference) -> str:
    from ngtpatch.archives.members import shown_name
    from ngtpatch.installer.payloads import MEMBER

    return f"{_name(difference)}{MEMBER}{shown_name(member.name)}"


def _changed_members(found: Comparison, inner: _Inner, *, text: bool) -> list[Changed]:
    from ngtpatch.iso.compare.textdiff import unified

    changed = []
    for difference, member in inner:
        if member.kind != "changed":
            continue
        path = _member_name(difference, member)
        shown = None
        if text and "content" in member.what and None not in (member.before, member.after):
            shown = unified(member.before or b"", member.after or b"", path)
        trees = tuple(one.tree for one in found.differences if _name(one) == _name(difference))
        changed.append(Changed(path, member.what, trees, shown))
    return changed


def _paths(found: Comparison, inner: _Inner, kind: str) -> tuple[str, ...]:
    paths = {_name(one) for one in found.differences if one.kind == kind}
    paths |= {_member_name(one, member) for one, member in inner if member.kind == kind}
    return tuple(sorted(paths))


def _changed(before: Side, after: Side, found: Comparison, *, text: bool) -> tuple[Changed, ...]:
    from ngtpatch.iso.compare.textdiff import text_diff

    # One entry, whatever it is called in each tree: an edit that missed a tree shows in trees.
    by_name: dict[str, list[Difference]] = {}
    for difference in found.differences:
        if difference.kind == "changed":
            by_name.setdefault(_name(difference), []).append(difference)
    return tuple(
        Changed(
            path=name,
            what=tuple(dict.fromkeys(aspect for d in differences for aspect in d.what)),
            trees=tuple(d.tree for d in differences),
            diff=text_diff(before, after, differences[0]) if text else None,
        )
        for name, differences in sorted(by_name.items())
    )
