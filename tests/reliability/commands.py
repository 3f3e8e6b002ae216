# SPDX-License-Identifier: Apache-2.0
"""The commands that write, each with what it reads, what was there before, and what is right."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from ngtpatch.files.temporaries import TEMPORARY
from ngtpatch.flow.rebuild import rebuild
from ngtpatch.sample import write_sample
from tests.fleet.park import key_windows
from tests.identity import material as m
from tests.reliability.traced import Ran, forked

__all__ = ["COMMANDS", "Ground", "Target", "digests"]

OLD = b"what stood there before\n"


@dataclass(frozen=True)
class Target:
    """A command that writes.

    Attributes:
        name: for reports.
        words: behind ``ngtpatch``; ``{in}`` and ``{out}`` stand for directories.
        before: fills the directory of outputs before each attempt.
        in_place: whether it writes over its own input: then in between it is neither old nor new.
    """

    name: str
    words: tuple[str, ...]
    before: Callable[[Ground], None] = lambda _: None
    in_place: bool = False


def _old_image(ground: Ground) -> None:
    (ground.out / "out.iso").write_bytes(OLD)


def _to_be_edited(ground: Ground) -> None:
    shutil.copy(ground.given / "base.iso", ground.out / "out.iso")


_IDENTITY = (
    "--config", "{in}/ngt_config.json", "--cert", "{in}/client-cert.pem",
    "--key", "{in}/client-key.pem",
)  # fmt: skip

COMMANDS = (
    Target("rebuild", ("rebuild", "{in}/base.iso", *_IDENTITY, "-o", "{out}/out.iso")),
    Target("rebuild -d", ("rebuild", "{in}/base.iso", "-d", "rocky", *_IDENTITY,
                          "-o", "{out}/out.iso")),
    Target("rebuild --force --no-digest",
           ("rebuild", "{in}/base.iso", *_IDENTITY, "-f", "--no-digest", "-o", "{out}/out.iso"),
           _old_image),
    Target("rebuild --in-place", ("rebuild", "{out}/out.iso", *_IDENTITY, "--in-place"),
           _to_be_edited, in_place=True),
    Target("rebuild --output-tree", ("rebuild", "{in}/base.iso", *_IDENTITY,
                                     "--output-tree", "{out}/tree")),
    Target("rebuild --each", ("rebuild", "{in}/base.iso", "-d", "rocky,almalinux", "--each",
                              "--output-dir", "{out}")),
    Target("rebuild --provenance", ("rebuild", "{in}/base.iso", *_IDENTITY, "-o",
                                    "{out}/out.iso", "--sign-key", "{in}/sign.pem")),
    Target("rebuild --each --provenance",
           ("rebuild", "{in}/base.iso", "-d", "rocky,almalinux", "--each", "--output-dir", "{out}",
            "--provenance")),
    Target("rebuild of a directory", ("rebuild", "{in}/tree", "-d", "rocky", "-o",
                                      "{out}/out.iso")),
    Target("inject", ("inject", "{in}/base.iso", "--inventory", "{in}/vms.csv", "--certificates",
                      "{in}/certificates", "--output-dir", "{out}", "-j", "1", "--resume")),
    Target("reset", ("reset", "{in}/rebuilt.iso", "-o", "{out}/out.iso")),
    Target("packer prepare", ("packer", "prepare", "{in}/base.iso", "-d", "rocky", "-o", "{out}",
                              "--variables", "{out}/ngtpatch.auto.pkrvars.json",
                              "--vm-config", "{in}/vm", "--sign-key", "{in}/sign.pem")),
    Target("packer prepare --cache-dir",
           ("packer", "prepare", "{in}/shared.iso", "-d", "rocky", "-o", "{out}",
            "--variables", "{out}/ngtpatch.auto.pkrvars.json", "--cache-dir", "{out}/cache")),
    Target("report", ("report", "{in}/base.iso", "{in}/rebuilt.iso", "-o", "{out}/out.html")),
    Target("identity strip", ("identity", "strip", "{in}/base.iso", "-o", "{out}/out.iso")),
    Target("extract", ("extract", "{in}/base.iso", "config/client-key.pem", "--allow-identity",
                       "-o", "{out}/key.pem")),
    Target("render", ("render", "guest-install.sh", "-o", "{out}/guest-install.sh")),
    Target("profile new", ("profile", "new", "--os-release", "{in}/os-release",
                           "--python", "3.9", "-o", "{out}/some.toml")),
    Target("sample", ("sample", "--seed", "x", "-o", "{out}/sample.iso")),
)  # fmt: skip


def _row(line: bytes) -> str:
    try:
        row = json.loads(line)
    except ValueError:
        return f"torn: {line!r}"
    return f"{row.get('name')} {row.get('state')}"


def digests(directory: Path) -> dict[str, bytes]:
    """Return the contents of everything below a directory, by its path; a directory has none."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@dataclass
class Ground:
    """Inputs below ``given``, which are not written to; outputs below ``out``, made anew."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)

    @property
    def given(self) -> Path:
        return self.root / "in"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @classmethod
    def make(cls, root: Path, payload: int = 3 << 20) -> Ground:
        """Write the inputs; *payload* bytes make an image long enough to be stopped in."""
        ground = cls(root)
        ground.given.mkdir(parents=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("NGTPATCH_")}
        ground.environment = {
            **clean, "NO_COLOR": "1", "SOURCE_DATE_EPOCH": "1700000000", "HOME": str(root),
            "XDG_STATE_HOME": str(root / "state"), "XDG_CACHE_HOME": str(root / "cache"),
        }  # fmt: skip
        write_sample(ground.given / "base.iso", payload=payload)
        begin = datetime.now(timezone.utc) - timedelta(days=1)
        for number in (1, 2):
            folder = ground.given / "certificates" / f"vm{number}"
            folder.mkdir(parents=True)
            for path, data in m.files(number, begin=begin).items():
                places = [folder]
                places += [ground.given, ground.given / "vm"] if number == 1 else []
                for place in places:
                    place.mkdir(exist_ok=True)
                    file = place / Path(path).name
                    file.touch(mode=0o600)
                    file.write_bytes(data)
            ground.keys |= key_windows(m.key_pem(m.private_key("p256", number)))
        (ground.given / "vms.csv").write_text("name\nvm1\nvm2\n")
        (ground.given / "os-release").write_text(
            'NAME="Some Linux"\nID=some\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'
        )
        (ground.given / "sign.pem").touch(mode=0o600)
        (ground.given / "sign.pem").write_bytes(
            m.private_key("ed25519").private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )  # fmt: skip
        # In this process, so that children find profiles, patches and grammars read.
        rebuild(ground.given / "base.iso", distros=["rocky"], output=root / "warm.iso")
        for words in (
            ("rebuild", "{in}/base.iso", "-d", "rocky", "-o", "{in}/rebuilt.iso"),
            ("identity", "strip", "{in}/base.iso", "-o", "{in}/shared.iso"),
            ("rebuild", "{in}/shared.iso", "-d", "rocky", "--output-tree", "{in}/tree"),
        ):
            ran = forked(ground.words(words), ground.environment, root)
            assert ran.code == 0, ran.said
        return ground

    def words(self, words: tuple[str, ...]) -> list[str]:
        return [
            word.replace("{in}", str(self.given)).replace("{out}", str(self.out)) for word in words
        ]

    def fresh(self, target: Target) -> dict[str, bytes]:
        """Make the directory of outputs anew; return what is in it."""
        for name in ("out", "state", "cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        self.out.mkdir()
        target.before(self)
        return digests(self.out)

    def run(self, target: Target) -> Ran:
        return forked(self.words(target.words), self.environment, self.root)

    def right(self, target: Target) -> dict[str, bytes]:
        """Return what the command leaves when nothing fails, having seen that twice."""
        found = []
        for _ in range(2):
            self.fresh(target)
            ran = self.run(target)
            assert ran.code == 0, (target.name, ran.said)
            found.append(self.outputs())
        assert found[0] == found[1], f"{target.name} writes not the same twice"
        return found[0]

    def outputs(self) -> dict[str, bytes]:
        """Return what the command left, but for locks; of a ledger, who is in which state."""
        found = {k: v for k, v in digests(self.out).items() if not k.startswith(".ngtpatch/")}
        if "ledger.jsonl" in found:
            rows = [_row(line) for line in found["ledger.jsonl"].splitlines()]
            found["ledger.jsonl"] = "\n".join(sorted(rows)).encode()
        return found

    def left(
        self, target: Target, before: dict[str, bytes], right: dict[str, bytes], *, killed: bool
    ) -> list[str]:
        """Return what is wrong with what a failed run left."""
        found = []
        for name, data in self.outputs().items():
            if data in (right.get(name), before.get(name)):
                continue
            temporary = any(TEMPORARY.fullmatch(part) for part in Path(name).parts)
            if temporary and killed:
                if any(window in data for window in self.keys):
                    found.append(f"{name} holds key material")
            elif name.endswith("ledger.jsonl"):
                continue  # its rows are dated; what it says is looked at when it is complete
            elif killed and name == "SHA256SUMS" and self._lists(data, right):
                continue  # of --each: image by image
            elif not (target.in_place and name in before):
                found.append(f"{name} is neither right nor absent ({len(data)} bytes)")
        found += [f"{name} is gone" for name in before if not (self.out / name).exists()]
        return found

    def _lists(self, sums: bytes, right: dict[str, bytes]) -> bool:
        """Tell whether each line of *sums* will be there at the end, and is of a file that is."""
        lines = sums.splitlines(keepends=True)
        there = self.outputs()
        names = [os.fsdecode(line.rstrip(b"\n")).partition("  ")[2] for line in lines]
        return set(lines) <= {*right["SHA256SUMS"].splitlines(keepends=True)} and all(
            name in there and there[name] == right[name] for name in names
        )

    def completes(
        self, target: Target, right: dict[str, bytes], *, forced: bool = True
    ) -> list[str]:
        """Run the same command again; return what is wrong then.

        Args:
            target: the command.
            right: what it leaves then.
            forced: it may refuse to write again what it has written; with ``--force`` it does.
        """
        there = self.outputs()
        ran = self.run(target)
        now = self.outputs()
        # Without --force a command that had already written all refuses to do it again.
        if ran.code == 2 and "exists" in ran.said:
            if not forced:
                return ["so much is left of a run that failed that the same command refuses"]
            if there == right:
                return []
            # Killed between its image and the documents about it, which --force completes.
            ran = forked([*self.words(target.words), "--force"], self.environment, self.root)
            now = self.outputs()
        if ran.code != 0 or now != right:
            names = sorted(set(now) ^ set(right)) or [n for n in now if now[n] != right.get(n)]
            return [f"the same command exits {ran.code}: {ran.said.strip()[-300:]!r}; {names}"]
        return []
