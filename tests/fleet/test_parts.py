# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ngtpatch.fleet.parts import MINIMUM, parts

MIB = 1 << 20
sizes = st.integers(1, 3000 * MIB)


@given(
    sizes,
    sizes,
    st.lists(st.tuples(st.integers(0, 3000 * MIB), st.integers(1, 20 * MIB)), max_size=8),
)
def test_parts_cover_once_and_never_copy_what_changed(
    size: int, base_size: int, dirty: list[tuple[int, int]]
) -> None:
    planned = parts(size, base_size, dirty)
    assert planned[0].offset == 0
    assert planned[-1].end == size
    assert all(one.end == other.offset for one, other in pairwise(planned))
    assert all(part.length >= MINIMUM for part in planned[:-1])
    assert all(part.length > 0 for part in planned)
    assert all(part.length <= 2 * 1024 * MIB for part in planned)
    for part in planned:
        if part.copied:
            assert part.end <= base_size
            assert not any(o < part.end and part.offset < o + n for o, n in dirty)
        else:
            assert part.length < 16 * MIB


def test_a_changed_sector_costs_one_window() -> None:
    planned = parts(600 * MIB, 600 * MIB, [(300 * MIB, 2048)])
    assert [(p.length, p.copied) for p in planned] == [
        (300 * MIB, True), (5 * MIB, False), (295 * MIB, True),
    ]  # fmt: skip


def test_changes_at_both_ends_and_growth() -> None:
    planned = parts(101 * MIB, 100 * MIB, [(32768, 4096)])
    assert [(p.length, p.copied) for p in planned] == [
        (32768 + 5 * MIB - 32768, False), (95 * MIB, True), (MIB, False),
    ]  # fmt: skip


def test_without_a_base_everything_is_uploaded() -> None:
    assert not any(part.copied for part in parts(100 * MIB, 0, ()))
