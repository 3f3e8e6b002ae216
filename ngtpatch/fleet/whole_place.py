# SPDX-License-Identifier: Apache-2.0
"""Where ``inject -n --whole FILE`` may write: over no input of the run, in no output's place."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ngtpatch.errors import InputError, UsageError
from ngtpatch.fleet.destination import open_destination
from ngtpatch.fleet.whole import read_whole

if TYPE_CHECKING:
    from ngtpatch.fleet.plan import FleetPlan

__all__ = ["require_no_input", "require_own_place"]

_PARTS: tuple[Literal["config", "certificate", "key", "authority"], ...] = (
    "config", "certificate", "key", "authority",
)  # fmt: skip
_HINT = "name another FILE for --whole"


def require_no_input(path: Path | None, inputs: Iterable[str | Path | None]) -> None:
    """Refuse a file that is one of *inputs*, or that is there in a directory among them.

    In a directory, one that an earlier ``--whole`` wrote is no input; None never is.

    Raises:
        UsageError: ``same-file``, whatever its name is and also with ``--force``.
    """
    if path is None or not path.exists():
        return
    status, real = path.stat(), Path(os.path.realpath(path))
    for given in inputs:
        if given is None:
            continue
        try:
            found = os.stat(given)  # noqa: PTH116 - up to 200,000, no Path for each
        except OSError:  # told where it is read
            continue
        same = (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)
        # Of so many files, none but a directory is asked for its own path.
        inside = stat.S_ISDIR(found.st_mode) and Path(os.path.realpath(given)) in real.parents
        if same or (inside and not _is_whole(path)):
            raise UsageError(
                "same-file", "is an input of this run, which no output replaces",
                path=str(path), hint=_HINT,
            )  # fmt: skip


def require_own_place(path: Path | None, plan: FleetPlan) -> None:
    """Refuse a file that *plan* reads, and the place of anything that a run of it writes.

    None is in nobody's way. Raises UsageError ``same-file``.
    """
    if path is None:
        return
    require_no_input(path, _read_by(plan))
    destination = open_destination(plan.settings)
    taken = [destination.ledger((1, 1)), *destination.ledgers()]
    if "://" not in plan.settings.destination:
        directory = Path(plan.settings.destination)
        taken += [directory, directory / ".ngtpatch"]
        taken += [directory / order.output for order in plan.orders]
        # A shard's ledger is there when the shard has run, which comes after this.
        own = fnmatchcase(path.name.casefold(), "ledger-*-of-*.jsonl")
        inside = _folded(path.parent) == _folded(directory / ".ngtpatch")
        inside = inside or (own and _folded(path.parent) == _folded(directory))
    else:
        inside = False
    if inside or _folded(path) in map(_folded, taken):
        raise UsageError(
            "same-file", "is where the run writes its images, its ledger or its locks",
            path=str(path), hint=_HINT,
        )  # fmt: skip
    require_no_input(path, (one for one in taken if not one.is_dir()))


def _read_by(plan: FleetPlan) -> Iterator[str | None]:
    for order in plan.orders:
        for part in _PARTS:
            yield order.row.file(part)
        if plan.settings.each:
            yield f"{plan.settings.base}/{order.output}"


def _folded(path: Path) -> str:
    # As of outputs' names: on some file systems names that differ in case are one.
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _is_whole(path: Path) -> bool:
    try:
        read_whole(path)
    except (InputError, OSError):
        return False
    return True
