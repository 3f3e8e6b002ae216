# SPDX-License-Identifier: Apache-2.0
"""Which profiles a request means: by id, by an os-release, or all that are proven."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ngtpatch.errors import Refusal, UsageError
from ngtpatch.installer.subject import normalized_id
from ngtpatch.patching.known_names import known_distributions, known_names
from ngtpatch.patching.osrelease import OsRelease, read_os_release
from ngtpatch.patching.profile import Profile, Profiles, load_profiles

__all__ = [
    "ALL",
    "AUTO",
    "choose",
    "choose_names",
    "choose_profiles",
    "find_profile",
    "known_releases",
    "known_word",
    "match_profile",
    "not_seen_to_accept",
    "read_choices",
    "require_auto",
]

ALL = "all"
AUTO = "auto"
_TELLING = 4
"""Letters that tell which distribution is meant."""


def choose(
    ids: Sequence[str], *, profile_dirs: Sequence[str | Path] = ()
) -> tuple[tuple[Profile, ...], dict[str, tuple[str, ...]]]:
    """Return the profiles that *ids* name, and the NAMEs behind those of *ids* that need none.

    The profiles are the shipped ones and those in *profile_dirs*.

    Raises:
        Refusal: ``unknown-profile``: there is no such profile.
        InputError: a profile cannot be used.
        UsageError: ``auto``, which takes an os-release.
    """
    profiles, _ = read_choices(os_release=None, profile_dirs=profile_dirs)
    known = {
        one: tuple(dict.fromkeys(release.name for release in releases))
        for one in ids
        if (releases := known_releases(profiles, one))
    }
    return choose_profiles(profiles, [one for one in ids if one not in known]), known


def choose_names(
    ids: Sequence[str],
    *,
    os_release: str | Path | None = None,
    profile_dirs: Sequence[str | Path] = (),
) -> tuple[str, ...]:
    """Return the ids of the profiles that *ids* name, and as it is what needs no profile.

    Raises:
        Refusal, InputError, UsageError: as :func:`choose_profiles` and :func:`read_choices`.
    """
    if os_release is not None:
        require_auto(ids)
    profiles, release = read_choices(os_release=os_release, profile_dirs=profile_dirs)
    names: dict[str, None] = {}
    for one in ids:
        if known_releases(profiles, one, release):
            names[known_word(profiles, one, release)] = None
        else:
            chosen = choose_profiles(profiles, [one], os_release=release)
            names.update((profile.id, None) for profile in chosen)
    return tuple(names)


def require_auto(ids: Sequence[str]) -> None:
    """See that somebody asks for what an os-release says.

    Raises:
        UsageError: ``os-release-unused``: distributions are named, and none of them is ``auto``.
    """
    if ids and AUTO not in ids:
        raise UsageError(
            "os-release-unused",
            f"an os-release is for --distro {AUTO}, and none is asked for",
            hint=f"add --distro {AUTO}, or leave --os-release away",
        )


def read_choices(
    *, os_release: str | Path | None, profile_dirs: Sequence[str | Path]
) -> tuple[Profiles, OsRelease | None]:
    """Return the profiles there are, and what the guest says about itself, if that was given.

    Raises:
        InputError: a profile or the os-release cannot be used.
    """
    profiles = load_profiles(profile_dirs)
    return profiles, None if os_release is None else read_os_release(os_release)


def choose_profiles(
    profiles: Profiles, ids: Sequence[str], *, os_release: OsRelease | None = None
) -> tuple[Profile, ...]:
    """Return the profiles that *ids* name, each once, in the order asked.

    ``auto`` stands for the one that *os_release* belongs to, ``all`` for every profile that
    is not opt-in. An opt-in profile is chosen by its own id only.

    Raises:
        Refusal: ``unknown-profile``, or ``opt-in`` where ``auto`` would need an opt-in profile.
        UsageError: ``os-release-needed``: ``auto`` without an os-release.
    """
    chosen: dict[str, Profile] = {}
    for one in ids:
        if one == AUTO:
            if os_release is None:
                raise UsageError(
                    "os-release-needed",
                    "'auto' picks the profile by an os-release, and none was given",
                    hint="add --os-release FILE with the guest's /etc/os-release",
                )
            found: Sequence[Profile] = (match_profile(os_release, profiles),)
        elif one == ALL:
            found = profiles.automatic()
        else:
            found = (_named(one, profiles),)
        chosen.update((profile.id, profile) for profile in found)
    return tuple(chosen.values())


def known_releases(
    profiles: Profiles, one: str, guest: OsRelease | None = None
) -> tuple[OsRelease, ...]:
    """Return what guests say about themselves whose ID or NAME is *one*, and that need no profile.

    ``auto`` is *guest*, where its NAME is one that NGT knows by itself. Otherwise each release
    that is known, for what stops one need not stop another: by NAME and version. RHEL is such:
    an installer that does not know it has never been seen. Nothing where there is a profile of
    that id, or nothing of that name is known.
    """
    if one == AUTO and guest is not None and find_profile(guest, profiles) is None:
        name = guest.name.lower()
        stock = {known.stock for known in known_names() if known.name == name}
        return (replace(guest, name=name),) if stock - {"unsupported"} else ()
    if one in profiles or one in (ALL, AUTO):
        return ()
    word = one.lower()
    # Of a release that was seen with and without an ID, what it says with one stands last.
    found = {
        (known.name, version): OsRelease(
            known.name, known.id, known.id_like, version, known.platform_id, one
        )
        for known in known_distributions()
        # By the distro package's ID, too: Oracle Linux says "ol", which is "oracle" there.
        if word in (known.id, known.name, normalized_id(known.id))
        for version in known.versions or ("",)
    }
    # Whose name has the word is meant, and not who says that ID beside it: Vanilla OS is no ubuntu.
    meant = {key: release for key, release in found.items() if word in key[0].split()}
    found = meant or found
    # Springdale says ID=rhel, and has a profile of its own.
    return tuple(
        release
        for _, release in sorted(found.items(), key=_in_order)
        if find_profile(release, profiles) is None
    )


def known_word(profiles: Profiles, one: str, guest: OsRelease | None) -> str:
    """Return the word by which :func:`known_releases` are asked for: that of *guest* for ``auto``.

    It is the ID where guests that say it have that NAME: Vanilla OS says ubuntu, and is none.
    """
    if one != AUTO or guest is None:
        return one
    name, word = guest.name.lower(), normalized_id(guest.id)
    same = (release.name for release in (known_releases(profiles, word) if word else ()))
    return word if word and name in same else name


def _in_order(known: tuple[tuple[str, str], OsRelease]) -> tuple[str, list[int], str]:
    (name, version), _ = known
    return name, [int(part) for part in re.findall(r"[0-9]+", version)], version


def match_profile(os_release: OsRelease, profiles: Profiles) -> Profile:
    """Return the profile whose needle is in the os-release's NAME; the longest needle wins.

    Raises:
        Refusal: ``unknown-profile``, or ``opt-in`` where only an opt-in profile fits.
    """
    profile = find_profile(os_release, profiles)
    if profile is None:
        raise _no_profile(os_release)
    if profile.opt_in is not None:
        raise Refusal(
            "opt-in",
            f"NAME {os_release.name!r} belongs to the profile {profile.id!r}, which is never "
            f"picked by itself. {profile.opt_in}",
            path=os_release.source,
            hint=f"if that is understood, name it: --distro {profile.id}",
        )
    return profile


def find_profile(os_release: OsRelease, profiles: Profiles) -> Profile | None:
    """Return the profile that an os-release belongs to, opt-in or not, or None."""
    name = os_release.name.lower()
    fitting = [
        (len(needle), profile)
        for profile in profiles.values()
        for needle in profile.needles
        if needle in name
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _named(one: str, profiles: Profiles) -> Profile:
    """Return the profile of an id; say of what NGT knows by itself that it has another name."""
    meant = None if one in profiles else _known_like(one, profiles)
    if meant is None:
        return profiles[one]
    word, name = meant
    who = f"{word!r}" if word == name else f"{word!r} ({name})"
    raise Refusal(
        "unknown-profile",
        f"there is no profile {one!r}",
        hint=f"did you mean {who}, which NGT knows by itself?",
    )


def _known_like(one: str, profiles: Profiles) -> tuple[str, str] | None:
    """Return how to ask for the known distribution that *one* begins the name of, and its NAME.

    ``redhat`` and ``RHEL9`` are Red Hat Enterprise Linux, which is ``rhel``.
    """
    typed = re.sub(r"[^a-z]", "", one.lower())
    if not typed:
        return None
    # By its ID before its NAME alone: that is shorter to type.
    for known in sorted(known_distributions(), key=lambda known: not known.id):
        word = normalized_id(known.id) or known.name
        if known.stock == "unsupported" or not known_releases(profiles, word):
            continue
        letters = re.sub(r"[^a-z]", "", known.name)
        if typed in (known.id, word) or (len(typed) >= _TELLING and letters.startswith(typed)):
            return word, known.name
    return None


def not_seen_to_accept(
    one: str, names: Sequence[str], *, path: str | None = None, stock: bool
) -> Refusal:
    """Return the refusal of a name without a profile that a disc is not seen to accept.

    Args:
        one: as it was asked for.
        names: the NAMEs behind it.
        path: the disc.
        stock: whether an unpatched NGT is known to accept one of them: no profile is made then.
    """
    quoted = " or ".join(dict.fromkeys(map(repr, names)))
    hint = "'ngtpatch support' shows what it decides; 'ngtpatch profile new' makes a profile"
    if stock:
        hint = (
            "an unpatched NGT is known to accept it, so 'ngtpatch profile new' makes no profile;"
            " compare this disc with the vendor's by 'ngtpatch diff'"
        )
    return Refusal(
        "unknown-profile",
        f"there is no profile {one!r}, and this NGT is not seen to accept {quoted} as it is",
        path=path,
        hint=hint,
    )


def _no_profile(os_release: OsRelease) -> Refusal:
    return Refusal(
        "unknown-profile",
        f"no profile has a needle for NAME {os_release.name!r}",
        path=os_release.source,
        hint=f"make one: ngtpatch profile new --os-release {os_release.source}",
    )
