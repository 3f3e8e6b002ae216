# SPDX-License-Identifier: Apache-2.0
"""For whom a place is sought in a file by executing it, and whom they are likened to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.python_source import PythonSource
from ngtpatch.installer.recognition import REDHAT
from ngtpatch.patching.guests import kin_of, known_worlds, worlds_of
from ngtpatch.patching.known_names import known_distributions
from ngtpatch.patching.outcome import Outcome
from ngtpatch.patching.patch import KIN_BRANCH, Patch
from ngtpatch.patching.profile import Profile
from ngtpatch.patching.seeking import Seeker, Sought

__all__ = ["sought_alone"]


def sought_alone(
    source: PythonSource,
    patch: Patch,
    profiles: Sequence[Profile],
    beside: Mapping[str, bytes],
    branch: str,
) -> Outcome | None:
    """Return the one insertion that is proven by executing *source*, or None.

    Args:
        source: the file.
        patch: what is asked for.
        profiles: for whom.
        beside: the files that it may import.
        branch: what the branch of the kin does.

    Raises:
        Refusal: ``anchor-ambiguous``: there are several.
    """
    kin: dict[World, tuple[World, ...]] = {}
    needles: dict[World, tuple[str, ...]] = {}
    whose: dict[World, str] = {}
    for profile in sorted(profiles, key=lambda one: one.id):
        named = replace(profile, names=patch.names_for(profile))
        for world in worlds_of(named):
            kin[world] = _likened(patch, profile, world)
            needles[world] = patch.needles_for(profile)
            whose[world] = profile.id
    if not all(kin.values()):
        return None
    return Seeker(source, beside, Sought(kin, needles, whose, branch, patch.keep)).outcome()


def _likened(patch: Patch, profile: Profile, world: World) -> tuple[World, ...]:
    if patch.branch in (KIN_BRANCH, REDHAT):
        return kin_of(profile, world)
    return tuple(
        replace(one, version=world.version, plain=world.plain)
        for one in known_worlds()
        for row in known_distributions()
        if row.name == one.name.lower() and row.id == one.id and row.stock == patch.branch
    )[:_MOST_KIN]


_MOST_KIN = 8
