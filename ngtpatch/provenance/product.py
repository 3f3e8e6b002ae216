# SPDX-License-Identifier: Apache-2.0
"""What the documents are about: an ISO, what it was made from, and what was changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

from ngtpatch.errors import UsageError
from ngtpatch.files.digest import sha256_of_file
from ngtpatch.flow.materials import Material
from ngtpatch.flow.rebuild import RebuildResult
from ngtpatch.flow.written_image import WrittenImage

__all__ = ["Product", "moment"]


@dataclass(frozen=True)
class Product:
    """An ISO.

    Attributes:
        iso: the file.
        image: what is known of it.
        ngt_version: the NGT on it; None where it is not known.
        materials: what it was made from; the vendor's ISO first.
    """

    iso: Path
    image: WrittenImage
    ngt_version: str | None
    materials: tuple[Material, ...]

    @classmethod
    def of_rebuild(cls, result: RebuildResult) -> Product:
        """Return what a rebuild made.

        Raises:
            UsageError: ``no-output``: it wrote no file (a dry run, a stream);
                ``no-source-file``: in place, over what it was made from; ``needs-digest``: it
                was made with ``digest=False``, and what was read then cannot be stated.
        """
        from ngtpatch.flow.inspect import inspect

        if result.output is None:
            raise UsageError(
                "no-output", "provenance is about a file, and none was written",
                hint="name one with -o FILE",
            )  # fmt: skip
        iso = Path(result.output)
        if iso.resolve() == Path(result.source).resolve():
            raise UsageError(
                "no-source-file", "is gone once changed in place: what the ISO was made from "
                "could not be stated", path=result.source, hint="name an output with -o FILE",
            )  # fmt: skip
        if result.source_sha256 is None:
            raise UsageError(
                "needs-digest", "was made without a digest of what was read, which is stated",
                path=result.output, hint="rebuild it with digest=True",
            )  # fmt: skip
        # As it was read: what has its name now may be another.
        source = Material("iso", Path(result.source).name, result.source_sha256)
        return cls(iso, result, inspect(iso).ngt.version, (source, *result.materials))

    @cached_property
    def sha256(self) -> str:
        """The digest of its bytes, computed now where nobody did before."""
        return self.image.sha256 or sha256_of_file(self.iso)

    @property
    def vendor(self) -> Material:
        """The vendor's ISO."""
        return self.materials[0]


def moment() -> datetime:
    """Return the time that documents state: SOURCE_DATE_EPOCH, else the clock's, in UTC.

    Raises:
        UsageError: ``bad-source-date-epoch``.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return datetime.now(timezone.utc).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(text), timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            "bad-source-date-epoch",
            f"SOURCE_DATE_EPOCH is {text!r}",
            hint="set it to seconds since 1970, or unset it",
        ) from None
