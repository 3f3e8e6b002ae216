# SPDX-License-Identifier: Apache-2.0
"""Every writing call of every command that writes fails once, at each of its positions.

strace makes it fail; what a short write does, a limit on the size of files does, which the kernel
answers by a short write and then an error. After each: outputs are right, as before, or absent,
nothing else is left, the exit code is 0 or 8, and the same command completes.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.reliability.commands import COMMANDS, Ground, Target
from tests.reliability.result import Result
from tests.reliability.traced import Ran, forked, traced

__all__ = ["failing_calls", "limited_sizes"]

WRITING = (
    "write", "writev", "pwrite64", "fsync", "fdatasync", "sync_file_range", "ftruncate",
    "fallocate", "copy_file_range", "sendfile", "link", "linkat", "rename", "renameat", "renameat2",
    "mkdir", "mkdirat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "utimensat",
    "unlink", "unlinkat", "rmdir",
)  # fmt: skip
ERRORS = ("ENOSPC", "EIO", "EINTR")
# The calls that a signal can interrupt, by their manual pages.
_SLOW = ("write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "openat",
         "copy_file_range", "sendfile")  # fmt: skip
_CREATES = ("O_CREAT", "O_TMPFILE")
_MOST = 400


def _positions(ran: Ran) -> dict[str, list[int]]:
    """Return which call of its kind is one that writes, by kind; counted by thread, as strace does.

    Calls of the program's end, and what opens a file that is there, are none.
    """
    seen: dict[tuple[str, str], int] = {}
    found: dict[str, set[int]] = {}
    for line in ran.calls:
        thread, _, rest = line.partition(" ")
        call, bracket, arguments = rest.strip().partition("(")
        if not bracket or "<... " in call:
            continue
        number = seen[thread, call] = seen.get((thread, call), 0) + 1
        if call != "openat" or any(flag in arguments for flag in _CREATES):
            found.setdefault(call, set()).add(number)
    return {call: sorted(numbers) for call, numbers in found.items()}


def _attempts(ground: Ground, target: Target, every: int) -> Iterator[tuple[str, str, int]]:
    """Yield (call, error, position) of what is to fail; of all, one in *every*."""
    ground.fresh(target)
    ran = traced(
        ground.words(target.words), ground.environment, ground.root, ",".join((*WRITING, "openat"))
    )
    assert ran.code == 0, ran.said
    count = 0
    for call, numbers in _positions(ran).items():
        for error in ERRORS:
            if error == "EINTR" and call not in _SLOW:
                continue
            for number in numbers[:_MOST]:
                count += 1
                if count % every == 0:
                    yield call, error, number


def failing_calls(
    scratch: Path, *, share: float = 1.0, commands: Sequence[Target] = COMMANDS
) -> Result:
    """Fail every call; *share* of them, spread evenly."""
    begin, result = time.monotonic(), Result()
    ground = Ground.make(scratch / "failing")
    for target in commands:
        right = ground.right(target)
        for call, error, number in _attempts(ground, target, max(1, round(1 / share))):
            before = ground.fresh(target)
            ran = traced(
                ground.words(target.words), ground.environment, ground.root, call,
                inject=f"{call}:error={error}:when={number}",
            )  # fmt: skip
            where = f"{target.name}: {call} {number} {error}"
            if not ran.injected:
                result.add("the call did not come again")
                continue
            _judge(result, ground, target, ran, before, right, where)
        result.figures[target.name] = f"{result.tried} up to here"
    result.seconds = time.monotonic() - begin
    return result


def limited_sizes(
    scratch: Path, *, count: int = 40, commands: Sequence[Target] = COMMANDS
) -> Result:
    """Limit the size of every file to *count* sizes: the write that reaches it is short."""
    begin, result = time.monotonic(), Result()
    ground = Ground.make(scratch / "limited")
    for target in commands:
        right = ground.right(target)
        longest = max(map(len, right.values()))
        for number in range(count):
            # A few of the first bytes, then steps over the whole of the longest file.
            limit = number if number < count // 4 else longest * number // count + number
            before = ground.fresh(target)
            ran = forked(
                ground.words(target.words), ground.environment, ground.root,
                first=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit)),
            )  # fmt: skip
            _judge(result, ground, target, ran, before, right, f"{target.name}: {limit} bytes")
    result.seconds = time.monotonic() - begin
    return result


def _judge(
    result: Result, ground: Ground, target: Target, ran: Ran,
    before: dict[str, bytes], right: dict[str, bytes], where: str,
) -> None:  # fmt: skip
    wrong = ground.left(target, before, right, killed=False)
    now = ground.outputs()
    if ran.code == 0 and now != right:
        wrong.append("it says that all is well")
    if ran.code not in (0, 8) or "Traceback" in ran.said:
        wrong.append(f"it exits {ran.code} and says {ran.said.strip()[-300:]!r}")
    refused = ran.code == 8 and "standard output" not in ran.said
    if refused and not any(str(place) in ran.said for place in _named(ground, target)):
        wrong.append(f"it names no output: {ran.said.strip()[-300:]!r}")
    # What is written stays where only the result could not be printed.
    wrong += ground.completes(target, right, forced=not refused)
    result.add(f"{target.name}: exit {ran.code}", f"{where}: {'; '.join(wrong)}" if wrong else None)


def _named(ground: Ground, target: Target) -> Iterator[str]:
    """Yield what the message says when an output could not be written.

    A directory is no output, but where its name in it is not known before the image is made.
    """
    yield f"{ground.out}/"
    if target.name.startswith("packer prepare"):
        yield f"{ground.out}: "
