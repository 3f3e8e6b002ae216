# SPDX-License-Identifier: Apache-2.0
"""SIGHUP, SIGINT and SIGTERM end every command with 130, cleanly; what was ignored stays so."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ngtpatch import interrupts
from ngtpatch.sample import write_sample
from tests import program

SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
# A shell's background job ignores SIGINT, and so would what these tests start from there. The
# line "ready" says that main() is about to be called: before that the interpreter itself starts.
MAIN = (
    "import signal, sys\n"
    "for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):\n"
    "    signal.signal(number, signal.{disposition})\n"
    "from ngtpatch.cli import main\n"
    "from ngtpatch import interrupts; interrupts.heed()\n"
    "print('ready', file=sys.stderr, flush=True)\n"
    "main()\n"
)
INTERRUPTED = "ngtpatch: interrupted: no file was left half-written; what went to stdout may be\n"


def start(*arguments: object, disposition: str = "SIG_DFL") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN.format(disposition=disposition), *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    return process


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "ngt.iso"
    write_sample(path, payload=16 << 20)
    return path


COMMANDS: dict[str, Callable[[Path, Path], list[object]]] = {
    "rebuild": lambda base, out: ["rebuild", base, "-d", "rocky", "-o", out / "o.iso"],
    "tree": lambda base, out: ["rebuild", base, "-d", "rocky", "--output-tree", out / "tree"],
    "prepare": lambda base, out: [
        "packer", "prepare", base, "-d", "rocky", "-o", out, "--variables", out / "v.json",
    ],
    "support": lambda base, _: ["support", base],
    "inspect": lambda base, _: ["--json", "inspect", base],
    "sample": lambda _, out: ["sample", "-o", out / "s.iso", "--payload", "20M"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", SIGNALS)
def test_at_a_random_moment(
    base: Path, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    """Either it was done already, whole, or it ends with 130; never a traceback or a remnant."""
    chance = random.Random(f"{command}{number}")  # noqa: S311 - no secret
    process = start(*COMMANDS[command](base, tmp_path))
    time.sleep(chance.uniform(0, 0.7))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130), err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    left = [p.name for p in tmp_path.iterdir() if p.name.endswith((".tmp", ".part.iso", ".old"))]
    assert left == []
    if process.returncode == 130:
        assert err in ("", INTERRUPTED)
        assert command == "prepare" or list(tmp_path.iterdir()) == [] or not err


def test_a_stream_that_is_cut_is_not_said_to_be_whole(base: Path) -> None:
    """The pipe holds less than the image, so that the signal comes in the middle of it."""
    with start("rebuild", base, "-d", "rocky", "-o", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = process.stdout.fileno()
        received = len(os.read(out, 1))
        process.send_signal(signal.SIGTERM)
        while data := os.read(out, 1 << 20):
            received += len(data)
        assert process.stderr.read().endswith(INTERRUPTED)
    assert process.returncode == 130
    assert 0 < received < base.stat().st_size


def test_a_pair_of_signals_is_one_request(base: Path, tmp_path: Path) -> None:
    process = start(*COMMANDS["tree"](base, tmp_path))
    time.sleep(0.3)
    for number in SIGNALS:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] in ([], ["tree"])


def test_what_nohup_ignores_stays_ignored(base: Path, tmp_path: Path) -> None:
    process = start(*COMMANDS["rebuild"](base, tmp_path), disposition="SIG_IGN")
    for number in SIGNALS:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_a_terminal_that_is_gone_is_no_reason_to_fail(base: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "ngtpatch", "-v", *map(str, COMMANDS["rebuild"](base, tmp_path))],
        stdout=subprocess.DEVNULL, stderr=writing,
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    assert process.wait() == 0
    assert (tmp_path / "o.iso").exists()


def test_in_place_is_either_old_or_new(base: Path, tmp_path: Path) -> None:
    """A signal in the middle of the regions waits until the last one is written."""
    came: list[int] = []
    with interrupts.heeded(lambda number, _: came.append(number)):
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            assert came == []
        time.sleep(0.05)
        assert came == [signal.SIGTERM]


def test_the_handlers_of_a_program_that_calls_the_library_come_back() -> None:
    before, told = [signal.getsignal(number) for number in SIGNALS], sys.unraisablehook
    with pytest.raises(interrupts.Interrupted), interrupts.heeded():
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(1)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert sys.unraisablehook is told


def test_a_signal_that_comes_while_an_object_goes_is_not_lost() -> None:
    """What is raised in ``__del__`` reaches nobody: the signal has to come again."""
    program = """
        import os, signal, time
        from ngtpatch import interrupts

        class Going:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.1)
                print("not reached")

        interrupts.heed()
        try:
            Going()
            print("goes on", flush=True)
            time.sleep(60)
        except interrupts.Interrupted:
            print("interrupted")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert (done.stdout.split("\n"), done.stderr) == (["goes on", "interrupted", ""], "")


def test_an_import_that_is_interrupted_is_no_defect() -> None:
    """Before Python 3.12 an exception out of __set_name__ becomes the cause of another."""
    script = (
        "import sys, ngtpatch.cli, ngtpatch.patching.profile as profile\n"
        "from ngtpatch.interrupts import Interrupted\n"
        "class Field:\n"
        "    def __set_name__(self, owner, name): raise Interrupted\n"
        "def load(*words, **named): type('Made', (), {'field': Field()})\n"
        "profile.load_profiles = load\n"
        "sys.argv = ['ngtpatch', 'profile', 'list']\n"
        "ngtpatch.cli.main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (130, "")
    assert ran.stderr.startswith("ngtpatch: interrupted: ")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("ngtpatch.patching.profile_file", ["profile", "list"]),
        ("ngtpatch.patching.patch_file", ["patch", "list"]),
        ("ngtpatch.iso.read.record_text", ["inspect", "el.iso"]),
    ],
)
def test_a_signal_waits_while_models_are_made(
    base: Path, tmp_path: Path, module: str, words: list[str]
) -> None:
    """The oldest pydantic panics otherwise, with code 1: what it makes of it is not seen here."""
    made = program.run("rebuild", base, "-d", "rocky", "-o", tmp_path / "el.iso")
    assert made.returncode == 0
    script = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "import atexit, ngtpatch.cli\n"
        f"atexit.register(lambda: print({module!r} in sys.modules))\n"
        "sys.meta_path.insert(0, Finder())\n"
        f"sys.argv = ['ngtpatch', *{words!r}]\n"
        "ngtpatch.cli.main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(program.ROOT)},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (130, "True\n"), ran.stderr
    assert ran.stderr.startswith("ngtpatch: interrupted: ")


WITHIN_A_CLASS = """
import sys, types
from ngtpatch import cli, interrupts

def app(prog_name):
    class Marks:
        def __set_name__(self, owner, name):
            raise interrupts.Interrupted
    class Made:
        mark = Marks()

sys.modules["ngtpatch.cli.app"] = module = types.ModuleType("ngtpatch.cli.app")
module.app = app
cli.main()
"""


def test_a_signal_while_a_class_is_made_is_one() -> None:
    """Before 3.12 Python wraps what is raised there, as by what a module imports."""
    run = subprocess.run(
        [sys.executable, "-c", WITHIN_A_CLASS], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr.count("\n")) == (130, 1), run.stderr
