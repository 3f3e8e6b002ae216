# SPDX-License-Identifier: Apache-2.0
"""The text of ``ncli ngt list`` and ``ncli ngt get``.

Records of ``    Label                     : value`` (four blanks, the label padded to 26
columns), a blank line between them. The VM Id is ``<cluster>::<vm uuid>``. The indentation
gets lost in tickets and mails, and is not asked for. A terminal of 80 columns and a mail break the
VM Id, which has 70 characters alone: it is put together again.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

from ngtpatch.listing.reported import Reported

__all__ = ["looks_like_ncli", "ncli_vms"]

_LABEL = re.compile(r"[A-Za-z][A-Za-z /()-]*")
_FIRST, _NAME = "VM Id", "VM Name"
_ENABLED, _MOUNTED, _LINK = "NGT Enabled", "Tools ISO Mounted", "Communication Link Active"
# By which a record is known to be about a VM; what people type again they type in their own case.
_OURS = {label.lower(): label for label in (_FIRST, _NAME, _ENABLED, _MOUNTED, _LINK)}
_WHOLE_ID = re.compile(r"[^\s:]+::[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PART_OF_ID = re.compile(r"[0-9A-Za-z:.-]+")


def looks_like_ncli(text: str) -> bool:
    """Say whether *text* is of this form."""
    return any(label in (_FIRST, _NAME) for label, _ in map(_labelled, _lines(text)))


def ncli_vms(text: str) -> Iterator[Reported]:
    """Yield the VMs of *text*.

    Raises:
        ValueError: a name is broken over two lines, and it cannot be told how it reads; a record
            says something twice, or not which VM it is about.
    """
    for number, record in _records(text):
        identifier, name = record.get(_FIRST, ""), record.get(_NAME, "")
        vm_uuid = identifier.rpartition("::")[2]
        if not vm_uuid and not name:
            raise ValueError(f"line {number}: a record has neither `{_FIRST}` nor `{_NAME}`")
        yield Reported(
            vm_uuid=vm_uuid.lower() or None,
            name=name or None,
            enabled=_truth(record.get(_ENABLED)),
            mounted=_truth(record.get(_MOUNTED)),
            link_active=_truth(record.get(_LINK)),
            number=number,
            cells={**record, "vm_uuid": vm_uuid},
        )


def _records(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each record about a VM with the number of its first line.

    Lines that are not ``Label : value`` (prompts, headings, log noise) are passed over.
    """
    record: dict[str, str] = {}
    begin, first, twice = 0, "", ""
    for number, line in (*_unwrapped(_lines(text)), (0, "")):
        label, value = _labelled(line)
        # Without the blank line the next VM Id still begins a record, or what began the last one.
        ends = not line.strip() or (
            label in record and (label == _FIRST or (label == first and len(record) > 1))
        )
        if ends and not record.keys().isdisjoint(_OURS.values()):
            if twice:
                raise ValueError(f"{twice} the record that begins in line {begin}")
            yield begin, record
        if ends:
            record, twice = {}, ""
        if label:
            begin, first = (begin, first) if record else (number, label)
            if label in record and not twice:
                twice = f"line {number}: `{label}` stands a second time in"
            record[label] = value


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
    return _OURS.get(label.lower(), label), value.strip()


def _lines(text: str) -> list[str]:
    # A name may hold what str.splitlines() takes for the end of a line, such as U+2028.
    return io.StringIO(text, newline=None).read().split("\n")


def _truth(value: str | None) -> bool | None:
    # Only the first word: people leave marks behind it ("true *").
    word = (value or "").split(maxsplit=1)[:1]
    return {"true": True, "false": False}.get(word[0].lower()) if word else None
