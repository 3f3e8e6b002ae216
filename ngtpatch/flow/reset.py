# SPDX-License-Identifier: Apache-2.0
"""The vendor's image again, byte for byte."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from ngtpatch.disclosure import shell_word
from ngtpatch.errors import InputError
from ngtpatch.files.apart import require_apart
from ngtpatch.files.atomic import check_target

if TYPE_CHECKING:
    from ngtpatch.iso.read.volume import Volume

__all__ = ["ResetResult", "reset"]


@dataclass(frozen=True)
class ResetResult:
    """The document of ``ngtpatch reset``.

    Attributes:
        image: as it was named.
        output: the file that was written; None for a stream, or a dry run.
        sha256: of the output.
        size: of the output, in bytes.
        verified: whether the record knew the vendor's digest, which is the output's then.
            Otherwise each changed range was checked, and the whole was not.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.reset/1"

    image: str
    output: str | None
    sha256: str | None
    size: int
    verified: bool


def reset(
    image: str | Path,
    output: str | Path | BinaryIO,
    *,
    base: str | Path | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> ResetResult:
    """Undo every change that *image*'s record tells of, into a new file.

    Args:
        image: what ngtpatch wrote.
        output: the file to be made, its owner's alone where the vendor's image carries a
            VM's identity; or a binary stream.
        base: the vendor's image, or the directory that was rebuilt; needed where identity was
            scrubbed.
        force: replace an existing file.
        dry_run: undo and check everything, and write nothing.

    Raises:
        InputError: there is no record, or it is damaged; *base* is another image.
        Refusal: ``identity-scrubbed``: without *base* there is no way back.
        VerificationError: the image was changed since, or what came out is not the
            vendor's. Nothing was written.
        UsageError: the output exists, is an input, or has no directory.
    """
    from ngtpatch.flow.imaged import base_image
    from ngtpatch.iso.read.volume import Volume
    from ngtpatch.iso.write.undo import original_volume
    from ngtpatch.iso.write.undo import reset as undo

    target = Path(output) if isinstance(output, str | Path) else output
    if isinstance(target, Path):
        require_apart(target, (), discs=[image, base])
        check_target(target, force=force, source=Path(image))
    with ExitStack() as stack:
        volume = stack.enter_context(Volume.open(image))
        original = None if base is None else stack.enter_context(base_image(base))
        if volume.record is None:
            raise _without_record(volume, original)
        vendor = original_volume(volume, original)
        _require_right(original, vendor, volume)
        mode = _mode(vendor)
        into: Path | BinaryIO = stack.enter_context(Path(os.devnull).open("wb"))
        if not dry_run:
            into = target
        done = undo(volume, into, base=original, force=force, mode=mode)
    return ResetResult(
        image=str(image),
        output=str(target) if isinstance(target, Path) and not dry_run else None,
        sha256=done.written.sha256,
        size=done.written.size,
        verified=done.verified,
    )


def _mode(vendor: Volume) -> int:
    """Return who may read the vendor's image: its owner alone, if it holds identity anywhere."""
    from ngtpatch.flow.opened import OpenedSource
    from ngtpatch.flow.traces import find_traces
    from ngtpatch.identity.exchange import carriers

    if carriers(vendor.tree):
        return 0o600
    traces = find_traces(OpenedSource(vendor.path, vendor.tree, vendor))
    return 0o600 if traces.found or traces.beside else 0o666


def _without_record(volume: Volume, base: Volume | None) -> InputError:
    """Return what there is to be done with an image that nothing on it tells how to undo."""
    from ngtpatch.iso.compare.byte_difference import byte_difference

    path = volume.path
    if base is None:
        told = "has no record: ngtpatch did not write this image, or the record is lost"
        ask = f"ngtpatch verify {shell_word(path)} --base ISO"
        hint = f"the vendor's own has nothing to undo: use it as it is. '{ask}' tells whether it"
        hint += " is that ISO; if not, take the vendor's"
    else:
        named = f"the image that is made of {base.path}" if base.path.is_dir() else f"{base.path}"
        if byte_difference(volume.source, base.source, first_only=True):
            told = f"has no record, and it is not {named}: nothing on it tells how to undo it"
            hint = f"if {base.path} is the vendor's, use that itself"
            if base.record is not None:
                hint = f"{base.path} has one: if that was made of {path}, name them the other way"
                hint += " round"
        else:
            told = f"has no record, and it is {named}, byte for byte: there is nothing to undo"
            hint = "use it as it is"
    return InputError("no-record", told, path=str(path), hint=hint)


def _require_right(base: Volume | None, vendor: Volume, volume: Volume) -> None:
    """Refuse another base where the record names no digest: nothing later would tell.

    Raises:
        InputError: ``wrong-base``.
    """
    from ngtpatch.iso.compare.byte_difference import byte_difference
    from ngtpatch.iso.read.build_record import BuildRecord

    record = volume.record
    if base is None or not isinstance(record, BuildRecord):
        return
    if record.vendor_sha256 is not None or not record.scrubbed:
        return
    found = byte_difference(vendor.source, base.source, first_only=True)
    if found:
        raise InputError(
            "wrong-base",
            f"is not the image that was rebuilt: it differs from byte {found.first:,} on, where "
            "nothing was scrubbed",
            path=str(base.path),
            hint="name the vendor's image; not one that was rebuilt, or stripped, from it",
        )
