# SPDX-License-Identifier: Apache-2.0
"""What an edit leaves on a disc that no longer holds: digests, and a partition's end.

Digests of the whole disc are found where the programs that write them put them; lists of
files' digests by their names (``SHA256SUMS``, ``md5sum.txt``, ``a.iso.sha256``), and below
``installer/linux`` under any name where they are small. Another list is not looked for.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ngtpatch.installer.layout import ROOT
from ngtpatch.iso.read.disc_digests import disc_digests

if TYPE_CHECKING:
    from ngtpatch.files.tree import FileTree
    from ngtpatch.iso.read.volume import Volume

__all__ = ["partition_notice", "stale_digests", "stale_notice"]

_LIST = re.compile(
    r"(md5|sha\d*|b2|check)-?sums?(\.txt|\.asc)?$|^(checksums?|md5|sha-?\d+)(\.txt)?$"
    r"|\.(md5|sha\d+)(sums?)?(\.txt)?$",
    re.IGNORECASE,
)
_LARGEST_LIST = 4 << 20
_LARGEST_OF_ANY_NAME = 64 << 10
_DIGITS = re.compile(rb"[0-9A-Fa-f]{32}")
# GNU and BSD style; a path ends with its line.
_LINES = (
    re.compile(r"(?P<digest>[0-9A-Fa-f]{32,128}) [ *]?(?P<path>.+)$"),
    re.compile(r"\w[\w-]* ?\((?P<path>.+)\) ?= ?(?P<digest>[0-9A-Fa-f]{32,128})$"),
)
_ALONE = re.compile(r"[0-9A-Fa-f]{32,128}$")
"""A line of nothing but a digest: of the file that the list is named after."""
_ALGORITHMS = {
    32: ("md5",),
    40: ("sha1",),
    56: ("sha224",),
    64: ("sha256",),
    96: ("sha384",),
    128: ("sha512", "blake2b"),
}
"""By the length in digits; b2sum writes as many as sha512sum."""
_BLOCK = 1 << 20


def stale_digests(image: Volume, changed: Collection[str]) -> tuple[str, ...]:
    """Return the digests on an edited image that its edit has made wrong, by name or path.

    Args:
        image: the result.
        changed: paths in the most expressive tree whose content is new, or that are gone.
    """
    if not changed:
        return ()
    whole = disc_digests(image.source, image.descriptors)
    return (*whole, *_lists(image.tree, frozenset(changed)))


def stale_notice(stale: Collection[str]) -> str | None:
    """Return the one sentence about them; None where there are none."""
    if not stale:
        return None
    tags = any("libisofs" in name for name in stale)
    return f"digests on the disc no longer hold for what was changed: {', '.join(stale)}" + (
        "; xorriso with -md5 on will not load it" if tags else ""
    )


def partition_notice(image: Volume) -> str | None:
    """Return a sentence about the partitions of a hybrid's boot record that end too early."""
    short = [
        partition
        for partition in image.descriptors.system_area.partitions
        if partition.end < image.size
    ]
    if not short:
        return None
    ends = " and ".join(f"{one.number} ends at byte {one.end:,}" for one in short)
    return (
        f"partition {ends}, before the image does ({image.size:,}): what is behind it is not "
        "seen through the partition, on a USB stick for example; as a CD-ROM the disc is whole"
    )


def _lists(tree: FileTree, changed: frozenset[str]) -> Iterator[str]:
    """Yield the lists in which a line about a changed file does not hold."""
    for path in sorted(tree):
        named = _LIST.search(posixpath.basename(path)) is not None
        largest = _LARGEST_LIST if named else _LARGEST_OF_ANY_NAME
        if not (named or path.startswith(ROOT)) or tree.size(path) > largest:
            continue
        data = tree[path]
        text = data.decode("utf-8", "replace") if _DIGITS.search(data) else ""
        if any(_broken(tree, path, line.strip(), changed) for line in text.splitlines()):
            yield path


def _broken(tree: FileTree, path: str, line: str, changed: frozenset[str]) -> bool:
    if _ALONE.match(line):
        line = f"{line}  {posixpath.basename(path).rpartition('.')[0]}"
    for pattern in _LINES:
        found = pattern.match(line)
        if found is None:
            continue
        # On Windows a path is written with backslashes.
        digest, named = found["digest"].lower(), found["path"].replace("\\", "/")
        # Relative to the list, as sha256sum wants it, or to the disc's root.
        for whole in (posixpath.join(posixpath.dirname(path), named), named):
            target = posixpath.normpath(whole).lstrip("/")
            if target in changed:
                return target not in tree or not _holds(tree, target, digest)
    return False


def _holds(tree: FileTree, path: str, digest: str) -> bool:
    """Tell whether a file has a digest; yes where it is of no algorithm that is known."""
    names = _ALGORITHMS.get(len(digest))
    if names is None:
        return True
    found = [hashlib.new(name, usedforsecurity=False) for name in names]
    with tree.open(path) as stream:
        while block := stream.read(_BLOCK):
            for one in found:
                one.update(block)
    return any(one.hexdigest() == digest for one in found)
