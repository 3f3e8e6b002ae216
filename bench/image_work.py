# SPDX-License-Identifier: Apache-2.0
"""The image half of a rebuild in a process that is warm: prints its milliseconds.

Open, plan, clone or copy, write, fsync, read back and compare in every tree;
not the interpreter's start and not the installer's patching.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pycdlib  # noqa: F401 - opening imports it when it is first needed

from bench.peers import TARGET
from ngtpatch.iso.compare.comparison import compare
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file


def main() -> None:
    source, output = map(Path, sys.argv[1:])
    start = time.perf_counter()
    with Volume.open(source) as volume:
        overlay = edit(volume, replace={TARGET: b"# changed\n" * 2000}).overlay()
        written = write_file(overlay, output, digest=False)
        within = [(region.offset, len(region.new)) for region in overlay.regions]
        with Volume.open(output) as result:
            told = compare(volume, result, within=within)
    assert {difference.known_as for difference in told.differences} == {TARGET}
    print(written.method, 1000 * (time.perf_counter() - start))


if __name__ == "__main__":
    main()
