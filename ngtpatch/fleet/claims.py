# SPDX-License-Identifier: Apache-2.0
"""Images that are there, and whose identity another VM of a run is to get.

What is looked at: each row of the ledgers beside the outputs. One that is done says what its image
has; where that is an ngt_uuid or a certificate that the run plans for another output, the image is
read. One that failed says nothing: if an image of its name is there, that is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ngtpatch.disclosure import redacted
from ngtpatch.fleet.destination import Destination
from ngtpatch.fleet.ledger import rows_but
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.fleet.order import Order
from ngtpatch.fleet.plan import FleetPlan
from ngtpatch.identity.assemble import Marks
from ngtpatch.identity.config import in_one_case
from ngtpatch.identity.inventory import Row

__all__ = ["Claim", "StillShared", "claims_against", "refusing", "still_shared"]

_Code = Literal["duplicate-uuid", "duplicate-certificate"]
_CODES: tuple[_Code, _Code] = ("duplicate-uuid", "duplicate-certificate")


@dataclass(frozen=True)
class Claim:
    """An image that is there with what another output is to get.

    Attributes:
        code: of the two marks, which.
        mark: the ngt_uuid, or the certificate's fingerprint.
        row: the image's row.
        holder: the output that the run plans it for.
    """

    code: _Code
    mark: str
    row: LedgerRow
    holder: str


@dataclass(frozen=True)
class StillShared:
    """An image that a run made, and one that it did not make anew, with one identity.

    Attributes:
        code: ``duplicate-uuid`` or ``duplicate-certificate``.
        output: the image that was made, or kept.
        other: the one that is there from before.
    """

    code: _Code
    output: str
    other: str


def claims_against(plan: FleetPlan, destination: Destination) -> list[Claim]:
    """Return the images there that have what *plan* has for another output.

    Raises:
        InputError: a ledger beside the outputs cannot be read.
    """
    planned: dict[str, str] = {}
    for order in plan.orders:
        if order.refusal is None:
            planned.update((mark, order.output) for mark in _marks(order) if mark is not None)

    def unclaimed(output: str, marks: Marks) -> bool:
        return all(mark is None or planned.get(mark, output) == output for mark in marks)

    rows = [row for path in destination.ledgers() for row in rows_but(path, unclaimed)]
    there = set(destination.existing({row.output for row in rows})) if rows else set()
    found: dict[tuple[str, str], Claim] = {}
    for row in rows:
        marks = destination.marks(row) if row.output in there else None
        for code, mark in zip(_CODES, marks or (), strict=False):
            if mark is not None and planned.get(mark, row.output) != row.output:
                found[row.output, mark] = Claim(code, mark, row, planned[mark])
    return list(found.values())


def refusing(plan: FleetPlan, claims: Collection[Claim]) -> FleetPlan:
    """Refuse who would share an identity with an image that the run does not make anew.

    Of those that it does, :func:`still_shared` tells at its end.
    """
    mine = {order.output for order in plan.orders}
    against: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.row.output not in mine:
            against.setdefault(claim.holder, []).append(claim)
    if not against:
        return plan
    place = plan.settings.destination
    return replace(
        plan,
        orders=tuple(
            _refused(order, against.get(order.output, ()), place) for order in plan.orders
        ),
    )


def still_shared(claims: Collection[Claim], made: Collection[str]) -> Iterator[StillShared]:
    """Yield which of the outputs that were *made* share an identity with one that was not."""
    for claim in claims:
        if claim.holder in made and claim.row.output not in made:
            yield StillShared(claim.code, claim.holder, claim.row.output)


def _refused(order: Order, claims: Collection[Claim], place: str) -> Order:
    for claim in claims:
        if not _is_of(order.row, claim.row):
            what = "the certificate"
            if claim.code == "duplicate-uuid":
                what = f"ngt_uuid {claim.mark}"
            message = (
                f"{what} is also that of {claim.row.name}, whose image is in {place} as "
                f"{claim.row.output} (make that one anew, or remove it, and then run this with "
                "--resume)"
            )
            return replace(order, refusal=(claim.code, message))
    return order


def _marks(order: Order) -> Marks:
    return order.ngt_uuid, order.certificate_sha256


def _is_of(row: Row, other: LedgerRow) -> bool:
    """Say whether a ledger's row is about the VM of *row*: by UUIDs, where both have one."""
    if other.vm_uuid is not None and row.vm_uuid is not None:
        return other.vm_uuid.lower() == row.vm_uuid
    # A ledger says names as they may be shown.
    return in_one_case(other.name) in (in_one_case(row.name), in_one_case(redacted(row.name)))
