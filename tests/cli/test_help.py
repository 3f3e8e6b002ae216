# SPDX-License-Identifier: Apache-2.0
"""Each ``--help``: it fits a terminal, and its examples run as they are written."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ngtpatch.cli.app import app
from ngtpatch.files.wellknown import CERTIFICATE_NAME, CONFIG_NAME, KEY_NAME
from tests.fleet.park import park
from tests.status.test_status import WEB, record, report
from tests.told import InProcess

# What needs a cluster is read as far as the options go; tests/prism_central runs these commands.
OF_A_CLUSTER = "--prism"


def commands(command: click.Command = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


ALL = list(commands())


def shown(path: tuple[str, ...]) -> str:
    done = InProcess().invoke(app, [*path, "--help"], prog_name="ngtpatch", terminal_width=80)
    assert done.exit_code == 0
    return done.stdout


def examples(path: tuple[str, ...]) -> list[str]:
    _, _, after = shown(path).partition("\n  Example")
    return [line.strip() for line in after.partition("\n\n")[0].splitlines()[1:]]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_it_fits_80_columns_and_ends_in_an_example(path: tuple[str, ...]) -> None:
    text = shown(path)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    command = " ".join(("ngtpatch", *path))
    assert any(command in line for line in examples(path)), text


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody sits who has the vendor's disc, rebuilt discs, and what describes VMs."""
    root = tmp_path_factory.mktemp("desk")
    vms = park(root / "park", 2)
    (root / "park" / "base.iso").rename(root / "ngt.iso")
    for path in vms.root.iterdir():
        path.rename(root / path.name)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(root)
        for line in (
            "sample -o vm1.iso",
            "rebuild ngt.iso -d rocky,almalinux -o ngt-el.iso",
            "rebuild ngt.iso -d rocky -o ngt-rocky.iso",
            "inject ngt-el.iso --inventory vms.csv --certificates certificates --output-dir out",
            "packer prepare ngt.iso -d rocky -o build",
        ):
            done = InProcess().invoke(app, line.split())
            assert done.exit_code == 0, done.output
    (root / "vms.csv").write_text(
        "name,config,certificate,key\nvm1,"
        + ",".join(f"certificates/vm1/{name}" for name in (CONFIG_NAME, CERTIFICATE_NAME, KEY_NAME))
        + "\n"
    )
    (root / "os-release").write_text('NAME="Acme Linux"\nID=acme\nID_LIKE="rhel fedora"\n')
    report(root, record(WEB, "web")).rename(root / "vms.json")
    return root


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_its_examples_run(
    path: tuple[str, ...], desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    shutil.copytree(desk, here)
    monkeypatch.chdir(here)
    for example in examples(path):
        inner = re.fullmatch(r'eval "\$\((.*)\)"', example)
        source, pipe, line = example.rpartition(" | ")
        if pipe:  # the guest's file stands in for ssh
            assert source.startswith("ssh vm cat /etc/os-release")
            with Path("os-release").open("rb") as stdin:
                done = subprocess.run(
                    [sys.executable, "-m", *shlex.split(line)], stdin=stdin, check=False
                )
            assert done.returncode == 0, example
            continue
        words = shlex.split(inner.group(1) if inner else line)
        if words[0] == "export":
            for word in words[1:]:
                monkeypatch.setenv(*word.split("=", 1))
            continue
        assert words[0] == "ngtpatch"
        arguments = words[1:]
        if OF_A_CLUSTER in arguments:
            command = app.get_command(click.Context(app), arguments[0])
            assert command is not None
            assert command.make_context(arguments[0], arguments[1:])
            continue
        if {"-o", "--output-dir"} & {*arguments}:  # what it writes is not there yet
            output = Path(arguments[-1])
            assert output.parent == Path()
            shutil.rmtree(output, ignore_errors=True)
            output.unlink(missing_ok=True)
        ran = InProcess().invoke(app, arguments)
        assert ran.exit_code == 0, (example, ran.output)
