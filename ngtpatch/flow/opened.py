# SPDX-License-Identifier: Apache-2.0
"""What a user names as "the ISO": an image, a block device, or a directory with its tree.

A mounted or unpacked disc is read as it stands; what it cannot answer (volume
descriptors, the other trees) is absent, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ngtpatch.errors import InputError
from ngtpatch.files.tree import FileTree
from ngtpatch.files.wellknown import CONFIG_DIRECTORY
from ngtpatch.iso.read.entry import Entry
from ngtpatch.iso.read.host_directory import HostDirectory
from ngtpatch.iso.read.link_target import link_problem

if TYPE_CHECKING:
    from ngtpatch.iso.read.volume import Volume

__all__ = ["DirectoryTree", "OpenedSource", "open_source"]

# Nothing of an installer comes near this; what does is a payload, read through open().
MAX_READ = 64 << 20


@dataclass(frozen=True)
class OpenedSource:
    """An opened ISO or directory.

    Attributes:
        path: as the user named it.
        tree: its regular files.
        volume: the image behind it; None for a directory.
    """

    path: Path
    tree: FileTree
    volume: Volume | None


class DirectoryTree(FileTree):
    """The regular files below a directory. Symbolic links are never followed.

    One that leads out of the directory, or stands where identity would, is refused: what is
    behind it was not looked at, and an image of the directory would not have it.
    """

    def __init__(self, root: Path) -> None:
        """List the directory. Raises InputError ``link`` and as HostDirectory does."""
        self._directory = HostDirectory(root)
        _refuse_links(self._directory.entries(), root)
        self._files = {
            path: entry
            for path, entry in sorted(self._directory.entries().items())
            if entry.kind == "file"
        }

    def __getitem__(self, path: str) -> bytes:
        if self.size(path) > MAX_READ:
            raise InputError("too-large", f"larger than {MAX_READ >> 20} MiB", path=path)
        with self.open(path) as stream:
            return stream.read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def size(self, path: str) -> int:
        """Return the file's length in bytes."""
        return self._files[path].size

    def open(self, path: str) -> BinaryIO:
        """Return a readable stream of the file."""
        return self._directory.open(path)


def _refuse_links(entries: Mapping[str, Entry], root: Path) -> None:
    for path, entry in sorted(entries.items()):
        if entry.kind != "symlink":
            continue
        problem = link_problem(entries, entry)
        if path.split("/")[0] == CONFIG_DIRECTORY:
            problem = "stands where a VM's identity has its place"
        if problem is not None:
            raise InputError(
                "link", f"holds the symbolic link {path!a}, which {problem}", path=str(root),
                hint="put the file itself in its place, or name the image",
            )  # fmt: skip


@contextmanager
def open_source(path: str | Path) -> Iterator[OpenedSource]:
    """Open an ISO image, a block device or a directory for reading.

    Raises:
        InputError: it does not exist, cannot be read, or is neither.
    """
    path = Path(path)
    try:
        if path.is_dir():
            yield OpenedSource(path=path, tree=DirectoryTree(path), volume=None)
            return
        from ngtpatch.iso.read.volume import Volume

        with Volume.open(path) as volume:
            yield OpenedSource(path=path, tree=volume.tree, volume=volume)
    except InputError as error:
        # What was found wrong with the tree as a whole is wrong with the file it came from.
        if error.path is None:
            error.path = str(path)
        raise
