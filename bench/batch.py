# SPDX-License-Identifier: Apache-2.0
"""Many images from one base that was parsed once: prints milliseconds and bytes for each.

Two rounds: without fsync for what the work costs, with it for what is safe.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from bench.measure import device_bytes
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file

CONFIG = "config/ngt_config.json"
CERTIFICATE = "config/client-cert.pem"
KEY = "config/client-key.pem"


def identity(number: int) -> dict[str, bytes]:
    """Return contents of the size that a VM's identity has."""
    noise = hashlib.shake_128(str(number).encode()).hexdigest
    return {
        CONFIG: f'{{"ngt_uuid": "{noise(18)}", "ngt_version": "2.0.1", "port": 2074}}'.encode(),
        CERTIFICATE: noise(700).encode(),
        KEY: noise(900).encode(),
    }


def main() -> None:
    source, directory, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    for durable in (False, True):
        paths = [directory / f"vm-{number}.iso" for number in range(count)]
        os.sync()
        before = device_bytes(directory)
        with Volume.open(source) as volume:
            start = time.perf_counter()
            for number, path in enumerate(paths):
                new = identity(number)
                plan = edit(volume, replace=new, scrub=new)
                write_file(plan.overlay(), path, digest=False, durable=durable)
            seconds = time.perf_counter() - start
        os.sync()
        written = device_bytes(directory) - before
        for path in paths:
            path.unlink()
        print(1000 * seconds / count, written / count, end=" ")


if __name__ == "__main__":
    main()
