# SPDX-License-Identifier: Apache-2.0
"""Opening a file: the guest's, one of the disc, or one of which nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.measuring import note_opened
from ngtpatch.installer.execution.objects import FileObject
from ngtpatch.installer.execution.varied import NOTHING, Plain, Varied
from ngtpatch.installer.execution.worlds import World

__all__ = ["opened"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]


def opened(machine: Any, args: _Args, named: _Named) -> Varied:
    """Open a file: an os-release is what the guest's is, any other is not known.

    Where the path leads to the disc, it is known whether the file is there. Where guests open
    others, one may be missing, and it may say something else.
    """
    if not args:
        return unknown(tainted=False)
    path = args[0]
    reads = _reads(machine, args, named)
    there, lacking = machine.disc.parted(path, machine.mask) if reads else (0, 0)
    groups = path.each(machine.mask)
    differs = reads and len(groups) > 1
    elsewhere = [mask for mask, one in groups if differs and _is_text_beside(machine, one)]
    if elsewhere:
        machine.set_apart((*elsewhere, machine.mask & ~_all(elsewhere)))

    def one(path: Plain) -> Varied:
        if path in ("/etc/os-release", "/usr/lib/os-release"):
            machine.throw_named("OSError", machine.where(lambda world: not world.id))
            lines = machine.by_world(World.os_release)
            return Varied.of(FileObject(lines))
        if path in ("/etc/redhat-release", "/etc/system-release"):
            machine.throw_named("OSError", machine.where(lambda world: not world.is_red_hat_like))
            machine.perhaps()
            return Varied.of(FileObject(unknown(tainted=True)))
        if path is None:
            machine.throw_named("TypeError")
            return NOTHING
        if reads:
            note_opened(machine, path)
        asked = Varied.of(path)
        if lacking and machine.disc.holds(path) is False:
            if machine.disc.is_known(path):
                machine.throw_named("FileNotFoundError")
                return NOTHING
            machine.set_apart((there, machine.mask))
        if not reads:
            machine.disc.make(path)
        tainted = machine.asks(asked) or machine.is_of_one(asked)
        if not (lacking and machine.disc.is_known(path)):
            machine.perhaps(tells=tainted)
        origin = f"open()@{path}" if differs and isinstance(path, str) else ""
        return Varied.of(FileObject(unknown(tainted=tainted, origin=origin)))

    found: Varied = machine.dispatch(path, one)
    return found


def _reads(machine: Any, args: _Args, named: _Named) -> bool:
    """Tell whether a file is opened that has to be there."""
    mode = args[1] if len(args) > 1 else named.get("mode")
    return mode is None or all(
        isinstance(one, str) and not set(one) & set("wax") for _, one in mode.each(machine.mask)
    )


def _is_text_beside(machine: Any, path: Plain) -> bool:
    return isinstance(path, str) and machine.disc.holds(path) is None


def _all(masks: Sequence[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
