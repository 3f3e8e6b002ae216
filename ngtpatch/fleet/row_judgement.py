# SPDX-License-Identifier: Apache-2.0
"""Which row counts, where several ledgers of a directory have one about an output.

A run of the whole and one of shards each have a ledger of their own, and rows say nothing of
when they were written. What is known: when a ledger was last written to, and the size and times
that a row says its image has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError, unreadable
from ngtpatch.fleet.ledger import Ledger
from ngtpatch.fleet.output_directory import OutputDirectory

__all__ = ["RowStanding", "standings"]


@dataclass(frozen=True, slots=True)
class RowStanding:
    """A row, as far as it is judged by.

    Attributes:
        ledger: the file that it stands in.
        written_ns: when that was last written to.
        why: the code with which the VM failed; None where its image was written.
        size: of the image, by the row.
        times: when the image was written to and changed, likewise; None where it does not say.
    """

    ledger: Path
    written_ns: int
    why: str | None
    size: int | None
    times: tuple[int, int] | None

    @classmethod
    def of(cls, row: Mapping[str, Any], ledger: Path, written_ns: int) -> RowStanding:
        """Return what *row* says, which stands in *ledger*."""
        written, changed = row.get("modified_ns"), row.get("changed_ns")
        times = None if written is None or changed is None else (written, changed)
        return cls(
            ledger, written_ns,
            (row.get("code") or "failed") if row["state"] == "failed" else None, row.get("size"),
            times,
        )  # fmt: skip

    def vouches(self, image: Path) -> bool:
        """Say whether the image that is there is the one that this row tells of."""
        if self.why is not None or self.times is None:
            return False
        try:
            status = image.lstat()
        except OSError:
            return False
        return (status.st_size, (status.st_mtime_ns, status.st_ctime_ns)) == (self.size, self.times)

    def or_later(self, other: RowStanding, image: Path) -> RowStanding:
        """Return which of the two counts.

        A failure does, unless the image that is there was written after the failure's ledger was.
        Of two images it is the one that is there; else what stands in the later ledger counts.
        """
        later = other if other.written_ns > self.written_ns else self
        if (self.why is None) != (other.why is None):
            done, failed = (self, other) if self.why is None else (other, self)
            made_after = done.times is not None and done.times[1] > failed.written_ns
            return done if made_after and done.vouches(image) else failed
        if self.why is None:
            mine, theirs = self.vouches(image), other.vouches(image)
            if mine != theirs:
                return self if mine else other
        return later


def standings(
    directory: Path, *, unread: Callable[[InputError], object] | None = None
) -> dict[str, RowStanding]:
    """Return by output the row that counts, of all ledgers in *directory*.

    Args:
        directory: outputs and ledgers.
        unread: told of each ledger that cannot be read, which is passed over then.

    Raises:
        InputError: a ledger cannot be read, and nobody is told of it.
    """
    found: dict[str, RowStanding] = {}
    for path in OutputDirectory(directory).ledgers():
        try:
            for output, standing in _of_ledger(path):
                before = found.get(output)
                counts = before and before.or_later(standing, directory / output)
                found[output] = counts or standing
        except InputError as error:
            if unread is None:
                raise
            unread(error)
    return found


def _of_ledger(path: Path) -> Iterator[tuple[str, RowStanding]]:
    try:
        written_ns = path.lstat().st_mtime_ns  # of a link nothing is read
        with closing(Ledger(path)) as ledger:
            for row in ledger.rows():
                yield row["output"], RowStanding.of(row, path, written_ns)
    except OSError as error:
        raise unreadable(error, path=str(path)) from None
