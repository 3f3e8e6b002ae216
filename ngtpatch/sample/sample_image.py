# SPDX-License-Identifier: Apache-2.0
"""Writes a sample: the disc of an era as an image."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar

from ngtpatch.errors import UsageError
from ngtpatch.files.atomic import check_target, new_file
from ngtpatch.files.wellknown import LABEL
from ngtpatch.iso.write.master import USUAL_TREES, master
from ngtpatch.sample.credentials import issue
from ngtpatch.sample.disc import AUTHORITY_ERAS, RELEASED, VERSION, check_era, disc
from ngtpatch.sample.payload import check_size

__all__ = ["Sample", "write_sample"]

# A cluster writes config/ when the disc is mounted, after the release was made.
_MOUNTED_AFTER = int(timedelta(days=30).total_seconds())


@dataclass(frozen=True)
class Sample:
    """The document of ``ngtpatch sample --json``.

    Attributes:
        output: the file that was written, or would be.
        size: of it, in bytes; None for a dry run.
        volume_id: its label.
        trees: the trees that it has.
        era: of the installer.
        ngt_version: of the NGT that it models.
        ngt_uuid: of the identity; None for a dry run, which makes none.
        payload: size of the file of noise, in bytes.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.sample/1"

    output: Path
    size: int | None
    volume_id: str
    trees: tuple[str, ...]
    era: int
    ngt_version: str
    ngt_uuid: str | None
    payload: int


def write_sample(
    destination: Path,
    *,
    era: int = 2,
    payload: int = 0,
    udf: bool = False,
    force: bool = False,
    dry_run: bool = False,
    seed: str | None = None,
) -> Sample:
    """Write a synthetic NGT image of our own making. Its mode is 0600, for the key in it.

    The image depends on the arguments, but for the identity: key, certificate and ngt_uuid
    are new each time, and the certificate is valid from now on. A *seed* makes the identity
    depend on it alone, SOURCE_DATE_EPOCH in the environment sets the dates of certificate and
    image: with both, the whole image is the same each time.

    Args:
        destination: the file to write.
        era: 1, 2 or 3; tests/sample/INDEX.md says what each stands for.
        payload: size in bytes of a file of noise, as the Windows half would be.
        udf: a UDF tree as well.
        force: replace an existing file.
        dry_run: look for what would be refused, and write nothing.
        seed: any words. An identity from a seed is known to all who know it.

    Raises:
        UsageError: code ``no-such-era``, ``bad-size``, ``bad-source-date-epoch``,
            ``no-such-date``, or of :func:`ngtpatch.files.atomic.check_target`.
        OSError: the file system refused; nothing is left behind.
    """
    check_target(destination, force=force)
    check_era(era)
    check_size(payload)
    epoch = _source_date_epoch()
    trees = (*USUAL_TREES, "udf") if udf else USUAL_TREES
    if dry_run:
        return Sample(destination, None, LABEL, trees, era, VERSION[era], None, payload)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    begins = now if epoch is None else datetime.fromtimestamp(epoch, timezone.utc)
    credentials = issue(begins, seed=seed, authority=era in AUTHORITY_ERAS)
    created = RELEASED[era] + _MOUNTED_AFTER if epoch is None else epoch
    nodes = disc(era, credentials, payload=payload, configured=created)
    with new_file(destination, force=force, mode=0o600) as file:
        master(file, nodes, volume_id=LABEL, created=created, trees=trees)
        size = file.seek(0, os.SEEK_END)
    return Sample(
        output=destination,
        size=size,
        volume_id=LABEL,
        trees=trees,
        era=era,
        ngt_version=VERSION[era],
        ngt_uuid=str(credentials.ngt_uuid),
        payload=payload,
    )


def _source_date_epoch() -> int | None:
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    # 4102444800 is the year 2100: a certificate's dates and an image's both reach that far.
    if not (text.isascii() and text.isdigit()) or int(text) > 4102444800:
        raise UsageError(
            "bad-source-date-epoch",
            f"SOURCE_DATE_EPOCH is {text!r}",
            hint="set it to seconds since 1970, or unset it",
        )
    return int(text)
