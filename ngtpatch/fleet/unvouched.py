# SPDX-License-Identifier: Apache-2.0
"""Images that lie under the name of a VM whose last run failed: an earlier run's, or nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ngtpatch.errors import InputError
from ngtpatch.fleet.ledger import Ledger
from ngtpatch.fleet.output_directory import OutputDirectory
from ngtpatch.identity.findings import Finding, Severity

__all__ = ["CODE", "MESSAGE", "unvouched_images"]

CODE = "failed-row"
MESSAGE = "an image of that name is there, which the run that failed did not write"


def unvouched_images(directory: Path) -> Iterator[Finding]:
    """Yield what the ledgers in *directory* say against images there; nothing where none is.

    A ledger that cannot be read keeps nothing from being looked at, and is named.
    """
    failed: dict[str, str] = {}
    done: set[str] = set()
    for path in OutputDirectory(directory).ledgers():
        try:
            with closing(Ledger(path)) as ledger:
                for row in ledger.rows():
                    if row["state"] == "done":
                        done.add(row["output"])
                    else:
                        failed[row["output"]] = row.get("code") or "failed"
        except InputError as error:
            message = f"{error.message}; which images are of a run that failed is not known"
            yield Finding(error.code, Severity.NOTE, str(path), message, str(path), error.hint)
        except OSError as error:
            message = f"cannot be read ({error.strerror}), as if there were none"
            yield Finding("unreadable", Severity.NOTE, str(path), message, str(path))
    for output, why in failed.items():
        if output not in done:
            image = str(directory / output)
            yield Finding(
                CODE, Severity.WARNING, image, f"the ledger's row failed ({why}): {MESSAGE}", image,
                "run the inject command again with --resume, or remove the image",
            )  # fmt: skip
