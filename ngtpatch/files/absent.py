# SPDX-License-Identifier: Apache-2.0
"""The errors for a path that is not there: it may be an address of the network."""

from __future__ import annotations

import re
from pathlib import Path

from ngtpatch.errors import InputError, UsageError

__all__ = ["absent", "is_address", "nowhere"]

# pathlib makes one slash of two.
_ADDRESS = re.compile(r"(https?|ftps?|sftp|scp|nfs|smb|s3|file):/", re.IGNORECASE)


def is_address(path: str | Path) -> bool:
    """Tell whether a path is written like an address of the network."""
    return _ADDRESS.match(str(path)) is not None


def absent(path: str | Path) -> InputError:
    """Return ``address`` for an address, which is not fetched, and ``not-found`` for all else."""
    if is_address(path):
        return InputError(
            "address",
            "is an address, and only files and devices are read",
            path=str(path),
            hint="download it first, and name the file: curl -fLO ADDRESS",
        )
    return InputError("not-found", "there is no such file", path=str(path))


def nowhere(target: Path, directory: Path) -> UsageError:
    """Return the error for an output whose *directory* does not exist.

    Its code is ``address`` for an address, to which nothing is sent, and ``no-such-directory``
    for all else.
    """
    if is_address(target):
        return UsageError(
            "address",
            "is an address, and only files are written here",
            path=str(target),
            hint="name a file, and upload it afterwards",
        )
    return UsageError(
        "no-such-directory",
        f"the directory {directory} does not exist",
        path=str(target),
        hint="create it, or name another output",
    )
