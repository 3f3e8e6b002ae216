# SPDX-License-Identifier: Apache-2.0
"""Files of the disc whose size or content a program looks at: it may compare what it finds.

What is made of it is not followed: that a digest is one of a list, or a size the one that is
written somewhere, shows only where all of that is. So it is told where it is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ngtpatch.installer.execution.objects import Container
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied

__all__ = ["ANY_FILE", "checks_files", "note_measured", "note_opened"]

ANY_FILE = ""
"""Stands for a file that is looked at by a name which is not known, such as one of a list."""

_MEASURING = re.compile(
    r"^(?:os\.(?:stat|lstat|open|path\.getsize)|filecmp\.\w+|hashlib\.file_digest|fileinput\.\w+"
    r"|linecache\.\w+)$"
)
_STARTING = re.compile(r"^(?:subprocess|commands|os|pty|popen2)\.\w+$")
# Programs that print a digest or a size, or compare.
_CHECKING = r"(?:(?:md5|sha[0-9]*|b2|ck)sum|sum|crc32|cmp|diff|openssl|stat|wc|gpgv?)\b"
_PROGRAM = re.compile(rf"(?:^|[\s/|;&(`]){_CHECKING}")
_SHELL_LINE = re.compile(rb"(?:^|[|;&(`]|(?:\b(?:if|while|then|do)|!)\s)\s*(?:/\S*/)?"
                         rb"(?:(?:md5|sha[0-9]*|b2|ck)sum|cmp)\b")  # fmt: skip
_DIGESTS = re.compile(rb"hashlib|\bmd5\b|\bsha[0-9]+\b|crc32|adler32|blake2|filecmp")
_SIZES = re.compile(rb"\blen\s*\(|\.tell\(")


def note_opened(machine: Any, path: Plain) -> None:
    """Note that a file is opened for reading where digests or lengths may be made of it."""
    file = None if machine.watch is None else _file(machine, path)
    if file is None:
        return
    if machine.disc.holds(path):
        machine.watch.reads.add(machine.spot[0])
    own = machine.tree.get(machine.spot[0], b"")
    # Of a file that is known a digest may be made elsewhere, by whom it is handed to. One that is
    # not known is mostly the guest's: it counts where who opens it makes digests.
    if _DIGESTS.search(own) or (file and (machine.disc.is_said(_DIGESTS) or _SIZES.search(own))):
        machine.watch.measure(file, machine.spot)


def note_measured(machine: Any, name: str, args: Sequence[Varied]) -> None:
    """Note the files of the disc at whose size or content a call looks.

    Args:
        machine: who calls.
        name: what is called, dotted.
        args: its arguments.
    """
    looks = _MEASURING.match(name) is not None
    if machine.watch is None or not (looks or _STARTING.match(name)):
        return
    words = [one for value in args for mask, each in value.each(machine.mask)
             for one in _words(each, mask)]  # fmt: skip
    if not looks and not any(isinstance(one, str) and _PROGRAM.search(one) for one in words):
        return
    for word in words:
        for part in (word, *word.split()) if isinstance(word, str) else (word,):
            file = _file(machine, part)
            # A name that is not known is one of a list on the disc, where such a list is read.
            if file or (file == ANY_FILE and looks and machine.spot[0] in machine.watch.reads):
                machine.watch.measure(file, machine.spot)


def checks_files(script: bytes) -> Iterator[int]:
    """Yield the lines of a shell script that start a program which prints or checks digests."""
    for number, line in enumerate(script.splitlines(), 1):
        if _SHELL_LINE.search(line):
            yield number


def _file(machine: Any, path: Plain) -> str | None:
    """Return the file of the disc at *path*; None where it is none."""
    if isinstance(path, Unknown):
        return ANY_FILE
    found: str | None = machine.disc.path_of(path)
    return found


def _words(one: Plain, mask: int, depth: int = 2) -> Iterator[Plain]:
    if isinstance(one, str | Unknown):
        yield one
    elif isinstance(one, Container) and one.kind is not dict and depth:
        for _, items in one.store.get("items").each(mask):
            yield from _words(items, mask, depth - 1)
    elif isinstance(one, tuple) and depth:
        for part in one:
            yield from _words(part, mask, depth - 1)
