# SPDX-License-Identifier: Apache-2.0
"""Files beside the way of the installation that decide by distribution, and that nobody patches.

An agent that is not in an archive is such a one: it ends no installation, and decides for
itself later.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from ngtpatch.installer.layout import ROOT
from ngtpatch.installer.recognition import UNKNOWN, UNSUPPORTED, Site
from ngtpatch.installer.subject import DistroFacts
from ngtpatch.patching.apply import Patched
from ngtpatch.patching.outcome import LeftFile
from ngtpatch.patching.profile import Profile

__all__ = ["left_beside", "reached", "standing_beside"]

_CODE = (".py", ".sh")


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
    known = {*patched.way, *(file.path for file in patched.changed), *found}
    # Without an execution it is not known what is beside the way.
    some = [site for site in sites if site.path not in known] if patched.way else []
    return (*found.values(), *standing_beside(some, tuple(_facts(profiles))))


def standing_beside(sites: Iterable[Site], guests: Sequence[DistroFacts]) -> Iterator[LeftFile]:
    """Yield those files of *sites*, all beside the way, that do not accept *guests*."""
    found: set[str] = set()
    for site in sites:
        if site.path in found:
            continue
        branches = {site.decide(facts).branch for facts in guests}
        if UNSUPPORTED in branches:
            message = f"line {site.line} still decides {UNSUPPORTED}, and no patch is for it"
        elif UNKNOWN in branches:
            message = f"what line {site.line} decides is not understood"
        else:
            continue
        found.add(site.path)
        yield LeftFile(site.path, "not-understood", message)


def reached(tree: Mapping[str, bytes], way: Collection[str]) -> frozenset[str]:
    """Return the installer's files that *way* has, and those whose names stand in one of them.

    A library of the disc whose effect is known is imported, and not executed. A name in a text is
    less than an import; what is not named is not reached, as far as names tell.

    Args:
        tree: the disc's files.
        way: those that were executed.
    """
    code = {path for path in tree if path.startswith(ROOT) and path.endswith(_CODE)}
    found = {*way, *(path for path in code if path.endswith(".sh"))}
    waiting = [*found]
    while waiting:
        text = tree.get(waiting.pop(), b"")
        new = [path for path in code - found if re.search(_called(path), text)]
        found.update(new)
        waiting += new
    return frozenset(found)


def _called(path: str) -> bytes:
    """Return a pattern of what a file is called by those that import it or start it."""
    name = PurePosixPath(path)
    word = name.parent.name if name.stem == "__init__" else name.stem
    return rb"(?<!\w)%s(?!\w)" % re.escape(word.encode(errors="surrogateescape"))


def _facts(profiles: Sequence[Profile]) -> Iterator[DistroFacts]:
    for profile in profiles:
        for name in profile.names:
            for identifier in profile.ids or (None,):
                yield DistroFacts(name, identifier, None)
