# SPDX-License-Identifier: Apache-2.0
"""A line on the terminal for what takes long: how far it has come, and nothing afterwards."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from time import monotonic

from ngtpatch.cli.wrapping import columns

__all__ = ["Bar"]

_PATIENCE = 1.0
"""Seconds before the first sign: what is quicker needs none."""
_PAUSE = 0.1
"""Seconds between two signs."""
_MUCH = 16 << 20
"""Bytes that are worth a sign; passes over small files would only flicker."""
_WIDTH = 24


class Bar:
    """Draws on stderr where that is a terminal that can take a line back, and else does nothing."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._last = 0.0
        self._drawn = False

    def show(self, what: str, done: int, total: int) -> None:
        """Draw how far it is, at most ten times a second; see ``files.progress``."""
        now = monotonic()
        if now - self._began < _PATIENCE or now - self._last < _PAUSE:
            return
        if total < _MUCH or not self._possible():
            return
        self._last = now
        share = done / total if total else 1.0
        filled = int(share * _WIDTH)
        bar = "#" * filled + "." * (_WIDTH - filled)
        line = f"{what:<9} [{bar}] {share:4.0%} of {total / (1 << 20):,.0f} MiB"
        width = columns(sys.stderr)
        # What goes into a second line could not be taken back.
        self._write(f"\r{line[: width and width - 1]}\x1b[K")
        self._drawn = True

    def clear(self) -> None:
        """Take the line back, before anything else is printed."""
        if self._drawn:
            self._drawn = False
            self._write("\r\x1b[K")

    @staticmethod
    def _possible() -> bool:
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        return sys.stderr is not None and sys.stderr.isatty() and not dumb

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):  # the terminal is gone; the work goes on
            sys.stderr.write(text)
            sys.stderr.flush()
