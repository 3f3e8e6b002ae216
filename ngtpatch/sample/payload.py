# SPDX-License-Identifier: Apache-2.0
"""Bytes that do not compress, are always the same, and are never all in memory."""

from __future__ import annotations

import io
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ngtpatch.errors import UsageError

__all__ = ["Payload", "check_size"]

# What the allocation descriptors of one UDF File Entry can describe; ECMA-119 takes more.
LARGEST = 200 << 30
_BLOCK = 16


def check_size(size: int) -> None:
    """Refuse a payload that no sample can hold.

    Raises:
        UsageError: code ``bad-size``.
    """
    if not 0 <= size <= LARGEST:
        raise UsageError(
            "bad-size",
            f"a payload cannot have {size} bytes",
            hint=f"give a size from 0 to {LARGEST >> 30}G",
        )


class Payload(io.RawIOBase):
    """A readable, seekable stream of *size* bytes: AES in counter mode over zeros.

    The key is fixed: this is noise of known content, not a secret.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* from the position on and return how many bytes that were."""
        length = max(0, min(len(buffer), self._size - self._position))
        counter, skip = divmod(self._position, _BLOCK)
        nonce = counter.to_bytes(_BLOCK, "big")
        stream = Cipher(algorithms.AES(b"ngtpatch: sample"), modes.CTR(nonce)).encryptor()
        buffer[:length] = stream.update(bytes(skip + length))[skip:]
        self._position += length
        return length
