# SPDX-License-Identifier: Apache-2.0
"""``make promises``: break each promise of docs/promises.md on a copy; its test has to see it.

The page is the data. Under each promise it names a test, a file, and a change of that file in
which the promise no longer holds. As the tree stands the test has to pass; with the change it has
to fail, by a failure of the test itself and not of what it needs to start.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGE", "Promise", "broken", "read_promises"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/promises.md"
# What a tree has beside its sources.
_LEFT_OUT = (".*", "__pycache__", "_build", "_screenshots", "build", "dist", "mutants", "*.iso")
_LONGEST = 300
"""Seconds for one test."""

_BAD = ("FAILED", "ERROR", "SKIPPED")

_ATTACK = re.compile(r"Attacked by `([^`]+)`; it fails with this change of `([^`]+)`:\n\n")
_CHANGE = re.compile(r"```diff\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Promise:
    """A promise, and how it is broken.

    Attributes:
        title: the promise, as the page's heading says it.
        test: the node id of the test that attacks it.
        file: the file that is changed, relative to the tree.
        old: lines of it, that stand there once.
        new: what takes their place.
    """

    title: str
    test: str
    file: str
    old: str
    new: str


def read_promises(page: str) -> list[Promise]:
    """Return the promises of a page.

    Raises:
        ValueError: a promise names no test or no change, or a change stands under none.
    """
    _, *sections = re.split(r"^### ", page, flags=re.MULTILINE)
    found = [_promise(section) for section in sections]
    if len(_CHANGE.findall(page)) != len(found):
        raise ValueError("a change stands under no promise, or a promise has two")
    return found


def _promise(section: str) -> Promise:
    title = section.partition("\n")[0]
    attack, change = _ATTACK.search(section), _CHANGE.search(section)
    if attack is None or change is None or attack.end() != change.start():
        raise ValueError(f"{title!r}: no test and change are named")
    lines = change[1].splitlines(keepends=True)
    signs = "".join(line[0] for line in lines).strip()
    if signs != "-+":
        raise ValueError(f"{title!r}: a change is of one line, with what stands beside it")
    old, new = ("".join(line[1:] or line for line in lines if line[0] != sign) for sign in "+-")
    return Promise(title, attack[1], attack[2], old, new)


def broken(before: str, promise: Promise) -> str:
    """Return a file's text with a promise's change.

    Raises:
        ValueError: what is to be changed does not stand there once.
    """
    if before.count(promise.old) != 1 or f"\n{promise.old}" not in before:
        raise ValueError(f"{promise.title!r}: {promise.file} does not have the lines once")
    return before.replace(promise.old, promise.new)


def main() -> None:
    """Try every promise, or those whose title has a word; exit 1 where one is not defended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="a part of a promise's title")
    parser.add_argument("-v", "--verbose", action="store_true", help="show how each test failed")
    arguments = parser.parse_args()
    promises = [
        one
        for one in read_promises(PAGE.read_text(encoding="utf-8"))
        if not arguments.words or any(word in one.title for word in arguments.words)
    ]
    with tempfile.TemporaryDirectory(prefix="promises") as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        passed = _passing(tree, [one.test for one in promises])
        undefended = 0
        for promise in promises:
            verdict, seconds, said = _attacked(tree, promise)
            if promise.test not in passed:
                verdict = "fails, or is skipped, unchanged"
            undefended += verdict != "seen"
            print(f"{verdict:8} {seconds:5.1f} s  {promise.title}")
            print(f"{'':18}{promise.test}", flush=True)
            if arguments.verbose or verdict != "seen":
                print(f"{'':18}{said}", flush=True)
    print(f"{len(promises)} promises broken, {len(promises) - undefended} seen by their tests")
    sys.exit(undefended > 0)


def _passing(tree: Path, tests: Sequence[str]) -> frozenset[str]:
    """Return those of *tests* that pass as the tree stands."""
    said = _pytest(tree, "-rA", *sorted(set(tests)), longest=_LONGEST * len(tests))
    return frozenset(
        test
        for test in tests
        if _line("PASSED", test, said) and not any(_line(bad, test, said) for bad in _BAD)
    )


def _attacked(tree: Path, promise: Promise) -> tuple[str, float, str]:
    """Return what became of a promise's test with its change, in how many seconds, and why."""
    with _changed(tree / promise.file, promise):
        started = time.monotonic()
        try:
            said = _pytest(tree, "-rfE", promise.test, longest=_LONGEST)
        except subprocess.TimeoutExpired:
            return "no end", _LONGEST, f"the test had not ended after {_LONGEST} seconds"
        seconds = time.monotonic() - started
    failure = _line("FAILED", promise.test, said)
    if failure is None:
        return "UNSEEN", seconds, said.strip().rpartition("\n")[2]
    return "seen", seconds, failure


def _line(state: str, test: str, said: str) -> str | None:
    """Return the line of pytest's summary in which *test* has *state*."""
    begin = f"{state} {test}"
    for line in said.splitlines():
        # Without its parameters a test stands for all of them.
        if line.startswith(begin) and line[len(begin) :][:1] in ("", " ", "["):
            return line
    return None


@contextmanager
def _changed(path: Path, promise: Promise) -> Iterator[None]:
    before = path.read_text(encoding="utf-8")
    path.write_text(broken(before, promise), encoding="utf-8")
    try:
        _forget(path)
        yield
    finally:
        path.write_text(before, encoding="utf-8")
        _forget(path)


def _forget(path: Path) -> None:
    """Remove what Python keeps of a module: its check is of whole seconds and of the size."""
    for kept in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        kept.unlink()


def _pytest(tree: Path, *words: str, longest: float) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *words],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=longest, check=False,
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    main()
