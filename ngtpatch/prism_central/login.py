# SPDX-License-Identifier: Apache-2.0
"""Who asks Prism Central: from the environment, a file or the keyring. Never an argument."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.bounded import read_small_and_mode

__all__ = ["Login", "find_login"]

_LIMIT = 64 << 10
_NAMES = ("username", "password", "api_key")
# Ours first, then those of Nutanix' Ansible collection and Packer plugin.
_PREFIXES = ("NGTPATCH_PRISM_", "NUTANIX_")
_HOW = (
    "set NGTPATCH_PRISM_USERNAME and NGTPATCH_PRISM_PASSWORD (or NGTPATCH_PRISM_API_KEY), name a"
    " file with --credentials, or keep the password in the keyring as service ngtpatch:HOST"
)


@dataclass(frozen=True)
class Login:
    """A user and a password, or an API key; neither is shown by repr."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def pair(self) -> bytes:
        """USER:PASSWORD, as it is sent."""
        return f"{self.username}:{self.password}".encode("utf-8", "surrogateescape")


def find_login(host: str, path: Path | None = None) -> Login:
    """Return the credentials for *host*: of the file at *path* if named, else the environment's.

    A user name without a password is completed from the keyring, if the package keyring is there.

    Raises:
        InputError: ``credentials``: the file cannot be used; ``exposed``: others may read it.
        UsageError: ``no-credentials``.
    """
    said = _of_file(path) if path is not None else _of_environment(os.environ)
    if said.get("api_key"):
        return _sendable(host, Login(api_key=said["api_key"].strip()))
    username, password = said.get("username"), said.get("password")
    if username and not password:
        password = _of_keyring(host, username)
    if not username or not password:
        lacks = "a password" if username else "no user name"
        raise UsageError(
            "no-credentials", f"there is no way to log in: {lacks} is found", path=host, hint=_HOW
        )
    return _sendable(host, Login(username, password))


def _sendable(host: str, login: Login) -> Login:
    """Refuse what an HTTP header cannot hold, which the libraries below would quote."""
    key = login.api_key or ""
    if not (key.isascii() and (key.isprintable() or not key)):
        raise UsageError(
            "credentials", "the API key has other characters than an API key can have", path=host,
            hint="see whether all of it, and nothing else, was copied",
        )  # fmt: skip
    if login.username is not None and ":" in login.username:
        raise UsageError(
            "credentials", "the user name has a colon, which HTTP takes for the password's begin",
            path=host, hint=_HOW,
        )  # fmt: skip
    return login


def _of_environment(environment: Mapping[str, str]) -> dict[str, str]:
    for prefix in _PREFIXES:
        found = {name: environment.get(prefix + name.upper(), "") for name in _NAMES}
        if found["api_key"] or found["username"]:
            return found
    return {}


def _of_file(path: Path) -> dict[str, str]:
    """Read lines of ``username = ...``, ``password = ...``, ``api_key = ...``."""
    data, mode = read_small_and_mode(path, limit=_LIMIT, what="file of credentials")
    with suppress(OSError):
        mode = path.stat().st_mode
    if stat.S_ISREG(mode) and mode & 0o077:
        raise InputError(
            "exposed", "holds credentials, and others than you may read it", path=str(path),
            hint=f"chmod 600 {path}",
        )  # fmt: skip
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name.strip() not in _NAMES:
            # What stands there may be a secret: it is not quoted.
            raise InputError(
                "credentials", f"line {number} is not NAME = VALUE", path=str(path),
                hint=f"NAME is one of {', '.join(_NAMES)}",
            )  # fmt: skip
        found[name.strip()] = value.strip()
    return found


def _of_keyring(host: str, username: str) -> str | None:
    try:
        keyring = import_module("keyring")
    except ImportError:
        return None
    try:
        found: str | None = keyring.get_password(f"ngtpatch:{host}", username)
    except Exception:  # whatever a back end raises: there is no password
        return None
    return found
