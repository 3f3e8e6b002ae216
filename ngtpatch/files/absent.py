# SPDX-License-Identifier: Apache-2.0
"""The errors for a path at which nothing can be opened: it may be an address of the network."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from ngtpatch.errors import InputError, UsageError, unreadable

__all__ = ["absent", "is_address", "meant", "nowhere", "unopened"]

# pathlib makes one slash of two.
_ADDRESS = re.compile(r"(https?|ftps?|sftp|scp|nfs|smb|s3|file):/", re.IGNORECASE)

_MOST_NAMES = 1000
"""Names of a directory that are compared: a fleet has many, and looks for many."""
_ALIKE = 0.75


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
    hint = meant(path)
    if hint is None and not Path(path).is_absolute():
        hint = f"it was looked for in {Path.cwd() / Path(path).parent}"
    return InputError("not-found", "there is no such file", path=str(path), hint=hint)


def meant(path: str | Path) -> str | None:
    """Return what may have been meant by a *path* where nothing is; None where nothing tells."""
    path = Path(path)
    with suppress(OSError, ValueError):  # a directory that may not be read, a name that is none
        if path.is_symlink():
            return f"it is a symbolic link to {os.readlink(path)!r}, where nothing is"  # noqa: PTH115
        missing = [one for one in path.parents if not one.exists()]
        if missing:
            return f"there is no directory {missing[-1]}"
        names = [entry.name for entry in islice(os.scandir(path.parent), _MOST_NAMES)]
        close = [name for name in names if name.lower() == path.name.lower()]
        close += get_close_matches(path.name, names, 1, _ALIKE)
        if close:
            return f"did you mean {str(path.parent / close[0])!r}?"
    return None


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
    return unreadable(error, path=str(path))


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
