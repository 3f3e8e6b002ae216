# SPDX-License-Identifier: Apache-2.0
"""Texts that tell one distribution from another: its files, its packages, its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ngtpatch.installer.execution.objects import Container
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["DISTRIBUTION", "asks", "is_of_one"]

#: What only a distribution is called.
DISTRIBUTION = re.compile(
    r"centos|red ?hat|rhel|oracle ?linux|ubuntu|suse|sles|debian|fedora|rocky|alma ?linux", re.I
)
# Programs and files that tell the distribution.
_ASKING = re.compile(
    r"os-release|lsb[_-]release|(?:redhat|centos|system|oracle|fedora|SuSE|rocky|almalinux)-release"
    r"|debian_version|/etc/issue|hostnamectl|\bsw_vers\b|-release\b|\brpm\b.*--eval"
)
_ASKING_PYTHON = re.compile(r"version_info|hexversion|python_version|sys\.version")
# The disc's own files are the same for everybody.
_OF_THE_DISC = re.compile(r"/ngt-disc/[^\s'\"]*")
_MOST_OF_A_TEXT = 4096


def asks(machine: Any, value: Varied, depth: int = 2) -> bool:
    """Tell whether a text in *value* names something that tells the distribution."""
    for text in _texts(value, machine.mask, depth):
        if _ASKING.search(text) or (machine.of_python and _ASKING_PYTHON.search(text)):
            return True
    return False


def is_of_one(machine: Any, value: Varied) -> bool:
    """Tell whether *value* is a path or a command about what one distribution alone has.

    Any text that names a distribution is: the folder it is looked for in may be anywhere.
    """
    return any(
        DISTRIBUTION.search(_OF_THE_DISC.sub("", text)) for text in _texts(value, machine.mask, 2)
    )


def _texts(value: Varied, mask: int, depth: int) -> Iterator[str]:
    for guests, one in value.each(mask):
        if isinstance(one, str):
            yield one[:_MOST_OF_A_TEXT]
        elif isinstance(one, bytes):
            yield one[:_MOST_OF_A_TEXT].decode("latin-1")
        elif isinstance(one, tuple):
            yield from _of_parts(one, guests, depth)
        elif isinstance(one, Container) and depth:
            for some, items in one.store.get("items").each(guests):
                if not isinstance(items, Unknown):
                    parts = [*items, *items.values()] if isinstance(items, dict) else items
                    yield from _of_parts(parts, some, depth - 1)


def _of_parts(parts: Sequence[Plain], mask: int, depth: int) -> Iterator[str]:
    for part in parts:
        yield from _texts(Varied.of(part), mask, depth)
    # A command may be spread over its words: "red", "hat".
    words = [part for part in parts if isinstance(part, str)]
    if len(words) > 1:
        yield " ".join(words)[:_MOST_OF_A_TEXT]
