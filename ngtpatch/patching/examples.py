# SPDX-License-Identifier: Apache-2.0
"""A patch's own examples, run: what it promises, tried."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ngtpatch.errors import InputError, NgtpatchError
from ngtpatch.files.shipped import data_dir
from ngtpatch.installer.python_source import parse
from ngtpatch.patching.codemods import KINDS
from ngtpatch.patching.insertion import insert
from ngtpatch.patching.patch import Example, Patch, load_patches

__all__ = [
    "ExampleResult",
    "PatchTest",
    "PatchTried",
    "load_tried_patches",
    "run_examples",
    "try_patches",
]


@dataclass(frozen=True)
class ExampleResult:
    """How one example went.

    Attributes:
        title: the example's.
        passed: whether the patch does what the example says, and nothing at a second time.
        found: where it failed, what came instead: a unified diff, or a refusal.
    """

    title: str
    passed: bool
    found: str | None


@dataclass(frozen=True)
class PatchTried:
    """A patch, and how its own examples went."""

    id: str
    source: str
    examples: tuple[ExampleResult, ...]


@dataclass(frozen=True)
class PatchTest:
    """The document of ``ngtpatch patch test``."""

    SCHEMA: ClassVar[str] = "ngtpatch.patch-test/1"

    passed: bool
    patches: tuple[PatchTried, ...]


def try_patches(patches: Iterable[Patch]) -> PatchTest:
    """Try every example of every patch."""
    tried = tuple(PatchTried(patch.id, patch.source, run_examples(patch)) for patch in patches)
    return PatchTest(all(one.passed for patch in tried for one in patch.examples), tried)


def load_tried_patches(directories: Iterable[Path | str] = ()) -> tuple[Patch, ...]:
    """Read the shipped patches and those in *directories*, whose own examples must hold.

    The shipped ones' examples are held by ngtpatch's tests.

    Raises:
        InputError: as :func:`~ngtpatch.patching.patch.load_patches`; ``patch-examples``: one
            does not do what it says of itself.
    """
    patches = load_patches(directories)
    shipped = data_dir("patches")
    for patch in patches:
        if Path(patch.source).parent == shipped:
            continue
        failed = [one for one in run_examples(patch) if not one.passed]
        if failed:
            raise InputError(
                "patch-examples",
                f"the patch {patch.id!r} does not do what its example {failed[0].title!r} says,"
                f" and is not used: {failed[0].found}",
                path=patch.source,
                hint="'ngtpatch patch test' shows all its examples",
            )
    return patches


def run_examples(patch: Patch) -> tuple[ExampleResult, ...]:
    """Try every example of *patch*, in the file's order."""
    return tuple(_run(patch, example) for example in patch.examples)


def _run(patch: Patch, example: Example) -> ExampleResult:
    try:
        after = _apply(patch, example, example.before)
        again = _apply(patch, example, after)
    except NgtpatchError as error:
        said = f"{error.code}: {error.message}"
        if example.refused is None:
            return ExampleResult(example.title, passed=False, found=f"refused, {said}")
        passed = error.code == example.refused
        return ExampleResult(example.title, passed, None if passed else f"refused, {said}")
    expected = example.after
    if expected is None:
        found = f"not refused; expected {example.refused}"
    elif after != expected:
        found = _diff(expected, after, "after, as the example says", "after, as it came")
    elif again != after:
        found = _diff(after, again, "after the first application", "after the second")
    else:
        return ExampleResult(example.title, passed=True, found=None)
    return ExampleResult(example.title, passed=False, found=found)


def _apply(patch: Patch, example: Example, text: str) -> str:
    source = parse(f"{patch.id}: {example.title}", text.encode())
    outcome = KINDS[patch.kind].plan(source, patch, (example.profile,), {})
    return insert(source, outcome.insertions).decode()


def _diff(expected: str, found: str, expected_title: str, found_title: str) -> str:
    def lines() -> Iterator[str]:
        yield from difflib.unified_diff(
            expected.splitlines(), found.splitlines(), expected_title, found_title, lineterm=""
        )

    return "\n".join(lines())
