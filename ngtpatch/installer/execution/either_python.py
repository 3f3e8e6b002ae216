# SPDX-License-Identifier: Apache-2.0
"""What Python 2 makes of a program and what Python 3 does, where they differ.

Which of them a guest has is not known (the program may say so, by what is written in it): then
a value is either, and the same on every guest.
"""

from __future__ import annotations

import math
from typing import Any

from ngtpatch.installer.execution.lifting import Unmodelled
from ngtpatch.installer.execution.varied import Varied

__all__ = [
    "ONLY_2_HAS", "ONLY_3_HAS", "by_python", "divided", "is_asked_of_python", "may_be_2",
    "may_be_3", "rounded",
]  # fmt: skip

#: Methods that not every Python has: who asks for one asks for the Python.
ONLY_2_HAS = frozenset({
    "decode", "has_key", "iteritems", "iterkeys", "itervalues", "next", "viewitems", "viewkeys",
    "viewvalues", "message",
})  # fmt: skip
ONLY_3_HAS = frozenset({
    "bit_count", "casefold", "clear", "copy", "format_map", "from_bytes", "fromhex", "hex",
    "isascii", "isdecimal", "isidentifier", "isnumeric", "isprintable", "maketrans",
    "removeprefix", "removesuffix", "to_bytes",
})  # fmt: skip


def may_be_2(machine: Any) -> int:
    """Return the guests on which a Python 2 may run what is executed."""
    if machine.of_python:
        return machine.where(lambda world: (world.python or (2,)) < (3,))  # type: ignore[no-any-return]
    return 0 if machine.frames[-1].module.only_3 else int(machine.everyone)


def may_be_3(machine: Any) -> int:
    """Return the guests on which a Python 3 may run what is executed."""
    if machine.of_python:
        return machine.where(lambda world: (world.python or (3,)) >= (3,))  # type: ignore[no-any-return]
    return 0 if machine.frames[-1].module.only_2 else int(machine.everyone)


def by_python(machine: Any, two: Varied, three: Varied) -> Varied:
    """Return what each guest's Python gives; where either may run it, either."""
    found: Varied = machine.gather(
        (
            *two.within(may_be_2(machine) & machine.mask).groups,
            *three.within(may_be_3(machine) & machine.mask).groups,
        )
    )
    return found


def is_asked_of_python(name: str) -> bool:
    """Tell whether an object of Python's own has *name* on some Pythons only."""
    return name in ONLY_2_HAS or name in ONLY_3_HAS or name.startswith("__")


def divided(left: Any, right: Any) -> Any:
    """Return ``left / right`` of Python 2."""
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    return left / right


def rounded(value: Any, *digits: Any) -> Any:
    """Return round() of Python 2: a float, halves away from zero."""
    if digits or not isinstance(value, int | float) or abs(value) > 2**52:
        raise Unmodelled
    return math.copysign(math.floor(abs(value) + 0.5), value)
