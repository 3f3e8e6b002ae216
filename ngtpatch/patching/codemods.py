# SPDX-License-Identifier: Apache-2.0
"""The closed set of kinds: what a patch file can ask for. The code is here, never in a patch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

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
        plan: plans the change to one parsed file, which may import the others of a tree, or
            raises Refusal; it writes nothing.
        only_with: texts without which a file needs no such change; none for a kind that
            must find its place.
    """

    plan: EditPlanner
    only_with: tuple[bytes, ...] = ()


def _kin(source: PythonSource, patch: Patch, profiles: Sequence[Profile]) -> Outcome:
    """Plan the kin rule on one file that nothing else is beside of."""
    likened = liken({source.path: source.encode(source.text)}, profiles)
    for place in likened.treated:
        if place.treatment == "left":
            raise Refusal("shape", f"line {place.line}: {place.reason}", path=source.path)
    insertions = likened.insertions.get(source.path, ())
    return Outcome(insertions, likened.edits.get(source.path, 0))


class EditPlanner(Protocol):
    """Plans the change of one kind to one file."""

    def __call__(
        self,
        source: PythonSource,
        patch: Patch,
        profiles: Sequence[Profile],
        beside: Mapping[str, bytes] = ...,
    ) -> Outcome:
        """Return the change. *beside* are the files that the source may import."""


def _by_itself(
    run: Callable[[PythonSource, Patch, Sequence[Profile]], Outcome],
) -> EditPlanner:
    """Return *run*, which needs no file beside the one that it changes."""

    def planned(
        source: PythonSource,
        patch: Patch,
        profiles: Sequence[Profile],
        beside: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Outcome:
        return run(source, patch, profiles)

    return planned


KINDS: Mapping[PatchKind, Codemod] = {
    "linux-distribution": Codemod(
        _by_itself(provide_linux_distribution), (b"platform", b"linux_distribution")
    ),
    "loose-version": Codemod(_by_itself(provide_loose_version), (b"distutils",)),
    "recognise": Codemod(recognise),
    "kin": Codemod(_by_itself(_kin)),
}
