# SPDX-License-Identifier: Apache-2.0
"""Files of the disc whose size or content a program looks at: it may compare what it finds.

What is made of it is not followed: that a digest is one of a list, or a size the one that is
written somewhere, shows only where all of that is. So it is told where it is looked at. A name
that is not known may be that of a file of the disc where something on the disc gives its name: a
list, or a folder that is gone through.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ngtpatch.installer.execution.disc_files import DISC
from ngtpatch.installer.execution.objects import Container
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = [
    "ANY_FILE",
    "CHECKING",
    "OF_A_LIST",
    "OF_A_PATH",
    "READING",
    "note_measured",
    "note_opened",
]

ANY_FILE = ""
"""Stands for a file that is looked at by a name which is not known, such as one of a list."""

OF_A_LIST = "\0"
"""Stands for a file that another program looks at, if a list tells it so."""

OF_A_PATH = "\1"
"""Stands for a file that is looked at by a path that is an object, of which no name is known."""

_MEASURING = re.compile(
    r"^(?:os\.(?:l?stat|open)|(?:os\.path|posixpath|genericpath)\.getsize|filecmp\.\w+"
    r"|hashlib\.file_digest|fileinput\.\w+|linecache\.\w+)$|\.gettarinfo$"
)
# The same of a path that is an object, whose name is not known.
_OF_ITS_OWN = re.compile(r"^(?:os\.scandir|pathlib)\b.*\.(?:l?stat|read_bytes|read_text|open)$")
_STARTING = re.compile(r"^(?:subprocess|commands|os|pty|popen2)\.\w+$")
_LISTING = re.compile(r"^(?:os\.(?:listdir|scandir|walk)|glob\.\w+|pathlib\.\w+)$")
CHECKING = (
    r"(?:(?:md5|sha[0-9]*|b2|ck)sum|sum|crc32|rhash|cmp|diff|openssl|stat|wc|du|gpgv?"
    r"|git\s+hash-object)\b"
)
"""A pattern for the programs that print a digest or a size, or compare."""

READING = (
    r"(?:(?:ls|find|[gm]?awk|[ef]?grep|sed|head|tail|cat|od|xxd|perl)\b|python[\d.]*\s+-\w*c\b)"
)
"""A pattern for others that print what is in a file, tell its size or look for it."""

_PROGRAM = re.compile(rf"(?:^|[\s/|;&(`]){CHECKING}")
_READER = re.compile(rf"(?:^|[\s/|;&(`]){READING}")
_BETWEEN_WORDS = re.compile(r"[\s()<>|;&`'\"$=]+")
_DIGESTS = re.compile(rb"hashlib|\bmd5\b|\bsha[0-9]+\b|crc32|adler32|blake2|filecmp")
_SIZES = re.compile(rb"\blen\s*\(|\.tell\(")


def note_opened(machine: Any, path: Plain) -> None:
    """Note that a file is opened for reading: where, and whether digests or lengths are made."""
    own = machine.tree.get(machine.spot[0], b"")
    for file in () if machine.watch is None else _files(machine, path):
        if file != ANY_FILE:
            machine.watch.open_own(file, machine.spot)
        # A digest may be made elsewhere, by whom the file is handed to.
        if file == ANY_FILE or machine.disc.is_said(_DIGESTS) or _SIZES.search(own):
            machine.watch.measure(file, machine.spot)


def note_measured(machine: Any, name: str, args: Sequence[Varied]) -> None:
    """Note the files of the disc at whose size or content a call looks.

    Args:
        machine: who calls.
        name: what is called, dotted.
        args: its arguments.
    """
    if machine.watch is None:
        return
    if _OF_ITS_OWN.match(name):
        machine.watch.measure(ANY_FILE, machine.spot)
        machine.watch.measure(OF_A_PATH, machine.spot)
    looks, lists = _MEASURING.search(name) is not None, _LISTING.match(name) is not None
    if not (looks or lists or _STARTING.match(name)):
        return
    words = [one for value in args for mask, each in value.each(machine.mask)
             for one in _words(each, mask)]  # fmt: skip
    if lists:
        for word in words:
            if isinstance(word, str) and word.startswith(DISC):
                machine.watch.listed.add(_without_pattern(word.removeprefix(DISC)))
        return
    texts = [one for one in words if isinstance(one, str)]
    checks = any(_PROGRAM.search(one) for one in texts)
    parts = [*words, *(part for one in texts for part in _BETWEEN_WORDS.split(one))]
    named = {_files(machine, part) for part in parts} - {frozenset()}
    files = frozenset[str]().union(*named)
    # One program of the disc may be told to look at another.
    handed = len(named - {frozenset({ANY_FILE})}) > 1
    if looks or checks or handed or any(_READER.search(one) for one in texts):
        for file in files:
            # Who only reads has to be given the file itself.
            if file or looks or checks:
                machine.watch.measure(file, machine.spot)
        if checks:
            machine.watch.measure(OF_A_LIST, machine.spot)


def _without_pattern(path: str) -> str:
    """Return the folder that is gone through, of a path that may be a pattern."""
    head = re.split(r"[*?\[]", path)[0]
    folder = posixpath.normpath(head if head == path else posixpath.dirname(head) or ".")
    return "" if folder == "." else folder


def _files(machine: Any, path: Plain) -> frozenset[str]:
    """Return the files of the disc that *path* leads to, or may."""
    if isinstance(path, Unknown):
        return frozenset({ANY_FILE})
    found: str | None = machine.disc.path_of(path)
    return machine.disc.ending_in(path) if found is None else frozenset({found})


def _words(one: Plain, mask: int, depth: int = 2) -> Iterator[Plain]:
    if isinstance(one, str | Unknown):
        yield one
    elif isinstance(one, Container) and one.kind is not dict and depth:
        for _, items in one.store.get("items").each(mask):
            yield from _words(items, mask, depth - 1)
    elif isinstance(one, tuple) and depth:
        for part in one:
            yield from _words(part, mask, depth - 1)
