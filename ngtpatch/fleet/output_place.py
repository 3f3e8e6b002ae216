# SPDX-License-Identifier: Apache-2.0
"""Where outputs may not go: in the place of what their own run is made from."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal

from ngtpatch.fleet.order import Settings
from ngtpatch.identity.inventory import Row, RowProblem
from ngtpatch.identity.inventory.row import shortened

__all__ = ["folded", "over_inputs"]


_PARTS: tuple[Literal["config", "certificate", "key", "authority"], ...] = (
    "config", "certificate", "key", "authority",
)  # fmt: skip


def folded(name: str) -> str:
    """Return what is equal where a file system folds case or normalises."""
    return unicodedata.normalize("NFC", name).casefold()


def over_inputs(
    outputs: Mapping[str, str], rows: Iterable[Row], inputs: Iterable[str], settings: Settings
) -> list[RowProblem]:
    """Return a problem for each of *outputs*, by their VMs' labels, that would replace an input.

    That is not allowed with ``--force`` either. Images that are refreshed are both, and meant.
    *inputs* are those that neither *rows* nor *settings* name.
    """
    if "://" in settings.destination:
        return []
    directory = os.path.realpath(settings.destination)
    names = {folded(name) for name in outputs.values()}
    taken: dict[str, str] = {}
    recipe = settings.recipe
    given = [*inputs, settings.ca, recipe.authority_path, recipe.template_path]
    given += [] if settings.each else [settings.base]
    ahead = [os.path.realpath(path) for path in given if path]
    # Of fifty thousand VMs' files no links are followed but where a name is an output's.
    for row in rows:
        for part in _PARTS:
            path = row.file(part)
            if path is not None and folded(path.rpartition("/")[2]) in names:
                ahead.append(os.path.realpath(path))
    for path in ahead:
        place, _, name = path.rpartition("/")
        if place == directory:
            taken.setdefault(folded(name), path)
    if not taken:
        return []
    return [
        RowProblem(
            row.number, "name",
            f"its output {shortened(outputs[row.label])!r} would take the place of {taken[own]}, "
            "an input of this run",
        )
        for row in rows
        if row.label in outputs and (own := folded(outputs[row.label])) in taken
    ]  # fmt: skip
