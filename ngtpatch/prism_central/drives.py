# SPDX-License-Identifier: Apache-2.0
"""The CD-ROM drives of a VM: what is in them, insert, eject."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ngtpatch.prism_central.connection import ChangedError, Connection
from ngtpatch.prism_central.follow import follow

__all__ = ["Drive", "eject", "insert", "read_drives"]

_MODELS = "ntnx_vmm_py_client.models.vmm.v4.ahv.config"


@dataclass(frozen=True)
class Drive:
    """One CD-ROM drive.

    Attributes:
        ext_id: its identifier.
        place: bus and index, for people.
        disc: what is in it is a disc of this kind (``GUEST_TOOLS``: the cluster's own NGT disc;
            ``GUEST_CUSTOMIZATION``, ``OTHER``); None: it is empty.
        image: the image that the disc was made of, where Prism Central says so.
        disk: the disc's own identifier, where it says so.
    """

    ext_id: str
    place: str
    disc: str | None
    image: str | None
    disk: str | None


def read_drives(connection: Connection, vm: str) -> tuple[Drive, ...]:
    """Return the drives of the VM with the UUID *vm*, in the order of their places."""
    api = _api(connection)
    found = connection.pages(api.list_cd_roms_by_vm_id, vm)
    return tuple(sorted(map(_drive, found), key=lambda drive: (drive.place, drive.ext_id)))


def _drive(rom: Any) -> Drive:
    backing, address = rom.backing_info, rom.disk_address
    place = "?" if address is None else f"{address.bus_type}.{address.index}"
    image = disk = None
    if backing is not None:
        source = backing.data_source
        reference = None if source is None else source.reference
        image, disk = getattr(reference, "image_ext_id", None), backing.disk_ext_id
    full = backing is not None and any((disk, image, backing.disk_size_bytes))
    kind = str(rom.iso_type or "OTHER") if full else None
    return Drive(str(rom.ext_id), place, kind, image, disk)


def insert(
    connection: Connection, vm: str, drive: Drive, image: str, *, seconds: float, salt: str = ""
) -> None:
    """Put the disc of an image into an empty drive, and follow the task.

    With another *salt* it is another request, although nothing has changed.

    Raises:
        ChangedError: the VM was changed since, or its drive is not empty any more.
        RemoteError: it failed.
    """
    api = _api(connection)
    etag = _etag_of_empty(connection, api, vm, drive, empty=True)
    models = {
        name: getattr(import_module(f"{_MODELS}.{name}"), name)
        for name in ("CdRomInsertParams", "DataSource", "ImageReference", "VmDisk")
    }
    source = models["DataSource"](reference=models["ImageReference"](image_ext_id=image))
    body = models["CdRomInsertParams"](backing_info=models["VmDisk"](data_source=source))
    options = _options(connection, "insert", [vm, drive.ext_id, image, salt], etag)
    answer = connection.change(api.insert_cd_rom_by_id, vm, drive.ext_id, body, **options)
    follow(connection, answer.data, what="inserting the disc", seconds=seconds)


def eject(connection: Connection, vm: str, drive: Drive, *, seconds: float) -> None:
    """Eject what is in a drive, and follow the task. Raises as :func:`insert`."""
    api = _api(connection)
    etag = _etag_of_empty(connection, api, vm, drive, empty=False)
    options = _options(connection, "eject", [vm, drive.ext_id, drive.disk or ""], etag)
    answer = connection.change(api.eject_cd_rom_by_id, vm, drive.ext_id, **options)
    follow(connection, answer.data, what="ejecting the disc", seconds=seconds)


def _etag_of_empty(connection: Connection, api: Any, vm: str, drive: Drive, *, empty: bool) -> str:
    """Return the ETag that a change needs: of the drive, as it is when the change is decided."""
    answer = connection.call(api.get_cd_rom_by_id, vm, drive.ext_id)
    now = _drive(answer.data)
    if (now.disc is None) != empty or (not empty and now.disk != drive.disk):
        raise ChangedError("changed", "the drive was changed meanwhile", path=connection.host)
    return str(connection.vmm.get_etag(answer) or "")


def _options(connection: Connection, verb: str, about: Sequence[str], etag: str) -> dict[str, str]:
    """Return the headers of a change. The same change of the same state is one request.

    Prism Central takes a repeated NTNX-Request-Id for the same request. So what a killed run
    has asked for is not asked for twice.
    """
    name = "/".join([connection.host, verb, *about, etag])
    request = uuid.uuid5(uuid.NAMESPACE_URL, name)
    return {"if_match": etag, "NTNX-Request-Id": str(request)}


def _api(connection: Connection) -> Any:
    return import_module("ntnx_vmm_py_client.api.vm_api").VmApi(connection.vmm)
