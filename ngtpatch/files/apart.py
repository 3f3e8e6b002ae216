# SPDX-License-Identifier: Apache-2.0
"""Outputs that are no input: what a command reads is not what it replaces."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ngtpatch.errors import UsageError

__all__ = ["require_apart"]


def require_apart(
    output: str | Path | None,
    inputs: Iterable[str | Path | None],
    *,
    discs: Iterable[str | Path | None] = (),
    whole: bool = False,
) -> None:
    """Refuse an *output* that is an input by whatever name, a file of a disc, or holds an input.

    What is not there yet replaces nothing, and what cannot be asked is told where it is read.

    Args:
        output: a file that would be replaced, or with *whole* a directory.
        inputs: what is read. None is nothing. A directory, such as one of profiles, is written
            into by those who keep it.
        discs: inputs, too; if one is a directory, each of its files is read.
        whole: a directory is replaced with all that is in it.

    Raises:
        UsageError: ``same-file``, with ``--force``, too.
    """
    if output is None or not os.path.exists(output) or (os.path.isdir(output) and not whole):  # noqa: PTH110, PTH112
        return
    ours, place = os.stat(output), Path(os.path.realpath(output))  # noqa: PTH116
    of = [*((one, False) for one in inputs), *((one, True) for one in discs)]
    for one, disc in of:
        if one is None or not os.path.exists(one):  # noqa: PTH110
            continue
        real = Path(os.path.realpath(one))
        if os.path.samestat(ours, os.stat(one)):  # noqa: PTH116
            told = "is the input itself"
        elif disc and real in place.parents:
            told = f"is a file of the input {one}"
        elif whole and place in real.parents:
            told = f"holds the input {one}"
        else:
            continue
        raise UsageError(
            "same-file", f"{told}, which no output replaces", path=str(output),
            hint="name another output",
        )  # fmt: skip
