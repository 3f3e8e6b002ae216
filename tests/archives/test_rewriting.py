# SPDX-License-Identifier: Apache-2.0
"""An archive written again: the members that were to change do, and not one byte more."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from zlib_ng import zlib_ng

from ngtpatch.archives import gzipped as gzipped_module
from ngtpatch.archives.differences import differences
from ngtpatch.archives.members import ArchiveDamaged, NotRewritten
from ngtpatch.archives.rewriting import confirm, is_rewritable, members, rewrite
from tests.archives.builders import LIMIT, a_tar, a_zip, gzipped, opener

FILES = {
    "./bin/a.py": b"print('a')\n" * 100,
    "./bin/a.pyc": bytes(range(256)),
    "./bin/empty.py": b"",
    "./bin/" + "long/" * 40 + "b.py": b"x" * 512,
    "./bin/z.bin": bytes(1024) + bytes(range(256)) * 50,
}
CHANGES: dict[str, bytes | None] = {"./bin/a.py": b"print('patched')\n" * 333, "./bin/a.pyc": None}
LONG = next(name for name in FILES if "long" in name)


def rewritten(data: bytes, name: str, changes: dict[str, bytes | None] = CHANGES) -> bytes:
    result = io.BytesIO()
    rewrite(opener(data), name, result, changes, limit=LIMIT)
    found = confirm(opener(data), opener(result.getvalue()), name, changes, limit=LIMIT)
    assert found is None
    return result.getvalue()


def listing(data: bytes, name: str) -> list[tuple[Any, ...]]:
    return [
        (one.name, one.about, one.read() if one.regular else None)
        for one in members(opener(data), name, limit=LIMIT)
    ]


ARCHIVES = {
    "gnu.tar": a_tar(FILES),
    "pax.tar": a_tar({**FILES, "./bin/ü.py": b"1"}, format=tarfile.PAX_FORMAT),
    "plain.tar.gz": gzipped(a_tar(FILES)),
    "named.tgz": gzipped(a_tar(FILES), name=b"agent.tar", extra=b"ab\x04\x00data"),
    "deflated.zip": a_zip(FILES),
    "stored.zip": a_zip(FILES, method=0),
    "streamed.zip": a_zip(FILES, streamed=True),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_only_the_changed_members_differ_and_the_stale_one_is_gone(name: str) -> None:
    data = ARCHIVES[name]
    before, after = listing(data, name), listing(rewritten(data, name), name)
    gone = [row for row in before if row[0] == "./bin/a.pyc"]
    assert [row[:2] for row in after] == [row[:2] for row in before if row not in gone]
    contents = {row[0]: row[2] for row in after}
    assert contents.pop("./bin/a.py") == CHANGES["./bin/a.py"]
    assert contents == {row[0]: row[2] for row in before if row[0] in contents}


@pytest.mark.parametrize("name", ARCHIVES)
def test_to_change_back_gives_every_byte_again_but_for_the_packing(name: str) -> None:
    data = ARCHIVES[name]
    original = FILES["./bin/a.py"]
    there = rewritten(data, name, {"./bin/a.py": b"short"})
    assert there != data
    back = rewritten(there, name, {"./bin/a.py": original})
    if name.endswith("gz"):
        assert gzip.decompress(back) == gzip.decompress(data)
        header = data.index(b"agent.tar\0") + 10 if name == "named.tgz" else 10
        assert back[:header] == data[:header]
    elif name in ("deflated.zip", "streamed.zip"):
        assert len(back) != len(data)  # packed otherwise
        assert listing(back, name) == listing(data, name)
    else:
        assert back == data


@pytest.mark.parametrize("name", ARCHIVES)
def test_programs_that_unpack_see_the_same(name: str, tmp_path: Path) -> None:
    packed = tmp_path / name
    packed.write_bytes(rewritten(ARCHIVES[name], name))
    target = tmp_path / "out"
    target.mkdir()
    if name.endswith(".zip"):
        command = ["python3", "-m", "zipfile", "-e", str(packed), str(target)]
    else:
        command = ["tar", "-xf", str(packed), "-C", str(target), "--no-same-owner"]
    ran = subprocess.run(command, capture_output=True, check=True)
    assert ran.stderr == b""
    assert (target / "bin/a.py").read_bytes() == CHANGES["./bin/a.py"]
    assert not (target / "bin/a.pyc").exists()
    assert (target / "bin/z.bin").read_bytes() == FILES["./bin/z.bin"]
    if not name.endswith(".zip"):
        assert int((target / "bin/a.py").stat().st_mtime) == 1433145600
        assert (target / "bin/a.py").stat().st_mode & 0o777 == 0o640
        assert packed.name.endswith("gz") or len(packed.read_bytes()) % tarfile.RECORDSIZE == 0


@pytest.mark.parametrize("name", ["plain.tar.gz", "deflated.zip"])
def test_zlib_and_zlib_ng_write_the_same_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = b"".join(zlib.compress(bytes([n % 251]) * 40 + b"%d" % n) for n in range(9000))
    files = {**FILES, "./noise": noise, "./zeros": bytes(300_000), "./text": b"import os\n" * 9999}
    data = a_zip(files) if name.endswith(".zip") else gzipped(a_tar(files))
    changes: dict[str, bytes | None] = {"./bin/a.py": b"".join(files.values())}
    ours = rewritten(data, name, changes)
    monkeypatch.setattr(gzipped_module, "zlib", zlib_ng)
    assert rewritten(data, name, changes) == ours
    packed = zlib.compressobj(6, zlib.DEFLATED, -15), zlib_ng.compressobj(6, zlib_ng.DEFLATED, -15)
    one, other = (each.compress(ours) + each.flush() for each in packed)
    assert one != other  # what is pinned does matter


def refusal(data: bytes, name: str, changes: dict[str, bytes | None]) -> str:
    with pytest.raises(NotRewritten) as refused:
        rewrite(opener(data), name, io.BytesIO(), changes, limit=LIMIT)
    return str(refused.value)


@pytest.mark.parametrize("name", ["gnu.tar", "plain.tar.gz", "stored.zip"])
def test_what_is_not_there_cannot_change(name: str) -> None:
    assert "there is no ./bin/none" in refusal(ARCHIVES[name], name, {"./bin/none": b""})


def test_members_that_are_there_twice_linked_sparse_or_signed_stay() -> None:
    double = io.BytesIO()
    with tarfile.open(fileobj=double, mode="w") as archive:
        for content in (b"one", b"two"):
            info = tarfile.TarInfo("a.py")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert "twice" in refusal(double.getvalue(), "x.tar", {"a.py": b"1"})
    linked = io.BytesIO()
    with tarfile.open(fileobj=linked, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.pyc"))
        link = tarfile.TarInfo("b.pyc")
        link.type, link.linkname = tarfile.LNKTYPE, "a.pyc"
        archive.addfile(link)
    assert "hard link" in refusal(linked.getvalue(), "x.tar", {"a.pyc": None})
    signed = io.BytesIO()
    with tarfile.open(fileobj=signed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.py")
        info.pax_headers = {"SCHILY.xattr.security.ima": "03"}
        archive.addfile(info)
    assert "signed" in refusal(signed.getvalue(), "x.tar", {"a.py": b"1"})
    vouching = b"SCHILY.xattr.security.ima=03"
    sized = signed.getvalue().replace(vouching, b"size=".ljust(len(vouching), b"0"))
    assert "extended header" in refusal(sized, "x.tar", {"a.py": b"1"})
    assert "signed" in refusal(a_zip({"a.py": b"", "META-INF/X.SF": b""}), "x.zip", {"a.py": b"1"})


def test_zips_that_are_encrypted_prefixed_or_packed_otherwise_stay() -> None:
    locked = bytearray(a_zip({"a.py": b"secret"}, method=0))
    locked[6] |= 1
    locked[locked.index(b"PK\1\2") + 8] |= 1
    assert "encrypted" in refusal(bytes(locked), "x.zip", {"a.py": b"1"})
    assert not next(members(opener(bytes(locked)), "x.zip", limit=LIMIT)).regular
    prefixed = b"#!/usr/bin/python\n" + a_zip({"a.py": b"1"})
    assert "before" in refusal(prefixed, "x.zip", {"a.py": b"2"})
    bzipped = a_zip({"a.py": b"1" * 99}, method=zipfile.ZIP_BZIP2)
    assert "method 12" in refusal(bzipped, "x.zip", {"a.py": b"2"})


@pytest.mark.parametrize("name", ARCHIVES)
def test_what_is_cut_or_damaged_or_too_long_is_said(name: str) -> None:
    data = ARCHIVES[name]
    for broken in (data[: len(data) // 2], b"", b"\0" * 100, data[:20]):
        with pytest.raises(ArchiveDamaged):
            rewrite(opener(broken), name, io.BytesIO(), CHANGES, limit=LIMIT)
    with pytest.raises(ArchiveDamaged):
        list(members(opener(data), name, limit=5000))


def test_a_gzip_file_behind_another_a_wrong_checksum_and_padding() -> None:
    data = ARCHIVES["plain.tar.gz"]
    for broken in (data + data, data + b"x", data[:-5] + b"\1" + data[-4:]):
        with pytest.raises(ArchiveDamaged):
            rewrite(opener(broken), "x.tgz", io.BytesIO(), CHANGES, limit=LIMIT)
    assert rewritten(data + bytes(99), "x.tgz") == rewritten(data, "x.tgz") + bytes(99)


def test_something_behind_the_last_member_is_not_passed_over() -> None:
    with pytest.raises(ArchiveDamaged, match="behind its last member"):
        list(members(opener(ARCHIVES["gnu.tar"] + ARCHIVES["gnu.tar"]), "x.tar", limit=LIMIT))


def test_reading_back_sees_what_was_not_planned() -> None:
    one, other = a_tar({"./a": b"1", "./b": b"2"}), a_tar({"./a": b"1", "./b": b"3"})
    assert "content" in (confirm(opener(one), opener(other), "x.tar", {}, limit=LIMIT) or "")
    shorter = a_tar({"./a": b"1"})
    assert confirm(opener(one), opener(shorter), "x.tar", {}, limit=LIMIT)
    assert confirm(opener(shorter), opener(one), "x.tar", {}, limit=LIMIT)
    there, back = (
        a_zip({"a": b"1"}),
        a_zip({"a": b"1"}).replace(b"by a builder", b"by a stranger"[:12]),
    )
    assert "another mode" in (confirm(opener(there), opener(back), "x.zip", {}, limit=LIMIT) or "")


def test_the_kinds_that_are_written_again() -> None:
    names = ("a.tar.gz", "a.tgz", "a.tar", "a.zip", "a.rpm", "a.deb")
    assert [name for name in names if is_rewritable(name)] == [
        "a.tar.gz",
        "a.tgz",
        "a.tar",
        "a.zip",
    ]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_content_that_is_damaged_is_said_wherever_it_is_met(name: str) -> None:
    data = ARCHIVES[name]
    seen = 0
    for at in range(30, len(data), max(1, len(data) // 60)):
        for harmed in (
            data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :],
            data[:at] + bytes(40) + data[at + 40 :],
        ):
            try:
                differences(opener(data), opener(harmed), name, limit=LIMIT, largest=LIMIT)
            except ArchiveDamaged:
                seen += 1
    assert seen  # and nothing else was raised
