# SPDX-License-Identifier: Apache-2.0
"""Prism's answers about VMs as JSON, in every spelling in which people hold them.

- v4 ``ahv/config/vms`` as it comes over the wire (``guestTools``), as the SDK's ``to_dict()`` and
  Ansible's modules write it (``guest_tools``), with the list in ``data`` or ``response``;
- v3 ``vms/list``: ``entities`` with ``status.resources.guest_tools.nutanix_guest_tools``;
- v1 of Prism Element, ``PrismGateway/services/rest/v1/vms``: ``entities`` with
  ``nutanixGuestTools``.

A VM without guest tools in its answer has none enabled only where they were asked for: a page
that was asked with ``$select`` leaves out whatever is not named there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ngtpatch.listing.reported import Page, Reported

__all__ = ["is_page", "prism_pages"]

# Two that an answer has when it was not asked with $select, and that nobody would name there.
_WHOLE_V4 = ("generationUuid", "biosUuid")
_WHOLE_V3 = ("memory_size_mib", "num_sockets")
_STATES = {
    "ENABLED": True, "DISABLED": False, "MOUNTED": True, "UNMOUNTED": False,
    "INSTALLED": True, "UNINSTALLED": False,
}  # fmt: skip


def is_page(document: object) -> bool:
    """Say whether *document* is a page of a list of VMs, or a list of such pages."""
    if isinstance(document, list):
        return bool(document) and all(map(is_page, document))
    if not isinstance(document, dict):
        return False
    if isinstance(document.get("results"), list):  # Ansible's, of a loop
        return is_page(document["results"])
    if isinstance(document.get("metadata"), dict):
        return isinstance(document.get("entities"), list) or isinstance(document.get("data"), list)
    answered = document.get("response")
    items = answered if isinstance(answered, list) else [answered]
    return bool(items) and all(
        isinstance(item, dict) and _said(item, "extId", "ext_id") is not None for item in items
    )


def prism_pages(document: object, first: int = 1, *, whole: bool = False) -> Iterator[Page]:
    """Yield the pages in a document, their VMs numbered from *first*.

    Args:
        document: as it was parsed.
        first: the number of its first VM.
        whole: it is known to have been asked without ``$select``.

    Raises:
        ValueError: a VM has neither extId nor name, or no text for them: whom it is about is
            not said.
    """
    for page in _pages(document, whole):
        vms: list[Reported] = []
        for number, vm in enumerate(page.vms, start=first):
            if vm.vm_uuid is None and vm.name is None:
                raise ValueError(f"record {number} is without the VM's extId, and without a name")
            vms.append(replace(vm, number=number))
        first += len(vms)
        yield replace(page, vms=tuple(vms))


def _pages(document: object, whole: bool) -> Iterator[Page]:
    if isinstance(document, list):
        if any(isinstance(item, dict) and _is_answer(item) for item in document):
            for item in document:
                yield from _pages(item, whole)
        else:
            yield _v4_page(document, {}, whole)
    elif isinstance(document, dict):
        if isinstance(document.get("results"), list):
            yield from _pages(document["results"], whole)
        elif isinstance(document.get("entities"), list):
            yield _older_page(document)
        elif isinstance(document.get("nutanixGuestTools"), dict):
            yield Page((_v1(document),))
        else:
            data = _said(document, "data", "response", default=document)
            if isinstance(data, list):
                yield _v4_page(data, document, whole)
            elif isinstance(data, dict) and (_v4_uuid(data) or "isEnabled" in data):
                yield _v4_page([data], document, whole)


def _is_answer(item: Mapping[str, Any]) -> bool:
    """Say whether *item* is an answer with VMs in it, and not a VM."""
    return any(key in item for key in ("metadata", "data", "entities", "response", "results"))


# v4 ------------------------------------------------------------------------------------------


def _v4_page(items: Iterable[object], answer: Mapping[str, Any], whole: bool) -> Page:
    vms = [_mapping(vm) for vm in items]  # what is none has no extId, and is told by that
    metadata = _mapping(answer.get("metadata"))
    total = _whole_number(
        _said(metadata, "totalAvailableResults", "total_available_results")
        or answer.get("total_available_results")
    )
    links = {
        str(link.get("rel")): str(link.get("href"))
        for link in metadata.get("links") or ()
        if isinstance(link, dict)
    }
    asked = whole or _asked(links, vms)
    ahead, behind = links.get("next"), links.get("prev", links.get("previous"))
    numbered = {rel: _page_number(href) for rel, href in links.items()}
    more = None if ahead is None else _or(numbered["next"], -1)
    index = numbered.get("self")
    if index is None and ahead is not None and more is not None and more > 0:
        index = more - 1
    if index is None and behind is not None:
        before = numbered.get("prev", numbered.get("previous"))
        index = None if before is None else before + 1
    return Page(
        tuple(_v4(vm, asked=asked) for vm in vms), total, _listing(links, total), more, index
    )


def _asked(links: Mapping[str, str], vms: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether guest tools are in these answers where a VM has any."""
    for href in links.values():
        selected = parse_qs(urlsplit(href).query).get("$select")
        return selected is None or "guestTools" in selected[0].replace("/", ",").split(",")
    return any(isinstance(_said(vm, "guestTools", "guest_tools"), dict) for vm in vms)


def _listing(links: Mapping[str, str], total: int | None) -> str:
    """Return what pages of one listing have in common: the request but for the page."""
    for href in links.values():
        parts = urlsplit(href)
        query = parse_qs(parts.query)
        rest = sorted((k, v) for k, v in query.items() if k not in ("$page", "$limit"))
        return f"{parts.netloc}{parts.path} {rest}"
    return f"v4 {total}"


def _page_number(href: str) -> int | None:
    number = parse_qs(urlsplit(href).query).get("$page", ["0"])[0]
    return int(number) if number.isdecimal() and len(number) < 9 else None


def _v4(vm: Mapping[str, Any], *, asked: bool) -> Reported:
    found = _said(vm, "guestTools", "guest_tools")
    # Over the wire null is a word; to_dict() writes it for whatever was not in the answer.
    none = ("guestTools" in vm and found is None) or asked or _is_whole(vm)
    tools: Mapping[str, Any] = {}
    if isinstance(found, dict):
        tools = found
    elif "isEnabled" in vm or "is_enabled" in vm:  # of GET .../guest-tools
        tools = vm
    elif none:
        tools = {"isEnabled": False}

    def said(camel: str, snake: str) -> bool | None:
        value = _said(tools, camel, snake)
        return value if isinstance(value, bool) else None

    vm_uuid = _v4_uuid(vm)
    return Reported(
        vm_uuid=None if vm_uuid is None else vm_uuid.lower(),
        name=_text(vm.get("name")),
        enabled=said("isEnabled", "is_enabled"),
        mounted=said("isIsoInserted", "is_iso_inserted"),
        link_active=said("isReachable", "is_reachable"),
        installed=said("isInstalled", "is_installed"),
        version=_text(tools.get("version")),
        available=_text(_said(tools, "availableVersion", "available_version")),
        cells={
            "name": vm.get("name"),
            "vm_uuid": vm_uuid,
            "description": vm.get("description"),
            "cluster_ext_id": _v4_uuid(_mapping(vm.get("cluster"))),
        },
    )


def _is_whole(vm: Mapping[str, Any]) -> bool:
    snake = ("generation_uuid", "bios_uuid")
    return all(_said(vm, *names) is not None for names in zip(_WHOLE_V4, snake, strict=True))


def _v4_uuid(vm: Mapping[str, Any]) -> str | None:
    return _uuid(_said(vm, "extId", "ext_id"))


# v3 and v1 -----------------------------------------------------------------------------------


def _older_page(document: Mapping[str, Any]) -> Page:
    entities = document["entities"]
    metadata = _mapping(document.get("metadata"))
    if any(isinstance(vm, dict) and "vmName" in vm for vm in entities):
        # grandTotalEntities counts VMs that a filter left out as well.
        total = _whole_number(_said(metadata, "totalEntities", "grandTotalEntities"))
        if not metadata.get("filterCriteria"):
            total = max(total or 0, _whole_number(metadata.get("grandTotalEntities")) or 0) or None
        return Page(tuple(_v1(_mapping(vm)) for vm in entities), total, f"v1 {total}")
    total = _whole_number(metadata.get("total_matches"))
    return Page(tuple(_v3(_mapping(vm)) for vm in entities), total, f"v3 {total}")


def _v3(top: Mapping[str, Any]) -> Reported:
    status, spec = _mapping(top.get("status")), _mapping(top.get("spec"))
    resources = _mapping(status.get("resources"))
    tools = _mapping(_mapping(resources.get("guest_tools")).get("nutanix_guest_tools"))
    if not tools and any(key in resources for key in _WHOLE_V3):
        tools = {"state": "DISABLED"}
    reachable = tools.get("is_reachable")
    cells = {
        "name": status.get("name") or spec.get("name"),
        "vm_uuid": _mapping(top.get("metadata")).get("uuid"),
        "description": status.get("description") or spec.get("description"),
        "cluster_name": _mapping(status.get("cluster_reference")).get("name"),
    }
    vm_uuid = _uuid(cells["vm_uuid"])
    return Reported(
        vm_uuid=None if vm_uuid is None else vm_uuid.lower(),
        name=_text(cells["name"]),
        enabled=_STATES.get(str(tools.get("state"))),
        mounted=_STATES.get(str(tools.get("iso_mount_state"))),
        link_active=reachable if isinstance(reachable, bool) else None,
        installed=_STATES.get(str(tools.get("ngt_state"))),
        version=_text(tools.get("version")),
        available=_text(tools.get("available_version")),
        cells=cells,
    )


def _v1(vm: Mapping[str, Any]) -> Reported:
    # The key is there, with null, for a VM that has no guest tools.
    found = vm.get("nutanixGuestTools", {})
    tools = {"enabled": False} if found is None else _mapping(found)

    def said(key: str) -> bool | None:
        value = tools.get(key)
        return value if isinstance(value, bool) else None

    vm_uuid = _uuid(_said(vm, "uuid") or tools.get("vmUuid"))
    cells = {
        "name": _said(vm, "vmName") or tools.get("vmName"),
        "vm_uuid": vm_uuid,
        "description": vm.get("description"),
    }
    return Reported(
        vm_uuid=None if vm_uuid is None else vm_uuid.lower(),
        name=_text(cells["name"]),
        enabled=said("enabled"),
        mounted=said("toolsMounted"),
        link_active=said("communicationLinkActive"),
        version=_text(tools.get("installedVersion")),
        cells=cells,
    )


def _said(mapping: Mapping[str, Any], *keys: str, default: Any = None) -> Any:
    """Return the value of the first of *keys* that has one."""
    return next((mapping[key] for key in keys if mapping.get(key) is not None), default)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _whole_number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _uuid(value: object) -> str | None:
    """Return a VM's UUID. Raises ValueError where it is told in another form than text."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"holds {str(value)[:40]!r} in the place of a VM's UUID, which is a text")
    return value or None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
