# SPDX-License-Identifier: Apache-2.0
"""What an archive holds, one member after the other, and what of it can be changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ngtpatch.archives.streams import BLOCK

__all__ = ["ArchiveDamaged", "Member", "NotRewritten"]


class ArchiveDamaged(Exception):
    """An archive cannot be read to its end. The text says why."""


class NotRewritten(Exception):
    """An archive cannot be written again with other members. The text says why."""


@dataclass(frozen=True)
class Member:
    """One member of an archive, while the archive is at it.

    Attributes:
        name: as the archive spells it, such as ``./bin/x.py``.
        size: of its content, in bytes.
        regular: whether it is a file with content.
        fixed: why it cannot be changed; None where it can.
        about: all else that the archive says of it: modes, owners, times, links.
        stream: opens its content; to be read before the next member is asked for.
    """

    name: str
    size: int
    regular: bool
    fixed: str | None
    about: tuple[Any, ...] = field(repr=False)
    stream: Callable[[], BinaryIO] = field(repr=False, compare=False)

    def read(self) -> bytes:
        """Return its content.

        Raises:
            ArchiveDamaged: it has less than it says.
        """
        content = self.stream().read()
        if len(content) != self.size:
            raise ArchiveDamaged(f"{self.name} is cut off")
        return content

    def digest(self) -> bytes:
        """Return the SHA-256 of its content, read block by block; empty for what is not a file."""
        if not self.regular:
            return b""
        digest = hashlib.sha256()
        stream = self.stream()
        while block := stream.read(BLOCK):
            digest.update(block)
        return digest.digest()
