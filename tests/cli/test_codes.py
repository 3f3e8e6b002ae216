# SPDX-License-Identifier: Apache-2.0
"""Error codes that no other test raises: what each command says, as a script gets it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ngtpatch.sample import write_sample
from tests import program

INPUTS = ("base.iso", "tree", "empty", "other.json", "bytes.j2")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an ISO, a rebuilt tree and files of the wrong kind."""
    directory = tmp_path_factory.mktemp("inputs")
    write_sample(directory / "base.iso")
    made = program.run("rebuild", "base.iso", "-d", "rocky", "--output-tree", "tree", cwd=directory)
    assert made.returncode == 0, made.stderr
    (directory / "empty").mkdir()
    (directory / "other.json").write_text('{"schema": "ngtpatch.diff/1"}')
    (directory / "bytes.j2").write_bytes(b"\xff\xfe")
    return directory


@pytest.mark.parametrize(
    ("code", "exit_code", "command"),
    [
        ("each-without-directory", 2, "rebuild base.iso -d rocky --each -o x.iso"),
        ("no-image-file", 2, "rebuild base.iso -d rocky --output-tree x --provenance"),
        ("needs-plan", 2, "identity check base.iso -o x"),
        ("no-identity", 3, "identity check empty"),
        ("no-report", 2, "support base.iso --report-lines installer/linux/src/a.py"),
        ("not-of-installer", 2, "support base.iso --report x --report-lines config/a"),
        ("no-template", 2, "render"),
        ("template-file", 3, "render ./bytes.j2 -o x"),
        ("no-such-entry", 3, "extract base.iso installer/absent -o x"),
        ("no-base", 2, "verify tree"),
        ("rebuild-schema", 3, "verify tree --base base.iso --document other.json"),
        ("not-prom", 2, "identity check base.iso --metrics x.txt"),
        ("hook-variables", 2, "packer hook"),
    ],
)
def test_a_code_comes_with_its_command_and_nothing_is_written(
    inputs: Path, code: str, exit_code: int, command: str
) -> None:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")}
    ran = program.run(*command.split(), "--json", cwd=inputs, env=variables)
    told = json.loads(ran.stdout)
    assert (told["error"]["code"], ran.returncode) == (code, exit_code), ran.stderr
    words = [word for word in command.split() if word in ("identity", "packer", "check", "hook")]
    assert told["schema"] == f"ngtpatch.{'-'.join(words) or command.split(maxsplit=1)[0]}/1"
    assert sorted(path.name for path in inputs.iterdir()) == sorted(INPUTS)
