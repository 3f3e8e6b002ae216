# SPDX-License-Identifier: Apache-2.0
"""One VM, as a listing tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Reported"]


@dataclass(frozen=True)
class Reported:
    """One VM, as the cluster sees it. None where it does not say.

    Attributes:
        vm_uuid: the VM's own UUID, in lower case.
        name: the VM's name.
        enabled: NGT is enabled for the VM.
        mounted: its disc is in the VM's CD-ROM.
        link_active: the agent in the guest answers.
        installed: NGT is installed in the guest (Prism only).
        version: the installed version (Prism only).
        number: where it stands in its listing: the line of a text, the number of a JSON
            record from 1.
        cells: what else is said of it, by column, for an inventory's templates.
    """

    vm_uuid: str | None
    name: str | None
    enabled: bool | None
    mounted: bool | None
    link_active: bool | None
    installed: bool | None = None
    version: str | None = None
    number: int = field(default=0, compare=False)
    cells: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
