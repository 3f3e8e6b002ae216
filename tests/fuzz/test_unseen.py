# SPDX-License-Identifier: Apache-2.0
"""Two hundred of the factories with gates, cuts and aliases, in every run of the tests."""

import random
from collections import Counter

import pytest

from tests.fuzz.fuzz_unseen import check_grown, shares
from tests.fuzz.unseen_variants import grow


@pytest.mark.parametrize("part", range(4))
def test_what_is_patched_gets_through_and_changes_nobody_else(part: int) -> None:
    chance = random.Random(f"unseen {part}")
    became: dict[str, Counter[str]] = {}
    for _ in range(50):
        grown = grow(chance)
        what = check_grown(grown)
        for kind in (f"cut {grown.cut}", f"alias {grown.alias}", f"gate {grown.gate}", "all"):
            became.setdefault(kind, Counter())[what] += 1
    print(shares(became))
    # Whatever is refused: a chain with nothing strange beside it never is.
    assert became["all"]["patched"] > 20
