# SPDX-License-Identifier: Apache-2.0
"""Every page of the documentation: its commands run as written, or are marked with the reason."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from ngtpatch.cli.app import app
from tests.cli.pages import PAGES, ROOT, matches, steps, walk
from tests.interpreters import interpreter
from tests.requirements import missing, tool

# What has more to look at, or needs another machine, is walked there.
ELSEWHERE = {
    "docs/distributions.md": "tests/cli/test_distributions_page.py",
    "docs/onto-the-vm.md": "tests/prism_central/test_onto_page.py",
    "docs/report.md": "tests/report/test_in_the_browser.py",
}
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUN = [name for name in NAMES if any(not step.excuse for step in steps(ROOT / name))]
SLOW = [name for name in NAMES if any(step.slow for step in steps(ROOT / name))]


@pytest.mark.parametrize("name", [name for name in RUN if name not in ELSEWHERE])
def test_a_page_does_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "docs/packer.md":
        tool("packer", "packer")
    if name == "docs/guest.md" and os.geteuid() != 0:
        missing("the right to install NGT", "run the tests as root")
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")  # Packer asks nobody for a newer one
    here = tmp_path / "here"
    here.mkdir()
    walk(ROOT / name, here)


@pytest.mark.skipif("NGTPATCH_TEST_PAGES" not in os.environ, reason="make pages")
@pytest.mark.parametrize("name", SLOW)
def test_a_page_does_what_it_says_in_a_checkout(name: str, tmp_path: Path) -> None:
    """With a package index, in a checkout of its own, and in a home of its own."""
    for program in ("pipx", "uv"):
        tool(program, program)
    here, home, programs = tmp_path / "here", tmp_path / "home", tmp_path / "bin"
    subprocess.run(["git", "clone", "-q", ROOT, here], check=True)
    home.mkdir()
    # What PATH calls python3.12 may be pyenv's, which runs none that was not selected.
    programs.mkdir()
    (programs / "python3.12").symlink_to(interpreter("3.12"))
    found = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
    walk(ROOT / name, here, found, slow=True)


def test_each_page_that_is_walked_elsewhere_is_walked_there() -> None:
    for name, test in ELSEWHERE.items():
        text = (ROOT / test).read_text()
        assert "walk(" in text
        assert name in text or "scripts.document_profiles import PAGE" in text


def test_what_is_not_run_says_why() -> None:
    """A new command in a page is run; or it is marked, and counted here."""
    every = [step for page in PAGES for step in steps(page)]
    excused = [step for step in every if step.excuse]
    assert len(every) > 150
    assert len(excused) <= 17
    assert [step for step in every if len(step.excuse or step.slow or "it is run") < 9] == []
    # No mark without a block below it.
    marks = sum(len(re.findall("<!-- (?:not run|run by)", page.read_text())) for page in PAGES)
    blocks = sum(
        len(re.findall(r"<!-- (?:not run|run by make pages): .+ -->\n *```(?:sh|console)", text))
        for text in (page.read_text() for page in PAGES)
    )
    assert marks == blocks


def words_of(page: Path) -> list[list[str]]:
    """Return what a page has in its text, in backquotes, that begins like a command of ngtpatch."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`(ngtpatch [a-z][^`]*)`", text)
    return [shlex.split(one.replace("\n", " "))[1:] for one in found]


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_the_text_is_a_command_with_such_options(name: str) -> None:
    for words in words_of(ROOT / name):
        command: click.Command = app
        context = click.Context(app)
        options: set[str] = set()
        for word in words:
            if isinstance(command, click.Group) and not word.startswith("-"):
                inner = command.get_command(context, word)
                assert inner is not None, words
                command, context = inner, click.Context(inner, parent=context)
            elif word.startswith("-") and word not in ("-", "--"):
                options.add(word.partition("=")[0])
        known = {one for option in command.params for one in (*option.opts, *option.secondary_opts)}
        assert options - known == set(), words


def test_dots_stand_for_lines_and_within_a_line() -> None:
    assert matches(("a ... c", "...", "z"), ("a b c", "x", "y", "z"))
    assert not matches(("a ... c",), ("a b d",))
    assert not matches((), ("anything",))
