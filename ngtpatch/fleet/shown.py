# SPDX-License-Identifier: Apache-2.0
"""What ISOs, directories and inventories hold of identity, as it may be shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ngtpatch.errors import VerificationError
from ngtpatch.fleet.tasks import Task, targets
from ngtpatch.identity.describe import Description, describe

__all__ = ["Shown", "ShownAll", "show_identities"]


@dataclass(frozen=True)
class Shown:
    """One redacted identity, and where it was found.

    Attributes:
        source: the ISO, directory or row.
        elsewhere: identity that a search of every byte found outside of its files; None
            where there was nothing to search but the files.
        unread: compressed files that were not looked into; likewise.
    """

    source: str
    identity: Description
    elsewhere: tuple[str, ...] | None = None
    unread: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ShownAll:
    """The document of ``ngtpatch identity show``."""

    SCHEMA: ClassVar[str] = "ngtpatch.identity-show/1"

    identities: tuple[Shown, ...]


def show_identities(paths: Iterable[Path], *, certificates: Path | None = None) -> ShownAll:
    """Return what *paths* hold, a private key's bytes never.

    Args:
        paths: ISOs, directories, inventories.
        certificates: a directory of certificates to complete an inventory from.

    Raises:
        InputError: the paths cannot be used, see :func:`~ngtpatch.fleet.tasks.targets`.
        VerificationError: one of the identities in them cannot be read.
    """
    return ShownAll(tuple(map(_shown, targets(paths, certificates=certificates))))


def _shown(task: Task) -> Shown:
    if task.problem is not None:
        raise VerificationError(task.problem.code, task.problem.message, path=task.problem.path)
    traces = task.traces
    return Shown(
        task.identity.source,
        describe(task.identity),
        None if traces is None else (*map(str, traces.found), *traces.beside),
        None if traces is None else traces.unread,
    )
