# SPDX-License-Identifier: Apache-2.0
"""The documents of ``ngtpatch inject``: what a run did, and what it would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ngtpatch.fleet.claims import StillShared
from ngtpatch.fleet.plan import FleetPlan
from ngtpatch.fleet.run import InjectSummary

__all__ = ["Failure", "InjectDocument", "InjectPlan", "Planned"]


@dataclass(frozen=True)
class Failure:
    """A VM that has no image, and why."""

    name: str
    code: str
    error: str
    output: str
    vm_uuid: str | None


@dataclass(frozen=True)
class InjectDocument:
    """The document of ``ngtpatch inject``.

    ``complete`` is False where the inventory is a cluster's list that is known not to be whole,
    ``notes`` says how much of it is missing. ``base_replaced``: the path ``base`` leads to another
    file by now, or to none; ``base_sha256`` is that of the base that was used. ``left``: images
    that are there under the names of VMs that failed, and which this run did not write; null where
    the store does not say. ``shared``: images that have the identity of one from before that was
    not made anew.
    """

    SCHEMA: ClassVar[str] = "ngtpatch.inject/1"

    base: str
    base_sha256: str | None
    destination: str
    total: int
    written: int
    kept: int
    failed: int
    interrupted: bool
    bytes_written: int
    ledger: str
    failures: tuple[Failure, ...]
    complete: bool | None
    notes: tuple[str, ...]
    base_replaced: bool
    left: tuple[str, ...] | None
    shared: tuple[StillShared, ...]

    @classmethod
    def of(cls, plan: FleetPlan, summary: InjectSummary) -> InjectDocument:
        """Return what is told of a run."""
        settings = plan.settings
        return cls(
            base=settings.base,
            base_sha256=settings.base_sha256,
            destination=settings.destination,
            total=summary.total,
            written=summary.written,
            kept=summary.kept,
            failed=summary.failed,
            interrupted=summary.interrupted,
            bytes_written=summary.bytes_written,
            ledger=str(summary.ledger),
            failures=tuple(
                Failure(one.name, one.code or "", one.error or "", one.output, one.vm_uuid)
                for one in summary.failures
            ),
            complete=plan.complete,
            notes=plan.notes,
            base_replaced=summary.base_replaced,
            left=summary.left,
            shared=summary.shared,
        )


# What a plan does without: it reads what tells the VMs apart, and no key.
_LEFT_TO_THE_RUN = (
    "private keys, and whether each VM's files fit each other and the base",
    "whether its configuration is complete, and what --set and --config-template make of its row",
)


@dataclass(frozen=True)
class Planned:
    """One line of ``--dry-run``."""

    name: str
    output: str
    refused: str | None
    vm_uuid: str | None


@dataclass(frozen=True)
class InjectPlan:
    """The document of ``ngtpatch inject --dry-run``."""

    SCHEMA: ClassVar[str] = "ngtpatch.inject-plan/1"

    base: str
    destination: str
    total: int
    orders: tuple[Planned, ...]
    unseen: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: FleetPlan) -> InjectPlan:
        """Return what is told of a plan."""
        orders = tuple(
            Planned(
                one.row.name, one.output, one.refusal[1] if one.refusal else None, one.row.vm_uuid
            )
            for one in plan.orders
        )
        settings = plan.settings
        return cls(settings.base, settings.destination, len(orders), orders, _LEFT_TO_THE_RUN)
