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
from collections import Counter
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from ngtpatch.cli.app import COMMANDS
from ngtpatch.sample import write_sample
from tests import program
from tests.requirements import tool
from tests.status.test_status import DB, WEB, record, report

NGTPATCH = [sys.executable, "-m", "ngtpatch"]
LONG = "a-virtual-machine-with-a-name-of-quite-some-length-as-there-are-many.example.com"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "ngt.iso"
    write_sample(path)
    return path


@pytest.fixture(scope="module")
def desk(base: Path) -> Path:
    """Where the sample is, what was made of it, and what tells of VMs."""
    assert run("rebuild", base, "-d", "rocky", "-o", base.with_name("el.iso")).returncode == 0
    (base.parent / "vms.csv").write_text(f"name\nvm1\n{LONG}\n")
    two = record(WEB, "web") + "\n" + record(DB, LONG, enabled="false")
    report(base.parent, two).rename(base.with_name("vms.json"))
    return base.parent


def run(
    *arguments: object, cwd: Path | str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return program.run(*arguments, cwd=cwd, env={**os.environ, **environment})


def on_terminal(
    columns: int, *arguments: object, cwd: Path | str | None = None, **variables: str
) -> str:
    """What a command prints on a terminal of so many columns, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", coloured(columns, *arguments, cwd=cwd, **variables))


def coloured(
    columns: int, *arguments: object, cwd: Path | str | None = None, **variables: str
) -> str:
    """What a command prints on a terminal of so many columns, as it is."""
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    environment |= variables
    with subprocess.Popen(
        [*NGTPATCH, *map(str, arguments)], stdout=follower, stderr=follower, env=environment,
        cwd=cwd,
    ):  # fmt: skip
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


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(
    "asked",
    [
        "inspect ngt.iso",
        "verify el.iso --base ngt.iso",
        "verify ngt.iso --base el.iso",
        "rebuild ngt.iso -d rocky -o o.iso -f",
        "rebuild ngt.iso -d rokcy -o n.iso",
        "identity show ngt.iso",
        "reset el.iso -o v.iso -f",
        "diff ngt.iso el.iso",
        "schema nosuch",
        "render nosuch",
        "render --list",
        "inspect -",
        "support el.iso -d centos --report -",
        "support ngt.iso -d rokcy",
        "verify el.iso -d almalinux",
        "identity strip ngt.iso -o s.iso -f",
        "inject ngt.iso --inventory vms.csv --output-dir a-directory/of/quite/some/length -n",
        "packer prepare ngt.iso -d rocky -n",
        "ls ngt.iso",
        "report ngt.iso el.iso -o page.html -f -n",
        "push ngt.iso --vm web",
        "sample -o s.iso -n",
        "extract ngt.iso installer/linux/src/installer_factory.py -o f.py -n",
    ],
)
def test_lines_are_broken_between_words_and_nowhere_else(
    desk: Path, columns: int, asked: str
) -> None:
    """Nor is anything added: what a pipe gets is all there, word for word."""
    narrow = on_terminal(columns, *asked.split(), cwd=desk)
    pipe = run(*asked.split(), cwd=desk)
    # The words of both streams; the terminal mixes them as they come.
    assert Counter(narrow.split()) - Counter("\\") == Counter((pipe.stdout + pipe.stderr).split())
    if not asked.startswith("diff"):  # the lines of a file are as they are
        assert_fits(narrow, columns)


def assert_fits(told: str, columns: int) -> None:
    """No line is longer than the terminal, but for one whose longest word hardly fits."""
    for line in told.splitlines():
        longest = max(map(len, line.split()), default=0)
        indented = len(line) - len(line.lstrip())
        assert len(line) <= columns or longest + max(indented, 9) >= columns, line


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ("identity check ngt.iso el.iso --warn-days 9999", ["ngt.iso", "el.iso"]),
        ("status vms.json", ["web", LONG]),
        ("status vms.json --inventory vms.csv", ["web", LONG, "vm1"]),
        ("support ngt.iso -d rocky,almalinux", ["rocky", "almalinux"]),
        ("profile list", ["rocky", "almalinux"]),
        ("profile test rocky ngt.iso", ["rocky"]),
        ("patch list", ["agent", "factory"]),
    ],
)
def test_a_listing_has_a_record_for_each_row(
    desk: Path, columns: int, asked: str, rows: list[str]
) -> None:
    """Each under its name; every word, path and digest of the table is there, in one piece."""
    narrow = on_terminal(columns, *asked.split(), cwd=desk)
    wide = run(*asked.split(), cwd=desk)
    lines = wide.stdout.splitlines()
    (heads,) = (above for above, line in pairwise(lines) if line.strip(" ─") < line.strip())
    words = {word for word in (wide.stdout + wide.stderr).split() if word.strip("─")}
    # What stands above a record has no label, and no table has a head then.
    assert words - set(heads.split()[:1]) <= set(narrow.split())
    assert "─" not in narrow
    for row in rows:
        records = [line for line in narrow.splitlines() if line == row]
        in_table = [line for line in lines if line.split()[:1] == [row]]
        assert len(records) == len(in_table)
    assert_fits(narrow, columns)


@pytest.mark.parametrize("asked", ["status vms.json", "support ngt.iso -d rocky", "patch list"])
def test_a_dumb_terminal_gets_the_same_words_and_nothing_else(desk: Path, asked: str) -> None:
    shown = on_terminal(60, *asked.split(), cwd=desk)
    for plain in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        assert coloured(60, *asked.split(), cwd=desk, **plain) == shown


def test_a_command_to_be_pasted_is_one_for_a_shell(desk: Path) -> None:
    output = desk / "a directory with a name of some length" / "and a file.iso"
    output.parent.mkdir()
    said = on_terminal(60, "rebuild", "ngt.iso", "-d", "rocky,almalinux", "-o", output, cwd=desk)
    command = re.search(r"^next +(ngtpatch verify (?:.*\\\n)*.*)", said, re.MULTILINE)
    assert command
    assert "\\\n" in command[1]
    variables = {**os.environ, **program.put_on_path(desk), "PATH": f"{desk}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", command[1]], cwd=desk, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, (command[1], ran.stderr)
    assert ran.stdout.endswith("verified\n")


def test_a_command_in_a_sentence_is_not_broken(desk: Path) -> None:
    said = on_terminal(60, "rebuild", "ngt.iso", "-d", "nosuch", "-o", "n.iso", cwd=desk)
    assert "'ngtpatch profile list'" in said
    assert "'ngtpatch profile new'" in said


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


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("schema verfy", "did you mean 'verify'?"),
        ("schema identity", "did you mean 'identity-show' or 'identity-check'?"),
        ("schema nosuch", "is not one of 'diff', 'error', 'extract'"),
        ("identity chek", "Did you mean 'check'?"),
        ("support ngt.iso -d ROCKY", "did you mean 'rocky' (Rocky Linux)?"),
        ("support ngt.iso -d Rocky", "did you mean 'rocky' (Rocky Linux)?"),
        ("support ngt.iso -d redhat", "'rhel' (red hat enterprise linux), which NGT knows"),
        ("support ngt.iso -d RHEL9", "'rhel' (red hat enterprise linux), which NGT knows"),
        ("rebuild ngt.iso -d OL9 -o n.iso", "'oracle' (oracle linux server), which NGT knows"),
        ("rebuild ngt.iso -d ubuntu22.04 -o n.iso", "did you mean 'ubuntu', which NGT knows"),
        ("verify ngt.iso -d centos-stream-10", "'centos' (centos stream), which NGT knows"),
        ("rebuild ngt.iso -d 9 -o n.iso", "'ngtpatch profile list' shows them all"),
    ],
)
def test_a_mistyped_word_gets_what_was_meant(desk: Path, typed: str, meant: str) -> None:
    ran = run(*typed.split(), cwd=desk)
    assert ran.returncode in (2, 4)
    assert meant in ran.stderr


@pytest.mark.parametrize("empty", ["", ",", " , "])
def test_no_distribution_is_not_every_distribution(desk: Path, empty: str) -> None:
    """A variable of the shell that is not set: ``-d "$DISTRO"``."""
    for command in ("support", "verify"):
        ran = run(command, "ngt.iso", "-d", empty, cwd=desk)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "the name is empty" in ran.stderr


@pytest.mark.parametrize(
    "asked",
    [
        ("inspect", ""),
        ("rebuild", "ngt.iso", "-d", "rocky", "--output-tree", ""),
        ("verify", "ngt.iso", "--base", ""),
        ("support", "ngt.iso", "--os-release", ""),
        ("inject", "ngt.iso", "--inventory", "", "--output-dir", "out"),
        ("inject", "ngt.iso", "--inventory", "vms.csv", "--output-dir", ""),
    ],
)
def test_an_empty_name_is_not_the_directory_one_is_in(desk: Path, asked: tuple[str, ...]) -> None:
    before = sorted(desk.iterdir())
    ran = run(*asked, cwd=desk)
    assert ran.returncode == 2, ran.stderr
    assert "the name is empty" in ran.stderr
    assert sorted(desk.iterdir()) == before


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


def test_how_far_it_is_stays_in_one_line(tmp_path: Path) -> None:
    big = tmp_path / "big.iso"
    write_sample(big, payload=400 << 20)
    told = on_terminal(30, "identity", "strip", big, "-o", tmp_path / "o.iso", TERM="xterm")
    signs = re.findall(r"\r((?:read|written)[^\r\n\x1b]*)", told)
    assert signs
    assert max(map(len, signs)) < 30


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
