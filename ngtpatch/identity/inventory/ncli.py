# SPDX-License-Identifier: Apache-2.0
"""The text of ``ncli ngt list`` and ``ncli ngt get``.

Records of ``    Label                     : value`` (four blanks, the label padded to 26
columns), a blank line between them. The VM Id is ``<cluster>::<vm uuid>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["looks_like_ncli", "parse"]

_LINE = re.compile(r"^\s+(?P<label>[A-Za-z][A-Za-z /()-]*?)\s*:(?: (?P<value>.*))?$")
_FIRST = "VM Id"


def looks_like_ncli(text: str) -> bool:
    """Say whether *text* is of this form."""
    return re.search(r"^\s+VM (?:Id|Name)\s+: ", text, re.MULTILINE) is not None


def parse(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each record with the number of its first line.

    Lines that are no ``Label : value`` (prompts, headings, log noise) are passed over.
    """
    record: dict[str, str] = {}
    begin = 0
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.match(line)
        # Without the blank line the next VM Id still begins a record.
        ends = not line.strip() or (match and match["label"] == _FIRST and _FIRST in record)
        if ends and record:
            yield begin, record
            record = {}
        if match:
            begin = number if not record else begin
            record[match["label"]] = (match["value"] or "").strip()
    if record:
        yield begin, record


def cells(record: dict[str, str]) -> dict[str, str]:
    """Return a record's columns, with ``vm_uuid`` taken out of the VM Id."""
    return {**record, "vm_uuid": record.get(_FIRST, "").rpartition("::")[2]}
