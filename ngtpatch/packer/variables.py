# SPDX-License-Identifier: Apache-2.0
"""The variables by which a template attaches the ISO. The file is written anew by each call."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngtpatch.errors import InputError, UsageError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.json_file import read_json_object

if TYPE_CHECKING:
    from ngtpatch.packer.preparing import PrepareResult

__all__ = ["VARIABLES", "read_variables", "require_variables", "write_variables"]

VARIABLES = "ngtpatch.auto.pkrvars.json"
_NAMES = ("ngt_iso_path", "ngt_iso_name", "ngt_iso_sha256", "ngt_profile")
_MAX_BYTES = 1 << 20


def require_variables(path: Path, *, force: bool = False) -> None:
    """Refuse a file that is not to be written, before any work: one that holds anything else.

    Raises:
        UsageError: ``output-exists``: it holds more than our variables, and no *force*; and as
            :func:`ngtpatch.files.atomic.check_target`.
        OutputError: ``read-only``, ``not-writable``.
    """
    check_target(path, force=True)
    if force or not path.exists():
        return
    with suppress(InputError):
        if _read(path).keys() <= {*_NAMES}:
            return
    raise UsageError(
        "output-exists", "exists already, and holds more than packer prepare writes",
        path=str(path), hint="name another file with --variables, or use --force to replace it",
    )  # fmt: skip


def write_variables(result: PrepareResult, path: Path, *, force: bool = False) -> None:
    """Write what a template needs to know; Packer loads ``*.auto.pkrvars.json`` by itself.

    Raises as :func:`require_variables`.
    """
    require_variables(path, force=force)
    values = (result.iso_path, result.iso_name, result.iso_sha256, result.profile)
    with new_file(path, force=True) as file:
        file.write(json.dumps(dict(zip(_NAMES, values, strict=True)), indent=2).encode() + b"\n")


def read_variables(path: Path) -> dict[str, str]:
    """Return our variables, whatever else is with them. Raises InputError ``variables``."""
    values = _read(path)
    missing = [name for name in _NAMES if not isinstance(values.get(name), str)]
    if missing:
        raise InputError(
            "variables", f"lacks {', '.join(missing)}", path=str(path),
            hint="ngtpatch packer prepare writes them",
        )  # fmt: skip
    return {name: values[name] for name in _NAMES}


def _read(path: Path) -> dict[str, Any]:
    return read_json_object(
        path, limit=_MAX_BYTES, what="file of variables", code="variables",
        hint="ngtpatch packer prepare writes it",
    )  # fmt: skip
