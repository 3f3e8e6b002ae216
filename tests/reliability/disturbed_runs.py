# SPDX-License-Identifier: Apache-2.0
"""Commands that are killed, that meet another on the same output, whose base or clock changes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.reliability.commands import COMMANDS, Ground, Target
from tests.reliability.result import Result
from tests.reliability.traced import Ran, forked
from tests.requirements import tool

__all__ = ["changed_bases", "jumping_clocks", "killed_runs", "two_on_one_output"]


def _length(ground: Ground, target: Target) -> float:
    ground.fresh(target)
    begin = time.monotonic()
    ground.run(target)
    return time.monotonic() - begin


def killed_runs(
    scratch: Path, *, count: int = 500, seed: int = 0, commands: Sequence[Target] = COMMANDS
) -> Result:
    """SIGKILL at a random moment of a command, in turn of all; look, and run it to its end.

    But for what is written over its own input, which a kill leaves half written.
    """
    begin, result, chance = time.monotonic(), Result(), random.Random(seed)
    ground = Ground.make(scratch / "killed")
    commands = [target for target in commands if not target.in_place][:count]
    rights = {target.name: ground.right(target) for target in commands}
    lengths = {target.name: _length(ground, target) for target in commands}
    for number in range(count):
        target = commands[number % len(commands)]
        moment = chance.uniform(0, lengths[target.name])
        before = ground.fresh(target)

        def kill(pid: int, moment: float = moment) -> None:
            time.sleep(moment)
            os.kill(pid, signal.SIGKILL)

        ran = forked(ground.words(target.words), ground.environment, ground.root, meanwhile=kill)
        right = rights[target.name]
        wrong = ground.left(target, before, right, killed=True)
        wrong += ground.completes(target, right)
        became = "killed" if ran.code == -signal.SIGKILL else f"it had ended, exit {ran.code}"
        where = f"{target.name}: killed after {moment:.4f} s"
        result.add(f"{target.name}: {became}", f"{where}: {'; '.join(wrong)}" if wrong else None)
    result.seconds = time.monotonic() - begin
    return result


def two_on_one_output(
    scratch: Path, *, count: int = 200, seed: int = 0, commands: Sequence[Target] = COMMANDS
) -> Result:
    """Start a command while the same command runs: one output, right, and nothing else."""
    begin, result, chance = time.monotonic(), Result(), random.Random(seed)
    ground = Ground.make(scratch / "two")
    commands = [target for target in commands if not target.in_place][:count]
    rights = {target.name: ground.right(target) for target in commands}
    lengths = {target.name: _length(ground, target) for target in commands}
    for number in range(count):
        target = commands[number % len(commands)]
        moment = chance.uniform(0, lengths[target.name])
        ground.fresh(target)
        others: list[Ran] = []

        def second(_: int, target: Target = target, moment: float = moment,
                   others: list[Ran] = others) -> None:  # fmt: skip
            time.sleep(moment)
            others.append(ground.run(target))

        ran = forked(ground.words(target.words), ground.environment, ground.root, meanwhile=second)
        codes = sorted((ran.code, others[0].code))
        now, right = ground.outputs(), rights[target.name]
        wrong = [f"{name} is not right" for name in now if now[name] != right.get(name)]
        wrong += [f"{name} is missing" for name in right if name not in now]
        if codes[0] != 0 or codes[1] not in (0, 2) or "Traceback" in ran.said + others[0].said:
            wrong.append(f"they exit {codes}: {ran.said[-300:]!r} and {others[0].said[-300:]!r}")
        where = f"{target.name}: the second after {moment:.4f} s"
        result.add(f"exits {codes[0]} and {codes[1]}",
                   f"{where}: {'; '.join(wrong)}" if wrong else None)  # fmt: skip
    result.seconds = time.monotonic() - begin
    return result


def changed_bases(scratch: Path, *, count: int = 200, seed: int = 0) -> Result:
    """Change the base while it is read: written over, cut, grown, replaced by another by name.

    The output is the one of the base as it was or, where the run began late enough, as it is.
    """
    begin, result, chance = time.monotonic(), Result(), random.Random(seed)
    ground = Ground.make(scratch / "bases")
    commands = [
        target for target in COMMANDS
        if target.name in ("rebuild", "rebuild --force --no-digest", "rebuild --output-tree",
                           "inject", "identity strip", "rebuild --provenance")
    ]  # fmt: skip
    base, kept, other = (ground.given / name for name in ("base.iso", "kept.iso", "other.iso"))
    base.rename(kept)
    data = bytearray(kept.read_bytes())
    at = data.rindex(b"agent")  # of the last file that says it: content, not structure
    data[at : at + 5] = b"other"
    other.write_bytes(data)
    rights: dict[tuple[str, str], dict[str, bytes]] = {}
    for source in (kept, other):
        shutil.copy(source, base)
        rights |= {(target.name, source.name): ground.right(target) for target in commands}
    lengths = {target.name: _length(ground, target) for target in commands}
    for number in range(count):
        target = commands[number % len(commands)]
        how = chance.choice(("over", "cut", "grow", "rename"))
        moment = chance.uniform(0, lengths[target.name])
        shutil.copy(kept, base)
        before = ground.fresh(target)

        def change(_: int, how: str = how, moment: float = moment) -> None:
            time.sleep(moment)
            if how == "rename":
                shutil.copy(other, ground.given / "new.iso")
                (ground.given / "new.iso").rename(base)
                return
            with base.open("r+b") as file:
                if how == "over":
                    file.write(other.read_bytes())
                elif how == "cut":
                    file.truncate(len(data) // 2)
                else:
                    file.seek(0, os.SEEK_END)
                    file.write(b"more")

        ran = forked(ground.words(target.words), ground.environment, ground.root, meanwhile=change)
        now = ground.outputs()
        sides = [rights[target.name, source.name] for source in (kept, other)]
        wrong = []
        if ran.code == 0 and now not in sides and how != "grow":
            wrong.append(f"it says all is well, and {list(now)} is of neither base")
        if ran.code != 0:
            names = [
                n for n in now if now[n] not in (sides[0].get(n), sides[1].get(n), before.get(n))
            ]
            names = [n for n in names if not n.endswith("ledger.jsonl")]
            wrong += [f"it exits {ran.code} and leaves {name}" for name in names]
        if ran.code not in (0, 1, 3, 4, 6) or "Traceback" in ran.said or "unexpected" in ran.said:
            wrong.append(f"it exits {ran.code}: {ran.said[-400:]!r}")
        if ran.code == 1 and "changed" not in ran.said and "ended early" not in ran.said:
            wrong.append(f"it exits 1: {ran.said[-400:]!r}")
        where = f"{target.name}: {how} after {moment:.4f} s"
        result.add(f"{how}: exit {ran.code}", f"{where}: {'; '.join(wrong)}" if wrong else None)
    result.seconds = time.monotonic() - begin
    return result


_JUMPS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
/* Each answer of the wall clock is up to half a day off, in either direction. */
static long off(void) {
    static unsigned int state;
    if (!state) state = (unsigned) atoi(getenv("JUMPS"));
    return (long) (rand_r(&state) % 86400) - 43200;
}
int clock_gettime(clockid_t which, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(which, now);
    if (which == CLOCK_REALTIME) now->tv_sec += off();
    return code;
}
time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
"""


def jumping_clocks(
    scratch: Path, *, count: int = 100, seed: int = 0, commands: Sequence[Target] = COMMANDS
) -> Result:
    """Run commands with a wall clock that jumps by up to half a day at every answer."""
    begin, result = time.monotonic(), Result()
    ground = Ground.make(scratch / "clocks")
    code, shim = ground.root / "jumps.c", ground.root / "jumps.so"
    code.write_text(_JUMPS)
    subprocess.run(
        [tool("gcc", "gcc"), "-shared", "-fPIC", "-o", str(shim), str(code), "-ldl"], check=True
    )
    commands = commands[:count]
    rights = {target.name: ground.right(target) for target in commands}
    for number in range(count):
        target = commands[number % len(commands)]
        ground.fresh(target)
        environment = {
            **ground.environment, "LD_PRELOAD": str(shim), "JUMPS": str(seed + number + 1),
        }  # fmt: skip
        ran = subprocess.run(
            [sys.executable, "-m", "ngtpatch", *ground.words(target.words)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        wrong = None
        if ran.returncode or ground.outputs() != rights[target.name]:
            wrong = f"{target.name}, clock {seed + number + 1}: {ran.stderr[-300:]!r}"
        result.add(f"exit {ran.returncode}", wrong)
    result.seconds = time.monotonic() - begin
    return result
