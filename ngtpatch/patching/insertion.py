# SPDX-License-Identifier: Apache-2.0
"""Insertions into a source file: everything else keeps its bytes, and that is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import PythonSource

__all__ = ["Insertion", "insert"]


@dataclass(frozen=True)
class Insertion:
    """Text that goes into a file.

    Attributes:
        offset: where in the source's text, in characters.
        text: what.
    """

    offset: int
    text: str


def insert(source: PythonSource, insertions: Sequence[Insertion]) -> bytes:
    """Return the bytes of *source* with *insertions* made.

    Raises:
        Refusal: ``lossy``, the file's encoding cannot hold them, or would change other bytes.
    """
    pieces: list[str] = []
    position = 0
    for insertion in sorted(insertions, key=lambda one: one.offset):
        pieces += (source.text[position : insertion.offset], insertion.text)
        position = insertion.offset
    pieces.append(source.text[position:])
    # Piece by piece: an encoding with state between characters would give other bytes.
    encoded = b"".join(source.encode(piece).removeprefix(source.bom) for piece in pieces)
    result = source.bom + encoded
    if result != source.encode("".join(pieces)):
        raise Refusal(
            "lossy",
            f"an insertion into {source.encoding} text would change the bytes around it",
            path=source.path,
            hint="the file cannot be patched safely",
        )
    return result
