# SPDX-License-Identifier: Apache-2.0
"""Where the running Python decides whether the installer goes on, asked about any Python.

Not a list of spellings: the programs of the disc are executed on paper for every
Python at once, with sys.version_info and its like as the fact that is followed. A
gate is what ends some of them and not all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ngtpatch.installer.execution.program import execute
from ngtpatch.installer.execution.worlds import PYTHONS, World

__all__ = ["Gate", "gates"]

# Any that the installer accepts will do: what it decides by name is another subject.
_ACCEPTED = World("CentOS Stream", "centos", "rhel fedora", "9", "platform:el9")


@dataclass(frozen=True)
class Gate:
    """One place that ends the installation on some Pythons.

    Attributes:
        path: the file.
        line: the condition that decides; where there is none, what ends.
        certain: the Pythons on which nothing else can happen.
        possible: those on which it may, as far as it is understood.
    """

    path: str
    line: int
    certain: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]

    def closed(self, python: tuple[int, int]) -> bool | None:
        """Return whether the program ends on *python*, or None if that cannot be told."""
        known = max((one for one in PYTHONS if one <= python), default=PYTHONS[0])
        if known in self.certain:
            return True
        return None if known in self.possible else False


def gates(tree: Mapping[str, bytes]) -> Iterator[Gate]:
    """Yield the gates on the way of the installation and of its removal, by path and line."""
    worlds = tuple(
        World(
            _ACCEPTED.name, _ACCEPTED.id, _ACCEPTED.like, _ACCEPTED.version, _ACCEPTED.platform,
            python=python,
        )
        for python in PYTHONS
    )  # fmt: skip
    execution = execute(tree, worlds, every_function=False)
    every = (1 << len(worlds)) - 1
    found: dict[tuple[str, int], tuple[int, int]] = {}
    explained = 0
    for ending in execution.endings:
        if ending.guests != every and not ending.success and not ending.alone:
            explained |= ending.certain
    decided: dict[tuple[str, int], tuple[int, int]] = {}
    for ending in execution.endings:
        if not ending.success and not ending.alone:
            certain, possible = decided.get(ending.decided, (0, 0))
            decided[ending.decided] = certain | ending.certain, possible | ending.guests
    for place, (certain, possible) in decided.items():
        # What may end any that comes so far decides only where nothing else explains that it does.
        if possible | explained != every or certain & ~explained:
            found[place] = certain, possible
    # What is not understood may be about the distribution; that is found without a Python, too.
    known = {
        (one.path, one.line) for one in execute(tree, (_ACCEPTED,), every_function=False).findings
    }
    for finding in execution.findings:
        place = (finding.path, finding.line)
        if place not in known:
            certain, possible = found.get(place, (0, 0))
            found[place] = certain, possible | finding.guests
    for path, line in sorted(found):
        certain, possible = found[path, line]
        yield Gate(path, line, _pythons(certain), _pythons(possible))


def _pythons(mask: int) -> frozenset[tuple[int, int]]:
    return frozenset(python for at, python in enumerate(PYTHONS) if mask >> at & 1)
