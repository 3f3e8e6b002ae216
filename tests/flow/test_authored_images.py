# SPDX-License-Identifier: Apache-2.0
"""NGT discs that other programs made: what opens, what is refused, what is said, what comes back.

The discs are authored by genisoimage and xorriso of the sample's tree.
"""

from __future__ import annotations

import hashlib
import json
import os
import py_compile
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import ngtpatch
from ngtpatch.errors import Refusal
from ngtpatch.iso.read.volume import Volume
from ngtpatch.packer import prepare, write_variables
from ngtpatch.packer import verify as verify_prepared
from ngtpatch.sample import write_sample
from tests.flow.conftest import run
from tests.interpreters import interpreter
from tests.iso.readers import readers_of
from tests.requirements import tool

FACTORY = "installer/linux/src/installer_factory.py"
COMPILED = "installer/linux/src/installer_factory.pyc"
LABEL = "NUTANIX_TOOLS"
LISTS = [
    "SHA256SUMS",
    "installer/linux/MANIFEST",
    f"{FACTORY}.sha256",
    "installer/linux/src/md5sum.txt",
    "sha256.txt",
]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A sample of each era as a directory; not to be written to."""
    made: dict[int, Path] = {}

    def of(era: int) -> Path:
        if era not in made:
            directory = tmp_path_factory.mktemp(f"authored{era}")
            write_sample(directory / "base.iso", era=era)
            (directory / "tree").mkdir()
            program = tool("bsdtar", "libarchive-tools")
            base, into = str(directory / "base.iso"), str(directory / "tree")
            subprocess.run([program, "-xf", base, "-C", into], check=True)
            subprocess.run(["chmod", "-R", "u+w", directory / "tree"], check=True)
            made[era] = directory / "tree"
        return made[era]

    return of


def genisoimage(tree: Path, image: Path, *options: str, label: str = LABEL) -> Path:
    program = tool("genisoimage", "genisoimage")
    command = [program, "-quiet", "-R", "-J", "-V", label, *options]
    subprocess.run([*command, "-o", image, tree], check=True, capture_output=True)
    return image


def with_tags(tree: Path, image: Path) -> Path:
    command = [tool("xorriso", "xorriso"), "-volid", LABEL, "-joliet", "on", "-md5", "on"]
    command += ["-outdev", str(image), "-map", str(tree), "/", "-commit"]
    subprocess.run(command, check=True, capture_output=True)
    return image


def with_sum(tree: Path, image: Path) -> Path:
    genisoimage(tree, image)
    subprocess.run([tool("implantisomd5", "isomd5sum"), image], check=True, capture_output=True)
    return image


def with_lists(tree: Path, image: Path) -> Path:
    digest = hashlib.sha256((tree / FACTORY).read_bytes()).hexdigest()
    other = hashlib.md5((tree / "setup.exe").read_bytes(), usedforsecurity=False).hexdigest()
    (tree / "SHA256SUMS").write_text(f"{digest}  ./{FACTORY}\n")
    name = FACTORY.rpartition("/")[2]
    md5 = hashlib.md5((tree / FACTORY).read_bytes(), usedforsecurity=False).hexdigest()
    (tree / "installer/linux/src/md5sum.txt").write_text(f"MD5 ({name}) = {md5}\n")
    # Below installer/linux a list has any name.
    (tree / "installer/linux/MANIFEST").write_text(f"{md5}  src/{name}\n")
    # A file's own digest beside it; a list as Windows writes it; one of an unknown algorithm.
    (tree / f"{FACTORY}.sha256").write_text(digest + "\n")
    windows = FACTORY.replace("/", "\\")
    (tree / "sha256.txt").write_text(f"{digest} *.\\{windows}\r\n")
    (tree / "installer/unknown.md5").write_text(f"{digest[:42]}  ../{FACTORY}\n")
    # Lists what nobody changes; and one that is about a file of the same name elsewhere.
    (tree / "MD5SUMS").write_text(f"{other} *setup.exe\n{md5}  elsewhere/{name}\n")
    return genisoimage(tree, image)


def copied(tree: Path, to: Path) -> Path:
    shutil.copytree(tree, to, symlinks=True)
    return to


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Tried:
    """A disc, what came of its rebuild for Rocky Linux, and where that is."""

    base: Path
    output: Path
    result: ngtpatch.RebuildResult


def tried(base: Path) -> Tried:
    """Rebuild, verify, reset, and let isoinfo and bsdtar say that nothing else changed."""
    output, back = base.with_name("out.iso"), base.with_name("back.iso")
    result = ngtpatch.rebuild(base, distros=["rocky"], output=output)
    assert ngtpatch.verify(output, base=base).ok
    ngtpatch.reset(output, back)
    assert sha256(back) == sha256(base)
    wanted = {one.path.partition("!")[0] for one in result.changed if one.done != "removed"}
    removed = {one.path for one in result.changed if one.done == "removed"}
    for reader in readers_of(("rock_ridge", "joliet")):
        if reader.name.startswith(("isoinfo", "bsdtar")):
            before, after = reader.listing(base), reader.listing(output)
            assert before.keys() - after.keys() == removed, reader.name
            assert after.keys() <= before.keys(), reader.name
            assert {path for path in after if before[path] != after[path]} == wanted, reader.name
    return Tried(base, output, result)


# Digests on the disc --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "names"),
    [
        (with_tags, ["libisofs checksum tags"]),
        (with_sum, ["implanted ISO MD5SUM"]),
        (with_lists, LISTS),
        (genisoimage, []),
    ],
)
def test_digests_that_no_longer_hold_are_one_warning_that_names_them(
    unpacked: Callable[[int], Path],
    tmp_path: Path,
    author: Callable[[Path, Path], Path],
    names: list[str],
) -> None:
    disc = tried(author(copied(unpacked(2), tmp_path / "tree"), tmp_path / "base.iso"))
    assert list(disc.result.stale_digests) == names
    said = [notice for notice in disc.result.notices if "no longer hold" in notice]
    assert len(said) == bool(names)
    assert all(name in notice for notice in said for name in names)
    verified = ngtpatch.verify(disc.output, base=disc.base)
    assert [p.code for p in verified.problems if p.code == "stale-digests"] == ["stale-digests"][
        : len(said)
    ]
    printed = run("verify", disc.output)
    assert printed.code == 0
    assert all(name in printed.out for name in names)
    # The vendor's disc keeps them: nothing is wrong there.
    assert not [p for p in ngtpatch.verify(disc.base).problems if p.code == "stale-digests"]


def test_what_the_programs_say_of_their_own_digests(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    """The warnings are true: checkisomd5 fails, and xorriso refuses to load the image."""
    tree = copied(unpacked(2), tmp_path / "tree")
    (tree / "payload.bin").write_bytes(os.urandom(4 << 20))  # checkisomd5 fails on small images
    checked = tried(with_sum(tree, tmp_path / "base.iso"))
    program = tool("checkisomd5", "isomd5sum")
    codes = [
        subprocess.run([program, image], check=False, capture_output=True).returncode
        for image in (checked.base, checked.output)
    ]
    assert codes[0] == 0
    assert codes[1] != 0
    # Who implants a new sum afterwards has one that holds: no warning then.
    implant = tool("implantisomd5", "isomd5sum")
    subprocess.run([implant, "-f", checked.output], check=True, capture_output=True)
    assert not [p for p in ngtpatch.verify(checked.output).problems if p.code == "stale-digests"]


def test_an_unpacked_tree_is_warned_of_lists_alone(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    tree = copied(unpacked(2), tmp_path / "tree")
    with_lists(tree, tmp_path / "lists.iso")
    base = with_tags(tree, tmp_path / "base.iso")
    result = ngtpatch.rebuild(base, distros=["rocky"], output_tree=tmp_path / "out")
    assert list(result.stale_digests) == LISTS


# A compiled file in the source's place --------------------------------------------------------

_ASK = """
import platform, sys
platform.linux_distribution = lambda *a, **k: ("Rocky Linux", "8.4", "")
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import installer_factory
print(installer_factory.get_linux_installer().__name__)
"""


def ask(python: str, tree: Path) -> subprocess.CompletedProcess[str]:
    source = tree / FACTORY
    command = [python, "-c", _ASK, str(source.parent)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_python_2_decides_by_the_patched_source(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    python = interpreter("2.7")
    tree = copied(unpacked(1), tmp_path / "tree")
    subprocess.run([python, "-m", "py_compile", tree / FACTORY], check=True)
    subprocess.run([python, "-O", "-m", "py_compile", tree / FACTORY], check=True)
    disc = tried(genisoimage(tree, tmp_path / "base.iso"))
    gone = {one.path: one for one in disc.result.changed if one.done == "removed"}
    assert gone.keys() == {COMPILED, COMPILED[:-1] + "o"}
    assert gone[COMPILED].sha256_before == sha256(tree / COMPILED)
    assert gone[COMPILED].sha256_after is None
    with Volume.open(disc.output) as volume:
        assert COMPILED not in volume.tree
        assert volume.record is not None
    out = tmp_path / "out"
    ngtpatch.rebuild(disc.base, distros=["rocky"], output_tree=out)
    answered = ask(python, out)
    assert (answered.returncode, answered.stdout.splitlines()[-1:]) == (0, ["RedhatInstaller"])
    # The compiled file put back, with the time that its source still has: Rocky is refused.
    shutil.copy2(tree / COMPILED, out / COMPILED)
    moment = (tree / FACTORY).stat().st_mtime
    os.utime(out / FACTORY, (moment, moment))
    assert ask(python, out).returncode == 1


def test_what_python_3_keeps_in_its_cache_leaves_too(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    tree = copied(unpacked(2), tmp_path / "tree")
    # Not to be checked against the source (PEP 552): always taken.
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    cached = Path(
        py_compile.compile(str(tree / FACTORY), invalidation_mode=mode, doraise=True) or ""
    )
    other = Path(py_compile.compile(str(tree / "installer/linux/install_ngt.py")) or "")
    path = cached.relative_to(tree).as_posix()
    disc = tried(genisoimage(tree, tmp_path / "base.iso"))
    assert [one.path for one in disc.result.changed if one.done == "removed"] == [path]
    with Volume.open(disc.output) as volume:
        assert other.relative_to(tree).as_posix() in volume.tree, "its source was not patched"
    printed = run("rebuild", disc.base, "--distro", "rocky", "--dry-run")
    assert f"removed  {path}" in printed.out
    assert "(identity)" not in printed.out


def test_compiled_code_without_a_source_is_named(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    tree = copied(unpacked(2), tmp_path / "tree")
    lone = tree / "installer/linux/src/extra.pyc"
    (tree / "extra.py").write_text("pass\n")
    py_compile.compile(str(tree / "extra.py"), cfile=str(lone))
    base = genisoimage(tree, tmp_path / "base.iso")
    disc = tried(base)
    assert any("extra.pyc" in notice for notice in disc.result.notices)
    assert any("extra.pyc" in notice for notice in ngtpatch.inspect(base).notices)
    rows = ngtpatch.support(base, distros=["rocky"]).distros
    hazards = {(one.code, one.path) for row in rows for one in row.hazards}
    assert ("compiled-only", "installer/linux/src/extra.pyc") in hazards


# What the disc itself lacks -------------------------------------------------------------------


@pytest.mark.parametrize("lack", ["label", "no-config"])
def test_a_disc_that_no_agent_finds_or_no_installer_goes_on_with(
    unpacked: Callable[[int], Path], tmp_path: Path, lack: str
) -> None:
    tree = copied(unpacked(2), tmp_path / "tree")
    if lack == "no-config":
        (tree / "config/ngt_config.json").unlink()
    label = "CDROM" if lack == "label" else LABEL
    base = genisoimage(tree, tmp_path / "base.iso", label=label)
    word = "CDROM" if lack == "label" else "ngt_config.json"
    for row in ngtpatch.support(base, distros=["rocky"]).distros:
        found = next(one for one in row.hazards if one.code == lack)
        assert word in found.text
        assert found.stops == (lack == "no-config")
        assert (row.runs is False) == found.stops
    disc = tried(base)
    assert any(word in notice for notice in disc.result.notices)
    assert any(word in notice for notice in ngtpatch.inspect(base).notices)
    assert lack in [problem.code for problem in ngtpatch.verify(disc.output).problems]
    variables = tmp_path / "v.json"
    if lack == "no-config":
        store = tmp_path / "store"
        command = ("packer", "prepare", base, "-d", "rocky", "-o", store)
        refused = run(*command, "--variables", variables, "--json")
        assert (refused.code, refused.document["error"]["code"]) == (4, lack)
        assert refused.document["error"]["path"] == str(base)
        assert not variables.exists()
        assert not list(store.glob("*.iso")) + list(store.glob(".*.iso"))
        # A disc from elsewhere, or from before this was refused.
        _name(variables, disc.output)
    else:
        prepared = prepare(base, distros=["rocky"], output=tmp_path)
        assert any(word in notice for notice in prepared.notices)
        write_variables(prepared, variables)
    verified = verify_prepared(variables, allow_identity=True)
    assert not verified.ok
    assert any(word in problem for problem in verified.problems)


def _name(variables: Path, image: Path) -> None:
    """Write the variables as if *image* had been prepared for Rocky Linux."""
    values = {"path": str(image), "name": image.name, "sha256": sha256(image)}
    named = {f"ngt_iso_{key}": value for key, value in values.items()}
    variables.write_text(json.dumps({**named, "ngt_profile": "rocky"}))


def test_an_ordinary_disc_lacks_nothing(unpacked: Callable[[int], Path], tmp_path: Path) -> None:
    base = genisoimage(unpacked(2), tmp_path / "base.iso")
    assert ngtpatch.inspect(base).notices == ()
    rows = ngtpatch.support(base, distros=["rocky"]).distros
    assert {"label", "no-config"}.isdisjoint(one.code for row in rows for one in row.hazards)
    prepared = prepare(base, distros=["rocky"], output=tmp_path)
    write_variables(prepared, tmp_path / "v.json")
    assert verify_prepared(tmp_path / "v.json").ok


# Partitions, further file systems, a reader that fails ------------------------------------------


def test_a_partition_that_ends_before_the_image_does_is_said(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    (tmp_path / "mbr.bin").write_bytes(b"\xfa\x31\xc0" + bytes(429))
    command = [tool("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-R", "-J", "-V", LABEL]
    command += ["-isohybrid-mbr", str(tmp_path / "mbr.bin"), "-partition_cyl_align", "off"]
    command += ["-b", "boot.img", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4"]
    tree, base = copied(unpacked(2), tmp_path / "tree"), tmp_path / "base.iso"
    (tree / "boot.img").write_bytes(bytes(8192))
    subprocess.run([*command, "-o", base, tree], check=True, capture_output=True)
    assert not [p for p in ngtpatch.verify(base).problems if p.code == "partition-end"]
    disc = tried(base)
    said = [notice for notice in disc.result.notices if "partition 1 ends at byte" in notice]
    assert len(said) == 1
    assert "partition-end" in [problem.code for problem in ngtpatch.verify(disc.output).problems]


def test_a_second_file_system_is_refused_and_said_and_a_directory_is_the_way(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    base, output = tmp_path / "base.iso", tmp_path / "out.iso"
    command = [tool("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-R", "-J", "-hfsplus"]
    subprocess.run([*command, "-V", LABEL, "-o", base, unpacked(2)], check=True)
    with pytest.raises(Refusal) as refused:
        ngtpatch.rebuild(base, distros=["rocky"], output=output)
    assert refused.value.code == "unknown-tree"
    assert not output.exists()
    assert any("HFS+" in notice for notice in ngtpatch.inspect(base).notices)
    for row in ngtpatch.support(base, distros=["rocky"]).distros:
        said = [hazard.text for hazard in row.hazards if hazard.code == "unknown-tree"]
        assert ["HFS+" in text and "name the directory" in text for text in said] == [True]
    ngtpatch.rebuild(unpacked(2), distros=["rocky"], output=output)
    assert {one.verdict for one in ngtpatch.support(output, distros=["rocky"]).distros} == {
        "recognised"
    }
    with Volume.open(output) as volume:
        assert volume.descriptors.system_area.others == ()


def test_pycdlib_s_refusal_is_said_and_the_directory_way_is_named(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    base = genisoimage(unpacked(2), tmp_path / "base.iso")
    data = bytearray(base.read_bytes())
    with Volume.open(base) as volume:
        folder = volume.records["joliet"].extent_of["config"] * 2048
    second = folder + data[folder]
    data[second + 33] = 0  # a directory's second record is named as its first
    base.write_bytes(data)
    shown = run("inspect", base)
    assert shown.code == 0
    assert "pycdlib cannot open it" in shown.err
    refused = run("--json", "rebuild", base, "--distro", "rocky", "-o", tmp_path / "out.iso")
    assert refused.code == 4
    assert refused.document["error"]["code"] == "second-opinion"
    assert "directory" in refused.document["error"]["hint"]
    verified = ngtpatch.verify(base, base=base)
    assert verified.ok
    assert "second-opinion" in [problem.code for problem in verified.problems]


def test_a_directory_as_output_is_named(unpacked: Callable[[int], Path], tmp_path: Path) -> None:
    for force in ([], ["--force"]):
        asked = ["--json", "rebuild", str(unpacked(2)), "--distro", "rocky", *force]
        refused = run(*asked, "-o", tmp_path)
        assert refused.code == 2
        assert refused.document["error"]["code"] == "is-directory"
        assert str(tmp_path / "ngt.iso") in refused.document["error"]["hint"]


def test_growing_our_output_by_another_program_is_no_verified_image(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    disc = tried(genisoimage(unpacked(2), tmp_path / "base.iso"))
    (tmp_path / "later.txt").write_text("by another session\n")
    command = [tool("xorriso", "xorriso"), "-joliet", "on", "-dev", disc.output]
    command += ["-map", tmp_path / "later.txt", "/later.txt", "-commit"]
    subprocess.run([str(one) for one in command], check=True, capture_output=True)
    assert not ngtpatch.verify(disc.output, base=disc.base).ok
    rows = ngtpatch.support(disc.output, distros=["rocky"]).distros
    assert {row.verdict for row in rows} == {"recognised"}


# What another program made of an output -----------------------------------------------------------


def test_an_output_that_another_program_grew_is_not_called_the_vendor_s(
    unpacked: Callable[[int], Path], tmp_path: Path
) -> None:
    grown = tried(genisoimage(unpacked(2), tmp_path / "base.iso")).output
    (tmp_path / "extra").write_text("x\n")
    command = [tool("xorriso", "xorriso"), "-joliet", "on", "-dev", str(grown)]
    command += ["-map", str(tmp_path / "extra"), "/extra.txt", "-commit"]
    subprocess.run(command, check=True, capture_output=True)
    printed = run("inspect", grown)
    assert printed.code == 0
    assert "not written by ngtpatch, or grown or damaged since" in printed.out
    assert "vendor" not in printed.out
