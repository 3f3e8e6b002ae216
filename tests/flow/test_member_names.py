# SPDX-License-Identifier: Apache-2.0
"""Names that are not UTF-8, and names that are spelled twice: no record is lost over them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

import ngtpatch
from ngtpatch.errors import VerificationError
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.read.build_record import BuildRecord, Change
from ngtpatch.iso.read.volume import Volume
from tests.flow.conftest import Pairs, run
from tests.flow.test_agents import (
    AGENT,
    SOURCE,
    TIME,
    compiled,
    extracted,
    tarred,
    with_archive,
    zipped,
)
from tests.interpreters import interpreter

LATIN = "./bin/caf\udce9.py"


def strict(text: str) -> Any:
    """Read JSON as a reader does that takes no lone surrogate."""
    return from_json(text.encode())


@pytest.mark.parametrize("name", [LATIN, "./caf\udce9/pick.py"])
def test_a_member_whose_name_is_not_utf_8_is_left_and_said_and_the_record_is_read(
    pairs: Pairs, tmp_path: Path, name: str
) -> None:
    members = {"./bin/other.py": SOURCE.encode(), name: SOURCE.encode()}
    base = with_archive(pairs(2).base, tmp_path / "base.iso", tarred(members))
    output, document = tmp_path / "out.iso", tmp_path / "doc.json"
    ran = run("--json", "rebuild", base, "-d", "rocky", "-o", output)
    assert ran.code == 0, ran.err
    document.write_text(ran.out)
    told = strict(ran.out)
    shown = name.replace("\udce9", "\\udce9")
    assert f"{AGENT}!{shown}:1: left as it is (its name is not UTF-8)" in told["notices"]
    done = {entry["path"]: entry["done"] for entry in told["changed"]}
    assert done[f"{AGENT}!./bin/other.py"] == "patched"
    assert f"{AGENT}!{shown}" not in done
    with Volume.open(output) as volume:
        assert isinstance(volume.record, BuildRecord)
    for command in (
        ("verify", output, "--base", base, "-d", "rocky"),
        ("inspect", output),
        ("support", output, "-d", "rocky"),
        ("diff", base, output),
        ("report", document, "-o", tmp_path / "page.html"),
    ):
        ran = run("--json", *command)
        assert ran.code == 0, ran.err
        strict(ran.out)
    assert run("reset", output, "-o", tmp_path / "back.iso").code == 0
    subprocess.run(["cmp", base, tmp_path / "back.iso"], check=True)
    # tar sees the same member in both, byte for byte.
    found = []
    for image in (base, output):
        archive = tmp_path / f"{image.stem}.tar.gz"
        archive.write_bytes(extracted(image))
        unpacked = ["tar", "xzOf", str(archive), name]
        found.append(subprocess.run(unpacked, capture_output=True, check=True).stdout)
    assert found == [SOURCE.encode(), SOURCE.encode()]


def test_members_that_differ_under_such_a_name_are_told_in_a_document_that_is_read(
    pairs: Pairs, tmp_path: Path
) -> None:
    sides = [
        with_archive(pairs(2).base, tmp_path / f"{text}.iso", tarred({LATIN: text.encode()}))
        for text in ("a", "b")
    ]
    ran = run("--json", "diff", *sides)
    assert f"{AGENT}!./bin/caf\\udce9.py" in {one["path"] for one in strict(ran.out)["changed"]}


def test_names_of_members_are_read_the_same_in_every_locale(pairs: Pairs, tmp_path: Path) -> None:
    members = {"./bin/Grüße.py": SOURCE.encode()}
    base = with_archive(pairs(2).base, tmp_path / "base.iso", tarred(members))
    for number, locale in enumerate(("C.UTF-8", "C")):
        output = tmp_path / f"{number}.iso"
        ran = run(
            "rebuild", base, "-d", "rocky", "-o", output,
            LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
        )  # fmt: skip
        assert ran.code == 0, ran.err
    subprocess.run(["cmp", tmp_path / "0.iso", tmp_path / "1.iso"], check=True)


@pytest.mark.parametrize("path", ["caf\udce9.py", "x" * 5000])
def test_no_edit_is_planned_whose_record_could_not_be_read(pairs: Pairs, path: str) -> None:
    with Volume.open(pairs(2).base) as volume:
        note = Note({}, within=[Change(path, "0" * 64, "1" * 64, within=AGENT)])
        with pytest.raises(VerificationError, match="cannot be read back") as failed:
            edit(volume, replace={AGENT: b"new"}, note=note)
    assert failed.value.code == "read-back"


def test_a_directory_with_such_a_name_is_refused_by_that_name(tmp_path: Path, pairs: Pairs) -> None:
    tree = tmp_path / "tree"
    assert run("rebuild", pairs(2).base, "-d", "rocky", "--output-tree", tree).code == 0
    (tree / "installer/caf\udce9").write_text("x")
    ran = run("--json", "rebuild", tree, "-d", "almalinux", "-o", tmp_path / "out.iso")
    assert ran.code == 3
    error = ran.document["error"]
    assert error["code"] == "unwritable"
    assert "installer/caf\\udce9" in error["message"]
    assert not (tmp_path / "out.iso").exists()


@pytest.mark.parametrize("names", [("caf\udce9.iso", "out.iso"), ("base.iso", "caf\udce9.iso")])
def test_provenance_is_not_promised_where_no_document_can_name_the_iso(
    pairs: Pairs, tmp_path: Path, names: tuple[str, str]
) -> None:
    base, output = (tmp_path / name for name in names)
    base.write_bytes(pairs(2).base.read_bytes())
    ran = run("--json", "rebuild", base, "-d", "rocky", "-o", output, "--provenance")
    assert (ran.code, ran.document["error"]["code"]) == (2, "not-text")
    assert not output.exists()


SPELLED = ("./bin/pick.pyc", "bin/pick.pyc", "bin//pick.pyc", "./x/../bin/pick.pyc")


@pytest.mark.parametrize("zip_", [False, True])
def test_every_spelling_of_a_stale_compiled_member_goes(
    pairs: Pairs, tmp_path: Path, zip_: bool
) -> None:
    stale = compiled(tmp_path)
    members = {"./bin/pick.py": SOURCE.encode(), **dict.fromkeys(SPELLED, stale)}
    place = "installer/linux/src/agent.zip" if zip_ else AGENT
    made = zipped(members) if zip_ else tarred(members)
    base = with_archive(pairs(2).base, tmp_path / "base.iso", made, place)
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    gone = {entry.path for entry in result.changed if entry.done == "removed"}
    assert gone == {f"{place}!{name}" for name in SPELLED}
    assert ngtpatch.verify(tmp_path / "out.iso", base=base).ok
    if zip_:
        return
    archive, guest = tmp_path / "agent.tar.gz", tmp_path / "guest"
    archive.write_bytes(extracted(tmp_path / "out.iso"))
    guest.mkdir()
    subprocess.run(["tar", "xzf", archive, "-C", guest], check=True)
    asked = (
        "import platform; platform.linux_distribution = lambda: ('Rocky Linux', '8', '');"
        "import pick; print(pick.image())"
    )
    command = [interpreter("2.7"), "-c", asked]
    ran = subprocess.run(command, cwd=guest / "bin", capture_output=True, text=True, check=True)
    assert ran.stdout == "initramfs\n"


def linked(kind: bytes) -> bytes:
    """Return an archive in which something hangs on the stale file, by another spelling."""
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w:gz") as archive:
        for name, content in (("./bin/pick.py", SOURCE.encode()), ("./bin/old.bin", b"x")):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), TIME
            archive.addfile(member, io.BytesIO(content))
        member = tarfile.TarInfo("bin/pick.pyc")
        member.type, member.linkname = kind, "bin//old.bin"
        archive.addfile(member)
    return result.getvalue()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_source_is_not_patched_where_what_is_run_instead_cannot_go(
    pairs: Pairs, tmp_path: Path, kind: bytes
) -> None:
    base = with_archive(pairs(2).base, tmp_path / "base.iso", linked(kind))
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    said = "bin/pick.pyc, which is run in its place, stays: it is not a file"
    assert any(said in notice and "pick.py:" in notice for notice in result.notices)
    assert extracted(tmp_path / "out.iso") == extracted(base)


def test_an_archive_in_which_a_link_hangs_on_what_would_go_is_left(
    pairs: Pairs, tmp_path: Path
) -> None:
    result = io.BytesIO()
    stale = compiled(tmp_path)
    with tarfile.open(fileobj=result, mode="w:gz") as archive:
        for name, content in (("./bin/pick.py", SOURCE.encode()), ("./bin/pick.pyc", stale)):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), TIME
            archive.addfile(member, io.BytesIO(content))
        member = tarfile.TarInfo("bin/second")
        member.type, member.linkname = tarfile.LNKTYPE, "bin//pick.pyc"
        archive.addfile(member)
    base = with_archive(pairs(2).base, tmp_path / "base.iso", result.getvalue())
    made = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    assert any("is a hard link to" in notice for notice in made.notices)
    assert extracted(tmp_path / "out.iso") == extracted(base)
