# SPDX-License-Identifier: Apache-2.0
"""Records that lie: badly, which nobody believes, and well, which the bytes disprove."""

from __future__ import annotations

import bz2
import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import ngtpatch
from ngtpatch.errors import InputError, Refusal
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.read.build_record import BuildRecord, Change, DamagedRecord
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.ecma119 import both32
from ngtpatch.iso.read.pieces import Pieces
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from ngtpatch.sample import write_sample
from tests.flow.conftest import run
from tests.iso.images import Zoo
from tests.iso.layouts import FACTORY
from tests.iso.test_edit import holding

SECTOR = 2048
NESTED: Any = []
for _ in range(60):
    NESTED = [NESTED]
VALUES: tuple[Any, ...] = (
    None, True, -1, 7, 1e300, "x", "\x1b[2J", [], {}, [None], {"a": 1}, NESTED
)  # fmt: skip


class Forged(BuildRecord):
    """A record with any text at all, and good digests."""

    text: bytes

    def _text(self) -> bytes:
        return self.text


def forged(data: bytes, text: bytes | None = None, **changes: Any) -> bytes:
    """Return the image with another record in the place of its own, digests and sizes fitting."""
    volume = Volume(MemorySource(data), Path("recorded.iso"), second_opinion=False)
    record = volume.record
    assert isinstance(record, BuildRecord)
    assert volume.udf is None
    record = replace(record, **changes)
    liar = Forged(**{one.name: getattr(record, one.name) for one in fields(BuildRecord)})
    object.__setattr__(liar, "text", text if text is not None else record._text())
    payload = liar.payload()
    end = record.offset + -(-len(payload) // SECTOR) * SECTOR + SECTOR
    liar.__dict__.update(end=end, volume_end=end)
    out = bytearray(data[: record.offset] + payload)
    out += bytes(end - len(out))
    for descriptor in volume.descriptors.all:
        out[descriptor.offset + 80 : descriptor.offset + 88] = both32(end // SECTOR)
    source = MemorySource(bytes(out))
    noted = BuildRecord.noting(liar, source, Pieces(source), lambda *_: True)
    liar.__dict__.update(written_sha256=noted.written_sha256)
    out[end - SECTOR : end] = liar.trailer()
    return bytes(out)


@pytest.fixture(scope="module")
def vendor(zoo: Zoo) -> Path:
    return zoo["flat"]


@pytest.fixture(scope="module")
def recorded(vendor: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("recorded") / "new.iso"
    about = {
        "ngtpatch": "1",
        "profiles": ["rocky"],
        "patches": [{"id": "p", "sha256": "00" * 32}],
    }
    with Volume.open(vendor) as volume:
        plan = edit(volume, replace={holding(volume, FACTORY): b"new"}, note=Note(about))
        write_file(plan.overlay(), out)
    return out.read_bytes()


def text_of(recorded: bytes) -> Any:
    record = Volume(MemorySource(recorded), Path("r.iso"), second_opinion=False).record
    assert isinstance(record, BuildRecord)
    return json.loads(record._text())


def _places(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document[:1])
    for key, value in items:
        yield from _places(value, (*place, key))


def _shapes(document: Any) -> Iterator[tuple[str, bytes]]:
    """Yield each place of the text with each value, without it, and with one key more."""
    for place in _places(document):
        for number, value in enumerate(VALUES):
            changed = copy.deepcopy(document)
            if place:
                _at(changed, place[:-1])[place[-1]] = value
            yield f"{place} = value {number}", json.dumps(changed if place else value).encode()
        changed = copy.deepcopy(document)
        if isinstance(_at(changed, place), dict):
            _at(changed, place)["\x1b[2Jsurprise"] = 1
            yield f"{place} has one more", json.dumps(changed).encode()
        if place and isinstance(place[-1], str):
            changed = copy.deepcopy(document)
            del _at(changed, place[:-1])[place[-1]]
            yield f"{place} is missing", json.dumps(changed).encode()
    yield "no JSON", b"{"
    yield "no UTF-8", b"\xff\xfe"
    yield "deep", b"[" * 200_000
    yield "a huge number", b'{"ranges": [[' + b"9" * 10_000 + b", 1]]}"
    yield "not a number", b'{"ranges": [[NaN, Infinity]]}'
    yield "a lone surrogate", b'{"about": {"ngtpatch": "\\ud800"}}'
    yield "twice", json.dumps(document).encode() * 2


def _at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def test_a_record_of_another_shape_is_damaged_or_says_the_same(recorded: bytes) -> None:
    document = text_of(recorded)
    shapes = list(_shapes(document))
    assert len(shapes) > 280
    damaged = 0
    for name, text in shapes:
        image = forged(recorded, text)
        record = Volume(MemorySource(image), Path("f.iso"), second_opinion=False).record
        if isinstance(record, BuildRecord):
            assert json.loads(record._text()).keys() == document.keys(), name
            continue
        assert isinstance(record, DamagedRecord), name
        assert record.reason.isprintable(), name
        assert "surprise" not in record.reason, name
        damaged += 1
    assert damaged > 250


def test_every_command_ends_as_documented_with_a_forged_record(
    recorded: bytes, vendor: Path, tmp_path: Path
) -> None:
    shapes = [
        (name, image)
        for number, (name, text) in enumerate(_shapes(text_of(recorded)))
        if number % 5 == 0
        for image in (forged(recorded, text),)
        if isinstance(
            Volume(MemorySource(image), Path("f.iso"), second_opinion=False).record, DamagedRecord
        )
    ]
    assert len(shapes) >= 54
    path = tmp_path / "forged.iso"
    for number, (name, image) in enumerate(shapes):
        path.write_bytes(image)
        for base in (None, vendor)[: 2 if number % 8 == 0 else 1]:
            found = ngtpatch.verify(path, base=base)
            assert (found.ok, found.verdict) == (False, "not-verified"), name
            assert found.error is not None
            assert found.error.code == "record-damaged", name
        with pytest.raises(InputError) as damaged:
            ngtpatch.reset(path, tmp_path / "back.iso", force=True)
        assert damaged.value.code == "record-damaged", name
        with pytest.raises(Refusal) as refused:
            ngtpatch.rebuild(path, distros=["rocky"], output=tmp_path / "out.iso")
        assert refused.value.code == "source-disproved", name
    assert sorted(one.name for one in tmp_path.iterdir()) == ["forged.iso"]


def codes(image: bytes, base: Path | None, tmp_path: Path) -> list[str]:
    path = tmp_path / "lie.iso"
    path.write_bytes(image)
    return [one.code for one in ngtpatch.verify(path, base=base).problems if one.counts]


def test_a_lie_that_is_told_well_is_disproved_by_the_bytes(
    recorded: bytes, vendor: Path, tmp_path: Path
) -> None:
    record = Volume(MemorySource(recorded), Path("r.iso"), second_opinion=False).record
    assert isinstance(record, BuildRecord)
    (change,) = record.changes
    assert codes(forged(recorded), None, tmp_path) == []
    assert codes(forged(recorded), vendor, tmp_path) == []
    lies: dict[str, dict[str, Any]] = {
        "content": {"changes": (replace(change, sha256_after="11" * 32),)},
        "nothing changed": {"changes": ()},
        "what it was": {"changes": (replace(change, sha256_before="11" * 32),)},
        "inside an archive": {"changes": (replace(change, within="a.tar.gz"),)},
        "another file": {"changes": (replace(change, path="file1.txt"),)},
        "removed": {"changes": (replace(change, kind="removed", sha256_after=None),)},
        "no such file": {"changes": (change, Change("gone", None, "22" * 32, kind="added"))},
    }
    for name, lie in lies.items():
        for base in (None, vendor):
            found = codes(forged(recorded, **lie), base, tmp_path)
            assert found, name
            assert set(found) <= {"record-untrue", "unrecorded"}, name
    assert codes(forged(recorded, vendor_sha256="33" * 32), None, tmp_path) == ["wrong-digest"]
    assert codes(forged(recorded, vendor_sha256=None), None, tmp_path) == ["no-digest"]
    kept = record.originals[: record.ranges[0][1]]
    fewer: dict[str, Any] = {"ranges": record.ranges[:1], "undo": bz2.compress(kept)}
    assert codes(forged(recorded, **fewer), None, tmp_path) == ["wrong-digest"]
    assert codes(forged(recorded, **fewer), vendor, tmp_path) == ["changed-outside"]


def test_what_a_record_holds_beside_its_own_makes_it_damaged(
    recorded: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Volume(MemorySource(recorded), Path("r.iso"), second_opinion=False).record
    assert isinstance(record, BuildRecord)
    (change,) = record.changes
    told_twice = (replace(change, sha256_before=None, sha256_after=None), change)
    for lie in (
        {"changes": told_twice},
        {"undo": record.undo + b"stowaway"},
        {"undo": record.undo + bz2.compress(b"stowaway")},
        {"undo": bz2.compress(record.originals + b"stowaway")},
    ):
        assert codes(forged(recorded, **lie), None, tmp_path) == ["record-damaged"], lie
    # A whole image that claims to be scrubbed would be taken into memory, several times.
    monkeypatch.setattr("ngtpatch.iso.read.build_record.LARGEST_UNDO", record.vendor_size - 1)
    everything: dict[str, Any] = {"ranges": (), "undo": b"", "scrubbed": ((0, record.vendor_size),)}
    assert codes(forged(recorded, **everything), None, tmp_path) == ["record-damaged"]


def test_a_record_whose_undo_gives_no_image_is_untrue_and_leaves_the_image_open(
    recorded: bytes, vendor: Path, tmp_path: Path
) -> None:
    nothing: dict[str, Any] = {"vendor_size": 0, "ranges": (), "undo": b""}
    lie = forged(recorded, **nothing, vendor_sha256=hashlib.sha256(b"").hexdigest())
    assert codes(lie, None, tmp_path) == ["record-untrue"]
    assert codes(lie, vendor, tmp_path) == ["wrong-base"]
    with pytest.raises(Refusal) as refused:
        ngtpatch.rebuild(tmp_path / "lie.iso", distros=["rocky"], output=tmp_path / "out.iso")
    assert refused.value.code == "source-disproved"


def test_only_what_is_identity_is_called_so(recorded: bytes, tmp_path: Path) -> None:
    record = Volume(MemorySource(recorded), Path("r.iso"), second_opinion=False).record
    assert isinstance(record, BuildRecord)
    (change,) = record.changes
    path = tmp_path / "lie.iso"
    path.write_bytes(
        forged(recorded, changes=(replace(change, sha256_before=None, sha256_after=None),))
    )
    (said,) = ngtpatch.verify(path).recorded
    assert not said.identity


def test_the_wrong_base_is_one_sentence_with_the_digest_looked_for(
    recorded: bytes, vendor: Path, zoo: Zoo, tmp_path: Path
) -> None:
    path, other = tmp_path / "new.iso", bytearray(vendor.read_bytes())
    path.write_bytes(recorded)
    other[-1] ^= 1
    (tmp_path / "other.iso").write_bytes(other)
    for base in (zoo["genisoimage"], tmp_path / "other.iso"):
        found = ngtpatch.verify(path, base=base)
        assert found.error is not None
        assert next(one.code for one in found.problems if one.counts) == "wrong-base"
        assert hashlib.sha256(vendor.read_bytes()).hexdigest() in found.error.message
        assert "\n" not in found.error.message


def test_names_out_of_a_record_are_escaped(tmp_path: Path) -> None:
    base, output = tmp_path / "base.iso", tmp_path / "out.iso"
    write_sample(base)
    ngtpatch.rebuild(base, distros=["rocky"], output=output)
    record = Volume.open(output).record
    assert isinstance(record, BuildRecord)
    hostile = "\x1b[2J\x1b]0;title\x07\nverified\u202e"
    changes = (*record.changes, Change(hostile, None, None, kind="odd", within=hostile))
    output.write_bytes(forged(output.read_bytes(), changes=changes))
    for arguments in (("verify", output), ("inspect", output), ("verify", output, "--base", base)):
        ran = run(*arguments)
        assert not set("\x1b\x07\u202e") & set(ran.out + ran.err)
        assert "\nverified\u202e" not in ran.out
        document = run("--json", *arguments).out
        assert "\x1b" not in document
