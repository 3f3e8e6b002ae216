# SPDX-License-Identifier: Apache-2.0
"""What opening an image of many files costs in CPU seconds: our reader, and pycdlib's share.

    python -m bench.opening [--files 22000] [--runs 5]

The runs of both alternate in one process, and the least of each counts.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pycdlib

from ngtpatch.iso.read.bytesource import FileSource
from ngtpatch.iso.read.volume import Volume

_IN_A_FOLDER = 100


def write_image(directory: Path, files: int) -> Path:
    """Let xorriso make an image with Rock Ridge and Joliet."""
    tree, image = directory / "tree", directory / "many.iso"
    for number in range(files):
        folder = tree / f"installer/folder{number // _IN_A_FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"a_file_of_some_length_{number:05}.py").write_text(f"{number}\n")
    master = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "NUTANIX_TOOLS"]
    subprocess.run([*master, "-o", image, tree], check=True, capture_output=True)
    return image


def ours(image: Path) -> None:
    """Open it, every check included, and no tree listed yet."""
    Volume(FileSource(image), image, second_opinion=False).close()


def listed(image: Path) -> None:
    """Open it and list the tree that paths are resolved in, as inspect and support do."""
    with Volume(FileSource(image), image, second_opinion=False) as volume:
        assert volume.tree


def every_tree(image: Path) -> None:
    """Open it and list every tree, as a rebuild's comparison does."""
    with Volume(FileSource(image), image, second_opinion=False) as volume:
        assert all(volume.entries(tree) for tree in volume.trees)


def second_opinion(image: Path) -> None:
    """Let pycdlib open it."""
    iso = pycdlib.PyCdlib()
    with image.open("rb") as stream:
        iso.open_fp(io.BufferedReader(stream))
        iso.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=22_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    measured: dict[str, Callable[[Path], None]] = {
        "our reader, opening": ours,
        "our reader, and one tree listed": listed,
        "our reader, and every tree listed": every_tree,
        "pycdlib, opening (the second opinion)": second_opinion,
    }
    seconds = dict.fromkeys(measured, float("inf"))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        image = write_image(Path(name), asked.files)
        for _ in range(asked.runs):
            for what, work in measured.items():
                start = time.process_time()
                work(image)
                seconds[what] = min(seconds[what], time.process_time() - start)
    print(f"## Opening an image of {asked.files:,} files: CPU seconds, least of {asked.runs}\n")
    print("| | seconds |\n|---|---:|")
    for what, least in seconds.items():
        print(f"| {what} | {least:.2f} |")


if __name__ == "__main__":
    main()
