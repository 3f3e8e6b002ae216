# SPDX-License-Identifier: Apache-2.0
"""What holds for every command: one document, one message, the agreed exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ngtpatch.cli.schema import DOCUMENTS
from tests.flow.conftest import Pairs, Ran, run
from tests.requirements import tool

PROGRAM = [sys.executable, "-m", "ngtpatch"]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_document_has_a_schema(name: str) -> None:
    schema = run("schema", name).document
    assert schema["$schema"].startswith("https://json-schema.org/")
    # The record inside an image has its version in the trailer, not in its text.
    assert ("schema" in schema["properties"]) == (name != "record")


def test_documents_have_the_keys_of_their_schemas(pairs: Pairs, tmp_path: Path) -> None:
    pair, out = pairs(2), tmp_path / "out"
    commands: dict[str, tuple[str | Path, ...]] = {
        "inspect": ("inspect", pair.output),
        "ls": ("ls", pair.base),
        "extract": ("extract", pair.base, "config/ngt_config.json", "-o", tmp_path / "config"),
        "rebuild": ("rebuild", pair.base, "-d", "rocky", "-n"),
        "rebuild-each": (
            "rebuild", pair.base, "-d", "rocky", "--each", "--output-dir", tmp_path,
        ),
        "reset": ("reset", pair.output, "-o", out),
        "sample": ("sample", "-o", tmp_path / "sample.iso"),
        "verify": ("verify", pair.output),
    }  # fmt: skip
    for name, command in commands.items():
        document, schema = run("--json", *command).document, run("schema", name).document
        assert document["schema"] == schema["properties"]["schema"]["const"], name
        assert set(document) == set(schema["properties"]), name


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        ("--json", "ngtpatch/1"),
        ("--json --nosuch", "ngtpatch/1"),
        ("--json nosuch", "ngtpatch/1"),
        ("nosuch --json", "ngtpatch/1"),
        ("--json inspect", "ngtpatch.inspect/1"),
        ("inspect --nosuch x --json", "ngtpatch.inspect/1"),
        ("--json identity", "ngtpatch.identity/1"),
        ("--json ls x --tree bogus", "ngtpatch.ls/1"),
        ("packer verify --json a b c", "ngtpatch.packer-verify/1"),
    ],
)
def test_wrong_usage_is_a_document_too(words: str, schema: str) -> None:
    ran = run(*words.split())
    assert ran.code == 2
    assert (ran.document["schema"], ran.document["error"]["code"]) == (schema, "usage")
    assert ran.err.startswith("Usage: ")


@pytest.mark.parametrize(
    ("variable", "words", "schema"),
    [
        ("NGTPATCH_JSON", "--color pink ls x", "ngtpatch/1"),
        ("NGTPATCH_JSON", "ls x --tree bogus", "ngtpatch.ls/1"),
        ("NGTPATCH_LS_JSON", "ls x --tree bogus", "ngtpatch.ls/1"),
        ("NGTPATCH_IDENTITY_CHECK_JSON", "identity check x --nosuch", "ngtpatch.identity-check/1"),
    ],
)
def test_also_where_a_variable_asks_for_it(variable: str, words: str, schema: str) -> None:
    ran = run(*words.split(), cwd=None, **{variable: "1"})
    assert (ran.code, ran.document["schema"]) == (2, schema)


@pytest.mark.parametrize("group", ["identity", "packer", "patch", "profile"])
def test_a_group_takes_the_global_options(group: str) -> None:
    ran = run(group, "--json", "--color", "never", "-q", "nosuch")
    assert "No such command" in ran.err
    assert ran.document["error"]["code"] == "usage"


@pytest.mark.parametrize("words", ["--help", "--version", "ls --help", "schema ls", "patch list"])
def test_a_full_stdout_is_one_message(words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*PROGRAM, *words.split()],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 8
    assert "Traceback" not in ran.stderr
    # What click prints is an output without a name.
    named = "the output" if "--" in words else "standard output:"
    said = f"ngtpatch: {named} could not be written: the file system is full"
    assert ran.stderr.splitlines()[0] == said


def test_a_full_stdout_with_json(pairs: Pairs) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*PROGRAM, "--json", "ls", str(pairs(2).base)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (ran.returncode, "Traceback" in ran.stderr) == (8, False)


def test_a_closed_stdout_is_no_defect(pairs: Pairs) -> None:
    base = str(pairs(2).base)
    for words, code in (
        (["ls", base], 0),
        (["--json", "inspect", base], 0),
        (["support", base, "-d", "rocky"], 0),
        (["rebuild", base, "-d", "rocky", "-o", "-"], 2),
        (["extract", base, "config/ngt_config.json"], 2),
    ):
        shell = ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *words]
        ran = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=False)
        assert ran.returncode == code, ran.stderr
        assert "Traceback" not in ran.stderr
        assert "defect" not in ran.stderr


def unprivileged(*arguments: str | Path, cwd: Path) -> Ran:
    """Run ngtpatch as somebody whom permission bits bind, whoever runs the tests."""
    command = [*PROGRAM, *map(str, arguments)]
    if os.geteuid() == 0:
        lacking = "-dac_override,-dac_read_search"
        setpriv = tool("setpriv", "util-linux")
        command = [setpriv, f"--bounding-set={lacking}", f"--inh-caps={lacking}", *command]
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr, ran.stderr
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_an_input_that_may_not_be_read_is_an_input(pairs: Pairs, tmp_path: Path) -> None:
    base, closed = pairs(2).base, tmp_path / "closed"
    closed.write_text("hello")
    closed.chmod(0)
    for words in (
        ("inspect", closed),
        ("verify", closed),
        ("diff", base, closed),
        ("rebuild", base, "-n", "--config", closed),
        ("rebuild", base, "-n", "-d", "auto", "--os-release", closed),
        ("identity", "check", closed),
        ("identity", "check", base, "--ca", closed),
        ("inject", base, "--inventory", closed, "--output-dir", tmp_path / "out"),
        ("packer", "verify", closed),
        ("render", closed),
        ("render", "guest-install.sh", "--values", closed),
        ("status", closed),
    ):
        ran = unprivileged("--json", *words, cwd=tmp_path)
        assert (ran.code, ran.document["error"]["code"]) == (3, "unreadable"), words
        assert ran.document["error"]["path"] == str(closed)


@pytest.mark.parametrize("option", ["--profiles", "--patches"])
def test_settings_that_may_not_be_listed_are_not_passed_over(
    pairs: Pairs, tmp_path: Path, option: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    ran = unprivileged(
        "--json", "rebuild", pairs(2).base, "-d", "rocky", "-n", option, closed, cwd=tmp_path
    )
    closed.chmod(0o700)
    assert (ran.code, ran.document["error"]["code"]) == (3, "unreadable")


def test_a_directory_that_may_not_be_written_to(pairs: Pairs, tmp_path: Path) -> None:
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o555)
    for words in (
        ("rebuild", pairs(2).base, "-d", "rocky", "-o", directory / "out.iso"),
        ("sample", "-o", directory / "out.iso"),
        ("render", "guest-install.sh", "-o", directory / "out.sh"),
    ):
        ran = unprivileged("--json", *words, cwd=tmp_path)
        assert (ran.code, ran.document["error"]["code"]) == (8, "not-writable"), words
        assert str(directory) in ran.document["error"]["path"]


def test_a_directory_is_no_small_file(tmp_path: Path) -> None:
    for words in (
        ("packer", "verify", tmp_path),
        ("status", tmp_path),
        ("render", "guest-install.sh", "--values", tmp_path),
        ("profile", "new", "--os-release", tmp_path),
    ):
        ran = run("--json", *words)
        assert (ran.code, ran.document["error"]["code"]) == (3, "is-directory"), words


def test_toml_without_an_end_is_no_defect(tmp_path: Path) -> None:
    deep = tmp_path / "deep.toml"
    deep.write_text("a = " + "[" * 20_000)
    for words in (("profile", "list", "--profiles", deep), ("patch", "test", deep)):
        ran = run("--json", *words)
        assert (ran.code, ran.document["error"]["code"]) == (3, "not-toml"), words


def test_any_number_of_days_can_be_warned_of(pairs: Pairs) -> None:
    ran = run("--json", "identity", "check", pairs(2).base, "--warn-days", "9" * 30)
    assert ran.code == 5
    assert [finding["code"] for finding in ran.document["findings"]] == ["expiring"]


def test_a_reset_can_be_streamed(pairs: Pairs, tmp_path: Path) -> None:
    pair = pairs(2)
    ran = subprocess.run(
        [*PROGRAM, "--json", "reset", str(pair.output), "-o", "-"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == pair.base.read_bytes()
    document: dict[str, Any] = json.loads(ran.stderr)
    assert document["output"] is None
    assert document["sha256"] == hashlib.sha256(ran.stdout).hexdigest()
    assert list(tmp_path.iterdir()) == []


def test_a_reset_image_with_a_key_is_its_owner_s_alone(pairs: Pairs, tmp_path: Path) -> None:
    assert run("reset", pairs(2).output, "-o", tmp_path / "vendor.iso").code == 0
    assert stat.S_IMODE((tmp_path / "vendor.iso").stat().st_mode) == 0o600


def test_a_directory_is_listed_as_an_image_is(pairs: Pairs, tmp_path: Path) -> None:
    base, tree = pairs(2).base, tmp_path / "tree"
    assert run("rebuild", base, "-d", "rocky", "--output-tree", tree).code == 0
    listed = run("--json", "ls", tree).document
    image = run("--json", "ls", base).document
    assert listed["tree"] == "directory"
    assert {e["path"] for e in listed["entries"]} == {e["path"] for e in image["entries"]}
    assert run("ls", tree, "--tree", "joliet").code == 2


def test_each_writes_nothing_where_one_output_is_there(pairs: Pairs, tmp_path: Path) -> None:
    base = pairs(2).base
    taken = tmp_path / f"{base.stem}-almalinux.iso"
    taken.write_bytes(b"mine")
    ran = run(
        "--json", "rebuild", base, "-d", "rocky", "-d", "almalinux", "--each",
        "--output-dir", tmp_path,
    )  # fmt: skip
    assert (ran.code, ran.document["error"]["code"]) == (2, "output-exists")
    assert list(tmp_path.iterdir()) == [taken]


def test_each_takes_what_needs_no_profile_as_well(pairs: Pairs, tmp_path: Path) -> None:
    base = pairs(2).base
    ran = run("--json", "rebuild", base, "-d", "debian", "--each", "--output-dir", tmp_path)
    # Without a profile, and this disc does not accept it.
    assert (ran.code, ran.document["error"]["code"]) == (4, "unknown-profile")
    asked = ("-d", "rhel", "-d", "Red Hat Enterprise Linux", "-d", "rocky")
    assert run("rebuild", base, *asked, "--each", "--output-dir", tmp_path).code == 0
    written = {path.name.removeprefix(f"{base.stem}-"): path for path in tmp_path.iterdir()}
    assert set(written) == {"rhel.iso", "Red-Hat-Enterprise-Linux.iso", "rocky.iso"}
    assert written["rhel.iso"].read_bytes() == base.read_bytes()
    assert written["rocky.iso"].read_bytes() != base.read_bytes()


def test_two_rebuilds_with_an_archive_each_are_undone_at_once(pairs: Pairs, tmp_path: Path) -> None:
    base = pairs(2).base
    first, second, back = (tmp_path / name for name in ("1.iso", "2.iso", "back.iso"))
    assert run("rebuild", base, "-d", "rocky", "-o", first).code == 0
    ran = run("--json", "rebuild", first, "-d", "almalinux", "-o", second)
    assert ran.document["composed_with"] == ["rocky"]
    archives = [one["path"] for one in ran.document["changed"] if "!" in one["path"]]
    assert archives
    assert run("verify", second, "--base", base).code == 0
    assert run("reset", second, "-o", back).code == 0
    assert back.read_bytes() == base.read_bytes()


def test_what_comes_next_after_a_second_rebuild_works(pairs: Pairs, tmp_path: Path) -> None:
    """The record is about the vendor's image: the source of the second is no base of it."""
    base, second = pairs(2).base, tmp_path / "2.iso"
    ran = run("rebuild", pairs(2).output, "-d", "navy", "-o", second)
    told = [line.split("  (")[0] for line in ran.out.splitlines() if line.startswith("next ")]
    steps = [shlex.split(line)[2:] for line in told]
    assert [step[0] for step in steps] == ["verify", "reset"]
    named = {"ISO": str(base), "FILE": str(tmp_path / "back.iso")}
    for step in steps:
        assert run(*(named.get(word, word) for word in step)).code == 0
    assert (tmp_path / "back.iso").read_bytes() == base.read_bytes()
    wrong = run("verify", second, "--base", pairs(2).output)
    assert wrong.code == 5
    assert "not one that was rebuilt" in wrong.out


def test_diff_says_of_entries_alone_that_none_differs(pairs: Pairs, tmp_path: Path) -> None:
    base, other = pairs(2).base, tmp_path / "other.iso"
    data = bytearray(base.read_bytes())
    data[100] ^= 1  # in the system area, where no entry is
    other.write_bytes(data)
    assert run("diff", base, other).out == "no entry differs\n"
    assert run("verify", other, "--base", base).code == 5


@pytest.mark.parametrize("era", [1, 3])
def test_a_tree_is_installed_by_what_finds_its_program(
    pairs: Pairs, tmp_path: Path, era: int
) -> None:
    """1.x ends on Python 3, and 3.x has a script of its own."""
    ran = run("rebuild", pairs(era).base, "-d", "anolis", "--output-tree", tmp_path / "tree")
    (told,) = (line for line in ran.out.splitlines() if line.startswith("next "))
    assert "ngtpatch render guest-install.sh" in told
    assert f"--source {tmp_path / 'tree'}" in told


def test_an_extract_to_stdout_is_the_file_alone(pairs: Pairs) -> None:
    ran = run("--json", "extract", pairs(2).base, "config/ngt_config.json")
    assert "ngt_version" in ran.document
    assert json.loads(ran.err)["schema"] == "ngtpatch.extract/1"


def test_a_public_key_that_is_none_is_an_input(pairs: Pairs, tmp_path: Path) -> None:
    base = pairs(2).base
    assert run("rebuild", base, "-d", "rocky", "-o", tmp_path / "o.iso", "--provenance").code == 0
    (tmp_path / "text").write_text("hello")
    for key in ("absent", "text"):
        ran = run("--json", "verify", tmp_path / "o.iso", "--key", tmp_path / key)
        assert (ran.code, ran.document["error"]["code"]) == (3, "verify-key")
        assert key in ran.document["error"]["path"]


def test_an_address_without_a_port_is_wrong_usage(pairs: Pairs, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    folder = tmp_path / "certificates" / "web-01"
    folder.mkdir(parents=True)
    for name in ("ngt_config.json", "client-cert.pem", "client-key.pem"):
        run("extract", pairs(2).base, f"config/{name}", "-o", folder / name, "--allow-identity")
    (tmp_path / "vms.csv").write_text("name\nweb-01\n")
    ran = run(
        "--json", "inject", pairs(2).base, "--inventory", tmp_path / "vms.csv", "--certificates",
        folder.parent, "--output-dir", tmp_path / "out", "--scheduler", "nonsense",
    )  # fmt: skip
    assert (ran.code, ran.document["error"]["code"]) == (2, "scheduler")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("NGTPATCH_REBUILD_DISTRO", "rocky almalinux", ("rebuild", "-n")),
        ("NGTPATCH_SUPPORT_DISTRO", "rocky almalinux", ("support",)),
        ("NGTPATCH_REBUILD_SET", "port=2075", ("rebuild", "-n", "-d", "rocky")),
    ],
)
def test_an_option_s_variable_is_named_as_the_option(
    pairs: Pairs, variable: str, value: str, words: tuple[str, ...]
) -> None:
    ran = run("--json", *words, pairs(2).base, cwd=None, **{variable: value})
    assert ran.code == 0, ran.err
    told = json.dumps(ran.document)
    assert "almalinux" in told or "config/ngt_config.json" in told


@pytest.mark.parametrize("value", ["1", "0.2.0"])
def test_a_pipeline_s_variable_for_the_release_is_no_option(pairs: Pairs, value: str) -> None:
    ran = run("--json", "verify", pairs(2).base, NGTPATCH_VERSION=value)
    assert (ran.code, ran.document["schema"]) == (5, "ngtpatch.verify/1")


def test_a_table_has_colours_where_they_are_asked_for(pairs: Pairs) -> None:
    base = pairs(2).base
    assert "\x1b[" in run("--color", "always", "support", base, "-d", "rocky").out
    assert "\x1b[" not in run("--color", "never", "support", base, "-d", "rocky").out


def test_what_provenance_cannot_state_is_refused_before_the_image(
    pairs: Pairs, tmp_path: Path
) -> None:
    ran = run(
        "--json", "rebuild", pairs(2).base, "-d", "rocky", "-o", tmp_path / "o.iso", "--provenance",
        SOURCE_DATE_EPOCH="soon",
    )  # fmt: skip
    assert (ran.code, ran.document["error"]["code"]) == (2, "bad-source-date-epoch")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_strip_is_said_to_be_that(pairs: Pairs, tmp_path: Path) -> None:
    bare, again = tmp_path / "bare.iso", tmp_path / "again.iso"
    assert run("identity", "strip", pairs(2).base, "-o", bare).code == 0
    ran = run("identity", "strip", bare, "-o", again)
    assert ran.code == 0
    assert "nothing needed: no identity was found on it" in ran.out
    assert again.read_bytes() == bare.read_bytes()
