# SPDX-License-Identifier: Apache-2.0
"""Directories that outputs go to: made by all commands alike, with those above them.

A file's directory has to be there, and a directory that was named for outputs is made: a typing
error in the first would go unseen, and the second is new in most cases.
"""

from __future__ import annotations

import os
from pathlib import Path

from ngtpatch.errors import UsageError
from ngtpatch.files.absent import is_address, nowhere
from ngtpatch.files.writing import explained, require_writable

__all__ = ["foresee_directory", "make_directory", "nearest"]


def foresee_directory(directory: Path) -> None:
    """Return if *directory* is there to be written to, or can be made. Nothing is made.

    Raises:
        UsageError: ``not-a-directory``: something else has the name, or that of one above it;
            ``address``: it is written like one of the network.
        OutputError: ``read-only``, ``not-writable``.
    """
    # No directory that is called so is made by mistake.
    if is_address(directory) and not directory.is_dir():
        raise nowhere(directory, directory)
    there = nearest(directory)
    if not there.is_dir():
        raise UsageError(
            "not-a-directory", "is not a directory", path=str(there),
            hint="name a directory, or one that can be made",
        )  # fmt: skip
    require_writable(there, directory)


def nearest(path: Path) -> Path:
    """Return *path*, or of those above it the first that is there."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def make_directory(directory: Path, *, mode: int = 0o777) -> None:
    """Make *directory*, and those above it, where they are missing.

    Args:
        directory: for outputs.
        mode: permission bits of *directory* itself, if it is made; the umask applies.

    Raises:
        UsageError, OutputError: as :func:`foresee_directory`.
    """
    foresee_directory(directory)
    with explained(directory):
        if not directory.parent.is_dir():
            directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=mode, exist_ok=True)
