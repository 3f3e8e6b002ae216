# SPDX-License-Identifier: Apache-2.0
"""The authority of a cluster: where it is taken from, and whether a disc needs one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ngtpatch.errors import InputError
from ngtpatch.files.wellknown import AUTHORITY
from ngtpatch.flow.opened import OpenedSource, open_source

if TYPE_CHECKING:
    from ngtpatch.iso.read.volume import Volume

__all__ = ["expects_authority", "read_authority"]

_MAX_BYTES = 1 << 20
_PRIMARY_DESCRIPTOR = 16 * 2048


def expects_authority(source: OpenedSource) -> bool:
    """Say whether the vendor's disc had an authority on it.

    It is there, or the disc's record says that there was one which was removed. Of the discs
    of later NGT versions nobody has said whether they have one: what is not there is not
    asked for.
    """
    there = AUTHORITY in source.tree and source.tree.size(AUTHORITY) > 0
    return there or (source.volume is not None and _had_authority(source.volume))


def read_authority(path: Path) -> bytes:
    """Return the certificate of a cluster's authority.

    Args:
        path: a file in PEM; or a VM's own disc (an image, a device, an unpacked or mounted
            tree), to take it from.

    Raises:
        InputError: ``not-found``, ``unreadable``, ``certificate-pem``; ``no-authority``: the
            disc has none.
    """
    from ngtpatch.files.bounded import read_small
    from ngtpatch.identity.certificate import Certificate

    if not path.is_dir() and not _is_image(path):
        data = read_small(path, limit=_MAX_BYTES, what="certificate of the cluster's authority")
    else:
        with open_source(path) as source:
            if AUTHORITY not in source.tree or not source.tree.size(AUTHORITY):
                raise InputError(
                    "no-authority", f"is a disc without {AUTHORITY}", path=str(path),
                    hint="take a disc of a VM of the same cluster that has one, or a PEM file",
                )  # fmt: skip
            data = source.tree[AUTHORITY]
    Certificate.parse(data, path=str(path))
    return data


def _is_image(path: Path) -> bool:
    try:
        if path.is_block_device():
            return True
        if not path.is_file():
            return False  # a pipe is read once
        with path.open("rb") as file:
            file.seek(_PRIMARY_DESCRIPTOR + 1)
            return file.read(5) == b"CD001"
    except OSError:
        return False  # what it is, reading it says


def _had_authority(volume: Volume) -> bool:
    from ngtpatch.iso.read.build_record import BuildRecord

    record = volume.record
    if not isinstance(record, BuildRecord):
        return False
    # An added one is not scrubbed: there was nothing to overwrite.
    return any(change.path == AUTHORITY and change.scrubbed for change in record.changes)
