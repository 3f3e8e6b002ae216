# SPDX-License-Identifier: Apache-2.0
"""The shipped patches keep the promises that their files make."""

import pytest

from ngtpatch.patching.examples import run_examples
from ngtpatch.patching.patch import Patch, load_patches

PATCHES = load_patches()


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.id)
def test_every_example_holds(patch: Patch) -> None:
    results = run_examples(patch)
    assert len(results) == len(patch.examples)
    assert [(one.title, one.found) for one in results if not one.passed] == []


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.id)
def test_every_patch_shows_a_change_and_where_it_makes_none(patch: Patch) -> None:
    assert any(one.after not in (None, one.before) for one in patch.examples)
    assert any(one.refused or one.after == one.before for one in patch.examples)
