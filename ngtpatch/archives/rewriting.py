# SPDX-License-Identifier: Apache-2.0
"""An archive of any kind: its members, the same archive with others, and the proof of that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import BinaryIO, cast

from ngtpatch.archives.gzipped import GzipReader, GzipWriter
from ngtpatch.archives.members import ArchiveDamaged, Member
from ngtpatch.archives.streams import Sequential
from ngtpatch.archives.tar import plan_tar, splice, tar_members
from ngtpatch.archives.zip import rewrite_zip, zip_members

__all__ = ["Opened", "confirm", "is_rewritable", "members", "rewrite"]

Opened = Callable[[], BinaryIO]
"""Opens an archive's bytes anew, seekable."""

_GZIPPED = (".tar.gz", ".tgz")
_REWRITABLE = (*_GZIPPED, ".tar", ".zip")


def is_rewritable(name: str) -> bool:
    """Tell by its name whether an archive is of a kind that is written again."""
    return name.endswith(_REWRITABLE)


def members(opened: Opened, name: str, *, limit: int) -> Iterator[Member]:
    """Yield an archive's members, in its order.

    Args:
        opened: opens it.
        name: tells its kind.
        limit: bytes of unpacked archive to read at most.

    Raises:
        ArchiveDamaged: it cannot be read to its end, or is longer than *limit*.
    """
    with opened() as packed:
        if name.endswith(".zip"):
            yield from zip_members(packed, limit)
            return
        try:
            stream = GzipReader(packed) if name.endswith(_GZIPPED) else packed
        except (ValueError, EOFError) as error:
            raise ArchiveDamaged(f"the archive cannot be read: {error}") from None
        yield from tar_members(cast(Sequential, stream), limit)


def rewrite(
    opened: Opened,
    name: str,
    target: BinaryIO,
    changes: Mapping[str, bytes | None],
    *,
    limit: int,
) -> None:
    """Write an archive to *target* with other contents for members, or without them (None).

    The order, the names, modes, owners and times of all, and every byte that does not
    depend on a changed content, are the old ones. The same input gives the same bytes,
    whatever zlib there is. What was written is not believed
    before :func:`confirm` has read it.

    Args:
        opened: opens the archive.
        name: tells its kind.
        target: where it goes.
        changes: by member's name.
        limit: bytes of unpacked archive to read at most.

    Raises:
        ArchiveDamaged: it cannot be read to its end.
        NotRewritten: it cannot be changed so; see :func:`plan_tar` and :func:`rewrite_zip`.
    """
    with opened() as packed:
        if name.endswith(".zip"):
            rewrite_zip(packed, target, changes)
        elif name.endswith(_GZIPPED):
            _rewrite_gzipped(opened, packed, target, changes, limit)
        else:
            with opened() as first:
                splices = plan_tar(cast(Sequential, first), changes, limit)
            splice(cast(Sequential, packed), target, splices)


def _rewrite_gzipped(
    opened: Opened,
    packed: BinaryIO,
    target: BinaryIO,
    changes: Mapping[str, bytes | None],
    limit: int,
) -> None:
    try:
        with opened() as first:
            splices = plan_tar(GzipReader(cast(Sequential, first)), changes, limit)
        source = GzipReader(cast(Sequential, packed))
        writer = GzipWriter(target, source.header)
        splice(source, cast(BinaryIO, writer), splices)
        writer.finish(source.padding)
    except (ValueError, EOFError) as error:
        raise ArchiveDamaged(f"the archive cannot be read to its end: {error}") from None


def confirm(
    before: Opened,
    after: Opened,
    name: str,
    changes: Mapping[str, bytes | None],
    *,
    limit: int,
) -> str | None:
    """Read both archives, and return what is not as planned; None if all is.

    The second must have the first one's members in their order, with all that is said of
    them and their content, but for *changes*.

    Raises:
        ArchiveDamaged: one cannot be read to its end.
    """
    old = (
        one for one in members(before, name, limit=limit) if changes.get(one.name, b"") is not None
    )
    for one, other in zip_longest(old, members(after, name, limit=limit)):
        if one is None or other is None:
            return f"{(one or other).name} is there once"
        if (one.name, one.regular, one.about) != (other.name, other.regular, other.about):
            return f"{one.name} came out as {other.name}, or with another mode, owner or time"
        if not one.regular:
            continue
        wanted = changes.get(one.name)
        digest = one.digest() if wanted is None else hashlib.sha256(wanted).digest()
        if digest != other.digest():
            return f"{one.name} came out with another content"
    return None
