# SPDX-License-Identifier: Apache-2.0
"""``make bench``: what accounting for every byte adds to opening an image, against cmp.

    python -m bench.verifying                        600 MB, nine runs; writes docs/benchmarks.md
    python -m bench.verifying --size 40M --runs 3    quick, prints only

The image is open already on both sides of the comparison that is timed: opening costs the same
whatever its size. cmp reads the base and a copy of it, so that it has to look at every byte, too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.images import DOCUMENT, progress, warm, write_sample
from ngtpatch.iso.compare.proof import prove
from ngtpatch.iso.read.volume import Volume

BEGIN, END = "<!-- verifying: begin -->", "<!-- verifying: end -->"
MOST = 1.3


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure verify against cmp.")
    parser.add_argument("--size", default="600M", help="of the image (default: 600M)")
    parser.add_argument("--runs", type=int, default=9)
    asked = parser.parse_args()
    size = int(asked.size.rstrip("MG")) << {"M": 20, "G": 30}.get(asked.size[-1], 0)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        text, ratio = measured(Path(directory), size, asked.runs)
    print(text)
    if size >= 500 << 20:
        old = DOCUMENT.read_text()
        before, _, rest = old.partition(BEGIN)
        after = rest.partition(END)[2] or "\n"
        DOCUMENT.write_text(f"{before.rstrip()}\n\n{BEGIN}\n{text}{END}{after}")
    return 0 if ratio <= MOST else 1


def measured(work: Path, size: int, runs: int) -> tuple[str, float]:
    """Measure in turns; return Markdown, and the ratio to cmp."""
    source, copy, output = work / "source.iso", work / "copy.iso", work / "output.iso"
    write_sample(source, size)
    rebuild: list[str | Path] = [
        sys.executable,
        "-m",
        "ngtpatch",
        "rebuild",
        source,
        "--distro",
        "rocky",
    ]
    subprocess.run([*rebuild, "--strip-identity", "-o", output], check=True, capture_output=True)
    subprocess.run(["cp", source, copy], check=True)
    for path in (source, copy, output):
        warm(path)
    kinds: dict[str, Callable[[], object]] = {
        "`cmp`": lambda: subprocess.run(["cmp", source, copy], check=True),
        "`verify --base`": lambda: accounted(output, source),
        "`sha256sum`": lambda: subprocess.run(
            ["sha256sum", source], check=True, capture_output=True
        ),
        "`verify`": lambda: accounted(output, None),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(runs):
        progress(f"run {number + 1} ...")
        for kind, job in kinds.items():
            spent = job() if "verify" in kind else timed(job)
            assert isinstance(spent, float)
            seconds[kind].append(spent)
    middle = {kind: median(found) for kind, found in seconds.items()}
    ratio = middle["`verify --base`"] / middle["`cmp`"]
    rows = "\n".join(f"| {kind} | {found:.3f} |" for kind, found in middle.items())
    return (
        f"### Every byte accounted for: {size >> 20} MB, median of {runs}\n\n"
        f"| | seconds |\n|---|---:|\n{rows}\n\n"
        f"Without what opening the images costs. `verify --base` takes {ratio:.2f} times `cmp`.\n",
        ratio,
    )


def timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def accounted(image: Path, base: Path | None) -> float:
    """Return how long the proof takes, once the images are open."""
    with Volume.open(image) as volume:
        if base is None:
            start = time.perf_counter()
            assert prove(volume).proven
            return time.perf_counter() - start
        with Volume.open(base) as original:
            start = time.perf_counter()
            assert prove(volume, original).proven
            return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
