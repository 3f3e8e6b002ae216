# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ngtpatch.errors import InputError, NgtpatchError, Refusal, VerificationError
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.read.build_record import BuildRecord, DamagedRecord, read_record
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.regions import Overlay, Region
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import stream, write_file, write_in_place
from ngtpatch.iso.write.undo import original_volume, reset, vendor_overlay
from tests.iso.images import IMAGES, Zoo
from tests.iso.layouts import FACTORY, noise
from tests.iso.test_edit import EDITABLE, holding, listing

NOTE = Note(
    {
        "ngtpatch": "0.0.0",
        "profiles": ["rocky"],
        "patches": [{"id": "p", "sha256": "00" * 32}],
        "unproven": [],
    }
)
WITH_KEY = [n for n in EDITABLE if IMAGES[n].trees[0] == "rock_ridge" and n != "flat"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rebuilt(image: Path, out: Path, content: bytes, note: Note = NOTE) -> BuildRecord:
    """Replace the factory, write the image, and return its record as it is read back."""
    with Volume.open(image) as volume:
        plan = edit(volume, replace={holding(volume, FACTORY): content}, note=note)
        write_file(plan.overlay(), out, force=True)
    with Volume.open(out) as volume:
        assert isinstance(volume.record, BuildRecord)
        return volume.record


@pytest.mark.parametrize("length", [0, 100, len(FACTORY) + 10_000])
@pytest.mark.parametrize("name", EDITABLE)
def test_reset_gives_the_vendors_bytes(zoo: Zoo, tmp_path: Path, name: str, length: int) -> None:
    vendor = sha256(zoo[name])
    record = rebuilt(zoo[name], tmp_path / "new.iso", noise("reset", length))
    assert record.vendor_sha256 == vendor
    assert record.vendor_size == zoo[name].stat().st_size
    with Volume.open(tmp_path / "new.iso") as volume:
        result = reset(volume, tmp_path / "back.iso")
    assert result.verified
    assert (tmp_path / "back.iso").read_bytes() == zoo[name].read_bytes()


def test_the_record_says_what_was_done(zoo: Zoo, tmp_path: Path) -> None:
    record = rebuilt(zoo["udf-bridge"], tmp_path / "new.iso", b"new")
    assert record.about == NOTE.about
    (change,) = record.changes
    assert change.kind == "changed"
    assert change.sha256_before == hashlib.sha256(FACTORY).hexdigest()
    assert change.sha256_after == hashlib.sha256(b"new").hexdigest()
    shown = record.as_json()
    assert shown["vendor"] == {
        "sha256": sha256(zoo["udf-bridge"]),
        "sha256_masked": None,
        "size": zoo["udf-bridge"].stat().st_size,
    }
    assert shown["profiles"] == ["rocky"]
    assert shown["undoable"] is True


@pytest.mark.parametrize("digest", [True, False])
def test_every_sink_writes_the_same_record(zoo: Zoo, tmp_path: Path, digest: bool) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        overlay = edit(volume, replace={holding(volume, FACTORY): b"x"}, note=NOTE).overlay()
        write_file(overlay, tmp_path / "one.iso", digest=digest)
        held = io.BytesIO()
        stream(overlay, held, digest=digest)
    (tmp_path / "two.iso").write_bytes(zoo["genisoimage"].read_bytes())
    with Volume.open(tmp_path / "two.iso") as volume:
        overlay = edit(volume, replace={holding(volume, FACTORY): b"x"}, note=NOTE).overlay()
        write_in_place(overlay, tmp_path / "two.iso", digest=digest)
    assert held.getvalue() == (tmp_path / "one.iso").read_bytes()
    assert held.getvalue() == (tmp_path / "two.iso").read_bytes()


def test_without_digests_the_record_knows_no_vendor_and_still_undoes(
    zoo: Zoo, tmp_path: Path
) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        plan = edit(volume, replace={holding(volume, FACTORY): b"x"}, note=NOTE)
        write_file(plan.overlay(), tmp_path / "new.iso", digest=False)
    with Volume.open(tmp_path / "new.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
        assert volume.record.vendor_sha256 is None
        assert not reset(volume, tmp_path / "back.iso").verified
    assert (tmp_path / "back.iso").read_bytes() == zoo["genisoimage"].read_bytes()


@pytest.mark.parametrize("name", ["genisoimage", "xorriso", "udf-bridge", "trailing", "unpadded"])
def test_an_edit_of_a_rebuilt_image_is_recorded_against_the_vendors(
    zoo: Zoo, tmp_path: Path, name: str
) -> None:
    first, second = tmp_path / "first.iso", tmp_path / "second.iso"
    rebuilt(zoo[name], first, noise("first", 30_000))
    with Volume.open(first) as volume:
        path = next(p for p in volume.tree if p.endswith("install_ngt.py") and "un" not in p)
        factory = next(p for p in volume.tree if volume.tree[p] == noise("first", 30_000))
        plan = edit(volume, replace={path: b"again", factory: b"second"})
        write_file(plan.overlay(), second)
        assert plan.size < first.stat().st_size + 30_000
    with Volume.open(second) as volume:
        assert isinstance(volume.record, BuildRecord)
        assert volume.record.about == NOTE.about
        assert {change.path for change in volume.record.changes} == {path, factory}
        assert volume.record.vendor_sha256 == sha256(zoo[name])
        assert volume.tree[path] == b"again"
        assert reset(volume, tmp_path / "back.iso").verified
    assert (tmp_path / "back.iso").read_bytes() == zoo[name].read_bytes()


def test_starting_again_from_the_vendors_state_gives_the_same_as_the_first_time(
    zoo: Zoo, tmp_path: Path
) -> None:
    rebuilt(zoo["udf-bridge"], tmp_path / "first.iso", noise("first", 30_000))
    rebuilt(zoo["udf-bridge"], tmp_path / "wanted.iso", noise("second", 100))
    with Volume.open(tmp_path / "first.iso") as volume:
        original = original_volume(volume)
        with Volume.open(zoo["udf-bridge"]) as vendor:
            for tree in vendor.trees:
                assert listing(original, tree) == listing(vendor, tree)
        path = holding(original, FACTORY)
        plan = edit(original, replace={path: noise("second", 100)}, note=NOTE)
        for digest in (True, False):
            write_file(plan.overlay(), tmp_path / "again.iso", digest=digest, force=True)
            if digest:
                assert sha256(tmp_path / "again.iso") == sha256(tmp_path / "wanted.iso")


def windows(secret: bytes, elsewhere: bytes = b"") -> set[bytes]:
    """Return every 16 bytes of a secret that do not stand in *elsewhere* by themselves."""
    found = {secret[at : at + 16] for at in range(len(secret) - 15)}
    return {window for window in found if window not in elsewhere}


@pytest.mark.parametrize("length", [10, 1500, 9000])
@pytest.mark.parametrize("name", WITH_KEY)
def test_no_window_of_a_scrubbed_key_is_left_anywhere(
    zoo: Zoo, tmp_path: Path, name: str, length: int
) -> None:
    with Volume.open(zoo[name]) as volume:
        path = next(p for p in volume.tree if p.endswith("client-key.pem"))
        key = windows(volume.tree[path], zoo[name].read_bytes().replace(volume.tree[path], b""))
        plan = edit(volume, replace={path: noise("key", length)}, scrub={path}, note=NOTE)
        write_file(plan.overlay(), tmp_path / "new.iso")
    found = (tmp_path / "new.iso").read_bytes()
    assert len(key) > 20
    assert not [window for window in key if window in found]
    with Volume.open(tmp_path / "new.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
        assert not [window for window in key if window in volume.record.originals]
        (change,) = volume.record.changes
        assert change.scrubbed
        assert change.sha256_before is None
        assert change.sha256_after is None
        assert volume.record.as_json()["undoable"] is False
        with pytest.raises(Refusal) as refused:
            reset(volume, tmp_path / "back.iso")
        assert refused.value.code == "identity-scrubbed"
        assert "--base" in (refused.value.hint or "")
        with Volume.open(zoo[name]) as base:
            assert reset(volume, tmp_path / "back.iso", base=base).verified
    assert (tmp_path / "back.iso").read_bytes() == zoo[name].read_bytes()


def test_a_key_that_an_earlier_edit_moved_is_scrubbed_where_it_stood_first(
    zoo: Zoo, tmp_path: Path
) -> None:
    path = "config/client-key.pem"
    with Volume.open(zoo["udf-bridge"]) as volume:
        content = volume.tree[path]
        key = windows(content, zoo["udf-bridge"].read_bytes().replace(content, b""))
        plan = edit(volume, replace={path: content + noise("longer", 5000)}, note=NOTE)
        write_file(plan.overlay(), tmp_path / "first.iso")
    with Volume.open(tmp_path / "first.iso") as volume:
        plan = edit(volume, replace={path: b"new"}, scrub={path})
        write_file(plan.overlay(), tmp_path / "second.iso")
    found = (tmp_path / "second.iso").read_bytes()
    assert len(key) > 20
    assert not [window for window in key if window in found]
    assert not [w for w in windows(noise("longer", 5000)) if w in found]


def test_a_wrong_base_is_refused_and_leaves_nothing(zoo: Zoo, tmp_path: Path) -> None:
    path = "config/client-key.pem"
    with Volume.open(zoo["genisoimage"]) as volume:
        plan = edit(volume, replace={path: b"new"}, scrub={path}, note=NOTE)
        write_file(plan.overlay(), tmp_path / "new.iso")
    other = bytearray(zoo["genisoimage"].read_bytes())
    with Volume.open(zoo["genisoimage"]) as volume:
        ((offset, _),) = volume.entries("rock_ridge")[path].extents
    other[offset] ^= 1
    (tmp_path / "other.iso").write_bytes(other)
    with Volume.open(tmp_path / "new.iso") as volume:
        with Volume.open(zoo["xorriso"]) as base, pytest.raises(InputError) as refused:
            reset(volume, tmp_path / "back.iso", base=base)
        assert refused.value.code == "wrong-base"
        with Volume.open(tmp_path / "other.iso") as base, pytest.raises(VerificationError) as wrong:
            reset(volume, tmp_path / "back.iso", base=base)
        assert wrong.value.code == "wrong-digest"
    assert not (tmp_path / "back.iso").exists()


def test_an_image_without_a_record_says_so(zoo: Zoo, tmp_path: Path) -> None:
    with Volume.open(zoo["genisoimage"]) as volume:
        assert volume.record is None
        with pytest.raises(InputError) as refused:
            reset(volume, tmp_path / "back.iso")
        assert refused.value.code == "no-record"


@pytest.fixture(scope="module")
def recorded(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("recorded") / "new.iso"
    rebuilt(zoo["flat"], out, noise("recorded", 100))
    return out.read_bytes()


def test_padding_behind_the_volume_hides_no_record(recorded: bytes, tmp_path: Path) -> None:
    # As a burner or `dd` of a drive leaves it.
    (tmp_path / "copy.iso").write_bytes(recorded + bytes(300 * 1024))
    with Volume.open(tmp_path / "copy.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
        again = edit(volume, replace={holding(volume, noise("recorded", 100)): b"other"})
        assert again.record is not None
        assert again.record.vendor_size == volume.record.vendor_size
        assert reset(volume, tmp_path / "back.iso").verified


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_that_was_tampered_with_is_never_believed(
    recorded: bytes, data: st.DataObject
) -> None:
    record = read_record(MemorySource(recorded), len(recorded))
    assert isinstance(record, BuildRecord)
    at = data.draw(st.integers(record.offset, record.end - 2048 + 207))
    new = data.draw(st.binary(min_size=1, max_size=8))
    changed = bytearray(recorded)
    changed[at : at + len(new)] = new
    changed = changed[: len(recorded)]
    found = read_record(MemorySource(bytes(changed)), len(recorded))
    if bytes(changed) == recorded:
        assert found == record
    else:
        # Only bytes that nothing looks at, the padding of a sector, may differ.
        assert not isinstance(found, BuildRecord) or found == record


def forged(recorded: bytes, field: int, value: bytes) -> BuildRecord | DamagedRecord | None:
    """Change a field of the trailer and give it a good digest: a lie that is told well."""
    start = len(recorded) - 2048
    head = bytearray(recorded[start : start + 176])
    head[field : field + len(value)] = value
    trailer = bytes(head) + hashlib.sha256(head).digest()
    changed = recorded[:start] + trailer + recorded[start + len(trailer) :]
    return read_record(MemorySource(changed), len(changed))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (16, struct.pack("<I", 2)),
        (24, struct.pack("<Q", 1 << 60)),
        (24, struct.pack("<Q", 0)),
        (32, struct.pack("<I", 0xFFFFFFFF)),
        (36, struct.pack("<I", 0xFFFFFFFF)),
        (104, struct.pack("<Q", 1 << 60)),
    ],
)
def test_forged_trailers_are_damaged_records(recorded: bytes, field: int, value: bytes) -> None:
    assert isinstance(forged(recorded, field, b""), BuildRecord)
    found = forged(recorded, field, value)
    assert isinstance(found, DamagedRecord)
    assert found.reason


def test_a_damaged_record_is_reported_and_undoes_nothing(recorded: bytes, tmp_path: Path) -> None:
    image = tmp_path / "damaged.iso"
    image.write_bytes(recorded[:-2048] + recorded[-2048:-1900] + bytes(1900))
    with Volume.open(image) as volume:
        assert isinstance(volume.record, DamagedRecord)
        with pytest.raises(NgtpatchError) as refused:
            reset(volume, tmp_path / "back.iso")
        assert refused.value.code == "record-damaged"


def test_an_image_changed_since_is_not_reset(recorded: bytes, tmp_path: Path) -> None:
    record = read_record(MemorySource(recorded), len(recorded))
    assert isinstance(record, BuildRecord)
    offset = record.ranges[-1][0]
    changed = bytearray(recorded)
    changed[offset] ^= 0xFF
    overlay = Overlay(
        MemorySource(recorded),
        [Region(offset, recorded[offset : offset + 1], bytes(changed[offset : offset + 1]))],
    )
    volume = Volume(overlay, tmp_path / "changed.iso", second_opinion=False)
    with pytest.raises(VerificationError) as refused:
        vendor_overlay(volume)
    assert refused.value.code == "changed-since"


def test_reserved_room_lets_later_content_stay_in_place(zoo: Zoo, tmp_path: Path) -> None:
    path = "config/client-key.pem"
    with Volume.open(zoo["udf-bridge"]) as volume:
        plan = edit(volume, replace={path: b""}, scrub={path}, reserve={path: 8192}, note=NOTE)
        write_file(plan.overlay(), tmp_path / "base.iso")
    with Volume.open(tmp_path / "base.iso") as base:
        assert isinstance(base.record, BuildRecord)
        ((offset, length),) = base.record.rooms
        assert length == 8192
        sizes = set()
        for count in (1, 2048, 5000, 8192):
            plan = edit(base, replace={path: noise("key", count)}, scrub={path})
            write_file(plan.overlay(), tmp_path / "vm.iso", force=True)
            sizes.add(plan.size)
            with Volume.open(tmp_path / "vm.iso") as volume:
                assert volume.tree[path] == noise("key", count)
                assert volume.entries("rock_ridge")[path].extents == ((offset, count),)
                assert isinstance(volume.record, BuildRecord)
                assert volume.record.rooms == base.record.rooms
                # The next identity overwrites all of this one, though it is shorter.
                again = edit(volume, replace={path: b"x"}, scrub={path}).overlay()
                assert again.read_at(offset, 8192) == b"x" + bytes(8191)
        assert len(sizes) == 1
        plan = edit(base, replace={path: noise("key", 8193)}, scrub={path})
        assert plan.size > max(sizes)
