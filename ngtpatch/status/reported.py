# SPDX-License-Identifier: Apache-2.0
"""What a cluster says about NGT in its VMs: ncli's text, or Prism's JSON (v4)."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError
from ngtpatch.files.bounded import read_small
from ngtpatch.identity.inventory.ncli import parse

__all__ = ["Reported", "read_report"]

MAX_BYTES = 256 << 20
_HOW = "give it the output of `ncli ngt list`, or of Prism's GET /api/vmm/v4.0/ahv/config/vms"
# A terminal's colours (ECMA-48 8.3.117) survive in a copied or logged session.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Reported:
    """One VM, as the cluster sees it. None where it does not say.

    Attributes:
        vm_uuid: the VM's own UUID, in lower case.
        name: the VM's name.
        enabled: NGT is enabled for the VM.
        mounted: its disc is in the VM's CD-ROM.
        link_active: the agent in the guest answers.
        installed: NGT is installed in the guest (Prism only).
        version: the installed version (Prism only).
    """

    vm_uuid: str | None
    name: str | None
    enabled: bool | None
    mounted: bool | None
    link_active: bool | None
    installed: bool | None = None
    version: str | None = None


def read_report(path: Path) -> tuple[Reported, ...]:
    """Return the VMs of a report, each once, in the report's order.

    Where a VM is reported twice (two queries in one file) the last word counts.

    Raises:
        InputError: ``not-found``, ``report``: nothing in it is understood, or a Prism
            response does not say which VM it is about.
    """
    text = _text(path)
    vms = _prism(text, path) if text.lstrip()[:1] in ("{", "[") else _ncli(text)
    found = {vm.vm_uuid or vm.name: vm for vm in vms}
    if not found:
        said = next((line.strip() for line in text.splitlines() if line.strip()), "nothing")
        raise InputError(
            "report", f"tells of no VM; it begins: {said[:80]}", path=str(path), hint=_HOW
        )
    return tuple(found.values())


def _text(path: Path) -> str:
    data = read_small(path, limit=MAX_BYTES, what="report", hint=_HOW)
    # PowerShell writes UTF-16 with a byte order mark when a session is redirected to a file.
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return _COLOURS.sub("", data.decode(encoding, "replace"))


def _ncli(text: str) -> Iterator[Reported]:
    # The indentation gets lost in tickets and mails; without it nothing would be recognised.
    for _, record in parse(textwrap.indent(text, " ")):
        identifier, name = record.get("VM Id", ""), record.get("VM Name", "")
        if not identifier and not name:
            continue
        yield Reported(
            vm_uuid=identifier.rpartition("::")[2].lower() or None,
            name=name or None,
            enabled=_truth(record.get("NGT Enabled")),
            mounted=_truth(record.get("Tools ISO Mounted")),
            link_active=_truth(record.get("Communication Link Active")),
        )


def _truth(value: str | None) -> bool | None:
    # Only the first word: people leave marks behind it ("true *").
    word = (value or "").split(maxsplit=1)[:1]
    return {"true": True, "false": False}.get(word[0].lower()) if word else None


def _prism(text: str, path: Path) -> Iterator[Reported]:
    for document in _documents(text, path):
        for vm in _vms(document):
            tools = vm.get("guestTools")
            if not isinstance(vm.get("extId"), str):
                raise InputError(
                    "report", "holds guest tools without the VM's extId", path=str(path), hint=_HOW
                )
            yield _from_guest_tools(vm, tools if isinstance(tools, dict) else {"isEnabled": False})


def _documents(text: str, path: Path) -> Iterator[Any]:
    """Yield the JSON documents of a file: one, several pages in a row, or one a line."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            raise InputError(
                "report", f"is not JSON: {getattr(error, 'msg', error)} (line {line})",
                path=str(path), hint=_HOW,
            ) from None  # fmt: skip
        yield document


def _vms(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the VMs of a page, of a single answer, or of a bare list."""
    if isinstance(document, list):
        for item in document:
            yield from _vms(item)
    elif isinstance(document, dict):
        data = document.get("data", document)
        if isinstance(data, list):
            yield from (vm for vm in data if isinstance(vm, dict))
        elif isinstance(data, dict) and ("extId" in data or "isEnabled" in data):
            yield data


def _from_guest_tools(vm: Mapping[str, Any], tools: Mapping[str, Any]) -> Reported:
    def said(key: str) -> bool | None:
        value = tools.get(key)
        return value if isinstance(value, bool) else None

    name, version = vm.get("name"), tools.get("version")
    return Reported(
        vm_uuid=str(vm["extId"]).lower(),
        name=name if isinstance(name, str) else None,
        enabled=said("isEnabled"),
        mounted=said("isIsoInserted"),
        link_active=said("isReachable"),
        installed=said("isInstalled"),
        version=version if isinstance(version, str) else None,
    )
