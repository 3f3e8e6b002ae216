# SPDX-License-Identifier: Apache-2.0
"""The patch format: the documentation's patch works, and every mistake is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ngtpatch.errors import InputError
from ngtpatch.patching.apply import apply
from ngtpatch.patching.examples import run_examples
from ngtpatch.patching.patch import load_patch, load_patches
from ngtpatch.patching.profile import load_profiles
from tests.cli.pages import steps
from tests.installer.texts import ROOT, tree

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "patches.md"
# The page's own patch is the here-document of its first command; tests/cli walks the page.
DOCUMENTED = "\n".join(next(steps(DOCUMENT)).command.splitlines()[1:-1])
ROCKY = load_profiles()["rocky"]

MINIMAL = """\
schema = "ngtpatch.patch/1"
id = "mine"
summary = "Mine."
kind = "recognise"
[where]
paths = ["a.py"]
[[examples]]
title = "one"
profile = { names = ["X"], needles = ["xxx"] }
before = "a = 1\\n"
refused = "anchor-missing"
"""


def written(directory: Path, text: str, name: str = "mine.toml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def test_the_documented_patch_keeps_its_own_promises(tmp_path: Path) -> None:
    patch = load_patch(written(tmp_path, DOCUMENTED, "mover.toml"))
    results = run_examples(patch)
    assert len(results) == 2
    assert [(one.title, one.found) for one in results if not one.passed] == []


def test_the_documented_patch_works_beside_the_shipped_ones(tmp_path: Path) -> None:
    patch = load_patch(written(tmp_path, DOCUMENTED, "mover.toml"))
    mover = ROOT + "src/mover.py"
    before = patch.examples[0].before
    files = tree() | {mover: before.encode()}
    patches = load_patches([tmp_path])
    result = apply(files, [ROCKY], patches)
    assert result.already == ()
    changed = {one.path: one for one in result.changed}
    assert changed[mover].after.decode() == patch.examples[0].after
    assert changed[mover].patches == ("mover",)
    old = files | {"config/ngt_config.json": b'{"ngt_version": "1.7"}'}
    changed = {one.path: one for one in apply(old, [ROCKY], patches).changed}
    assert changed[mover].patches == ("elsewhere",)


def test_every_documented_key_exists_and_every_key_is_documented() -> None:
    from ngtpatch.patching.patch_file import PatchFile

    table = DOCUMENT.read_text().partition("## The keys")[2].partition("###")[0]
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.M))
    schema = PatchFile.model_json_schema()
    tables = {"where": "WhereTable", "anchor": "AnchorTable"}
    tables |= {"parameters": "ParametersTable", "names": "NamesTable"}
    keys = set()
    for key in schema["properties"]:
        inner = schema["$defs"][tables[key]]["properties"] if key in tables else None
        keys |= {key} if inner is None else {f"{key}.{name}" for name in inner}
    assert documented == keys


def test_a_users_patch_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    shipped = {one.id for one in load_patches()}
    written(tmp_path, MINIMAL.replace('"mine"', '"factory"'), "factory.toml")
    loaded = {one.id: one for one in load_patches([tmp_path])}
    assert set(loaded) == shipped
    assert loaded["factory"].summary == "Mine."


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ('id = "mine"', 'id = "other"', "patch-id", "mine.toml"),
        ("patch/1", "patch/2", "patch-schema", "ngtpatch.patch/1"),
        ('schema = "ngtpatch.patch/1"\n', "", "patch-missing-key", "schema"),
        ("[where]", "colour = 1\n[where]", "patch-unknown-key", "colour"),
        ("[where]", "[where]\nfiles = []", "patch-unknown-key", "where.files"),
        ('["a.py"]', '"a.py"', "patch-value", "where.paths"),
        ('["a.py"]', "[]", "patch-value", "where.paths"),
        ('["a.py"]', '["a.py"]\neras = [4]', "patch-value", "where.eras[0]"),
        ('["a.py"]', '["a.py"]\nngt_versions = "new"', "patch-value", "where.ngt_versions"),
        ('["a.py"]', '["a.py"]\nrequired = "yes"', "patch-value", "where.required"),
        ('"recognise"', '"rewrite"', "patch-value", "kind"),
        ('"recognise"', '"loose-version"\nanchor = {}', "patch-value", "anchor"),
        ("[where]", '[anchor]\ncount = "some"\n[where]', "patch-value", "anchor.count"),
        ("[where]", "[anchor]\ncount = 0\n[where]", "patch-value", "anchor.count"),
        ("[where]", "[anchor]\ncount = true\n[where]", "patch-value", "anchor.count"),
        ("[where]", '[parameters]\nneedles = "rocky"\n[where]', "patch-value", "needles"),
        ("[where]", '[names]\nkeep = "Ubuntu"\n[where]', "patch-value", "names.keep"),
        ('refused = "anchor-missing"', "", "patch-value", "examples[0]"),
        ('refused = "anchor-missing"', 'refused = "x"\nafter = "y"', "patch-value", "examples[0]"),
        ('needles = ["xxx"]', "needles = [1]", "patch-value", "examples[0].profile.needles[0]"),
        ("schema =", "schema", "not-toml", "line 1"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(
    tmp_path: Path, old: str, new: str, code: str, says: str
) -> None:
    path = written(tmp_path, MINIMAL.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_patch(path)
    assert caught.value.code == code
    assert says in caught.value.message
    assert caught.value.path == str(path)


def test_the_minimal_patch_is_valid(tmp_path: Path) -> None:
    assert load_patch(written(tmp_path, MINIMAL)).count == 1


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "not-found"),
        (lambda path: path.mkdir(), "is-directory"),
        (lambda path: path.write_bytes(b"\xff"), "not-text"),
        (lambda path: path.write_bytes(b"#" * (1 << 21)), "too-large"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_to_be_one(tmp_path: Path, make, code: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.toml"
    make(path)
    with pytest.raises(InputError) as caught:
        load_patch(path)
    assert (caught.value.code, caught.value.path) == (code, str(path))


@pytest.mark.parametrize(("name", "code"), [("none", "not-found"), ("file", "not-directory")])
def test_a_directory_of_patches_must_be_one(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        load_patches([tmp_path / name])
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("{{ profile.nmes }}", "nmes"),
        ("{{ 1 + }}", "parameters.needles"),
        ("{{ profile.versions | length }}", "not a list"),
        ("{{ profile.__class__.__mro__ }}", "parameters.needles"),
        ("{{ nothing }}", "nothing"),
        ("{{ [1] }}", "not a list"),
    ],
)
def test_an_expression_that_yields_no_texts_is_an_error(
    tmp_path: Path, expression: str, says: str
) -> None:
    text = MINIMAL.replace("[where]", f'[parameters]\nneedles = "{expression}"\n[where]')
    patch = load_patch(written(tmp_path, text))
    with pytest.raises(InputError) as caught:
        patch.needles_for(ROCKY)
    assert caught.value.code == "patch-expression"
    assert says in caught.value.message


def test_an_expression_builds_on_the_profile(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "[where]", "[parameters]\nneedles = \"{{ profile.id + ' l' }}\"\n[where]"
    )
    assert load_patch(written(tmp_path, text)).needles_for(ROCKY) == ("rocky l",)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("installer/linux/*.py", "installer/linux/a.py", True),
        ("installer/linux/*.py", "installer/linux/src/a.py", False),
        ("installer/**/*.py", "installer/a.py", True),
        ("installer/**/*.py", "installer/linux/src/a.py", True),
        ("installer/**", "installer/linux/src/a.sh", True),
        ("a?.py", "ab.py", True),
        ("a?.py", "a/.py", False),
        ("a.py", "aXpy", False),
    ],
)
def test_a_glob_stays_in_its_directory_or_crosses_them(
    tmp_path: Path, glob: str, path: str, matches: bool
) -> None:
    patch = load_patch(written(tmp_path, MINIMAL.replace('"a.py"', f'"{glob}"')))
    assert patch.matches(path) is matches


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        ('refused = "shape"', "anchor-missing"),
        ('after = "a = 1\\n"', "anchor-missing"),
    ],
)
def test_an_example_that_fails_says_what_came_instead(
    tmp_path: Path, outcome: str, found: str
) -> None:
    text = MINIMAL.replace('refused = "anchor-missing"', outcome)
    (result,) = run_examples(load_patch(written(tmp_path, text)))
    assert not result.passed
    assert found in (result.found or "")


def test_an_example_with_another_result_shows_the_difference(tmp_path: Path) -> None:
    (tmp_path / "mover").mkdir()
    text = DOCUMENTED.replace("   'rocky linux' in name or \\\n", "")
    results = run_examples(load_patch(written(tmp_path, text, "mover.toml")))
    assert not results[0].passed
    assert "+   'rocky linux' in name or \\" in (results[0].found or "").splitlines()
    unrefused = DOCUMENTED.replace('keep = ["Acme Linux"]', "keep = []")
    results = run_examples(load_patch(written(tmp_path, unrefused, "mover.toml")))
    assert results[1].found == "not refused; expected conflict"
