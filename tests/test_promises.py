# SPDX-License-Identifier: Apache-2.0
"""The page of promises is what `make promises` can try: each has a test that is there and a change
that can be made. Whether the tests see the changes is for that to say; it takes minutes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.promises import PAGE, Promise, broken, read_promises

ROOT = Path(__file__).resolve().parent.parent
PROMISES = read_promises(PAGE.read_text(encoding="utf-8"))


def test_no_promise_and_no_change_is_there_twice() -> None:
    assert len({one.title for one in PROMISES}) == len(PROMISES)
    assert len({(one.file, one.old, one.new) for one in PROMISES}) == len(PROMISES)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.title[:40])
def test_a_promise_names_a_test_and_a_change(promise: Promise) -> None:
    file, _, name = promise.test.partition("::")
    tests = ast.parse((ROOT / file).read_bytes()).body
    assert name.partition("[")[0] in {one.name for one in tests if isinstance(one, ast.FunctionDef)}
    assert promise.file.startswith("ngtpatch/")
    after = broken((ROOT / promise.file).read_text(encoding="utf-8"), promise)
    compile(after, promise.file, "exec")  # it is a program that is wrong, and no broken one


@pytest.mark.parametrize(
    "page",
    [
        "### A promise\n\nThat names nothing.\n",
        "### A promise\n\nAttacked by `a`; it fails with this change of `b`:\n\nWhich is not.\n",
        "```diff\n-a\n+b\n```\n",
        "### A promise\n\nAttacked by `a`; it fails with this change of `b`:\n\n"
        "```diff\n-a\n-b\n+c\n```\n",
    ],
)
def test_a_promise_without_an_attack_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="change"):
        read_promises(page)
