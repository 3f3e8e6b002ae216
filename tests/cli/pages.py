# SPDX-License-Identifier: Apache-2.0
"""Documentation tried as written: the console blocks of a page, run in order.

Below a ``$`` line stands what it prints, on stdout and stderr. ``...`` stands for any lines,
within a line for anything; blank lines and blanks at the end of a line do not count. A file
that the page shows by ``cat`` is made from what is shown.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import program

__all__ = ["Step", "matches", "run", "steps"]


@dataclass(frozen=True)
class Step:
    """A command of a page, and the lines that the page shows for it."""

    command: str
    shown: tuple[str, ...]


def steps(page: Path) -> Iterator[Step]:
    """Yield the commands of a page's console blocks."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *shown = part.splitlines()
            yield Step(command, tuple(line.rstrip() for line in shown if line.strip()))


def run(step: Step, directory: Path) -> tuple[str, ...]:
    """Run a step in *directory*, with this ngtpatch on PATH; return the lines it prints."""
    if step.command.startswith("cat "):
        (directory / step.command.removeprefix("cat ")).write_text("\n".join(step.shown) + "\n")
    done = subprocess.run(
        ["/bin/sh", "-c", step.command],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **program.put_on_path(directory / ".bin"), "NO_COLOR": "1"},
    )
    return tuple(line.rstrip() for line in done.stdout.splitlines() if line.strip())


def matches(shown: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Tell whether what was printed is what the page shows."""
    lines = [
        r"(?:.*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in shown
    ]
    pattern = "".join(lines)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None
