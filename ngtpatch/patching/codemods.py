# SPDX-License-Identifier: Apache-2.0
"""The closed set of kinds: what a patch file can ask for. The code is here, never in a patch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ngtpatch.installer.source import Source
from ngtpatch.patching.outcome import Outcome
from ngtpatch.patching.patch import Kind, Patch
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.recognise import recognise

__all__ = ["KINDS"]

#: Each plans its change to one parsed file, or raises Refusal. None of them writes.
KINDS: Mapping[Kind, Callable[[Source, Patch, Sequence[Profile]], Outcome]] = {
    "recognise": recognise,
}
