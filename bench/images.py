# SPDX-License-Identifier: Apache-2.0
"""``make bench``: ngtpatch against its peers, on the same image in the same run.

    python -m bench.images                          600 MB, five runs; writes docs/benchmarks.md
    python -m bench.images --size 40M --runs 1      quick, prints only

As root, xfs and btrfs on loop devices are measured beside the local file system.
Runs alternate between the commands, and the median counts. Only ratios within one
run are worth comparing between machines.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.filesystems import file_systems
from bench.measure import Sample, Series, run
from bench.peers import BASELINE, HASHED, IMAGE_WORK, PEERS, available

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- images: begin -->", "<!-- images: end -->"
LARGE = 4_500_000_000
MANY = 200


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    size: int
    runs: int
    large: bool
    loops: bool
    document: bool


def options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="600M", help="of the image (default: 600M)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-loops", action="store_true", help="only the local file system")
    given = parser.parse_args()
    size = int(given.size.rstrip("MG")) << {"M": 20, "G": 30}.get(given.size[-1], 0)
    full = size >= 500 << 20
    return Options(size, given.runs, large=full, loops=not given.no_loops, document=full)


def main() -> int:
    asked = options()
    lines = list(report(asked))
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.document:
        write_document(text)
        print(f"written to {DOCUMENT.relative_to(DOCUMENT.parent.parent)}")
    return 0


def report(asked: Options) -> Iterator[str]:
    """Measure everything; yield Markdown."""
    yield f"## Images: {asked.size >> 20} MB, median of {asked.runs}"
    yield ""
    yield f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]},"
    yield f"Python {platform.python_version()}; warm cache. Ratio: to `{BASELINE}` in the same run."
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        work = Path(directory)
        # Room for the source, two outputs, an unpacked tree, and what the batch writes.
        room = 6 * asked.size + (1 << 30)
        with file_systems(work, room, loops=asked.loops) as places:
            for name, place in places.items():
                progress(f"{name} ...")
                source = place / "source.iso"
                write_sample(source, asked.size)
                yield from compare_peers(asked, name, source, place)
                if can_reflink(source):
                    yield from many(name, source, place)
                source.unlink()
        if asked.large:
            yield from large(work)


def compare_peers(asked: Options, name: str, source: Path, place: Path) -> Iterator[str]:
    output = place / "output.iso"
    peers = available(reflink=can_reflink(source))
    series = {peer: Series([]) for peer in peers}
    for _ in range(asked.runs):
        for peer, command in peers.items():
            warm(source)
            series[peer].samples.append(run(command(source, output), directory=place))
            output.unlink()
    base = series[BASELINE].seconds
    yield from ("", f"### {name}", "")
    yield "| | seconds | ratio | written | peak memory |"
    yield "|---|---:|---:|---:|---:|"
    for peer, found in series.items():
        inside = peer == IMAGE_WORK
        seconds = found.printed / 1000 if inside else found.seconds
        yield (
            f"| {peer} | {seconds:.3f} | {seconds / base:.3f} "
            f"| {size_of(found.written)} | {size_of(found.rss)} |"
        )
    yield ""
    rebuild, hashed = series["ngtpatch rebuild"].seconds, series[HASHED].seconds
    yield f"With the digest printed, `ngtpatch rebuild` takes {rebuild / hashed:.2f} times"
    yield f"`{HASHED}`."
    if "xorriso -update" in series:
        other = series["xorriso -update"].seconds
        plain = series["ngtpatch rebuild --no-digest"].seconds
        alone = series[IMAGE_WORK].printed / 1000
        yield f"`xorriso -update` takes {other / plain:.1f} times `ngtpatch rebuild --no-digest`,"
        yield f"and {other / alone:.0f} times the image work in it."


def many(name: str, source: Path, place: Path) -> Iterator[str]:
    """Measure a batch from one parsed base, on a file system that shares extents."""
    directory = place / "many"
    directory.mkdir()
    command = [sys.executable, "-m", "bench.batch", str(source), str(directory), str(MANY)]
    sample: Sample = run(command, directory=place)
    directory.rmdir()
    plain, plain_bytes, durable, durable_bytes = map(float, sample.output.split())
    yield ""
    yield f"{MANY} images with one VM's identity each, from one base parsed once, on {name}:"
    yield f"{plain:.2f} ms and {size_of(plain_bytes)} each, {durable:.2f} ms and"
    yield f"{size_of(durable_bytes)} with fsync; peak memory {size_of(sample.rss)}."


def large(work: Path) -> Iterator[str]:
    """Measure memory on an image with a file of two extents."""
    progress("4.5 GB ...")
    small, tree = work / "small.iso", work / "tree"
    source, output = work / "large.iso", work / "output.iso"
    write_sample(small, 0)
    tree.mkdir()
    subprocess.run(["bsdtar", "-xf", small, "-C", tree], check=True)
    with (tree / "payload.bin").open("wb") as stream:
        stream.truncate(LARGE)
    master = ["xorriso", "-as", "mkisofs", "-quiet", "-iso-level", "3", "-R", "-J"]
    subprocess.run(
        [*master, "-V", "NUTANIX_TOOLS", "-o", source, tree], check=True, capture_output=True
    )
    found = run(PEERS["ngtpatch rebuild"](source, output), directory=work)
    verify = [sys.executable, "-m", "ngtpatch", "verify", str(output), "--base", str(source)]
    checked = run(verify, directory=work)
    yield from ("", f"### {LARGE / 1e9} GB", "")
    yield f"Peak memory of `ngtpatch rebuild`: {size_of(found.rss)},"
    yield f"of `ngtpatch verify --base`: {size_of(checked.rss)}."


def write_sample(path: Path, payload: int) -> None:
    """Run ``ngtpatch sample``. In a process of its own: its memory would count for all peers."""
    command = [sys.executable, "-m", "ngtpatch", "sample", "-o", str(path), "--seed", "bench"]
    subprocess.run([*command, "--payload", str(payload)], check=True, capture_output=True)


def can_reflink(source: Path) -> bool:
    """Ask the file system itself."""
    copy = source.with_suffix(".reflink")
    found = subprocess.run(
        ["cp", "--reflink=always", source, copy], capture_output=True, check=False
    )
    copy.unlink(missing_ok=True)
    return found.returncode == 0


def warm(source: Path) -> None:
    with source.open("rb") as stream:
        while stream.read(1 << 20):
            pass


def size_of(count: float) -> str:
    if count >= 1 << 20:
        return f"{count / (1 << 20):,.0f} MB"
    return f"{count / 1024:,.1f} KB"


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write_document(text: str) -> None:
    """Put the results in their place in the document; what others wrote there stays."""
    old = DOCUMENT.read_text() if DOCUMENT.exists() else HEAD
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


HEAD = f"""\
<!-- SPDX-License-Identifier: Apache-2.0 -->
# Benchmarks

What `make bench` printed, written by it. Peers run on the same image, in the same run.

{BEGIN}
{END}
"""


if __name__ == "__main__":
    sys.exit(main())
