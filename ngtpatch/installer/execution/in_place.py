# SPDX-License-Identifier: Apache-2.0
"""``+=`` and its like on a list, set or dictionary: the object is changed, whoever has it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from ngtpatch.installer.execution.container_methods import NamesOf
from ngtpatch.installer.execution.lifting import unknown
from ngtpatch.installer.execution.objects import Container, Frozen
from ngtpatch.installer.execution.varied import Plain, Unknown, Varied, met

__all__ = ["change_in_place", "is_changed_in_place"]

_OF_SETS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.BitOr: operator.or_,
    ast.Sub: operator.sub,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}


def is_changed_in_place(value: Plain) -> bool:
    """Tell whether what is left of ``+=`` stays the same object."""
    return isinstance(value, Container) and not isinstance(value, Frozen)


def change_in_place(machine: Any, owner: Container, kind: ast.operator, right: Varied) -> None:
    """Change *owner* as ``owner kind= right`` does; what is not modelled makes it unknown."""
    before = owner.store.get("items").each(machine.mask)
    change = _OF_SETS.get(type(kind))
    if type(owner) is Container and owner.kind is list and isinstance(kind, ast.Add):
        others = list(machine.elements(right))
        groups = [
            (mask, _unknown_of(items, more) or (*items, *more))
            for mask, items, more in met(before, others)
        ]
    elif type(owner) is Container and owner.kind is set and change is not None:
        others = list(_members(machine, right))
        groups = [
            (mask, _unknown_of(items, more) or change(items, more))
            for mask, items, more in met(before, others)
        ]
    else:
        if isinstance(owner, NamesOf):
            machine.note("dynamic")
        machine.write(owner.store, "items", unknown(tainted=True))
        return
    machine.spend(1 + sum(len(one) >> 4 for _, one in groups if not isinstance(one, Unknown)))
    machine.write(owner.store, "items", machine.gather(groups))


def _members(machine: Any, value: Varied) -> Any:
    """Yield the members of a set; of anything else, that they are not known."""
    for mask, one in value.each(machine.mask):
        if isinstance(one, Container) and one.kind is set:
            yield from one.store.get("items").each(mask)
        else:
            yield mask, Unknown(tainted=True)


def _unknown_of(*parts: Plain) -> Unknown | None:
    """Return that nothing is known where a part is not; the worst of what is not known."""
    found = [one for one in parts if isinstance(one, Unknown)]
    return next((one for one in found if one.tainted), found[0]) if found else None
