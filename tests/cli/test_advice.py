# SPDX-License-Identifier: Apache-2.0
"""What a command advises works when it is pasted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.program import run
from tests.requirements import tool


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run("sample", "-o", "ngt.iso").returncode == 0
    return tmp_path


def advised(said: str) -> list[list[str]]:
    lines = [line.removeprefix("next").strip() for line in said.splitlines() if "next " in line]
    return [shlex.split(line.partition("  (")[0])[1:] for line in lines]


@pytest.mark.usefixtures("here")
def test_a_name_is_not_taken_for_an_option() -> None:
    ran = run("rebuild", "ngt.iso", "-d", "rocky", "-o", "./-o.iso")
    assert ran.returncode == 0, ran.stderr
    verify, reset = advised(ran.stdout)
    assert run(*verify).returncode == 0
    assert run(*[word.replace("FILE", "back.iso") for word in reset]).returncode == 0
    assert Path("back.iso").read_bytes() == Path("ngt.iso").read_bytes()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("inspect ngt.ISO", "did you mean 'ngt.iso'?"),
        ("inspect ngt2.iso", "did you mean 'ngt.iso'?"),
        ("inspect dics/ngt.iso", "there is no directory dics"),
        ("inspect gone.iso", "it is a symbolic link to 'away', where nothing is"),
        ("inspect quite-another.iso", "it was looked for in "),
        ("verify ngt.iso --base nngt.iso", "did you mean 'ngt.iso'?"),
        ("support ngt.iso --os-release os-relase", "did you mean 'os-release'?"),
        ("support ngt.iso --os-release quite-another", "copy /etc/os-release from the guest"),
    ],
)
def test_a_file_that_is_not_there_gets_the_one_that_is(here: Path, typed: str, said: str) -> None:
    (here / "os-release").touch()
    (here / "gone.iso").symlink_to("away")
    ran = run(*typed.split())
    assert (ran.returncode, ran.stdout) == (3, "")
    assert said in ran.stderr


@pytest.mark.parametrize("name", ["o\udcff.iso", "two\nlines.iso", "a 'b' $c.iso", "ö.iso"])
def test_what_comes_next_names_a_file_that_cannot_be_shown(here: Path, name: str) -> None:
    """By its bytes: an escaped name would be another file's."""
    ran = run("rebuild", "ngt.iso", "-d", "rocky", "-o", here / name)
    (verify, _) = [line for line in ran.stdout.splitlines() if line.startswith("next")]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {verify.removeprefix('next')}"],
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    assert Path(os.fsdecode(words[2])).is_file()


@pytest.mark.usefixtures("here")
def test_a_report_does_not_land_in_a_file_called_stdout() -> None:
    ran = run("support", "ngt.iso", "-d", "rocky", "--report", "-")
    assert ran.returncode == 2
    assert "both go to stdout" in ran.stderr
    assert not Path("-").exists()


@pytest.mark.usefixtures("here")
def test_images_that_were_swapped_are_told_so() -> None:
    assert run("rebuild", "ngt.iso", "-d", "rocky", "-o", "el.iso").returncode == 0
    swapped = run("verify", "ngt.iso", "--base", "el.iso")
    assert swapped.returncode == 5
    assert "name them the other way round" in swapped.stdout
    assert run("sample", "-o", "other.iso", "--seed", "other").returncode == 0
    strange = run("verify", "other.iso", "--base", "ngt.iso")
    assert "nothing on it says why" in strange.stdout
    assert "accepts none of the distributions that have a profile" in strange.stdout


def test_a_profile_is_made_of_the_file_that_was_named(here: Path) -> None:
    (here / "os release").write_text('NAME="Kylin Ubuntu"\nID=ubuntu\nVERSION_ID=22\n')
    refused = run("profile", "new", "--os-release", "os release", "-o", "made.toml")
    assert refused.returncode == 4
    hint = refused.stderr.partition("ngtpatch profile new")[2]
    words = shlex.split(hint)
    done = run("profile", "new", *words, "--python", "3.9", "-o", "kylin.toml")
    assert done.returncode == 0, done.stderr
    assert "Kylin Ubuntu" in (here / "kylin.toml").read_text()


@pytest.mark.usefixtures("here")
def test_a_dry_run_of_a_fleet_ends_as_the_run_does() -> None:
    assert run("rebuild", "ngt.iso", "-d", "rocky", "-o", "el.iso").returncode == 0
    Path("vms.csv").write_text("name,uuid\nvm1,11111111-2222-3333-4444-555555555555\n")
    words = ("inject", "el.iso", "--inventory", "vms.csv", "--output-dir", "out")
    dry = run(*words, "-n")
    assert (dry.returncode, Path("out").exists()) == (6, False)
    assert "0 of 1 VMs would get an image in out; nothing was written" in dry.stdout
    assert json.loads(run("--json", *words, "-n").stdout)["orders"][0]["refused"]
    assert run(*words).returncode == 6


def _lines(said: str) -> list[str]:
    return [line.split()[0] for line in said.splitlines()]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("base", ["ngt.iso", "el.iso"])
@pytest.mark.parametrize("stated", ["--provenance", "--sign-key=sign.key"])
def test_what_was_stated_is_verified_by_what_comes_last(base: str, stated: str) -> None:
    """Also where the source was rebuilt itself: the statement and the record have other bases."""
    for line in (
        "openssl genpkey -algorithm ed25519 -out sign.key",
        "openssl pkey -in sign.key -pubout -out other.pub",
    ):
        subprocess.run(line.split(), check=True, capture_output=True)
    assert run("rebuild", "ngt.iso", "-d", "rocky", "-o", "el.iso").returncode == 0
    ran = run("rebuild", base, "-d", "almalinux", "--strip-identity", "-o", "o.iso", stated)
    assert ran.returncode == 0, ran.stderr
    assert set(_lines(ran.stdout)[_lines(ran.stdout).index("next") :]) == {"next"}
    told = 0
    for verify in [words for words in advised(ran.stdout) if words[0] == "verify"]:
        told += "--provenance" in verify or "--key" in verify
        if "--key" in verify:
            assert "(PUBLIC.pem: openssl pkey -in sign.key -pubout -out PUBLIC.pem)" in ran.stdout
        named = {"PUBLIC.pem": "other.pub", "ISO": "ngt.iso"}
        done = run(*(named.get(word, word) for word in verify))
        assert done.returncode == 0, done.stdout
        if "--key" in verify:
            assert "signature   by other.pub" in done.stdout
    assert told == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("distro", ["rocky", "rhel"])
def test_a_prepared_disc_with_documents_is_verified_by_them(distro: str) -> None:
    assert run("identity", "strip", "ngt.iso", "-o", "clean.iso").returncode == 0
    ran = run("packer", "prepare", "clean.iso", "-d", distro, "-o", "b.iso", "--provenance")
    assert ran.returncode == 0, ran.stderr
    assert _lines(ran.stdout)[-2:] == ["next", "next"]
    verify, prepared = advised(ran.stdout)
    assert "--provenance" in verify
    for words in (verify, prepared):
        done = run(*words)
        assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("here")
def test_a_disc_with_nothing_to_undo_is_told_what_it_is() -> None:
    assert run("rebuild", "ngt.iso", "-d", "rocky", "-o", "el.iso").returncode == 0
    alone = run("reset", "ngt.iso", "-o", "x.iso")
    assert (alone.returncode, Path("x.iso").exists()) == (3, False)
    assert "the vendor's own has nothing to undo: use it as it is" in alone.stderr
    asked = shlex.split(alone.stderr.partition("'ngtpatch ")[2].partition("'")[0])
    assert run(*(word.replace("ISO", "ngt.iso") for word in asked)).returncode == 0
    for base, told in (
        ("ngt.iso", "it is ngt.iso, byte for byte: there is nothing to undo\n  use it as it is"),
        ("el.iso", "if that was made of ngt.iso, name them the other way round"),
    ):
        ran = run("reset", "ngt.iso", "--base", base, "-o", "x.iso")
        assert (ran.returncode, told in ran.stderr) == (3, True), ran.stderr
    assert run("sample", "-o", "other.iso", "--seed", "other").returncode == 0
    strange = run("reset", "other.iso", "--base", "ngt.iso", "-o", "x.iso")
    assert "it is not ngt.iso" in strange.stderr
    assert "if ngt.iso is the vendor's, use that itself" in strange.stderr


@pytest.mark.usefixtures("here")
def test_a_report_ends_with_what_to_do_with_it() -> None:
    assert run("rebuild", "ngt.iso", "-d", "rocky", "-o", "el.iso").returncode == 0
    good = run("report", "ngt.iso", "el.iso", "-o", "good.html")
    assert advised(good.stdout) == [["good.html"]]  # of xdg-open
    bad = run("report", "ngt.iso", "el.iso", "-d", "kylin", "-o", "bad.html")
    page, verify = advised(bad.stdout)
    assert (bad.returncode, page) == (5, ["bad.html"])
    assert run(*verify).returncode == 5
    for words in (("-o", "bad.html", "-n", "-f"), ("-o", "-")):
        assert "next " not in run("report", "ngt.iso", "el.iso", *words).stderr


@pytest.mark.usefixtures("here")
def test_what_was_accepted_and_given_is_said_again_by_what_comes_next() -> None:
    """Without these words verify asks for lines that somebody has read, and other patches."""
    assert run("rebuild", "ngt.iso", "--set", "port=2074", "--output-tree", "tree").returncode == 0
    start = Path("tree/installer/linux/install_ngt.py")
    looks = "import os\nos.stat(os.path.dirname(__file__) + '/src/installer_factory.py')\n"
    head, main, tail = start.read_text().partition("if __name__")
    start.write_text(head + looks + main + tail)
    subprocess.run(
        [tool("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-R", "-o", "looks.iso", "tree"],
        check=True,
    )
    Path("own").mkdir()
    refused = run("rebuild", "looks.iso", "-d", "rocky", "-o", "el.iso")
    (digest,) = re.findall(r"--accept-unproven ([0-9a-f]{64})", refused.stderr)
    given = ("--accept-unproven", digest, "--patches", "own")
    ran = run("rebuild", "looks.iso", "-d", "rocky", "-o", "el.iso", *given)
    assert ran.returncode == 0, ran.stderr
    verify, _ = advised(ran.stdout)
    assert [verify.count(word) for word in given] == [1, 1, 1, 1]
    done = run(*verify)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("here")
def test_a_value_that_is_there_already_still_leaves_a_disc_of_one_vm() -> None:
    shown = json.loads(run("extract", "ngt.iso", "config/ngt_config.json").stdout)
    key, value = next((key, value) for key, value in shown.items() if "port" in key.lower())
    for given in (f"{key}={value}", f"{key}=1234"):
        ran = run("rebuild", "ngt.iso", "--set", given, "-o", "x.iso", "-f")
        assert ran.returncode == 0, ran.stderr
        assert "the output carries a VM's identity; do not share it\n" in ran.stderr


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("install_ngt.py", "did you mean installer/linux/install_ngt.py?"),
        ("installer/linux/instal_ngt.py", "did you mean installer/linux/install_ngt.py?"),
        ("installer/linux", "but a directory of that name\n  list what it holds with: ngtpatch ls"),
        ("quite/another", "list what it holds with: ngtpatch ls './-n 1.iso'\n"),
    ],
)
def test_an_entry_that_is_not_there_gets_the_one_that_is(path: str, said: str) -> None:
    Path("ngt.iso").rename("-n 1.iso")
    ran = run("extract", "./-n 1.iso", path)
    assert (ran.returncode, said in ran.stderr) == (3, True), ran.stderr


@pytest.mark.usefixtures("here")
def test_an_os_release_alone_asks_for_the_word_that_takes_it() -> None:
    Path("os-release").write_text('NAME="Rocky Linux"\nID=rocky\nVERSION_ID=9.4\n')
    words = ("rebuild", "ngt.iso", "--os-release", "os-release", "-o", "el.iso")
    alone = run(*words)
    assert (alone.returncode, "add --distro auto" in alone.stderr) == (2, True)
    assert run(*words, "--distro", "auto").returncode == 0
    assert "name one with --distro ID" in run("rebuild", "ngt.iso", "-o", "x.iso").stderr


@pytest.mark.usefixtures("here")
def test_what_was_rebuilt_before_is_composed_with_only_where_something_changes() -> None:
    assert run("rebuild", "ngt.iso", "-d", "rocky", "-o", "el.iso").returncode == 0
    same = run("rebuild", "el.iso", "-d", "rocky", "-o", "same.iso")
    assert Path("same.iso").read_bytes() == Path("el.iso").read_bytes()
    assert "the source was rebuilt already, for rocky\n" in same.stdout
    assert "composed" not in same.stdout
    more = run("rebuild", "el.iso", "-d", "almalinux", "-o", "more.iso")
    assert "composed with the earlier rebuild for rocky\n" in more.stdout
