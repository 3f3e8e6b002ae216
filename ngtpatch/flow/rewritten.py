# SPDX-License-Identifier: Apache-2.0
"""Archives of an image written again, beside the output, until the image holds them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ngtpatch.archives.members import ArchiveDamaged, NotRewritten
from ngtpatch.archives.rewriting import confirm, members, rewrite
from ngtpatch.errors import VerificationError
from ngtpatch.files.digest import sha256_of_bytes, sha256_of_source, sha256_of_stream
from ngtpatch.files.temporaries import unnamed_to
from ngtpatch.files.tree import FileTree
from ngtpatch.files.writing import scratch_file
from ngtpatch.installer.payloads import MAX_UNPACKED, opener
from ngtpatch.iso.read.bytesource import FileSource, SourceStream

__all__ = ["Rewritten", "RewrittenArchive", "rewritten"]

_BLOCK = 1 << 20


@dataclass(frozen=True)
class RewrittenArchive:
    """An archive with other members.

    Attributes:
        content: all of it.
        sha256_before: of the vendor's archive.
        sha256_after: of *content*.
        removed: the digests of the members that are gone, by member.
    """

    content: FileSource
    sha256_before: str
    sha256_after: str
    removed: Mapping[str, str]


@dataclass(frozen=True)
class Rewritten:
    """What was written again, by path, and what could not be, with the reason."""

    archives: Mapping[str, RewrittenArchive]
    left: Mapping[str, str]


@contextmanager
def rewritten(
    tree: FileTree,
    changes: Mapping[str, Mapping[str, bytes | None]],
    scratch: Path | None,
    output: Path | None,
) -> Iterator[Rewritten]:
    """Write archives of *tree* again, each read back; they are there until the block ends.

    Args:
        tree: the files.
        changes: new contents by archive and member; None for a member that goes.
        scratch: a directory on the output's disk; by default that for temporary files.
        output: what they are for, if it is a file or a directory.

    Raises:
        VerificationError: ``read-back``: an archive came out otherwise than planned.
        OutputError: there is no room for them, which is said of *output*.
    """
    archives: dict[str, RewrittenArchive] = {}
    left: dict[str, str] = {}
    with ExitStack() as stack:
        for path, wanted in sorted(changes.items()):
            file = stack.enter_context(scratch_file(scratch, output))
            try:
                archives[path] = _again(tree, path, wanted, file)
            except (NotRewritten, ArchiveDamaged) as error:
                left[path] = str(error)
                continue
            stack.callback(archives[path].content.close)
        yield Rewritten(archives, left)


def _again(
    tree: FileTree, path: str, wanted: Mapping[str, bytes | None], file: BinaryIO
) -> RewrittenArchive:
    source = opener(tree, path)
    rewrite(source, path, file, wanted, limit=MAX_UNPACKED)
    file.flush()
    content = FileSource(unnamed_to(file.fileno()))

    def written() -> BinaryIO:
        return io.BufferedReader(SourceStream(content, ((0, content.size),)), _BLOCK)

    found = confirm(source, written, path, wanted, limit=MAX_UNPACKED)
    if found is not None:
        raise VerificationError("read-back", f"{path} did not come out as planned: {found}")
    with source() as stream:
        before = sha256_of_stream(stream)
    gone = {member for member, content in wanted.items() if content is None}
    removed = {
        member.name: sha256_of_bytes(member.read())
        for member in (members(source, path, limit=MAX_UNPACKED) if gone else ())
        if member.name in gone
    }
    after = sha256_of_source(content, content.size)
    return RewrittenArchive(content, before, after, removed)
