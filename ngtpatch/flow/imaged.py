# SPDX-License-Identifier: Apache-2.0
"""A directory as the image it would be: a mounted or unpacked disc, made a disc again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ngtpatch.disclosure import is_text
from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import LABEL
from ngtpatch.files.writing import scratch_file
from ngtpatch.flow.opened import OpenedSource, open_source

if TYPE_CHECKING:
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.iso.write.master import DiscNode

__all__ = ["as_image", "base_image"]

_SMALL = 1 << 16


@contextmanager
def as_image(
    source: OpenedSource, scratch: Path | None, output: Path | None = None
) -> Iterator[Volume]:
    """Yield the image behind *source*; of a directory, one that is made of it meanwhile.

    That one has Rock Ridge and Joliet, the directory's modes and times, root as owner, and
    no date but that of the newest file.

    Args:
        source: what was opened.
        scratch: an existing directory with room for the image; None for the system's.
        output: what the image is needed for, if that is a file or a directory.

    Raises:
        InputError: the directory does not fit an image.
        OutputError: there is no room, which is said of *output*.
    """
    if source.volume is not None:
        yield source.volume
        return
    from ngtpatch.files.temporaries import unnamed_to
    from ngtpatch.iso.read.bytesource import FileSource
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.iso.write.master import master

    with ExitStack() as stack:
        # It may hold a key, so it has no name, and a killed run leaves nothing of it.
        file = stack.enter_context(scratch_file(scratch, output))
        nodes = list(_nodes(source.path, stack))
        newest = max((node.mtime or 0 for node in nodes), default=0)
        master(file, nodes, volume_id=LABEL, created=newest)
        file.flush()
        made = FileSource(unnamed_to(file.fileno()))
        yield stack.enter_context(Volume(made, source.path))


@contextmanager
def base_image(base: str | Path) -> Iterator[Volume]:
    """Open what an image was made from; of a directory, the image that a rebuild makes of it.

    Raises:
        InputError: it cannot be read, or does not fit an image.
    """
    with open_source(base) as source, as_image(source, None) as volume:
        yield volume


def _require_text(path: str, target: str, root: Path) -> None:
    """Refuse a name that is not UTF-8: Joliet has no way to write it down."""
    if not is_text(path + target):
        raise InputError(
            "unwritable",
            f"cannot be written as an image: {path}, or what it links to, is not UTF-8",
            path=str(root),
            hint="name the ISO itself, or rename the file",
        )


def _nodes(root: Path, stack: ExitStack) -> Iterator[DiscNode]:
    from ngtpatch.iso.read import host_directory
    from ngtpatch.iso.write import master

    listed = host_directory.HostDirectory(root)
    for path, entry in sorted(listed.entries().items()):
        _require_text(path, entry.target or "", root)
        mode = 0o755 if entry.mode is None else entry.mode
        mtime = int((root / path).lstat().st_mtime)
        if entry.kind == "directory":
            yield master.DiscDirectory(path=path, mode=mode, mtime=mtime)
        elif entry.kind == "symlink":
            yield master.DiscSymlink(path=path, target=entry.target or "", mtime=mtime)
        elif entry.kind == "file":
            stream = listed.open(path)
            if entry.size > _SMALL:
                yield master.DiscFile(
                    path=path, content=stack.enter_context(stream), mode=mode, mtime=mtime
                )
                continue
            with stream:
                yield master.DiscFile(path=path, content=stream.read(), mode=mode, mtime=mtime)
