# SPDX-License-Identifier: Apache-2.0
"""A key that other programs left on a disc: no shared disc has it, nor another VM's.

The discs are grown and edited by xorriso, genisoimage and by hand; what is left is looked for
in the outputs' bytes, window by window, and not by ngtpatch.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import ngtpatch
from ngtpatch.errors import Refusal
from ngtpatch.flow.changes import IdentityRequest
from ngtpatch.flow.opened import open_source
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.volume import Volume
from ngtpatch.sample import write_sample
from tests.flow.conftest import run
from tests.identity import material as m
from tests.requirements import tool

CONFIG, CERTIFICATE, KEY = (
    f"config/{name}" for name in ("ngt_config.json", "client-cert.pem", "client-key.pem")
)
NAMES = ("ngt_config.json", "client-cert.pem", "client-key.pem")


@dataclass(frozen=True)
class Ground:
    """What a disc is made from: a tree that was unpacked, the vendor's disc, two identities.

    Attributes:
        base: an image with the first identity.
        tree: the same, unpacked.
        first: the files of the identity that is to be gone.
        second: another VM's, to be put on.
    """

    root: Path
    base: Path
    tree: Path
    first: dict[str, bytes]
    second: dict[str, bytes]

    def file(self, path: str) -> Path:
        """Return one of the second identity's files."""
        return self.root / "second" / Path(path).name


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    root = tmp_path_factory.mktemp("ground")
    write_sample(root / "base.iso", era=2)
    ngtpatch.rebuild(
        root / "base.iso",
        output_tree=root / "tree",
        identity=IdentityRequest(sets={"port": "2074"}),
    )
    with open_source(root / "base.iso") as source:
        first = {path: source.tree[path] for path in (CONFIG, CERTIFICATE, KEY)}
    second = m.files(
        7, kind="rsa2048", begin=m.certificate(m.private_key("p256")).not_valid_before_utc
    )
    (root / "second").mkdir()
    for path, data in second.items():
        (root / "second" / Path(path).name).write_bytes(data)
    return Ground(root, root / "base.iso", root / "tree", first, second)


def xorriso(*arguments: object) -> None:
    command = [tool("xorriso", "xorriso"), "-return_with", "SORRY", "32", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def authored(ground: Ground, disc: Path) -> None:
    """Write the tree with xorriso, which leaves a session that can be grown."""
    xorriso(
        "-volid", "NUTANIX_TOOLS", "-joliet", "on", "-outdev", disc, "-map", ground.tree, "/",
        "-commit",
    )  # fmt: skip


def grown_by_replacing(ground: Ground, disc: Path) -> None:
    authored(ground, disc)
    maps = [
        word
        for name in NAMES
        for word in ("-map", ground.root / "second" / name, f"/config/{name}")
    ]
    xorriso("-joliet", "on", "-dev", disc, *maps, "-commit")


def grown_by_removing(ground: Ground, disc: Path) -> None:
    authored(ground, disc)
    xorriso("-joliet", "on", "-dev", disc, "-rm_r", "/config", "--", "-commit")


def grown_twice(ground: Ground, disc: Path) -> None:
    grown_by_replacing(ground, disc)
    more = ground.root / "more.txt"
    more.write_text("another session\n")
    xorriso("-joliet", "on", "-dev", disc, "-map", more, "/more.txt", "-commit")


def grown_by_genisoimage(ground: Ground, disc: Path) -> None:
    """The second session, whose tree a plain reader does not see, has the key."""
    program = tool("genisoimage", "genisoimage")
    bare, keyed = ground.root / "bare", ground.root / "keyed"
    if not bare.exists():
        shutil.copytree(ground.tree, bare)
        (bare / KEY).unlink()
        (bare / CERTIFICATE).unlink()
        (bare / CONFIG).write_text('{"ngt_version": "2.0.1"}')
        (keyed / "config").mkdir(parents=True)
        shutil.copy(ground.tree / KEY, keyed / KEY)
    command = [program, "-quiet", "-R", "-J", "-V", "NUTANIX_TOOLS"]
    subprocess.run([*command, "-o", disc, bare], check=True, capture_output=True)
    sectors = disc.stat().st_size // 2048
    more = disc.with_suffix(".more")
    subprocess.run(
        [*command, "-C", f"0,{sectors}", "-M", disc, "-o", more, keyed],
        check=True, capture_output=True,
    )  # fmt: skip
    with disc.open("ab") as file:
        file.write(more.read_bytes())
    more.unlink()


def edited_in_place(ground: Ground, disc: Path) -> None:
    """A shorter key written over the first, its length recorded, the rest left as it was."""
    shutil.copy(ground.base, disc)
    short = m.key_pem(m.private_key("p256", 70))
    with Volume.open(disc) as volume, disc.open("r+b") as file:
        for tree in volume.trees:
            for path, node in volume.records.get(tree, volume.records["iso9660"]).nodes.items():
                if node.entry.extents == volume.entries("rock_ridge")[KEY].extents:
                    assert path
                    file.seek(node.records[0].offset + 10)
                    file.write(len(short).to_bytes(4, "little") + len(short).to_bytes(4, "big"))
        file.seek(volume.entries("rock_ridge")[KEY].extents[0][0])
        file.write(short)


def in_a_tail(ground: Ground, disc: Path) -> None:
    shutil.copy(ground.base, disc)
    with disc.open("ab") as file:
        file.write(ground.first[KEY])


def in_the_system_area(ground: Ground, disc: Path) -> None:
    shutil.copy(ground.base, disc)
    with disc.open("r+b") as file:
        file.seek(3000)
        file.write(ground.first[KEY])


def in_slack_as_der(ground: Ground, disc: Path) -> None:
    shutil.copy(ground.base, disc)
    key = serialization.load_pem_private_key(ground.first[KEY], None)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    with Volume.open(disc) as volume, disc.open("r+b") as file:
        offset, length = (
            volume.entries("rock_ridge")["installer/linux/src/__init__.py"].extents[0]
            if (volume.entries("rock_ridge")["installer/linux/src/__init__.py"].extents)
            else volume.entries("rock_ridge")["setup.exe"].extents[0]
        )
        file.seek(offset + length + 5)
        file.write(der)


def the_middle_of_a_key(ground: Ground, disc: Path) -> None:
    """A piece without armour, of the key that is on the disc, behind the end."""
    shutil.copy(ground.base, disc)
    with disc.open("ab") as file:
        file.write(bytes(100) + ground.first[KEY][200:1500] + bytes(20))


WAYS: list[Callable[[Ground, Path], None]] = [
    grown_by_replacing, grown_by_removing, grown_twice, grown_by_genisoimage, edited_in_place,
    in_a_tail, in_the_system_area, in_slack_as_der, the_middle_of_a_key,
]  # fmt: skip


def windows(ground: Ground) -> set[bytes]:
    """Every 16 bytes of the first key, in PEM as it is written and in DER."""
    pem = ground.first[KEY]
    key = serialization.load_pem_private_key(pem, None)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    # Without what all keys of the kind begin with.
    text, raw = pem[100:-30], der[64:]
    found = {text[i : i + 16] for i in range(len(text) - 15)}
    return found | {raw[i : i + 16] for i in range(len(raw) - 15)}


def traces_of(ground: Ground, image: Path) -> int:
    data, wanted = image.read_bytes(), windows(ground)
    return sum(data[i : i + 16] in wanted for i in range(len(data) - 15))


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.__name__)
def left(request: pytest.FixtureRequest, ground: Ground) -> Path:
    disc = ground.root / f"{request.param.__name__}.iso"
    request.param(ground, disc)
    assert traces_of(ground, disc) > 100
    return disc


def test_no_shared_disc_has_a_trace_of_it(ground: Ground, left: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.iso"
    ngtpatch.rebuild(left, output=shared, identity=IdentityRequest(strip=True))
    assert traces_of(ground, shared) == 0
    found = ngtpatch.inspect(shared).identity
    assert (found.present, found.elsewhere) == (False, ())


def test_it_is_not_called_fit_to_be_shared(left: Path) -> None:
    found = ngtpatch.inspect(left).identity
    assert found.present
    assert any("a private key" in place or "own key" in place for place in found.elsewhere)
    audit = ngtpatch.check_identities(left)
    assert "left-behind" in {finding.code for finding in audit.findings}


def test_no_other_vm_gets_it(ground: Ground, left: Path, tmp_path: Path) -> None:
    (tmp_path / "vms.csv").write_text("name\nvm7\n")
    shutil.copytree(ground.root / "second", tmp_path / "certificates" / "vm7")
    summary = ngtpatch.inject(
        left, tmp_path / "vms.csv", tmp_path / "out", certificates=tmp_path / "certificates"
    )
    if "removing" in left.name:
        # There is no config/ to put a VM's files into, and nothing is written.
        assert (summary.written, summary.failed) == (0, 1)
        assert list((tmp_path / "out").glob("*.iso")) == []
        return
    assert (summary.written, summary.failed) == (1, 0), summary.failures
    assert traces_of(ground, tmp_path / "out" / "vm7.iso") == 0
    one = tmp_path / "one.iso"
    ngtpatch.rebuild(
        left, output=one,
        identity=IdentityRequest(
            config=ground.file(CONFIG), certificate=ground.file(CERTIFICATE), key=ground.file(KEY)
        ),
    )  # fmt: skip
    assert traces_of(ground, one) == 0


def test_what_is_overwritten_is_said(ground: Ground, tmp_path: Path) -> None:
    disc = tmp_path / "tail.iso"
    in_a_tail(ground, disc)
    result = ngtpatch.rebuild(disc, output=tmp_path / "o.iso", identity=IdentityRequest(strip=True))
    said = [notice for notice in result.notices if notice.startswith("overwritten")]
    assert said == ["overwritten: " + s for s in ngtpatch.inspect(disc).identity.elsewhere]
    assert "behind the end of the volume" in said[0]
    assert result.unread == ("installer/linux/src/ngt_guest_agent.tar.gz",)


def test_a_plain_rebuild_does_not_call_it_nobodys(ground: Ground, tmp_path: Path) -> None:
    disc = tmp_path / "removed.iso"
    grown_by_removing(ground, disc)
    result = ngtpatch.rebuild(disc, distros=["rocky"], output=tmp_path / "out.iso")
    assert result.carries_identity
    assert (tmp_path / "out.iso").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def with_notes(ground: Ground) -> Path:
    """A key in a file that is no place of identity."""
    disc = ground.root / "notes.iso"
    tree = ground.root / "with-notes"
    shutil.copytree(ground.tree, tree)
    (tree / "installer/notes.txt").write_bytes(b"the old key:\n" + ground.first[KEY])
    command = [tool("genisoimage", "genisoimage"), "-quiet", "-R", "-J", "-V", "NUTANIX_TOOLS"]
    subprocess.run([*command, "-o", disc, tree], check=True, capture_output=True)
    return disc


@pytest.mark.parametrize(
    "request_", [IdentityRequest(strip=True), IdentityRequest(strip=True, reserve=8192)]
)
def test_a_key_in_another_file_is_named_and_refused(
    with_notes: Path, tmp_path: Path, request_: IdentityRequest
) -> None:
    with pytest.raises(Refusal) as caught:
        ngtpatch.rebuild(with_notes, output=tmp_path / "out.iso", identity=request_)
    assert caught.value.code == "identity-elsewhere"
    assert "installer/notes.txt" in caught.value.message
    assert "--allow-identity installer/notes.txt" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hidden", [(KEY, CERTIFICATE, CONFIG), (KEY,), (CERTIFICATE,), (CONFIG,)])
def test_what_only_another_tree_lists_is_named_and_refused(
    ground: Ground, tmp_path: Path, hidden: tuple[str, ...]
) -> None:
    """A file that genisoimage hides from Rock Ridge is still in Joliet, which Windows reads."""
    tree, disc, output = tmp_path / "tree", tmp_path / "disc.iso", tmp_path / "out.iso"
    shutil.copytree(ground.tree, tree, symlinks=True)
    for path in {KEY, CERTIFICATE, CONFIG} - {*hidden}:
        (tree / path).unlink()
    if CONFIG not in hidden:
        (tree / CONFIG).write_text('{"ngt_version": "2.0.1"}')
    command = [tool("genisoimage", "genisoimage"), "-quiet", "-R", "-J", "-V", "NUTANIX_TOOLS"]
    for path in hidden:
        command += ["-hide", str(tree / path)]
    subprocess.run([*command, "-o", disc, tree], check=True, capture_output=True)
    with open_source(disc) as source:
        assert {KEY, CERTIFICATE, CONFIG} & source.tree.keys() == {CONFIG} - {*hidden}
    identity = ngtpatch.inspect(disc).identity
    assert identity.present
    for path in hidden:
        assert any(f"{path} of the joliet tree" in place for place in identity.elsewhere)
    plain = ngtpatch.rebuild(disc, distros=["rocky"], output=output)
    assert plain.carries_identity
    output.unlink()
    strip = IdentityRequest(strip=True)
    with pytest.raises(Refusal, match="of the joliet tree") as refused:
        ngtpatch.rebuild(disc, distros=["rocky"], output=output, identity=strip)
    assert refused.value.code == "identity-elsewhere"
    assert not output.exists()


def test_the_same_from_a_directory(ground: Ground, with_notes: Path, tmp_path: Path) -> None:
    assert with_notes.exists()
    tree = ground.root / "with-notes"
    with pytest.raises(Refusal) as caught:
        ngtpatch.rebuild(tree, output=tmp_path / "o.iso", identity=IdentityRequest(strip=True))
    assert caught.value.code == "identity-elsewhere"
    assert "installer/notes.txt" in ngtpatch.inspect(tree).identity.elsewhere[0]


def test_what_is_allowed_by_name_stays_and_nothing_else(
    ground: Ground, with_notes: Path, tmp_path: Path
) -> None:
    wish = IdentityRequest(strip=True, allowed=("installer/notes.txt",))
    result = ngtpatch.rebuild(with_notes, output=tmp_path / "out.iso", identity=wish)
    assert not result.carries_identity
    with open_source(tmp_path / "out.iso") as source:
        assert ground.first[KEY] in source.tree["installer/notes.txt"]
        assert KEY not in source.tree
    assert any("installer/notes.txt" in notice for notice in result.notices)
    other = IdentityRequest(strip=True, allowed=("installer/other.txt",))
    with pytest.raises(Refusal):
        ngtpatch.rebuild(with_notes, output=tmp_path / "2.iso", identity=other)


def test_what_is_allowed_stays_whatever_it_is_called(ground: Ground, tmp_path: Path) -> None:
    """A key under a name that keys have was removed, although it had been allowed."""
    tree = tmp_path / "tree"
    ngtpatch.rebuild(ground.base, output_tree=tree, identity=IdentityRequest(reserve=1))
    (tree / "spare.pem").write_bytes(ground.first[KEY])
    wish = IdentityRequest(strip=True, allowed=("spare.pem",))
    result = ngtpatch.rebuild(tree, output=tmp_path / "out.iso", identity=wish)
    assert not result.carries_identity
    with open_source(tmp_path / "out.iso") as source:
        assert source.tree["spare.pem"] == ground.first[KEY]
        assert KEY not in source.tree


def test_a_record_does_not_keep_what_stood_in_the_slack_of_a_patched_file(
    ground: Ground, tmp_path: Path
) -> None:
    """The first rebuild keeps the vendor's bytes, compressed; the second must not."""
    disc, patched, shared = tmp_path / "d.iso", tmp_path / "p.iso", tmp_path / "s.iso"
    shutil.copy(ground.base, disc)
    path = "installer/linux/src/installer_factory.py"
    key = m.key_pem(m.private_key("p256", 71))
    with Volume.open(disc) as volume, disc.open("r+b") as file:
        offset, length = volume.entries("rock_ridge")[path].extents[0]
        assert length % 2048 < 1700
        file.seek(offset + length + 10)
        file.write(key)
    ngtpatch.rebuild(disc, distros=["rocky"], output=patched)
    ngtpatch.rebuild(patched, output=shared, identity=IdentityRequest(strip=True))
    with Volume.open(shared) as volume:
        assert isinstance(volume.record, BuildRecord)
        originals = volume.record.originals
        body = key[60:200]
        assert body not in originals
        assert body not in shared.read_bytes()
    assert ngtpatch.verify(shared).ok
    again = tmp_path / "again.iso"
    ngtpatch.reset(shared, again, base=disc)
    assert again.read_bytes() == disc.read_bytes()


@pytest.mark.parametrize(
    "link", [("config/client-key.pem", "client-cert.pem"), ("secrets", "/etc"), ("x", "../../y")]
)
def test_a_directory_with_links_out_of_it_is_refused_alike(
    ground: Ground, tmp_path: Path, link: tuple[str, str]
) -> None:
    tree, (path, target) = tmp_path / "tree", link
    shutil.copytree(ground.tree, tree, symlinks=True)
    (tree / path).unlink(missing_ok=True)
    (tree / path).symlink_to(target)
    codes = set()
    for attempt in (
        lambda: ngtpatch.inspect(tree),
        lambda: ngtpatch.rebuild(tree, distros=["rocky"], output=tmp_path / "out.iso"),
        lambda: ngtpatch.support(tree, distros=["rocky"]),
    ):
        with pytest.raises(ngtpatch.InputError) as caught:
            attempt()
        codes.add((caught.value.code, path in caught.value.message))
    assert codes == {("link", True)}


def test_a_directory_with_the_discs_own_links_is_not(ground: Ground) -> None:
    assert (ground.tree / "installer/linux/LICENSE").is_symlink()
    assert ngtpatch.inspect(ground.tree).identity.present


def test_what_is_compressed_is_named_wherever_it_lies(ground: Ground, tmp_path: Path) -> None:
    """In a tar archive, in a file that only Joliet lists, in sectors that no file has."""
    tree, disc = tmp_path / "tree", tmp_path / "disc.iso"
    shutil.copytree(ground.tree, tree, symlinks=True)
    packed = gzip.compress(ground.first[KEY])
    with tarfile.open(tree / "installer/kept.tar", "w") as archive:
        member = tarfile.TarInfo("old/key.gz")
        member.size = len(packed)
        archive.addfile(member, io.BytesIO(packed))
    (tree / "installer/unseen.gz").write_bytes(packed)
    command = [tool("genisoimage", "genisoimage"), "-quiet", "-R", "-J", "-V", "NUTANIX_TOOLS"]
    command += ["-hide", str(tree / "installer/unseen.gz"), "-o", str(disc), str(tree)]
    subprocess.run(command, check=True, capture_output=True)
    size = disc.stat().st_size
    with disc.open("ab") as file:
        file.write(packed)
    expected = {
        "installer/linux/src/ngt_guest_agent.tar.gz",
        "installer/kept.tar!old/key.gz",
        "installer/unseen.gz of the joliet tree",
        f"what is compressed behind the end of the volume (byte {size:,})",
    }
    assert set(ngtpatch.inspect(disc).identity.unread) == expected
    result = ngtpatch.rebuild(disc, output=tmp_path / "o.iso", identity=IdentityRequest(strip=True))
    assert set(result.unread or ()) == expected


def test_the_uuid_in_a_name_that_only_joliet_has(ground: Ground, tmp_path: Path) -> None:
    tree, disc = tmp_path / "tree", tmp_path / "disc.iso"
    shutil.copytree(ground.tree, tree, symlinks=True)
    name = json.loads(ground.first[CONFIG])["ngt_uuid"]
    (tree / name).mkdir()
    (tree / name / "a").write_text("x")
    command = [tool("genisoimage", "genisoimage"), "-quiet", "-J", "-V", "NUTANIX_TOOLS"]
    subprocess.run([*command, "-o", disc, tree], check=True, capture_output=True)
    places = ngtpatch.inspect(disc).identity.elsewhere
    assert any("own ngt_uuid in a directory" in place for place in places)
    with pytest.raises(Refusal) as caught:
        ngtpatch.rebuild(disc, output=tmp_path / "o.iso", identity=IdentityRequest(strip=True))
    assert caught.value.code == "identity-elsewhere"


def test_a_disc_with_identity_is_not_said_to_have_none(ground: Ground, tmp_path: Path) -> None:
    """What was asked for is on it already: nothing is done, and no more is said."""
    port = json.loads(ground.first[CONFIG])["port"]
    for target, same in (("--output-tree", False), ("--output", True)):
        done = run("rebuild", ground.base, "--set", f"port={port}", target, tmp_path / target)
        assert done.code == 0, done.err
        assert "no identity" not in done.out
        assert ("byte for byte" in done.out) is same
