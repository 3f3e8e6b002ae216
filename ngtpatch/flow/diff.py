# SPDX-License-Identifier: Apache-2.0
"""What differs between two images, or an image and an unpacked tree."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ngtpatch.iso.compare.comparison import Comparison, Difference
    from ngtpatch.iso.compare.sides import Side

__all__ = ["Changed", "Differences", "diff"]


@dataclass(frozen=True)
class Changed:
    """An entry that both sides have and that is not the same.

    Attributes:
        path: its name in the most expressive tree that both sides have.
        what: the aspects that differ: ``content``, ``size``, ``mode``, ``owner``, ``mtime``,
            ``kind``, ``target``.
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
        return Differences(
            a=str(a),
            b=str(b),
            trees=found.trees,
            trees_added=found.trees_added,
            trees_removed=found.trees_removed,
            volume_ids=found.volume_ids,
            added=_paths(found, "added"),
            removed=_paths(found, "removed"),
            changed=_changed(before, after, found, text=text),
            same=found.same,
        )


def _name(difference: Difference) -> str:
    return difference.known_as or difference.path


def _paths(found: Comparison, kind: str) -> tuple[str, ...]:
    return tuple(sorted({_name(d) for d in found.differences if d.kind == kind}))


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
