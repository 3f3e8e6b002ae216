# SPDX-License-Identifier: Apache-2.0
"""Whose an image with identity is: named by inject's ledger or an inventory, never guessed.

An ngt_uuid is not the VM's UUID, and nothing on a disc says which VM it is for. Which VM has
which ngt_uuid is the user's word; here it is only held to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ngtpatch.errors import InputError, Refusal
from ngtpatch.files.absent import absent
from ngtpatch.fleet.ledger import Ledger
from ngtpatch.fleet.ledger_document import LedgerRow
from ngtpatch.fleet.row_judgement import standings
from ngtpatch.prism_central.pushed_iso import Disc

__all__ = ["Owner", "check_owner", "owners_of_inventory", "owners_of_ledger"]


@dataclass(frozen=True)
class Owner:
    """Which VM an image is for.

    Attributes:
        name: the VM's name.
        vm_uuid: the VM's own UUID, where that is said.
        ngt_uuid: what its image's ngt_config.json says.
        image: the image; None where only an inventory names the VM.
        problem: why inject made no image for it.
        twin: another VM of the ledger has the same name.
    """

    name: str
    vm_uuid: str | None
    ngt_uuid: str | None
    image: Path | None = None
    problem: str | None = None
    twin: bool = False

    @property
    def key(self) -> str:
        """What a journal knows it by."""
        return f"{self.name} ({self.vm_uuid})" if self.twin and self.vm_uuid else self.name


def owners_of_ledger(path: Path, inventory: Path | None = None) -> tuple[Owner, ...]:
    """Return the VMs of inject's ledger, in its order; an inventory adds their UUIDs.

    Raises:
        InputError: ``not-found``; ``ledger``: it is none, or not to its end; ``unsafe-ledger``.
    """
    known = {} if inventory is None else {o.name: o for o in owners_of_inventory(inventory)}
    found: dict[str, Owner] = {}  # by output: two VMs may have one name
    if not path.exists():
        raise absent(path)
    with closing(Ledger(path)) as ledger:
        if ledger.torn:
            raise InputError(
                "ledger", "has a last line without its end: a run was killed, or still goes on",
                path=str(path), hint="run inject again with --resume",
            )  # fmt: skip
        rows = [LedgerRow.of(row) for row in ledger.rows()]
    # Another ledger of the directory may have a later word on an image.
    latest = standings(path.parent)
    for row in rows:
        vm_uuid = row.vm_uuid
        if vm_uuid is None and row.name in known:
            vm_uuid = known[row.name].vm_uuid
        if row.state == "failed":
            problem = row.error or "inject made no image of it"
            found[row.output] = Owner(row.name, vm_uuid, None, None, problem)
        elif (standing := latest.get(row.output)) is not None and standing.why is not None:
            problem = f"failed by {standing.ledger} ({standing.why}): its image is an earlier run's"
            found[row.output] = Owner(row.name, vm_uuid, None, None, problem)
        else:
            image = path.parent / row.output
            found[row.output] = Owner(row.name, vm_uuid, row.ngt_uuid, image)
    counts = Counter(owner.name for owner in found.values())
    return tuple(replace(one, twin=counts[one.name] > 1) for one in found.values())


def owners_of_inventory(path: Path) -> tuple[Owner, ...]:
    """Return the VMs of an inventory; where a row has a configuration, with its ngt_uuid.

    Raises:
        InputError: as :func:`ngtpatch.identity.inventory.load`.
    """
    from ngtpatch.fleet.tasks import targets

    return tuple(
        Owner(task.identity.source, task.vm_uuid, _ngt_uuid(task)) for task in targets([path])
    )


def _ngt_uuid(task: Any) -> str | None:
    try:
        config = task.identity.parsed_config()
    except InputError:
        return None
    return None if config is None else config.ngt_uuid


def check_owner(disc: Disc, vm: Any, owners: Iterable[Owner]) -> None:
    """See that a disc with identity is for this VM, by the user's word.

    Raises:
        Refusal: ``identity-unmapped``: nobody says whose it is; ``other-vm``: it is another's.
    """
    if disc.ngt_uuid is None:
        raise Refusal(
            "identity-unmapped",
            "holds identity, and no ngt_uuid in its ngt_config.json that says whose",
            path=str(disc.path), hint="ngtpatch identity show; strip it, or inject it anew",
        )  # fmt: skip
    mapped = [owner for owner in owners if owner.ngt_uuid == disc.ngt_uuid]
    if not mapped:
        raise Refusal(
            "identity-unmapped",
            f"holds the identity with the ngt_uuid {disc.ngt_uuid}, and nothing names its VM",
            path=str(disc.path),
            hint="name it with --inventory FILE (or --ledger FILE, inject's); an ngt_uuid is not"
            " the VM's UUID",
        )
    for owner in mapped:
        right = (
            owner.vm_uuid.lower() == str(vm.ext_id).lower()
            if owner.vm_uuid
            else owner.name == vm.name
        )
        if not right:
            raise Refusal(
                "other-vm", f"holds the identity of {owner.name!r}, not of {vm.name!r}",
                path=str(disc.path), hint="one VM's identity goes to that VM alone",
            )  # fmt: skip
