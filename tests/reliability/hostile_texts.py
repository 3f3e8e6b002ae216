# SPDX-License-Identifier: Apache-2.0
"""Every text that ngtpatch reads, bent, given to the command that reads it.

The command line runs in a child of this process, many cases one after the other, below an audit
hook that tells what is started, connected to, and opened for writing. Held: a documented exit code,
no traceback, under ten seconds, under 300 MB, nothing written outside of the case's own directory,
nothing started, no code of the text run.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from tests.archives.builders import a_tar, a_zip, gzipped
from tests.identity import material as m
from tests.reliability.commands import Ground
from tests.reliability.mutation import bent, bent_bytes
from tests.reliability.result import Result

__all__ = ["Subject", "hostile_texts", "subjects", "try_one"]

LONGEST = 10
LARGEST = 300 << 20
DOCUMENTED = {0, 2, 3, 4, 5, 6, 8}
_BATCH = 250


@dataclass(frozen=True)
class Subject:
    """A kind of text.

    Attributes:
        name: for reports.
        file: what it is called in the case's directory.
        seeds: sound ones.
        words: of the commands that read it; ``{case}`` is the case's directory, ``{in}`` that of
            the inputs that are sound. Or a function of the library, where no command is about the
            text alone.
        bend: how it is changed.
        around: what else stands in the case's directory, by name.
    """

    name: str
    file: str
    seeds: tuple[bytes, ...]
    words: tuple[tuple[str, ...], ...] = ()
    library: Callable[[Path], object] | None = None
    bend: Callable[[bytes, random.Random], bytes] = bent
    around: tuple[tuple[str, bytes], ...] = ()


def subjects(ground: Ground) -> list[Subject]:
    """Return all kinds, with seeds that this very version writes or that tests have."""
    given = ground.given
    base = str(given / "base.iso")
    from tests.listing.test_forms import CLI, FORMS
    from tests.status.test_status import PUBLISHED

    def as_bytes(text: Any) -> bytes:
        if callable(text):
            text = text()
        return text.encode() if isinstance(text, str) else json.dumps(text).encode()

    listings = tuple(as_bytes(one) for one in (*FORMS.values(), *PUBLISHED.values(), CLI))
    csv = (
        b"name,ngt_uuid,cluster_ip,port,certificate,key\n"
        b"vm1,d4de685b-791a-4fbc-b916-000000000001,192.168.7.7,2074,client-cert.pem,client-key.pem\n"
        b'"vm, 2",,10.0.0.1,,,\n'
    )
    rows = [{"name": "vm1", "cluster_ip": "192.168.7.7"}, {"name": "vm2", "port": 2074}]
    pems = tuple((given / name).read_bytes() for name in ("client-cert.pem", "client-key.pem"))
    config = (given / "ngt_config.json").read_bytes()
    profiles = sorted(Path("distro_profiles").glob("*.toml"))[:6]
    patches = sorted(Path("patches").glob("*.toml"))
    around = tuple(
        (Path(path).name, data) for path, data in m.files(1).items() if not path.endswith("json")
    )
    folder = (("ngt_config.json", config), *around)
    releases = sorted(Path("tests/distros").rglob("os-release"))
    return [
        Subject("listing", "list.txt", listings,
                (("status", "{case}/list.txt"), ("identity", "check", "{case}/list.txt"))),
        Subject("inventory", "vms.csv", (csv, json.dumps(rows).encode(),
                b"".join(json.dumps(row).encode() + b"\n" for row in rows)),
                (("identity", "check", "{case}/vms.csv"),
                 ("inject", base, "--inventory", "{case}/vms.csv", "--output-dir", "{case}/out")),
                around=around),
        Subject("configuration", "ngt_config.json", (config,),
                (("identity", "check", "{case}"),
                 ("rebuild", base, "--config", "{case}/ngt_config.json", "--cert",
                  "{in}/client-cert.pem", "--key", "{in}/client-key.pem", "-o", "{case}/out.iso")),
                around=folder),
        Subject("certificate", "client-cert.pem", (pems[0],),
                (("identity", "show", "{case}"), ("identity", "check", "{case}")), around=folder),
        Subject("key", "client-key.pem", (pems[1], m.key_pem(m.private_key("rsa2048"))),
                (("identity", "show", "{case}"), ("identity", "check", "{case}")), around=folder),
        Subject("authority", "ca.pem", (pems[0] + pems[0], b"# none\n" + pems[0]),
                (("identity", "check", "{case}", "--ca", "{case}/ca.pem"),), around=folder),
        Subject("os-release", "os-release",
                tuple(path.read_bytes() for path in releases),
                (("profile", "new", "--os-release", "{case}/os-release", "-o", "{case}/p.toml"),
                 ("profile", "new", "--os-release", "{case}/os-release", "--python", "3.9", "-n"))),
        Subject("profile", "some.toml", tuple(path.read_bytes() for path in profiles),
                (("profile", "list", "--profiles", "{case}"),)),
        Subject("patch", "some.toml", tuple(path.read_bytes() for path in patches),
                (("patch", "test", "{case}/some.toml"), ("patch", "list", "--patches", "{case}"))),
        Subject("values", "values.json", (b'{"distros": ["rocky"], "iso": "/x.iso"}', b"{}"),
                (("render", "guest-install.sh", "--values", "{case}/values.json",
                  "-o", "{case}/out.sh"),)),
        Subject("template", "own.j2", (b"{{ vms }} {% for vm in vms %}{{ vm.name }}{% endfor %}\n",
                b"{{ name }}{{ range(3) | list }}{{ x.y.z }}\n"),
                (("render", "{case}/own.j2", "-o", "{case}/out.txt"),
                 ("identity", "check", "{in}/vm", "--plan", "--template", "{case}/own.j2"))),
        Subject("report's document", "rebuilt.json", (_document(ground),),
                (("report", "{case}/rebuilt.json", "-o", "{case}/out.html"),)),
        Subject("ledger", "ledger.jsonl", (_ledger(ground),),
                (("report", "{case}/ledger.jsonl", "-o", "{case}/out.html"),
                 ("inject", base, "--inventory", "{in}/vms.csv", "--certificates",
                  "{in}/certificates", "--output-dir", "{case}", "--resume", "-j", "1")),
                around=()),
        *_of_provenance(ground),
        *_of_packer(ground),
        *_of_archives(ground),
    ]  # fmt: skip


def _ran(ground: Ground, *words: str) -> str:
    from tests.reliability.traced import forked

    ran = forked(ground.words(words), ground.environment, ground.root)
    assert ran.code == 0, ran.said
    return ran.said


def _document(ground: Ground) -> bytes:
    said = _ran(ground, "--json", "-q", "rebuild", "{in}/base.iso", "-d", "rocky",
                "-o", "{in}/told.iso")  # fmt: skip
    return said.encode()


def _ledger(ground: Ground) -> bytes:
    _ran(ground, "inject", "{in}/base.iso", "--inventory", "{in}/vms.csv", "--certificates",
         "{in}/certificates", "--output-dir", "{in}/fleet", "-j", "1")  # fmt: skip
    return (ground.given / "fleet/ledger.jsonl").read_bytes()


def _of_provenance(ground: Ground) -> list[Subject]:
    from ngtpatch.provenance.checking import verify_provenance

    folder = ground.given / "p"
    folder.mkdir()
    _ran(ground, "rebuild", "{in}/shared.iso", "--set", "port=2075", "-o", "{in}/p/small.iso",
         "--sign-key", "{in}/sign.pem")  # fmt: skip
    public = ground.given / "public.pem"
    from cryptography.hazmat.primitives import serialization as s

    public.write_bytes(
        m.private_key("ed25519").public_key().public_bytes(
            s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo
        )
    )  # fmt: skip
    envelope, sums = (folder / name for name in ("small.iso.intoto.jsonl", "SHA256SUMS"))

    def check(case: Path) -> None:
        image, statement = case / "small.iso", case / "small.iso.intoto.jsonl"
        if not statement.exists():
            shutil.copy(envelope, statement)
        found = verify_provenance(image, key=case / "public.pem")
        same = statement.read_bytes() == envelope.read_bytes()
        assert same or not found.ok or _same_meaning(statement, envelope), "accepted, bent"

    keep = (("public.pem", public.read_bytes()), ("small.iso", (folder / "small.iso").read_bytes()))
    return [
        Subject("envelope", "small.iso.intoto.jsonl", (envelope.read_bytes(),), library=check,
                around=keep),
        Subject("SHA256SUMS", "SHA256SUMS", (sums.read_bytes(),),
                library=lambda case: _sums(case, folder)),
        Subject("public key", "public.pem", (public.read_bytes(),), library=check,
                around=keep),
    ]  # fmt: skip


def _same_meaning(one: Path, other: Path) -> bool:
    """Tell whether a bent statement still has a line that signs the very payload."""
    payload = json.loads(other.read_text().splitlines()[0])["payload"]
    return payload.rstrip("=").encode() in one.read_bytes()


def _sums(case: Path, folder: Path) -> None:
    from ngtpatch.provenance.sums import read_sums

    for name, digest in read_sums(case).items():
        assert isinstance(name, str)
        assert len(digest) == 64


def _of_packer(ground: Ground) -> list[Subject]:
    (ground.given / "packed").mkdir()
    _ran(ground, "packer", "prepare", "{in}/shared.iso", "-d", "rocky", "-o", "{in}/packed",
         "--variables", "{in}/packed/v.auto.pkrvars.json")  # fmt: skip
    variables = (ground.given / "packed/v.auto.pkrvars.json").read_bytes()
    return [
        Subject("Packer's variables", "v.auto.pkrvars.json", (variables,),
                (("packer", "verify", "{case}/v.auto.pkrvars.json"),)),
    ]  # fmt: skip


def _of_archives(ground: Ground) -> list[Subject]:
    from ngtpatch.archives.members import ArchiveDamaged, NotRewritten
    from ngtpatch.archives.rewriting import confirm, members, rewrite
    from ngtpatch.archives.sealed import sealed_members

    files = {"./bin/a.py": b"print(1)\n" * 40, "b.txt": b"b" * 3000, "deep/" + "c" * 120: b""}
    limit = 64 << 20

    def changed(name: str) -> Callable[[Path], None]:
        def check(case: Path) -> None:
            data = (case / name).read_bytes()
            opened = partial(io.BytesIO, data)
            try:
                for member in members(opened, name, limit=limit):
                    assert member.name is not None
                target = io.BytesIO()
                changes = {"./bin/a.py": b"print(2)\n" * 50}
                rewrite(opened, name, target, changes, limit=limit)
                result = target.getvalue()
                confirm(opened, lambda: io.BytesIO(result), name, changes, limit=limit)
            except (ArchiveDamaged, NotRewritten):
                return

        return check

    def sealed(name: str) -> Callable[[Path], None]:
        def check(case: Path) -> None:
            data = (case / name).read_bytes()
            try:
                for _ in sealed_members(lambda: io.BytesIO(data), name, limit=limit):
                    pass
            except ArchiveDamaged:
                return

        return check

    tar = a_tar(files)
    made = {
        "a.tar": tar, "a.tar.gz": gzipped(tar, name=b"a.tar", extra=b"AB\1\0x"),
        "a.zip": a_zip(files), "b.zip": a_zip(files, streamed=True),
    }  # fmt: skip
    found = [
        Subject(f"archive {name}", name, (data,), library=changed(name), bend=bent_bytes)
        for name, data in made.items()
    ]
    for name, data in (("a.deb", _deb(tar)), ("a.rpm", _rpm())):
        found.append(
            Subject(f"archive {name}", name, (data,), library=sealed(name), bend=bent_bytes)
        )
    return found


def _deb(tar: bytes) -> bytes:
    parts = {"debian-binary": b"2.0\n", "control.tar.gz": gzipped(a_tar({"control": b"x"})),
             "data.tar.gz": gzipped(tar)}  # fmt: skip
    data = b"!<arch>\n"
    for name, content in parts.items():
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        data += head.encode() + content + (b"\n" if len(content) % 2 else b"")
    return data


def _rpm() -> bytes:
    """A lead, two empty headers, and a cpio of one file."""

    def entry(name: bytes, content: bytes) -> bytes:
        numbers = [1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % number for number in numbers)
        text = head + name + b"\0"
        text += bytes(-len(text) % 4)
        return text + content + bytes(-len(content) % 4)

    header = b"\x8e\xad\xe8\x01" + bytes(4) + bytes(8)
    lead = b"\xed\xab\xee\xdb\x03\x00" + bytes(90)
    return (
        lead + header + header + gzipped(entry(b"./usr/x", b"x" * 100) + entry(b"TRAILER!!!", b""))
    )


class LateError(BaseException):
    """A case takes too long; no handler of errors takes it for one of the system's."""


@contextmanager
def no_more_cpu_than(seconds: int) -> Iterator[None]:
    """Raise LateError when this process has worked for so long, however busy the machine is."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise LateError

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class _Watch:
    """Tells what a case did that it ought not to: an audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self.inside: str | None = None
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.inside is None:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = (
                bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
                if flags
                else "w" in (mode or "")
            )
            if writes and isinstance(path, str | bytes) and not self._allowed(os.fsdecode(path)):
                self.seen.append(f"opened {os.fsdecode(path)} to write")
        elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir"):
            for path in arguments[:2]:
                if isinstance(path, str | bytes) and not self._allowed(os.fsdecode(path)):
                    self.seen.append(f"{event} {os.fsdecode(path)}")
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn",
                       "socket.connect", "socket.getaddrinfo", "pty.spawn"):  # fmt: skip
            self.seen.append(f"{event} {arguments!r}"[:300])

    def _allowed(self, path: str) -> bool:
        if path.startswith(("/proc/self/fd", "/dev/null")) or path.isdigit():
            return True
        real = os.path.realpath(path)
        return any(real.startswith(one) for one in (self.inside or "", "/proc/"))


WATCH = _Watch()


def try_one(subject: Subject, ground: Ground, case: Path, data: bytes) -> tuple[str, list[str]]:
    """Give one text to all that read it; return what became of it, and what is wrong."""
    outcomes, wrong = [], []
    commands: Sequence[Any] = subject.words or (subject.library,)
    for command in commands:
        shutil.rmtree(case, ignore_errors=True)
        case.mkdir()
        for name, content in subject.around:
            (case / name).touch(mode=0o600)
            (case / name).write_bytes(content)
        (case / subject.file).touch(mode=0o600)
        (case / subject.file).write_bytes(data)
        tempfile.tempdir = str(case)
        WATCH.inside, WATCH.seen = str(case.resolve()), []
        try:
            with no_more_cpu_than(LONGEST):
                if callable(command):
                    outcome, said = _by_library(command, case)
                else:
                    words = [word.replace("{case}", str(case)) for word in command]
                    outcome, said = _by_command(ground.words(tuple(words)))
        except LateError:
            outcome, said = "late", ""
            wrong.append(f"takes more than {LONGEST} s of CPU")
        finally:
            WATCH.inside = None
        name = (
            "library" if callable(command) else " ".join(command[:2]).split(" /")[0].split(" {")[0]
        )
        outcomes.append(f"{name}: {outcome}")
        wrong += [f"{name}: {one}" for one in (*WATCH.seen, *_judged(outcome, said))]
        if (case / "CANARY").exists() or Path("CANARY").exists():
            wrong.append(f"{name}: the text was run")
    return "; ".join(outcomes), wrong


def _judged(outcome: str, said: str) -> list[str]:
    wrong = []
    kind, _, what = outcome.partition(" ")
    if kind == "raised" or (kind == "exit" and int(what) not in DOCUMENTED):
        wrong.append(f"{outcome}: {said[-600:]}")
    if "Traceback" in said and not wrong:
        wrong.append(f"a traceback: {said[-600:]}")
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in said) or "\u202e" in said:
        wrong.append(f"a control character is printed: {said[-300:]!r}")
    return wrong


def _by_command(words: list[str]) -> tuple[str, str]:
    from ngtpatch.cli.app import app

    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2)]
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    code: Any = 0
    try:
        app(words, prog_name="ngtpatch")
    except SystemExit as ended:
        code = ended.code
    except LateError:
        raise
    except BaseException as error:
        code = f"1 by {type(error).__name__}: {error}"
    finally:
        sys.stdout, sys.stderr = before
    said = ""
    for stream in streams:
        stream.flush()
        said += stream.buffer.getvalue().decode(errors="replace")
    if isinstance(code, str):
        return "exit 1", f"{code} {said}"
    return f"exit {code or 0}", said


def _by_library(function: Callable[[Path], object], case: Path) -> tuple[str, str]:
    from ngtpatch.errors import NgtpatchError

    try:
        function(case)
    except NgtpatchError as error:
        return f"{type(error).__name__}", ""
    except Exception as error:
        import traceback

        return f"raised {type(error).__name__}", traceback.format_exc()
    return "returned", ""


def _batch(chosen: Sequence[Subject], ground: Ground, seed: int, count: int, report: Path) -> None:
    """In a child: try cases *seed* and on; write a row for each to *report*."""
    os.environ.clear()
    os.environ.update(ground.environment)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.addaudithook(WATCH)
    case = ground.root / "case"
    with report.open("w") as file:
        for number in range(seed, seed + count):
            chance = random.Random(number)
            subject = chosen[number % len(chosen)]
            data = subject.bend(chance.choice(subject.seeds), chance)
            begin = time.process_time()
            outcome, wrong = try_one(subject, ground, case, data)
            if wrong:
                (ground.root / "found").mkdir(exist_ok=True)
                (ground.root / f"found/{number}-{subject.file}").write_bytes(data)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            row = [number, subject.name, outcome, wrong, time.process_time() - begin, peak]
            file.write(json.dumps(row) + "\n")
            file.flush()


def hostile_texts(
    scratch: Path, *, count: int = 50_000, seed: int = 0, only: Sequence[str] = ()
) -> Result:
    """Try *count* bent texts, in turn of every kind."""
    begin, result = time.monotonic(), Result()
    ground = Ground.make(scratch / "texts", payload=0)
    chosen = [one for one in subjects(ground) if not only or one.name in only]
    longest, largest = (0.0, ""), 0
    for start in range(seed, seed + count, _BATCH):
        report = ground.root / "report.jsonl"
        size = min(_BATCH, seed + count - start)
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                _batch(chosen, ground, start, size, report)
                code = 0
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        rows = [json.loads(row) for row in report.read_text().splitlines()]
        for number, name, outcome, wrong, seconds, peak in rows:
            longest, largest = max(longest, (seconds, name)), max(largest, peak)
            result.add(f"{name}: {outcome}", None)
            result.wrong += [f"case {number}, {name}: {one}" for one in wrong]
        if status or len(rows) < size:
            lost = chosen[(start + len(rows)) % len(chosen)].name
            result.wrong.append(f"case {start + len(rows)}, {lost}: the process ended by {status}")
    if largest << 10 > LARGEST:
        result.wrong.append(f"{largest >> 10} MB were used")
    result.figures["slowest"] = f"{longest[0]:.1f} s of CPU, all of its commands: {longest[1]}"
    result.figures["peak memory"] = f"{largest >> 10} MB"
    result.seconds = time.monotonic() - begin
    return result
