# SPDX-License-Identifier: Apache-2.0
"""Each VM of inject's ledger gets its image; one VM's failure is a row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ngtpatch.errors import InputError, NgtpatchError, UsageError, of_any
from ngtpatch.files.locked import StillHeldError, locked
from ngtpatch.prism_central.connection import Connection
from ngtpatch.prism_central.machines import find_vm
from ngtpatch.prism_central.owner import Owner, check_owner
from ngtpatch.prism_central.push import Pushed, PushOptions, push_disc
from ngtpatch.prism_central.push_journal import PushJournal
from ngtpatch.prism_central.pushed_iso import read_disc

__all__ = ["FleetPushed", "VmPushed", "push_fleet"]


@dataclass(frozen=True)
class VmPushed:
    """What became of one VM.

    ``action`` is as in a push's own document, ``skipped`` or ``failed``.
    """

    name: str
    action: str
    vm_uuid: str | None = None
    drive: str | None = None
    code: str | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FleetPushed:
    """The document of ``ngtpatch push --ledger``.

    Attributes:
        journal: where the rows are kept; a second run skips what is done there.
        total: VMs in the ledger.
        done: attached, or there already; in a dry run, those that would be.
        skipped: done by an earlier run.
        failed: see ``vms``.
        interrupted: it was told to stop; those in flight were ended.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.push-fleet/1"

    journal: str
    total: int
    done: int
    skipped: int
    failed: int
    interrupted: bool
    vms: tuple[VmPushed, ...]


def push_fleet(
    connections: Callable[[], Connection], owners: Sequence[Owner], *, journal: Path,
    own: PushJournal, options: PushOptions, jobs: int, stop: threading.Event,
    report: Callable[[VmPushed, int, int], object],
) -> FleetPushed:  # fmt: skip
    """Push each VM's image to that VM.

    Args:
        connections: makes a connection; each thread has its own.
        owners: which VM has which image.
        journal: the file that keeps what became of each VM.
        own: what pushes from here have asked for.
        options: how.
        jobs: how many VMs at once.
        stop: set: no VM is begun any more.
        report: gets each outcome, and how many of how many there are.

    Raises:
        UsageError: ``busy``: another run has this journal.
    """
    try:
        with locked(journal.with_name(f".{journal.name}.lock"), wait=0, mode=0o600):
            rows = PushJournal(journal)
            return _FleetPush(connections, rows, own, options, stop).all(owners, jobs, report)
    except StillHeldError:
        raise UsageError(
            "busy", "another run pushes the images of this ledger", path=str(journal),
            hint="wait for it",
        ) from None  # fmt: skip


class _FleetPush:
    def __init__(
        self, connections: Callable[[], Connection], rows: PushJournal, own: PushJournal,
        options: PushOptions, stop: threading.Event,
    ) -> None:  # fmt: skip
        self.connections, self.rows, self.own = connections, rows, own
        self.options, self.stop = options, stop
        self.local = threading.local()

    def all(
        self, owners: Sequence[Owner], jobs: int, report: Callable[[VmPushed, int, int], object]
    ) -> FleetPushed:
        outcomes: dict[int, VmPushed] = {}
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(self.one, owner): n for n, owner in enumerate(owners)}
            for count, future in enumerate(as_completed(futures), start=1):
                outcome = future.result()
                if outcome is not None:
                    outcomes[futures[future]] = outcome
                    report(outcome, count, len(owners))
        vms = tuple(outcomes[number] for number in sorted(outcomes))
        failed = sum(vm.action == "failed" for vm in vms)
        skipped = sum(vm.action == "skipped" for vm in vms)
        return FleetPushed(
            str(self.rows.path), len(owners), len(vms) - failed - skipped, skipped, failed,
            self.stop.is_set() and len(vms) < len(owners), vms,
        )  # fmt: skip

    def one(self, owner: Owner) -> VmPushed | None:
        """Push one VM's image; whatever fails becomes its row."""
        if self.stop.is_set():
            return None
        try:
            outcome = self._pushed(owner)
        except Exception as error:
            failure: NgtpatchError = of_any(error)
            outcome = VmPushed(owner.name, "failed", code=failure.code, error=str(failure))
        if not self.options.dry_run and outcome.action != "skipped":
            self.rows.note(
                owner.key, state="failed" if outcome.action == "failed" else "done",
                vm_uuid=outcome.vm_uuid, drive=outcome.drive, code=outcome.code,
                error=outcome.error,
            )  # fmt: skip
        return outcome

    def _pushed(self, owner: Owner) -> VmPushed:
        if owner.problem is not None or owner.image is None:
            raise InputError("no-image", owner.problem or "has no image", path=owner.name)
        disc = read_disc(owner.image)
        connection = self._connection()
        row = self.rows.row(owner.key)
        wish = f"{connection.host}/{disc.sha256}"
        if row.get("state") == "done" and row.get("wish") == wish:
            return VmPushed(owner.name, "skipped", row.get("vm_uuid"), row.get("drive"))
        vm: Any = find_vm(connection, owner.vm_uuid or owner.name)
        if disc.identity:
            check_owner(disc, vm, [owner])
        result: Pushed = push_disc(connection, disc, vm, self.own, self.options)
        if not self.options.dry_run:
            self.rows.note(owner.key, wish=wish)
        return VmPushed(owner.name, result.action, result.vm_uuid, result.drive, notes=result.notes)

    def _connection(self) -> Connection:
        found = getattr(self.local, "connection", None)
        if not isinstance(found, Connection):
            found = self.local.connection = self.connections()
        return found
