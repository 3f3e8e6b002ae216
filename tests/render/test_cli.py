# SPDX-License-Identifier: Apache-2.0
"""``ngtpatch render`` as a person and a pipeline call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ngtpatch.render import render
from tests.render.tools import Ran, ngtpatch


def run(*arguments: str) -> Ran:
    return ngtpatch("render", *arguments)


def test_the_text_goes_to_stdout_and_nothing_else() -> None:
    result = run("guest-install.sh", "--set", "label=MY DISC")
    assert result.exit_code == 0
    assert result.stdout == render("guest-install.sh", {"label": "MY DISC"})
    assert result.stderr == ""


def test_a_script_is_written_executable_and_not_over_another(tmp_path: Path) -> None:
    target = tmp_path / "install.sh"
    assert run("guest-install.sh", "-o", str(target)).exit_code == 0
    assert os.access(target, os.X_OK)
    again = run("guest-install.sh", "-o", str(target), "--set", "label=OTHER")
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert target.read_text() == render("guest-install.sh")


def test_values_come_from_a_file_and_set_overrides(tmp_path: Path) -> None:
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"label": "A", "services": ["x.service"], "min_free_mb": 5}))
    result = run("guest-install.sh", "--values", str(values), "--set", "label=B")
    assert result.stdout == render(
        "guest-install.sh", {"label": "B", "services": ["x.service"], "min_free_mb": 5}
    )


@pytest.mark.parametrize("content", ["[1]", "{", "", None])
def test_a_bad_values_file_is_named(tmp_path: Path, content: str | None) -> None:
    values = tmp_path / "values.json"
    if content is not None:
        values.write_text(content)
    result = run("guest-install.sh", "--values", str(values))
    assert result.exit_code == 3
    assert str(values) in result.stderr


def test_show_tells_what_must_be_given() -> None:
    result = run("--show", "cluster-runbook.sh")
    assert "vms  (list; must be given)" in result.stdout
    assert "method  (refresh | recreate; default refresh)" in result.stdout


def test_json_lists_every_parameter() -> None:
    document = json.loads(run("--list", "--json").stdout)
    assert document["schema"] == "ngtpatch.render/1"
    templates = {template["name"]: template for template in document["templates"]}
    vms = templates["cluster-runbook.md"]["parameters"][0]
    assert (vms["name"], vms["required"], vms["default"]) == ("vms", True, None)


def test_json_carries_the_text() -> None:
    document = json.loads(run("guest-generalize.sh", "--json").stdout)
    assert document["text"] == render("guest-generalize.sh")


def test_an_undefined_variable_is_one_message_with_its_line(tmp_path: Path) -> None:
    mine = tmp_path / "mine.sh"
    mine.write_text("#!/bin/sh\necho {{ nmae | sh }}\n")
    result = run(str(mine), "--set", "name=x")
    assert result.exit_code == 3
    assert f"{mine}:2: 'nmae' is undefined" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[], ["nowhere.sh"], ["guest-install.sh", "--set", "label"]])
def test_what_cannot_be_meant_is_a_usage_error(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") <= 2


def test_a_pipe_gets_the_same_bytes_as_a_file(tmp_path: Path) -> None:
    """An escape sequence in a value is part of it, and quoted; nothing takes it out."""
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"label": "a\x1b[31mb\u202ec"}))
    command = [sys.executable, "-m", "ngtpatch", "render", "guest-install.sh"]
    command += ["--values", str(values)]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    subprocess.run([*command, "-qo", str(tmp_path / "script.sh")], check=True)
    assert piped == (tmp_path / "script.sh").read_bytes()
    assert b"a\x1b[31mb" in piped
