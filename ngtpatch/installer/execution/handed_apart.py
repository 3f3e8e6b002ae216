# SPDX-License-Identifier: Apache-2.0
"""What something unknown is handed, by what it may fail on: guests that may fare alike with it.

Most texts that differ by guest are only passed on, such as a message. It is another thing where
one has nothing to hand over, names a file of the disc that is not there, or starts another
program than its kin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ngtpatch.installer.execution.disc_files import DISC, DiscFiles
from ngtpatch.installer.execution.objects import Container
from ngtpatch.installer.execution.varied import Plain, Varied, join, met

__all__ = ["handed_apart", "handed_groups"]

# Takes None as it takes anything else.
_TAKING_NONE = re.compile(
    r"(?:^|[._])(?:print|log|debug|info|warn|warning|error|critical|exception|fatal|syslog"
    r"|warn_explicit|secho|echo|getLogger|append|add|put|get|format|deepcopy|dump|dumps|update"
    r"|set|set_defaults|setdefault|add_argument)$|(?<!shutil\.)copy$"
)
# Starts the program that its first argument names.
_STARTING = re.compile(r"^subprocess\.(?:call|run|Popen|check_call|check_output)$")
# Looks up what its arguments name, and raises where that is not there.
_LOOKING_UP = re.compile(
    r"onfigParser\(\)[^|]*\.(?:get\w*|items|options|set|remove_option)(?:\||$)"
)


def handed_apart(
    name: str, args: Sequence[Varied], named: Mapping[str, Varied], mask: int, files: DiscFiles
) -> list[int]:
    """Return the guests that hand over what may fare otherwise, as groups; none if all are alike.

    Args:
        name: what is called, dotted.
        args: its arguments by place.
        named: those by name.
        mask: who calls it.
        files: those of the disc.
    """
    rows = []
    for at, value in enumerate((*args, *named.values())):
        groups = value.each(mask)
        if len(groups) > 1 or any(isinstance(one, Container) for _, one in groups):
            found = [pair for guests, one in groups for pair in _contents(one, guests)]
            if len(found) > 1:
                rows.append((at, found))
    if not rows:
        return []
    is_there = any(
        files.holds(word) for _, found in rows for _, one in found for word in _paths(one)
    )
    takes_none = _TAKING_NONE.search(name) is not None
    starts = _STARTING.match(name) is not None and "shell" not in named
    looks_up = _LOOKING_UP.search(name) is not None

    def fails_by(one: Plain, at: int, *, inner: bool = False) -> Plain:
        """Return what decides whether a call with this may fail."""
        if one is None:
            return takes_none or at >= len(args)
        if isinstance(one, tuple) and not inner:
            return tuple(
                fails_by(part, at if number == 0 else at + 1, inner=True)
                for number, part in enumerate(one)
            )
        if isinstance(one, str) and ((starts and at == 0) or (looks_up and at < len(args))):
            return one
        return not is_there or all(files.holds(word) is not False for word in _paths(one))

    parts: list[tuple[int, Plain]] = [(mask, ())]
    for at, found in rows:
        keyed = join((guests, fails_by(one, at)) for guests, one in found)
        if len(keyed.groups) > 1:
            parts = [(guests, (*one, key)) for guests, one, key in met(parts, keyed.groups)]
    return [guests for guests, _ in parts] if len(parts) > 1 else []


def handed_groups(args: Sequence[Varied], mask: int) -> list[int] | None:
    """Return the guests that hand over the same, as groups; None where what that is is not known.

    Whatever it is handed to, those of one group fare alike with it.
    """
    parts: list[tuple[int, Plain]] = [(mask, ())]
    for value in args:
        found = [pair for guests, one in value.each(mask) for pair in _contents(one, guests)]
        if not all(_is_known(one) for _, one in found):
            return None
        keyed = join(found)
        if len(keyed.groups) > 1:
            parts = [(guests, (*one, key)) for guests, one, key in met(parts, keyed.groups)]
    return [guests for guests, _ in parts]


def _is_known(one: Plain) -> bool:
    """Tell whether two guests that have *one* have the same."""
    if isinstance(one, tuple):
        return all(map(_is_known, one))
    return one is None or isinstance(one, str | int | float | bytes)


def _contents(one: Plain, mask: int) -> Iterator[tuple[int, Plain]]:
    if isinstance(one, Container) and one.kind is not dict:
        for guests, items in one.store.get("items").each(mask):
            yield guests, items if isinstance(items, tuple) else ()
    else:
        yield mask, one


def _paths(one: Plain) -> Iterator[str]:
    """Yield the paths of the disc in what is handed over."""
    if isinstance(one, str) and DISC in one:
        yield from (word for word in (one, *one.split()) if word.startswith(DISC))
    elif isinstance(one, tuple):
        for part in one:
            if isinstance(part, str):
                yield from _paths(part)
