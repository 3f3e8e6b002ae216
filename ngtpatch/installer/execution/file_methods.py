# SPDX-License-Identifier: Apache-2.0
"""Methods of an open file: its lines are there once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ngtpatch.installer.execution.lifting import NONE, unknown
from ngtpatch.installer.execution.objects import FileObject
from ngtpatch.installer.execution.varied import Varied

__all__ = ["method_of_file"]

_Args = Sequence[Varied]
_Named = Mapping[str, Varied]


def method_of_file(name: str) -> Callable[..., Varied]:
    """Return what a file has under *name*, called with the machine, the file and the arguments."""
    return _FILE.get(name, _of_file)


def _used_up(machine: Any, owner: FileObject) -> Varied:
    """Return the lines that are left; what is left afterwards is not followed."""
    lines = owner.store.get("lines").within(machine.mask)
    machine.write(owner.store, "lines", unknown(tainted=machine.depends(lines)))
    return lines


def _read(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.lift("".join, _used_up(machine, owner))
    return unknown(tainted=machine.depends(found)) if args else found


def _lines(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    found: Varied = machine.lift(list, _used_up(machine, owner))
    return found


def _of_file(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    return unknown(tainted=machine.depends(_used_up(machine, owner)))


def _itself(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    return Varied.of(owner)


def _nothing(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    return NONE


def _write(machine: Any, owner: FileObject, args: _Args, named: _Named) -> Varied:
    if args:
        machine.refuse_none(args[0])
    return NONE


_FILE: dict[str, Callable[..., Varied]] = {
    "read": _read,
    "readlines": _lines,
    "__enter__": _itself,
    "__exit__": _nothing,
    "close": _nothing,
    "write": _write,
    "writelines": _write,
    "flush": _nothing,
}
