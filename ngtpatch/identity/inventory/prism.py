# SPDX-License-Identifier: Apache-2.0
"""Prism's lists of VMs as JSON: v3 ``vms/list`` and v4 ``ahv/config/vms``.

They are sources of names and UUIDs; nothing in them identifies a VM to NGT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["is_prism", "missing_pages", "records"]


def is_prism(document: object) -> bool:
    """Say whether *document* is a page of such a list."""
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return False
    return isinstance(document.get("entities"), list) or isinstance(document.get("data"), list)


def records(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each VM's cells."""
    if isinstance(document.get("entities"), list):
        return [_v3(entity) for entity in document["entities"]]
    return [_v4(vm) for vm in document["data"]]


def missing_pages(document: Mapping[str, Any]) -> str | None:
    """Say so where the list is one page of several: VMs left out would be left out silently."""
    metadata = document["metadata"]
    here = len(document.get("entities") or document.get("data") or ())
    total = metadata.get("total_matches", metadata.get("totalAvailableResults"))
    if type(total) is int and total > here:
        return f"it holds {here} of {total} VMs: ask Prism for the other pages too"
    return None


def _v3(entity: object) -> dict[str, Any]:
    top = _mapping(entity)
    status, spec = _mapping(top.get("status")), _mapping(top.get("spec"))
    return {
        "name": status.get("name") or spec.get("name"),
        "vm_uuid": _mapping(top.get("metadata")).get("uuid"),
        "description": status.get("description") or spec.get("description"),
        "cluster_name": _mapping(status.get("cluster_reference")).get("name"),
    }


def _v4(vm: object) -> dict[str, Any]:
    top = _mapping(vm)
    return {
        "name": top.get("name"),
        "vm_uuid": top.get("extId"),
        "description": top.get("description"),
        "cluster_ext_id": _mapping(top.get("cluster")).get("extId"),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
