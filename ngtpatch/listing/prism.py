# SPDX-License-Identifier: Apache-2.0
"""Prism's answers about VMs as JSON: v4 ``ahv/config/vms``, v3 ``vms/list``.

A page of a list, a single answer, or a bare list of VMs. Of v3 names and UUIDs are read, of v4
what it says of guest tools as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ngtpatch.listing.reported import Reported

__all__ = ["is_page", "prism_vms", "stated_total"]


def is_page(document: object) -> bool:
    """Say whether *document* is a page of a list of VMs, or a list of such pages."""
    if isinstance(document, list):
        return bool(document) and all(map(is_page, document))
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return False
    return isinstance(document.get("entities"), list) or isinstance(document.get("data"), list)


def stated_total(document: object) -> int | None:
    """Return how many VMs the cluster has by a page's word; None where it does not say."""
    if isinstance(document, list):
        return max((n for n in map(stated_total, document) if n is not None), default=None)
    metadata = _mapping(_mapping(document).get("metadata"))
    total = metadata.get("total_matches", metadata.get("totalAvailableResults"))
    return total if type(total) is int else None


def prism_vms(document: object, first: int = 1) -> Iterator[Reported]:
    """Yield the VMs of a document, numbered from *first*.

    Raises:
        ValueError: one of them has neither extId nor name: whom it is about is not said.
    """
    for number, vm in enumerate(_unnumbered(document), start=first):
        if vm.vm_uuid is None and vm.name is None:
            raise ValueError("holds guest tools without the VM's extId")
        yield replace(vm, number=number)


def _unnumbered(document: object) -> Iterator[Reported]:
    if isinstance(document, list):
        for item in document:
            yield from _unnumbered(item)
    elif isinstance(document, dict):
        if isinstance(document.get("entities"), list):
            yield from map(_v3, document["entities"])
            return
        data = document.get("data", document)
        if isinstance(data, list):
            yield from (_v4(vm) for vm in data if isinstance(vm, dict))
        elif isinstance(data, dict) and ("extId" in data or "isEnabled" in data):
            yield _v4(data)


def _v3(entity: object) -> Reported:
    top = _mapping(entity)
    status, spec = _mapping(top.get("status")), _mapping(top.get("spec"))
    cells = {
        "name": status.get("name") or spec.get("name"),
        "vm_uuid": _mapping(top.get("metadata")).get("uuid"),
        "description": status.get("description") or spec.get("description"),
        "cluster_name": _mapping(status.get("cluster_reference")).get("name"),
    }
    vm_uuid = _text(cells["vm_uuid"])
    return Reported(
        vm_uuid=None if vm_uuid is None else vm_uuid.lower(),
        name=_text(cells["name"]),
        enabled=None,
        mounted=None,
        link_active=None,
        cells=cells,
    )


def _v4(vm: Mapping[str, Any]) -> Reported:
    found = vm.get("guestTools")
    tools: Mapping[str, Any] = found if isinstance(found, dict) else {"isEnabled": False}

    def said(key: str) -> bool | None:
        value = tools.get(key)
        return value if isinstance(value, bool) else None

    vm_uuid = _text(vm.get("extId"))
    return Reported(
        vm_uuid=None if vm_uuid is None else vm_uuid.lower(),
        name=_text(vm.get("name")),
        enabled=said("isEnabled"),
        mounted=said("isIsoInserted"),
        link_active=said("isReachable"),
        installed=said("isInstalled"),
        version=_text(tools.get("version")),
        cells={
            "name": vm.get("name"),
            "vm_uuid": vm.get("extId"),
            "description": vm.get("description"),
            "cluster_ext_id": _mapping(vm.get("cluster")).get("extId"),
        },
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
