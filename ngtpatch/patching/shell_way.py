# SPDX-License-Identifier: Apache-2.0
"""What the shell scripts on the way of an installation decide for new names and their kin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from ngtpatch.errors import Refusal
from ngtpatch.installer.execution.importing import Machine
from ngtpatch.installer.execution.way import parts_of, shell_scripts
from ngtpatch.installer.execution.worlds import World
from ngtpatch.installer.shell_source import ShellScript, ShellUse, read_shell
from ngtpatch.patching.doubts import DoubtKind
from ngtpatch.patching.outcome import ORDER_HAZARD
from ngtpatch.patching.own_files import checks_files, is_listed

__all__ = ["ShellWay"]


class ShellWay:
    """The scripts, which are never patched.

    Args:
        tree: the files as shipped.
        files: the Python files that are executed.
        started: the files that these start.
    """

    def __init__(
        self, tree: Mapping[str, bytes], files: Iterable[str], started: Iterable[str]
    ) -> None:
        self._tree = tree
        self._paths = shell_scripts(tree, files, started)

    @cached_property
    def _uses(self) -> Mapping[str, tuple[ShellUse, ...] | None]:
        """What each decides; None for one that cannot be read."""
        found: dict[str, tuple[ShellUse, ...] | None] = {}
        for path in self._paths:
            try:
                found[path] = tuple(self._read(path).uses())
            except Refusal:
                found[path] = None
        return found

    def _read(self, path: str) -> ShellScript:
        parts = [self._tree[one] for one in parts_of(self._tree, path)]
        try:
            return read_shell(path, self._tree[path], parts)
        except Refusal:  # a part that cannot be read is told as what it is
            return read_shell(path, self._tree[path])

    def doubts(
        self, kin: Mapping[World, World | None], changed: Mapping[str, Collection[str]]
    ) -> Iterator[tuple[str, int, DoubtKind]]:
        """Yield what was not understood for these guests, by file and line.

        Args:
            kin: the guests, each with its kin.
            changed: the files that change, and the lists on the disc that have their names.
        """
        for path, uses in self._uses.items():
            for one, lists in changed.items():
                for line in checks_files(
                    self._tree[path], one, listed=is_listed(self._tree[path], lists)
                ):
                    yield path, line, "measured"
            if uses is None:
                if Machine.asks_for_distribution(self._tree[path]):
                    yield path, 1, "unread"
                continue
            for use in uses:
                for world, like in kin.items():
                    if like is not None and use.alike(world, like):
                        continue
                    if like is not None and use.parts(world, like):
                        yield path, use.line, "shell"
                    mine = use.ended(world)
                    theirs = None if like is None else use.ended(like)
                    if use.ends and (mine is None or (mine and theirs is None)):
                        yield path, use.line, "shell"

    def conflict(self, kin: Mapping[World, World | None]) -> Refusal | None:
        """Return why a shell script ends for one of these guests and not for its kin, or None."""
        for path, uses in self._uses.items():
            for use in uses or ():
                if not use.ends:
                    continue
                for world, like in kin.items():
                    if like is not None and use.ended(world) and use.ended(like) is False:
                        return Refusal(
                            "conflict",
                            f"for {world.pretty!r} this shell script ends at what line {use.line}"
                            f" decides, and not for {like.name!r}; shell scripts are not patched",
                            path=path,
                            hint=f"edit the script by hand; {ORDER_HAZARD}",
                        )
        return None
