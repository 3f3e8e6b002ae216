# SPDX-License-Identifier: Apache-2.0
"""A peer: pycdlib replaces one file and writes the whole image, with blocks of 1 MiB."""

from __future__ import annotations

import io
import sys

import pycdlib

from bench.peers import TARGET


def main() -> None:
    source, output = sys.argv[1:]
    content = b"# changed\n" * 200
    iso = pycdlib.PyCdlib()
    iso.open(source)
    iso.update_file_contents_fp(io.BytesIO(content), len(content), rr_path=f"/{TARGET}")
    with open(output, "wb") as stream:  # noqa: PTH123 - as the peer's documentation has it
        iso.write_fp(stream, blocksize=1 << 20)
    iso.close()


if __name__ == "__main__":
    main()
