# SPDX-License-Identifier: Apache-2.0
"""One VM, as a listing tells of it; and one page of a listing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

__all__ = ["Clash", "Page", "Reported", "clash", "newer_word"]


@dataclass(frozen=True)
class Reported:
    """One VM, as the cluster sees it. None where it does not say.

    Attributes:
        vm_uuid: the VM's own UUID, in lower case.
        name: the VM's name.
        enabled: NGT is enabled for the VM.
        mounted: its disc is in the VM's CD-ROM.
        link_active: the agent in the guest answers.
        installed: NGT is installed in the guest (not in ncli's text).
        version: the installed version (likewise).
        available: the version that the cluster would install (Prism v3 and v4).
        not_after: the end of the VM's certificate (``nutanix_guest_tools_cli`` only).
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
    available: str | None = None
    not_after: datetime | None = None
    number: int = field(default=0, compare=False)
    cells: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other VMs: its UUID, its name where that is not said."""
        return ("name", self.name or "") if self.vm_uuid is None else ("uuid", self.vm_uuid)

    @property
    def silent(self) -> bool:
        """Whether nothing is said of guest tools: they were not asked for, or were cut off."""
        told = (self.enabled, self.mounted, self.link_active, self.installed)
        return all(value is None for value in told)


@dataclass(frozen=True)
class Page:
    """One answer about VMs: all of a listing, or a part of it.

    Attributes:
        vms: those that it tells of.
        total: how many its listing has, by its own word.
        listing: what tells its listing from others: pages of one have the same.
        more: it says that another page follows: the number of that one from 0 where it says
            which, else -1; None where it does not say so.
        index: its own number from 0, where it can be told.
    """

    vms: tuple[Reported, ...]
    total: int | None = None
    listing: str = ""
    more: int | None = None
    index: int | None = None


@dataclass(frozen=True)
class Clash:
    """Two records that count as one VM, and may be about two.

    Attributes:
        later: the second of them.
        column: in which of its facts.
        message: what was found.
    """

    later: Reported
    column: str
    message: str


def clash(old: Reported, new: Reported) -> Iterator[Clash]:
    """Yield what makes it doubtful that *new* is about the VM of *old*, which has its key.

    A VM that is told of again (another query, a page that moved) has the name that it had.
    """
    if new.vm_uuid is None:
        message = f"{new.name!r} is also the name of record {old.number}, and neither has a UUID"
        yield Clash(new, "name", message)
    elif None not in (old.name, new.name) and old.name != new.name:
        message = f"{new.name!r} has the VM UUID of record {old.number}, {old.name!r}"
        yield Clash(new, "name", message)


def newer_word(old: Reported, new: Reported) -> Reported:
    """Return what is known of a VM after *new*, which was read later.

    The state is taken from one of the two as a whole: a link of yesterday beside today's
    "not enabled" would be nobody's word. Facts that only one form tells are kept.
    """
    state = old if new.silent else new
    kept = {
        name: getattr(new, name) if getattr(new, name) is not None else getattr(old, name)
        for name in ("vm_uuid", "name", "version", "available", "not_after")
    }
    if state is new and new.installed is False:
        kept["version"] = new.version
    return replace(
        new, enabled=state.enabled, mounted=state.mounted, link_active=state.link_active,
        installed=state.installed, cells={**old.cells, **new.cells}, **kept,
    )  # fmt: skip
