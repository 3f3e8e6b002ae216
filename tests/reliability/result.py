# SPDX-License-Identifier: Apache-2.0
"""What one section of the page on reliability found: small, and kept as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Result", "next_seed"]


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

    def write(self, path: Path, *, more: bool, **about: object) -> None:
        """Keep it, with what is true of this run (commit, date, machine, count, seed).

        Args:
            path: what the section's earlier runs left.
            more: add to that; otherwise it is replaced.
            about: the run.
        """
        kept = json.loads(path.read_text()) if more and path.exists() else {"pieces": []}
        number = len(kept["pieces"]) + 1
        piece = {**about, "seconds": self.seconds, "tried": self.tried, "figures": self.figures}
        outcomes = Counter(kept.get("outcomes", {})) + self.outcomes
        wrong = [*kept.get("wrong", ()), *(f"piece {number}: {one}" for one in self.wrong)]
        whole = {"pieces": [*kept["pieces"], piece], "outcomes": outcomes, "wrong": wrong}
        path.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n")


def next_seed(path: Path) -> int:
    """Return a seed behind those of the runs that left *path*; each has one for each attempt."""
    if not path.exists():
        return 0
    pieces = json.loads(path.read_text())["pieces"]
    return max(int(one["seed"]) + int(one["count"]) for one in pieces)
