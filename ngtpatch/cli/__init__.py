# SPDX-License-Identifier: Apache-2.0
"""The command line: the only place that prints, asks or exits."""

import os
import sys
from contextlib import suppress

from ngtpatch import interrupts

__all__ = ["main"]

_STDERR = 2


def main() -> None:
    """Run ``ngtpatch`` with the process's arguments. The console script's entry point."""
    interrupts.heed()
    _take_closed()
    try:
        from ngtpatch.cli.app import app

        app(prog_name="ngtpatch")
        code: int | str | None = 0
    except SystemExit as end:
        code = end.code
    except (interrupts.Interrupted, RuntimeError) as error:
        if not interrupts.is_interrupt(error):
            raise
        code = interrupts.EXIT_CODE
        with suppress(OSError, AttributeError):  # the terminal is gone, or stderr is closed
            sys.stderr.write(
                "ngtpatch: interrupted: no file was left half-written; what went to stdout may be\n"
            )
    interrupts.exit_at_once()
    _settle()
    sys.exit(code)


def _take_closed() -> None:
    """Give the number of a stream that is closed to no file: what is told would go into it.

    For programs that are started, too.
    """
    with suppress(OSError):  # there is no /dev
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)


def _settle() -> None:
    """Leave nothing for the interpreter's last flush to complain about: a terminal may be gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
