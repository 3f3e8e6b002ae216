# SPDX-License-Identifier: Apache-2.0
"""What a file is that is named as an ISO image and is none: told by its first bytes."""

from __future__ import annotations

from ngtpatch.errors import InputError
from ngtpatch.iso.read.bytesource import ByteSource
from ngtpatch.iso.read.ecma119 import SECTOR

__all__ = ["not_an_image"]

_RAW_SECTOR = 2352
_SYNC = b"\0" + b"\xff" * 10 + b"\0"
"""What every sector of a data CD begins with, when it is copied whole (ECMA-130 14)."""

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_ARCHIVES = {b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z"}
_DISKS = {b"QFI\xfb": "qcow2", b"KDMV": "vmdk", b"vhdxfile": "vhdx"}


def not_an_image(source: ByteSource) -> InputError:
    """Return the error for what has no primary volume descriptor: it says what it is, if it can.

    Its codes are ``gzip``, ``xz``, ``bzip2``, ``zstd``, ``zip``, ``7z``, ``qcow2``, ``vmdk``,
    ``vhdx``, ``raw-sectors``, ``udf-only``, or ``not-iso`` for all else.
    """
    start = source.read_at(0, 16)
    for magic, code in _COMPRESSED.items():
        if start.startswith(magic):
            what, hint = f"is compressed by {code}", f"unpack it first: {code} -dc FILE >OUT.iso"
            return InputError(code, f"{what}, not an ISO image", hint=hint)
    for magic, code in _ARCHIVES.items():
        if start.startswith(magic):
            hint = "unpack it first, and name the ISO image in it"
            return InputError(code, f"is a {code} archive, not an ISO image", hint=hint)
    for magic, code in _DISKS.items():
        if start.startswith(magic):
            hint = "convert it first: qemu-img convert -O raw FILE OUT.iso"
            return InputError(code, f"is a {code} disk image, not an ISO image", hint=hint)
    # Mode 1 has 16 bytes before a sector's data, mode 2 has 24.
    if start.startswith(_SYNC) and any(
        source.read_at(16 * _RAW_SECTOR + head + 1, 5) == b"CD001" for head in (16, 24)
    ):
        return InputError(
            "raw-sectors",
            f"is a copy of a disc with raw sectors of {_RAW_SECTOR} bytes, not {SECTOR}",
            hint=f"copy the disc again: dd if=/dev/sr0 of=OUT.iso bs={SECTOR}; or convert the "
            "copy with bchunk or ccd2iso",
        )
    if _has_udf(source):
        return InputError(
            "udf-only",
            "is a UDF image without ISO 9660, which the guest agent does not mount",
            hint="unpack or mount it and name the directory: an image is made of it then",
        )
    return InputError(
        "not-iso",
        "is not an ISO 9660 image: there is no primary volume descriptor",
        hint="name the NGT ISO as it came from the cluster",
    )


def _has_udf(source: ByteSource) -> bool:
    """Look for the volume recognition sequence of UDF (ECMA-167 2/8.3), in its usual sectors."""
    for sector in range(16, 32):
        identifier = source.read_at(sector * SECTOR + 1, 5)
        if identifier in (b"NSR02", b"NSR03"):
            return True
    return False
