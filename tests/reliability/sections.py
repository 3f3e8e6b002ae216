# SPDX-License-Identifier: Apache-2.0
"""The sections of docs/reliability.md: what each attacks, and how much of it is the whole."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import (
    canaries,
    disturbed_runs,
    failing_calls,
    hostile_texts,
    long_runs,
    second_readers,
)
from tests.reliability.commands import Target
from tests.reliability.result import Result

__all__ = ["SECTIONS", "Section"]

Commands = Sequence[Target]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        title: its heading.
        held: what has to be true after each attempt, and by which way it is tried.
        whole: attempts that are the whole of it; None where the positions there are decide.
        run: gets a scratch directory, a count, a seed, and which commands it is about.
    """

    title: str
    held: str
    whole: int | None
    run: Callable[[Path, int, int, Commands], Result]


def _of_calls(scratch: Path, percent: int, _seed: int, commands: Commands) -> Result:
    return failing_calls.failing_calls(scratch, share=percent / 100, commands=commands)


def _by_program(*words: str) -> Callable[[Path, int, int, Commands], Result]:
    """Return a section that a program of its own does, which ends by 0 when nothing is wrong."""

    def run(_scratch: Path, count: int, seed: int, _: Commands) -> Result:
        begin = time.monotonic()
        command = [word.format(count=count, seed=seed) for word in words]
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        result = Result(tried=count, seconds=time.monotonic() - begin)
        for line in done.stdout.splitlines():
            counted = re.fullmatch(r" *(\d+) (\S.*)", line)
            if counted and not line.startswith(f"{count} "):
                result.outcomes[counted[2]] += int(counted[1])
            elif line.startswith("all "):
                result.figures["all"] = " ".join(line.split()[1:])
            elif line.strip() and not re.match(
                r"(alias|cut|gate|shape|subject|company|layout) ", line
            ):
                result.figures[f"says ({len(result.figures) + 1})"] = line.strip()
        if done.returncode:
            result.wrong.append(f"it exits {done.returncode}: {done.stderr[-1500:]}")
        return result

    return run


def _records(scratch: Path, count: int, seed: int, _: Commands) -> Result:
    from tests.reliability.hostile_records import hostile_records

    return hostile_records(scratch, count=count, seed=seed)


SECTIONS: dict[str, Section] = {
    "calls": Section(
        "Every writing call fails once",
        "strace makes each call that writes, of each command that writes, fail once at each of its "
        "positions with ENOSPC, EIO and EINTR (the count is the share of the positions, in per "
        "cent). Outputs are right, as before, or absent; nothing else is left; the exit code is 0 "
        "or 8; the same command then completes. `inject` over a fleet and `push` have their own: "
        "`make faults`, `make pushes`.",
        100, _of_calls),
    "sizes": Section(
        "Short writes",
        "A limit on the size of files: the kernel writes short and then fails. By command as many "
        "sizes as the count says. Held is what is held above.",
        40, lambda scratch, count, _, commands: failing_calls.limited_sizes(
            scratch, count=count, commands=commands)),
    "kills": Section(
        "SIGKILL at random moments",
        "What is there is right or absent, no name but a temporary one is left over, none that "
        "holds a window of a key, and the same command completes, with `--force` where it had "
        "written already what it will not replace.",
        500, lambda scratch, count, seed, commands: disturbed_runs.killed_runs(
            scratch, count=count, seed=seed, commands=commands)),
    "two": Section(
        "Two processes on one output",
        "The same command twice, the second started at a random moment of the first: one of them "
        "succeeds, the other succeeds or says that the output exists or is taken, and what is "
        "there is right.",
        200, lambda scratch, count, seed, commands: disturbed_runs.two_on_one_output(
            scratch, count=count, seed=seed, commands=commands)),
    "bases": Section(
        "The base changes while it is read",
        "Written over, cut, grown, or replaced under its name, at a random moment: the output is "
        "that of one of the two bases, whole, or there is none and the reason is said.",
        200, lambda scratch, count, seed, _: disturbed_runs.changed_bases(
            scratch, count=count, seed=seed)),
    "clocks": Section(
        "The clock jumps",
        "Every answer of the wall clock is up to half a day off, in either direction (a shim below "
        "libc): the outputs are the same as without, and nothing fails.",
        100, lambda scratch, count, seed, commands: disturbed_runs.jumping_clocks(
            scratch, count=count, seed=seed, commands=commands)),
    "images": Section(
        "Hostile images",
        "Through the library: descriptors, path tables, records, SUSP, Joliet and UDF with "
        "repaired checksums are changed. Each is refused with a code, or read within its bounds, "
        "compared, edited and, where it can be opened, rebuilt; no other exception, under ten "
        "seconds of CPU, under 200 MB.",
        50_000, _by_program("tests.fuzz.fuzz_images", "--count", "{count}", "--seed", "{seed}")),
    "records": Section(
        "Hostile records inside of images",
        "Through the library: the record's text is bent and its digests are made right again. "
        "`inspect`, `verify`, `reset` and `rebuild` exit as documented, and a reset that says it "
        "gave back the vendor's image did.",
        10_000, _records),
    "texts": Section(
        "Hostile texts and archives",
        "Through the command line inside of one process, and for envelopes, sums and archives "
        "through the library: listings (ncli, Prism, the guest tools' own), inventories (CSV, "
        "JSON, JSON Lines), configurations, PEM, os-release, TOML of profiles and patches, "
        "values, templates, documents, ledgers, envelopes, SHA256SUMS, Packer's variables, tar, "
        "gzip, zip, deb, rpm. A documented exit code, no traceback, no control character printed, "
        "under ten seconds, under 300 MB; an audit hook of Python sees nothing opened for "
        "writing outside of the case's directory, nothing started, no connection.",
        40_000, lambda scratch, count, seed, _: hostile_texts.hostile_texts(
            scratch, count=count, seed=seed)),
    "readers": Section(
        "What other readers say",
        "Mutated images that ngtpatch reads, entry by entry against xorriso, bsdtar, 7z and "
        "isoinfo where these read them: names, kinds, sizes, contents. Every disagreement has one "
        "of these reasons: " + "; ".join(second_readers.REASONS) + ".",
        2_000, lambda scratch, count, seed, _: second_readers.second_readers(
            scratch, count=count, seed=seed)),
    "shapes": Section(
        "Wrong patches: shapes",
        "Installers that decide in generated shapes, run before and after: the new name is "
        "accepted, nobody else is decided about otherwise, or it is refused or uncertain.",
        50_000, _by_program("tests.fuzz.fuzz_shapes", "--count", "{count}", "--seed", "{seed}")),
    "unseen": Section(
        "Wrong patches: gates, cuts and aliases",
        "As above, with what may stand between the question and the decision.",
        50_000, _by_program("tests.fuzz.fuzz_unseen", "--count", "{count}", "--seed", "{seed}")),
    "flips": Section(
        "Bytes flipped in written images",
        "`verify` sees each, with the base always, without it where the record names a digest.",
        5_000, _by_program("tests.fuzz.flips", "--count", "{count}")),
    "fleet": Section(
        "Kills of a run over a fleet",
        "`inject` with workers killed at random moments, then completed (tests/fleet/kills.py).",
        300, _by_program("tests.fleet.kills", "--count", "{count}")),
    "secrets": Section(
        "A canary key and a canary password",
        "Through each command and each option that meets a secret: what it prints, what it leaves "
        "below the output, temporary, state and cache directories, its command line and its "
        "environment in /proc while it runs, and its modes under umask 000 and 077. The key is "
        "only where it was asked for, in files of mode 0600. Symbolic links planted at every name "
        "that is written are not followed.",
        None, lambda scratch, count, seed, _: canaries.canaries(scratch)),
    "long": Section(
        "Long runs in one process",
        "Discs opened, checked and planned over, and rebuilds (one in a hundred of the count), "
        "in one process: memory and open files are at the end what they were after the first "
        "tenth.",
        50_000, lambda scratch, count, seed, _: long_runs.long_runs(scratch, count=count)),
}  # fmt: skip
