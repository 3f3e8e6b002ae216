# SPDX-License-Identifier: Apache-2.0
"""Where a result goes: a new file, a stream, or over the very file it was made from.

All of them read the base once and give one digest. Hashing costs more than copying, so
the base's digest, the result's and those that a seal asks for are taken in threads of their
own from the bytes that pass by; hashlib releases the interpreter's lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ngtpatch.errors import (
    NgtpatchError,
    OutputError,
    UsageError,
    VerificationError,
    changed_meanwhile,
)  # fmt: skip
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.digest import sha256_of_source
from ngtpatch.files.hasher import Hasher
from ngtpatch.files.progress import progressed
from ngtpatch.files.writing import explained
from ngtpatch.interrupts import deferred
from ngtpatch.iso.read.bytesource import ByteSource, FileSource
from ngtpatch.iso.read.regions import Overlay, Region, flatten
from ngtpatch.iso.write.background import Flusher

__all__ = ["Written", "require_unchanged", "stream", "write_file", "write_in_place"]

_BLOCK = 1 << 20
_ZEROS = bytes(_BLOCK)
_FICLONE = 0x40049409
"""ioctl of linux/fs.h: share all extents of another file (btrfs, xfs)."""

Method = Literal["reflink", "copy_file_range", "copy", "stream", "in_place"]


@dataclass(frozen=True, slots=True)
class Written:
    """What a sink did.

    Attributes:
        size: of the result, in bytes.
        sha256: of the whole result, hexadecimal; None when it was not asked for.
        base_sha256: of the base, likewise.
        bytes_written: how much was handed to the file system as data.
        method: how the base's bytes got there.
    """

    size: int
    sha256: str | None
    base_sha256: str | None
    bytes_written: int
    method: Method


def write_file(
    overlay: Overlay,
    destination: Path,
    *,
    force: bool = False,
    digest: bool = True,
    durable: bool = True,
    mode: int = 0o666,
    check: Callable[[Path], None] | None = None,
    expect: str | None = None,
    over_base: bool = False,
) -> Written:
    """Write the result as a new file: there in full or not at all.

    On file systems that share extents (reflink) only the regions are written. Holes in
    a sparse base stay holes.

    Args:
        overlay: the result.
        destination: a file in an existing directory.
        force: replace an existing file; never the base itself, but for *over_base*.
        digest: compute SHA-256 of base and result.
        durable: fsync before it takes its name.
        mode: permission bits of the new file; the umask applies.
        check: called with the complete temporary file; the result gets its name only
            when this returns.
        expect: SHA-256 that the result must have, with *digest*, to get its name.
        over_base: the base may be replaced, too. It stays whole for whoever has it open, which
            the *overlay* has.

    Raises:
        UsageError: ``output-exists``, ``no-such-directory``, ``same-file`` or ``not-a-file``.
        OutputError: the file system refused. No temporary file is left.
        NgtpatchError: ``source-changed``. No temporary file is left.
        VerificationError: ``wrong-digest``: the result is not what was expected.
    """
    file = _file_below(overlay)
    source = file.path if file and not over_base else None
    check_target(destination, force=force, source=source)
    with (
        explained(destination),
        new_file(destination, force=force, mode=mode, durable=durable) as target,
    ):
        descriptor = target.fileno()
        plain = _without_seal(overlay)
        if file and _clone(file, descriptor):
            result = _over_clone(overlay, plain, descriptor, digest=digest)
        elif digest or file is None:
            result = _copy(overlay, descriptor, digest=digest, durable=durable)
        else:
            result = _copy_in_kernel(file, plain, descriptor)
        _check_unchanged(file)
        os.ftruncate(descriptor, overlay.size)
        if expect is not None and result.sha256 != expect:
            raise VerificationError(
                "wrong-digest",
                f"would have SHA-256 {result.sha256}, and {expect} was expected",
                path=str(destination),
            )
        if check is not None:
            check(Path(target.name))
    return result


def stream(overlay: Overlay, target: BinaryIO, *, digest: bool = True) -> Written:
    """Write the result to a file object, from its first byte to its last.

    Raises:
        OutputError: it could not be written. BrokenPipeError passes: it means that the
            reader has gone, which is for the caller to judge.
    """
    with explained(None):
        _check_unchanged(_file_below(overlay))
        written, _ = _pump(
            overlay, lambda _, data: _write_all(target, data), "stream", digest=digest
        )
        return written


def write_in_place(
    overlay: Overlay, path: Path, *, digest: bool = True, private: bool = False
) -> Written:
    """Write the regions over the base itself. Only for who asks for it by name.

    Where the file system refuses, what was written is put back. A process that is killed in the
    middle leaves both old and new regions, and there is no way back but the record's. What the
    image grows by is written first, and the descriptors, in its first sectors, last.

    With *private* a file is its owner's alone before the first byte is written. A device is as
    it is.

    Raises:
        UsageError: ``not-the-base``: *path* is not the file that the plan was made from.
        OutputError: the file system refused, and the image is as it was; ``half-written``: it
            refused that, too.
    """
    file = _file_below(overlay)
    if file is None or not path.exists() or not path.samefile(file.path):
        raise UsageError("not-the-base", "is not the image that was planned from", path=str(path))
    with explained(path):
        _check_unchanged(file)
        base_sha256 = sha256_of_source(overlay.base, overlay.base.size) if digest else None
        if digest and overlay.seal:
            views = overlay.seal.views
            overlay = overlay.sealed([sha256_of_source(view, view.size) for view in views])
        flat = flatten(overlay)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        try:
            closed = private and bool(flat.regions) and not file.is_device
            if closed:
                os.fchmod(descriptor, mode & 0o700)
            # Who is told to end does so when the image is whole again, which is soon.
            with deferred():
                try:
                    _over(descriptor, flat, resize=not file.is_device)
                except OSError:
                    _put_back(descriptor, flat, path, resize=not file.is_device)
                    if closed:
                        os.fchmod(descriptor, mode)
                    raise
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        written = sum(region.length for region in flat.regions)
    sha256 = None
    if digest:
        with closing(FileSource(path)) as result:
            sha256 = sha256_of_source(result, flat.size)
    return Written(flat.size, sha256, base_sha256, written, "in_place")


def _over(descriptor: int, flat: Overlay, *, resize: bool) -> None:
    """Write the regions, from the last to the first."""
    if resize and flat.size > flat.base.size:
        os.ftruncate(descriptor, flat.size)
    for region in _from_the_end(flat):
        _pwrite(descriptor, region.new, region.offset)
    os.fsync(descriptor)
    # Last, and then it is the new image: what is cut off could not be put back.
    if resize and flat.size < flat.base.size:
        os.ftruncate(descriptor, flat.size)


def _put_back(descriptor: int, flat: Overlay, path: Path, *, resize: bool) -> None:
    """Write what stood in the regions, from the first to the last: descriptors come first."""
    try:
        for region in reversed(_from_the_end(flat)):
            _pwrite(descriptor, region.original, region.offset)
        if resize and flat.size > flat.base.size:
            os.ftruncate(descriptor, flat.base.size)
        os.fsync(descriptor)
    except OSError as error:
        raise OutputError(
            "half-written",
            f"could not be written to its end, and what stood there could not be put back "
            f"({error.strerror}): it is neither old nor new",
            path=str(path),
            hint="do not use it; take a copy of the vendor's ISO",
        ) from error


def _from_the_end(flat: Overlay) -> list[Region]:
    return sorted(flat.regions, key=lambda region: -region.offset)


def _file_below(overlay: Overlay) -> FileSource | None:
    """Return the file or device at the bottom, if there is one and it can be copied whole."""
    source: ByteSource = overlay
    while not isinstance(source, FileSource):
        base: ByteSource | None = getattr(source, "base", None)
        if base is None:
            return None
        source = base
    return source


def require_unchanged(overlay: Overlay) -> None:
    """Refuse what was read of a base that somebody has written to since it was planned from.

    Raises:
        NgtpatchError: ``source-changed``.
    """
    _check_unchanged(_file_below(overlay))


def _check_unchanged(file: FileSource | None) -> None:
    """Refuse to go on with a base that is not the one that was planned from."""
    if file is not None and not file.unchanged:
        raise changed_meanwhile(str(file.path))


def _without_seal(overlay: Overlay) -> Overlay:
    return flatten(Overlay(overlay.base, overlay.regions, size=overlay.size))


def _clone(file: FileSource, descriptor: int) -> bool:
    try:
        fcntl.ioctl(descriptor, _FICLONE, file.fileno())
    except OSError:
        return False  # another file system, or one that shares nothing
    return True


def _over_clone(overlay: Overlay, plain: Overlay, descriptor: int, *, digest: bool) -> Written:
    """Write the regions over a clone of the base."""
    if plain.size < plain.base.size:
        os.ftruncate(descriptor, plain.size)
    for region in plain.regions:
        _pwrite(descriptor, region.new, region.offset)
    written = sum(region.length for region in plain.regions)
    if not digest:
        return Written(overlay.size, None, None, written, "reflink")
    result, digests = _pump(overlay, lambda *_: 0, "reflink", digest=True)
    if overlay.seal:
        late = overlay.seal.make(digests)
        _pwrite(descriptor, late.new, late.offset)
    return Written(overlay.size, result.sha256, result.base_sha256, written, "reflink")


def _copy(overlay: Overlay, descriptor: int, *, digest: bool, durable: bool) -> Written:
    """Copy through memory, since the bytes are needed for their digest anyway."""
    with Flusher(descriptor, wanted=durable) as flusher:

        def write(offset: int, data: bytes) -> int:
            # A block of zeros is left out: it reads the same as a hole, and stays one.
            if data == _ZEROS[: len(data)]:
                return 0
            count = _pwrite(descriptor, data, offset)
            flusher.wrote(count)
            return count

        return _pump(overlay, write, "copy", digest=digest)[0]


def _copy_in_kernel(file: FileSource, plain: Overlay, descriptor: int) -> Written:
    """Copy the base without its bytes passing through this process, then the regions."""
    method: Method = "copy_file_range"
    end = min(plain.base.size, plain.size)
    written = 0
    for start, length in _data_ranges(file, end):
        offset = start
        while offset < start + length:
            left = start + length - offset
            count = 0
            if method == "copy_file_range":
                try:
                    count = os.copy_file_range(
                        file.fileno(), descriptor, min(left, 1 << 30), offset, offset
                    )
                except OSError as error:
                    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                        raise
            if not count:
                method = "copy"
                data = plain.base.read_at(offset, min(left, _BLOCK))
                _pwrite(descriptor, data, offset)
                count = len(data)
                if not count:
                    break  # it became shorter: the caller looks
            offset += count
            written += count
            progressed("written", offset, end)
    for region in plain.regions:
        _pwrite(descriptor, region.new, region.offset)
        written += region.length
    return Written(plain.size, None, None, written, method)


def _data_ranges(file: FileSource, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the file has data, hole by hole; all of it where nobody can tell."""
    offset = end if file.is_device else 0
    if file.is_device:
        yield 0, end
    while offset < end:
        try:
            start = os.lseek(file.fileno(), offset, os.SEEK_DATA)
            stop = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            start, stop = offset, end
        start, stop = min(start, end), min(stop, end)
        if stop > start:
            yield start, stop - start
        offset = max(stop, offset + 1)


def _pump(
    overlay: Overlay, write: Callable[[int, bytes], int], method: Method, *, digest: bool
) -> tuple[Written, list[str]]:
    """Send the result to *write*, block by block, hashing base and result on the way.

    Returns the digests that the seal asked for, too; none without *digest*.
    """
    base, size = overlay.base, overlay.size
    written = 0
    views = overlay.seal.views if digest and overlay.seal else ()
    with ExitStack() as stack:
        before, after = (stack.enter_context(Hasher(digest)) for _ in range(2))
        # The base read as it is needs no digest of its own.
        hashers = [
            stack.enter_context(Hasher(True)) if view.regions or view.size != base.size else before
            for view in views
        ]
        for offset, length in _blocks(0, base.size):
            below = base.read_at(offset, length)
            if len(below) < length:
                _check_unchanged(_file_below(overlay))
                raise NgtpatchError("source-changed", "ended early while it was read")
            before.update(below)
            for view, hasher in zip(views, hashers, strict=True):
                if hasher is not before and offset < view.size:
                    hasher.update(view.lay_over(offset, below))
            data = overlay.lay_over(offset, below) if offset < size else b""
            after.update(data)
            written += write(offset, data)
            progressed("written", offset + length, base.size)
        digests = [hasher.result() or "" for hasher in hashers]
        late = overlay.sealed(digests) if views else overlay
        for offset, length in _blocks(base.size, size):
            data = late.read_at(offset, length)
            after.update(data)
            written += write(offset, data)
        return Written(size, after.result(), before.result(), written, method), digests


def _blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    for offset in range(start, end, _BLOCK):
        yield offset, min(_BLOCK, end - offset)


def _pwrite(descriptor: int, data: bytes, offset: int) -> int:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count
    return len(data)


def _write_all(target: BinaryIO, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[target.write(view) :]
    return len(data)
