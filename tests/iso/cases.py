# SPDX-License-Identifier: Apache-2.0
"""How many cases were looked at, by subject: printed at the end of the run."""

from __future__ import annotations

from collections import Counter

__all__ = ["CASES"]

CASES: Counter[str] = Counter()
