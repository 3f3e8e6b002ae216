# SPDX-License-Identifier: Apache-2.0
"""The errors for a path at which nothing can be opened: it may be an address of the network."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from ngtpatch.errors import InputError, UsageError

__all__ = ["absent", "is_address", "nowhere", "unopened"]

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


def unopened(error: OSError, path: str | Path, *, other: str = "not-a-file") -> InputError:
    """Return the error for an input that could not be opened or read.

    Its code is ``not-found`` where no file is behind the path, however that comes; *other* where
    something else is; ``unreadable`` where there is one of which nothing more is known.
    """
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return absent(path)
    if error.errno == errno.ELOOP:
        return InputError("not-found", "is a symbolic link that leads in a circle", path=str(path))
    if error.errno == errno.ENXIO:  # a socket, a device without a driver
        return InputError(other, "is neither a file nor a block device", path=str(path))
    return InputError("unreadable", f"cannot be read: {error.strerror}", path=str(path))


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
