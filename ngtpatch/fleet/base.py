# SPDX-License-Identifier: Apache-2.0
"""What every VM's image is made from, parsed once."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from ngtpatch._version import __version__
from ngtpatch.errors import UsageError
from ngtpatch.files.digest import sha256_of_bytes
from ngtpatch.files.tree import FileTree, MemoryTree
from ngtpatch.files.wellknown import (
    AUTHORITY,
    CERTIFICATE,
    CONFIG,
    CONFIG_DIRECTORY,
    IDENTITY_PATHS,
    KEY,
    LABEL,
)
from ngtpatch.fleet.base_witness import (
    BaseWitness,
    another,
    changed,
    read_before,
    settled,
)
from ngtpatch.fleet.order import Cleanup
from ngtpatch.flow.authority import expects_authority
from ngtpatch.flow.opened import OpenedSource, open_source
from ngtpatch.flow.sound_source import require_sound
from ngtpatch.flow.traces import Traces, find_traces, refuse_traces
from ngtpatch.identity.exchange import Injected
from ngtpatch.iso.edit.base_digests import BaseDigests
from ngtpatch.iso.edit.image_edit import EditPlan, Note, edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.bytesource import FileSource, FileState, MemorySource
from ngtpatch.iso.read.ecma119 import SECTOR
from ngtpatch.iso.read.regions import merge_ranges
from ngtpatch.iso.read.volume import Volume

__all__ = ["Base"]

# Room for each file of a config-only image: an RSA 4096 key takes 3.3 KB.
_ROOM = 4096


@dataclass(frozen=True)
class Base:
    """An open base.

    Attributes:
        volume: the image that regions are laid over.
        tree: its identity files, in memory.
        sha256: of that image; None when it was not asked for.
        blank: the image holds room only, for all files of identity.
        single: it is one VM's own, and nothing else is made from it.
        digests: what the record of each image says of it, computed once.
        cleanup: what of identity is elsewhere on it, and goes.
        state: of its file, when *sha256* was computed; None where it is made in memory.
        tree_sha256: of *tree* without the key.
        authority_room: a config-only image has a place for the cluster's authority.
        file: what is open; None for a directory.
    """

    volume: Volume
    tree: FileTree
    sha256: str | None
    blank: bool
    single: bool
    digests: BaseDigests
    cleanup: Cleanup
    state: FileState | None
    tree_sha256: str
    authority_room: bool
    file: FileSource | None
    _witness: BaseWitness | None
    _stack: ExitStack

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        config_only: bool,
        sha256: str | None,
        prove: bool,
        state: FileState | None = None,
        tree_sha256: str | None = None,
        single: bool = False,
        cleanup: Cleanup | None = None,
        allowed: Collection[str] = (),
        authority_room: bool = False,
    ) -> Base:
        """Open the image at *path*, or make a config-only one from it.

        Args:
            path: an image; for config-only images also a directory with the tree.
            config_only: lay regions over a small image that holds config/ alone.
            sha256: what the digest of the image was when the run was planned.
            prove: compute it, and compare; a config-only image is always compared. What its
                record says of it is proven, too, and in the digest's pass every byte is
                searched for identity.
            state: what the file system said of it then. Unless it says the same now, all is
                proven anew.
            tree_sha256: what :attr:`tree_sha256` was then.
            single: it is one VM's own.
            cleanup: what the search of the same image found, where it was searched before.
            allowed: paths of files that hold a private key and are meant to.
            authority_room: a config-only image has a place for the cluster's authority; it has one
                anyway where the base has that, for all VMs to get.

        Raises:
            InputError: it cannot be used.
            Refusal: ``source-disproved``: its own record disproves it;
                ``identity-elsewhere``: it holds identity that would get to every VM.
            BatchError: ``base-changed``: it is not the image that *sha256* is of, whatever it is.
        """
        again = sha256 is not None or tree_sha256 is not None
        with read_before(path) if again else nullcontext(), ExitStack() as stack:
            source = stack.enter_context(open_source(path))
            tree = MemoryTree(
                {p: source.tree[p] for p in sorted(IDENTITY_PATHS) if p in source.tree}
            )
            tree_digest = _tree_digest(tree)
            if config_only:
                # Nothing of the base's bytes gets there.
                cleanup = Cleanup(authority=expects_authority(source))
                authority_room = authority_room or bool(tree.get(AUTHORITY))
                data = _config_only(source, authority=authority_room)
                volume = stack.enter_context(Volume(MemorySource(data), path))
                digest = sha256_of_bytes(data)
                _refuse_another(path, digest, sha256)
                _refuse_another(path, tree_digest, tree_sha256)
                digests = BaseDigests(volume.source, digest)
                return cls(
                    volume, tree, digest, True, single, digests, cleanup, None, tree_digest,
                    authority_room, _file(source), None, stack.pop_all(),
                )  # fmt: skip
            if source.volume is None:
                raise UsageError(
                    "is-directory", "is a directory, which has no image to make others from",
                    path=str(path), hint="name the ISO, or use --config-only",
                )  # fmt: skip
            file = _file(source)
            assert file is not None  # noqa: S101 - what has a volume
            if prove or file.is_device or file.opened != state:
                state = settled(file)
                traces = find_traces(source, digest=True)
                _refuse_another(path, str(traces.sha256), sha256)
                require_sound(source.volume)
                refuse_traces(traces, allowed=allowed, path=str(path))
                if not file.is_device and not file.opened == state == file.state:
                    raise changed(file)
                sha256, cleanup = traces.sha256, _cleanup(source, traces)
            # Proven now, or handed on from when it was.
            assert cleanup is not None and sha256 is not None and state is not None  # noqa: S101, PT018
            digests = BaseDigests(source.volume.source, sha256)
            return cls(
                source.volume, tree, sha256, False, single, digests, cleanup, state, tree_digest,
                authority_room, file, BaseWitness(file, sha256, state), stack.pop_all(),
            )  # fmt: skip

    def require_same(self) -> None:
        """Return if the base is still what *sha256* is of. Raises BatchError ``base-changed``.

        Asked before an image gets its name. Of a block device nothing is known between two proofs.
        """
        if self._witness is not None:
            self._witness.require_same()

    @property
    def path_is_anothers(self) -> bool:
        """Whether its path leads to another file by now, or to none; what is open stays open."""
        if self.file is None:
            return False
        try:
            there = self.file.path.stat()
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != (self.file.opened.device, self.file.opened.inode)

    def plan(self, injected: Injected) -> EditPlan:
        """Return the regions that make the base one VM's.

        What it has is replaced and scrubbed; what a shared base was stripped of is added.

        Raises:
            Refusal: the image, or an entry, has a shape that is not edited.
        """
        files = injected.everything if self.blank else injected.files
        listing = self.volume.entries(self.volume.primary_tree)
        there = {path: data for path, data in files.items() if path in listing}
        # The vendor's three files are made in one go: what one may, all may. But for the key.
        like = listing[CONFIG].mode if CONFIG in listing else None
        added = {
            path: NewFile(data, mode=0o600 if path == KEY or like is None else like)
            for path, data in files.items()
            if path not in listing
        }
        gone = {path for path in self.cleanup.beside if path in listing}
        if self.blank and AUTHORITY in listing and AUTHORITY not in files:
            gone.add(AUTHORITY)  # an empty file would take the place of the guest's own
        return edit(
            self.volume,
            replace=there,
            add=added,
            remove=gone,
            scrub=frozenset({*there, *gone}),
            wipe=self.cleanup.wipe,
            forget=self.cleanup.forget,
            note=self._note(there, {*added, *gone}),
        )

    def _note(self, there: Mapping[str, bytes], others: Collection[str]) -> Note | None:
        """Return what the image's record says; None where nothing changes, and none is needed."""
        record = self.volume.record
        if isinstance(record, BuildRecord):
            return Note(record.about, self.digests)
        same = all(self.volume.tree[path] == data for path, data in there.items())
        if same and not (others or self.cleanup.wipe):
            return None
        return Note({"ngtpatch": __version__}, self.digests)

    @cached_property
    def identity_ranges(self) -> tuple[tuple[int, int], ...]:
        """Where identity stands on the image, in its files or elsewhere, as (offset, length)."""
        found = [*self.cleanup.wipe]
        record = self.volume.record
        if self.cleanup.forget and isinstance(record, BuildRecord):
            found.append((record.offset, record.end - record.offset))
        found += [
            # The slack of its last sector too, unless it is embedded in a UDF file entry.
            (offset, length if offset % SECTOR else -(-length // SECTOR) * SECTOR)
            for tree in self.volume.trees
            for path, entry in self.volume.entries(tree).items()
            if path in IDENTITY_PATHS or path in self.cleanup.beside
            for offset, length in entry.extents
        ]
        return tuple(merge_ranges(found))

    def close(self) -> None:
        """Close the image."""
        self._stack.close()

    def __enter__(self) -> Base:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _file(source: OpenedSource) -> FileSource | None:
    if source.volume is None:
        return None
    below = source.volume.source
    file = getattr(below, "base", below)  # a device's first bytes, or the file itself
    assert isinstance(file, FileSource)  # noqa: S101 - open_source() opens no other
    return file


def _refuse_another(path: Path, actual: str, planned: str | None) -> None:
    if planned is not None and actual != planned:
        raise another(path)


def _tree_digest(tree: FileTree) -> str:
    """Return a digest of the base's identity. A key leaves no trace in it: it travels."""
    parts = [f"{path} {sha256_of_bytes(tree[path])}" for path in sorted(tree) if path != KEY]
    return sha256_of_bytes("\n".join(parts).encode())


def _cleanup(source: OpenedSource, traces: Traces) -> Cleanup:
    said = [f"overwritten in each image: {trace}" for trace in traces.found if trace.removable]
    said += [f"removed from each image: {path}" for path in traces.beside]
    return Cleanup(
        traces.wipe, traces.forget, traces.beside, tuple(said), expects_authority(source)
    )


def _config_only(source: OpenedSource, *, authority: bool) -> bytes:
    """Master config/ with empty room for the files of identity, in the trees the base has.

    Dates are fixed: the result depends on the base's trees and modes alone.
    """
    from ngtpatch.iso.write.master import USUAL_TREES, DiscDirectory, DiscFile, master

    modes: dict[str, int] = {}
    trees: tuple[str, ...] = USUAL_TREES
    if source.volume is not None:
        trees = source.volume.trees
        listing = source.volume.entries(source.volume.primary_tree)
        modes = {path: e.mode for path, e in listing.items() if e.mode is not None}
    blank = bytes(_ROOM)
    names = (CERTIFICATE, KEY, CONFIG, *([AUTHORITY] if authority else []))
    # A key is its owner's alone, whatever the base's mode is, or if it says none.
    modes[KEY] = 0o600
    file = io.BytesIO()
    master(
        file,
        [
            DiscDirectory(path=CONFIG_DIRECTORY, mode=modes.get(CONFIG_DIRECTORY, 0o755)),
            *(DiscFile(path=path, content=blank, mode=modes.get(path, 0o644)) for path in names),
        ],
        volume_id=LABEL,
        created=0,
        trees=trees,
    )
    return file.getvalue()
