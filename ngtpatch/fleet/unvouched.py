# SPDX-License-Identifier: Apache-2.0
"""Images that lie under the name of a VM whose last run failed: an earlier run's, or nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.fleet.row_judgement import standings
from ngtpatch.identity.findings import Finding, Severity

__all__ = ["CODE", "MESSAGE", "unvouched_images"]

CODE = "failed-row"
MESSAGE = "an image of that name is there, which the run that failed did not write"


def unvouched_images(directory: Path) -> Iterator[Finding]:
    """Yield what the ledgers in *directory* say against images there; nothing where none is.

    A ledger that cannot be read keeps nothing from being looked at, and is named.
    """
    unread: list[InputError] = []
    for output, standing in standings(directory, unread=unread.append).items():
        if standing.why is not None:
            image = str(directory / output)
            message = f"the row of {standing.ledger.name} failed ({standing.why}): {MESSAGE}"
            yield Finding(
                CODE, Severity.WARNING, image, message, image,
                "run the inject command again with --resume, or remove the image",
            )  # fmt: skip
    for error in unread:
        message = f"{error.message}; which images are of a run that failed is not known"
        yield Finding(error.code, Severity.NOTE, str(error.path), message, error.path, error.hint)
