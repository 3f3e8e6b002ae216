# SPDX-License-Identifier: Apache-2.0
"""What ``nutanix_guest_tools_cli`` prints, as support bundles hold it: protobuf's text format.

::

    vm_info_vec {
      vm_uuid: "..."
      guest_tools_enabled: true
      vm_info { ngt_version: "..." client_cert_expiry_date: 1790000000 }
    }

The names of the fields, and that the date is in seconds since 1970, are known from one source, a
public script that reads such bundles. It is the only form that tells when a certificate ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ngtpatch.listing.reported import Reported

__all__ = ["guest_tools_cli_vms", "looks_like_guest_tools_cli"]

# Blank lines are not tried one after the other: no line end before the name.
_BEGIN = re.compile(r"^[^\S\n]*vm_info_vec\s*(?::\s*)?[{<]", re.MULTILINE)
# protobuf's text format: names, scalars, strings with C escapes, { } or < > around messages.
_TOKEN = re.compile(
    r'\s*(?:#[^\n]*\n\s*)*(?P<token>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|[{}<>:;,\[\]]'
    r"|[^\s\"'{}<>:;,\[\]#]+)"
)
_DEEPEST = 40
# A certificate that ends before 2001 or after 2200 was not dated in seconds.
_SECONDS = range(1_000_000_000, 7_258_118_400)


@dataclass
class _Message:
    """A message's scalars and the messages in it; of what is repeated, the last."""

    scalars: dict[str, str] = field(default_factory=dict)
    messages: dict[str, _Message] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)


def looks_like_guest_tools_cli(text: str) -> bool:
    """Say whether *text* is of this form."""
    return _BEGIN.search(text) is not None


def guest_tools_cli_vms(text: str) -> Iterator[Reported]:
    """Yield the VMs of *text*. A record that is cut off tells what stands before the cut.

    Raises:
        ValueError: a record does not say which VM it is about, or says it twice.
    """
    begins = list(_BEGIN.finditer(text))
    ends = [begin.start() for begin in begins[1:]] + [len(text)]
    line = counted = 0
    for begin, end in zip(begins, ends, strict=True):
        line += text.count("\n", counted, begin.end())
        counted = begin.end()
        record, _ = _message(text, begin.end(), end, 0)
        inner = record.messages.get("vm_info", _Message()).scalars
        said = record.scalars
        vm_uuid = _string(said.get("vm_uuid")) or ""
        name = _string(said.get("vm_name"))
        twice = [field for field in ("vm_uuid", "vm_name") if field in record.twice]
        if twice:
            raise ValueError(f"line {line + 1}: a record has `{twice[0]}` twice")
        if not vm_uuid and name is None:
            raise ValueError(f"line {line + 1}: a record has neither `vm_uuid` nor `vm_name`")
        vm_uuid = vm_uuid.rpartition("::")[2].lower()
        yield Reported(
            vm_uuid=vm_uuid or None,
            name=name,
            enabled=_boolean(said.get("guest_tools_enabled")),
            mounted=_boolean(said.get("tools_mounted")),
            link_active=_boolean(said.get("communication_link_active")),
            installed=_boolean(inner.get("is_installation_complete")),
            version=_string(inner.get("ngt_version")),
            not_after=_date(inner.get("client_cert_expiry_date")),
            number=line + 1,
            cells={"name": name, "vm_uuid": vm_uuid},
        )


def _message(text: str, at: int, end: int, depth: int) -> tuple[_Message, int]:
    """Return the message whose fields begin at *at*, and where it ends; all before *end*."""
    message, name = _Message(), ""
    while found := _TOKEN.match(text, at, end):
        token, at = found["token"], found.end()
        if token in ("}", ">"):
            break
        if token in ("{", "<"):
            if depth >= _DEEPEST:
                break
            inner, at = _message(text, at, end, depth + 1)
            message.messages[name], name = inner, ""
        elif token in (":", ";", ",", "[", "]"):
            continue
        elif name:
            message.twice += [name] if name in message.scalars else []
            message.scalars[name], name = token, ""
        else:
            name = token
    return message, at


def _string(token: str | None) -> str | None:
    if token is None:
        return None
    quoted = token[:1] in ("'", '"')
    text = token[1:-1] if quoted else token
    return re.sub(r"\\([\"'\\])", r"\1", text) or None


def _boolean(token: str | None) -> bool | None:
    return {"true": True, "false": False}.get(token or "")


def _date(token: str | None) -> datetime | None:
    text = _string(token) or ""
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or int(text) not in _SECONDS:
        return None
    return datetime.fromtimestamp(int(text), timezone.utc)
