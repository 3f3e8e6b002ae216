# SPDX-License-Identifier: Apache-2.0
"""One image per VM: right by other programs' reading, and nothing but its own identity."""

import hashlib
import itertools
import json
import random
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ngtpatch.files.locked import locked
from ngtpatch.files.wellknown import CERTIFICATE, CONFIG, KEY, VM_PATHS
from ngtpatch.fleet.plan import shard_of
from ngtpatch.identity.exchange import stripped
from ngtpatch.iso.compare.comparison import compare
from ngtpatch.iso.edit.image_edit import Note, edit
from ngtpatch.iso.read.build_record import BuildRecord
from ngtpatch.iso.read.regions import Region, regions_digest
from ngtpatch.iso.read.volume import Volume
from ngtpatch.iso.write.sinks import write_file
from tests.fleet.park import ENVIRONMENT, EXPIRED, FRESH, Park, betrayed, key_windows, park
from tests.identity import material as m
from tests.requirements import tool


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Park:
    """Fifteen VMs, made: 105 pairs."""
    made = park(tmp_path_factory.mktemp("fleet") / "park", 15)
    run = made.inject("--digest")
    assert run.returncode == 0, run.stderr
    return made


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_with(program: str, image: Path, path: str, scratch: Path) -> bytes:
    scratch.mkdir(exist_ok=True)
    target = scratch / "file"
    target.unlink(missing_ok=True)
    if program == "xorriso":
        subprocess.run(
            [tool("xorriso", "xorriso"), "-osirrox", "on", "-indev", image,
             "-extract", f"/{path}", target],
            check=True, capture_output=True,
        )  # fmt: skip
        return target.read_bytes()
    if program == "isoinfo-joliet":
        command = [tool("isoinfo", "genisoimage"), "-J", "-i", str(image), "-x", f"/{path}"]
    else:
        command = [tool("7z", "7zip"), "e", "-so", str(image), path]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize("program", ["xorriso", "7z", "isoinfo-joliet"])
def test_other_programs_read_each_vms_own_files(fleet: Park, tmp_path: Path, program: str) -> None:
    for name in ("vm1", "vm8", "vm15"):
        for path, data in fleet.material[name].items():
            image = fleet.out / f"{name}.iso"
            assert read_with(program, image, path, tmp_path / "scratch") == data


def test_every_output_is_its_vms_and_nobody_elses_to_read(fleet: Park) -> None:
    assert fleet.wrong() == []
    assert fleet.listing() == fleet.expected_listing()
    assert (fleet.out / "ledger.jsonl").stat().st_mode & 0o777 == 0o600


def test_pairs_of_outputs_differ_in_identity_only(fleet: Park) -> None:
    pairs = list(itertools.combinations(sorted(fleet.material), 2))
    assert len(pairs) >= 100
    for one, other in random.Random(5).sample(pairs, 100):  # noqa: S311 - no secret
        with (
            Volume.open(fleet.out / f"{one}.iso") as a,
            Volume.open(fleet.out / f"{other}.iso") as b,
        ):
            found = compare(a, b)
            assert {d.path for d in found.differences if d.tree == "rock_ridge"} == VM_PATHS
            assert {d.known_as or d.path for d in found.differences} == VM_PATHS
            assert {what for d in found.differences for what in d.what} <= {"content", "size"}


def test_two_identities_never_meet(fleet: Park) -> None:
    images = {name: (fleet.out / f"{name}.iso").read_bytes() for name in fleet.material}
    for name, image in images.items():
        for other, files in fleet.material.items():
            assert (files[KEY] in image) == (name == other)
            windows = key_windows(files[KEY], 32)
            assert any(window in image for window in windows) == (name == other)


def test_nothing_of_the_bases_own_identity_is_left(fleet: Park) -> None:
    with Volume.open(fleet.root / "base.iso") as volume:
        old = volume.tree[KEY]
        config = volume.tree[CONFIG]
    image = (fleet.out / "vm1.iso").read_bytes()
    with Volume.open(fleet.out / "vm1.iso") as volume:
        assert isinstance(volume.record, BuildRecord)
        kept = volume.record.originals  # compressed in the image
    for data in (image, kept):
        assert not [window for window in key_windows(old) if window in data]
        assert json.loads(config)["ngt_uuid"].encode() not in data


def test_the_ledger_identifies_every_byte(fleet: Park) -> None:
    rows = fleet.rows()
    base = (fleet.root / "base.iso").read_bytes()
    assert list(rows) == list(fleet.material)
    for name, row in rows.items():
        image = (fleet.out / f"{name}.iso").read_bytes()
        assert row["state"] == "done"
        assert row["base_sha256"] == hashlib.sha256(base).hexdigest()
        assert row["sha256"] == hashlib.sha256(image).hexdigest()
        assert row["size"] == len(image)
    assert len({row["regions_sha256"] for row in rows.values()}) == len(rows)


def test_a_regions_digest_is_what_the_ledger_says(fleet: Park) -> None:
    from ngtpatch.fleet.base import Base
    from ngtpatch.identity.bundle import Identity
    from ngtpatch.identity.exchange import injected

    files = fleet.material["vm3"]
    with Base.open(fleet.root / "base.iso", config_only=False, sha256=None, prove=True) as base:
        given = Identity("vm3", files[CONFIG], files[CERTIFICATE], files[KEY])
        plan = base.plan(injected(base.tree, given))
        image = (fleet.out / "vm3.iso").read_bytes()
        read = [Region(r.offset, r.original, image[r.offset : r.end]) for r in plan.regions]
    assert fleet.rows()["vm3"]["regions_sha256"] == regions_digest(read, len(image))


@pytest.mark.parametrize("udf", [False, True])
def test_sizes_that_fit_fill_and_exceed_the_room(tmp_path: Path, udf: bool) -> None:
    made = park(tmp_path / "park", 1, udf=udf)
    with Volume.open(made.root / "base.iso") as volume:
        room = -(-volume.tree.size(CERTIFICATE) // 2048) * 2048
    names = {}
    for number, (kind, length) in enumerate(
        [("p256", None), ("rsa2048", None), ("rsa4096", None), ("p384", room), ("p384", room + 1)],
        start=1,
    ):
        files = m.files(number, kind=kind, **FRESH)
        if length is not None:  # text before the PEM is allowed (RFC 7468, 2)
            body = files[CERTIFICATE]
            files[CERTIFICATE] = b"#" * (length - len(body) - 1) + b"\n" + body
        made.give(f"vm{number}", files)
        names[f"vm{number}"] = length
    (made.root / "vms.csv").write_text("\n".join(["name", *names]) + "\n")
    run = made.inject()
    assert run.returncode == 0, run.stderr
    assert made.wrong() == []
    # Each has a record behind the base's last byte; what outgrew its room stands there, too.
    sizes = {name: (made.out / f"{name}.iso").stat().st_size for name in names}
    grown = {name for name, size in sizes.items() if size > min(sizes.values())}
    assert {"vm3", "vm5"} <= grown
    assert "vm4" not in grown
    for name in names:
        for program in ("xorriso", "7z"):
            image = made.out / f"{name}.iso"
            read = read_with(program, image, CERTIFICATE, tmp_path / "scratch")
            assert read == made.material[name][CERTIFICATE]
        # Every byte is accounted for, by the record alone and against the base.
        for against in ((), ("--base", made.root / "base.iso")):
            found = made.ngtpatch("verify", image, *against)
            assert (found.returncode, found.stdout.splitlines()[-1]) == (0, "verified")


def test_config_only_images_hold_config_alone(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3, kind="rsa4096")
    run = made.inject("--config-only")
    assert run.returncode == 0, run.stderr
    assert made.wrong() == []
    with Volume.open(made.root / "base.iso") as base, Volume.open(made.out / "vm1.iso") as made_1:
        assert made_1.volume_id == "NUTANIX_TOOLS"
        assert made_1.trees == base.trees
        for tree in base.trees:
            wanted = {p for p in base.entries(tree) if p.lower().startswith("config")}
            assert set(made_1.entries(tree)) == wanted
        listing = made_1.entries("rock_ridge")
        assert {p: e.mode for p, e in listing.items()} == {
            p: e.mode for p, e in base.entries("rock_ridge").items() if p.startswith("config")
        }
        assert made_1.size < 128 << 10
    for program in ("xorriso", "7z", "isoinfo-joliet"):
        read = read_with(program, made.out / "vm2.iso", KEY, tmp_path / "scratch")
        assert read == made.material["vm2"][KEY]


def test_config_only_from_an_unpacked_tree(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    tree = made.root / "tree"
    subprocess.run(
        [tool("xorriso", "xorriso"), "-osirrox", "on", "-indev", made.root / "base.iso",
         "-extract", "/", tree],
        check=True, capture_output=True,
    )  # fmt: skip
    (made.root / "base.iso").unlink()
    tree.rename(made.root / "base.iso")
    assert made.inject("--config-only").returncode == 0
    assert made.wrong() == []
    run = made.inject("--force")
    assert run.returncode == 2
    assert "--config-only" in run.stderr


def test_bad_identities_are_refused_row_by_row(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 6)
    made.give("vm2", m.files(2, **EXPIRED))
    made.give("vm3", {**made.material["vm3"], KEY: made.material["vm4"][KEY]})
    made.give("vm5", {**made.material["vm5"], CONFIG: made.material["vm6"][CONFIG]})
    run = made.inject()
    assert run.returncode == 6
    rows = made.rows()
    assert {n: r.get("code") for n, r in rows.items()} == {
        "vm1": None, "vm2": "expired", "vm3": "key-mismatch", "vm4": None,
        "vm5": "duplicate-uuid", "vm6": "duplicate-uuid",
    }  # fmt: skip
    assert {p for p in made.listing() if p.endswith(".iso")} == {"vm1.iso", "vm4.iso"}
    assert made.right("vm1")
    assert made.right("vm4")
    assert "vm2" in run.stderr
    for number in (2, 3, 5):
        made.give(f"vm{number}", m.files(number, **FRESH))
    inode = (made.out / "vm1.iso").stat().st_ino
    run = made.inject("--resume")
    assert run.returncode == 0
    assert "4 written, 2 kept" in run.stdout
    assert made.wrong() == []
    assert (made.out / "vm1.iso").stat().st_ino == inode


OTHER_BASE = "it was made from another base, or of the other kind (config-only or full)"


def with_one_key(made: Park, first: str, second: str) -> None:
    """Give the second VM a certificate of its own, of the first one's key."""
    number = int(first.removeprefix("vm"))
    files = made.material[second]
    certificate = m.certificate(m.private_key("p256", number), name=m.FIRST, **FRESH)
    key = made.material[first][KEY]
    made.give(second, {**files, CERTIFICATE: m.pem(certificate), KEY: key})


def test_one_key_under_two_certificates_is_refused(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 4)
    with_one_key(made, "vm1", "vm3")
    # One certificate in two VMs is that, and no key of it is named besides.
    files = made.material["vm4"]
    made.give("vm4", {**made.material["vm2"], CONFIG: files[CONFIG]})
    run = made.inject("--config-only")
    assert run.returncode == 6
    rows = made.rows()
    assert {name: row["code"] for name, row in rows.items()} == {
        "vm1": "duplicate-key", "vm2": "duplicate-certificate",
        "vm3": "duplicate-key", "vm4": "duplicate-certificate",
    }  # fmt: skip
    said = "the certificate's key is also that of vm3, under another certificate"
    assert rows["vm1"]["error"].startswith(said)
    made.give("vm3", m.files(3, **FRESH))
    made.give("vm4", files | m.files(4, **FRESH))
    assert made.inject("--config-only", "--resume").returncode == 0
    assert made.wrong() == []


def test_one_key_in_two_shards(tmp_path: Path) -> None:
    made, whole = park(tmp_path / "park", 8), tmp_path / "whole.json"
    other = next(n for n in made.material if shard_of(n, 3) != shard_of("vm1", 3))
    with_one_key(made, "vm1", other)
    assert made.inject("--dry-run", "--whole", whole).returncode == 0
    codes = refused(made, "--whole", whole)
    assert {name for name, code in codes.items() if code == "duplicate-key"} == {"vm1", other}


def refused(made: Park, *more: object) -> dict[str, str | None]:
    """Run three shards, one after the other; return each VM's error code."""
    codes = {}
    for k in (1, 2, 3):
        made.inject("--shard", f"{k}/3", "--resume", *more)
        codes.update({n: r.get("code") for n, r in made.rows(f"ledger-{k}-of-3.jsonl").items()})
    return codes


def test_what_a_shard_knows_of_the_others(tmp_path: Path) -> None:
    """With --whole that two VMs share an ngt_uuid; without, what it cannot know."""
    made, whole = park(tmp_path / "park", 8), tmp_path / "whole.json"
    made.give("vm8", {**made.material["vm8"], CONFIG: made.material["vm1"][CONFIG]})
    run = made.inject("--dry-run", "--whole", whole)
    assert run.returncode == 0, run.stderr
    assert not made.out.exists()
    assert made.inject("--dry-run", "--whole", whole).returncode == 2  # it exists
    codes = refused(made, "--whole", whole)
    assert {name for name, code in codes.items() if code == "duplicate-uuid"} == {"vm1", "vm8"}
    assert len(codes) == 8
    # A shard reads no file of another one's VM, and says so.
    run = made.inject("--shard", "2/3", "--resume", "--json")
    assert "of other shards the configurations and certificates were not read" in run.stderr
    assert any("is not known" in note for note in json.loads(run.stdout)["notes"])
    for name in made.material:
        if name not in made.rows("ledger-2-of-3.jsonl"):
            (made.root / "certificates" / name / "client-cert.pem").write_bytes(b"never read")
    assert made.inject("--shard", "2/3", "--resume", "--whole", whole).returncode in (0, 6)
    # A disc that another shard made tells what the inventory's text does not.
    shutil.rmtree(made.out)
    for name, files in made.material.items():
        made.give(name, files)
    codes = refused(made)
    assert len([code for code in codes.values() if code == "duplicate-uuid"]) == 1
    assert sum((made.out / f"{name}.iso").exists() for name in ("vm1", "vm8")) == 1


def test_a_shard_says_of_itself_alone_that_it_is_unique(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 4)
    said = "".join(made.inject("--shard", f"{k}/2").stderr for k in (1, 2))
    assert (
        "By its shard and the ledgers there, no other VM has its ngt_uuid or certificate." in said
    )
    assert "By its inventory" not in said


def test_a_file_of_the_whole_is_of_this_inventory_and_these_certificates(tmp_path: Path) -> None:
    made, whole = park(tmp_path / "park", 4), tmp_path / "whole.json"
    assert made.inject("--dry-run", "--whole", whole).returncode == 0
    schema = json.loads(made.ngtpatch("schema", "inject-whole").stdout)
    assert set(json.loads(whole.read_text())) == set(schema["properties"])
    made.give("vm3", {**made.material["vm3"], CERTIFICATE: m.files(3, **FRESH)[CERTIFICATE]})
    codes = refused(made, "--whole", whole)
    assert {name: code for name, code in codes.items() if code} == {"vm3": "whole-stale"}
    for more in (("--name", "x-{{ name }}.iso"), ("--set", "port=2075")):
        run = made.inject("--shard", "1/3", "--resume", "--whole", whole, "--json", *more)
        assert json.loads(run.stdout)["error"]["code"] == "whole"
    (made.root / "vms.csv").write_text("name\nvm1\nvm2\n")
    run = made.inject("--shard", "1/3", "--resume", "--whole", whole, "--json")
    assert (run.returncode, json.loads(run.stdout)["error"]["code"]) == (3, "whole")
    whole.write_text('{"schema": "ngtpatch.inject-whole/1", "refused": [1]}')
    run = made.inject("--shard", "1/3", "--resume", "--whole", whole, "--json")
    assert (run.returncode, json.loads(run.stdout)["error"]["code"]) == (3, "whole")
    assert made.inject("--resume", "--whole", whole).returncode == 2


def test_what_a_file_of_the_whole_says_of_others_may_have_been_put_right(tmp_path: Path) -> None:
    made, whole = park(tmp_path / "park", 8), tmp_path / "whole.json"
    made.give("vm8", {**made.material["vm8"], CONFIG: made.material["vm1"][CONFIG]})
    assert made.inject("--dry-run", "--whole", whole).returncode == 0
    made.give("vm1", m.files(21, **FRESH))
    codes = refused(made, "--whole", whole)
    assert {name: code for name, code in codes.items() if code} == {
        "vm1": "whole-stale", "vm8": "duplicate-uuid",
    }  # fmt: skip
    rows = [made.rows(f"ledger-{k}-of-3.jsonl").get("vm8") for k in (1, 2, 3)]
    [error] = [row["error"] for row in rows if row is not None]
    assert "is also that of vm1 (as of --whole FILE" in error
    assert "compute the file again" in error
    assert made.inject("--dry-run", "--force", "--whole", whole).returncode == 0
    assert set(refused(made, "--whole", whole).values()) == {None}


WHOLE_OVER = [
    "vms.csv", "base.iso", "certificates/vm2/client-key.pem", "certificates/vm2/ngt_config.json",
    "certificates/unused/client-key.pem", "template.json", "by-link.pem",
]  # fmt: skip


@pytest.mark.parametrize("name", WHOLE_OVER)
def test_a_file_of_the_whole_replaces_no_input(tmp_path: Path, name: str) -> None:
    made = park(tmp_path / "park", 2)
    made.give("unused", m.files(9, **FRESH))
    (made.root / "template.json").write_text("{}")
    (made.root / "by-link.pem").symlink_to(made.root / "certificates/vm1/client-key.pem")
    before = (made.root / name).read_bytes()
    template = ("--config-template", made.root / "template.json")
    run = made.inject("-n", "-f", "--json", "--whole", made.root / name, *template)
    assert (run.returncode, json.loads(run.stdout)["error"]["code"]) == (2, "same-file")
    assert (made.root / name).read_bytes() == before


@pytest.mark.parametrize(
    "name", ["", "vm1.iso", "VM1.ISO", "ledger.jsonl", "ledger-1-of-3.jsonl", ".ngtpatch/x"]
)
@pytest.mark.parametrize("run_before", [True, False])
def test_a_file_of_the_whole_takes_no_outputs_place(
    tmp_path: Path, name: str, run_before: bool
) -> None:
    made = park(tmp_path / "park", 2)
    if run_before:
        assert made.inject("--shard", "1/3").returncode == 0
        assert made.inject().returncode in (0, 2)
    else:
        (made.out / ".ngtpatch").mkdir(parents=True)
    before = {path: path.read_bytes() for path in made.out.rglob("*") if path.is_file()}
    run = made.inject("-n", "-f", "--json", "--whole", made.out / name)
    assert (run.returncode, json.loads(run.stdout)["error"]["code"]) == (2, "same-file")
    assert before == {path: path.read_bytes() for path in made.out.rglob("*") if path.is_file()}


def test_a_file_of_the_whole_is_computed_again_wherever_it_is(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    for place in (made.root / "whole.json", made.root / "certificates/whole.json"):
        for _ in range(2):
            run = made.inject("-n", "-f", "--whole", place)
            assert run.returncode == 0, run.stderr


def test_a_uuid_is_one_in_whatever_case_it_is_written(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    certificates = made.root / "certificates"
    one, two, three = (f"0c8d9f3e-5a8b-4f6e-9d63-2d6f0f7a1b{n:02}" for n in (1, 2, 3))
    (certificates / "vm1").rename(certificates / one.upper())
    for name, end in (("ngt_config.json", ".json"), ("client-cert.pem", ".crt"),
                      ("client-key.pem", "-key.pem")):  # fmt: skip
        (certificates / "vm2" / name).rename(certificates / (two.upper() + end))
    (certificates / "vm3").rename(certificates / three)
    # By the VM's UUID, by its ngt_uuid, and by a name that is one.
    rows = f"vm1,{one},\nvm2,,{two}\n{three.upper()},,\n"
    (made.root / "vms.csv").write_text("name,vm_uuid,ngt_uuid\n" + rows)
    run = made.inject("--config-only")
    assert run.returncode == 0, run.stderr
    made.material[three.upper()] = made.material.pop("vm3")
    del made.material["vm2"]  # its configuration has the row's ngt_uuid
    assert made.wrong() == []
    # The same VM in other case, under another name: no other VM's image.
    (made.root / "vms.csv").write_text(f"name\n{three}\n")
    run = made.inject("--config-only", "--name", "{{ name }}-new.iso")
    assert run.returncode == 0, run.stderr
    shutil.copytree(certificates / three, certificates / three.upper())
    run = made.inject("--config-only", "--resume", "--json")
    assert run.returncode == 3
    assert "both fit" in json.loads(run.stdout)["error"]["message"]


def test_vms_of_one_name_without_a_uuid_are_named_by_it(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    (made.root / "base.iso").unlink()
    assert made.ngtpatch("sample", "-o", made.root / "vendor.iso").returncode == 0
    stripped = made.ngtpatch(
        "identity", "strip", made.root / "vendor.iso", "-o", made.root / "base.iso"
    )
    assert stripped.returncode == 0, stripped.stderr
    (made.root / "vms.csv").write_text("name\nweb\nweb\n")
    run = made.inject("--json")
    message = json.loads(run.stdout)["error"]["message"]
    assert run.returncode == 3
    assert "a column vm_uuid would tell the two apart" in message
    assert "'web' has no certificate" in message
    assert "None" not in message


def test_why_an_image_of_the_other_kind_is_made_anew(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    for more in ((), ("--config-only",), ()):
        assert made.inject("--resume", *more).returncode == 0
        remade = made.rows()["vm1"].get("remade")
        assert remade in (None, OTHER_BASE)
    assert remade == OTHER_BASE


_MANY = "{% set ns = namespace(x='x') %}{% for n in range(99) %}"
_R = "{% set r = range(9999) | list %}"
_WORK = "the template does more than a value needs"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 'x' * 10**9 }}", "* would make 1,000,000,000 at once"),
        ("{{ 10**12 * name }}", "* would make"),
        ("{{ 2 ** (10**9) }}", "** would make"),
        ("{{ name.ljust(10**9) }}", "ljust would make"),
        ("{{ name | center(width=10**9) }}", "center would make"),
        ("{{ '%999999999d' % 1 }}", "% would make"),
        ("{{ '%999999999s' | format(1) }}", "format would make"),
        ("{{ '{:>999999999}'.format(1) }}", "format would make"),
        ("{{ '%(n)999999999d' % {'n': 1} }}", "% would make"),
        ("{{ '%*d' % (999999999, 1) }}", "% would make"),
        ("{{ '{:>{}}'.format(1, 999999999) }}", "format would make"),
        ("{{ '{n:>{w}}'.format_map({'n': 1, 'w': 999999999}) }}", "format_map would make"),
        ("{{ lipsum(n=10**9) }}", "generate_lorem_ipsum would make"),
        ("{% for n in range(99999) %}{{ 'x' * 999 }}{% endfor %}", "the template would make"),
        ("{{ ('x' * 10**5) | replace('', 'y' * 10**5) }}", "replace could make 10,000,"),
        ("{{ ('x' * 10**5).translate({120: 'y' * 10**5}) }}", "translate could make"),
        ("{{ ('x' * 10**4).join(['y'] * 10**5) }}", "join could make"),
        ("{{ ('\\n' * 10**5) | indent(10**5) }}", "indent could make"),
        ("{{ ('\\t' * 10**5).expandtabs(10**5) }}", "expandtabs could make"),
        ("{{ '%(n)s' * 10**4 % {'n': 'x' * 10**5} }}", "% could make"),
        ("{{ ('{0}' * 10**4).format('x' * 10**5) }}", "format could make"),
        (f"{_MANY}{{% set ns.x = ns.x ~ ns.x %}}{{% endfor %}}", "~ would make"),
        (
            f"{_MANY}{{% set ns.x = [ns.x, ns.x] %}}{{% endfor %}}{{{{ ns.x }}}}",
            "the template would make",
        ),
        ("{{ ('x' * 10**6) | wordwrap(1) }}", _WORK),
        ("{% for n in range(99999) %}{{ ('x' * 60000) | wordwrap(1) }}{% endfor %}", _WORK),
        (f"{_R}{{% for b in r %}}{{% for c in r %}}{{% endfor %}}{{% endfor %}}", _WORK),
        (f"{_R}{{% for b in r %}}{{% if 'x' in r * 9 %}}{{% endif %}}{{% endfor %}}", _WORK),
        (f"{_R}{{% set x %}}{{% for b in r %}}{'-' * 5000}{{% endfor %}}{{% endset %}}", _WORK),
        (f"{_R}{{% for b in r %}}{{% set x = r[1:] %}}{{% endfor %}}", _WORK),
        (
            "{% macro m(n) %}{% if n %}{{ m(n-1) ~ m(n-1) }}{% endif %}{% endmacro %}{{ m(99) }}",
            _WORK,
        ),
    ],
)
def test_a_name_that_would_be_endless_is_named(tmp_path: Path, template: str, said: str) -> None:
    made = park(tmp_path / "park", 2)
    begin = time.monotonic()
    run = made.inject("--name", template, "--json")
    assert run.returncode == 3, run.stderr
    assert f"--name: {said}" in json.loads(run.stdout)["error"]["message"]
    assert time.monotonic() - begin < 30
    run = made.inject("--set", f"cluster_ip={template}", "--config-only")
    assert run.returncode == 6, run.stderr
    assert said in run.stderr


@pytest.mark.parametrize(
    "template",
    [
        "{{ name | xmlattr }}", "{{ cycler() }}", "{{ '(' | urlize(rel=3) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ " + "(" * 999 + "1" + ")" * 999 + " }}",
    ],
    ids=range(5),
)  # fmt: skip
def test_a_template_whose_filters_fail_is_a_templates_fault(tmp_path: Path, template: str) -> None:
    run = park(tmp_path / "park", 1).inject("--dry-run", "--name", template)
    assert run.returncode == 3, run.stderr
    assert "--name: " in run.stderr


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ 1700000000 | tojson }}", "1700000000"),
        ("{{ '{} {}'.format('x', 1700000000) }}", "x 1700000000"),
        ("{{ '{v20000000}'.format(v20000000=name) }}", "vm1"),
        ("{{ '{2000000}%s' % name }}", "{2000000}vm1"),
        ("{{ '100% 2000000 {}'.format(name) }}", "100% 2000000 vm1"),
        ("{{ '%(of_the)s 20000000' % {'of_the': name} }}", "vm1 20000000"),
        ("{{ ('x' * 2000) | replace('x', '') | wordwrap(9) }}{{ name.replace('v', 'V') }}", "Vm1"),
        ("{{ ['a', name] | map('upper') | join('-') | indent(4) | center(8) | trim }}", "A-VM1"),
        (
            "{% for n in range(2000) %}{% if loop.last %}{{ n ~ name[1:] }}{% endif %}{% endfor %}",
            "1999m1",
        ),
        (
            "{% for a in [[1, [name]], [3]] recursive %}{{ loop(a) if a is not string and a is "
            "iterable else a }}{% else %}none{% endfor %}",
            "1vm13",
        ),
    ],
)
def test_a_large_number_that_is_no_width(tmp_path: Path, template: str, name: str) -> None:
    run = park(tmp_path / "park", 1).inject("--dry-run", "--name", f"{template}.iso", "--json")
    assert run.returncode == 0, run.stderr
    assert [order["output"] for order in json.loads(run.stdout)["orders"]] == [f"{name}.iso"]


@pytest.mark.parametrize("closed", [[2], [1, 2], [0, 1, 2]])
def test_no_file_gets_the_number_of_a_stream_that_is_closed(
    tmp_path: Path, closed: list[int]
) -> None:
    made = park(tmp_path / "park", 1)
    (made.out / ".ngtpatch").mkdir(parents=True)
    redirected = " ".join(f"{number}>&-" for number in closed)
    command = f"exec {shlex.join(made.arguments('--config-only', '--wait', 60))} {redirected}"
    with locked(made.out / ".ngtpatch/1-of-1.lock", wait=0, mode=0o600):
        run = subprocess.Popen(["sh", "-c", command], env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        while not (made.out / ".ngtpatch/gate.lock").exists():
            assert run.poll() is None
            time.sleep(0.01)
        leads = {Path(f"/proc/{run.pid}/fd/{number}").readlink() for number in closed}
    assert (run.wait(), leads, made.wrong()) == (0, {Path("/dev/null")}, [])


def test_a_run_without_standard_error(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    command = shlex.join(made.arguments("--config-only"))
    run = subprocess.run(["sh", "-c", f"exec {command} 2>&-"], env=ENVIRONMENT, check=False)
    assert (run.returncode, made.wrong()) == (0, [])


def test_a_name_of_numbers_that_are_not_large(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    name = "{{ '%03d' % (7 * 2) }}{{ name.rjust(5, '0') }}{{ '-' * 3 + '{:>2}'.format(10**7) }}"
    run = made.inject("--config-only", "--name", f"{name}.iso")
    assert run.returncode == 0, run.stderr
    assert (made.out / "01400vm1---10000000.iso").exists()


def test_a_clusters_list_that_is_not_whole_ends_with_5(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 1)
    uuid = "0c8d9f3e-5a8b-4f6e-9d63-2d6f0f7a1b01"
    data = {"data": [{"extId": uuid, "name": "vm1"}], "metadata": {"totalAvailableResults": 2}}
    (made.root / "vms.csv").write_text(json.dumps(data))
    run = made.inject("--json")
    told = json.loads(run.stdout)
    assert (run.returncode, told["complete"], told["written"]) == (5, False, 1)
    assert made.wrong() == []


def test_vms_of_one_name_are_told_apart_by_uuid(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3)
    one, two = (f"0c8d9f3e-5a8b-4f6e-9d63-2d6f0f7a1b{n:02}" for n in (1, 2))
    for name, uuid in (("vm1", one), ("vm2", two)):
        (made.root / "certificates" / name).rename(made.root / "certificates" / uuid)
    text = f"name,vm_uuid\nweb,{one}\nweb,{two.upper()}\nvm3,\n"
    (made.root / "vms.csv").write_text(text)
    run = made.inject("--json")
    assert run.returncode == 3
    assert "--name '{{ vm_uuid }}.iso'" in json.loads(run.stdout)["error"]["message"]
    run = made.inject("--name", "{{ vm_uuid or name }}.iso")
    assert run.returncode == 3  # an undefined name is an error
    run = made.inject("--name", "{{ vm_uuid | default(name) }}.iso", "--shard", "1/1")
    assert run.returncode == 0, run.stderr
    for name, output in (("vm1", one), ("vm2", two), ("vm3", "vm3")):
        with Volume.open(made.out / f"{output}.iso") as volume:
            assert all(volume.tree[p] == data for p, data in made.material[name].items())
    rows = [json.loads(line) for line in (made.out / "ledger.jsonl").read_text().splitlines()]
    assert [(r["name"], r["vm_uuid"]) for r in rows] == [("web", one), ("web", two), ("vm3", None)]
    # A folder by the name that two have is nobody's.
    (made.root / "certificates" / two).rename(made.root / "certificates" / "web")
    run = made.inject("--name", "{{ vm_uuid | default(name) }}.iso", "--resume", "--json")
    assert run.returncode == 6
    [failure] = json.loads(run.stdout)["failures"]
    assert (failure["code"], failure["vm_uuid"]) == ("base-identity", two)
    (made.root / "vms.csv").write_text(f"name,vm_uuid\nweb,{one}\nweb,\n")
    message = json.loads(made.inject("--json").stdout)["error"]["message"]
    assert "row 3, column name: 'web' is also the name of row 2" in message


def test_a_vm_of_the_same_name_in_another_inventory_is_another_vm(tmp_path: Path) -> None:
    """By its UUID; and one that was renamed between two runs is still the same."""
    made = park(tmp_path / "park", 2)
    one, two = (f"0c8d9f3e-5a8b-4f6e-9d63-2d6f0f7a1b{n:02}" for n in (1, 2))
    by_uuid = ("--name", "{{ vm_uuid | default(name) }}.iso", "--resume")
    inventory = made.root / "vms.csv"
    inventory.write_text(f"name,vm_uuid\nvm1,{one}\n")
    assert made.inject(*by_uuid).returncode == 0
    inventory.write_text(f"name,vm_uuid\nvm1,{two}\nvm2,\n")
    for more in ((), ("--shard", "1/1")):
        run = made.inject(*by_uuid, *more, "--json")
        assert run.returncode == 6
        [failure] = json.loads(run.stdout)["failures"]
        assert (failure["code"], failure["vm_uuid"]) == ("duplicate-uuid", two)
        assert not (made.out / f"{two}.iso").exists()
    # Where one of the two does not say its UUID, the name has to do.
    inventory.write_text("name\nvm1\n")
    assert made.inject("--resume").returncode == 0
    (made.root / "certificates/vm1").rename(made.root / "certificates/renamed")
    inventory.write_text(f"name,vm_uuid\nrenamed,{one}\n")
    (made.out / "vm1.iso").unlink()
    run = made.inject("--name", "{{ name }}.iso", "--resume")
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ('{"name": "b", "port": NaN}', "row 2, column port: is NaN or infinite"),
        ('{"name": "b", "port": -Infinity}', "row 2, column port: is NaN or infinite"),
        ('{"name": "b", "tags": [{"x": 1e999}]}', "row 2, column tags.1.x: is NaN or infinite"),
        ('{"name": "b", "tags": [[{"x": 1, "x": 2}]]}', "row 2, column tags.1.1.x: is given twice"),
        ('{"name": "b", "o": {"l": [{"x": 1, "x": 1}]}}', "row 2, column o.l.1.x: is given twice"),
    ],
)
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_what_no_json_has_is_said_of_its_row(
    tmp_path: Path, item: str, said: str, form: str
) -> None:
    made, first = park(tmp_path / "park", 1), '{"name": "vm1"}'
    text = f"[{first},{item}]" if form == "json" else f"{first}\n{item}\n"
    (made.root / "vms.csv").write_text(text)
    run = made.inject("--json")
    error = json.loads(run.stdout)["error"]
    assert (run.returncode, error["code"]) == (3, "inventory")
    assert said in error["message"]
    assert error["path"] == str(made.root / "vms.csv")
    assert "1 problem in the inventory" in error["message"]


def test_no_secret_is_said_or_written_down(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 4, kind="rsa2048")
    made.give("vm2", {**made.material["vm2"], KEY: made.material["vm3"][KEY]})
    broken = made.material["vm4"][KEY].replace(b"\nM", b"\n!", 1)
    made.give("vm4", {**made.material["vm4"], KEY: broken})
    said = b""
    for more in (("-v",), ("--json", "--resume"), ("-vv", "--resume"), ("--dry-run", "--resume")):
        run = made.inject(*more)
        said += run.stdout.encode() + run.stderr.encode()
    for file in made.out.rglob("*"):
        if file.is_file() and file.suffix != ".iso":
            said += file.read_bytes()
    for files in made.material.values():
        assert not betrayed(files[KEY], said)


def test_names_by_template_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 0)
    (made.root / "vms.csv").write_text(
        "name,site,cert,key\nvm1,a,c,k\nVM1,a,c,k\nx/y,a,c,k\n..,a,c,k\nok,../../etc,c,k\n"
    )
    run = made.inject()
    assert run.returncode == 3
    assert not made.out.exists()
    assert "row 3, column name: its output 'VM1.iso' is also that of row 2" in run.stderr
    assert "row 4, column name: 'x/y.iso'" in run.stderr
    assert "row 6, column cert: there is no file" in run.stderr
    run = made.inject("--name", "{{ site }}/{{ name }}.iso")
    assert "row 6, column name" in run.stderr
    run = made.inject("--name", "{{ nosuch }}.iso")
    assert "row 2: --name: 'nosuch' is undefined" in run.stderr
    run = made.inject("--name", "{{ name ")
    assert run.returncode == 3
    assert not made.out.exists()


def test_values_from_columns_and_templates(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    uuids = {n: json.loads(made.material[n][CONFIG])["ngt_uuid"] for n in made.material}
    for name in made.material:
        (made.root / "certificates" / name / "ngt_config.json").unlink()
    (made.root / "template.json").write_text(
        '{"cluster_ip": "{{ ip }}", "ngt_uuid": "{{ id }}", "port": 2074,'
        ' "site": {{ site | tojson }}}'
    )
    (made.root / "vms.csv").write_text(
        f'name,ip,id,site\nvm1,10.0.0.1,{uuids["vm1"]},a "b"\nvm2,10.0.0.2,{uuids["vm2"]},c\n'
    )
    run = made.inject(
        "--config-template", made.root / "template.json", "--name", "{{ site[0] }}-{{ name }}.iso",
        "--set", "port=2075", "--set", "rack={{ name | upper }}",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    with Volume.open(made.out / "a-vm1.iso") as volume:
        assert json.loads(volume.tree[CONFIG]) == {
            "cluster_ip": "10.0.0.1", "ngt_uuid": uuids["vm1"], "ngt_version": "2.0.1",
            "port": 2075, "rack": "VM1", "site": 'a "b"',
        }  # fmt: skip


def test_a_bases_configuration_is_no_template_for_other_vms(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    for name in made.material:
        (made.root / "certificates" / name / "ngt_config.json").unlink()
    uuid = json.loads(m.config(1))["ngt_uuid"]
    (made.root / "vms.csv").write_text(f"name,ngt_uuid\nvm1,{uuid}\n")
    assert made.inject().returncode == 6
    assert made.rows()["vm1"]["code"] == "mixed-identity"


def test_a_base_with_reserved_room_takes_any_identity_in_place(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 3, kind="rsa4096")
    vendor, shared = made.root / "base.iso", made.root / "shared.iso"
    run = made.ngtpatch(
        "rebuild", vendor, "-d", "rocky", "--strip-identity", "--reserve", "8K", "-o", shared
    )
    assert run.returncode == 0, run.stderr
    vendor.rename(made.root / "vendor.iso")
    shared.rename(made.root / "base.iso")
    base = (made.root / "base.iso").stat().st_size
    run = made.inject()
    assert run.returncode == 0, run.stderr
    assert made.wrong() == []
    assert {(made.out / f"{n}.iso").stat().st_size for n in made.material} == {base}
    for name, files in made.material.items():
        output = made.out / f"{name}.iso"
        # The record says what differs from the vendor's image, and it is true.
        assert made.ngtpatch("verify", output, "--base", made.root / "vendor.iso").returncode == 0
        image = bytearray(output.read_bytes())
        with Volume.open(output) as volume:
            for offset, length in volume.entries("rock_ridge")[KEY].extents:
                image[offset : offset + length] = bytes(length)
        # Where the key's file is, and nowhere else: not in the record either.
        assert not [window for window in key_windows(files[KEY]) if window in image]


@pytest.mark.parametrize("udf", [False, True])
def test_a_stripped_base_gets_its_files_back(tmp_path: Path, udf: bool) -> None:
    made = park(tmp_path / "park", 2, kind="rsa2048", udf=udf)
    with Volume.open(made.root / "base.iso") as volume:
        bare = stripped(volume.tree)
        plan = edit(volume, replace=bare.files, remove=bare.removed, scrub=VM_PATHS, note=Note({}))
        write_file(plan.overlay(), made.root / "shared.iso")
    (made.root / "shared.iso").replace(made.root / "base.iso")
    run = made.inject()
    assert run.returncode == 0, run.stderr
    assert made.wrong() == []
    for program in ("xorriso", "7z", "isoinfo-joliet"):
        for path, data in made.material["vm2"].items():
            assert read_with(program, made.out / "vm2.iso", path, tmp_path / "scratch") == data


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    run = made.inject("--dry-run", "--json")
    assert run.returncode == 0
    assert [o["output"] for o in json.loads(run.stdout)["orders"]] == ["vm1.iso", "vm2.iso"]
    assert not made.out.exists()


def test_the_document_and_the_plain_lines(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 10)
    run = made.inject("--json")
    document = json.loads(run.stdout)
    assert document["schema"] == "ngtpatch.inject/1"
    assert (document["total"], document["written"], document["failed"]) == (10, 10, 0)
    assert document["base_sha256"] == sha256_of(made.root / "base.iso")
    assert run.stderr.splitlines()[:10] == [f"{n} of 10" for n in range(1, 11)]
    assert "\x1b" not in run.stderr


@pytest.mark.parametrize(
    ("more", "code", "what"),
    [
        (("--shard", "0/3"), 2, "--shard 0/3"),
        (("--shard", "4/3"), 2, "--shard 4/3"),
        (("--set", "port=ssh"), 6, "whole number"),
        (("--set", "port"), 2, "KEY=VALUE"),
        (("--output-dir", "/dev/null/a/b"), 2, "/dev/null: is not a directory"),
        (("--inventory", "/nonexistent"), 3, "no such inventory"),
        (("--certificates", "/nonexistent"), 3, "no such directory"),
        (("--ca", "/nonexistent"), 3, "no such file"),
        (("--jobs", "0"), 2, "jobs"),
    ],
)
def test_bad_requests_are_one_message(
    tmp_path: Path, more: tuple[str, ...], code: int, what: str
) -> None:
    run = park(tmp_path / "park", 1).inject(*more)
    assert run.returncode == code
    assert what in run.stderr
    assert "Traceback" not in run.stderr


def test_an_existing_output_is_kept_unless_told(tmp_path: Path) -> None:
    made = park(tmp_path / "park", 2)
    made.out.mkdir()
    (made.out / "vm2.iso").write_bytes(b"precious")
    run = made.inject()
    assert run.returncode == 2
    assert "--resume" in run.stderr
    assert (made.out / "vm2.iso").read_bytes() == b"precious"
    assert made.listing() == {"vm2.iso"}
    assert made.inject("--force").returncode == 0
    assert made.wrong() == []


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        (".", "base.iso"), (".", "BASE.iso"), ("link", "vms.csv"), (".", "ca.pem"),
        ("certificates/vm1", "client-key.pem"), ("certificates/vm1", "Ngt_Config.json"),
    ],
)  # fmt: skip
def test_no_image_takes_the_place_of_what_it_is_made_of(
    tmp_path: Path, directory: str, name: str
) -> None:
    """Nor with --force: the base would become one VM's, and its key would be gone."""
    made = park(tmp_path / "park", 1)
    (made.root / "link").symlink_to(made.root)
    (made.root / "ca.pem").write_bytes(made.material["vm1"]["config/client-cert.pem"])
    before = {path: path.read_bytes() for path in made.root.rglob("*") if path.is_file()}
    for how in ("--force", "--resume", "-n"):
        run = made.inject(
            "--output-dir", made.root / directory, "--name", name, how, "--json",
            "--ca", made.root / "ca.pem",
        )  # fmt: skip
        error = json.loads(run.stdout)["error"]
        assert (run.returncode, error["code"]) == (3, "inventory")
        assert "row 2, column name: its output" in error["message"]
        assert "an input of this run" in error["message"]
    assert {path: path.read_bytes() for path in before} == before
