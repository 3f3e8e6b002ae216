# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md: what it quotes of ngtpatch is what ngtpatch prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.pages import ROOT
from tests.program import run

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
# Each message that the page quotes, a command that prints it, its exit code and its error code.
PRINTED = {
    "nothing needed: the installer accepts what was asked for": (
        "rebuild el.iso -d rocky -o x.iso", 0, None,
    ),
    "what else is on the way of the installation is not understood, and may end it": (
        "rebuild tree -d rocky -o x.iso", 4, "uncertain",
    ),
    "cannot be undone from itself": ("reset golden.iso -o x.iso", 4, "identity-scrubbed"),
    "has no record: ngtpatch did not write this image, or the record is lost": (
        "reset ngt.iso -o x.iso", 3, "no-record",
    ),
    "no record: not written by ngtpatch, or grown or damaged since": (
        "verify ngt.iso", 5, "no-record",
    ),
    "the output carries a VM's identity": ("rebuild ngt.iso -d rocky -o x.iso", 0, None),
    "but stops": ("support era1.iso -d rocky", 0, None),
}  # fmt: skip
FACTORY = "installer/linux/src/installer_factory.py"


def rows() -> dict[str, str]:
    """Return the messages of the table of ngtpatch's own, and what stands for the code."""
    _, _, own = PAGE.partition("\n## ngtpatch\n")
    cells = [line.split(" | ") for line in own.splitlines() if line.startswith("| `")]
    return {first.strip("| `"): code for first, code, _ in cells}


def test_every_message_that_it_quotes_is_looked_for_here() -> None:
    beside = re.findall(r"`(?:ngtpatch )?[a-z]+` says `([^`]+)`", PAGE)
    assert {*rows(), *beside} == PRINTED.keys()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("here")
    for command in (
        "sample -o ngt.iso", "sample --era 1 -o era1.iso", "rebuild ngt.iso -d rocky -o el.iso",
        "rebuild ngt.iso -d rocky --strip-identity -o golden.iso",
        "rebuild ngt.iso --set port=2074 --output-tree tree",
    ):  # fmt: skip
        assert run(*command.split(), cwd=directory).returncode == 0, command
    factory = directory / "tree" / FACTORY
    ask, text = (
        "  import unseen\n  if unseen.likes(distribution):\n    sys.exit(1)\n",
        factory.read_text(),
    )
    assert '  if ("centos"' in text
    factory.write_text(text.replace('  if ("centos"', f'{ask}  if ("centos"'))
    return directory


@pytest.mark.parametrize("message", PRINTED)
def test_a_command_prints_it(here: Path, message: str) -> None:
    command, exit_code, code = PRINTED[message]
    ran = run(*command.split(), cwd=here)
    (here / "x.iso").unlink(missing_ok=True)
    assert message in ran.stdout + ran.stderr
    assert ran.returncode == exit_code
    told = rows().get(message, "")
    assert re.findall(r"^`([a-z-]+)`", told) == ([code] if code else [])
    assert f"exit {exit_code}" in told or code or message not in rows()
    if code:
        document = json.loads(run("--json", *command.split(), cwd=here).stdout)
        assert document["error"]["code"] == code
