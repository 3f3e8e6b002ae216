# SPDX-License-Identifier: Apache-2.0
"""Documentation tried as written: the commands of a page, run in order in an empty directory.

Commands stand in blocks marked ``console``, ``sh`` or ``python``. In a console block, what one
prints on stdout and stderr is below its ``$`` line: ``...`` stands for any lines, within a line for
anything; blank lines and blanks at the end of a line do not count. A command ends with 0, unless
the page shows what it says. One shell runs the whole page, as a reader's would.

What cannot be run here is marked, in the line above its block::

    <!-- not run: it needs a cluster -->
    <!-- run by make pages: it needs a package index -->

``python -m tests.cli.pages`` counts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests import program

__all__ = ["PAGES", "ROOT", "Shell", "Step", "matches", "steps", "walk"]

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
RUN = ("console", "sh", "python")
# Parts of files, what others print, and directives of Sphinx: nothing that a shell is given.
SHOWN = ("", "diff", "hcl", "ini", "yaml", "{eval-rst}", "{toctree}")
_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<how>not run|run by make pages): (?P<why>[^\n]+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")


@dataclass(frozen=True)
class Step:
    """A command of a page.

    Args:
        command: as a shell is given it.
        shown: the lines that the page shows for it; None where it shows none of any command.
        slow: why it is run by ``make pages`` and not by ``make test``.
        excuse: why it is not run at all.
    """

    command: str
    shown: tuple[str, ...] | None
    slow: str | None = None
    excuse: str | None = None


def steps(page: Path) -> Iterator[Step]:
    """Yield the commands of a page. Raises AssertionError for a block of another kind."""
    for block in _BLOCK.finditer(page.read_text()):
        language, lines = block["language"], block["text"].splitlines()
        assert language in RUN + SHOWN, f"{page.name}: a block of {language!r}"
        marks = {"not run": "excuse", "run by make pages": "slow"}
        marked = {marks[block["how"]]: block["why"]} if block["how"] else {}
        if language == "python":
            program_ = "\n".join(lines)
            yield Step(f"cat >.page.py <<'EOF'\n{program_}\nEOF\npython3 .page.py", None, **marked)
        elif language in RUN:
            for command, shown in _commands(lines, "$ " if language == "console" else ""):
                yield Step(command, shown if language == "console" else None, **marked)
        else:
            hidden = [line for line in lines if re.match(r"\s*(\$ |ngtpatch |make )", line)]
            assert hidden == [], f"{page.name}: commands in a block that nobody runs"


def _commands(lines: list[str], prompt: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each command with the lines that follow it."""
    rest = list(reversed(lines))
    while rest:
        line = rest.pop()
        if not prompt and (not line.strip() or line.lstrip().startswith("#")):
            continue
        assert line.startswith(prompt), f"not a command: {line}"
        command = [line.removeprefix(prompt)]
        while command[-1].endswith("\\") or not _whole(command):
            command.append(rest.pop())
        for found in _HEREDOC.finditer(" ".join(command)):
            while command[-1] != found[2]:
                command.append(rest.pop())
        shown = []
        while prompt and rest and not rest[-1].startswith(prompt):
            shown.append(rest.pop().rstrip())
        yield "\n".join(command), tuple(one for one in shown if one)


def _whole(command: list[str]) -> bool:
    """Tell whether a shell would not wait for more, as after ``do``."""
    text = "\n".join(command)
    return subprocess.run(["bash", "-nc", text], capture_output=True, check=False).returncode == 0


class Shell:
    """A shell in *directory* that has this ngtpatch, and the Python that it is for, on its PATH.

    Args:
        directory: where it starts; nothing is written there.
        tools: a directory for what it needs.
        environment: variables beside this process's.
    """

    def __init__(
        self, directory: Path, tools: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        variables = {**os.environ, "NO_COLOR": "1", **(environment or {})}
        variables.setdefault("PYTHONPATH", str(ROOT))
        path = program.put_on_path(tools)
        python = tools / "python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        self._step = tools / "step"
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=directory,
            env=path | variables | {"PATH": f"{tools}:{variables['PATH']}:/usr/sbin:/sbin"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, command: str) -> tuple[int, tuple[str, ...]]:
        """Run *command*; return its exit code and the lines it prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._step.write_text(f"{command}\n")
        self._process.stdin.write(f". {self._step} </dev/null; printf '\\n%s\\n' \"=====$?\"\n")
        self._process.stdin.flush()
        printed: list[str] = []
        for line in self._process.stdout:
            if line.startswith("====="):
                return int(line[5:]), tuple(one for one in printed if one)
            printed.append(line.rstrip())
        raise AssertionError(f"the shell ended: {command}: {printed}")

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()


def walk(
    page: Path, directory: Path, environment: Mapping[str, str] | None = None, *,
    addresses: Mapping[str, str] | None = None, slow: bool = False,
) -> str:  # fmt: skip
    """Run a page's commands in *directory*, and hold what they print against the page.

    Returns what they printed. Raises AssertionError where that is not what the page shows.

    Args:
        page: the page.
        directory: where its reader is.
        environment: variables beside this process's.
        addresses: what of a command is another machine's name, and who stands in for it.
        slow: whether to run what ``make pages`` runs as well.
    """
    told: list[str] = []
    with Shell(directory, directory.with_name(f".{directory.name}"), environment) as shell:
        for step in steps(page):
            if step.excuse or (step.slow and not slow):
                continue
            command = step.command
            for theirs, ours in (addresses or {}).items():
                command = command.replace(theirs, ours)
            code, printed = shell.run(command)
            told += printed
            if step.shown is not None:
                assert matches(step.shown, printed), (step.command, printed)
            if not any(line != "..." for line in step.shown or ()):
                assert code == 0, (step.command, printed)
    return "\n".join(told)


def matches(shown: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Tell whether what was printed is what the page shows."""
    lines = [
        r"(?:.*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in shown
    ]
    pattern = "".join(lines)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def _count() -> None:
    """Print how many commands the pages have, and what is not run."""
    every = [(page, step) for page in PAGES for step in steps(page)]
    slow = [(page, step) for page, step in every if step.slow]
    never = [(page, step) for page, step in every if step.excuse]
    print(
        f"{len(every)} commands on {len({page for page, _ in every})} of {len(PAGES)} pages:"
        f" {len(every) - len(slow) - len(never)} run by make test, {len(slow)} by make pages,"
        f" {len(never)} not run"
    )
    for what, some in (("make pages", slow), ("not run", never)):
        for page, step in some:
            print(f"{what}: {page.relative_to(ROOT)}: {step.command.splitlines()[0]}")
            print(f"    {step.slow or step.excuse}")


if __name__ == "__main__":
    _count()
