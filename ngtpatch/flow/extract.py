# SPDX-License-Identifier: Apache-2.0
"""One file out of an image or a directory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.atomic import new_file
from ngtpatch.files.wellknown import KEY
from ngtpatch.flow.opened import open_source

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["Extracted", "extract"]


@dataclass(frozen=True)
class Extracted:
    """The document of ``ngtpatch extract``.

    Attributes:
        source: as it was named.
        path: of the file, in the image.
        size: in bytes.
        output: the file that was written; None for stdout, where the document gives way.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.extract/1"

    source: str
    path: str
    size: int
    output: str | None


def extract(
    source: str | Path, path: str, output: Path | SupportsWrite[bytes], *, force: bool = False
) -> Extracted:
    """Copy the file at *path* to *output*, a file to be made or a stream.

    A private key becomes a file of mode 0600, and goes into no stream.

    Raises:
        InputError: *source* cannot be read; ``no-such-entry``.
        Refusal: ``secret``.
        UsageError: *output* exists, or has no directory.
    """
    with open_source(source) as opened:
        if path not in opened.tree:
            raise InputError(
                "no-such-entry",
                f"holds no file {path}",
                path=str(source),
                hint=f"list what it holds with: ngtpatch ls {source}",
            )
        if path == KEY and not isinstance(output, Path):
            raise Refusal(
                "secret",
                f"{path} is a private key and is not printed",
                path=str(source),
                hint="write it to a file of mode 0600 with -o FILE",
            )
        size = opened.tree.size(path)
        with opened.tree.open(path) as stream:
            if isinstance(output, Path):
                with new_file(output, force=force, mode=0o600 if path == KEY else 0o644) as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
            else:
                shutil.copyfileobj(stream, output, 1 << 20)
    return Extracted(str(source), path, size, str(output) if isinstance(output, Path) else None)
