# SPDX-License-Identifier: Apache-2.0
"""What one section of the page on reliability found: small, and kept as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Result"]


@dataclass
class Result:
    """What was tried, and what became of it.

    Attributes:
        tried: how many attempts.
        outcomes: by what became of them, how many.
        wrong: what ought not to be, one sentence each, with what it takes to repeat it.
        figures: what else was measured, by what it is.
        seconds: how long it took, by the clock.
    """

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, outcome: str, wrong: str | None = None) -> None:
        """Count one attempt."""
        self.tried += 1
        self.outcomes[outcome] += 1
        if wrong:
            self.wrong.append(wrong)

    def write(self, path: Path, **about: object) -> None:
        """Keep it, with what is true of the whole run (commit, date, machine)."""
        path.write_text(json.dumps({**about, **vars(self)}, indent=2, sort_keys=True) + "\n")
