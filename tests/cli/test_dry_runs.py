# SPDX-License-Identifier: Apache-2.0
"""``-n`` and ``-f``: a dry run writes nothing, and ends as the real run would.

The whole directory is watched, with the times of its directories: a file that came and went is
seen, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ngtpatch.cli.app import app
from tests import program
from tests.fleet.park import park
from tests.status.test_status import WEB, record, report

PRECIOUS = b"precious"
HOOK = {"NGTPATCH_ISO": "ngt.iso", "NGTPATCH_DISTRO": "rocky"}
INJECT = "inject ngt.iso --inventory vms.csv --certificates certificates"

# What each command that writes is called with, and what of it is written first of all.
WRITES = {
    "extract": [("extract ngt.iso installer/linux/install_ngt.py -o out.py", "out.py")],
    "identity check": [
        ("identity check ngt.iso --warn-days 9999 --plan -o plan.md", "plan.md"),
        ("identity check ngt.iso --metrics out.prom", "out.prom"),
    ],
    "identity strip": [("identity strip ngt.iso -o out.iso", "out.iso")],
    "inject": [
        (f"{INJECT} --output-dir out", "out/vm1.iso"),
        (f"{INJECT} --output-dir new/er/out --config-only", "new/er/out/vm2.iso"),
    ],
    "packer hook": [("packer hook", "build/out.iso")],
    "packer prepare": [
        ("packer prepare ngt.iso -d rocky -o out.iso", "out.iso"),
        ("packer prepare ngt.iso -d rocky -o new/er/build", "ngtpatch.auto.pkrvars.json"),
    ],
    "profile new": [("profile new --os-release os-release --python 3.9 -o x.toml", "x.toml")],
    "rebuild": [
        ("rebuild ngt.iso -d rocky -o out.iso --provenance", "out.iso"),
        ("rebuild ngt.iso -d rocky --output-tree new/er/tree", "new/er/tree/mine"),
        ("rebuild ngt.iso -d rocky,almalinux --each --output-dir new/er", "new/er/ngt-rocky.iso"),
        ("rebuild tree -d rocky -o out.iso", "out.iso"),
    ],
    "render": [("render guest-install.sh -o out.sh", "out.sh")],
    "report": [("report ngt.iso el.iso -o out.html", "out.html")],
    "reset": [("reset el.iso -o out.iso", "out.iso")],
    "sample": [("sample -o out.iso --seed one", "out.iso")],
    "status": [("status vms.json --metrics out.prom", "out.prom")],
    "support": [("support ngt.iso -d rocky --report out.json", "out.json")],
}  # fmt: skip
# A cluster's; tests/prism_central has its dry run. What it writes here is a journal, added to.
ELSEWHERE = {"push"}
READS = {
    "completion": "completion bash",
    "diff": "diff ngt.iso el.iso",
    "identity show": "identity show ngt.iso",
    "inspect": "inspect ngt.iso",
    "ls": "ls ngt.iso",
    "packer verify": "packer verify made.json",
    "patch list": "patch list",
    "patch show": "patch show distutils",
    "patch test": "patch test distutils",
    "profile list": "profile list",
    "profile show": "profile show rocky",
    "profile test": "profile test rocky ngt.iso",
    "schema": "schema rebuild",
    "verify": "verify el.iso --base ngt.iso",
}
LOCKS = (".lock", "/.ngtpatch")
# An option of such a name writes.
WRITING = ("--output", "--report", "--metrics", "--write", "--save", "--variables")


def leaves(command: click.Command = app, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path.strip(), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, f"{path} {name}")


ALL = dict(leaves())
CASES = [(words, first) for cases in WRITES.values() for words, first in cases]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc, a rebuilt one, its files as a directory, and what describes VMs."""
    root = tmp_path_factory.mktemp("desk")
    vms = park(root / "park", 2)
    (root / "park" / "base.iso").rename(root / "ngt.iso")
    for path in vms.root.iterdir():
        path.rename(root / path.name)
    (root / "park").rmdir()
    (root / "home").mkdir()
    (root / "os-release").write_text('NAME="Acme Linux"\nID=acme\nID_LIKE="rhel fedora"\n')
    report(root, record(WEB, "web")).rename(root / "vms.json")
    for line in (
        "rebuild ngt.iso -d rocky -o el.iso",
        "rebuild ngt.iso -d almalinux --output-tree tree",
        "packer prepare ngt.iso -d rocky -o made --variables made.json",
    ):
        assert run(line, root).returncode == 0
    return root


@pytest.fixture
def here(desk: Path, tmp_path: Path) -> Path:
    shutil.copytree(desk, tmp_path / "here", symlinks=True)
    return tmp_path / "here"


def run(line: str, directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NGTPATCH_", "XDG_"))}
    hook = {**HOOK, "NGTPATCH_OUTPUT": "build/out.iso"} if line == "packer hook" else {}
    home = {"HOME": str(directory / "home")}
    return program.run(*line.split(), *more, "--json", cwd=directory, env={**kept, **home, **hook})


def seen(directory: Path) -> dict[str, tuple[int, int, str]]:
    """Return what is there: mode, time of the last change, and content."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def contents(directory: Path) -> dict[str, str]:
    """Return what is there, but for the locks of who may work there at once."""
    return {path: one[2] for path, one in seen(directory).items() if not path.endswith(LOCKS)}


def told(ran: subprocess.CompletedProcess[str]) -> tuple[int, str | None]:
    error = json.loads(ran.stdout).get("error")
    return ran.returncode, error and error["code"]


@pytest.mark.parametrize("name", ALL)
def test_what_a_command_does_is_known_and_one_that_writes_has_both_options(name: str) -> None:
    names = {option for parameter in ALL[name].params for option in parameter.opts}
    if name in WRITES or name in ELSEWHERE:
        assert "--dry-run" in names
        assert "--force" in names or name in ELSEWHERE
    else:
        assert name in READS, f"say in WRITES or READS what {name} does"
        assert not [option for option in names if option.startswith(WRITING)]


@pytest.mark.parametrize("name", READS)
def test_a_command_that_reads_writes_nothing(name: str, here: Path) -> None:
    before = seen(here)
    ran = run(READS[name], here)
    assert ran.returncode == 0, ran.stderr
    assert seen(here) == before


@pytest.mark.parametrize(("words", "first"), CASES, ids=[words for words, _ in CASES])
def test_a_dry_run_writes_nothing_and_says_what_the_real_one_would(
    words: str, first: str, here: Path
) -> None:
    before = seen(here)
    dry = run(words, here, "-n")
    assert seen(here) == before
    assert told(dry)[1] is None, dry.stderr
    # Something of somebody else's is where it would go.
    (here / first).parent.mkdir(parents=True, exist_ok=True)
    (here / first).write_bytes(PRECIOUS)
    precious = contents(here)
    dry, real = run(words, here, "-n"), run(words, here)
    assert told(dry) == told(real) == (2, "output-exists"), (dry.stderr, real.stderr)
    assert dry.stderr == real.stderr
    assert contents(here) == precious
    watched = seen(here)
    dry = run(words, here, "-n", "-f")
    assert seen(here) == watched
    real = run(words, here, "-f")
    assert told(dry) == told(real), (dry.stderr, real.stderr)
    assert told(real)[1] is None
    assert not (here / first).exists() or (here / first).read_bytes() != PRECIOUS


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (f"{INJECT} --output-dir os-release/out", "not-a-directory"),
        ("rebuild ngt.iso -d rocky --each --output-dir os-release/out", "not-a-directory"),
        ("rebuild ngt.iso -d rocky --output-tree os-release/out", "not-a-directory"),
        ("packer prepare ngt.iso -d rocky -o os-release/out", "not-a-directory"),
        ("packer prepare ngt.iso -d rocky --variables nowhere/x.json", "no-such-directory"),
        ("packer prepare ngt.iso -d rocky -o home.iso", "is-directory"),
        ("rebuild ngt.iso -d rocky --each --output-dir http://host/out", "address"),
        ("rebuild ngt.iso -d rocky --output-tree http://host/out", "address"),
        ("rebuild tree -d rocky --in-place", "is-directory"),
        ("rebuild ngt.iso -d rocky -o nowhere/x.iso", "no-such-directory"),
        ("rebuild ngt.iso -d rocky -o x.iso --provenance", "is-directory"),
        ("rebuild ngt.iso -d rocky -o ngt.iso -f", "same-file"),
        ("extract ngt.iso config/client-key.pem -o x", "secret"),
        ("extract ngt.iso installer/linux/install_ngt.py -o ngt.iso -f", "same-file"),
        ("status vms.json --metrics nowhere/x.prom", "no-such-directory"),
        ("identity check ngt.iso --metrics home.prom", "is-directory"),
        ("sample -o x.iso --payload 9999G", "bad-size"),
        ("support ngt.iso --report home", "is-directory"),
    ],
)  # fmt: skip
def test_what_the_real_run_refuses_the_dry_one_does_and_neither_writes(
    words: str, code: str, here: Path
) -> None:
    for name in ("home.iso", "home.prom", "x.iso.cdx.json"):
        (here / name).mkdir()
    before = seen(here)
    dry, real = run(words, here, "-n"), run(words, here)
    assert told(dry) == told(real), (dry.stderr, real.stderr)
    assert told(dry)[1] == code, dry.stderr
    assert seen(here) == before


def test_a_run_with_whole_says_what_it_wrote(here: Path) -> None:
    line = f"{INJECT} --output-dir out -n --whole w.json"
    ran = program.run(*line.split(), cwd=here)
    assert (ran.returncode, (here / "out").exists()) == (0, False)
    *_, wrote, keys, values, would = ran.stdout.splitlines()
    assert keys.startswith("not looked at: private keys")
    assert "--set" in values
    assert [wrote, would] == [
        "wrote    w.json", "2 of 2 VMs would get an image in out; no image was written",
    ]  # fmt: skip


def test_what_is_written_anew_each_time_needs_no_force(here: Path) -> None:
    for words in (
        "status vms.json --metrics out.prom",
        "identity check ngt.iso --metrics out.prom",
        "packer prepare ngt.iso -d rocky -o made --variables made.json",
    ):
        assert told(run(words, here))[1] is None
        assert told(run(words, here))[1] is None, words


@pytest.mark.parametrize("words", ["inject", "rebuild --each", "rebuild --output-tree", "packer"])
def test_directories_for_outputs_are_made_with_those_above_them(words: str, here: Path) -> None:
    line = {
        "inject": f"{INJECT} --output-dir",
        "rebuild --each": "rebuild ngt.iso -d rocky --each --output-dir",
        "rebuild --output-tree": "rebuild ngt.iso -d rocky --output-tree",
        "packer": "packer prepare ngt.iso -d rocky -o",
    }[words]
    assert run(f"{line} a/b/c", here).returncode == 0
    assert any((here / "a/b/c").iterdir())
