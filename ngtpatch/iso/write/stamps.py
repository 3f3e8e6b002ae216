# SPDX-License-Identifier: Apache-2.0
"""Dates, owners and permissions of a new image, independent of clock and time zone.

pycdlib stamps what it creates with the clock in local time and heeds no
SOURCE_DATE_EPOCH. So every date is set once more on its record before it is written.
The modification dates of the volume descriptors it takes from the clock while it writes:
those are set in the file.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, BinaryIO

from pycdlib import PyCdlib
from pycdlib.dates import DirectoryRecordDate, VolumeDescriptorDate
from pycdlib.udf import UDFTimestamp

from ngtpatch.errors import UsageError

__all__ = ["Stamp", "stamp", "stamp_descriptors"]

_SECTOR = 2048
_FIRST_DESCRIPTOR = 16
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
# ECMA-119 8.4.27: BP 831 to 847 of the descriptor.
_MODIFICATION_DATE = 830
_NOT_SPECIFIED = b"0" * 16 + b"\0"
# ECMA-119 9.1.5 counts the years from 1900 in one byte.
_YEARS = range(1970, 1900 + 256)


@dataclass(frozen=True)
class Stamp:
    """What an entry is stamped with: mtime in seconds since 1970, and permission bits."""

    mtime: int
    mode: int


def stamp(
    iso: PyCdlib, stamps: Mapping[str, Stamp], path_of: Mapping[str, str], *, default: Stamp
) -> None:
    """Stamp every record of an image that pycdlib is about to write. Everything is root's.

    Args:
        iso: a new image, not yet written.
        stamps: by path.
        path_of: the paths by their names in plain ISO 9660, such as ``/CONFIG/A.PEM;1``.
        default: for the volume, its root, and entries that pycdlib added.

    Raises:
        UsageError: code ``no-such-date``: before 1970 or after 2155.
    """
    _stamp_volume(iso.pvd, default.mtime)
    by_name = {name: stamps.get(path, default) for name, path in path_of.items()}
    root = iso.pvd.root_directory_record()
    _stamp_directory(root, "", default, lambda name: by_name.get(name, default), "ascii")
    if iso.joliet_vd is not None:
        _stamp_volume(iso.joliet_vd, default.mtime)
        root = iso.joliet_vd.root_directory_record()
        _stamp_directory(root, "", default, lambda name: stamps.get(name[1:], default), "utf-16_be")
    if iso.udf_root is not None:
        _stamp_udf_volume(iso, stamps, default.mtime)
        _stamp_udf_entries(iso.udf_root, "", default, stamps)


def stamp_descriptors(file: BinaryIO, created: int) -> None:
    """Set the modification dates in the volume descriptors of a written image.

    Args:
        file: the image, readable and seekable.
        created: seconds since 1970.
    """
    sector = _FIRST_DESCRIPTOR
    while True:
        file.seek(sector * _SECTOR)
        kind = file.read(1)[0]
        if kind == _TERMINATOR:
            return
        if kind in (_PRIMARY, _SUPPLEMENTARY):
            file.seek(sector * _SECTOR + _MODIFICATION_DATE)
            file.write(_volume_date(created))
        sector += 1


def _stamp_volume(descriptor: Any, created: int) -> None:
    recorded = _volume_date(created)
    descriptor.volume_creation_date = _parsed(VolumeDescriptorDate(), recorded)
    descriptor.volume_effective_date = _parsed(VolumeDescriptorDate(), recorded)
    descriptor.volume_expiration_date = _parsed(VolumeDescriptorDate(), _NOT_SPECIFIED)


def _stamp_directory(
    directory: Any,
    name: str,
    parent: Stamp,
    stamp_of: Callable[[str], Stamp],
    encoding: str,
) -> None:
    own = stamp_of(name)
    _stamp_record(directory, own)
    for child in directory.children:
        if child.is_dot():
            _stamp_record(child, own)
        elif child.is_dotdot():
            _stamp_record(child, parent)
        else:
            child_name = f"{name}/{child.file_ident.decode(encoding)}"
            if child.isdir:
                _stamp_directory(child, child_name, own, stamp_of, encoding)
            else:
                _stamp_record(child, stamp_of(child_name))


def _stamp_record(record: Any, found: Stamp) -> None:
    record.date = _record_date(found.mtime)
    if record.rock_ridge is None:
        return
    for area in (record.rock_ridge.dr_entries, record.rock_ridge.ce_entries):
        if area is None:
            continue
        if area.tf_record is not None:
            for field in ("creation_time", "access_time", "modification_time",
                          "attribute_change_time"):  # fmt: skip
                if getattr(area.tf_record, field) is not None:
                    setattr(area.tf_record, field, _record_date(found.mtime))
        if area.px_record is not None:
            px = area.px_record
            px.posix_file_mode = stat.S_IFMT(px.posix_file_mode) | found.mode
            px.posix_user_id = px.posix_group_id = 0


def _stamp_udf_volume(iso: PyCdlib, stamps: Mapping[str, Stamp], created: int) -> None:
    # UDF 2.60, 2.2.2.5: the set's identifier begins with 16 unique hexadecimal digits, the
    # first 8 of which are the time. pycdlib takes the rest from a random number.
    digest = hashlib.sha256("\0".join(stamps).encode()).hexdigest()
    identifier = f"{created & 0xFFFFFFFF:08x}{digest[:8]}".encode("ascii")
    # OSTA compressed unicode (UDF 2.60, 2.1.1, 2.1.3): 8 bits a character, length at the end.
    recorded = (b"\x08" + identifier).ljust(127, b"\0") + bytes([1 + len(identifier)])
    for sequence in (iso.udf_main_descs, iso.udf_reserve_descs):
        for descriptor in sequence.pvds:
            descriptor.vol_set_ident = recorded
            descriptor.recording_date = _udf_date(created)
    iso.udf_file_set.recording_date = _udf_date(created)
    if iso.udf_logical_volume_integrity is not None:
        iso.udf_logical_volume_integrity.recording_date = _udf_date(created)


def _stamp_udf_entries(entry: Any, path: str, found: Stamp, stamps: Mapping[str, Stamp]) -> None:
    entry.access_time = entry.mod_time = entry.attr_time = _udf_date(found.mtime)
    entry.uid = entry.gid = 0
    entry.perms = _udf_permissions(found.mode)
    for descriptor in entry.fi_descs.values():
        if descriptor.isparent:
            continue
        name = descriptor.fi.decode(descriptor.encoding)
        child = f"{path}/{name}" if path else name
        _stamp_udf_entries(
            descriptor.file_entry, child, stamps.get(child, Stamp(found.mtime, 0o755)), stamps
        )


def _udf_permissions(mode: int) -> int:
    # ECMA-167 4/14.9.5: five bits for each of other, group, owner: execute, write, read,
    # change attributes, delete. The last two stay clear: the medium is read-only.
    return (mode & 7) | (mode >> 3 & 7) << 5 | (mode >> 6 & 7) << 10


def _utc(seconds: int) -> datetime:
    try:
        moment = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise UsageError(
            "no-such-date",
            f"an image cannot be dated {seconds} seconds since 1970",
            hint="it records the years 1970 to 2155",
        )
    return moment


def _parsed(date: Any, recorded: bytes) -> Any:
    date.parse(recorded)
    return date


def _record_date(seconds: int) -> DirectoryRecordDate:
    moment = _utc(seconds)
    return DirectoryRecordDate.from_fields(
        moment.year - 1900, moment.month, moment.day, moment.hour, moment.minute, moment.second, 0
    )


def _volume_date(seconds: int) -> bytes:
    """Return ECMA-119 8.4.26.1's digits and the offset from GMT, here 0."""
    return _utc(seconds).strftime("%Y%m%d%H%M%S00").encode("ascii") + b"\0"


def _udf_date(seconds: int) -> UDFTimestamp:
    moment = _utc(seconds)
    # ECMA-167 1/7.3: type 1 (local time) with an offset of 0 minutes.
    recorded = b"\x00\x10" + moment.year.to_bytes(2, "little")
    recorded += bytes(
        [moment.month, moment.day, moment.hour, moment.minute, moment.second, 0, 0, 0]
    )
    date = UDFTimestamp()
    date.parse(recorded)
    return date
