# SPDX-License-Identifier: Apache-2.0
"""What pycdlib says of an image that our own reader has read.

It is a second opinion, and can be wrong alone: it refuses images that other readers take
(a second record of a directory named as the first, some long symbolic links).
"""

from __future__ import annotations

import io

from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.iso.check import check
from ngtpatch.iso.read.bytesource import ByteSource, SourceStream

__all__ = ["doubt"]


def doubt(source: ByteSource) -> str | None:
    """Return why pycdlib cannot open an image; None where it can.

    Raises:
        InputError: ``unsupported``: it cannot, and our own structure check finds an error, too.
    """
    said = _ask(source)
    if said is None:
        return None
    errors = [fault for fault in check(source) if fault.severity == "error"]
    if not errors:
        return said
    raise InputError(
        "unsupported",
        f"cannot be opened by pycdlib ({said}), and contradicts itself: {errors[0].message}",
        hint="copy it again, and compare its digest with the original's",
    )


def _ask(source: ByteSource) -> str | None:
    import pycdlib

    image = pycdlib.PyCdlib()
    stream = io.BufferedReader(SourceStream(source, ((0, source.size),)))
    try:
        image.open_fp(stream)
        image.close()
    except NgtpatchError:
        raise
    # Damaged images raise struct.error, KeyError, IndexError, ... beside pycdlib's own.
    except Exception as error:
        return str(error) or type(error).__name__
    return None
