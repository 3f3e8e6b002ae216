# SPDX-License-Identifier: Apache-2.0
"""That what a page is about is one thing: nobody changed it while several looks were taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep, time_ns

from ngtpatch.errors import NgtpatchError
from ngtpatch.iso.read.bytesource import FileState

__all__ = ["standing_still"]

# A clock's tick on Linux is at most 10 ms: what is written later has another time.
_TICK_NS = 50_000_000


@contextmanager
def standing_still(*inputs: Path) -> Iterator[None]:
    """Refuse what was found in the block if an input is another by its end.

    Each look opens an input anew, by its name. So what is compared is what the file system says of
    that name: inode, size and both times; of a directory, of everything below it. What is behind a
    device's node can change without a trace on the node, and is not looked at.

    Raises:
        NgtpatchError: ``source-changed``, also in place of what the block itself raises.
    """
    before = {path: _states(path) for path in inputs}
    newest = max((one.changed_ns for some in before.values() for one in some.values()), default=0)
    if abs(time_ns() - newest) < _TICK_NS:
        # Written to this very moment: nothing that is written later may have the same time.
        sleep(_TICK_NS / 1e9)
        before = {path: _states(path) for path in inputs}
    try:
        yield
    except NgtpatchError as error:
        _require_same(before, error)
        raise
    _require_same(before, None)


def _require_same(before: dict[Path, dict[Path, FileState]], error: NgtpatchError | None) -> None:
    for path, states in before.items():
        if _states(path) != states:
            raise NgtpatchError(
                "source-changed",
                "changed while the page was being made, which would show some of both",
                path=str(path),
                hint="make the page again when nobody writes to it",
            ) from error


def _states(path: Path) -> dict[Path, FileState]:
    """Return the state of a file, or of a directory and all that is in it; of nothing, none."""
    try:
        found = {path: FileState.of(path.stat())}
        if path.is_dir():
            found |= {one: FileState.of(one.lstat()) for one in path.rglob("*")}
    except OSError:  # not there, or gone in this moment
        return {}
    return found
