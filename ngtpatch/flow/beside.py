# SPDX-License-Identifier: Apache-2.0
"""Files beside the way of the installation that decide by distribution, and that nobody patches.

An agent that is not in an archive is such a one: it ends no installation, and decides for
itself later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ngtpatch.installer.recognition import UNKNOWN, UNSUPPORTED, Site
from ngtpatch.installer.subject import DistroFacts
from ngtpatch.patching.apply import Patched
from ngtpatch.patching.outcome import LeftFile
from ngtpatch.patching.profile import Profile

__all__ = ["left_beside"]


def left_beside(
    sites: Iterable[Site], patched: Patched, profiles: Sequence[Profile]
) -> tuple[LeftFile, ...]:
    """Return the files that were left: those that a patch is for, and those without one.

    Args:
        sites: the places that decide, as shipped.
        patched: what the patches do, and what was executed.
        profiles: whose names are to be accepted.
    """
    found = {one.path: one for one in patched.left}
    known = {*patched.way, *(file.path for file in patched.changed)}
    # Without an execution it is not known what is beside the way.
    for site in sites if patched.way else ():
        if site.path in known or site.path in found:
            continue
        branches = {site.decide(facts).branch for facts in _facts(profiles)}
        if UNSUPPORTED in branches:
            message = f"line {site.line} still decides {UNSUPPORTED}, and no patch is for it"
            found[site.path] = LeftFile(site.path, "not-understood", message)
        elif UNKNOWN in branches:
            message = f"what line {site.line} decides is not understood"
            found[site.path] = LeftFile(site.path, "not-understood", message)
    return tuple(found.values())


def _facts(profiles: Sequence[Profile]) -> Iterator[DistroFacts]:
    for profile in profiles:
        for name in profile.names:
            for identifier in profile.ids or (None,):
                yield DistroFacts(name, identifier, None)
