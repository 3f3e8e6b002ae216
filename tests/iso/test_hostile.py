# SPDX-License-Identifier: Apache-2.0
"""Images that mean harm: refused with one message, in bounded time and memory."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ngtpatch.errors import InputError
from ngtpatch.iso.source import MemorySource
from ngtpatch.iso.structure import check
from ngtpatch.iso.volume import Volume
from tests.fuzz.fuzz_images import LONGEST, flock, no_longer_than, survive, survive_flow
from tests.iso.cases import CASES
from tests.iso.images import Zoo
from tests.iso.mutants import HOSTILE_NAMES, Prey, mutant

SECTOR = 2048


@pytest.fixture(scope="module")
def prey(tmp_path_factory: pytest.TempPathFactory) -> list[Prey]:
    return flock(tmp_path_factory.mktemp("flock"))


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(noise=st.randoms(use_true_random=False))
def test_damage_is_survived(prey: list[Prey], noise: random.Random) -> None:
    one = noise.choice(prey)
    survive(one, mutant(one, noise))
    CASES["damaged images"] += 1


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(noise=st.randoms(use_true_random=False))
def test_damage_is_survived_from_inspect_to_rebuild(
    prey: list[Prey], tmp_path_factory: pytest.TempPathFactory, noise: random.Random
) -> None:
    one = noise.choice(prey)
    path = tmp_path_factory.mktemp("mutant") / "mutant.iso"
    path.write_bytes(mutant(one, noise))
    survive_flow(one, path)
    CASES["damaged images, whole flow"] += 1


@pytest.mark.parametrize("name", ["genisoimage", "udf-bridge", "xorriso"])
def test_truncated_at_every_sector(zoo: Zoo, name: str) -> None:
    """Whatever is missing: no cut image passes for a whole one."""
    data = zoo[name].read_bytes()
    recorded = struct.unpack_from("<I", data, 16 * SECTOR + 80)[0]
    for sector in range(recorded):
        for cut in (sector * SECTOR, sector * SECTOR + 1):
            with pytest.raises(InputError) as refused:
                Volume(MemorySource(data[:cut]), Path("cut.iso"), second_opinion=False)
            assert refused.value.code in ("not-iso", "truncated")
            CASES["truncated images"] += 1
        assert check(MemorySource(data[: sector * SECTOR]))


class Draft:
    """An image's bytes and ways to lie in them."""

    def __init__(self, path: Path) -> None:
        self.prey = Prey(path)
        self.data = bytearray(self.prey.data)
        with Volume.open(path) as volume:
            self.at = {
                (str(tree), entry): node.records[0].offset
                for tree, records in volume.records.items()
                for entry, node in records.nodes.items()
            }
            self.size = volume.size

    def both(self, at: int, value: int) -> None:
        self.data[at : at + 8] = struct.pack("<I", value) + struct.pack(">I", value)

    def refused(self) -> InputError:
        source = MemorySource(bytes(self.data))
        found = check(source)
        assert found, "the structural check has nothing to say"
        with no_longer_than(LONGEST), pytest.raises(InputError) as caught:
            Volume(source, Path("hostile.iso"))
        error = caught.value
        assert error.exit_code == 3
        assert error.message.isprintable(), error.message
        assert error.path == "hostile.iso"
        return error


SOURCE = "installer/linux/src"
FACTORY = f"{SOURCE}/installer_factory.py"


def directory_into_itself(draft: Draft) -> None:
    for tree in ("rock_ridge", "joliet"):
        at = draft.at[tree, SOURCE]
        parent = draft.at[tree, "installer"]
        draft.data[at + 2 : at + 18] = draft.data[parent + 2 : parent + 18]


def directory_without_end(draft: Draft) -> None:
    draft.both(draft.at["rock_ridge", SOURCE] + 10, 0xFFFF_F800)


def file_without_end(draft: Draft) -> None:
    for tree in ("rock_ridge", "joliet"):
        draft.both(draft.at[tree, FACTORY] + 10, 0xFFFF_FFFF)


def file_far_outside(draft: Draft) -> None:
    for tree in ("rock_ridge", "joliet"):
        draft.both(draft.at[tree, FACTORY] + 2, 0xFFFF_FFFF)


def volume_without_end(draft: Draft) -> None:
    draft.both(16 * SECTOR + 80, 0xFFFF_FFFF)


def path_table_without_end(draft: Draft) -> None:
    draft.both(16 * SECTOR + 132, 0xFFFF_FFFF)


def root_outside(draft: Draft) -> None:
    draft.both(16 * SECTOR + 158, 0x7FFF_FFFF)


def blocks_of_another_size(draft: Draft) -> None:
    draft.data[16 * SECTOR + 128 : 16 * SECTOR + 132] = b"\x00\x02\x02\x00"


def continuation_without_end(draft: Draft) -> None:
    at = draft.data.index(b"TF", draft.at["rock_ridge", FACTORY])
    draft.data[at : at + 4] = b"CE\x1c\x01"
    for n, value in enumerate((at // SECTOR, at % SECTOR, 28)):
        draft.both(at + 4 + 8 * n, value)


@pytest.mark.parametrize(
    "lie",
    [
        directory_into_itself,
        directory_without_end,
        file_without_end,
        file_far_outside,
        volume_without_end,
        path_table_without_end,
        root_outside,
        blocks_of_another_size,
        continuation_without_end,
    ],
    ids=lambda lie: lie.__name__,
)
@pytest.mark.parametrize("name", ["genisoimage", "xorriso", "udf-bridge"])
def test_a_lie_is_refused(zoo: Zoo, name: str, lie: Callable[[Draft], None]) -> None:
    draft = Draft(zoo[name])
    lie(draft)
    assert draft.refused().code in ("hostile", "truncated", "not-iso", "unsupported")
    CASES["hostile images"] += 1


def renamed(draft: Draft, tree: str, name: bytes) -> bool:
    """Write a name over the factory's, in a record or its NM entry; False where it cannot fit."""
    at = draft.at[tree, FACTORY]
    if tree == "joliet":
        start, room = at + 33, draft.data[at + 32]
        name = name.decode("latin-1").encode("utf-16-be")
    else:
        entry = draft.data.index(b"NM", at)
        start, room = entry + 5, draft.data[entry + 2] - 5
    if len(name) > room:
        return False
    # What is left of the room belongs to the name: its end is put in front.
    filler = b"\0A" if tree == "joliet" else b"A"
    while len(name) < room and name not in (b"..", b".", b"", b"\0.\0.", b"\0."):
        name += filler[: room - len(name)]
    draft.data[start : start + len(name)] = name
    if tree == "joliet":
        draft.data[at + 32] = len(name)
    else:
        # The entry keeps its length; a shorter name makes the entry shorter, and pads.
        end = start + room
        rest = bytes(draft.data[end : at + draft.data[at]])
        draft.data[entry + 2] = 5 + len(name)
        moved = name + rest
        draft.data[start : at + draft.data[at]] = moved.ljust(at + draft.data[at] - start, b"\0")
    return True


@pytest.mark.parametrize("tree", ["rock_ridge", "joliet"])
@pytest.mark.parametrize("name", [n for n in HOSTILE_NAMES if n not in (b"\xff\xfe\xfd", b"")])
def test_a_hostile_name_is_refused(zoo: Zoo, tree: str, name: bytes) -> None:
    draft = Draft(zoo["genisoimage"])
    assert renamed(draft, tree, name)
    source = MemorySource(bytes(draft.data))
    with pytest.raises(InputError) as refused:
        Volume(source, Path("hostile.iso"))
    assert refused.value.code in ("hostile-name", "hostile")
    assert refused.value.message.isprintable()
    CASES["hostile names"] += 1


def test_names_in_other_encodings_are_names(zoo: Zoo) -> None:
    """A Rock Ridge name is bytes. Odd ones are kept apart, and lead nowhere."""
    draft = Draft(zoo["rock-ridge-only"])
    assert renamed(draft, "rock_ridge", b"\xff\xfe\xfd")
    volume = Volume(MemorySource(bytes(draft.data)), Path("odd.iso"))
    assert len(volume.entries("rock_ridge")) == len(draft.at) // 2


def test_overlapping_records_do_not_multiply_the_work(zoo: Zoo) -> None:
    """Every file of the largest length: what is read stays bounded by the entries."""
    draft = Draft(zoo["wide"])
    with Volume.open(zoo["wide"]) as volume:
        ((start, _),) = volume.entries("rock_ridge")["setup.exe"].extents
    for (tree, path), at in draft.at.items():
        if tree in ("rock_ridge", "joliet") and path.endswith(".txt"):
            draft.both(at + 2, start // SECTOR)
            draft.both(at + 10, draft.size - start)
    source = MemorySource(bytes(draft.data))
    assert "overlap" in {one.code for one in check(source)}
    with no_longer_than(LONGEST):
        survive(draft.prey, bytes(draft.data))
