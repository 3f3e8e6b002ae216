# SPDX-License-Identifier: Apache-2.0
"""Bytes flipped at random places of images that ngtpatch wrote: does verify see each?

In ``make test`` some hundreds; for more (``make flips``)::

    python -m tests.fuzz.flips --count 5000

Each byte is drawn by what stands there, so that a structure of 16 bytes is met as often as a
payload of a gigabyte. Held: ``verify --base`` and ``verify`` alone see each, by refusing the image
or by not calling it verified. What nothing can prove is counted, with its reason: only where the
record names no digest, only outside of what it tells of, and never with the base.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.iso.check import check, introduced
from ngtpatch.iso.compare.proof import prove
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample

__all__ = ["Flipped", "Quarry", "flip", "quarries"]

SECTOR = 2048


@dataclass
class Quarry:
    """An image that ngtpatch wrote, and what it was made from.

    Attributes:
        name: for reports.
        data: its bytes.
        base: the vendor's image.
        digest: whether the record names one.
        places: (start, end) by what stands there.
    """

    name: str
    data: bytes
    base: Volume
    digest: bool
    places: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, base: Path, *, digest: bool = True) -> Quarry:
        data = path.read_bytes()
        found = cls(path.stem, data, Volume.open(base), digest)
        with Volume.open(path) as volume:
            for kind, start, end in _places(volume):
                if start < end:
                    found.places.setdefault(kind, []).append((start, end))
        return found


def _places(volume: Volume) -> Iterator[tuple[str, int, int]]:
    """Yield (what, start, end) of everything in an image; some of it more than once."""
    record = volume.record
    assert isinstance(record, BuildRecord)
    yield "anywhere", 0, volume.size
    yield "system area", 0, 16 * SECTOR
    for descriptor in volume.descriptors.all:
        yield "descriptors", descriptor.offset, descriptor.offset + SECTOR
        for table in descriptor.path_tables:
            yield "path tables", table * SECTOR, table * SECTOR + descriptor.path_table_size
    for tree in volume.records.values():
        for directory in tree.directories.values():
            offset = directory.extent * SECTOR
            yield "directories", offset, offset + directory.length
    yield from _contents(volume)
    for kind, ranges in (("changed", record.ranges), ("scrubbed", record.scrubbed)):
        for offset, length in ranges:
            yield kind, offset, offset + length
    yield "appended", record.vendor_size, record.offset
    for offset, length in record.rooms:
        yield "rooms", offset, offset + length
    yield "record", record.offset, record.end - SECTOR
    yield "trailer", record.end - SECTOR, record.end
    yield "anchor", record.end, record.volume_end
    if volume.udf:
        for offset, length in volume.udf.structures:
            yield "udf", offset, offset + length
        for node in volume.udf.nodes.values():
            yield "udf", node.file_entry.offset, node.file_entry.offset + SECTOR


def _contents(volume: Volume) -> Iterator[tuple[str, int, int]]:
    for entry in volume.entries(volume.primary_tree).values():
        for offset, length in entry.extents:
            yield "contents", offset, offset + length
            if offset % SECTOR == 0:
                end = -(-(offset + length) // SECTOR) * SECTOR
                yield "slack", offset + length, min(end, volume.size)


@dataclass
class Flipped:
    """What became of the flips.

    Attributes:
        count: by where, how many were tried.
        missed: those that verify did not see although something could prove them.
        unprovable: by reason, how many nothing but the base can prove.
    """

    count: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    unprovable: Counter[str] = field(default_factory=Counter)


def flip(quarry: Quarry, noise: random.Random, result: Flipped) -> None:
    """Flip one byte, or put one behind the end, and ask with and without the base."""
    kind = noise.choice([*quarry.places, "behind the end"])
    data = bytearray(quarry.data)
    if kind == "behind the end":
        at = len(data) + noise.randrange(3 * SECTOR)
        data += bytes(at - len(data)) + bytes([noise.randrange(1, 256)])
    else:
        start, end = noise.choice(quarry.places[kind])
        at = noise.randrange(start, end)
        data[at] ^= noise.randrange(1, 256)
    result.count[f"{quarry.name}: {kind}"] += 1
    alone, based = _seen(bytes(data), None), _seen(bytes(data), quarry.base)
    where = f"{quarry.name}: byte {at} in {kind}"
    if not based:
        result.missed.append(f"{where}, with the base")
    if quarry.digest and not alone:
        result.missed.append(f"{where}, without the base")
    if not quarry.digest and not _seen(bytes(data), None, silent=True):
        result.unprovable["its record names no digest, and the byte is outside its regions"] += 1


def _seen(data: bytes, base: Volume | None, *, silent: bool = False) -> bool:
    """Tell whether an image is refused, or not called verified.

    Args:
        data: the image.
        base: what it was made from.
        silent: what the image does not say of itself does not count.
    """
    try:
        volume = Volume(MemorySource(data), Path("flipped.iso"), second_opinion=False)
        proof = prove(volume, base)
    except InputError:
        return True
    found = [one for one in proof.contradictions if not silent or one.code != "no-digest"]
    return bool(found) and not proof.identical


def quarries(directory: Path) -> list[Quarry]:
    """Make images of all kinds: rebuilt, injected, stripped, reserved; with and without UDF."""
    made = []
    for era, udf in ((1, False), (2, True), (2, False)):
        name = f"era{era}{'-udf' if udf else ''}"
        base, other = directory / f"{name}.iso", directory / f"{name}-other.iso"
        write_sample(base, era=era, udf=udf, seed=name)
        write_sample(other, era=era, seed=f"{name} of another VM")
        with Volume.open(other) as volume:
            files = {}
            for path in ("ngt_config.json", "client-cert.pem", "client-key.pem", "ca-cert.pem"):
                if f"config/{path}" not in volume.tree:
                    continue  # of the samples, only era 1 has the cluster's authority
                files[path] = directory / f"{name}-{path}"
                files[path].touch(mode=0o600)
                files[path].write_bytes(volume.tree[f"config/{path}"])
        given = IdentityRequest(
            config=files["ngt_config.json"],
            certificate=files["client-cert.pem"],
            key=files["client-key.pem"],
            authority=files.get("ca-cert.pem"),
        )
        requests = {
            "rebuilt": IdentityRequest(),
            "injected": given,
            "stripped": IdentityRequest(strip=True),
            "reserved": IdentityRequest(strip=True, reserve=8192),
        }
        for kind, request in requests.items():
            output = directory / f"{name}-{kind}.iso"
            rebuild(base, distros=["rocky"], output=output, identity=request)
            made.append(Quarry.of(output, base))
        composed = directory / f"{name}-composed.iso"
        rebuild(directory / f"{name}-reserved.iso", output=composed, identity=given)
        made.append(Quarry.of(composed, base))
        silent = directory / f"{name}-no-digest.iso"
        rebuild(base, distros=["rocky"], output=silent, digest=False)
        made.append(Quarry.of(silent, base, digest=False))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description="Flip bytes, and ask verify.")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", default="flips")
    asked = parser.parse_args()
    noise, result, started = random.Random(asked.seed), Flipped(), time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        images = quarries(Path(directory))
        for quarry in images:
            volume = Volume(MemorySource(quarry.data), Path(quarry.name), second_opinion=False)
            assert not introduced(check(volume), check(quarry.base))
            assert _seen(quarry.data, None) != quarry.digest
            assert not _seen(quarry.data, quarry.base)
        for number in range(asked.count):
            flip(images[number % len(images)], noise, result)
    for kind, count in sorted(
        Counter(key.split(": ")[1] for key in result.count.elements()).items()
    ):
        print(f"{count:6} in {kind}")
    for reason, count in result.unprovable.items():
        print(f"{count:6} that only the base can prove: {reason}")
    print(f"{sum(result.count.values())} bytes flipped in {len(images)} images, ", end="")
    print(f"{len(result.missed)} missed, {time.monotonic() - started:.0f} s")
    for missed in result.missed:
        print(f"MISSED {missed}")
    return 1 if result.missed else 0


if __name__ == "__main__":
    sys.exit(main())
