# SPDX-License-Identifier: Apache-2.0
"""Shapes of public installers: four in five rebuild without --accept-unproven, and none wrongly."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz.fuzz_unseen import check_grown
from tests.fuzz.unseen_variants import Grown
from tests.patching.public_shapes import SHAPES

# What it is today. A kind that gets better is moved, one that gets worse is a defect.
REFUSED: dict[str, str] = {}


def _became(kind: str) -> str:
    return check_grown(Grown(SHAPES[kind], "", "", "", ""))


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_is_patched_rightly_or_refused_as_it_is_said(kind: str) -> None:
    """``check_grown`` runs it before and after, for the new names and every known one."""
    assert _became(kind) == REFUSED.get(kind, "patched")


def test_four_in_five_need_nobody_to_accept_anything() -> None:
    became = Counter(_became(kind) for kind in SHAPES)
    assert became["patched"] / len(SHAPES) >= 0.8, became
