# SPDX-License-Identifier: Apache-2.0
"""What the page of an image says of one that is not as it should be.

Installers are not asked here, which takes seconds: test_in_the_browser.py does that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.cli.app import app
from ngtpatch.flow.verdicts import Support
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.volume import Volume
from ngtpatch.report.image_page import Asked, ImagePage, page_of_images
from ngtpatch.report.stated import Stated
from ngtpatch.sample import write_sample
from tests.told import InProcess

ROOT = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def _nobody_asks_an_installer(monkeypatch: pytest.MonkeyPatch) -> None:
    def support(source: str | Path, **_: object) -> Support:
        return Support(str(source), "2.0.1", 2, ())

    monkeypatch.setattr("ngtpatch.flow.support.support", support)


def run(*words: object) -> tuple[int, dict[str, Any]]:
    done = InProcess().invoke(app, ["--json", *map(str, words)])
    return done.exit_code, json.loads(done.stdout)


def rebuilt(directory: Path, *words: object) -> tuple[Path, Path, dict[str, Any]]:
    base, image = directory / "ngt.iso", directory / "out.iso"
    write_sample(base)
    code, document = run("rebuild", base, "--set", "port=2075", *(words or ("-o", image)))
    assert code == 0
    (directory / "rebuild.json").write_text(json.dumps(document))
    return base, image, document


def digest(page: ImagePage, what: str) -> Stated:
    return next(one for one in page.digests if one.what == what)


def test_a_document_is_held_against_its_images(tmp_path: Path) -> None:
    _, _, document = rebuilt(tmp_path)
    path, page = tmp_path / "rebuild.json", tmp_path / "page.html"
    code, told = run("report", path, "-o", page)
    assert (code, told["about"], told["verdict"]) == (0, "image", "verified")
    assert f"{path} says the same" in page.read_text()
    path.write_text(json.dumps({**document, "sha256": "0" * 64}))
    code, told = run("report", path, "-o", page, "--force")
    assert (code, told["verdict"], told["ok"]) == (5, "not-as-stated", False)
    assert f"{path} says another: {'0' * 64}" in page.read_text()
    assert "<strong>Not as stated</strong>" in page.read_text()


def test_sums_of_another_image(tmp_path: Path) -> None:
    base, image, _ = rebuilt(tmp_path)
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {image.name}\n")
    page = page_of_images(base, image, Asked())
    assert digest(page, "SHA256SUMS beside it").state == "bad"
    assert page.attention
    assert digest(page, "Signature").checked == "not checked: there is no statement"
    assert "provenance: no statement stands beside the image" in page.unseen


def test_an_image_that_was_changed_since(tmp_path: Path) -> None:
    base, image, _ = rebuilt(tmp_path)
    whole = page_of_images(base, image, Asked())
    assert (whole.headline.word, whole.attention) == ("Verified", False)
    assert whole.undo.command == (f"ngtpatch reset {image} --base {base} -o FILE")
    with Volume.open(image) as volume:
        assert isinstance(volume.record, BuildRecord)
        place = volume.entries(volume.primary_tree)["installer/linux/License.txt"].extents[0][0]
    data = bytearray(image.read_bytes())
    data[place] ^= 1
    image.write_bytes(data)
    page = page_of_images(base, image, Asked())
    assert (page.headline.state, page.headline.word) == ("bad", "Not verified")
    assert page.undo.command is None
    assert page.map is not None
    assert whole.map is not None
    assert set(page.map.regions) - set(whole.map.regions) == {
        one for one in page.map.regions if one.kind == "differs"
    }
    assert [one.offset for one in page.map.regions if one.kind == "differs"] == [
        place // 2048 * 2048
    ]
    assert "installer/linux/License.txt" in [one.path for one in page.files]


def replaced(path: Path) -> None:
    other = path.with_name("other.iso")
    write_sample(other, seed="another")
    other.rename(path)


def overwritten(path: Path) -> None:
    """The same length, and the time of before set again: ctime alone tells."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [replaced, overwritten, removed])
@pytest.mark.parametrize("which", [0, 1])
def test_what_changes_meanwhile_is_refused_instead_of_shown_in_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int, change: Callable[[Path], None]
) -> None:
    from ngtpatch.flow.diff import Differences, diff

    def meanwhile(*images: Path) -> Differences:
        change(images[which])
        return diff(*images)

    *images, _ = rebuilt(tmp_path)
    monkeypatch.setattr("ngtpatch.flow.diff.diff", meanwhile)
    page = tmp_path / "page.html"
    code, told = run("report", *images, "-o", page)
    assert (code, told["error"]["code"]) == (1, "source-changed")
    assert told["error"]["path"] == str(images[which])
    assert not page.exists()


def test_a_file_of_a_directory_that_changes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ngtpatch.flow.diff import Differences, diff

    tree = tmp_path / "tree"
    rebuilt(tmp_path, "--output-tree", tree)

    def meanwhile(base: Path, image: Path) -> Differences:
        overwritten(tree / "installer/linux/install_ngt.py")
        return diff(base, image)

    monkeypatch.setattr("ngtpatch.flow.diff.diff", meanwhile)
    code, told = run("report", tmp_path / "rebuild.json", "-o", tmp_path / "page.html")
    assert (code, told["error"]["code"]) == (1, "source-changed")


def test_an_image_without_a_record(tmp_path: Path) -> None:
    base, other = tmp_path / "ngt.iso", tmp_path / "other.iso"
    write_sample(base)
    write_sample(other)
    page = page_of_images(base, other, Asked())
    assert page.untold == "it has no record"
    assert page.undo.command is None
    assert page.map is not None
    assert page.map.ground == "comparison"
    # Two samples have two identities: nothing of either is in a diff.
    assert {one.why_not for one in page.files if one.path.startswith("config/")} == {
        "Identity: not shown."
    }
    same = page_of_images(base, base, Asked())
    assert (same.headline.word, same.attention) == ("Identical", False)


def test_a_directory_has_no_map(tmp_path: Path) -> None:
    rebuilt(tmp_path, "--output-tree", tmp_path / "tree")
    page = tmp_path / "page.html"
    code, told = run("report", tmp_path / "rebuild.json", "-o", page)
    assert (code, told["verdict"]) == (0, "verified")
    assert "No map: a directory has no places." in page.read_text()
    assert "A directory has no record" in page.read_text()


@pytest.mark.parametrize("name", ["-o.iso", "~o.iso", "o\x1b[31m 'p'\u202e.iso"])
def test_the_undo_command_works_as_it_is_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    base, image, _ = rebuilt(tmp_path)
    monkeypatch.chdir(tmp_path)
    image.rename(name)
    command = page_of_images(base, Path(name), Asked()).undo.command
    assert command is not None
    assert command.isprintable()
    pasted = command.replace("ngtpatch", f"{sys.executable} -m ngtpatch", 1).replace("FILE", "back")
    subprocess.run(["bash", "-c", pasted], env={**os.environ, "PYTHONPATH": ROOT}, check=True)
    assert Path("back").read_bytes() == base.read_bytes()
