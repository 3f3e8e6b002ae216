# SPDX-License-Identifier: Apache-2.0
"""Compiled files: what an interpreter runs in a source's place, and what has no source.

Python 2 takes a ``.pyc`` whose recorded time equals its source's, whatever the source holds
(its ``import.c`` compares nothing else), and a patched file keeps its time. Python 3 looks
into ``__pycache__`` and compares the size as well, unless the file says that it is not to be
checked (PEP 552).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable

from ngtpatch.installer.layout import ROOT

__all__ = ["is_cached", "lone_compiled", "source_of", "stale_compiled", "stale_members"]


def stale_compiled(patched: Collection[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Return those of *paths* that are compiled from one of *patched*, sorted.

    Args:
        patched: paths of sources, as in *paths*.
        paths: every path of the tree or archive.
    """
    sources = {path for path in patched if path.endswith(".py")}
    return tuple(sorted(path for path in paths if source_of(path) in sources))


def stale_members(source: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return those *names* of an archive's members that lead to what is compiled from *source*.

    However they are spelled: ``./bin/x.pyc`` and ``bin//x.pyc`` are unpacked to one file.
    """
    wanted = _places(source)
    return tuple(
        sorted(
            name
            for name in names
            if (of := source_of(posixpath.normpath(name))) is not None and _places(of) & wanted
        )
    )


def _places(name: str) -> frozenset[str]:
    """Return where programs unpack *name*: without a leading slash, and with ``..`` resolved, or
    without all up to it, as GNU tar does."""
    behind = re.split(r"(?:^|/)\.\.(?=/|$)", name)[-1]
    return frozenset(posixpath.normpath(one).lstrip("/") for one in (name, f"./{behind}"))


def source_of(path: str) -> str | None:
    """Return the source that a compiled file belongs to; None for any other file."""
    if not path.endswith((".pyc", ".pyo")):
        return None
    directory, name = posixpath.split(path)
    if posixpath.basename(directory) == "__pycache__":
        # module.cpython-312.opt-1.pyc (PEP 3147, PEP 488)
        return posixpath.join(posixpath.dirname(directory), name.partition(".")[0] + ".py")
    return path[:-1]


def lone_compiled(tree: Collection[str]) -> tuple[str, ...]:
    """Return the compiled files in the installer's way that have no source beside them.

    What is in ``__pycache__`` without one is never imported (PEP 3147).
    """
    return tuple(
        path
        for path in sorted(tree)
        if path.startswith(ROOT)
        and (source := source_of(path)) is not None
        and not is_cached(path)
        and source not in tree
    )


def is_cached(path: str) -> bool:
    """Tell whether a compiled file stands in ``__pycache__``, where Python 2 does not look."""
    return "/__pycache__/" in f"/{path}"
