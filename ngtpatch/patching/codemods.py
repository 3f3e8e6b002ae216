# SPDX-License-Identifier: Apache-2.0
"""The closed set of kinds: what a patch file can ask for. The code is here, never in a patch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ngtpatch.errors import Refusal
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.patching.compatibility import (
    provide_linux_distribution,
    provide_loose_version,
)
from ngtpatch.patching.likeness import liken
from ngtpatch.patching.outcome import Outcome
from ngtpatch.patching.patch import Patch, PatchKind
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.recognise import recognise

__all__ = ["KINDS", "Codemod"]


@dataclass(frozen=True)
class Codemod:
    """The code of one kind.

    Attributes:
        plan: plans the change to one parsed file, or raises Refusal; it writes nothing.
        only_with: texts without which a file needs no such change; none for a kind that
            must find its place.
    """

    plan: Callable[[PythonSource, Patch, Sequence[Profile]], Outcome]
    only_with: tuple[bytes, ...] = ()


def _kin(source: PythonSource, patch: Patch, profiles: Sequence[Profile]) -> Outcome:
    """Plan the kin rule on one file that nothing else is beside of."""
    likened = liken({source.path: source.encode(source.text)}, profiles)
    for place in likened.treated:
        if place.treatment == "left":
            raise Refusal("shape", f"line {place.line}: {place.reason}", path=source.path)
    insertions = likened.insertions.get(source.path, ())
    return Outcome(insertions, likened.edits.get(source.path, 0))


KINDS: Mapping[PatchKind, Codemod] = {
    "linux-distribution": Codemod(provide_linux_distribution, (b"platform", b"linux_distribution")),
    "loose-version": Codemod(provide_loose_version, (b"distutils",)),
    "recognise": Codemod(recognise),
    "kin": Codemod(_kin),
}
