# SPDX-License-Identifier: Apache-2.0
"""Files of the disc that a program names: on which guests the one that is named is there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from ngtpatch.installer.execution.varied import Plain, Varied

__all__ = ["DISC", "DiscFiles"]

#: Where the disc is mounted, as far as the installer can see.
DISC = "/ngt-disc/"


class DiscFiles:
    """The files of a tree, and the paths that the program itself may have made."""

    def __init__(self, tree: Mapping[str, bytes]) -> None:
        self._tree = tree
        self._folders: frozenset[str] | None = None
        self._made: set[str] = set()
        self._said: dict[re.Pattern[bytes], bool] = {}

    def make(self, path: Plain) -> None:
        """Note that the program may make a file or a folder at *path*."""
        if isinstance(path, str) and path.startswith(DISC):
            self._made.add(posixpath.normpath(path.removeprefix(DISC)))

    def may_be_made(self, path: str) -> bool:
        """Tell whether the program may have made what is at *path*, or a folder around it."""
        place = posixpath.normpath(path.removeprefix(DISC))
        while place:
            if place in self._made:
                return True
            place = posixpath.dirname(place)
        return False

    def is_known(self, path: Plain) -> bool:
        """Tell whether a path leads to the disc, and to nothing that the program has made."""
        return self.holds(path) is not None and not self.may_be_made(path)

    def holds(self, path: Plain) -> bool | None:
        """Tell whether a path is there as shipped; None where it does not lead to the disc."""
        if not isinstance(path, str) or not path.startswith(DISC):
            return None
        place = posixpath.normpath(path.removeprefix(DISC))
        if place.startswith(".."):
            return None
        return place in self._tree or place in self._all_folders

    def is_said(self, words: re.Pattern[bytes]) -> bool:
        """Tell whether a Python file of the tree has one of *words*."""
        if words not in self._said:
            self._said[words] = any(
                path.endswith(".py") and words.search(self._tree[path]) for path in self._tree
            )
        return self._said[words]

    def path_of(self, path: Plain) -> str | None:
        """Return which file of the tree a path leads to; None where it leads to none."""
        if not self.holds(path):
            return None
        place = posixpath.normpath(str(path).removeprefix(DISC))
        return place if place in self._tree else None

    def ending_in(self, path: Plain) -> frozenset[str]:
        """Return the files of the tree that a relative path may lead to, in any folder."""
        if not isinstance(path, str) or path.startswith(("/", "-")) or not path.strip("./"):
            return frozenset()
        tail = "/" + posixpath.normpath(path)
        return frozenset(one for one in self._tree if one.endswith(tail))

    def parted(self, path: Varied, mask: int) -> tuple[int, int]:
        """Return the guests whose path is there, and those whose is not.

        Where none of them names a file that is there, it is no search among the disc's files:
        what is missing for all is made by somebody else, and nobody is without it.
        """
        there = lacking = 0
        for guests, one in path.each(mask):
            found = self.holds(one)
            there |= guests if found else 0
            lacking |= guests if found is False else 0
        return (there, lacking) if there else (0, 0)

    @property
    def _all_folders(self) -> frozenset[str]:
        if self._folders is None:
            found: set[str] = {"."}
            for path in self._tree:
                folder = posixpath.dirname(path)
                while folder and folder not in found:
                    found.add(folder)
                    folder = posixpath.dirname(folder)
            self._folders = frozenset(found)
        return self._folders
