# SPDX-License-Identifier: Apache-2.0
"""What a structural check finds, and the bytes it looks at."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from ngtpatch.iso.read.bytesource import ByteSource

__all__ = ["SECTOR", "Fault", "Image", "Range", "Report", "TooMuch"]

SECTOR = 2048

_MOST_FINDINGS = 200
_MOST_BYTES = 256 << 20
_LARGEST_READ = 64 << 20  # as Volume.read_at


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which an image contradicts itself or its standard.

    Attributes:
        code: stable, lower-case, hyphenated kind of finding.
        offset: where, in bytes from the image's start; None where no one place is to blame.
        message: what was found there.
        severity: ``error`` where readers may see something else than was meant,
            ``warning`` where they cope.
    """

    code: str
    offset: int | None
    message: str
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of the image that something lays claim to.

    Attributes:
        start: offset in bytes.
        end: the first offset behind it.
        what: what it holds, in words.
        content: whether it is a file's content, which several names may share.
    """

    start: int
    end: int
    what: str
    content: bool = False


class TooMuch(Exception):
    """The image is too broken or too large to go on."""


class Report:
    """Collects findings, and ends the check when there are more than anybody reads."""

    def __init__(self) -> None:
        self.findings: list[Fault] = []

    def error(self, code: str, offset: int | None, message: str) -> None:
        """Add an error. Raises TooMuch."""
        self._add(Fault(code, offset, message))

    def warning(self, code: str, offset: int | None, message: str) -> None:
        """Add a warning. Raises TooMuch."""
        self._add(Fault(code, offset, message, "warning"))

    def _add(self, finding: Fault) -> None:
        self.findings.append(finding)
        if len(self.findings) >= _MOST_FINDINGS:
            raise TooMuch


class Image:
    """The bytes under examination: reads are bounded, one by one and in sum."""

    def __init__(self, source: ByteSource, report: Report) -> None:
        self._source = source
        self.report = report
        self.size = source.size
        self._left = _MOST_BYTES

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes, or none where the image ends before. Raises TooMuch."""
        if offset < 0 or length < 0 or offset + length > self.size:
            return b""
        self._left -= length
        if self._left < 0 or length > _LARGEST_READ:
            self.report.error("too-large", offset, "holds more structures than can be checked")
            raise TooMuch
        data = self._source.read_at(offset, length)
        return data if len(data) == length else b""

    def both16(self, data: bytes, at: int, offset: int, what: str) -> int:
        """Decode a 16-bit number recorded in both byte orders (ECMA-119 7.2.3)."""
        little, big = struct.unpack_from("<H", data, at), struct.unpack_from(">H", data, at + 2)
        return self._same(little[0], big[0], offset + at, what)

    def both32(self, data: bytes, at: int, offset: int, what: str) -> int:
        """Decode a 32-bit number recorded in both byte orders (ECMA-119 7.3.3)."""
        little, big = struct.unpack_from("<I", data, at), struct.unpack_from(">I", data, at + 4)
        return self._same(little[0], big[0], offset + at, what)

    def _same(self, little: int, big: int, offset: int, what: str) -> int:
        if little != big:
            self.report.error(
                "byte-orders",
                offset,
                f"{what} is {little} in little-endian and {big} in big-endian order",
            )
        return little
