# SPDX-License-Identifier: Apache-2.0
"""Where the disc's own programs hold a digest of a file that is changed: they may compare it.

Who looks at its size or content without holding a digest is found by executing the programs.
Lists of digests beside the files are told of by a warning: who reads them is not known.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Mapping

from ngtpatch.installer.execution.way import is_python, is_shell
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.payloads import opener, size_of
from ngtpatch.patching.doubts import Doubt

__all__ = ["own_digests", "who_holds_digest"]

_LARGEST = 1 << 20
_CHUNK = 1 << 20
_HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32,128}(?![0-9a-f])")
#: By how many hexadecimal digits a digest has.
_ALGORITHMS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}

_Places = dict[str, list[tuple[str, int]]]


def own_digests(tree: Mapping[str, bytes], changed: Mapping[str, bytes]) -> Iterator[Doubt]:
    """Yield the lines of scripts that have a digest, in hexadecimal digits, of a changed file.

    Args:
        tree: the files as shipped.
        changed: those that change, as shipped.
    """
    held = _held(tree) if changed else {}
    for path in sorted(changed):
        for where, line in _of(tree, path, held):
            yield Doubt(where, line, "digest", hashlib.sha256(tree[where]).hexdigest())


def who_holds_digest(
    tree: Mapping[str, bytes], path: str, *, within: str = ROOT, content: bytes | None = None
) -> str | None:
    """Return script and line of a digest of the file at *path*, of any size; None without one.

    Args:
        tree: the files.
        path: which of them.
        within: where the scripts lie.
        content: of a file that is none of the tree's, such as a member of an archive.
    """
    for where, line in _of(tree, path, _held(tree, within), content):
        return f"{where}:{line}"
    return None


def _of(
    tree: Mapping[str, bytes], path: str, held: _Places, content: bytes | None = None
) -> list[tuple[str, int]]:
    names = {_ALGORITHMS[len(digest)] for digest in held}
    if not names:
        return []
    made = [hashlib.new(name, usedforsecurity=False) for name in sorted(names)]
    with opener(tree, path)() if content is None else io.BytesIO(content) as stream:
        while chunk := stream.read(_CHUNK):
            for one in made:
                one.update(chunk)
    return [place for one in made for place in held.get(one.hexdigest(), ()) if place[0] != path]


def _held(tree: Mapping[str, bytes], within: str = ROOT) -> _Places:
    """Return what looks like a digest in the scripts, and where it stands."""
    found: _Places = {}
    for path in sorted(tree):
        if (
            path.startswith(within)
            and size_of(tree, path) <= _LARGEST
            and (is_python(tree, path) or is_shell(tree, path))
        ):
            content = tree[path].lower()
            for match in _HEX.finditer(content):
                if len(match[0]) in _ALGORITHMS:
                    line = content.count(b"\n", 0, match.start()) + 1
                    found.setdefault(match[0].decode(), []).append((path, line))
    return found
