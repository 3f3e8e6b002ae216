# SPDX-License-Identifier: Apache-2.0
"""The error for a file that is not there: it may be an address of the network."""

from __future__ import annotations

import re
from pathlib import Path

from ngtpatch.errors import InputError

__all__ = ["absent"]

# pathlib makes one slash of two.
_ADDRESS = re.compile(r"(https?|ftps?|sftp|scp|nfs|smb|s3|file):/", re.IGNORECASE)


def absent(path: str | Path) -> InputError:
    """Return ``address`` for an address, which is not fetched, and ``not-found`` for all else."""
    if _ADDRESS.match(str(path)):
        return InputError(
            "address",
            "is an address, and only files and devices are read",
            path=str(path),
            hint="download it first, and name the file: curl -fLO ADDRESS",
        )
    return InputError("not-found", "there is no such file", path=str(path))
