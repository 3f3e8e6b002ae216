# SPDX-License-Identifier: Apache-2.0
"""What can be compared: an image, or a directory with its tree."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, cast

from ngtpatch.iso.read.bytesource import ByteSource, SourceStream
from ngtpatch.iso.read.entry import Entry
from ngtpatch.iso.read.host_directory import HostDirectory
from ngtpatch.iso.read.volume import Volume

__all__ = ["Contents", "Counterparts", "Side", "open_side", "opener"]

Side = Volume | HostDirectory

_BLOCK = 1 << 20

_Extents = tuple[tuple[int, int], ...]


@contextmanager
def open_side(path: str | Path) -> Iterator[Side]:
    """Open an image, a block device or a directory, to be listed or compared.

    Raises InputError as Volume.open and Directory do.
    """
    if Path(path).is_dir():
        yield HostDirectory(path)
        return
    with Volume.open(path) as volume:
        yield volume


def opener(side: Side, entry: Entry) -> Callable[[], BinaryIO]:
    """Return what opens a file's content on a side, as often as it is called."""
    if isinstance(side, HostDirectory):
        return lambda: side.open(entry.path)
    return lambda: io.BufferedReader(SourceStream(cast(ByteSource, side), entry.extents), _BLOCK)


class Counterparts:
    """Finds what an entry of any tree is called in a side's primary tree."""

    def __init__(self, side: Side, primary: str) -> None:
        self._primary = side.entries(primary)
        self._by_extents: dict[_Extents, list[str]] = {}
        for path, entry in self._primary.items():
            if entry.kind == "file" and entry.size:
                self._by_extents.setdefault(entry.extents, []).append(path)
        # ISO 9660 and Rock Ridge are two readings of the same records.
        self._plain: dict[str, str] = {}
        if isinstance(side, Volume) and primary == "rock_ridge":
            named = {n.records[0].offset: p for p, n in side.records["rock_ridge"].nodes.items()}
            for path, node in side.records["iso9660"].nodes.items():
                if node.records[0].offset in named:
                    self._plain[path] = named[node.records[0].offset]

    def find(self, tree: str, entry: Entry) -> str | None:
        """Return the name of *entry*, which *tree* lists; None without a counterpart."""
        if tree == "iso9660" and entry.path in self._plain:
            return self._plain[entry.path]
        if entry.path in self._primary:
            return entry.path
        # Hard links share their extents: any of their names is right.
        same = self._by_extents.get(entry.extents, ()) if entry.size else ()
        folded = entry.path.casefold()
        return min(same, key=lambda path: (path.casefold() != folded, path), default=None)


class Contents:
    """Compares file contents, each pair of extent lists once for all trees."""

    def __init__(self, before: Side, after: Side, within: Sequence[tuple[int, int]] | None) -> None:
        """Take both sides, and where alone they can differ; None means anywhere."""
        self._before, self._after = before, after
        self._within = None if within is None else sorted(within)
        self._seen: dict[tuple[object, object], bool] = {}
        self.alike = type(before) is type(after)

    def differ(self, was: Entry, now: Entry) -> bool:
        """Tell whether two files of one size hold different bytes."""
        key = (was.extents or was.path, now.extents or now.path)
        if key not in self._seen:
            self._seen[key] = self._differ(was, now)
        return self._seen[key]

    def _differ(self, was: Entry, now: Entry) -> bool:
        if not was.size:
            return False
        if self._within is not None and was.extents and was.extents == now.extents:
            untouched = not any(
                offset < start + length and start < offset + size
                for offset, size in was.extents
                for start, length in self._within
            )
            if untouched:
                return False
        ours, theirs = _blocks(self._before, was), _blocks(self._after, now)
        return any(one != other for one, other in zip_longest(ours, theirs))


def _blocks(side: Side, entry: Entry) -> Iterator[bytes]:
    """Yield a file's content in blocks of one size, however its extents are cut."""
    if isinstance(side, HostDirectory):
        with side.open(entry.path) as stream:
            while block := stream.read(_BLOCK):
                yield block
        return
    held = bytearray()
    left = entry.size
    for start, extent_length in entry.extents:
        offset, length = start, min(extent_length, left)
        left -= length
        while length:
            part = side.read_at(offset, min(length, _BLOCK - len(held)))
            if not part:
                return  # shorter than recorded: zip_longest sees it
            held += part
            offset, length = offset + len(part), length - len(part)
            if len(held) == _BLOCK:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)
