# SPDX-License-Identifier: Apache-2.0
"""Images damaged on purpose, where it hurts: structures rather than contents."""

from __future__ import annotations

import binascii
import random
import struct
from collections.abc import Callable
from pathlib import Path

from ngtpatch.iso.read.volume import Volume

__all__ = ["HOSTILE_NAMES", "Prey", "mutant"]

SECTOR = 2048

HOSTILE_NAMES = (
    b"..",
    b"../../../../x",
    b"/etc/passwd",
    b"..\\..\\x",
    b"C:\\x",
    b"a\0b",
    b"\x1b[2Jx",
    b"a\nb",
    b"a/b",
    b".",
    b"\xff\xfe\xfd",
    b"\x7f",
    b"",
)

_NUMBERS = (0, 1, 2, 15, 16, 17, 18, 255, 256, 2047, 2048, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


class Prey:
    """A sound image, and where its structures stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.sectors = len(self.data) // SECTOR
        with Volume.open(path) as volume:
            descriptors = volume.descriptors.all
            self.descriptors = [16 * SECTOR + SECTOR * n for n in range(8)]
            self.tables = [at * SECTOR for d in descriptors for at in d.path_tables if at]
            self.records = sorted(
                record.offset
                for tree in volume.records.values()
                for node in tree.nodes.values()
                for record in node.records
            )
            self.directories = sorted(
                {d.extent * SECTOR for t in volume.records.values() for d in t.directories.values()}
            )
            self.udf: list[int] = []
            if volume.udf:
                self.udf = [node.file_entry.offset for node in volume.udf.nodes.values()]
                self.udf += [d.file_entry.offset for d in volume.udf.directories.values()]
                for offset, length in volume.udf.structures:
                    self.udf += range(offset, offset + min(length, 16 * SECTOR), SECTOR)


def mutant(prey: Prey, noise: random.Random) -> bytes:
    """Return the image with one to four faults of kinds that *noise* chooses."""
    data = bytearray(prey.data)
    kinds = [k for k in _KINDS if prey.udf or k is not _udf]
    for _ in range(noise.randint(1, 4)):
        noise.choice(kinds)(prey, data, noise)
        if not data:
            break
    return bytes(data)


def _put(data: bytearray, at: int, new: bytes) -> None:
    """Overwrite without growing: an earlier fault may have cut the image short."""
    end = min(at + len(new), len(data))
    if at < end:
        data[at:end] = new[: end - at]


def _number(prey: Prey, noise: random.Random) -> int:
    value = noise.choice([*_NUMBERS, prey.sectors, prey.sectors - 1, noise.randrange(2**32)])
    if noise.random() < 0.4:
        value = noise.randrange(prey.sectors + 1)
    if noise.random() < 0.2:
        value = noise.choice(prey.directories) // SECTOR
    return value


def _both(value: int) -> bytes:
    return struct.pack("<I", value) + struct.pack(">I", value)


def _structure(prey: Prey, noise: random.Random) -> int:
    places = noise.choice([prey.descriptors, prey.tables, prey.records, prey.directories, prey.udf])
    return noise.choice(places or prey.descriptors)


def _bytes(prey: Prey, data: bytearray, noise: random.Random) -> None:
    start = _structure(prey, noise)
    for _ in range(noise.randint(1, 8)):
        _put(data, start + noise.randrange(256), bytes([noise.randrange(256)]))


def _descriptor(prey: Prey, data: bytearray, noise: random.Random) -> None:
    start = noise.choice(prey.descriptors)
    at = noise.choice([80, 120, 124, 128, 132, 140, 148, 156, 158, 166, 188])
    _put(data, start + at, _both(_number(prey, noise)))


def _record(prey: Prey, data: bytearray, noise: random.Random) -> None:
    start = noise.choice(prey.records)
    at = noise.choice([2, 2, 10, 10, 10])
    _put(data, start + at, _both(_number(prey, noise)))


def _record_shape(prey: Prey, data: bytearray, noise: random.Random) -> None:
    start = noise.choice(prey.records)
    at = noise.choice([0, 1, 25, 26, 27, 32])
    _put(data, start + at, bytes([noise.randrange(256)]))


def _name(prey: Prey, data: bytearray, noise: random.Random) -> None:
    start = noise.choice(prey.records)
    if start + 33 < len(data):
        length = data[start + 32]
        name = noise.choice(HOSTILE_NAMES)
        if noise.random() < 0.5:
            name = name.decode("latin-1").encode("utf-16-be")
        _put(data, start + 33, name[:length])
        at = data.find(b"NM", start, start + 255)
        if at > 0 and noise.random() < 0.7:
            _put(data, at + 5, noise.choice(HOSTILE_NAMES)[: max(data[at + 2] - 5, 0)])


def _system_use(prey: Prey, data: bytearray, noise: random.Random) -> None:
    signature = noise.choice([b"NM", b"PX", b"SL", b"TF", b"CE", b"CL", b"RE", b"PL", b"SP", b"ER"])
    start = noise.choice(prey.directories)
    at = data.find(signature, start, start + 4 * SECTOR)
    if at < 0:
        at = data.find(noise.choice([b"NM", b"PX", b"TF"]), start, start + SECTOR)
    if at >= 0:
        if noise.random() < 0.3:
            _put(data, at, b"CE\x1c\x01" + _both(_number(prey, noise)) + _both(0) + _both(2048))
        else:
            _put(data, at + noise.randrange(12), bytes([noise.randrange(256)]))


def _udf(prey: Prey, data: bytearray, noise: random.Random) -> None:
    """Damage a UDF descriptor and make its tag right again: the fault goes deeper that way."""
    start = noise.choice(prey.udf)
    one = bytearray(data[start : start + SECTOR])
    if len(one) < SECTOR:
        return
    at = noise.choice([16, 18, 20, 27, 34, 56, 64, 72, 168, 172, 176, 180, 188, 192, 212, 248])
    value = noise.choice([_number(prey, noise), noise.randrange(256)])
    one[at : at + 4] = struct.pack("<I", value)
    length = struct.unpack_from("<H", one, 10)[0]
    one[8:10] = struct.pack("<H", binascii.crc_hqx(bytes(one[16 : 16 + length]), 0))
    one[4] = 0
    one[4] = sum(one[:16]) & 0xFF
    _put(data, start, bytes(one))


def _cut(prey: Prey, data: bytearray, noise: random.Random) -> None:
    del data[noise.choice([noise.randrange(len(data)), SECTOR * noise.randrange(prey.sectors)]) :]


def _move(prey: Prey, data: bytearray, noise: random.Random) -> None:
    """Put one structure's sector in the place of another's."""
    one, other = (_structure(prey, noise) // SECTOR * SECTOR for _ in range(2))
    _put(data, other, bytes(data[one : one + SECTOR]))


def _blank(prey: Prey, data: bytearray, noise: random.Random) -> None:
    start = _structure(prey, noise) // SECTOR * SECTOR
    _put(data, start, bytes([noise.choice([0, 255])]) * SECTOR)


_KINDS: tuple[Callable[[Prey, bytearray, random.Random], None], ...] = (
    _bytes,
    _descriptor,
    _record,
    _record_shape,
    _name,
    _system_use,
    _udf,
    _udf,
    _cut,
    _move,
    _blank,
)
