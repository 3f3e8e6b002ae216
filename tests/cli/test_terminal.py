# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal or a pipe gets: no broken words, no padding, what was meant."""

from __future__ import annotations

import os
import pty
import re
import shlex
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from ngtpatch.cli.app import COMMANDS
from ngtpatch.sample import write_sample
from tests import program
from tests.requirements import tool

NGTPATCH = [sys.executable, "-m", "ngtpatch"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "ngt.iso"
    write_sample(path)
    return path


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return program.run(*arguments, env={**os.environ, **environment})


def on_terminal(columns: int, *arguments: object, **variables: str) -> str:
    """What a command prints on a terminal of so many columns, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", coloured(columns, *arguments, **variables))


def coloured(columns: int, *arguments: object, **variables: str) -> str:
    """What a command prints on a terminal of so many columns, as it is."""
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    environment |= variables
    with subprocess.Popen(
        [*NGTPATCH, *map(str, arguments)], stdout=follower, stderr=follower, env=environment
    ):
        os.close(follower)
        told = b""
        while True:
            try:
                told += os.read(leader, 1 << 16)
            except OSError:  # the end of a terminal
                break
    os.close(leader)
    return told.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("asked", [("inspect",), ("rebuild", "-d", "rokcy", "-o", "o.iso")])
def test_colours_only_where_they_are_shown(base: Path, asked: tuple[str, ...]) -> None:
    command, *options = asked
    asked = (command, str(base), *options)
    assert "\x1b[" in coloured(80, *asked, TERM="xterm", NO_COLOR="")
    for plain in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        assert "\x1b" not in coloured(80, *asked, **plain)
    assert "\x1b[" in coloured(80, "--color", "always", *asked, TERM="dumb")


def test_a_message_in_a_file_has_no_colours(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = shlex.join([*NGTPATCH, "inspect", "absent.iso"])
    program = f"import os; os.system({command + ' 2>' + str(log)!r})"
    leader, follower = pty.openpty()
    variables = {**os.environ, "TERM": "xterm", "NO_COLOR": ""}
    subprocess.run([sys.executable, "-c", program], stdout=follower, env=variables, check=True)
    os.close(follower)
    os.close(leader)
    assert log.read_text().startswith("ngtpatch: ")


@pytest.mark.parametrize("columns", [60, 80])
def test_a_narrow_terminal_gets_records_with_whole_words(base: Path, columns: int) -> None:
    told = on_terminal(columns, "support", base, "-d", "rocky")
    wide = run("support", base, "-d", "rocky").stdout
    # Of a record the first cell is the heading, and what it is called is not said.
    words = {word for word in wide.split() if word.strip("─")} - {"distribution"}
    assert words <= set(told.split())
    assert "\nrocky\n" in told
    assert re.search(r"^  verdict +patchable$", told, re.MULTILINE)


def test_a_wide_terminal_gets_the_table(base: Path) -> None:
    told = on_terminal(200, "support", base, "-d", "rocky")
    assert re.search(r"^ rocky +8, 9 +3.6, 3.9 +unsupported -> redhat", told, re.MULTILINE)


@pytest.mark.parametrize("command", [("support",), ("ls",), ("inspect",)])
def test_nothing_is_padded_for_a_pipe(base: Path, command: tuple[str]) -> None:
    for line in run(*command, base).stdout.splitlines():
        assert line == line.rstrip()


def test_a_table_is_plain_where_the_terminal_is(base: Path) -> None:
    told = run("support", base, "-d", "rocky", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert told.returncode == 0, told.stderr
    assert told.stdout.isascii()


@pytest.mark.parametrize(
    ("typed", "meant"), [("rebuidl", "rebuild"), ("verfy", "verify"), ("supprot", "support")]
)
def test_a_mistyped_command_gets_the_one_that_was_meant(typed: str, meant: str) -> None:
    ran = run(typed)
    assert ran.returncode == 2
    assert f"Did you mean '{meant}'?" in ran.stderr


def test_a_misspelt_variable_is_named(base: Path) -> None:
    names = {
        "NGTPATCH_PROFLES": "NGTPATCH_PROFILES",
        "NGTPATCH_SUPORT_DISTRO": "NGTPATCH_SUPPORT_DISTRO",
        "NGTPATCH_SUPPORT_DISTROS": "NGTPATCH_SUPPORT_DISTRO",
    }
    ran = run("support", base, "-d", "rocky", **dict.fromkeys(names, "x"))
    for wrong, right in names.items():
        assert f"{wrong} is set, and is no option; did you mean {right}?" in ran.stderr
    quiet = run("support", base, "-d", "rocky", NGTPATCH_SUPPORT_DISTRO="rocky")
    assert "is set" not in quiet.stderr


def test_several_distributions_by_commas(base: Path) -> None:
    commas = run("--json", "support", base, "-d", "rocky, almalinux")
    apart = run("--json", "support", base, "-d", "rocky", "-d", "almalinux")
    assert commas.stdout == apart.stdout
    assert commas.returncode == 0


def test_what_is_suggested_next_works_as_it_stands(base: Path, tmp_path: Path) -> None:
    output = tmp_path / "a name with blanks.iso"
    ran = run("rebuild", base, "-d", "rocky,almalinux", "--strip-identity", "-o", output)
    said = re.findall(r"^next +ngtpatch (.*?)(?:  \(.*)?$", ran.stdout, re.MULTILINE)
    assert len(said) == 2
    for line in said:
        words = [str(tmp_path / "vendor.iso") if w == "FILE" else w for w in shlex.split(line)]
        assert run(*words).returncode == 0, line
    assert (tmp_path / "vendor.iso").read_bytes() == base.read_bytes()


def test_what_takes_long_says_how_far_it_is_and_leaves_no_trace(tmp_path: Path) -> None:
    """Seconds of silence look like a hang; a log with a thousand bars is of no use either."""
    big = tmp_path / "big.iso"
    write_sample(big, payload=400 << 20)
    asked = ("identity", "strip", big, "-f", "-o", tmp_path / "o.iso")
    told = on_terminal(100, *asked, TERM="xterm")
    shares = [int(share) for share in re.findall(r"written +\[[#.]+\] +(\d+)%", told)]
    assert len(shares) > 1
    assert shares == sorted(shares)
    *_, last = re.findall(r"\r(?!\n)([^\r]*)", told)
    assert last.startswith("\x1b[K"), "what is printed next begins on an empty line"
    for silent in (run(*asked).stderr, on_terminal(100, *asked, TERM="dumb")):
        assert "\r" not in silent.replace("\r\n", "")
        assert "%" not in silent


def test_a_dry_reset_proves_the_undo_and_writes_nothing(base: Path, tmp_path: Path) -> None:
    rebuilt, vendor = tmp_path / "o.iso", tmp_path / "vendor.iso"
    assert run("rebuild", base, "-d", "rocky", "-o", rebuilt).returncode == 0
    dry = run("reset", rebuilt, "-o", vendor, "-n")
    assert dry.returncode == 0
    assert not vendor.exists()
    wet = run("reset", rebuilt, "-o", vendor)
    digest = re.search("^sha256 +([0-9a-f]{64})$", wet.stdout, re.MULTILINE)
    assert digest
    assert digest[0] in dry.stdout
    assert run("reset", rebuilt, "-o", vendor, "-n").returncode == 2, "it is there already"


COMPLETED = {
    "rebuild -d roc": "rocky",
    "rebuild -d rocky,alm": "rocky,almalinux",
    "rebu": "rebuild",
    "schema verif": "verify",
    "render guest-inst": "guest-install.sh",
    "patch show elsew": "elsewhere",
    "profile show alma": "almalinux",
}


@pytest.mark.parametrize("typed", COMPLETED)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes(shell: str, typed: str, tmp_path: Path) -> None:
    """The printed script is loaded by the shell itself; what it asks ngtpatch is asked here."""
    if shell == "fish" and "," in typed:
        pytest.skip("fish asks for what stands behind a comma only, and click answers the whole")
    program = tool(shell, shell)
    script = tmp_path / f"completion.{shell}"
    script.write_text(run("completion", shell).stdout)
    words = ["ngtpatch", *typed.split()]
    (tmp_path / "ngtpatch").write_text(f'#!/bin/sh\nexec {shlex.join(NGTPATCH)} "$@"\n')
    (tmp_path / "ngtpatch").chmod(0o755)
    commands = {
        "bash": f"source {script}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1};"
        " _ngtpatch_completion ngtpatch; printf '%s\\n' \"${COMPREPLY[@]}\"",
        "zsh": "compdef() { : }; _describe() { print -rl -- $completions_with_descriptions };"
        f" compadd() {{ print -rl -- $completions }}; source {script};"
        f" words=({shlex.join(words)}); CURRENT={len(words)}; _ngtpatch_completion",
        "fish": f"source {script}; complete -C {shlex.quote(' '.join(words))}",
    }
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [program, "-c", commands[shell]],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
    )
    assert COMPLETED[typed] in re.split(r"[\s:]", done.stdout), done.stdout + done.stderr


def test_help_fits_eighty_columns() -> None:
    for name in COMMANDS:
        for line in run(name, "--help", COLUMNS="80").stdout.splitlines():
            assert len(line) <= 80, (name, line)
