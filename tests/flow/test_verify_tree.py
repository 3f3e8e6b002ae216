# SPDX-License-Identifier: Apache-2.0
"""``verify DIR --base --document``: what is not as the document says is said, and not opened."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ngtpatch
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.sample import write_sample
from tests.flow.conftest import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """Return a vendor's ISO, a tree that was made from it, and the document of that."""
    directory = tmp_path_factory.mktemp("made")
    base, tree = directory / "NGT.iso", directory / "tree"
    write_sample(base)
    arguments = ("--distro", "rocky", "--strip-identity", "--output-tree", tree)
    return base, tree, run("--json", "rebuild", base, *arguments).document


def patched(document: Any) -> Any:
    return next(one for one in document["changed"] if one["done"] == "patched")


def member(document: Any) -> Any:
    return next(one for one in document["changed"] if "!" in one["path"])


def removed(document: Any) -> Any:
    return next(one for one in document["changed"] if one["done"] == "removed")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    shutil.move(path, path.parents[3] / "elsewhere")
    path.symlink_to(path.parents[3] / "elsewhere")


@pytest.mark.parametrize("spoil", [Path.unlink, _directory, _pipe, _link])
def test_a_changed_file_that_is_no_file_is_not_opened(
    made: tuple[Path, Path, Any], tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    base, tree, document = made
    copied, said = tmp_path / "tree", tmp_path / "rebuild.json"
    shutil.copytree(tree, copied, symlinks=True)
    said.write_text(json.dumps(document))
    assert ngtpatch.verify(copied, base=base, document=said).problems == ()
    spoil(copied / patched(document)["path"])
    found = ngtpatch.verify(copied, base=base, document=said)
    assert found.error is not None
    assert (found.verdict, found.error.code) == ("not-verified", "changed-outside")


def test_a_document_that_says_too_little_or_too_much_proves_nothing(
    made: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    base, tree, document = made
    said = tmp_path / "rebuild.json"

    def told(change: Callable[[Any], Any]) -> list[str]:
        lie = copy.deepcopy(document)
        change(lie)
        said.write_text(json.dumps(lie))
        found = ngtpatch.verify(tree, base=base, document=said)
        assert (found.verdict == "verified") == (not found.problems)
        return [problem.code for problem in found.problems]

    assert told(lambda _: None) == []
    without = {"sha256_before": None, "sha256_after": None}
    for change in (
        lambda lie: patched(lie).update(without),
        lambda lie: removed(lie).update(sha256_after="11" * 32),
        lambda lie: lie["changed"].insert(0, {**patched(lie), "sha256_after": "11" * 32}),
        lambda lie: lie["changed"].append({**patched(lie), "path": "../../etc/passwd"}),
        lambda lie: member(lie).update(sha256_after="11" * 32),
        lambda lie: member(lie).update(sha256_before=None),
        lambda lie: lie["changed"].append({**member(lie), "path": member(lie)["path"] + "c"}),
    ):
        assert told(change) == ["document-untrue"]
    assert told(lambda lie: lie["changed"].remove(member(lie))) == ["changed-outside"]


def test_a_directory_is_never_called_the_image_byte_for_byte(tmp_path: Path) -> None:
    base, stripped = tmp_path / "NGT.iso", tmp_path / "stripped.iso"
    tree, said = tmp_path / "tree", tmp_path / "rebuild.json"
    write_sample(base)
    strip = IdentityRequest(strip=True)
    ngtpatch.rebuild(base, output=stripped, identity=strip)
    ran = run("--json", "rebuild", stripped, "--strip-identity", "--output-tree", tree)
    said.write_text(ran.out)
    found = ngtpatch.verify(tree, base=stripped, document=said)
    assert found.verdict == "identical"
    sentences = "\n".join(found.sentences())
    assert "byte for byte" not in sentences
    assert f"every file is that of {stripped}" in sentences
