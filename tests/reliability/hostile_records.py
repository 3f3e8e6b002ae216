# SPDX-License-Identifier: Apache-2.0
"""Records that are bent, with the digests of their trailer made right again."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ngtpatch.errors import NgtpatchError
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.inspect import inspect
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.flow.reset import reset
from ngtpatch.flow.verify import verify
from ngtpatch.iso.read.build_record import _HEAD, BuildRecord
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests.reliability.hostile_texts import LateError, no_more_cpu_than
from tests.reliability.mutation import bent, bent_bytes
from tests.reliability.result import Result

__all__ = ["hostile_records"]

SECTOR = 2048
LONGEST = 10


def _forged(data: bytes, record: BuildRecord, chance: random.Random) -> bytes:
    """Return the image with a bent text or undo, or numbers of its trailer, in the old room."""
    image = bytearray(data)
    at = record.end - SECTOR
    fields = list(_HEAD.unpack_from(image, at))
    text_length, undo_length = fields[4], fields[5]
    text = bytes(image[record.offset : record.offset + text_length])
    undo = bytes(image[record.offset + text_length : record.offset + text_length + undo_length])
    match chance.randrange(4):
        case 0:
            undo = bent_bytes(undo, chance)
        case 1:
            which = chance.choice(
                [one for one, value in enumerate(fields) if isinstance(value, int)]
            )
            size = 0xFFFF if which in (1, 2) else 0xFFFFFFFF
            fields[which] = chance.choice((0, 1, size, fields[which] + 1, chance.randrange(size)))
        case _:
            text = bent(text, chance)
    room = at - record.offset
    payload = (text + undo)[:room]
    if fields[4] == text_length and fields[5] == undo_length:
        fields[4], fields[5] = len(text), max(0, len(payload) - len(text))
    # It ends before its trailer, and begins at a sector.
    place = at - -(-len(payload) // SECTOR) * SECTOR
    if fields[3] == record.offset:
        fields[3] = place
    image[record.offset : at] = bytes(room)
    image[place : place + len(payload)] = payload
    fields[6] = hashlib.sha256(payload).digest()
    try:
        head = _HEAD.pack(*fields)
    except Exception:  # a number that does not fit its field
        return bytes(image)
    image[at : at + len(head) + 32] = head + hashlib.sha256(head).digest()
    return bytes(image)


def hostile_records(scratch: Path, *, count: int = 10_000, seed: int = 0) -> Result:
    """Bend the records of four images; ask of each what reads one."""
    begin, result = time.monotonic(), Result()
    scratch.mkdir(parents=True, exist_ok=True)
    base = scratch / "base.iso"
    write_sample(base, era=2, udf=True, seed="records")
    vendor = hashlib.sha256(base.read_bytes()).hexdigest()
    images = []
    for name, request in {
        "patched": IdentityRequest(), "stripped": IdentityRequest(strip=True),
        "reserved": IdentityRequest(strip=True, reserve=8192),
    }.items():  # fmt: skip
        path = scratch / f"{name}.iso"
        rebuild(base, distros=["rocky"], output=path, identity=request)
        with Volume.open(path) as volume:
            assert isinstance(volume.record, BuildRecord)
            images.append((path.read_bytes(), volume.record))
    work, out = scratch / "forged.iso", scratch / "out.iso"
    longest = 0.0
    for number in range(seed, seed + count):
        chance = random.Random(number)
        work.write_bytes(_forged(*chance.choice(images), chance))
        started, became = time.process_time(), []
        against = base if chance.random() < 0.5 else None
        steps: dict[str, Callable[[], object]] = {
            "inspect": lambda: inspect(work),
            "verify": partial(verify, work, base=against),
            "reset": lambda: reset(work, out, force=True),
            "rebuild": lambda: rebuild(
                work, output=out, force=True, identity=IdentityRequest(sets={"port": "2076"})
            ),
        }
        for name, step in steps.items():
            out.unlink(missing_ok=True)
            try:
                with no_more_cpu_than(LONGEST):
                    step()
                became.append(f"{name} done")
                if name == "reset" and hashlib.sha256(out.read_bytes()).hexdigest() != vendor:
                    result.wrong.append(f"record {number}: reset gave another image")
            except NgtpatchError as error:
                became.append(f"{name} {error.code}")
                if error.exit_code == 1 and error.code != "source-changed":
                    result.wrong.append(f"record {number}: {name}: {error}")
                if out.exists():
                    result.wrong.append(f"record {number}: {name} failed and left an output")
            except (Exception, LateError) as error:
                result.wrong.append(f"record {number}: {name}: {type(error).__name__}: {error}")
        longest = max(longest, time.process_time() - started)
        result.add(", ".join(became[1:]))
    result.figures["slowest"] = f"{longest:.1f} s of CPU for all four"
    result.seconds = time.monotonic() - begin
    return result
