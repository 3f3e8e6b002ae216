# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile images through everything that reads one.

In ``make test`` some hundreds; for more::

    python -m tests.fuzz.fuzz_images --count 20000

The property: an image is refused with a code, or it is read, and then what is
read is bounded and what is built from it holds. No other exception escapes, no
case takes ten seconds, and the memory stays under 200 MB.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ngtpatch.errors import InputError, NgtpatchError, Refusal, VerificationError
from ngtpatch.flow.diff import diff
from ngtpatch.flow.inspect import inspect
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.flow.verify import verify
from ngtpatch.iso.check import check
from ngtpatch.iso.compare.comparison import compare
from ngtpatch.iso.compare.textdiff import text_diff
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests.iso.mutants import Prey, mutant

__all__ = ["flock", "survive", "survive_flow"]

LONGEST = 10
LARGEST = 200 << 20


def flock(directory: Path) -> list[Prey]:
    """Make the sound images that are damaged: samples, and one that was rebuilt already."""
    prey = []
    for name, era, udf in (("one", 1, False), ("two", 2, False), ("bridge", 2, True)):
        path = directory / f"{name}.iso"
        write_sample(path, era=era, udf=udf, seed="fuzz")
        prey.append(Prey(path))
    rebuilt = directory / "rebuilt.iso"
    rebuild(directory / "two.iso", distros=["rocky"], output=rebuilt)
    return [*prey, Prey(rebuilt)]


def survive(prey: Prey, data: bytes) -> str:
    """Read, edit and compare one image; return ``read`` or the code it was refused with."""
    found = check(MemorySource(data))
    assert len(found) <= 200
    try:
        volume = Volume(MemorySource(data), Path("mutant.iso"))
    except InputError as error:
        _assert_one_message(error)
        return error.code
    for tree in volume.trees:
        for path, entry in volume.entries(tree).items():
            assert_harmless(path)
            for offset, length in entry.extents:
                assert 0 <= offset <= offset + length <= volume.size
    with Volume.open(prey.path) as base:
        for one, other in ((base, volume), (volume, base)):
            for difference in compare(one, other).differences:
                text_diff(one, other, difference)
    for path in list(volume.tree)[:8]:
        for content in (b"", b"x" * 5000):
            try:
                plan = edit(volume, replace={path: content})
                plan = edit(volume, remove={path}, note=Note({})) if not content else plan
            except (InputError, Refusal) as error:
                _assert_one_message(error)
                continue
            _assert_it_holds(plan.overlay(), path, content)
    return "read"


def _assert_it_holds(overlay: object, path: str, content: bytes) -> None:
    """What was planned over a damaged image can be read, or is refused as the image was."""
    try:
        result = Volume(overlay, Path("edited.iso"), second_opinion=False)  # type: ignore[arg-type] # any source of bytes
    except InputError as error:
        _assert_one_message(error)
        return
    if content:
        assert result.tree[path] == content
    else:
        assert path not in result.tree


def survive_flow(prey: Prey, path: Path) -> str:
    """Inspect, verify, compare and rebuild an image file; return what became of the rebuild."""
    for step in (
        lambda: inspect(path),
        lambda: verify(path, base=prey.path),
        lambda: diff(prey.path, path),
    ):
        try:
            step()
        except (InputError, Refusal) as error:
            _assert_one_message(error)
    output = path.with_suffix(".out")
    try:
        rebuild(path, distros=["rocky", "almalinux"], output=output, force=True)
    except (InputError, Refusal, VerificationError) as error:
        _assert_one_message(error)
        assert not output.exists()
        assert {p.suffix for p in path.parent.iterdir()} <= {".iso"}, "a temporary file is left"
        return f"exit {error.exit_code}: {error.code}"
    output.unlink()
    return "rebuilt"


def assert_harmless(path: str) -> None:
    assert path
    assert not path.startswith("/")
    assert all(part not in ("", ".", "..") for part in path.split("/"))
    assert path.isprintable() or not any(ord(c) < 32 or ord(c) == 127 for c in path)
    assert "\\" not in path


def _assert_one_message(error: NgtpatchError) -> None:
    assert error.code
    assert error.message
    # A refusal of the installer shows its lines; printing them harmlessly is the console's part.
    assert error.message.isprintable() or isinstance(error, Refusal), error.message


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    parser = argparse.ArgumentParser(description="Read many damaged images; print what became.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    became: Counter[str] = Counter()
    longest, failures = 0.0, 0
    with tempfile.TemporaryDirectory() as directory:
        flocks = flock(Path(directory))
        work = Path(directory, "work")
        work.mkdir()
        for number in range(arguments.seed, arguments.seed + arguments.count):
            noise = random.Random(number)
            prey = noise.choice(flocks)
            data = mutant(prey, noise)
            start = time.process_time()
            try:
                with no_longer_than(LONGEST):
                    outcome = survive(prey, data)
                    # The whole flow opens each image four times over: where it is worth it.
                    if outcome == "read":
                        path = work / "mutant.iso"
                        path.write_bytes(data)
                        outcome = f"read, {survive_flow(prey, path)}"
                    became[outcome] += 1
            except Exception:
                failures += 1
                print(f"--seed {number} --count 1, {prey.path.name}:", file=sys.stderr)
                traceback.print_exc()
            longest = max(longest, time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    for outcome, count in became.most_common():
        print(f"{count:7} {outcome}")
    print(f"{arguments.count} images, {failures} failures")
    print(f"slowest: {longest:.1f} s of CPU; peak memory: {peak >> 20} MB")
    return 1 if failures or peak > LARGEST else 0


if __name__ == "__main__":
    sys.exit(main())
