# SPDX-License-Identifier: Apache-2.0
"""Python's search for reference cycles, paused while many objects are made at once.

A syntax tree of a megabyte is a million objects that all stay: the search would look at each
of them again and again, for half of the whole time, and find nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["paused_collector"]


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pause the collector for the block, if it runs."""
    runs = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if runs:
            gc.enable()
