# SPDX-License-Identifier: Apache-2.0
"""The guests that a patched installer is executed for: the new ones, their kin, all others."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from ngtpatch.installer.execution.program import execute
from ngtpatch.installer.execution.watching import Watch
from ngtpatch.installer.execution.way import is_python
from ngtpatch.installer.execution.worlds import World
from ngtpatch.patching.known_names import known_distributions
from ngtpatch.patching.profile import Profile

__all__ = [
    "asks_distro", "foreseen", "kin_of", "kin_world", "known_worlds", "may_lack_distro",
    "probes_beside", "stranger_beside", "worlds_of",
]  # fmt: skip

# As they are written; every other word of a known name starts with a capital letter.
_WRITTEN = {
    "centos": "CentOS", "almalinux": "AlmaLinux", "sles": "SLES", "opensuse": "openSUSE",
    "cloudlinux": "CloudLinux", "euleros": "EulerOS", "openeuler": "openEuler",
    "gnu/linux": "GNU/Linux",
}  # fmt: skip
# Whom an installer accepts, in the order in which a new distribution is likened to them.
_KIN = (
    ("CentOS Linux", "centos", "rhel fedora"),
    ("CentOS Stream", "centos", "rhel fedora"),
    ("Red Hat Enterprise Linux", "rhel", "fedora"),
    ("Red Hat Enterprise Linux Server", "rhel", "fedora"),
    ("Oracle Linux Server", "ol", "fedora"),
)
_RELEASES = 2
_STRANGER = World("Zzyzx Operating System", "zzyzx")
_ACCEPTED = World("CentOS Linux", "centos", "rhel fedora", "8", "platform:el8")
_OTHER_FAMILIES = (("Ubuntu", "ubuntu", "debian"), ("SLES", "sles", "suse"))


def worlds_of(profile: Profile) -> tuple[World, ...]:
    """Return what guests of *profile* say about themselves: each name, ID and major version."""
    rows = [row for row in known_distributions() if row.id in profile.ids]
    likes = list(dict.fromkeys(" ".join(row.id_like) for row in rows)) or ["rhel centos fedora"]
    found: dict[World, None] = {}
    for version in profile.versions.values():
        releases = (version.releases[0], version.releases[-1])[: len(version.releases)]
        major = version.version.partition(".")[0]
        platform = f"platform:el{major}" if profile.family == "el" and major.isdigit() else ""
        choices = product(profile.names, profile.ids or ("",), likes, releases)
        for number, (name, identifier, like, release) in enumerate(choices):
            like = like if identifier else ""  # noqa: PLW2901 - without os-release there is none
            for plain in (False, True)[: _RELEASES if number < _RELEASES else 1]:
                found[World(name, identifier, like, release, platform, plain=plain)] = None
    return tuple(found)


def kin_of(profile: Profile, world: World) -> tuple[World, ...]:
    """Return the known names on the same release that *world* ought to be treated like.

    The profile's kin comes first; beside CentOS others of its kind may stand for it.
    """
    first = kin_world(profile, world)
    rest = [replace(world, name=name, id=identifier, like=like) for name, identifier, like in _KIN]
    if first is None:
        return tuple(rest)
    if first.name not in {one.name for one in rest}:
        return (first,)
    return tuple(dict.fromkeys([first, *rest]))


def kin_world(profile: Profile, world: World) -> World | None:
    """Return the profile's kin on the same release, or None where it has none."""
    if profile.kin is None:
        return None
    rows = [row for row in known_distributions() if row.name == profile.kin.lower()]
    row = max(rows, key=lambda one: bool(one.id))
    like = " ".join(row.id_like)
    return replace(world, name=profile.kin, id=row.id, like=like)


def stranger_beside(world: World) -> World:
    """Return a guest on the same release as *world*, with a name that nobody has.

    What becomes of it is what an installer does with whom it does not know.
    """
    return replace(_STRANGER, version=world.version, lacks_distro=world.lacks_distro)


def probes_beside(world: World) -> tuple[World, ...]:
    """Return guests on the same release as *world* of other families, and a stranger.

    Where all fare alike, nothing is decided by name.
    """
    stranger = stranger_beside(world)
    return (
        stranger,
        *(replace(stranger, name=name, id=one, like=like) for name, one, like in _OTHER_FAMILIES),
    )


def foreseen(worlds: Iterable[World], *, lacking: bool) -> list[World]:
    """Return *worlds*, and with *lacking* the same without the Python package distro."""
    found = list(worlds)
    return [*found, *(replace(one, lacks_distro=True) for one in found if lacking)]


def asks_distro(tree: Mapping[str, bytes]) -> bool:
    """Tell whether a program of *tree* has the word by which the package is imported."""
    return any(b"distro" in tree[path] for path in tree if is_python(tree, path))


def may_lack_distro(tree: Mapping[str, bytes]) -> bool:
    """Tell whether a program of *tree*, executed without the package distro, handles that."""
    if not asks_distro(tree):
        return False
    watch = Watch()
    execute(tree, foreseen([_STRANGER, _ACCEPTED], lacking=True), watch=watch)
    return watch.foresees


@functools.cache
def known_worlds() -> tuple[World, ...]:
    """Return every distribution that is known, once."""
    return tuple(dict.fromkeys(_known()))


def _known() -> Iterator[World]:
    for row in known_distributions():
        version: Sequence[str] = row.versions or ("",)
        yield World(
            " ".join(_WRITTEN.get(word, word.title()) for word in row.name.split()),
            row.id,
            " ".join(row.id_like),
            version[-1],
            row.platform_id,
        )
