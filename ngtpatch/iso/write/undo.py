# SPDX-License-Identifier: Apache-2.0
"""Back to the vendor's image, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ngtpatch.errors import InputError, Refusal, VerificationError
from ngtpatch.files.digest import sha256_of_source
from ngtpatch.iso.read.build_record import BuildRecord, DamagedRecord
from ngtpatch.iso.read.regions import Overlay, difference
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import Written, stream, write_file

__all__ = ["Reset", "original_volume", "reset", "sound_record", "vendor_overlay"]


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset gave.

    Attributes:
        written: size, digest and so on of the new file.
        record: by which it was undone.
        verified: whether the digest was compared with the vendor's; without a digest in
            the record, only what could be checked region by region was.
    """

    written: Written
    record: BuildRecord
    verified: bool


def sound_record(volume: Volume) -> BuildRecord:
    """Return a volume's record, if its image still is what the record speaks of.

    Raises:
        InputError: ``no-record`` or ``record-damaged``.
        VerificationError: ``changed-since``: something else wrote into the changed ranges.
    """
    record = volume.record
    if record is None:
        raise InputError(
            "no-record",
            "has no record: ngtpatch did not write this image, or the record is lost",
            path=str(volume.path),
        )
    if isinstance(record, DamagedRecord):
        raise InputError(
            "record-damaged",
            f"its record cannot be trusted: {record.reason}",
            path=str(volume.path),
            hint="take the vendor's image, or write this one anew",
        )
    if not record.intact(volume.source, volume.pieces):
        raise VerificationError(
            "changed-since",
            "was changed after its record was written",
            path=str(volume.path),
            hint="take the vendor's image, or write this one anew",
        )
    return record


def vendor_overlay(volume: Volume, base: Volume | None = None) -> Overlay:
    """Return the vendor's bytes, as an overlay over a rebuilt image.

    Args:
        volume: the rebuilt image.
        base: the vendor's image, for the ranges that were scrubbed.

    Raises:
        InputError: as :func:`sound_record`; ``wrong-base``: of another size than the vendor's.
        VerificationError: as :func:`sound_record`.
        Refusal: ``identity-scrubbed``: the vendor's identity is no longer in the image, and
            no *base* was given.
    """
    record = sound_record(volume)
    vendor = record.vendor(volume.source)
    if not record.scrubbed:
        return vendor
    if base is None:
        raise Refusal(
            "identity-scrubbed",
            "cannot be undone from itself: the identity it came with was overwritten",
            path=str(volume.path),
            hint="name the vendor's image with --base",
        )
    if base.size != record.vendor_size:
        raise InputError(
            "wrong-base",
            f"is not the image that was rebuilt: it has {base.size:,} bytes, "
            f"not {record.vendor_size:,}",
            path=str(base.path),
            hint="name the vendor's image; not one that was rebuilt, or stripped, from it",
        )
    missing = difference(vendor, base.source, record.scrubbed)
    return Overlay(vendor, missing, size=record.vendor_size)


def original_volume(volume: Volume, base: Volume | None = None) -> Volume:
    """Return the vendor's volume inside a rebuilt one.

    It reads from *volume* and *base*, and must not outlive them.

    Raises as :func:`vendor_overlay`.
    """
    return Volume(vendor_overlay(volume, base), volume.path, second_opinion=False)


def reset(
    volume: Volume,
    destination: Path | BinaryIO,
    *,
    base: Volume | None = None,
    force: bool = False,
    mode: int = 0o666,
) -> Reset:
    """Write the vendor's image again, and check its digest before it gets its name.

    Args:
        volume: the rebuilt image.
        destination: a file, or a stream: then the digest is checked before the first byte.
        base: the vendor's image, for the ranges that were scrubbed.
        force: replace an existing file.
        mode: permission bits of the new file; the umask applies.

    Raises:
        InputError, Refusal: as :func:`vendor_overlay`.
        VerificationError: ``changed-since``, or ``wrong-digest``: the result is not the
            vendor's image. Nothing is written.
        UsageError, NgtpatchError: as :func:`~ngtpatch.iso.write.sinks.write_file`.
    """
    record = sound_record(volume)
    overlay = vendor_overlay(volume, base)
    expected = record.vendor_sha256
    if isinstance(destination, Path):
        written = write_file(overlay, destination, force=force, expect=expected, mode=mode)
    else:
        if expected is not None and (found := sha256_of_source(overlay, overlay.size)) != expected:
            raise VerificationError(
                "wrong-digest",
                f"would come out with SHA-256 {found}, and {expected} was expected",
                path=str(volume.path),
            )
        written = stream(overlay, destination)
    return Reset(written, record, verified=expected is not None)
