# SPDX-License-Identifier: Apache-2.0
"""Sphinx: Markdown pages, the commands' help, one theme; and a manual page of each command.

A manual page says what ``--help`` says: ``sphinx-build -t man -b man`` makes its source from the
command, for the time of the build.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
from sphinx.application import Sphinx

from ngtpatch import __version__
from ngtpatch.cli.app import app

project = "ngtpatch"
author = "the ngtpatch authors"
release = version = __version__
extensions = ["myst_parser", "sphinx_click", "sphinx_copybutton"]
# A block's button copies its commands, here-documents whole, and nothing of what they print.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
copybutton_here_doc_delimiter = "EOF"
# The date of a manual page: that of the release, so that each build writes the same.
_CHANGES = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
today = re.findall(r"^## \S+ - (\S+)$", _CHANGES, re.MULTILINE)[0]
html_theme = "furo"
exclude_patterns = ["_build", "man"]
myst_heading_anchors = 3
# Packer's own "# ... as before ..." is no HCL to the highlighter.
suppress_warnings = ["misc.highlighting_failure"]

# The build's tags, which sphinx-build gives this file.
if tags.has("man"):  # noqa: F821
    exclude_patterns = ["_build", "*.md"]
    root_doc = "man/ngtpatch"


def _commands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if inner := command.get_command(context, name):
                yield from _commands(inner, (*words, name))


COMMANDS = {"-".join(words): (words, one) for words, one in _commands(app, ("ngtpatch",))}
man_pages = [
    (f"man/{name}", name, one.get_short_help_str(100), [author], 1)
    for name, (_, one) in COMMANDS.items()
]


def _where(words: tuple[str, ...], command: click.Command) -> str:
    """Return module and attribute of a command, as sphinx-click wants them."""
    module = f"ngtpatch.cli.{words[1]}" if len(words) > 1 else "ngtpatch.cli.app"
    attributes = vars(import_module(module)).items()
    return f"{module}:{next(name for name, value in attributes if value is command)}"


def _write_sources(_: Sphinx) -> None:
    """Write a page's source for each command: where sphinx-click finds it."""
    folder = Path(__file__).parent / "man"
    folder.mkdir(exist_ok=True)
    for name, (words, command) in COMMANDS.items():
        see = ", ".join(
            f"**{other}**\\ (1)" for other in COMMANDS if other.rpartition("-")[0] == name
        )
        (folder / f"{name}.rst").write_text(
            f":orphan:\n\n{name}\n{'=' * len(name)}\n\n"
            f".. click:: {_where(words, command)}\n"
            f"   :prog: {' '.join(words)}\n   :nested: none\n\n"
            + (f"See also\n--------\n\n{see}\n" if see else "")
        )


def setup(sphinx: Sphinx) -> None:
    """Prepare the manual pages where they are asked for."""
    if sphinx.tags.has("man"):
        sphinx.connect("builder-inited", _write_sources)
