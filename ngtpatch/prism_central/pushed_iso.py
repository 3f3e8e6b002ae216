# SPDX-License-Identifier: Apache-2.0
"""The ISO that is pushed, and whether it is one VM's alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.digest import sha256_of_file

__all__ = ["Disc", "read_disc"]


@dataclass(frozen=True)
class Disc:
    """An ISO.

    Attributes:
        path: where it is.
        name: what it is called in the image library: its file's name.
        size: in bytes.
        sha256: of all of it.
        identity: it holds one VM's identity, in its files or in any other byte.
        ngt_uuid: whose, by its ngt_config.json.
    """

    path: Path
    name: str
    size: int
    sha256: str
    identity: bool
    ngt_uuid: str | None


def read_disc(path: Path) -> Disc:
    """Return what is known of the ISO at *path*, every byte of it searched for identity.

    Raises:
        InputError: it cannot be read as an image.
        Refusal: ``not-iso-name``: the image library takes it by its ending for something else.
    """
    from ngtpatch.fleet.tasks import is_image, targets

    if path.suffix.lower() != ".iso":
        raise Refusal(
            "not-iso-name", "does not end in .iso, as an ISO in the image library has to",
            path=str(path), hint="rename it",
        )  # fmt: skip
    if not is_image(path):
        raise InputError("not-iso", "is not an ISO 9660 image", path=str(path))
    [target] = targets([path])
    ngt_uuid = None
    with suppress(InputError):
        config = target.identity.parsed_config()
        ngt_uuid = None if config is None else config.ngt_uuid
    left = target.traces is not None and bool(target.traces.found or target.traces.beside)
    material = (target.identity.certificate, target.identity.key)
    identity = left or ngt_uuid is not None or any(part is not None for part in material)
    return Disc(path, path.name, path.stat().st_size, sha256_of_file(path), identity, ngt_uuid)
