# SPDX-License-Identifier: Apache-2.0
"""Archives on an image: changed member by member, undone, and told by everything that tells."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import ngtpatch
from ngtpatch.installer.layout import ROOT
from ngtpatch.iso.edit.image_edit import edit
from ngtpatch.iso.edit.new_entry import NewFile
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.bytesource import MemorySource
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.flow.conftest import Pairs, run
from tests.interpreters import interpreter

AGENT = "installer/linux/src/ngt_guest_agent.tar.gz"
SOURCE = """import platform


def image():
    name = platform.linux_distribution()[0].lower()
    if "centos" in name or "red hat" in name:
        return "initramfs"
    return None
"""
TIME = 1433145600


def compiled(folder: Path) -> bytes:
    """Return what a real Python 2.7 makes of the source, with the source's time in it."""
    (folder / "pick.py").write_text(SOURCE)
    os.utime(folder / "pick.py", (TIME, TIME))
    command = "import py_compile; py_compile.compile('pick.py')"
    subprocess.run([interpreter("2.7"), "-c", command], cwd=folder, check=True)
    return (folder / "pick.pyc").read_bytes()


def tarred(files: dict[str, bytes]) -> bytes:
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), TIME, 0o644
            archive.addfile(member, io.BytesIO(content))
    return result.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2015, 6, 1, 8, 0, 0)), content)
    return result.getvalue()


def with_archive(base: Path, target: Path, data: bytes, path: str = AGENT) -> Path:
    with Volume.open(base) as volume:
        if path in volume.tree:
            plan = edit(volume, replace={path: MemorySource(data)})
        else:
            plan = edit(volume, add={path: NewFile(data, mode=0o644)})
        write_file(plan.overlay(), target)
    return target


def extracted(image: Path, path: str = AGENT) -> bytes:
    with Volume.open(image) as volume:
        return volume.tree[path]


def test_a_stale_compiled_member_goes_and_python_2_runs_the_patched_source(
    pairs: Pairs, tmp_path: Path
) -> None:
    stale = compiled(tmp_path)
    members = {"./bin/pick.py": SOURCE.encode(), "./bin/pick.pyc": stale, "./bin/other.pyc": stale}
    base = with_archive(pairs(2).base, tmp_path / "base.iso", tarred(members))
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    told = {entry.path: entry for entry in result.changed if entry.path.startswith(AGENT)}
    assert {path: entry.done for path, entry in told.items()} == {
        AGENT: "repacked",
        f"{AGENT}!./bin/pick.py": "patched",
        f"{AGENT}!./bin/pick.pyc": "removed",
    }
    assert told[f"{AGENT}!./bin/pick.pyc"].sha256_before == hashlib.sha256(stale).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(extracted(tmp_path / "out.iso"))) as archive:
        assert archive.getnames() == ["./bin/pick.py", "./bin/other.pyc"]
        archive.extractall(tmp_path / "guest")  # noqa: S202 - made above
    # With its old time the patched source would have been passed over for the compiled one.
    asked = (
        "import platform; platform.linux_distribution = lambda: ('Rocky Linux', '8', '');"
        "import pick; print(pick.image())"
    )
    here = tmp_path / "guest/bin"
    ran = subprocess.run(
        [interpreter("2.7"), "-c", asked], cwd=here, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "initramfs\n"
    for file in here.glob("pick.pyc"):
        file.unlink()
    (here / "pick.pyc").write_bytes(stale)
    ran = subprocess.run(
        [interpreter("2.7"), "-c", asked], cwd=here, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "None\n"


def test_what_tells_of_an_image_tells_of_its_members(pairs: Pairs, tmp_path: Path) -> None:
    pair = pairs(2)
    member = f"{AGENT}!./bin/mobility_linux.py"
    with Volume.open(pair.output) as volume:
        record = volume.record
        assert isinstance(record, BuildRecord)
        (inner,) = (one for one in record.changes if one.within)
        assert (inner.within, inner.path, inner.kind) == (
            AGENT,
            "./bin/mobility_linux.py",
            "changed",
        )
    found = ngtpatch.diff(pair.base, pair.output)
    (told,) = (one for one in found.changed if one.path == member)
    assert told.what == ("content",)
    assert told.diff
    assert '+    if "centos" in distribution or ' in told.diff
    shown = run("verify", pair.output, "--base", pair.base)
    assert shown.code == 0, shown.err
    assert "mobility_linux.py" in shown.out
    (entry,) = (one for one in pair.result.changed if one.path == member)
    assert entry.sha256_after == inner.sha256_after
    output = tmp_path / "told.iso"
    written = run("--json", "rebuild", pair.base, "-d", "rocky", "-o", output, "--provenance")
    assert written.code == 0, written.err
    statement = json.loads((tmp_path / "told.iso.intoto.jsonl").read_text().splitlines()[0])
    products = statement["predicate"]["runDetails"]["byproducts"]
    assert {one["name"]: one["annotations"]["change"] for one in products}[member] == "patched"
    bill = (tmp_path / "told.iso.cdx.json").read_text()
    assert member in bill
    assert "identity" not in bill


def test_reset_gives_the_vendors_disc_back_and_the_archive_was_kept_once(
    pairs: Pairs, tmp_path: Path
) -> None:
    noise = os.urandom(3 << 20)
    data = tarred({"./noise": noise, "./bin/pick.py": SOURCE.encode()})
    base = with_archive(pairs(2).base, tmp_path / "base.iso", data)
    first, second = tmp_path / "first.iso", tmp_path / "second.iso"
    ngtpatch.rebuild(base, distros=["rocky"], output=first)
    ngtpatch.rebuild(first, distros=["almalinux"], output=second)
    for image, copies in ((first, 1), (second, 2)):
        # The vendor's archive, the new one, and no third copy of it for the way back.
        assert image.stat().st_size < base.stat().st_size + copies * len(data) + (1 << 18)
        ngtpatch.reset(image, output=tmp_path / "back.iso", force=True)
        assert (tmp_path / "back.iso").read_bytes() == base.read_bytes()
        checked = run("verify", image, "--base", base)
        assert checked.code == 0, checked.out + checked.err
    with tarfile.open(fileobj=io.BytesIO(extracted(second))) as archive:
        source = archive.extractfile("./bin/pick.py")
        assert source is not None
        text = source.read().decode()
    assert '"rocky linux" in name' in text
    assert '"almalinux" in name' in text
    assert extracted(second) != extracted(first)


def test_the_same_input_gives_the_same_bytes_also_of_a_directory_and_a_zip(
    pairs: Pairs, tmp_path: Path
) -> None:
    path = "installer/linux/agent.zip"
    data = zipped({"bin/pick.py": SOURCE.encode(), "bin/data": bytes(5000)})
    base = with_archive(pairs(2).base, tmp_path / "base.iso", data, path)
    digests = {
        ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / f"{n}.iso").sha256
        for n in range(2)
    }
    assert len(digests) == 1
    assert b"rocky linux" in zipfile.ZipFile(io.BytesIO(extracted(tmp_path / "0.iso", path))).read(
        "bin/pick.py"
    )
    tree = tmp_path / "tree"
    ngtpatch.rebuild(base, distros=["rocky"], output_tree=tree)
    assert (tree / path).read_bytes() == extracted(tmp_path / "0.iso", path)


def test_an_archive_that_cannot_be_written_again_is_left_and_said(
    pairs: Pairs, tmp_path: Path
) -> None:
    path = "installer/linux/agent.zip"
    data = zipped({"pick.py": SOURCE.encode(), "META-INF/A.SF": b"", "META-INF/A.RSA": b""})
    base = with_archive(pairs(2).base, tmp_path / "base.iso", data, path)
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    assert extracted(tmp_path / "out.iso", path) == data
    assert not [one for one in result.changed if one.path.startswith(path)]
    assert f"{path}: left as it is (it is signed)" in result.notices
    deep = tarred({"./lib/a.egg": zipped({"pick.py": SOURCE.encode()}), "./cut.tgz": b"\x1f\x8b"})
    base = with_archive(pairs(2).base, tmp_path / "deep.iso", deep)
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "deep-out.iso")
    said = [one for one in result.notices if one.startswith(AGENT)]
    assert any(
        "a.egg!pick.py:1: left as it is (it is inside an archive's archive" in one for one in said
    )
    assert any("not all of it was looked into: ./cut.tgz" in one for one in said)


@pytest.mark.parametrize(("kind", "name"), [("sha256", "src/check.py"), ("md5", "start.sh")])
def test_an_archive_whose_digest_stands_on_the_disc_stays(
    pairs: Pairs, tmp_path: Path, kind: str, name: str
) -> None:
    """An installer that compares it before it unpacks would refuse the new one, for everybody."""
    with Volume.open(pairs(2).base) as volume:
        for path in volume.tree:
            (tmp_path / "disc" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "disc" / path).write_bytes(volume.tree[path])
    archive = tmp_path / "disc" / AGENT
    digest = hashlib.new(kind, archive.read_bytes()).hexdigest()
    (tmp_path / "disc" / ROOT / name).write_text(f"# agent\nSUM = '{digest}'\n")
    result = ngtpatch.rebuild(tmp_path / "disc", distros=["rocky"], output_tree=tmp_path / "out")
    assert (tmp_path / "out" / AGENT).read_bytes() == archive.read_bytes()
    assert not [entry for entry in result.changed if entry.path.startswith(AGENT)]
    said = f"a digest of its archive stands in {ROOT}{name}:2, which may be compared"
    assert any(said in notice for notice in result.notices)
    (tmp_path / "disc" / ROOT / name).unlink()
    ngtpatch.rebuild(tmp_path / "disc", distros=["rocky"], output_tree=tmp_path / "other")
    assert (tmp_path / "other" / AGENT).read_bytes() != archive.read_bytes()


def test_a_member_whose_digest_stands_on_the_disc_stays(pairs: Pairs, tmp_path: Path) -> None:
    """The installer may compare what it has unpacked."""
    with Volume.open(pairs(2).base) as volume:
        for path in volume.tree:
            (tmp_path / "disc" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "disc" / path).write_bytes(volume.tree[path])
    result = ngtpatch.rebuild(tmp_path / "disc", distros=["rocky"], output_tree=tmp_path / "out")
    changed = [one.path for one in result.changed if one.path.startswith(AGENT + "!")]
    member = changed[0].partition("!")[2]
    with tarfile.open(tmp_path / "disc" / AGENT) as archive:
        held = {one.name.removeprefix("./"): one for one in archive}[member.removeprefix("./")]
        digest = hashlib.sha256((archive.extractfile(held) or io.BytesIO()).read()).hexdigest()
    (tmp_path / "disc" / ROOT / "src/check.py").write_text(f"SUMS = {{'{member}': '{digest}'}}\n")
    result = ngtpatch.rebuild(tmp_path / "disc", distros=["rocky"], output_tree=tmp_path / "other")
    now = [one.path for one in result.changed if one.path.startswith(AGENT + "!")]
    assert now == changed[1:], "the others change as before"
    said = f"a digest of it stands in {ROOT}src/check.py:1, which may be compared"
    assert any(member in notice and said in notice for notice in result.notices)


@pytest.mark.parametrize(
    "check",
    [
        "if os.path.getsize(HERE + '/src/ngt_guest_agent.tar.gz') != 4711: sys.exit(1)\n",
        "SUM = hashlib.md5(open(HERE + '/src/ngt_guest_agent.tar.gz', 'rb').read()).hexdigest()\n",
        "subprocess.call(['sha256sum', HERE + '/src/ngt_guest_agent.tar.gz'])\n",
        # On Ubuntu alone: the archive is changed for all.
        "if 'ubuntu' in open('/etc/os-release').read():"
        " os.stat(HERE + '/src/ngt_guest_agent.tar.gz')\n",
    ],
)
def test_an_archive_that_the_installer_looks_at_stays(
    pairs: Pairs, tmp_path: Path, check: str
) -> None:
    with Volume.open(pairs(2).base) as volume:
        for path in volume.tree:
            (tmp_path / "disc" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "disc" / path).write_bytes(volume.tree[path])
    start = tmp_path / "disc" / ROOT / "install_ngt.py"
    head, middle, tail = start.read_text().partition('if __name__ == "__main__":\n')
    here = "HERE = os.path.dirname(os.path.abspath(__file__))\n"
    before = f"import hashlib, os, subprocess, sys\n{here}{check}"
    start.write_text(head + before + middle + tail)
    line = 3 + head.count("\n")
    result = ngtpatch.rebuild(tmp_path / "disc", distros=["rocky"], output_tree=tmp_path / "out")
    assert (tmp_path / "out" / AGENT).read_bytes() == (tmp_path / "disc" / AGENT).read_bytes()
    said = f"left as it is ({ROOT}install_ngt.py:{line} looks at its archive's size or content"
    assert any(said in notice for notice in result.notices)


CONSTANTS = "NAMES = ('centos linux', 'red hat enterprise linux')\n"
COMPARES = {
    "a digest": "import hashlib\nif hashlib.md5(open(OWN, 'rb').read()).hexdigest() != {0!r}:\n"
    "    sys.exit(1)\n",
    "a size": "if os.path.getsize(OWN) != {1}: sys.exit(1)\n",
}


@pytest.mark.parametrize("compares", [None, *COMPARES])
def test_an_agent_that_compares_its_own_files_stays(
    pairs: Pairs, tmp_path: Path, compares: str | None
) -> None:
    """It would end for everybody once they are changed."""
    digest = hashlib.md5(CONSTANTS.encode(), usedforsecurity=False).hexdigest()
    check = COMPARES[compares].format(digest, len(CONSTANTS)) if compares else ""
    agent = (
        "import os\nimport sys\nimport distro\nimport names\n"
        "OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'names.py')\n" + check
        + "if distro.name().lower() in names.NAMES:\n    os.system('lsinitrd')\n"
    )  # fmt: skip
    data = tarred({"bin/agent.py": agent.encode(), "bin/names.py": CONSTANTS.encode()})
    base = with_archive(pairs(2).base, tmp_path / "base.iso", data)
    result = ngtpatch.rebuild(base, distros=["rocky"], output=tmp_path / "out.iso")
    stays = extracted(tmp_path / "out.iso") == data
    assert stays is (compares is not None)
    said = [one for one in result.notices if one.startswith(f"{AGENT}!bin/names.py:1: left")]
    assert [("may compare" in one or "may be compared" in one) for one in said] == [True] * stays


def test_no_room_for_an_archive_leaves_nothing(pairs: Pairs, tmp_path: Path) -> None:
    # A limit on each file's size stands for the full disk; the first file that is written is the
    # archive, of more bytes than these.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(ngtpatch.NgtpatchError) as caught:
            ngtpatch.rebuild(pairs(2).base, distros=["rocky"], output=tmp_path / "out.iso")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert (caught.value.code, caught.value.path) == ("disk-full", str(tmp_path / "out.iso"))
    assert list(tmp_path.iterdir()) == []
