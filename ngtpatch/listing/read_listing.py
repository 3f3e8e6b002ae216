# SPDX-License-Identifier: Apache-2.0
"""Reads a listing in whatever form it comes, and says how much of it is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.json_file import json_documents
from ngtpatch.listing.ncli import looks_like_ncli, ncli_vms
from ngtpatch.listing.prism import is_page, prism_vms, stated_total
from ngtpatch.listing.reported import Reported

__all__ = ["VmListing", "is_listing", "listing_text", "parse_listing", "read_listing"]

MAX_BYTES = 256 << 20
_CODE = "report"
_HOW = "give it the output of `ncli ngt list`, or of Prism's GET /api/vmm/v4.0/ahv/config/vms"
# A terminal's colours (ECMA-48 8.3.117) survive in a copied or logged session.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class VmListing:
    """VMs in the order of their source, each once.

    Attributes:
        form: ``ncli`` or ``prism``.
        vms: where one is told of twice (two queries in one file) the last word counts.
        total: how many VMs there are, by the source's word; None where it does not say.
    """

    form: Literal["ncli", "prism"]
    vms: tuple[Reported, ...]
    total: int | None = None

    @property
    def missing(self) -> int:
        """How many VMs are known to be left out. 0 says no more than that none is known to be."""
        return max(0, (self.total or 0) - len(self.vms))

    @property
    def notes(self) -> tuple[str, ...]:
        """What its reader should know."""
        if not self.missing:
            return ()
        held = f"it holds {len(self.vms)} of {self.total} VMs"
        return (f"{held}: ask Prism for the other pages too",)


def read_listing(path: Path) -> VmListing:
    """Return the VMs that the file at *path* tells of.

    Raises:
        InputError: ``report``: nothing in it is understood, or it does not say which VM it
            is about; or as :func:`~ngtpatch.files.bounded.read_small`.
    """
    data = read_small(path, limit=MAX_BYTES, what="report", hint=_HOW)
    return parse_listing(listing_text(data), path=str(path))


def listing_text(data: bytes) -> str:
    """Return what a file says, in whatever encoding a session was saved, without colours."""
    # PowerShell writes UTF-16 with a byte order mark when a session is redirected to a file.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return _COLOURS.sub("", data.decode(encoding, "replace"))


def is_listing(text: str) -> bool:
    """Say whether *text* is plainly a listing, and not JSON or text of another kind."""
    if not _is_json(text):
        return looks_like_ncli(text)
    if '"metadata"' not in text:  # spares others' JSON from being read twice
        return False
    try:
        return any(map(is_page, json_documents(text, path="")))
    except InputError:
        return False


def parse_listing(text: str, *, path: str) -> VmListing:
    """Return the VMs of *text*; *path* is for messages. Raises as :func:`read_listing`."""
    found = _prism(text, path) if _is_json(text) else VmListing("ncli", _once(ncli_vms(text)))
    if not found.vms:
        said = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise InputError(_CODE, f"reports no VM; it begins: {said[:80]}", path=path, hint=_HOW)
    return found


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _prism(text: str, path: str) -> VmListing:
    vms: list[Reported] = []
    totals: list[int] = []
    for document in json_documents(text, path=path, code=_CODE, hint=_HOW):
        try:
            vms += prism_vms(document, first=len(vms) + 1)
        except ValueError as error:
            raise InputError(_CODE, str(error), path=path, hint=_HOW) from None
        total = stated_total(document)
        if total is not None:
            totals.append(total)
    # Pages of one list all state the same number.
    return VmListing("prism", _once(vms), max(totals, default=None))


def _once(vms: Iterable[Reported]) -> tuple[Reported, ...]:
    return tuple({vm.vm_uuid or vm.name: vm for vm in vms}.values())
