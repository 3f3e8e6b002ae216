# SPDX-License-Identifier: Apache-2.0
"""A canary key through each command that meets one: where it shows, and where it may.

Looked for in all that is printed, in every file below the outputs, the temporary, the state and
the cache directory, in the arguments and the environment of each process of the command while it
runs, window by window of the key's base64 (and by no code of ngtpatch). Each under umask 000 and
077, and once with a symbolic link planted at the name that is written.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.reliability.commands import Ground
from tests.reliability.result import Result
from tests.reliability.traced import Ran, forked

__all__ = ["canaries"]

# By command: may its outputs hold the key? Then they are 0600.
COMMANDS: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    ("rebuild with identity", True,
     ("rebuild", "{in}/base.iso", "--config", "{in}/ngt_config.json", "--cert",
      "{in}/client-cert.pem", "--key", "{in}/client-key.pem", "-o", "{out}/out.iso")),
    ("rebuild of one VM's disc", True, ("rebuild", "{in}/vm1.iso", "-d", "rocky",
                                        "-o", "{out}/out.iso")),
    ("rebuild --output-tree", True,
     ("rebuild", "{in}/vm1.iso", "--set", "port=2075", "--output-tree", "{out}/tree")),
    ("rebuild --provenance", True,
     ("rebuild", "{in}/vm1.iso", "--set", "port=2075", "-o", "{out}/out.iso",
      "--sign-key", "{in}/sign.pem")),
    ("rebuild --strip-identity", False,
     ("rebuild", "{in}/vm1.iso", "--strip-identity", "-o", "{out}/out.iso")),
    ("identity strip", False, ("identity", "strip", "{in}/vm1.iso", "-o", "{out}/out.iso")),
    ("identity show", False, ("identity", "show", "{in}/vm1.iso", "-vv")),
    ("identity show, a directory", False, ("identity", "show", "{in}/vm", "-vv")),
    ("identity check", False, ("identity", "check", "{in}/vm1.iso", "-vv")),
    ("identity check --plan", False, ("identity", "check", "{in}/vm1.iso", "--plan",
                                      "-o", "{out}/plan.md")),
    ("inject", True, ("inject", "{in}/base.iso", "--inventory", "{in}/vms.csv", "--certificates",
                      "{in}/certificates", "--output-dir", "{out}", "-j", "2", "-vv")),
    ("inject --config-only", True,
     ("inject", "{in}/base.iso", "--inventory", "{in}/vms.csv", "--certificates",
      "{in}/certificates", "--output-dir", "{out}", "--config-only", "-j", "1")),
    ("inject -n --whole", False,
     ("inject", "{in}/base.iso", "--inventory", "{in}/vms.csv", "--certificates",
      "{in}/certificates", "--output-dir", "{out}", "-n", "--whole", "{out}/whole.json")),
    ("packer prepare", True, ("packer", "prepare", "{in}/base.iso", "-d", "rocky", "-o", "{out}",
                              "--variables", "{out}/v.auto.pkrvars.json",
                              "--vm-config", "{in}/vm")),
    ("packer prepare of one VM's disc", False,
     ("packer", "prepare", "{in}/vm1.iso", "-d", "rocky", "-o", "{out}",
      "--variables", "{out}/v.auto.pkrvars.json", "--cache-dir", "{out}/cache")),
    ("reset", False, ("reset", "{in}/vm1.iso", "--base", "{in}/base.iso", "-o", "{out}/out.iso")),
    ("verify", False, ("verify", "{in}/vm1.iso", "--base", "{in}/base.iso", "-vv")),
    ("inspect", False, ("inspect", "{in}/vm1.iso", "-vv")),
    ("diff", False, ("diff", "{in}/base.iso", "{in}/vm1.iso")),
    ("ls", False, ("ls", "{in}/vm1.iso")),
    ("support --report", False, ("support", "{in}/vm1.iso", "-d", "rocky",
                                 "--report", "{out}/report.json")),
    ("report", False, ("report", "{in}/base.iso", "{in}/vm1.iso", "-o", "{out}/out.html")),
    ("extract, refused", False, ("extract", "{in}/vm1.iso", "config/client-key.pem",
                                 "-o", "{out}/key.pem")),
    ("extract --allow-identity", True, ("extract", "{in}/vm1.iso", "config/client-key.pem",
                                        "--allow-identity", "-o", "{out}/key.pem")),
    ("a key in the configuration's place", False,
     ("rebuild", "{in}/base.iso", "--config", "{in}/client-key.pem", "-o", "{out}/out.iso")),
    ("a key in the certificate's place", False,
     ("rebuild", "{in}/base.iso", "--config", "{in}/ngt_config.json", "--cert",
      "{in}/client-key.pem", "--key", "{in}/client-key.pem", "-o", "{out}/out.iso", "-vv")),
    ("a key as an ISO", False, ("inspect", "{in}/client-key.pem", "-vv")),
    ("a key as an inventory", False, ("inject", "{in}/base.iso", "--inventory",
                                      "{in}/client-key.pem", "--output-dir", "{out}", "-vv")),
    ("a key as an os-release", False, ("profile", "new", "--os-release", "{in}/client-key.pem",
                                       "-o", "{out}/x.toml", "-vv")),
    ("a key as a list", False, ("status", "{in}/client-key.pem", "-vv")),
    ("a key as values", False, ("render", "guest-install.sh", "--values", "{in}/client-key.pem",
                                "-o", "{out}/x.sh", "-vv")),
    ("a key as a template", False, ("render", "{in}/client-key.pem", "-o", "{out}/x.sh", "-vv")),
    ("a key as a patch", False, ("patch", "test", "{in}/client-key.pem", "-vv")),
    ("a key as a public key", False, ("verify", "{in}/vm1.iso", "--provenance", "--key",
                                      "{in}/client-key.pem", "-vv")),
    ("a key as credentials", False, ("status", "--prism", "127.0.0.1:1", "--credentials",
                                     "{in}/client-key.pem", "--timeout", "1", "-vv")),
    ("a password that is refused", False, ("status", "--prism", "127.0.0.1:1", "--credentials",
                                           "{in}/credentials", "--timeout", "1", "-vv")),
)  # fmt: skip
PASSWORD = "canary-4b1d-password"


def _told(pid: int, seen: list[bytes]) -> None:
    """Read arguments and environments of the command and its workers for as long as they live."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end and Path(f"/proc/{pid}/stat").exists():
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z":
                return
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                group = folder.joinpath("stat").read_text().rsplit(") ", 1)[1].split()[2]
                if int(group) == pid:
                    seen += [folder.joinpath(one).read_bytes() for one in ("cmdline", "environ")]
        time.sleep(0.05)


def canaries(scratch: Path) -> Result:
    """Try each command under two umasks, and with links in the places of its outputs."""
    begin, result = time.monotonic(), Result()
    ground = Ground.make(scratch / "canaries", payload=0)
    (ground.given / "credentials").touch(mode=0o600)
    (ground.given / "credentials").write_text(f"username = admin\npassword = {PASSWORD}\n")
    temporary = ground.root / "tmp"
    ground.environment["TMPDIR"] = str(temporary)
    secrets = ground.keys | {PASSWORD.encode()}
    temporary.mkdir()
    ran = forked(
        ground.words(("rebuild", "{in}/base.iso", "--config", "{in}/ngt_config.json", "--cert",
                      "{in}/client-cert.pem", "--key", "{in}/client-key.pem",
                      "-o", "{in}/vm1.iso")), ground.environment, ground.root,
    )  # fmt: skip
    assert ran.code == 0, ran.said
    for name, may_hold, words in COMMANDS:
        left: set[str] = set()
        for umask in (0o000, 0o077):
            _fresh(ground, temporary)
            seen: list[bytes] = []
            ran = forked(
                ground.words(words), ground.environment, ground.root,
                meanwhile=partial(_told, seen=seen), first=partial(os.umask, umask),
            )  # fmt: skip
            wrong = _shown(ran, seen, secrets) + _stored(ground, temporary, secrets, may_hold)
            left |= {path.name for path in ground.out.rglob("*") if path.is_file()}
            where = f"{name}, umask {umask:03o}"
            result.add(f"exit {ran.code}", f"{where}: {'; '.join(wrong)}" if wrong else None)
        if left:
            wrong = _planted(ground, temporary, words, left)
            result.add("links planted", f"{name}, links: {'; '.join(wrong)}" if wrong else None)
    result.seconds = time.monotonic() - begin
    return result


def _fresh(ground: Ground, temporary: Path) -> None:
    for folder in (ground.out, temporary, ground.root / "state", ground.root / "cache"):
        shutil.rmtree(folder, ignore_errors=True)
    ground.out.mkdir()
    temporary.mkdir()


def _shown(ran: Ran, seen: list[bytes], secrets: set[bytes]) -> list[str]:
    wrong = []
    if any(one in ran.said.encode() for one in secrets):
        wrong.append("it prints it")
    if any(one in text for text in seen for one in secrets):
        wrong.append("/proc shows it")
    if "Traceback" in ran.said or ran.code == 1:
        wrong.append(f"it exits {ran.code}: {ran.said[-300:]!r}")
    return wrong


def _stored(ground: Ground, temporary: Path, secrets: set[bytes], may_hold: bool) -> list[str]:
    wrong = []
    places = (ground.out, temporary, ground.root / "state", ground.root / "cache")
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if not any(one in data for one in secrets):
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if not may_hold or ground.out not in path.parents:
            wrong.append(f"{path.name} holds it")
        elif mode & 0o077:
            wrong.append(f"{path.name} holds it with mode {mode:o}")
    return wrong


def _planted(ground: Ground, temporary: Path, words: tuple[str, ...], names: set[str]) -> list[str]:
    """Plant links to a file of somebody's at each name that was written; it stays as it is."""
    victim = ground.root / "victim"
    wrong = []
    for target in (victim, ground.root / "nothing"):
        _fresh(ground, temporary)
        victim.write_bytes(b"somebody's")
        victim.chmod(0o600)
        for name in names:
            (ground.out / name).symlink_to(target)
        forked(ground.words(words), ground.environment, ground.root)
        if victim.read_bytes() != b"somebody's":
            wrong.append("a link was followed, and what is behind it is another's now")
        if (ground.root / "nothing").exists():
            wrong.append("a link that leads nowhere was followed")
            (ground.root / "nothing").unlink()
    return wrong
