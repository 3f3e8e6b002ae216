# SPDX-License-Identifier: Apache-2.0
"""Every byte is looked at, wherever blocks end; each has the owner that its readers give it."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import tracemalloc
from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.iso.read.byte_search import BytePattern, search_bytes
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.ownership import Ownership
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample

BLOCK = 1 << 20


def exactly(kind: str = "it") -> object:
    return lambda _window, begin, end: (kind, begin, end)


def literal(needle: bytes, kind: str = "it") -> BytePattern:
    return BytePattern(needle, len(needle), 0, exactly(kind))  # type: ignore[arg-type]


def expression(text: bytes, longest: int) -> BytePattern:
    return BytePattern(re.compile(text), longest, 0, exactly())  # type: ignore[arg-type]


def places(data: bytes, *patterns: BytePattern) -> list[tuple[int, int]]:
    return [(hit.offset, hit.length) for hit in search_bytes(MemorySource(data), patterns).hits]


@pytest.mark.parametrize(
    "pattern", [literal(b"needle!"), expression(rb"need[a-z]{2}[!?]", 7)], ids=["literal", "regex"]
)
def test_a_find_across_a_block_is_found_once_at_each_offset(pattern: BytePattern) -> None:
    for before in range(-9, 3):
        data = bytearray(2 * BLOCK + 50)
        for block in (BLOCK, 2 * BLOCK):
            data[block + before : block + before + 7] = b"needle!"
        assert places(bytes(data), pattern) == [(BLOCK + before, 7), (2 * BLOCK + before, 7)]


def test_first_and_last_byte_and_a_source_shorter_than_the_needle() -> None:
    assert places(b"needle!", literal(b"needle!")) == [(0, 7)]
    assert places(b"x" * 5 + b"needle!", literal(b"needle!")) == [(5, 7)]
    assert places(b"needle", literal(b"needle!")) == []
    assert places(b"", literal(b"needle!")) == []


def test_what_many_patterns_find_is_what_python_finds() -> None:
    rng = random.Random(3)  # noqa: S311 - no secret
    data = bytes(rng.choice(b"ab\0") for _ in range(BLOCK + 4000))
    needles = [b"abab", b"bbbbbb", b"a\0b\0a"]
    expected = set()
    for needle in needles:
        at = data.find(needle)
        while at >= 0:
            expected.add((at, len(needle)))
            at = data.find(needle, at + len(needle))
    sample = data[:60_000]
    found = set(places(sample, *map(literal, needles)))
    assert len(found) > 500
    assert found == {(o, n) for o, n in expected if o + n <= len(sample)}


def test_the_extent_judges_and_stretches_a_find() -> None:
    def digits(window: bytes, begin: int, end: int) -> tuple[str, int, int] | None:
        behind = re.compile(rb"[0-9]*").match(window, end)
        assert behind is not None
        return ("number", begin, behind.end()) if behind.group() else None

    pattern = BytePattern(b"no=", 3, 64, digits)
    data = b"no=x no=12345 " + bytes(BLOCK - 20) + b"no=678" + bytes(30)
    assert places(data, pattern) == [(5, 8), (14 + BLOCK - 20, 6)]


def test_the_digest_of_the_same_pass_is_the_sources() -> None:
    data = random.Random(4).randbytes(3 * BLOCK + 17)  # noqa: S311
    found = search_bytes(MemorySource(data), [literal(b"needle!")], digest=True)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.size == len(data)
    assert search_bytes(MemorySource(data), []).sha256 is None


def test_memory_does_not_grow_with_the_source() -> None:
    class Zeros:
        size = 300 << 20

        def read_at(self, _offset: int, length: int) -> bytes:
            return b"\1" * length

    tracemalloc.start()
    search_bytes(Zeros(), [literal(b"needle!")], digest=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20


def test_absurdly_many_finds_end_it() -> None:
    with pytest.raises(InputError) as caught:
        search_bytes(MemorySource(b"needle!" * 20_000), [literal(b"needle!")])
    assert caught.value.code == "hostile"
    never = BytePattern(b"needle!", 7, 0, lambda *_: None)
    with pytest.raises(InputError):
        search_bytes(MemorySource(b"needle!" * 120_000), [never])


@pytest.mark.parametrize("udf", [False, True])
def test_every_byte_has_one_owner_and_it_is_the_readers(tmp_path: Path, udf: bool) -> None:
    write_sample(tmp_path / "base.iso", udf=udf)
    with (tmp_path / "base.iso").open("ab") as file:
        file.write(b"tail")
    with Volume.open(tmp_path / "base.iso") as volume:
        owners = Ownership(volume)
        pieces = owners.pieces(0, volume.size)
        assert sum(piece.length for piece in pieces) == volume.size
        assert all(a.offset + a.length == b.offset for a, b in itertools.pairwise(pieces))
        owned: dict[int, str] = {}
        for path, entry in volume.entries("rock_ridge").items():
            for offset, length in entry.extents if entry.kind == "file" else ():
                owned.update(dict.fromkeys(range(offset, offset + length), path))
        for piece in pieces:
            paths = {owned.get(at) for at in range(piece.offset, piece.offset + piece.length)}
            assert len(paths) == 1
            assert (piece.owner == "entry") == (paths != {None})
        assert pieces[0].where == "in the system area"
        assert pieces[0].length == 16 * 2048
        assert pieces[-1].where == "behind the end of the volume"
        assert {piece.owner for piece in owners.pieces(16 * 2048, 2048)} == {"structure"}
        slack = [piece for piece in pieces if piece.where.startswith("behind the last byte of")]
        key = volume.entries("rock_ridge")["config/client-key.pem"]
        assert any("config/client-key.pem" in piece.where for piece in slack)
        end = sum(key.extents[0])
        assert [piece.owner for piece in owners.pieces(end - 1, 2)] == ["entry", "nobody"]
