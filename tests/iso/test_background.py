# SPDX-License-Identifier: Apache-2.0
"""What goes on beside the copying ends whenever a signal ends the copying."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, random, signal, sys
from ngtpatch.interrupts import Interrupted
from ngtpatch.files.hasher import Hasher
from ngtpatch.iso.write.background import Flusher

def told(*_):
    raise Interrupted

signal.signal(signal.SIGALRM, told)
random.seed(7)
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for _ in range(200):
    try:
        with Hasher(True) as hasher, Flusher(descriptor, wanted=True) as flusher:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, 0.004))
            while True:
                hasher.update(bytes(4096))
                flusher.wrote(33 << 20)
    except Interrupted:
        pass
print("ended")
"""


def test_a_signal_at_any_moment_leaves_nothing_waiting(tmp_path: Path) -> None:
    """A lock that was taken when the exception came was waited for by both threads, for ever."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "file"],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, "ended\n"), ran.stderr
