# SPDX-License-Identifier: Apache-2.0
"""The VMs of a Prism Central: all of them as a listing, or one by name or UUID."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from typing import Any

from ngtpatch.errors import InputError, Refusal
from ngtpatch.listing import Page, VmListing, joined_listing
from ngtpatch.listing.prism import prism_pages
from ngtpatch.prism_central.connection import PAGE, Connection, GoneError

__all__ = ["find_vm", "is_uuid", "list_vms", "quoted"]

_TRIES = 3
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def list_vms(connection: Connection) -> VmListing:
    """Return every VM, with what Prism Central says of its guest tools.

    VMs that come and go while pages are asked for move the others, and one may be passed over
    although the number is right. So a list of several pages is proven by a second reading, of
    the UUIDs alone. Where the two differ it is read again, three times at most; what is
    missing after that the listing says.

    Raises:
        RemoteError: Prism Central cannot be asked.
        InputError: ``report``: it has no VM that this user may see.
    """
    for attempt in range(1, _TRIES + 1):
        pages = _pages(connection)
        listing = joined_listing("prism", pages)
        there = {vm.key for vm in listing.vms}
        if len(pages) > 1:
            there = {vm.key for page in _pages(connection, "extId") for vm in page.vms}
        unseen = there - {vm.key for vm in listing.vms}
        if listing.complete is not False and not unseen:
            break
        if attempt < _TRIES:
            connection.told(f"{connection.host}: the list changed while it was read; again")
    else:
        note = f"it changed whenever it was read: {len(unseen)} VMs were passed over"
        if unseen:
            listing = replace(
                listing, missing=max(listing.missing, len(unseen)), complete=False,
                notes=(*listing.notes, note),
            )  # fmt: skip
    if not listing.vms:
        raise InputError(
            "report", "has no VM that this user may see", path=connection.host,
            hint="a user without a role for VMs gets an empty list",
        )  # fmt: skip
    return listing


def _pages(connection: Connection, select: str | None = None) -> list[Page]:
    api = import_module("ntnx_vmm_py_client.api.vm_api").VmApi(connection.vmm)
    pages: list[Page] = []
    held = 0
    seen: set[tuple[str, str]] = set()
    while True:
        options = {} if select is None else {"_select": select}
        answer = connection.listed(api.list_vms, _page=len(pages), _limit=PAGE, **options).to_dict()
        answer["metadata"] = {**(answer.get("metadata") or {}), "links": None}
        answer["data"] = answer.get("data") or []
        [page] = prism_pages(answer, first=held + 1, whole=select is None)
        pages.append(replace(page, listing=connection.host, index=len(pages)))
        held += len(page.vms)
        # A page that only repeats others ends it as well: there would be no end.
        new = {vm.key for vm in page.vms} - seen
        seen |= new
        if not new or (page.total is not None and held >= page.total):
            return pages


def find_vm(connection: Connection, named: str) -> Any:
    """Return the SDK's VM of that UUID or name.

    Raises:
        Refusal: ``no-such-vm``, ``vm-ambiguous``.
        RemoteError: Prism Central cannot be asked.
    """
    api = import_module("ntnx_vmm_py_client.api.vm_api").VmApi(connection.vmm)
    if is_uuid(named):
        try:
            return connection.call(api.get_vm_by_id, named.lower()).data
        except GoneError:
            raise _no_vm(connection, f"has no VM with the UUID {named}") from None
    vms = connection.pages(api.list_vms, _filter=f"name eq {quoted(named)}")
    found = [vm for vm in vms if vm.name == named]
    if not found:
        raise _no_vm(connection, f"has no VM named {named!r} that this user may see")
    if len(found) > 1:
        uuids = ", ".join(str(vm.ext_id) for vm in found[:5])
        raise Refusal(
            "vm-ambiguous", f"has {len(found)} VMs named {named!r}: {uuids}",
            path=connection.host, hint="name the one that is meant by its UUID",
        )  # fmt: skip
    return connection.call(api.get_vm_by_id, found[0].ext_id).data


def is_uuid(text: str) -> bool:
    """Say whether *text* has the form of a UUID."""
    return _UUID.fullmatch(text) is not None


def quoted(text: str) -> str:
    """Return *text* as a string of OData (4.01, 5.1.1.6.1: a quote is doubled)."""
    return "'" + text.replace("'", "''") + "'"


def _no_vm(connection: Connection, message: str) -> Refusal:
    hint = "see `ngtpatch status --prism` for the names; they are taken letter by letter"
    return Refusal("no-such-vm", message, path=connection.host, hint=hint)
