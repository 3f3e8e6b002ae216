# SPDX-License-Identifier: Apache-2.0
"""What is named as an ISO image and is none is called what it is, with the next step."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.iso.read.volume import Volume
from tests.iso.images import Zoo
from tests.requirements import tool

SECTOR = 2048


def zipped(base: Path, made: Path) -> None:
    with zipfile.ZipFile(made, "w") as archive:
        archive.write(base, "ngt.iso")


def raw_sectors(base: Path, made: Path) -> None:
    """Mode 1 sectors (ECMA-130 14) around the same data; the error codes are left zero."""
    data = base.read_bytes()
    sync = b"\0" + b"\xff" * 10 + b"\0"
    with made.open("wb") as out:
        for at in range(0, len(data), SECTOR):
            out.write(sync + b"\0\2\0\1" + data[at : at + SECTOR] + bytes(288))


def udf_only(_: Path, made: Path) -> None:
    made.write_bytes(bytes(8 << 20))
    subprocess.run([tool("mkudffs", "udftools"), made], check=True, capture_output=True)


def qcow2(_: Path, made: Path) -> None:
    # Its header (version 3, no backing file, clusters of 64 KiB), as qemu's docs/interop has it.
    head = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(12) + (16).to_bytes(4, "big")
    made.write_bytes(head.ljust(1 << 18, b"\0"))


FOREIGN: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "gzip": (lambda base, made: made.write_bytes(gzip.compress(base.read_bytes())), "gzip -dc"),
    "xz": (lambda base, made: made.write_bytes(lzma.compress(base.read_bytes())), "xz -dc"),
    "bzip2": (lambda base, made: made.write_bytes(bz2.compress(base.read_bytes())), "bzip2 -dc"),
    "zip": (zipped, "name the ISO image in it"),
    "qcow2": (qcow2, "qemu-img convert"),
    "raw-sectors": (raw_sectors, "bs=2048"),
    "udf-only": (udf_only, "name the directory"),
}


@pytest.mark.parametrize("code", FOREIGN)
def test_a_file_that_is_no_image_is_named_for_what_it_is(
    zoo: Zoo, tmp_path: Path, code: str
) -> None:
    make, step = FOREIGN[code]
    made = tmp_path / "ngt.iso"
    make(zoo["genisoimage"], made)
    with pytest.raises(InputError) as refused:
        Volume.open(made)
    assert refused.value.code == code
    assert refused.value.path == str(made)
    assert step in (refused.value.hint or "")


@pytest.mark.parametrize("address", ["https://example.com/ngt.iso", "S3://bucket/ngt.iso"])
def test_an_address_is_no_file(address: str) -> None:
    for path in (address, Path(address)):
        with pytest.raises(InputError) as refused:
            Volume.open(path)
        assert refused.value.code == "address"
        assert "download" in (refused.value.hint or "")


def test_a_file_that_is_called_like_an_address_is_read(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("https:/example.com").mkdir(parents=True)
    Path("https:/example.com/ngt.iso").write_bytes(zoo["genisoimage"].read_bytes())
    Volume.open("https://example.com/ngt.iso").close()
