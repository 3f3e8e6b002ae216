# SPDX-License-Identifier: Apache-2.0
"""Reads listings in whatever form they come, and says how much of them is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.files.json_file import json_documents
from ngtpatch.files.json_members import doubtful
from ngtpatch.listing.guest_tools_cli import guest_tools_cli_vms, looks_like_guest_tools_cli
from ngtpatch.listing.ncli import looks_like_ncli, ncli_vms
from ngtpatch.listing.prism import is_page, prism_pages
from ngtpatch.listing.reported import Clash, Page, Reported, clash, newer_word

__all__ = [
    "VmListing",
    "is_listing",
    "joined_listing",
    "parse_listing",
    "read_listing",
    "read_listings",
    "without_colours",
]

MAX_BYTES = 256 << 20
_CODE = "report"
_HOW = "give it the output of `ncli ngt list`, or of Prism's GET /api/vmm/v4.0/ahv/config/vms"
# A terminal's colours (ECMA-48 8.3.117) survive in a copied or logged session.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Before the JSON of a module: `ansible` writes "host | SUCCESS => {", a task "ok: [host] => {".
_ANSIBLE = re.compile(
    r"^(?:\S+ \| (?:SUCCESS|CHANGED)|ok: \[[^\]\n]*\])[^\n{]*=> (?=\{)", re.MULTILINE
)
# One of these stands in every JSON document that is a listing; spares others' a second reading.
_MARKS = ('"metadata"', '"response"', '"results"')

Form = Literal["ncli", "prism"]


@dataclass(frozen=True)
class VmListing:
    """VMs in the order of their source, each once.

    Attributes:
        form: ``ncli`` or ``prism``; of several sources, the first's.
        vms: where one is told of twice (two queries in one file) the last word counts.
        total: how many VMs there are, by the source's word; None where it does not say.
        missing: how many VMs are known to be left out. 0 says no more than that none is
            known to be: see ``complete``.
        complete: every VM that there is by the source's word is here; None where it does not
            say how many there are, as ncli's text does not.
        notes: what its reader should know.
        clashes: records that may be about two VMs, and count as one.
    """

    form: Form
    vms: tuple[Reported, ...]
    total: int | None = None
    missing: int = 0
    complete: bool | None = None
    notes: tuple[str, ...] = ()
    clashes: tuple[Clash, ...] = ()


def read_listing(path: Path) -> VmListing:
    """Return the VMs that the file at *path* tells of.

    Raises:
        InputError: ``report``: nothing in it is understood, or it does not say which VM it
            is about; or as :func:`~ngtpatch.files.bounded.read_small`.
    """
    return read_listings([path])


def read_listings(paths: Sequence[Path]) -> VmListing:
    """Return the VMs of several files: pages of one list, other lists, other forms.

    Raises as :func:`read_listing`.
    """
    form: Form | None = None
    pages: list[Page] = []
    for path in paths:
        data = read_small(path, limit=MAX_BYTES, what="report", hint=_HOW)
        own, more = _parsed(_listing_text(data), str(path))
        form = form or own
        pages += more
    return joined_listing(form or "prism", pages)


def without_colours(text: str) -> str:
    """Return *text* without what a terminal's colours leave in it."""
    return _COLOURS.sub("", text)


def _listing_text(data: bytes) -> str:
    """Return what a file says, in whatever encoding a session was saved, without colours."""
    # PowerShell writes UTF-16 with a byte order mark when a session is redirected to a file.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return without_colours(data.decode(encoding, "replace"))


def is_listing(text: str) -> bool:
    """Say whether *text* is plainly a listing, and not JSON or text of another kind."""
    if not _is_json(text):
        return looks_like_guest_tools_cli(text) or looks_like_ncli(text)
    if not any(mark in text for mark in _MARKS):
        return False
    try:
        return any(map(is_page, json_documents(_ANSIBLE.sub("", text), path="")))
    except InputError:
        return False


def parse_listing(text: str, *, path: str) -> VmListing:
    """Return the VMs of *text*; *path* is for messages. Raises as :func:`read_listing`."""
    form, pages = _parsed(text, path)
    return joined_listing(form, pages)


def joined_listing(form: Form, pages: Sequence[Page]) -> VmListing:
    """Return the VMs of *pages*, and what is missing by the pages' own word."""
    vms: dict[tuple[str, str], Reported] = {}
    clashes: list[Clash] = []
    lists: dict[str, list[Page]] = {}
    for page in pages:
        lists.setdefault(page.listing, []).append(page)
        for vm in page.vms:
            if (old := vms.get(vm.key)) is not None:
                clashes += clash(old, vm)
            vms[vm.key] = vm if old is None else newer_word(old, vm)
    missing, notes = 0, []
    known = all(any(page.total is not None for page in group) for group in lists.values())
    whole = True
    for group in lists.values():
        held = len({vm.key for page in group for vm in page.vms})
        # Pages that were asked for while VMs came and went state different numbers.
        total = max((page.total for page in group if page.total is not None), default=None)
        if total is not None and held < total:
            missing += total - held
            notes.append(f"it holds {held} of {total} VMs: ask Prism for the other pages too")
        elif _breaks_off(group):
            whole = False
            notes.append(f"it holds {held} VMs, and says that more follow on another page")
    notes += (f"{one.message}; the later word counts" for one in clashes)
    complete: bool | None = None
    if missing or not whole:
        complete = False
    elif known and lists:
        complete = True
    stated = len(vms) + missing if known and whole and lists else None
    return VmListing(
        form, tuple(vms.values()), stated, missing, complete, tuple(notes), tuple(clashes)
    )


def _breaks_off(group: Iterable[Page]) -> bool:
    """Say whether a page of one listing names a next one that is not there."""
    pages = list(group)
    there = {page.index for page in pages}
    ahead = [page.more for page in pages if page.more is not None]
    if None in there or -1 in ahead:
        # They cannot be told apart: at least the last one names no other.
        return len(ahead) == len(pages)
    return any(number not in there for number in ahead)


def _parsed(text: str, path: str) -> tuple[Form, list[Page]]:
    form: Form = "ncli"
    if _is_json(text):
        form, pages = "prism", _prism(_ANSIBLE.sub("", text), path)
    else:
        try:
            if looks_like_guest_tools_cli(text):
                pages = [Page(tuple(guest_tools_cli_vms(text)), listing="guest_tools_cli")]
            else:
                pages = [Page(tuple(ncli_vms(text)), listing="ncli")]
        except ValueError as error:
            raise InputError(_CODE, str(error), path=path) from None
    if not any(page.vms for page in pages):
        said = next((line.strip() for line in text.splitlines() if line.strip()), None)
        message = f"reports no VM; it begins: {said[:80]}" if said else "is empty: it reports no VM"
        raise InputError(_CODE, message, path=path, hint=_HOW)
    return form, pages


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") or _ANSIBLE.match(text.lstrip()) is not None


def _prism(text: str, path: str) -> list[Page]:
    pages: list[Page] = []
    for document in json_documents(text, path=path, code=_CODE, hint=_HOW):
        for where, why in doubtful(document):
            raise InputError(_CODE, f"{where} {why}", path=path, hint=_HOW)
        try:
            pages += prism_pages(document, first=sum(len(page.vms) for page in pages) + 1)
        except ValueError as error:
            raise InputError(_CODE, str(error), path=path, hint=_HOW) from None
    return pages
