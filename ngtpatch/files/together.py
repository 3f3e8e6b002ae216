# SPDX-License-Identifier: Apache-2.0
"""Several outputs of one command: where one of them fails, none that is new stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ngtpatch.errors import NgtpatchError

__all__ = ["Together", "together"]


class Together:
    """What takes back what was written, the last first, when :func:`together`'s block fails."""

    def __init__(self, undo: ExitStack) -> None:
        self._undo = undo

    @contextmanager
    def new(self, path: Path) -> Iterator[None]:
        """Take the file back that the block writes, where none was before.

        What replaces another stays: without it there would be neither.
        """
        fresh = not os.path.lexists(path)
        yield
        if fresh:
            self.undone_by(path.unlink)

    def undone_by(self, step: Callable[[], object]) -> None:
        """Take *step*, if what follows fails. The first failure is told, and none of *step*'s."""

        def undo() -> None:
            with suppress(NgtpatchError, OSError):
                step()

        self._undo.callback(undo)


@contextmanager
def together() -> Iterator[Together]:
    """Yield what takes back what was written, unless the block ends without an exception.

    It does for whatever ends the block, an interrupt too; a killed run takes nothing back.
    """
    with ExitStack() as undo:
        yield Together(undo)
        undo.pop_all()
