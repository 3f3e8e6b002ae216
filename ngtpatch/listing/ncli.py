# SPDX-License-Identifier: Apache-2.0
"""The text of ``ncli ngt list`` and ``ncli ngt get``.

Records of ``    Label                     : value`` (four blanks, the label padded to 26
columns), a blank line between them. The VM Id is ``<cluster>::<vm uuid>``. The indentation
gets lost in tickets and mails, and is not asked for. A terminal of 80 columns and a mail break the
VM Id, which has 70 characters alone: it is put together again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ngtpatch.listing.reported import Reported

__all__ = ["looks_like_ncli", "ncli_vms"]

_LABEL = re.compile(r"[A-Za-z][A-Za-z /()-]*")
_FIRST, _NAME = "VM Id", "VM Name"
_WHOLE_ID = re.compile(r"[^\s:]+::[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PART_OF_ID = re.compile(r"[0-9A-Za-z:.-]+")


def looks_like_ncli(text: str) -> bool:
    """Say whether *text* is of this form."""
    return any(label in (_FIRST, _NAME) for label, _ in map(_labelled, text.splitlines()))


def ncli_vms(text: str) -> Iterator[Reported]:
    """Yield the VMs of *text*; a record with neither id nor name is about none.

    Raises:
        ValueError: a name is broken over two lines, and it cannot be told how it reads.
    """
    for number, record in _records(text):
        identifier, name = record.get(_FIRST, ""), record.get(_NAME, "")
        if not identifier and not name:
            continue
        vm_uuid = identifier.rpartition("::")[2]
        yield Reported(
            vm_uuid=vm_uuid.lower() or None,
            name=name or None,
            enabled=_truth(record.get("NGT Enabled")),
            mounted=_truth(record.get("Tools ISO Mounted")),
            link_active=_truth(record.get("Communication Link Active")),
            number=number,
            cells={**record, "vm_uuid": vm_uuid},
        )


def _records(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each record with the number of its first line.

    Lines that are not ``Label : value`` (prompts, headings, log noise) are passed over.
    """
    record: dict[str, str] = {}
    begin = 0
    for number, line in _unwrapped(text.splitlines()):
        label, value = _labelled(line)
        # Without the blank line the next VM Id still begins a record.
        ends = not line.strip() or (label == _FIRST and _FIRST in record)
        if ends and record:
            yield begin, record
            record = {}
        if label:
            begin = number if not record else begin
            record[label] = value
    if record:
        yield begin, record


def _unwrapped(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, those that were broken put together."""
    width: int | None = None  # of the terminal; 0: words were kept whole, as mails do
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        at += 1
        label, value = _labelled(line)
        following = lines[at] if at < len(lines) else ""
        goes_on = bool(following.strip()) and not _labelled(following)[0]
        if label == _FIRST and goes_on and not _WHOLE_ID.fullmatch(value):
            rest = following.strip()
            if _PART_OF_ID.fullmatch(rest) and _WHOLE_ID.fullmatch(value + rest):
                width = len(line) if value else 0
                line = f"{line.rstrip()}{'' if value else ' '}{rest}"
                at += 1
        elif label == _NAME and goes_on and width is not None:
            if len(line) != width:
                raise ValueError(
                    f"line {number}: the name of a VM may go on in the next line, and how it reads "
                    "is not known: write it on one line"
                )
            line += following.rstrip()
            at += 1
        yield number, line


def _labelled(line: str) -> tuple[str, str]:
    """Return the label and the value of a line; two empty texts where it has none."""
    label, colon, value = line.partition(":")
    label = label.strip()
    if not colon or value[:1].strip() or not _LABEL.fullmatch(label):
        return "", ""
    return label, value.strip()


def _truth(value: str | None) -> bool | None:
    # Only the first word: people leave marks behind it ("true *").
    word = (value or "").split(maxsplit=1)[:1]
    return {"true": True, "false": False}.get(word[0].lower()) if word else None
