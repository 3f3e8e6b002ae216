# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from pathlib import Path

import pytest

from ngtpatch.iso.compare.proof import prove
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from tests.fuzz.flips import Flipped, Quarry, flip, quarries
from tests.iso.cases import CASES

COUNT = 300


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Quarry]:
    return quarries(tmp_path_factory.mktemp("flips"))


def test_what_was_written_is_proven_unless_no_digest_was_asked_for(images: list[Quarry]) -> None:
    for quarry in images:
        volume = Volume(MemorySource(quarry.data), Path(quarry.name), second_opinion=False)
        alone, based = prove(volume), prove(volume, quarry.base)
        assert based.proven
        assert (based.ground, based.identical) == ("base", False)
        assert [one.code for one in alone.contradictions] == (
            [] if quarry.digest else ["no-digest"]
        )
        assert alone.ground == ("digest" if quarry.digest else "nothing")


def test_a_flipped_byte_is_seen_wherever_it_is(images: list[Quarry]) -> None:
    noise, result = random.Random("gate"), Flipped()
    for number in range(COUNT):
        flip(images[number % len(images)], noise, result)
    assert result.missed == []
    places = {key.split(": ")[1] for key in result.count}
    assert places >= {"system area", "slack", "scrubbed", "trailer", "udf", "behind the end"}
    # Nothing but a record without a digest leaves a byte unproven, and then the base proves it.
    assert len(result.unprovable) <= 1
    CASES["bytes flipped, each of them seen"] += COUNT
    for reason, count in result.unprovable.items():
        CASES[f"flipped bytes that only the base can prove: {reason}"] += count
