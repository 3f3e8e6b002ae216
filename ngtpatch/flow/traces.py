# SPDX-License-Identifier: Apache-2.0
"""Whose identity is where in a source, by every byte of it; what has to go, and what was not seen.

Here the wings meet: the patterns are identity's, the search and the owners of bytes are the
image's. What is found outside of entries is a trace that can be overwritten; what stands in
an entry that is no place of identity can only be named.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ngtpatch.errors import Refusal
from ngtpatch.files.tree import FileTree
from ngtpatch.files.wellknown import CONFIG_DIRECTORY, IDENTITY_PATHS
from ngtpatch.flow.opened import OpenedSource
from ngtpatch.flow.unread import unread_in_tree, unread_in_volume
from ngtpatch.identity.bundle import Identity
from ngtpatch.identity.exchange import carriers
from ngtpatch.identity.patterns import CERTIFICATE_KIND, CONFIG_KIND, needles
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.byte_search import ByteHit, BytePattern, search_bytes, search_ranges
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.ownership import Ownership, Piece
from ngtpatch.iso.read.regions import merge_ranges
from ngtpatch.iso.read.volume import Volume, VolumeTree

__all__ = ["Trace", "Traces", "find_traces", "refuse_traces"]

_ELSEWHERE = "in the build record, as what stood in the vendor's image"


@dataclass(frozen=True, order=True)
class Trace:
    """Identity in a place that is not identity's.

    Attributes:
        kind: what it is, such as ``a private key``. Never a byte of it.
        where: in words.
        offset: where it begins, in bytes from the image's start, or from the file's of a
            directory.
        length: in bytes.
        path: the entry that it stands in; None where no file has those bytes.
        removable: whether ngtpatch overwrites it where identity is stripped or injected.
    """

    kind: str
    where: str
    offset: int
    length: int
    path: str | None
    removable: bool

    def __str__(self) -> str:
        place = f"in {self.where}" if self.path is not None else self.where
        return f"{self.kind} {place} (byte {self.offset:,}, {self.length:,} bytes)"


@dataclass(frozen=True)
class Traces:
    """What a search of every byte saw.

    Attributes:
        found: identity outside of its places, by offset.
        beside: files in config/ that hold identity and are none of the four.
        unread: compressed files, and members of tar archives by ``archive!member``, whose
            contents were not looked at; also those that only another tree lists, and sectors
            that no file has and that begin as compressed files do, in words.
        forget: ranges of the vendor's image that a build record keeps, and must not.
        sha256: of the source, where it was asked for.
    """

    found: tuple[Trace, ...]
    beside: tuple[str, ...]
    unread: tuple[str, ...]
    forget: tuple[tuple[int, int], ...] = ()
    sha256: str | None = None

    @property
    def wipe(self) -> tuple[tuple[int, int], ...]:
        """The ranges (offset, length) that no file has, to be overwritten."""
        ranges = [(t.offset, t.length) for t in self.found if t.removable and t.where != _ELSEWHERE]
        return tuple(merge_ranges(ranges))

    def standing(self, allowed: Collection[str] = ()) -> tuple[Trace, ...]:
        """Return what stays although identity is removed, but for the entries *allowed*."""
        return tuple(t for t in self.found if not t.removable and t.path not in allowed)


def find_traces(source: OpenedSource, *, digest: bool = False) -> Traces:
    """Look at every byte of *source* for identity.

    Args:
        source: an image, of which every byte is searched, or a directory: all of its files.
        digest: also compute the SHA-256 of an image, in the same pass.

    Raises:
        InputError: it cannot be read; ``hostile``: it holds absurdly many.
    """
    present = Identity.from_tree(source.tree, source=str(source.path))
    wanted = needles(present)
    patterns = [BytePattern(*needle) for needle in wanted.everywhere]
    if source.volume is None:
        return _of_files(source.tree, patterns)
    volume = source.volume
    seen = search_bytes(volume.source, patterns, digest=digest)
    owners = Ownership(volume)
    outside = [BytePattern(*needle) for needle in wanted.outside]
    besides = search_ranges(volume.source, owners.beside_entries(volume.size), outside)
    found: list[Trace] = [*_hidden(volume)]
    beside: set[str] = set()
    listed = source.tree
    for hit in (*seen.hits, *besides):
        for piece in owners.pieces(hit.offset, hit.length):
            # What only another tree names is no place that identity is taken from, or put in.
            if _is_identitys(piece.path, hit) and piece.path in listed:
                if piece.path is not None and piece.path not in IDENTITY_PATHS:
                    beside.add(piece.path)
            elif (trace := _trace(hit, piece, volume)) is not None:
                found.append(trace)
    kept, forget = _kept_by_record(volume, [*patterns, *outside])
    return Traces(
        tuple(sorted({*_joined(found), *kept}, key=lambda trace: (trace.offset, trace.kind))),
        tuple(sorted(beside)),
        unread_in_volume(volume, source.tree, owners),
        forget,
        seen.sha256,
    )


def refuse_traces(traces: Traces, *, allowed: Collection[str], path: str) -> None:
    """Refuse a source in which identity would stay although it shall not.

    Raises:
        Refusal: ``identity-elsewhere``, with every such place.
    """
    standing = traces.standing(allowed)
    if not standing:
        return
    entries = list(dict.fromkeys(t.path for t in standing if t.path is not None))
    hint = "take a disc without it"
    if entries:
        hint += ", or, if that belongs there, " + " ".join(
            f"--allow-identity {shlex.quote(entry)}" for entry in entries[:3]
        )
    shown = "; ".join(map(str, standing[:5]))
    more = f"; and {len(standing) - 5} more" if len(standing) > 5 else ""
    raise Refusal(
        "identity-elsewhere", f"holds {shown}{more}, which would stay in what is written",
        path=path, hint=hint,
    )  # fmt: skip


def _is_identitys(path: str | None, hit: ByteHit) -> bool:
    """Say whether a find is where identity has its place: config/ is copied into the guest."""
    return path is not None and (path in IDENTITY_PATHS or path.startswith(CONFIG_DIRECTORY + "/"))


def _trace(hit: ByteHit, piece: Piece, volume: Volume) -> Trace | None:
    """Return what a find in *piece* amounts to."""
    if piece.owner == "entry":
        # Certificates are in many files that are no identity, and the word ngt_uuid in programs.
        if hit.kind in (CERTIFICATE_KIND, CONFIG_KIND):
            return None
        other = piece.tree != volume.primary_tree
        where = f"{piece.path} of the {piece.tree} tree" if other else str(piece.path)
        return Trace(hit.kind, where, piece.offset, piece.length, piece.path, removable=False)
    if piece.owner == "structure":
        return Trace(hit.kind, f"in {piece.where}", piece.offset, piece.length, None, False)
    if not any(volume.read_at(piece.offset, min(piece.length, 1 << 20))):
        return None
    return Trace(hit.kind, piece.where, piece.offset, piece.length, None, removable=True)


def _hidden(volume: Volume) -> Iterator[Trace]:
    """Yield what carries identity in another tree and is not listed in the most expressive one.

    ``genisoimage -hide`` leaves such files; Windows, for one, reads Joliet.
    """
    primary = volume.primary_tree
    listed, shared = volume.entries(primary), volume.paths_by_extents(primary)
    for tree in volume.trees:
        for path in carriers(VolumeTree(volume, tree)) if tree != primary else ():
            extents = volume.entries(tree)[path].extents
            if path not in listed and extents not in shared:
                where, (offset, length) = f"{path} of the {tree} tree", extents[0]
                yield Trace("identity", where, offset, length, path, removable=False)


def _joined(found: list[Trace]) -> Iterator[Trace]:
    """Yield each place once: by what it is called first, where several patterns met there."""
    end = -1
    for trace in sorted(found, key=lambda t: (t.offset, -t.length)):
        if trace.offset + trace.length > end:
            end = trace.offset + trace.length
            yield trace


def _kept_by_record(
    volume: Volume, patterns: list[BytePattern]
) -> tuple[list[Trace], tuple[tuple[int, int], ...]]:
    """Search what a build record keeps of the vendor's image; it is compressed there."""
    record = volume.record
    if not isinstance(record, BuildRecord):
        return [], ()
    kept: list[Trace] = []
    at = 0
    for offset, length in record.ranges:
        data = record.originals[at : at + length]
        at += length
        kept += [
            Trace(hit.kind, _ELSEWHERE, offset + hit.offset, hit.length, None, removable=True)
            for hit in search_bytes(MemorySource(data), patterns).hits
        ]
    return kept, tuple(merge_ranges((trace.offset, trace.length) for trace in kept))


def _of_files(tree: FileTree, patterns: list[BytePattern]) -> Traces:
    """Search the files of a directory, which is all that it has."""
    found: list[Trace] = []
    beside: set[str] = set()
    for path in tree:
        if path in IDENTITY_PATHS or not tree.size(path):
            continue
        with tree.open(path) as stream:
            seen = search_bytes(_StreamSource(stream, tree.size(path)), patterns)
        for hit in seen.hits:
            if _is_identitys(path, hit):
                beside.add(path)
            elif hit.kind not in (CERTIFICATE_KIND, CONFIG_KIND):
                found.append(Trace(hit.kind, path, hit.offset, hit.length, path, removable=False))
    return Traces(tuple(_each_once(found)), tuple(sorted(beside)), unread_in_tree(tree))


def _each_once(found: list[Trace]) -> Iterator[Trace]:
    by_path: dict[str | None, list[Trace]] = {}
    for trace in found:
        by_path.setdefault(trace.path, []).append(trace)
    for traces in by_path.values():
        yield from _joined(traces)


class _StreamSource:
    """A seekable stream as a source of bytes."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self.size = stream, size

    def read_at(self, offset: int, length: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(min(length, max(self.size - offset, 0)))
