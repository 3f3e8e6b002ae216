# SPDX-License-Identifier: Apache-2.0
"""The page of a fleet: its ledger, and the identities on the images beside it.

Of each image its four files of identity are read, as ``identity check`` judges them; its other
bytes are not, and the page says so.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.files.progress import progressed
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.fleet.unvouched import CODE, MESSAGE
from ngtpatch.report.timeline import EndingIn, timeline

if TYPE_CHECKING:
    from ngtpatch.fleet.audit import Audit, Checked
    from ngtpatch.fleet.tasks import Task
    from ngtpatch.identity.runbook import Renewal

__all__ = ["CHECKS", "FleetPage", "VmRow", "page_of_fleet", "page_of_ledger", "read_ledgers"]

Check = Literal["ok", "note", "warning", "error", "missing", "failed", "not looked at"]

CHECKS: Mapping[Check, str] = {
    "failed": "by the ledger it was not written",
    "missing": "by the ledger it was written, and it is not beside the ledger",
    "error": "its identity will not work, or is not the ledger's",
    "warning": "its identity will not work before long, or may not",
    "note": "something cannot be known of it",
    "ok": "nothing was found that is wrong",
    "not looked at": "the ledger alone is told",
}
"""What each state of a VM means, the worst first."""

_MOST_STEPS = 20
_BAD: frozenset[Check] = frozenset({"failed", "missing", "error"})


@dataclass(frozen=True)
class VmRow:
    """One VM.

    Attributes:
        check: what was found, in a word of :data:`CHECKS`.
        until: the day on which its certificate ends; None where that is not known.
        days: whole days until then, negative afterwards.
        found: what was found, in sentences.
        digest: of the whole image where the ledger has it, else of its regions.
        whole: whether it is of the whole image.
    """

    name: str
    vm_uuid: str | None
    output: str
    check: Check
    until: str | None
    days: int | None
    found: tuple[str, ...]
    ngt_uuid: str | None
    digest: str | None
    whole: bool


@dataclass(frozen=True)
class FleetPage:
    """What the page of a fleet says.

    Attributes:
        ledgers: the files that were read.
        rows: the VMs, in the ledger's order.
        bases: the SHA-256 of each base, and how many were made from it.
        looked: how many images are beside the ledger, and were looked at.
        warn_days: certificates that end within so many days were warned of.
        spans: how many certificates end in which month.
        renewals: who needs a new certificate, the most urgent first.
        steps: what else mends what was found, and how many findings it mends.
        unseen: what was not looked at.
    """

    ledgers: tuple[str, ...]
    rows: tuple[VmRow, ...]
    bases: tuple[tuple[str, int], ...]
    looked: int
    warn_days: int
    spans: tuple[EndingIn, ...]
    renewals: tuple[Renewal, ...]
    steps: tuple[tuple[str, int], ...]
    unseen: tuple[str, ...]
    kind: Literal["fleet"] = "fleet"

    @property
    def attention(self) -> bool:
        """Whether something on the page needs a person."""
        return any(row.check in _BAD or row.check == "warning" for row in self.rows)

    @property
    def title(self) -> str:
        """What the page is about."""
        return f"{len(self.rows):,} VMs"

    @property
    def counts(self) -> tuple[tuple[Check, int], ...]:
        """How many VMs are in which state, the worst first; those that none is in left out."""
        found = Counter(row.check for row in self.rows)
        return tuple((check, found[check]) for check in CHECKS if found[check])

    @property
    def directory(self) -> str:
        """Where the images are, by the first ledger."""
        return str(Path(self.ledgers[0]).parent)


def read_ledgers(path: Path) -> tuple[list[Path], list[LedgerRow], bool]:
    """Return the ledgers that *path* names, their rows, and whether a last line is torn.

    Of an output that several ledgers of a directory have a row about, the one that counts.

    Args:
        path: a ledger, or the directory of a run with all of its ledgers.

    Raises:
        InputError: ``ledger``, ``unsafe-ledger``; ``not-found``: there is none.
    """
    from ngtpatch.fleet.ledger import Ledger
    from ngtpatch.fleet.output_directory import OutputDirectory
    from ngtpatch.fleet.row_judgement import standings

    paths = OutputDirectory(path).ledgers() if path.is_dir() else [path]
    if not paths:
        raise InputError(
            "not-found", "has no ledger", path=str(path),
            hint="name the directory that 'ngtpatch inject' wrote to, or BASE and OUT",
        )  # fmt: skip
    counts = standings(path) if len(paths) > 1 else {}
    rows: list[LedgerRow] = []
    torn = False
    for one in paths:
        with closing(Ledger(one)) as ledger:
            torn |= ledger.torn
            rows += (
                LedgerRow.of(row)
                for row in ledger.rows()
                if row["output"] not in counts or counts[row["output"]].ledger == one
            )
    return paths, rows, torn


def page_of_ledger(path: Path, *, images: bool, warn_days: int, now: datetime) -> FleetPage:
    """Read a fleet's ledger, and look at the identities on the images beside it.

    Args:
        path: a ledger, or the directory of a run.
        images: whether images are opened; else the ledger alone is told.
        warn_days: certificates that end within so many days are warned of.
        now: the moment that days are counted from.

    Raises:
        InputError: as :func:`read_ledgers`.
    """
    from ngtpatch.fleet.audit import audit

    ledgers, rows, torn = read_ledgers(path)
    directory = ledgers[0].parent
    there = {
        row.output: directory / row.output
        for row in rows
        if images and row.state == "done" and _is_there(directory, row.output)
    }
    unvouched = {
        row.output
        for row in rows
        if images and row.state == "failed" and _is_there(directory, row.output)
    }
    audited = audit(_tasks(list(there.values())), now=now, warn_days=warn_days) if there else None
    sizes = {output: image.stat().st_size for output, image in there.items()}
    return page_of_fleet(
        list(map(str, ledgers)), rows, audited, sizes=sizes, unvouched=unvouched, images=images,
        torn=torn, warn_days=warn_days,
    )  # fmt: skip


def page_of_fleet(
    ledgers: Sequence[str],
    rows: Sequence[LedgerRow],
    audited: Audit | None,
    *,
    sizes: Mapping[str, int],
    unvouched: Collection[str] = (),
    images: bool,
    torn: bool = False,
    warn_days: int,
) -> FleetPage:
    """Return the page of *rows*, and of what was found on the images in their directory.

    Args:
        ledgers: where the rows are from.
        rows: the ledger's.
        audited: what a check of the images said; None where none was looked at.
        sizes: the images that were looked at, with their sizes.
        unvouched: the images that are there under the names of rows that failed.
        images: whether images were to be looked at.
        torn: whether the last line of a ledger has no end.
        warn_days: certificates that end within so many days were warned of.
    """
    directory = Path(ledgers[0]).parent
    known = {one.source: one for one in audited.identities} if audited else {}
    said: dict[str, list[str]] = {}
    for finding in audited.findings if audited else ():
        said.setdefault(finding.source, []).append(f"{finding.code}: {finding.message}")
    told = []
    for row in rows:
        source = str(directory / row.output)
        found, checked = said.get(source, []), known.get(source)
        check: Check
        if row.state == "failed":
            check, found = "failed", [f"{row.code or 'failed'}: {row.error or 'no reason is told'}"]
            if row.output in unvouched:
                found.append(f"{CODE}: {MESSAGE}")
        elif not images:
            check = "not looked at"
        elif checked is None:
            check, found = "missing", ["no image of that name is beside the ledger"]
        else:
            other = _unlike(row, checked, sizes.get(row.output))
            found = [*other, *found]
            check = "error" if other else _check_of(checked.worst)
        told.append(
            VmRow(
                row.name,
                row.vm_uuid,
                row.output,
                check,
                checked.not_after[:10] if checked and checked.not_after else None,
                checked.days_left if checked else None,
                tuple(found),
                row.ngt_uuid,
                row.sha256 or row.regions_sha256,
                row.sha256 is not None,
            )
        )
    bases = Counter(row.base_sha256 for row in rows if row.base_sha256 is not None)
    return FleetPage(
        ledgers=tuple(ledgers),
        rows=tuple(told),
        bases=tuple(bases.most_common()),
        looked=len(sizes),
        warn_days=warn_days,
        spans=timeline([(row.until, row.days) for row in told]),
        renewals=audited.renewals if audited else (),
        steps=tuple(_steps(audited)),
        unseen=tuple(_unseen(len(sizes), images=images, torn=torn)),
    )


def _steps(audited: Audit | None) -> Iterator[tuple[str, int]]:
    from ngtpatch.identity.findings import Severity

    found = Counter(
        finding.hint
        for finding in (audited.findings if audited else ())
        if finding.hint is not None and finding.severity is not Severity.NOTE
    )
    yield from found.most_common(_MOST_STEPS)


def _check_of(worst: str) -> Check:
    return next(check for check in CHECKS if check == worst)


def _unlike(row: LedgerRow, checked: Checked, size: int | None) -> list[str]:
    """Return in what an image is not the one that its row tells of."""
    found = []
    if row.size is not None and size is not None and row.size != size:
        found.append(f"not-the-ledger's: it has {size:,} bytes, and the ledger says {row.size:,}")
    for what, here, there in (
        ("ngt_uuid", checked.ngt_uuid, row.ngt_uuid),
        ("certificate", checked.certificate_sha256, row.certificate_sha256),
    ):
        if there is not None and here != there:
            found.append(f"not-the-ledger's: its {what} is {here or 'none'}, and not {there}")
    return found


def _is_there(directory: Path, output: str) -> bool:
    """Say whether an output is a file of the directory; a ledger may name anything."""
    if not output or output in (".", "..") or "/" in output or "\0" in output:
        return False
    try:
        return stat.S_ISREG((directory / output).lstat().st_mode)
    except OSError:
        return False


def _tasks(images: Sequence[Path]) -> Iterator[Task]:
    from ngtpatch.fleet.tasks import image_task, unreadable_task

    for number, image in enumerate(images, 1):
        try:
            yield image_task(image, search=False)
        except NgtpatchError as error:
            yield unreadable_task(image, error)
        progressed("images looked at", number, len(images))


def _unseen(looked: int, *, images: bool, torn: bool) -> Iterable[str]:
    if torn:
        yield "the last line of a ledger, which has no end: a run was killed, or still goes on"
    yield "VMs of the inventory that have no row: a ledger does not name them"
    if not images:
        yield "the images: no certificate's end is known without them"
        return
    if looked:
        yield (
            "of each image all but its size and its four files of identity: 'ngtpatch identity"
            " check' searches every byte, 'ngtpatch verify' accounts for it"
        )
        yield "whether the images have the digests in the ledger"
    yield "images that are not beside the ledger"
    yield "the cluster: 'ngtpatch status' asks it"
