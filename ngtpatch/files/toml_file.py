# SPDX-License-Identifier: Apache-2.0
"""Reading TOML, with one clear error for each way in which it cannot be read."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError, unreadable
from ngtpatch.files.bounded import read_small
from ngtpatch.files.digest import sha256_of_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["parse_toml", "read_toml", "toml_files"]

_MAX_BYTES = 1 << 20


def read_toml(path: Path, *, what: str) -> tuple[dict[str, Any], str]:
    """Return the data in *path*, which should hold a *what* ("patch"), and its bytes' SHA-256.

    Raises:
        InputError: ``not-text``, ``not-toml``, or as :func:`~ngtpatch.files.bounded.read_small`.
    """
    raw = read_small(path, limit=_MAX_BYTES, what=f"{what} file")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not-text", f"the {what} is not UTF-8 text", path=str(path)) from None
    return parse_toml(text, what=f"the {what}", path=str(path)), sha256_of_bytes(raw)


def parse_toml(text: str, *, what: str, path: str, code: str = "not-toml") -> dict[str, Any]:
    """Return the data in *text*. Raises InputError *code*, which calls the text *what*."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(code, f"{what} is not TOML: {error}", path=path) from None
    return data


def toml_files(directory: Path, *, what: str) -> list[Path]:
    """Return the TOML files in *directory*, sorted by name.

    Raises:
        InputError: ``not-found``, ``not-directory``, ``unreadable``.
    """
    try:
        mode = directory.stat().st_mode
    except FileNotFoundError:
        raise InputError(
            "not-found", f"there is no such directory of {what} files", path=str(directory)
        ) from None
    except OSError as error:  # it lies where this user may not look, say
        raise InputError(
            "unreadable", f"cannot be looked at: {error.strerror}", path=str(directory)
        ) from None
    if not stat.S_ISDIR(mode):
        raise InputError(
            "not-directory",
            f"this is not a directory of {what} files",
            path=str(directory),
            hint="give the directory that holds the .toml file",
        )
    try:
        # Not glob(), which finds nothing where it may not look.
        return sorted(path for path in directory.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise unreadable(error, path=str(directory), verb="listed") from None
