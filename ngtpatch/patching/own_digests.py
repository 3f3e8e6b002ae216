# SPDX-License-Identifier: Apache-2.0
"""Where the disc's own programs hold a digest of a file that is changed: they may compare it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from ngtpatch.installer.execution.way import is_python, is_shell
from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.payloads import size_of
from ngtpatch.patching.doubts import Doubt

__all__ = ["own_digests"]

_LARGEST_SCRIPT = 1 << 20
_ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


def own_digests(tree: Mapping[str, bytes], changed: Mapping[str, bytes]) -> Iterator[Doubt]:
    """Yield the lines of scripts that have a digest, in hexadecimal digits, of a changed file.

    Args:
        tree: the files as shipped.
        changed: those that change, as shipped.
    """
    digests = [
        hashlib.new(name, content, usedforsecurity=False).hexdigest().encode()
        for content in changed.values()
        for name in _ALGORITHMS
    ]
    for path in sorted(tree) if digests else ():
        if (
            path.startswith(ROOT)
            and size_of(tree, path) <= _LARGEST_SCRIPT
            and (is_python(tree, path) or is_shell(tree, path))
        ):
            content = tree[path].lower()
            for digest in digests:
                at = content.find(digest)
                if at >= 0:
                    line = content.count(b"\n", 0, at) + 1
                    yield Doubt(path, line, "digest", hashlib.sha256(tree[path]).hexdigest())
