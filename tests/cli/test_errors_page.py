# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md: every code that the sources give an error, and no other."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import jsonschema
import pytest

from ngtpatch import errors
from ngtpatch.cli.app import app
from tests import program
from tests.told import TOLD, InProcess, codes_of_the_page, of_the_library, untold

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for path in sorted((ROOT / "ngtpatch").rglob("*.py"))
    if "sources" not in path.relative_to(ROOT / "ngtpatch").parts
]
CLASSES = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
# Put together in files/validation.py, by the kind of file.
COMPUTED = {
    f"{what}-{how}"
    for what in ("patch", "profile")
    for how in ("schema", "unknown-key", "missing-key", "value")
} | {"profile-version-type"}
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def makers() -> set[str]:
    """Return the functions that return an error or nothing else: they are given its code."""
    return {
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef) and node.returns is not None
        if ast.unparse(node.returns) in CLASSES | {"Finding", "NoReturn"}
    }


def texts() -> dict[str, str]:
    """Return every text of the sources that could be a code, and where it stands."""
    return {
        node.value: f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if CODE.fullmatch(node.value)
    }


def given_codes() -> dict[str, str]:
    """Return the codes that errors are made with, where they are written as a text."""
    found: dict[str, str] = {}
    passing = makers()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            texts_given = [word.value for word in node.keywords if word.arg == "code"]
            if name in CLASSES:
                texts_given += node.args[:1]
            elif name in passing:
                texts_given += [
                    one
                    for one in node.args
                    if isinstance(one, ast.Constant) and CODE.fullmatch(str(one.value))
                    if "-" in str(one.value)
                ]
            for text in texts_given:
                # Either of two: `"a" if ... else "b"`.
                for one in ast.walk(text):
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        found[one.value] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def test_every_code_has_a_cause_and_a_remedy() -> None:
    page, given = codes_of_the_page(), given_codes()
    assert len(given) > 120
    assert {code: where for code, where in given.items() if code not in page} == {}
    assert COMPUTED - page.keys() == set()
    assert [code for code, (cause, remedy) in page.items() if len(cause) < 15 or not remedy] == []


def test_every_code_is_named_by_a_test() -> None:
    tests = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
    tests = tests.replace(Path(__file__).read_text().partition("def test_")[0], "")

    def named(code: str) -> bool:
        # A word of one part is also one of the language: it has to be a text by itself.
        around = r"(?<![\w-]){}(?![\w-])" if "-" in code else r"""["'`]{}["'`]"""
        return re.search(around.format(re.escape(code)), tests) is not None

    assert {code for code in codes_of_the_page() if not named(code)} == set()


def test_a_code_counts_when_a_command_has_printed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """That each of them was is asked at the end of ``make test``: see tests/told.py."""
    seen: set[str] = set()
    monkeypatch.setattr("tests.told.TOLD", seen)
    assert {"not-found", "usage"} < untold()
    assert not {"no-stdout", "needs-digest"} & untold()
    program.run("--json", "inspect", "nowhere.iso")
    assert seen == {"not-found"}
    assert "not-found" not in untold()


def test_what_is_said_to_be_of_the_library_is_on_the_page() -> None:
    assert of_the_library() < codes_of_the_page().keys()


def test_no_code_is_on_the_page_that_nothing_gives() -> None:
    there = texts()
    assert [
        code for code in codes_of_the_page() if code not in there and code not in COMPUTED
    ] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["inspect", "nowhere.iso"], "not-found"),
        (["rebuild", "nowhere.iso"], "no-output"),
        (["identity", "check", "nowhere.iso"], "not-found"),
        (["patch", "show", "no-such-patch"], "unknown-patch"),
        (["sample", "-o", "x.iso", "--era", "9"], "usage"),
    ],
)
def test_an_error_document_is_of_the_form_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    TOLD.discard(code)
    runner = InProcess()
    schema = json.loads(runner.invoke(app, ["schema", "error"]).stdout)
    document = json.loads(runner.invoke(app, ["--json", *words]).stdout)
    jsonschema.validate(document, schema)
    assert document["error"]["code"] == code
    assert code in codes_of_the_page()
    assert code in TOLD  # --every-code counts what is printed in this process, too


def test_no_test_runs_commands_that_do_not_count() -> None:
    users = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"^ *from click\.testing import .*CliRunner", path.read_text(), re.M)
    ]
    assert users == ["told.py"]  # where InProcess is made of it
