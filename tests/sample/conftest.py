# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from ngtpatch.sample import write_sample
from tests.sample.guests import unpack

Discs = Callable[[int], Path]


@pytest.fixture(scope="session")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Discs:
    """Each era's sample, written and unpacked by another program once."""

    @cache
    def unpacked(era: int) -> Path:
        directory = tmp_path_factory.mktemp(f"era{era}")
        image = write_sample(directory / "sample.iso", era=era).output
        return unpack(image, directory / "disc")

    return unpacked
