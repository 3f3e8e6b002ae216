# SPDX-License-Identifier: Apache-2.0
"""One VM after the other: checked, planned, written. Nothing it does can stop the others.

:func:`make` is what every executor runs, in this process or in another: it takes settings
and an order, both of paths, and returns an outcome. The base is opened once per process.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ngtpatch.errors import NgtpatchError, Refusal
from ngtpatch.fleet.base import Base
from ngtpatch.fleet.destination import open_destination
from ngtpatch.fleet.order import Held, Order, Settings, Unfit, VmResult
from ngtpatch.identity.assemble import Marks, identity_of, marks_of, sets_of
from ngtpatch.identity.certificate import read_authorities
from ngtpatch.identity.exchange import injected
from ngtpatch.identity.findings import Severity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Authority

    from ngtpatch.iso.edit.image_edit import EditPlan

__all__ = ["Workshop", "make", "make_all"]


class Workshop:
    """What a process needs to make images: the open base, the destination, the CA."""

    def __init__(self, settings: Settings) -> None:
        """Open the base and the destination. Raises InputError, Refusal, OutputError."""
        self.settings = settings
        self.destination = open_destination(settings)
        self.authorities: tuple[Authority, ...] = ()
        if settings.ca is not None:
            self.authorities = read_authorities(Path(settings.ca))
        self.base = (
            None if settings.each else self._open(Path(settings.base), prove=settings.remote)
        )
        try:
            self.destination.join(settings.held)
        except BaseException:
            self.close()
            raise

    def make(self, order: Order) -> VmResult:
        """Make one VM's image, or say why not. Raises nothing."""
        try:
            if order.refusal is not None:
                code, message = order.refusal
                raise Refusal(code, message)  # noqa: TRY301
            if self.base is not None:
                return self._proven(order, self.base)
            with self._open(Path(self.settings.base) / order.output, prove=True) as base:
                return self._proven(order, base)
        except Exception as error:
            return VmResult.failure(order, error)

    def close(self) -> None:
        """Close the base and the destination."""
        self.destination.leave()
        if self.base is not None:
            self.base.close()

    def _open(self, path: Path, *, prove: bool) -> Base:
        settings = self.settings
        return Base.open(
            path,
            config_only=settings.config_only,
            sha256=settings.base_sha256,
            state=settings.base_state,
            tree_sha256=settings.base_tree_sha256,
            prove=prove,
            single=settings.each,
            cleanup=settings.cleanup,
            allowed=settings.allowed,
            authority_room=settings.authority_room,
        )

    def _proven(self, order: Order, base: Base) -> VmResult:
        """Make an image of a base that is proven to be the same before and after."""
        base.require_same()
        try:
            return self._make(order, base)
        except NgtpatchError as error:
            if error.code != "source-changed":
                raise
        base.require_same()  # it was only touched, or this says what happened
        return self._make(order, base)

    def _make(self, order: Order, base: Base) -> VmResult:
        settings = self.settings
        given = identity_of(order.row, settings.recipe)
        sets = sets_of(order.row, settings.recipe)
        _require_planned(order, marks_of(given, sets.get("ngt_uuid")))
        new = injected(
            base.tree, given, sets=sets, authorities=self.authorities, complete=True,
            authority=self._authority(base),
        )  # fmt: skip
        plan = base.plan(new)
        warnings = tuple(finding.message for finding in new.warnings)
        held = self._held(order, base, plan)
        if isinstance(held, Held):
            digest = held.sha256
            if digest is None and order.known is not None:
                digest = order.known.sha256
            base.require_same()  # it was compared with it
            return VmResult(
                order.row.name, order.output, "kept", base.sha256, plan.digest, digest, plan.size,
                warnings=warnings, ngt_uuid=order.ngt_uuid,
                certificate_sha256=order.certificate_sha256,
                times=self.destination.times(order.output), vm_uuid=order.row.vm_uuid,
            )  # fmt: skip
        written = self.destination.write(
            order.output, base, plan, digest=settings.digest, replace=settings.replace
        )
        return VmResult(
            order.row.name, order.output, "written", base.sha256, plan.digest, written.sha256,
            written.size, written.bytes_written, warnings=warnings, ngt_uuid=order.ngt_uuid,
            certificate_sha256=order.certificate_sha256,
            times=self.destination.times(order.output), vm_uuid=order.row.vm_uuid,
            remade=held.why if held is not None else None,
        )  # fmt: skip

    def _authority(self, base: Base) -> Severity | None:
        """Say how bad it is for an image to lack the cluster's authority."""
        if not base.cleanup.authority:
            return None
        # Without an installer on the disc the guest is there, and keeps its own.
        return Severity.WARNING if self.settings.config_only else Severity.ERROR

    def _held(self, order: Order, base: Base, plan: EditPlan) -> Held | Unfit | None:
        """Return what is there, if the output needs nothing, or why it does."""
        if not plan.regions and self.destination.is_base(order.output, plan):
            unfit = self.destination.unfit(order.output)
            return Held() if unfit is None else unfit  # refreshed already
        if not self.settings.resume:
            return None
        return self.destination.holds(
            order.output, base, plan, order.known, digest=self.settings.digest
        )


def _require_planned(order: Order, now: Marks) -> None:
    """Refuse material that is not what the VMs of the run were compared by.

    Raises:
        NgtpatchError: ``source-changed``.
    """
    planned = (order.ngt_uuid, order.certificate_sha256)
    parts = zip(("ngt_uuid", "certificate"), planned, now, strict=True)
    changed = [what for what, before, after in parts if before != after]
    if changed:
        raise NgtpatchError(
            "source-changed",
            f"its {' and '.join(changed)} changed since the run was planned, and whether another "
            "VM has the same is not known",
            hint="run the command again with --resume",
        )  # fmt: skip


_lock = threading.Lock()
_open: tuple[str, Workshop] | None = None


def make(settings: Settings, order: Order) -> VmResult:
    """Make one VM's image in whatever process this is. Raises nothing."""
    try:
        workshop = _workshop(settings)
    except Exception as error:
        return VmResult.failure(order, error)
    return workshop.make(order)


def make_all(settings: Settings, orders: Sequence[Order]) -> list[VmResult]:
    """Make the images of several VMs, one after the other. Raises nothing."""
    return [make(settings, order) for order in orders]


def _workshop(settings: Settings) -> Workshop:
    """Return this process's workshop for *settings*; the last run's is closed."""
    global _open  # noqa: PLW0603 - one base per process, whichever task comes first
    key = repr(settings)
    with _lock:
        if _open is None or _open[0] != key:
            fresh = Workshop(settings)
            if _open is not None:
                _open[1].close()
            _open = key, fresh
        return _open[1]


def prepare(settings: Settings) -> None:
    """Do what is done once for all outputs of a run, in the process that starts it.

    Raises:
        InputError, Refusal, RemoteError: the run cannot start.
    """
    workshop = _workshop(replace(settings, remote=False))
    if workshop.base is not None:
        workshop.destination.prepare(workshop.base)


def base_was_replaced() -> bool:
    """Say whether the path of the base that this process has open leads elsewhere by now."""
    with _lock:
        base = None if _open is None else _open[1].base
        return base is not None and base.path_is_anothers


def close() -> None:
    """Close what :func:`make` has open in this process."""
    global _open  # noqa: PLW0603
    with _lock:
        if _open is not None:
            _open[1].close()
            _open = None
