# SPDX-License-Identifier: Apache-2.0
"""The version on a disc against the one in a guest."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["DiscVersion", "compared"]

DiscVersion = Literal["newer", "same", "older", "unknown"]

_NUMBERS = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,9}", re.ASCII)


def compared(disc: str | None, installed: str | None) -> DiscVersion:
    """Return what the disc's version is against the installed one.

    Only versions of numbers and dots have an order here; NGT's installer compares whatever it
    finds by itself, and refuses the same version and an older one.
    """
    if disc is None or installed is None:
        return "unknown"
    if disc == installed:
        return "same"
    if not (_NUMBERS.fullmatch(disc) and _NUMBERS.fullmatch(installed)):
        return "unknown"
    here, there = (list(map(int, version.split("."))) for version in (disc, installed))
    width = max(len(here), len(there))
    here += [0] * (width - len(here))
    there += [0] * (width - len(there))
    return "same" if here == there else "newer" if here > there else "older"
