# SPDX-License-Identifier: Apache-2.0
"""What no tree shows by itself: that they agree, and that nothing lies upon anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ngtpatch.iso.check.faults import Range, Report

__all__ = ["check_agreement", "check_overlaps"]

Names = Mapping[str, tuple[tuple[int, int], ...]]


def check_overlaps(report: Report, ranges: Iterable[Range]) -> None:
    """Report ranges that overlap, but for contents that are shared as a whole."""
    reach: Range | None = None
    for one in sorted(set(ranges), key=lambda r: (r.start, r.end, r.what)):
        if one.start == one.end:
            continue
        if reach is not None and one.start < reach.end:
            shared = (one.start, one.end) == (reach.start, reach.end)
            if not (shared and one.content and reach.content):
                report.error("overlap", one.start, f"{one.what} and {reach.what} overlap")
        if reach is None or one.end > reach.end:
            reach = one


def check_agreement(report: Report, trees: Mapping[str, Names]) -> None:
    """Report files that have one path in two trees, and different content there.

    A name that only one tree has is its own affair: trees may hide files, and
    shorten names.
    """
    named = [(tree, _normal(names)) for tree, names in trees.items()]
    for number, (tree, names) in enumerate(named):
        for other, others in named[number + 1 :]:
            for path in sorted(names.keys() & others.keys()):
                if names[path] != others[path]:
                    offset = (names[path] or others[path])[0][0]
                    report.error(
                        "trees-disagree", offset, f"{path} of {tree} is not what {other} has"
                    )


def _normal(names: Names) -> dict[str, tuple[tuple[int, int], ...]]:
    """Leave empty extents out, and join those that follow each other: trees cut differently."""
    normal = {}
    for path, extents in names.items():
        joined: list[tuple[int, int]] = []
        for start, length in extents:
            if joined and joined[-1][0] + joined[-1][1] == start:
                joined[-1] = (joined[-1][0], joined[-1][1] + length)
            elif length:
                joined.append((start, length))
        normal[path] = tuple(joined)
    return normal
