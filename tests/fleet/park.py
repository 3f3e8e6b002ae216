# SPDX-License-Identifier: Apache-2.0
"""A park of VMs to run on: a base, certificates of today, an inventory; and the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests import program
from tests.identity import material as m
from tests.told import printed

TODAY = datetime.now(timezone.utc)
FRESH: dict[str, Any] = {"begin": TODAY - timedelta(days=1)}
EXPIRED: dict[str, Any] = {"begin": TODAY - timedelta(days=1001)}
ENVIRONMENT = {**os.environ, "NO_COLOR": "1"}


@dataclass(frozen=True)
class Park:
    """Files of a number of VMs below one directory.

    Attributes:
        root: holds base.iso, vms.csv, certificates/<name>/, and the outputs in out/.
        material: by VM, the three files by their path on an image.
    """

    root: Path
    material: dict[str, dict[str, bytes]]

    @property
    def out(self) -> Path:
        return self.root / "out"

    def arguments(self, *more: object) -> list[str]:
        return [
            sys.executable, "-m", "ngtpatch", "inject", str(self.root / "base.iso"),
            "--inventory", str(self.root / "vms.csv"),
            "--certificates", str(self.root / "certificates"),
            "--output-dir", str(self.out), *map(str, more),
        ]  # fmt: skip

    def ngtpatch(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run another command."""
        return program.run(*arguments, env=ENVIRONMENT)

    def inject(self, *more: object) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return program.run(*self.arguments(*more)[3:], env=ENVIRONMENT)

    def inject_while(
        self, change: Callable[[], object], *more: object, rows: int = 2
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; it is halted after *rows* rows, and *change* is made."""
        ledger = self.out / "ledger.jsonl"
        with subprocess.Popen(
            self.arguments("--config-only", "--jobs", 1, *more), env=ENVIRONMENT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            while not ledger.exists() or ledger.read_bytes().count(b"\n") < rows:
                assert process.poll() is None
                time.sleep(0.001)
            process.send_signal(signal.SIGSTOP)
            try:
                change()
                assert process.poll() is None
            finally:
                process.send_signal(signal.SIGCONT)
            output, errors = process.communicate()
        return subprocess.CompletedProcess(
            process.args, process.returncode, printed(output), errors
        )

    def give(self, name: str, files: dict[str, bytes]) -> None:
        """Give a VM other files than it had."""
        self.material[name] = files
        folder = self.root / "certificates" / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in files.items():
            file = folder / Path(path).name
            file.touch(mode=0o600)
            file.write_bytes(data)

    def move(self, old: str, new: str, **instead: Any) -> None:
        """Give *new* what *old* has, and *old* something else."""
        self.give(new, self.material[old])
        self.give(old, m.files(40 + int(old[2:]), kind="p256", **(instead or FRESH)))

    def rows(self, name: str = "ledger.jsonl") -> dict[str, dict[str, Any]]:
        """The ledger by VM; a VM twice would be noticed."""
        lines = printed((self.out / name).read_text()).splitlines()
        rows = {row["name"]: row for row in map(json.loads, lines)}
        assert len(rows) == len(lines)
        return rows

    def listing(self) -> set[str]:
        """What is in the output directory, but for the locks."""
        return {path.name for path in self.out.iterdir()} - {".ngtpatch"}

    def expected_listing(self) -> set[str]:
        return {"ledger.jsonl", *(f"{name}.iso" for name in self.material)}

    def wrong(self) -> list[str]:
        """VMs whose output is missing, not theirs, not 0600, or not sound."""
        return [name for name in self.material if not self.right(name)]

    def right(self, name: str) -> bool:
        path = self.out / f"{name}.iso"
        if not path.is_file() or path.stat().st_mode & 0o777 != 0o600:
            return False
        with Volume.open(path) as volume:
            return all(volume.tree[p] == data for p, data in self.material[name].items())


def park(
    root: Path, count: int, *, payload: int = 0, kind: str = "p256", udf: bool = False
) -> Park:
    """Make a park of *count* VMs called vm1, vm2, ..."""
    root.mkdir(exist_ok=True)
    (root / "certificates").mkdir()
    write_sample(root / "base.iso", payload=payload, udf=udf)
    result = Park(root, {})
    for number in range(1, count + 1):
        result.give(f"vm{number}", m.files(number, kind=kind, **FRESH))
    lines = ["name", *result.material]
    (root / "vms.csv").write_text("\n".join(lines) + "\n")
    return result


# PKCS #8 headers: what all keys of a kind begin with betrays none. The longest, RSA's.
_HEADER = 52


def key_windows(key: bytes, length: int = 16) -> set[bytes]:
    """Return every *length* bytes of a key's base64 that could betray it.

    Its public half is in the certificate as well, and where both begin at the same third of
    a base64 group (by the length of the random serial number) in the same letters.
    """
    body = b"".join(key.splitlines()[1:-1])[_HEADER:]
    known = set[bytes]()
    with suppress(ValueError, TypeError):  # damaged, or encrypted: nobody has its public half
        public = (
            serialization.load_pem_private_key(key, None)
            .public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        for shift in range(3):
            known |= _windows(b64encode(bytes(shift) + public), length)
    return _windows(body, length) - known


def _windows(text: bytes, length: int) -> set[bytes]:
    return {text[i : i + length] for i in range(len(text) - length + 1)}


def betrayed(key: bytes, text: bytes) -> bool:
    """Whether any window of the key stands in *text*, line breaks or not."""
    joined = text.replace(b"\n", b"").replace(b"\\n", b"")
    return any(window in text or window in joined for window in key_windows(key))
