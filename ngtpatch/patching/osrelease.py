# SPDX-License-Identifier: Apache-2.0
"""What a distribution says about itself: os-release(5).

Read by the distro package, which newer installers of NGT use too: what it makes
of a file is what the installer compares.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small

__all__ = ["THIS_HOST", "OsRelease", "read_os_release", "running_os_release"]

THIS_HOST = "this host's os-release"
"""Stands for a file's name where ngtpatch asked the system that it runs on."""

_HOW = "copy /etc/os-release from the guest; see os-release(5)"
_LEGACY = re.compile(r"([^=]+?) release ([\d.]+)[^(=]*(?:\([^=]+\))?")
_MAX_BYTES = 64 << 10  # real ones have less than 2 KiB


@dataclass(frozen=True)
class OsRelease:
    """The keys of an os-release file that decide anything; empty where a key is missing.

    Attributes:
        name: NAME. The installer compares it, lower-cased.
        id: ID.
        id_like: ID_LIKE, in its order.
        version_id: VERSION_ID.
        platform_id: PLATFORM_ID.
        source: the file, or where else it came from.
    """

    name: str
    id: str
    id_like: tuple[str, ...]
    version_id: str
    platform_id: str
    source: str


def read_os_release(path: Path | str) -> OsRelease:
    """Read an os-release file, or the /etc/redhat-release of a guest that has none.

    Raises:
        InputError: ``not-found``, ``unreadable``, ``not-os-release`` (not text, not
            assignments, too large, control characters) or ``os-release-name`` (no NAME).
    """
    path = Path(path)
    text = _require_text(path)
    if not text.strip():
        raise _unusable(path, "is empty: it says nothing of the guest")
    legacy = _release_line(text)
    if legacy is not None:
        return _from({"name": legacy[1].strip(), "version_id": legacy[2].strip(".")}, str(path))
    import distro

    try:
        with NamedTemporaryFile("w", encoding="utf-8") as copy:  # a pipe cannot be read again
            copy.write(text)
            copy.flush()
            values = distro.LinuxDistribution(
                include_lsb=False,
                include_uname=False,
                include_oslevel=False,
                os_release_file=copy.name,
            ).os_release_info()
    except ValueError as error:  # the shell's rules of quoting
        raise _unusable(path, f"is not an os-release file: {error}".lower()) from None
    if not any(key in values for key in ("name", "id", "pretty_name")):
        raise _unusable(path, "is not an os-release file: it sets neither NAME nor ID")
    if not values.get("name"):
        raise InputError(
            "os-release-name",
            "has no NAME, and the installer goes by NAME",
            path=str(path),
            hint='add the line NAME="..." with what the distribution calls itself in '
            "/etc/redhat-release",
        )
    return _from(values, str(path))


def running_os_release() -> OsRelease:
    """Return what the distro package says about the running host.

    Raises:
        InputError: ``os-release-name`` when the host does not say its name.
    """
    import distro

    values = distro.os_release_info()
    if not values.get("name"):
        raise InputError(
            "os-release-name",
            "this host's os-release has no NAME",
            path="/etc/os-release",
            hint="give a file with --os-release",
        )
    return _from(values, THIS_HOST)


def _require_text(path: Path) -> str:
    raw = read_small(path, limit=_MAX_BYTES, what="os-release file", hint=_HOW)
    if raw.startswith(BOM_UTF8):
        # To the guest's own readers it is a part of the first name.
        raise InputError(
            "not-os-release", "starts with a byte order mark, which hides the first line from a"
            " guest's readers", path=str(path), hint="save it as UTF-8 without BOM",
        )  # fmt: skip
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _unusable(path, "is not an os-release file: it is not UTF-8 text") from None


def _release_line(text: str) -> re.Match[str] | None:
    """Return name and version of a legacy release file: "CentOS release 6.10 (Final)".

    Read as ``platform.linux_distribution`` of Python 2 reads it.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    return _LEGACY.fullmatch(lines[0].strip()) if len(lines) == 1 else None


def _from(values: dict[str, str], source: str) -> OsRelease:
    keys = ("name", "id", "id_like", "version_id", "platform_id")
    for key in keys:
        if not values.get(key, "").isprintable():
            raise InputError(
                "not-os-release",
                f"{key.upper()} has control characters: {values[key]!r}",
                path=source,
                hint=_HOW,
            )
    name, id_, id_like, version_id, platform_id = (values.get(key, "").strip() for key in keys)
    return OsRelease(name, id_, tuple(id_like.split()), version_id, platform_id, source)


def _unusable(path: Path, message: str) -> InputError:
    return InputError("not-os-release", message, path=str(path), hint=_HOW)
